/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared heap. Its region is cut into one slice for each rank, and a rank takes blocks from its own
 * slice only: no message, and blocks of different ranks never share a page. With homes placed in blocks,
 * the home of a page is the rank that gave it out.
 *
 *     byre_dsm_malloc              byre_dsm_free of another rank's block
 *     rank 1 --+                   rank 0 -----+
 *              v                               | FREE(block)
 *     | slice 0 | slice 1 | slice 2 |          v
 *                    rank 1: byre__slice_take, byre__slice_give
 *
 * The state of a slice is known to its rank alone: when that has failed, its blocks cannot be freed
 * any more. A block that comes back by FREE, and is none, is told of in the log of its rank.
 */
#include "heap.h"

#include "ids.h"
#include "region.h"
#include "log.h"
#include "node.h"

#include <byre_dsm.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

enum { SLICE_STEP = 2 << 20 }; /* a huge page */

/* Written at start and stop, when nobody else is here. */
static struct {
    uintptr_t base;
    size_t bytes, slice_bytes;
    byre__slice_t *slice; /* this rank's; NULL: not started */
} heap;

static size_t choose_slice(size_t bytes, size_t ranks, size_t page_bytes)
{
    size_t share = bytes / ranks;

    return share - share % (share >= SLICE_STEP ? SLICE_STEP : page_bytes);
}

/* FREE, on the engine. */
static void handle_free(const byre_am_t *am, void *arg)
{
    void *const *block = am->data;

    (void)arg;
    if (byre__slice_give(heap.slice, *block) != BYRE_OK)
        byre__error(
            "byre_dsm_free by rank %d: no block of rank %d's heap begins at %p; freed twice, "
            "or not what byre_dsm_malloc gave",
            am->source, byre__nodes.rank, *block);
}

int byre__dsm_heap_start(void *base, size_t bytes)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t slice_bytes = choose_slice(bytes, (size_t)byre__nodes.size, page_bytes);
    byre__slice_t *slice;

    int error = byre__slice_create((char *)base + (size_t)byre__nodes.rank * slice_bytes,
                                   slice_bytes, page_bytes, &slice);
    if (error) return error;
    error = byre__am_register(BYRE__AM_DSM_FREE, handle_free, NULL, NULL);
    if (error) {
        byre__slice_destroy(slice);
        return error;
    }
    heap.base = (uintptr_t)base;
    heap.bytes = bytes;
    heap.slice_bytes = slice_bytes;
    heap.slice = slice;
    return BYRE_OK;
}

void byre__dsm_heap_stop(void)
{
    if (!heap.slice) return;
    (void)byre__am_register(BYRE__AM_DSM_FREE, NULL, NULL, NULL);
    byre__slice_destroy(heap.slice);
    heap.slice = NULL;
    heap.bytes = 0;
}

bool byre__dsm_heap_owns(const void *addr)
{
    return (uintptr_t)addr - heap.base < heap.bytes;
}

void byre__dsm_heap_stats(byre__slice_stats_t *stats_out)
{
    byre__slice_stats(heap.slice, stats_out);
}

void *byre_dsm_malloc(size_t bytes)
{
    if (!heap.slice) return NULL;
    byre__dsm_origin_calls();
    return byre__slice_take(heap.slice, bytes);
}

int byre__dsm_heap_free(void *block)
{
    if (!byre__dsm_heap_owns(block)) return BYRE_EINVAL;
    size_t owner = ((uintptr_t)block - heap.base) / heap.slice_bytes;

    if (owner == (size_t)byre__nodes.rank) return byre__slice_give(heap.slice, block);
    if (owner >= (size_t)byre__nodes.size || (uintptr_t)block % BYRE__SLICE_ALIGN != 0)
        return BYRE_EINVAL;
    return byre__am_post((int)owner, BYRE__AM_DSM_FREE, &block, sizeof block, NULL, 0, NULL, NULL);
}
