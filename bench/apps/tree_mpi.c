/* SPDX-License-Identifier: BSD-3-Clause */
/* Trees with messages: every range of keys belongs to a rank, which builds its tree; all send the keys that
 * they have to where these belong. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    struct span part, ranges; /* of the keys at the beginning; of the ranges */
    uint32_t *keys, *grouped;
    struct node *roots[TREE_RANGES]; /* those of own ranges are used */
    struct node *nodes;              /* of all own trees */
    size_t entries;                  /* in own trees */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->part = span_of(job->n, job->rank, job->ranks);
    run->ranges = span_of(TREE_RANGES, job->rank, job->ranks);
    run->keys = app_memory(span_length(run->part) * sizeof *run->keys);
    run->grouped = app_memory(span_length(run->part) * sizeof *run->grouped);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    free(run->nodes);
    run->nodes = NULL;
    memset(run->roots, 0, sizeof run->roots);
    for (size_t i = run->part.first; i < run->part.end; i++)
        run->keys[i - run->part.first] = tree_key(i);
}

/* All send all their keys; returns those that came, and how many. The caller frees them. */
static uint32_t *exchange(struct run *run, const size_t *starts, int *total_out)
{
    int ranks = run->job->ranks;
    struct layout out = layout_create(0, 0, ranks), in = layout_create(0, 0, ranks);

    for (int rank = 0; rank < ranks; rank++) {
        struct span theirs = span_of(TREE_RANGES, rank, ranks);
        out.starts[rank] = (int)starts[theirs.first];
        out.counts[rank] = (int)(starts[theirs.end] - starts[theirs.first]);
    }
    MPI_Alltoall(out.counts, 1, MPI_INT, in.counts, 1, MPI_INT, run->job->comm);
    *total_out = 0;
    for (int rank = 0; rank < ranks; rank++) {
        in.starts[rank] = *total_out;
        *total_out += in.counts[rank];
    }
    uint32_t *keys = malloc(((size_t)*total_out + 1) * sizeof *keys);
    if (!keys) bench_die("tree", "out of memory");
    MPI_Alltoallv(run->grouped, out.counts, out.starts, MPI_UINT32_T, keys, in.counts, in.starts,
                  MPI_UINT32_T, run->job->comm);
    layout_destroy(&out);
    layout_destroy(&in);
    return keys;
}

static void build(void *arg)
{
    struct run *run = arg;
    size_t starts[TREE_RANGES + 1];
    int total;

    tree_group(run->keys, span_length(run->part), run->grouped, starts);
    uint32_t *keys = exchange(run, starts, &total);
    struct node *spare = run->nodes = malloc(((size_t)total + 1) * sizeof *spare);
    if (!spare) bench_die("tree", "out of memory");
    for (int i = 0; i < total; i++) tree_insert(&run->roots[tree_range(keys[i])], keys[i], &spare);
    free(keys);
    run->entries = 0;
    for (size_t range = run->ranges.first; range < run->ranges.end; range++)
        run->entries += tree_size(run->roots[range]);
}

/* As many entries as there are, which is known after the run only; in the order of the ranks. */
static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    int ranks = run->job->ranks, own = (int)(run->entries * 2);
    struct layout in = layout_create(0, 0, ranks);
    struct tree_entry *entries = app_memory(run->entries * sizeof *entries), *end = entries;

    for (size_t range = run->ranges.first; range < run->ranges.end; range++)
        end = tree_walk(run->roots[range], end);
    MPI_Gather(&own, 1, MPI_INT, in.counts, 1, MPI_INT, 0, run->job->comm);
    for (int rank = 1; rank < ranks; rank++)
        in.starts[rank] = in.starts[rank - 1] + in.counts[rank - 1];
    MPI_Gatherv(entries, own, MPI_UINT32_T, answer_out, in.counts, in.starts, MPI_UINT32_T, 0,
                run->job->comm);
    layout_destroy(&in);
    free(entries);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    free(run->nodes);
    free(run->keys);
    free(run->grouped);
    free(run);
}

const struct version tree_mpi = { create, load, build, collect, destroy };
