/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs of pages, all written down elsewhere: the pages themselves may be on another rank.
 *
 * Invariants
 *  R1  The runs, free and taken, cover the slice without gap or overlap, and no two free ones are
 *      neighbours.
 *  R2  The map names each run at its first and at its last page, a slab at all of its pages, and is NULL
 *      everywhere else. So the neighbours of a run are found in one step, and a pointer to the inside
 *      of a large block is seen to be none of ours.
 *  R3  Giving a run back needs no memory: what its end needs was there since its beginning.
 *  R4  A free run is in the tree of free ones. A run does not change while it is in a tree.
 *
 * The trees are treaps (Aragon and Seidel 1989) whose priorities are hashes of the addresses: balanced
 * whatever the order in which runs come, and short to write.
 */
#include "heap_runs.h"

#include <byre_errors.h>
#include <stdlib.h>

/* ---- trees ------------------------------------------------------------------------------------- */

static uint64_t priority(const byre__run_t *run)
{
    uint64_t x = run->first * 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static bool is_before(const byre__run_t *a, const byre__run_t *b)
{
    return a->pages != b->pages ? a->pages < b->pages : a->first < b->first;
}

void byre__tree_insert(byre__run_t **root, byre__run_t *run)
{
    byre__run_t **at = root, **left = &run->left, **right = &run->right;

    while (*at && priority(*at) >= priority(run))
        at = is_before(*at, run) ? &(*at)->right : &(*at)->left;
    byre__run_t *below = *at;
    *at = run;
    while (below) { /* split it into what is before the run and what is behind */
        if (is_before(below, run)) {
            *left = below;
            left = &below->right;
            below = *left;
        } else {
            *right = below;
            right = &below->left;
            below = *right;
        }
    }
    *left = *right = NULL;
}

void byre__tree_remove(byre__run_t **root, const byre__run_t *run)
{
    byre__run_t **at = root, *a = run->left, *b = run->right;

    while (*at != run) at = is_before(*at, run) ? &(*at)->right : &(*at)->left;
    while (a && b) {
        if (priority(a) > priority(b)) {
            *at = a;
            at = &a->right;
            a = *at;
        } else {
            *at = b;
            at = &b->left;
            b = *at;
        }
    }
    *at = a ? a : b;
}

byre__run_t *byre__tree_lowest(byre__run_t *root)
{
    while (root && root->left) root = root->left;
    return root;
}

static byre__run_t *best_fit(byre__run_t *root, size_t pages)
{
    byre__run_t *best = NULL;

    while (root) {
        if (root->pages >= pages) best = root;
        root = root->pages >= pages ? root->left : root->right;
    }
    return best;
}

/* ---- the map: R2 ------------------------------------------------------------------------------- */

static size_t last_of(const byre__run_t *run)
{
    return run->first + run->pages - 1;
}

static bool have_leaf(byre__runs_t *runs, size_t page)
{
    byre__run_t ***leaf = &runs->map[page / BYRE__RUNS_LEAF_PAGES];

    if (!*leaf) *leaf = calloc(BYRE__RUNS_LEAF_PAGES, sizeof **leaf);
    return *leaf;
}

static void map(const byre__runs_t *runs, size_t page, byre__run_t *run)
{
    runs->map[page / BYRE__RUNS_LEAF_PAGES][page % BYRE__RUNS_LEAF_PAGES] = run;
}

static void map_ends(const byre__runs_t *runs, byre__run_t *run)
{
    map(runs, run->first, run);
    map(runs, last_of(run), run);
}

byre__run_t *byre__runs_at(const byre__runs_t *runs, size_t page)
{
    byre__run_t **leaf = runs->map[page / BYRE__RUNS_LEAF_PAGES];

    return leaf ? leaf[page % BYRE__RUNS_LEAF_PAGES] : NULL;
}

void byre__runs_make_slab(const byre__runs_t *runs, byre__run_t *run)
{
    run->use = BYRE__RUN_SLAB;
    for (size_t i = run->first; i <= last_of(run); i++) map(runs, i, run);
}

/* ---- take and give ----------------------------------------------------------------------------- */

static void set_free(byre__runs_t *runs, byre__run_t *run)
{
    run->use = BYRE__RUN_FREE;
    map_ends(runs, run);
    byre__tree_insert(&runs->free, run);
    runs->free_runs++;
}

static void unset_free(byre__runs_t *runs, const byre__run_t *run)
{
    byre__tree_remove(&runs->free, run);
    runs->free_runs--;
}

static void free_map(byre__runs_t *runs)
{
    for (size_t i = 0; runs->map && i <= runs->pages / BYRE__RUNS_LEAF_PAGES; i++)
        free((void *)runs->map[i]);
    free((void *)runs->map);
}

int byre__runs_init(byre__runs_t *runs, size_t pages)
{
    byre__run_t *all = calloc(1, sizeof *all);

    *runs = (byre__runs_t){ .pages = pages };
    runs->map = calloc(pages / BYRE__RUNS_LEAF_PAGES + 1, sizeof *runs->map);
    if (!all || !runs->map || !have_leaf(runs, 0) || !have_leaf(runs, pages - 1)) {
        free(all);
        free_map(runs);
        return BYRE_ENOMEM;
    }
    all->pages = pages;
    set_free(runs, all);
    return BYRE_OK;
}

void byre__runs_fini(byre__runs_t *runs)
{
    for (size_t page = 0; page < runs->pages;) { /* R1 */
        byre__run_t *run = byre__runs_at(runs, page);
        page += run->pages;
        free(run->marks);
        free(run);
    }
    free_map(runs);
}

/* Cut a free run: it keeps so many pages and is free no more, the rest is a run of its own. */
static bool cut(byre__runs_t *runs, byre__run_t *run, size_t pages)
{
    size_t behind = run->first + pages;
    byre__run_t *rest = calloc(1, sizeof *rest);

    if (!rest || !have_leaf(runs, behind - 1) || !have_leaf(runs, behind)) {
        free(rest);
        return false;
    }
    unset_free(runs, run);
    rest->first = behind;
    rest->pages = run->pages - pages;
    run->pages = pages;
    map_ends(runs, run);
    set_free(runs, rest);
    return true;
}

byre__run_t *byre__runs_take(byre__runs_t *runs, size_t pages)
{
    byre__run_t *run = best_fit(runs->free, pages);

    if (!run) return NULL;
    if (run->pages == pages)
        unset_free(runs, run);
    else if (!cut(runs, run, pages))
        return NULL;
    run->use = BYRE__RUN_LARGE;
    runs->pages_taken += pages;
    return run;
}

/* `high` is behind `low`, and neither is in a tree. */
static void absorb(const byre__runs_t *runs, byre__run_t *low, byre__run_t *high)
{
    map(runs, last_of(low), NULL);
    map(runs, high->first, NULL);
    low->pages += high->pages;
    free(high);
}

void byre__runs_give(byre__runs_t *runs, byre__run_t *run)
{
    size_t before = run->first, behind = last_of(run) + 1;
    byre__run_t *low = before > 0 ? byre__runs_at(runs, before - 1) : NULL;
    byre__run_t *high = behind < runs->pages ? byre__runs_at(runs, behind) : NULL;

    runs->pages_taken -= run->pages;
    if (run->use == BYRE__RUN_SLAB)
        for (size_t i = before; i < behind; i++) map(runs, i, NULL);
    free(run->marks);
    run->marks = NULL;
    if (low && low->use == BYRE__RUN_FREE) {
        unset_free(runs, low);
        absorb(runs, low, run);
        run = low;
    }
    if (high && high->use == BYRE__RUN_FREE) {
        unset_free(runs, high);
        absorb(runs, run, high);
    }
    set_free(runs, run);
}

/* ---- for tests --------------------------------------------------------------------------------- */

static bool sound_run(const byre__runs_t *runs, const byre__run_t *run, size_t page)
{
    if (run->first != page || run->pages == 0 || run->pages > runs->pages - page) return false;
    for (size_t i = page; i <= last_of(run); i++) {
        bool named = i == page || i == last_of(run) || run->use == BYRE__RUN_SLAB;
        if (!named && !runs->map[i / BYRE__RUNS_LEAF_PAGES])
            i += BYRE__RUNS_LEAF_PAGES - 1 - i % BYRE__RUNS_LEAF_PAGES;
        else if (byre__runs_at(runs, i) != (named ? run : NULL))
            return false;
    }
    return true;
}

bool byre__runs_sound(const byre__runs_t *runs)
{
    size_t free_runs = 0, taken = 0;
    bool free_before = false;

    for (size_t page = 0; page < runs->pages;) {
        const byre__run_t *run = byre__runs_at(runs, page);
        if (!run || !sound_run(runs, run, page)) return false;
        bool is_free = run->use == BYRE__RUN_FREE;
        if (is_free && free_before) return false;
        free_runs += is_free;
        if (!is_free) taken += run->pages;
        free_before = is_free;
        page += run->pages;
    }
    return free_runs == runs->free_runs && taken == runs->pages_taken;
}
