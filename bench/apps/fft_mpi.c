/* SPDX-License-Identifier: BSD-3-Clause */
/* FFT with messages. Rank r has some rows. To transpose, it turns the part of its rows that will be rows
 * of rank s into s's order, and sends it there; what comes is put in its place. */
#include "fft.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t n, count; /* own rows */
    struct span rows;
    struct complex *x, *out, *in; /* own rows, and the same many numbers on their way */
    struct complex *roots;
    struct layout sends, receives; /* in doubles */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->n = job->n;
    run->rows = span_of(job->n, job->rank, job->ranks);
    run->count = span_length(run->rows);
    run->x = app_memory(run->count * run->n * sizeof *run->x);
    run->out = app_memory(run->count * run->n * sizeof *run->out);
    run->in = app_memory(run->count * run->n * sizeof *run->in);
    run->roots = fft_roots(run->n);
    run->sends = layout_create(run->n, 2 * run->count, job->ranks);
    run->receives = layout_create(run->n, 2 * run->count, job->ranks);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = 0; i < run->count * run->n; i++)
        run->x[i] = fft_element(run->rows.first * run->n + i);
}

static void transpose(struct run *run)
{
    size_t n = run->n, count = run->count;

    for (int rank = 0; rank < run->job->ranks; rank++) {
        struct span theirs = span_of(n, rank, run->job->ranks);
        fft_transpose(run->x + theirs.first, n, run->out + theirs.first * count, count,
                      span_length(theirs), count);
    }
    MPI_Alltoallv(run->out, run->sends.counts, run->sends.starts, MPI_DOUBLE, run->in,
                  run->receives.counts, run->receives.starts, MPI_DOUBLE, run->job->comm);
    for (int rank = 0; rank < run->job->ranks; rank++) {
        struct span theirs = span_of(n, rank, run->job->ranks);
        size_t length = span_length(theirs);
        const struct complex *from = run->in + theirs.first * count;
        for (size_t row = 0; row < count; row++)
            memcpy(run->x + row * n + theirs.first, from + row * length, length * sizeof *from);
    }
}

static void transform(void *arg)
{
    struct run *run = arg;
    for (int dimension = 0; dimension < 2; dimension++) {
        fft_rows(run->x, run->count, run->n, run->roots);
        transpose(run);
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    collect_spans(run->job, run->x, run->n, run->n * sizeof *run->x, answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    layout_destroy(&run->sends);
    layout_destroy(&run->receives);
    free(run->x);
    free(run->out);
    free(run->in);
    free(run->roots);
    free(run);
}

const struct version fft_mpi = { create, load, transform, collect, destroy };
