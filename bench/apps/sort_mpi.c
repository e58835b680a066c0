/* SPDX-License-Identifier: BSD-3-Clause */
/* Radix sort with messages. A run is in the order of the places, so what one rank takes of it is one
 * stretch: each pass is one exchange of all with all. */
#include "sort.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    struct span part;
    uint32_t *keys, *run, *in; /* own part, sorted by one digit, and what the others send */
    sort_counts *counts;       /* [ranks] */
    int *send_counts, *send_starts, *in_counts, *in_starts;
    size_t *filled; /* [ranks] how much of it is in its place */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    size_t ranks = (size_t)job->ranks;

    run->job = job;
    run->part = span_of(job->n, job->rank, job->ranks);
    run->keys = app_memory(span_length(run->part) * sizeof *run->keys);
    run->run = app_memory(span_length(run->part) * sizeof *run->run);
    run->in = app_memory(span_length(run->part) * sizeof *run->in);
    run->counts = app_memory(ranks * sizeof *run->counts);
    run->send_counts = app_memory(ranks * sizeof(int));
    run->send_starts = app_memory(ranks * sizeof(int));
    run->in_counts = app_memory(ranks * sizeof(int));
    run->in_starts = app_memory(ranks * sizeof(int));
    run->filled = app_memory(ranks * sizeof(size_t));
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->part.first; i < run->part.end; i++)
        run->keys[i - run->part.first] = sort_key(i);
}

/* How much comes from whom, and how much goes to whom. */
struct tally {
    int *counts;
    int only, as; /* if only >= 0: count this rank's keys, as rank `as` */
};

static void add_length(void *arg, int rank, size_t begin, size_t length, size_t place)
{
    struct tally *tally = arg;
    (void)begin;
    (void)place;
    if (tally->only < 0)
        tally->counts[rank] += (int)length;
    else if (tally->only == rank)
        tally->counts[tally->as] += (int)length;
}

static void sum_up(const int *counts, int *starts_out, int ranks)
{
    int sum = 0;
    for (int rank = 0; rank < ranks; rank++) {
        starts_out[rank] = sum;
        sum += counts[rank];
    }
}

static void plan(struct run *run)
{
    int ranks = run->job->ranks, me = run->job->rank;

    memset(run->send_counts, 0, (size_t)ranks * sizeof(int));
    memset(run->in_counts, 0, (size_t)ranks * sizeof(int));
    sort_pieces(run->counts, ranks, run->part, add_length,
                &(struct tally){ run->in_counts, -1, 0 });
    for (int rank = 0; rank < ranks; rank++)
        sort_pieces(run->counts, ranks, span_of(run->job->n, rank, ranks), add_length,
                    &(struct tally){ run->send_counts, me, rank });
    sum_up(run->send_counts, run->send_starts, ranks);
    sum_up(run->in_counts, run->in_starts, ranks);
}

/* The pieces of a rank come in the order in which they lie in what it sent. */
static void take(void *arg, int rank, size_t begin, size_t length, size_t place)
{
    struct run *run = arg;
    const uint32_t *from = run->in + run->in_starts[rank] + run->filled[rank];
    (void)begin;
    memcpy(run->keys + (place - run->part.first), from, length * sizeof *from);
    run->filled[rank] += length;
}

static void sort(void *arg)
{
    struct run *run = arg;
    int ranks = run->job->ranks, me = run->job->rank;

    for (int pass = 0; pass < SORT_PASSES; pass++) {
        sort_make_run(run->keys, run->run, span_length(run->part), pass, run->counts[me]);
        MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, run->counts, SORT_DIGITS, MPI_UNSIGNED,
                      run->job->comm);
        plan(run);
        MPI_Alltoallv(run->run, run->send_counts, run->send_starts, MPI_UINT32_T, run->in,
                      run->in_counts, run->in_starts, MPI_UINT32_T, run->job->comm);
        memset(run->filled, 0, (size_t)ranks * sizeof *run->filled);
        sort_pieces(run->counts, ranks, run->part, take, run);
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    collect_spans(run->job, run->keys, run->job->n, sizeof *run->keys, answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    free(run->keys);
    free(run->run);
    free(run->in);
    free(run->counts);
    free(run->send_counts);
    free(run->send_starts);
    free(run->in_counts);
    free(run->in_starts);
    free(run->filled);
    free(run);
}

const struct version sort_mpi = { create, load, sort, collect, destroy };
