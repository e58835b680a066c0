/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stages: where small receives land.
 *
 * MPI cuts a message that is longer than its receive, and the tail is lost. So a receive with a
 * small buffer is posted with a stage: address space for a message of 64 GiB, of which only the
 * pages that are written ever get memory. What fits is copied to the user, what does not is kept
 * with its stage. Where there is no address space for a stage (ulimit -v, strict overcommit), the
 * receive is queued instead, as a large one is (port.c).
 */
#ifndef BYRE__STAGE_H
#define BYRE__STAGE_H

#include <stddef.h>

#ifdef __SANITIZE_THREAD__ /* leaves little address space to the program */
#define BYRE__STAGE_BYTES ((size_t)4 << 30)
#else
#define BYRE__STAGE_BYTES ((size_t)64 << 30)
#endif

void *byre__stage_get(void); /* NULL: no address space */
void byre__stage_put(void *stage);
/* The same for a stage that `bytes` were written to: gives the memory back. */
void byre__stage_put_used(void *stage, size_t bytes);
void byre__stage_fini(void);

#endif
