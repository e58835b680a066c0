/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stages: where small receives land.
 *
 * MPI cuts a message that is longer than its receive, and the tail is lost. So a receive with a
 * small buffer is posted with a stage: address space for a message of 64 GiB, of which only the
 * pages that are written ever get memory. What fits is copied to the user, what does not is kept
 * with its stage. Where there is no address space for a stage (ulimit -v, strict overcommit), the
 * receive is queued instead, as a large one is (port_queue.c).
 *
 * The request of the receive is the head of its stage: one page, one object to recycle.
 */
#ifndef BYRE__STAGE_H
#define BYRE__STAGE_H

#include "message.h"
#include "recycle.h"
#include <stddef.h>

#ifdef __SANITIZE_THREAD__ /* leaves little address space to the program */
#define BYRE__STAGE_BYTES ((size_t)4 << 30)
#else
#define BYRE__STAGE_BYTES ((size_t)64 << 30)
#endif

extern byre__recycler_t byre__stages;
extern _Thread_local byre__recycled_t byre__own_stages __attribute__((tls_model("initial-exec")));

/* NULL: no address space. Its owners is 1. */
static inline byre_request_t byre__stage_get(void)
{
    byre_request_t stage = byre__recycle_get(&byre__stages, &byre__own_stages);
    if (__builtin_expect(stage != NULL, 1))
        atomic_store_explicit(&stage->owners, 1, memory_order_relaxed);
    return stage;
}

/* Give up one's part; the last owner's call recycles it. */
static inline void byre__stage_put(byre_request_t stage)
{
    if (atomic_load_explicit(&stage->owners, memory_order_acquire) == 1 ||
        atomic_fetch_sub(&stage->owners, 1) == 1)
        byre__recycle_put(&byre__stages, &byre__own_stages, stage);
}

/* The same for a stage that `bytes` were written to: gives the memory back. */
void byre__stage_put_used(byre_request_t stage, size_t bytes);
void byre__stage_fini(void);

#endif
