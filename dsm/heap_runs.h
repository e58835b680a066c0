/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of pages: which pages of a slice are taken, without touching them. Described in heap_runs.c. No
 * lock: the slice's. Pages are counted from 0. */
#ifndef BYRE__DSM_HEAP_RUNS_H
#define BYRE__DSM_HEAP_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum byre__run_use { BYRE__RUN_FREE, BYRE__RUN_LARGE, BYRE__RUN_SLAB } byre__run_use_t;

typedef struct byre__run {
    size_t first, pages;
    struct byre__run *left, *right; /* in the tree that it is in, if any */
    byre__run_use_t use;
    /* Of a slab: */
    unsigned kind;   /* its size class */
    unsigned taken;  /* blocks */
    uint64_t *marks; /* a bit for each block: taken; from calloc, freed with the run */
} byre__run_t;

typedef struct byre__runs {
    size_t pages;
    byre__run_t ***map; /* [page / leaf][page % leaf], leaves made at need */
    byre__run_t *free;  /* tree */
    size_t free_runs, pages_taken;
} byre__runs_t;

/* A run of at most so many pages can be mapped at each of them without more memory. */
#define BYRE__RUNS_LEAF_PAGES 2048

int byre__runs_init(byre__runs_t *runs, size_t pages); /* BYRE_ENOMEM */
void byre__runs_fini(byre__runs_t *runs);

/* The smallest free run that is long enough, of these the lowest, as BYRE__RUN_LARGE. NULL: there is
 * none, or no memory to write it down. */
byre__run_t *byre__runs_take(byre__runs_t *runs, size_t pages);
void byre__runs_give(byre__runs_t *runs, byre__run_t *run);

/* Let byre__runs_at find the run at each of its pages. */
void byre__runs_make_slab(const byre__runs_t *runs, byre__run_t *run);

/* The run whose first or last page this is, or any page of a slab; NULL within other runs. */
byre__run_t *byre__runs_at(const byre__runs_t *runs, size_t page);

/* Trees of runs, by length, then address; all slabs of a class are equally long. */
void byre__tree_insert(byre__run_t **root, byre__run_t *run);
void byre__tree_remove(byre__run_t **root, const byre__run_t *run);
byre__run_t *byre__tree_lowest(byre__run_t *root);

/* Tests: do R1 and R2 hold? */
bool byre__runs_sound(const byre__runs_t *runs);

#endif
