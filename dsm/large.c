/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large frames. Memory that a rank has never had takes the kernel a fault and a cleared page for each page of
 * it, which costs more than to receive the bytes. Where a long stretch is asked for, the frames of a block of
 * 2 MiB are made at once, as one large page: MADV_COLLAPSE of the service view, which copies the few pages
 * that are there already. The views are protected in units as before; only the frames behind them are large.
 *
 *   byre__dsm_large_within   blocks that a request covers whole
 *   byre__dsm_large_ahead    the block where the next window of a stream lies, once the stream is long
 *
 * Invariant: what the application and the engine see of a frame does not depend on it. The kernel copies a
 * page only while nobody can use it, and gives up (EAGAIN) if somebody does at that moment, say to receive
 * into it. So it may be tried at any time, and what cannot be had is done without; but a block is tried once
 * only, before most of it arrives. Where the kernel knows no such thing, all of this does nothing.
 */
#include "region.h"

#include "env.h"
#include <errno.h>
#include <stdlib.h>

enum {
    CERTAIN = 8, /* a stream is long when its window is at least that part of a block */
    PATIENCE = 4 /* refusals in a row, before it is given up for good */
};

static bool wanted;
static _Atomic int refusals;

void byre__dsm_large_start(void)
{
    wanted = byre__env_bool(BYRE__ENV_DSM_LARGE_FRAMES) && byre__dsm_frames_can_join();
    atomic_store(&refusals, 0);
}

static bool is_hopeless(void)
{
    return !wanted || atomic_load_explicit(&refusals, memory_order_relaxed) >= PATIENCE;
}

/* Under the lock, which guards region->large. */
static void join(dsm_region_t *region, size_t block)
{
    if (region->large[block]) return;
    region->large[block] = 1;
    size_t offset = block * DSM_LARGE_BYTES;
    int error = byre__dsm_frames_join(region->app + offset, region->service + offset);
    if (error == 0)
        atomic_store_explicit(&refusals, 0, memory_order_relaxed);
    else if (error != EAGAIN) /* no such call, or no memory in one piece */
        atomic_fetch_add_explicit(&refusals, error == EINVAL ? PATIENCE : 1, memory_order_relaxed);
}

void byre__dsm_large_within(dsm_region_t *region, size_t first, size_t count)
{
    size_t from = first * region->unit_bytes, to = from + count * region->unit_bytes;
    if (to - from < DSM_LARGE_BYTES || is_hopeless()) return;
    for (size_t block = (from + DSM_LARGE_BYTES - 1) / DSM_LARGE_BYTES;
         (block + 1) * DSM_LARGE_BYTES <= to; block++)
        join(region, block);
}

void byre__dsm_large_ahead(dsm_region_t *region, size_t unit, size_t window)
{
    size_t block = unit * region->unit_bytes / DSM_LARGE_BYTES;
    if (window * region->unit_bytes < DSM_LARGE_BYTES / CERTAIN || is_hopeless()) return;
    if ((block + 1) * DSM_LARGE_BYTES <= region->bytes) join(region, block);
}
