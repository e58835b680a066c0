/* SPDX-License-Identifier: BSD-3-Clause */
/* The whole pages of a snapshot: where they are, and how they come home. Described in cow_pages.c. */
#ifndef BYRE__COW_PAGES_H
#define BYRE__COW_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYRE__COW_CHUNK_PAGES 16 /* what one access brings home, unless the buffer is in pieces */
#define BYRE__COW_PIECES 64      /* most mappings that a snapshot may span */

/* Where the mappings of a buffer end, as offsets from its first whole page; the last is its end. */
typedef struct byre__cow_pieces {
    unsigned count;
    size_t end[BYRE__COW_PIECES];
} byre__cow_pieces_t;

typedef struct byre__cow_pages {
    char *app;    /* the application's address, first whole page */
    char *shadow; /* where the bytes are while they are away */
    size_t bytes;
    size_t chunk_bytes, chunks;
    uint64_t serial;        /* no two snapshots of a process share it */
    _Atomic bool wholesale; /* one thread is bringing everything home at once */
    bool locked;            /* it was (mlock); copies and moves home may have lost this */
    byre__cow_pieces_t pieces;
    _Atomic unsigned char state[]; /* of each chunk */
} byre__cow_pages_t;

/* NULL when there is no memory. Free with free(). */
byre__cow_pages_t *byre__cow_pages_new(char *app, char *shadow, const byre__cow_pieces_t *pieces);

/* Ordinary memory -> snapshot. BYRE_ENOMEM: cannot be moved, everything is as it was. */
int byre__cow_pages_leave(byre__cow_pages_t *pages);

/* Bring what lies in app[from, to) home by copying. False: the kernel refused; what is still away
 * stays so, and remains accessible by faults if these are luckier. */
bool byre__cow_pages_copy_home(byre__cow_pages_t *pages, size_t from, size_t to);

/* Bring everything home by moving; nobody reads the shadow any more. False as above. */
bool byre__cow_pages_move_home(byre__cow_pages_t *pages);

/* Everything is home: no more faults of this snapshot. */
void byre__cow_pages_retire(byre__cow_pages_t *pages);

/* Is all of app[from, to) away, so that the shadow has its newest bytes? */
bool byre__cow_pages_away(const byre__cow_pages_t *pages, size_t from, size_t to);

/* Tests: do without writing through /proc/self/mem, as a hardened kernel makes us. */
extern bool byre__cow_no_proc_mem;

#endif
