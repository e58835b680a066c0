/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix multiply in shared memory: the three matrices lie there; who computes rows of C reads what it
 * needs. */
#include "matmul.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t n;
    struct span rows;  /* own */
    double *a, *b, *c; /* shared */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    size_t bytes = job->n * job->n * sizeof(double);

    run->job = job;
    run->n = job->n;
    run->rows = span_of(job->n, job->rank, job->ranks);
    run->a =
        app_region(bytes, &(byre_dsm_attr_t){ .home = BYRE_DSM_HOME_BLOCK, .name = "matmul.a" });
    run->b =
        app_region(bytes, &(byre_dsm_attr_t){ .home = BYRE_DSM_HOME_BLOCK, .name = "matmul.b" });
    run->c =
        app_region(bytes, &(byre_dsm_attr_t){ .home = BYRE_DSM_HOME_BLOCK, .name = "matmul.c" });
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->rows.first * run->n; i < run->rows.end * run->n; i++) {
        run->a[i] = matmul_element(0, i);
        run->b[i] = matmul_element(1, i);
        run->c[i] = 0;
    }
}

static void multiply(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->n;

    matmul_rows(run->a + first, run->b, run->c + first, span_length(run->rows), run->n);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) memcpy(answer_out, run->c, run->n * run->n * sizeof(double));
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->a);
    app_region_free(run->b);
    app_region_free(run->c);
    free(run);
}

const struct version matmul_dsm = { create, load, multiply, collect, destroy };
