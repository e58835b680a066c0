/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix multiply with messages: the matrices are spread by rows; every rank gets all of B and
 * multiplies. */
#include "matmul.h"

#include <stdlib.h>

struct run {
    const struct job *job;
    size_t n;
    struct span rows;
    double *a, *b, *c; /* own rows */
    double *whole_b;
    struct layout layout;
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->n = job->n;
    run->rows = span_of(job->n, job->rank, job->ranks);
    size_t bytes = span_length(run->rows) * run->n * sizeof(double);
    run->a = app_memory(bytes);
    run->b = app_memory(bytes);
    run->c = app_memory(bytes);
    run->whole_b = app_memory(run->n * run->n * sizeof(double));
    run->layout = layout_create(run->n, run->n, job->ranks);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->n, end = run->rows.end * run->n;
    for (size_t i = first; i < end; i++) {
        run->a[i - first] = matmul_element(0, i);
        run->b[i - first] = matmul_element(1, i);
    }
}

static void multiply(void *arg)
{
    struct run *run = arg;
    int own = run->layout.counts[run->job->rank];

    MPI_Allgatherv(run->b, own, MPI_DOUBLE, run->whole_b, run->layout.counts, run->layout.starts,
                   MPI_DOUBLE, run->job->comm);
    matmul_rows(run->a, run->whole_b, run->c, span_length(run->rows), run->n);
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    collect_spans(run->job, run->c, run->n, run->n * sizeof(double), answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    layout_destroy(&run->layout);
    free(run->a);
    free(run->b);
    free(run->c);
    free(run->whole_b);
    free(run);
}

const struct version matmul_mpi = { create, load, multiply, collect, destroy };
