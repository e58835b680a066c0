/* SPDX-License-Identifier: BSD-3-Clause */
/* Agreement of all ranks on a collective call. */
#ifndef BYRE__DSM_AGREE_H
#define BYRE__DSM_AGREE_H

#include <byre_dsm.h>

/* What a rank is about to do: compared byte by byte, so padding is zero; but for `error`, what became of
 * it here. */
typedef struct dsm_agree {
    enum { DSM_AGREE_ALLOC = 1, DSM_AGREE_FREE, DSM_AGREE_PUBLISH, DSM_AGREE_PUBLISHED } call;
    int error;
    uint64_t at, bytes;
    byre_dsm_attr_t attr;
} dsm_agree_t;

int byre__dsm_agree_start(void);
void byre__dsm_agree_stop(void);
/* Collective, blocks. BYRE_OK when all say the same and nobody an error; else an error on all. */
int byre__dsm_agree(const dsm_agree_t *what);
void byre__dsm_agree_gone(int rank);

#endif
