/* SPDX-License-Identifier: BSD-3-Clause */
/* FFT in shared memory: to transpose is to read the columns of one matrix and to write own rows of
 * another. What a rank reads of a row is one piece; units are no longer than that, so that nobody fetches
 * what others need. */
#include "fft.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t n, count; /* own rows */
    struct span rows;
    struct complex *a, *b; /* shared */
    struct complex *roots;
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    size_t bytes = job->n * job->n * sizeof(struct complex);
    byre_dsm_attr_t attr = { .home = BYRE_DSM_HOME_BLOCK };

    run->job = job;
    run->n = job->n;
    run->rows = span_of(job->n, job->rank, job->ranks);
    run->count = span_length(run->rows);
    attr.unit_pages = unit_for(job->n / (size_t)job->ranks * sizeof(struct complex));
    attr.name = "fft.a";
    run->a = app_region(bytes, &attr);
    attr.name = "fft.b";
    run->b = app_region(bytes, &attr);
    run->roots = fft_roots(run->n);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->rows.first * run->n; i < run->rows.end * run->n; i++) {
        run->a[i] = fft_element(i);
        run->b[i] = (struct complex){ 0, 0 };
    }
}

/* Own rows of `to`, from all; each begins with another rank's, so that nobody is asked by all at once. */
static void transpose(const struct run *run, const struct complex *from, struct complex *to)
{
    int ranks = run->job->ranks;
    for (int step = 0; step < ranks; step++) {
        struct span theirs = span_of(run->n, (run->job->rank + step) % ranks, ranks);
        fft_transpose(from + theirs.first * run->n + run->rows.first, run->n,
                      to + run->rows.first * run->n + theirs.first, run->n, run->count,
                      span_length(theirs));
    }
}

static void transform(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->n;

    fft_rows(run->a + first, run->count, run->n, run->roots);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    transpose(run, run->a, run->b);
    fft_rows(run->b + first, run->count, run->n, run->roots);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    transpose(run, run->b, run->a);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) memcpy(answer_out, run->a, run->n * run->n * sizeof *run->a);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->a);
    app_region_free(run->b);
    free(run->roots);
    free(run);
}

const struct version fft_dsm = { create, load, transform, collect, destroy };
