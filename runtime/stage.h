/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stages: where small receives land.
 *
 * MPI cuts a message that is longer than its receive, and the tail is lost. So a receive with a
 * small buffer is posted with a stage, address space for the longest message that MPI counts, of
 * which only the pages that are written ever get memory; what fits is copied to the user, what does
 * not is kept with its stage.
 */
#ifndef BYRE__STAGE_H
#define BYRE__STAGE_H

#include <limits.h>
#include <stddef.h>

#define BYRE__STAGE_BYTES ((size_t)INT_MAX)

void *byre__stage_get(void); /* NULL: no address space */
void byre__stage_put(void *stage);
/* The same for a stage that `bytes` were written to: gives the memory back. */
void byre__stage_put_used(void *stage, size_t bytes);
void byre__stage_fini(void);

#endif
