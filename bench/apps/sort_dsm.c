/* SPDX-License-Identifier: BSD-3-Clause */
/* Radix sort in shared memory: keys, runs and counts lie there; each rank writes its own parts, and takes
 * pieces from the runs of the others. Scattering keys straight to their places would be shorter, and is
 * what shared memory by pages is worst at: all would write to the same pages at the same time. What a rank
 * takes of a run is one stretch, about as long from each: units may be as long, but not longer. */
#include "sort.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    struct span part;      /* own */
    uint32_t *keys, *runs; /* shared; rank r's run lies where its keys do */
    char *counts;          /* shared; each rank's at the beginning of a page of its own */
    sort_counts *all;      /* a copy of all counts */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    size_t bytes = job->n * sizeof(uint32_t), ranks = (size_t)job->ranks;
    unsigned unit_pages = unit_for(bytes / ranks / ranks);
    byre_dsm_attr_t keys = { .home = BYRE_DSM_HOME_BLOCK,
                             .unit_pages = unit_pages,
                             .name = "sort.keys" };
    byre_dsm_attr_t runs = { .home = BYRE_DSM_HOME_BLOCK,
                             .unit_pages = unit_pages,
                             .name = "sort.runs" };
    byre_dsm_attr_t counts = { .home = BYRE_DSM_HOME_BLOCK, .name = "sort.counts" };

    run->job = job;
    run->part = span_of(job->n, job->rank, job->ranks);
    run->keys = app_region(bytes, &keys);
    run->runs = app_region(bytes, &runs);
    run->counts = app_region(ranks * page_bytes(), &counts);
    run->all = app_memory(ranks * sizeof *run->all);
    return run;
}

static unsigned *counts_of(const struct run *run, int rank)
{
    return (unsigned *)(run->counts + (size_t)rank * page_bytes());
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->part.first; i < run->part.end; i++) {
        run->keys[i] = sort_key(i);
        run->runs[i] = 0;
    }
}

/* What the last pass left for others to read is written again: their copies go all at once. */
static void fetch_own(const struct run *run)
{
    check_byre("byre_dsm_prefetch",
               byre_dsm_prefetch(run->runs + run->part.first,
                                 span_length(run->part) * sizeof *run->runs, 1));
    check_byre("byre_dsm_prefetch",
               byre_dsm_prefetch(counts_of(run, run->job->rank), sizeof(sort_counts), 1));
}

static void take_counts(const struct run *run)
{
    int ranks = run->job->ranks;
    check_byre("byre_dsm_prefetch",
               byre_dsm_prefetch(run->counts, (size_t)ranks * page_bytes(), 0));
    for (int rank = 0; rank < ranks; rank++)
        memcpy(run->all[rank], counts_of(run, rank), sizeof(sort_counts));
}

static void take(void *arg, int rank, size_t begin, size_t length, size_t place)
{
    struct run *run = arg;
    size_t from = span_of(run->job->n, rank, run->job->ranks).first + begin;
    memcpy(run->keys + place, run->runs + from, length * sizeof *run->keys);
}

static void sort(void *arg)
{
    struct run *run = arg;
    int ranks = run->job->ranks;

    for (int pass = 0; pass < SORT_PASSES; pass++) {
        fetch_own(run);
        sort_make_run(run->keys + run->part.first, run->runs + run->part.first,
                      span_length(run->part), pass, counts_of(run, run->job->rank));
        check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
        take_counts(run);
        sort_pieces(run->all, ranks, run->part, take, run);
        check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) memcpy(answer_out, run->keys, run->job->n * sizeof *run->keys);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->keys);
    app_region_free(run->runs);
    app_region_free(run->counts);
    free(run->all);
    free(run);
}

const struct version sort_dsm = { create, load, sort, collect, destroy };
