/* SPDX-License-Identifier: BSD-3-Clause */
/* A slice of the shared heap: an allocator for a range of addresses that it never touches. Thread-safe.
 * Described in heap_slice.c. */
#ifndef BYRE__DSM_HEAP_SLICE_H
#define BYRE__DSM_HEAP_SLICE_H

#include <stdbool.h>
#include <stddef.h>

#define BYRE__SLICE_ALIGN 16       /* of all blocks */
#define BYRE__SLICE_SMALL_MAX 2048 /* longer blocks are whole pages */

typedef struct byre__slice byre__slice_t;

typedef struct byre__slice_stats {
    size_t blocks; /* taken */
    size_t bytes;  /* of them, rounded up to what they occupy */
    size_t pages;  /* that are not free */
    size_t free_runs;
} byre__slice_stats_t;

/* base and bytes are multiples of page_bytes, a power of two of at least 4096. The slice is freed with
 * byre__slice_destroy, blocks that are taken along with it. BYRE_ENOMEM, BYRE_EINVAL. */
int byre__slice_create(void *base, size_t bytes, size_t page_bytes, byre__slice_t **slice_out);
void byre__slice_destroy(byre__slice_t *slice); /* NULL does nothing */

/* NULL: no room. 0 bytes are a block too. */
void *byre__slice_take(byre__slice_t *slice, size_t bytes);

/* BYRE_EINVAL: no block that is taken begins there. */
int byre__slice_give(byre__slice_t *slice, const void *block);

void byre__slice_stats(byre__slice_t *slice, byre__slice_stats_t *stats_out);

/* Tests: do the invariants hold? */
bool byre__slice_sound(byre__slice_t *slice);

#endif
