/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of a slice: small ones in slabs (Bonwick 1994), each a run of pages cut into blocks of one
 * size, larger ones as runs of pages of their own. Everything is written down in private memory.
 *
 * Invariants
 *  L1  No address of the slice is ever read or written: it may be on another rank, and a handler, which
 *      may not wait for it, takes and gives blocks too.
 *  L2  The lock is a leaf: nothing but malloc and free is called under it. The thread is marked as inside
 *      Byre meanwhile: should a signal handler interrupt it and touch shared memory, this fault does not
 *      drive the engine, where giving a block back would wait for the lock.
 *  L3  A slab with a block that is free is in the tree of its class; one with none taken does not exist.
 *  L4  Of what is free, the lowest address is taken: what is in use stays on few pages.
 */
#include "heap_slice.h"

#include "fault.h"
#include "heap_runs.h"

#include <byre_errors.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    STEPS = 8, /* classes between a power of two and the next */
    LINEAR = BYRE__SLICE_ALIGN * STEPS,
    CLASSES = STEPS * 5, /* up to LINEAR << 4, which is BYRE__SLICE_SMALL_MAX */
    SLAB_PAGES = 8,      /* most */
    WORD_BITS = 64
};
_Static_assert(LINEAR << 4 == BYRE__SLICE_SMALL_MAX, "classes");
_Static_assert(SLAB_PAGES <= BYRE__RUNS_LEAF_PAGES, "slabs are mapped at each page");

typedef struct size_class {
    size_t bytes;      /* of a block */
    size_t pages;      /* of a slab */
    unsigned blocks;   /* of a slab */
    byre__run_t *room; /* tree of slabs, L3 */
} size_class_t;

struct byre__slice {
    uintptr_t base;
    size_t bytes, page_bytes;
    pthread_mutex_t lock; /* of all below */
    byre__runs_t runs;
    size_class_t classes[CLASSES];
    size_t blocks, taken_bytes;
};

static void lock(byre__slice_t *slice)
{
    byre__inside_enter();
    pthread_mutex_lock(&slice->lock);
}

static void unlock(byre__slice_t *slice)
{
    pthread_mutex_unlock(&slice->lock);
    byre__inside_leave();
}

/* ---- classes ----------------------------------------------------------------------------------- */

/* 16, 32 ... 128, 144 ... 256, 288 ... 512, 576 ... 1024, 1152 ... 2048 */
static size_t class_bytes(unsigned kind)
{
    unsigned octave = kind / STEPS, step = kind % STEPS + 1;

    if (octave == 0) return (size_t)step * BYRE__SLICE_ALIGN;
    return ((size_t)(STEPS + step) * BYRE__SLICE_ALIGN) << (octave - 1);
}

static unsigned class_of(size_t bytes)
{
    unsigned octave = 0;

    if (bytes == 0) return 0;
    while (bytes > (size_t)LINEAR << octave) octave++;
    if (octave == 0) return (unsigned)((bytes - 1) / BYRE__SLICE_ALIGN);
    size_t step = (size_t)BYRE__SLICE_ALIGN << (octave - 1);
    return octave * STEPS + (unsigned)((bytes - 1) / step) - STEPS;
}

/* The shortest slab that leaves at most an eighth of itself over: few blocks of it straddle pages. */
static size_class_t make_class(unsigned kind, size_t page_bytes)
{
    size_t block = class_bytes(kind), pages = 1;

    while (pages < SLAB_PAGES && pages * page_bytes % block > pages * page_bytes / 8) pages++;
    return (size_class_t){ .bytes = block,
                           .pages = pages,
                           .blocks = (unsigned)(pages * page_bytes / block) };
}

/* ---- slabs ------------------------------------------------------------------------------------- */

static byre__run_t *make_slab(byre__slice_t *slice, unsigned kind)
{
    size_class_t *class = &slice->classes[kind];
    size_t words = (class->blocks + WORD_BITS - 1) / WORD_BITS;
    uint64_t *marks = calloc(words, sizeof *marks);
    byre__run_t *slab = marks ? byre__runs_take(&slice->runs, class->pages) : NULL;

    if (!slab) {
        free(marks);
        return NULL;
    }
    if (class->blocks % WORD_BITS != 0) /* blocks that are not there are not to be had */
        marks[words - 1] = ~(uint64_t)0 << class->blocks % WORD_BITS;
    slab->kind = kind;
    slab->taken = 0;
    slab->marks = marks;
    byre__runs_make_slab(&slice->runs, slab);
    byre__tree_insert(&class->room, slab);
    return slab;
}

static uintptr_t take_small(byre__slice_t *slice, unsigned kind)
{
    size_class_t *class = &slice->classes[kind];
    byre__run_t *slab = byre__tree_lowest(class->room); /* L4 */
    size_t word = 0;

    if (!slab) slab = make_slab(slice, kind);
    if (!slab) return 0;
    while (slab->marks[word] == ~(uint64_t)0) word++;
    unsigned bit = (unsigned)__builtin_ctzll(~slab->marks[word]);
    slab->marks[word] |= (uint64_t)1 << bit;
    if (++slab->taken == class->blocks) byre__tree_remove(&class->room, slab);
    slice->taken_bytes += class->bytes;
    return slice->base + slab->first * slice->page_bytes + (word * WORD_BITS + bit) * class->bytes;
}

static bool give_small(byre__slice_t *slice, byre__run_t *slab, size_t offset)
{
    size_class_t *class = &slice->classes[slab->kind];
    size_t block = offset / class->bytes;
    uint64_t mark = (uint64_t)1 << block % WORD_BITS, *word = &slab->marks[block / WORD_BITS];

    if (offset % class->bytes != 0 || block >= class->blocks || !(*word & mark)) return false;
    *word &= ~mark;
    slice->taken_bytes -= class->bytes;
    if (slab->taken-- == class->blocks) byre__tree_insert(&class->room, slab);
    if (slab->taken == 0) {
        byre__tree_remove(&class->room, slab);
        byre__runs_give(&slice->runs, slab);
    }
    return true;
}

/* ---- large blocks ------------------------------------------------------------------------------ */

static uintptr_t take_large(byre__slice_t *slice, size_t bytes)
{
    byre__run_t *run =
        byre__runs_take(&slice->runs, (bytes + slice->page_bytes - 1) / slice->page_bytes);

    if (!run) return 0;
    slice->taken_bytes += run->pages * slice->page_bytes;
    return slice->base + run->first * slice->page_bytes;
}

static bool give_large(byre__slice_t *slice, byre__run_t *run, size_t offset)
{
    if (offset != 0) return false;
    slice->taken_bytes -= run->pages * slice->page_bytes;
    byre__runs_give(&slice->runs, run);
    return true;
}

/* ---- the slice --------------------------------------------------------------------------------- */

int byre__slice_create(void *base, size_t bytes, size_t page_bytes, byre__slice_t **slice_out)
{
    if (bytes == 0 || bytes % page_bytes != 0 || (uintptr_t)base % page_bytes != 0)
        return BYRE_EINVAL;
    byre__slice_t *slice = calloc(1, sizeof *slice);
    if (!slice) return BYRE_ENOMEM;
    int error = byre__runs_init(&slice->runs, bytes / page_bytes);
    if (error) {
        free(slice);
        return error;
    }
    slice->base = (uintptr_t)base;
    slice->bytes = bytes;
    slice->page_bytes = page_bytes;
    pthread_mutex_init(&slice->lock, NULL);
    for (unsigned i = 0; i < CLASSES; i++) slice->classes[i] = make_class(i, page_bytes);
    *slice_out = slice;
    return BYRE_OK;
}

void byre__slice_destroy(byre__slice_t *slice)
{
    if (!slice) return;
    byre__runs_fini(&slice->runs);
    pthread_mutex_destroy(&slice->lock);
    free(slice);
}

void *byre__slice_take(byre__slice_t *slice, size_t bytes)
{
    if (bytes > slice->bytes) return NULL;
    lock(slice);
    uintptr_t block = bytes <= BYRE__SLICE_SMALL_MAX ? take_small(slice, class_of(bytes))
                                                     : take_large(slice, bytes);
    if (block) slice->blocks++;
    unlock(slice);
    return (void *)block;
}

int byre__slice_give(byre__slice_t *slice, const void *block)
{
    size_t offset = (uintptr_t)block - slice->base;
    bool given = false;

    if (offset >= slice->bytes) return BYRE_EINVAL;
    lock(slice);
    byre__run_t *run = byre__runs_at(&slice->runs, offset / slice->page_bytes);
    if (run && run->use == BYRE__RUN_SLAB)
        given = give_small(slice, run, offset - run->first * slice->page_bytes);
    else if (run && run->use == BYRE__RUN_LARGE)
        given = give_large(slice, run, offset - run->first * slice->page_bytes);
    if (given) slice->blocks--;
    unlock(slice);
    return given ? BYRE_OK : BYRE_EINVAL;
}

void byre__slice_stats(byre__slice_t *slice, byre__slice_stats_t *stats_out)
{
    lock(slice);
    *stats_out = (byre__slice_stats_t){ .blocks = slice->blocks,
                                        .bytes = slice->taken_bytes,
                                        .pages = slice->runs.pages_taken,
                                        .free_runs = slice->runs.free_runs };
    unlock(slice);
}

bool byre__slice_sound(byre__slice_t *slice)
{
    lock(slice);
    bool sound = byre__runs_sound(&slice->runs);
    unlock(slice);
    return sound;
}
