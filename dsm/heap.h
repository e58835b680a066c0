/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared heap: which rank has which block of the heap's region. Described in heap.c. */
#ifndef BYRE__DSM_HEAP_H
#define BYRE__DSM_HEAP_H

#include "heap_slice.h"

#include <stdbool.h>
#include <stddef.h>

/* The heap's region is there, at the same base on all ranks; it is not touched. For the start of a part
 * (part.h): before anything is sent. Of `bytes`, which should be a multiple of the ranks times 2 MiB,
 * every rank gets an equal slice, in order. BYRE_ENOMEM, BYRE_EINVAL less than a page for each rank. */
int byre__dsm_heap_start(void *base, size_t bytes);

/* Its undo. The region may be unmapped before or after. Without a start it does nothing. */
void byre__dsm_heap_stop(void);

/* Is it an address of the region? Async-signal-safe. */
bool byre__dsm_heap_owns(const void *addr);

/* byre_dsm_free for an address of the heap, on any rank, from handlers too: BYRE_OK; BYRE_EINVAL no
 * block, as far as this rank can tell; BYRE_EPEER the rank whose slice it is has failed; BYRE_ENOMEM. */
int byre__dsm_heap_free(void *block);

/* Of this rank's slice; the heap has been started. */
void byre__dsm_heap_stats(byre__slice_stats_t *stats_out);

/* For other parts: lent.h. */
int byre__dsm_lend(size_t bytes, void **memory_out);

#endif
