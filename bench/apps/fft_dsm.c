/* SPDX-License-Identifier: BSD-3-Clause */
/* FFT in shared memory. To transpose, a rank turns the part of its rows that will be rows of another rank
 * into that one's order, in one piece, and the other takes it from there. Reading the columns straight out
 * of the rows would be shorter, but of each row one rank needs a little only, and units had to be as
 * small. */
#include "fft.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t n, count; /* own rows */
    struct span rows;
    struct complex *x;      /* shared: the matrix */
    struct complex *pieces; /* shared: for each rank its rows, turned; see piece() */
    struct complex *roots;
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    size_t bytes = job->n * job->n * sizeof(struct complex), ranks = (size_t)job->ranks;
    unsigned unit_pages = unit_for(bytes / ranks / ranks);
    byre_dsm_attr_t x = { .home = BYRE_DSM_HOME_BLOCK, .unit_pages = unit_pages, .name = "fft.x" };
    byre_dsm_attr_t pieces = { .home = BYRE_DSM_HOME_BLOCK,
                               .unit_pages = unit_pages,
                               .name = "fft.pieces" };

    run->job = job;
    run->n = job->n;
    run->rows = span_of(job->n, job->rank, job->ranks);
    run->count = span_length(run->rows);
    run->x = app_region(bytes, &x);
    run->pieces = app_region(bytes, &pieces);
    run->roots = fft_roots(run->n);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->rows.first * run->n; i < run->rows.end * run->n; i++) {
        run->x[i] = fft_element(i);
        run->pieces[i] = (struct complex){ 0, 0 };
    }
}

/* What `from` has for `to`. */
static struct complex *piece(const struct run *run, struct span from, struct span to)
{
    return run->pieces + from.first * run->n + to.first * span_length(from);
}

static void take(const struct run *run, struct span theirs)
{
    size_t length = span_length(theirs);
    const struct complex *from = piece(run, theirs, run->rows);
    struct complex *to = run->x + run->rows.first * run->n + theirs.first;
    for (size_t row = 0; row < run->count; row++)
        memcpy(to + row * run->n, from + row * length, length * sizeof *from);
}

/* Each takes from another rank first, so that nobody is asked by all at once. */
static void transpose(const struct run *run)
{
    int ranks = run->job->ranks;
    const struct complex *own = run->x + run->rows.first * run->n;

    for (int rank = 0; rank < ranks; rank++) {
        struct span theirs = span_of(run->n, rank, ranks);
        fft_transpose(own + theirs.first, run->n, piece(run, run->rows, theirs), run->count,
                      span_length(theirs), run->count);
    }
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    for (int step = 0; step < ranks; step++)
        take(run, span_of(run->n, (run->job->rank + step) % ranks, ranks));
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void transform(void *arg)
{
    struct run *run = arg;
    for (int dimension = 0; dimension < 2; dimension++) {
        fft_rows(run->x + run->rows.first * run->n, run->count, run->n, run->roots);
        transpose(run);
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) memcpy(answer_out, run->x, run->n * run->n * sizeof *run->x);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->x);
    app_region_free(run->pieces);
    free(run->roots);
    free(run);
}

const struct version fft_dsm = { create, load, transform, collect, destroy };
