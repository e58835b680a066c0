/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR in shared memory: the picture lies there once, rows share no page, and who relaxes a row at the edge
 * of its part just reads the neighbour's. A barrier separates the colours. */
#include "sor.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t width, height;
    struct span rows; /* own */
    float *f;         /* shared: the picture that was given */
    float *u[2];      /* shared: red and black cells */
    size_t stride;    /* of u, in floats */
    struct sor_plan plan;
};

/* Several rows share a page if they are one rank's, whatever page it is: padded to a page, all would lie at
 * the same place of theirs, where the caches have few places for them. */
static size_t stride_of(const struct run *run, int ranks)
{
    size_t page = page_bytes() / sizeof(float), half = sor_half(run->width);
    size_t rows = 1, stride = whole_pages(half * sizeof(float)) / sizeof(float);

    while (page / (2 * rows) >= half) rows *= 2; /* in a page */
    for (int rank = 1; rank < ranks; rank++)
        while (span_of(run->height, rank, ranks).first % rows != 0) rows /= 2;
    return rows > 1 ? page / rows : stride;
}

static void *create(const struct job *job)
{
    const struct picture *picture = job->problem;
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->width = picture->width;
    run->height = picture->height;
    run->rows = span_of(run->height, job->rank, job->ranks);
    run->stride = stride_of(run, job->ranks);
    size_t bytes = run->height * run->width * sizeof(float);
    size_t half_bytes = run->height * run->stride * sizeof(float);
    byre_dsm_attr_t once = { .protocol = BYRE_DSM_CONSTANT, .name = "sor.given" };
    byre_dsm_attr_t red = { .home = BYRE_DSM_HOME_BLOCK, .name = "sor.red" };
    byre_dsm_attr_t black = { .home = BYRE_DSM_HOME_BLOCK, .name = "sor.black" };
    run->f = app_region(bytes, &once);
    run->u[0] = app_region(half_bytes, &red);
    run->u[1] = app_region(half_bytes, &black);
    if (job->rank == 0) memcpy(run->f, picture->pixels, bytes);
    check_byre("byre_dsm_publish", byre_dsm_publish(run->f));
    sor_plan_init(&run->plan, run->width, run->height, run->rows,
                  run->f + run->rows.first * run->width, run->width);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->stride;
    float *own[2] = { run->u[0] + first, run->u[1] + first };
    sor_split(run->f + run->rows.first * run->width, run->width, run->rows, own, run->stride);
}

/* The neighbour's row, to read, and the own one beside it, of which the neighbour has a copy, to write. */
static void fetch(const struct run *run, unsigned colour, size_t theirs, size_t own)
{
    size_t bytes = run->stride * sizeof(float);
    const float *beyond = run->u[!colour] + theirs * run->stride;
    check_byre("byre_dsm_prefetch", byre_dsm_prefetch(beyond, bytes, 0));
    check_byre("byre_dsm_prefetch",
               byre_dsm_prefetch(run->u[colour] + own * run->stride, bytes, 1));
}

/* The rows at the edges first: just after a barrier the neighbours are at theirs as well, and whoever waits
 * for a page gives others what they wait for, at once. Later they compute, and would have to be woken. */
static void half_sweep(const struct run *run, float *const own[2], unsigned colour)
{
    struct span inner = { 0, span_length(run->rows) };

    if (run->rows.first > 0) fetch(run, colour, run->rows.first - 1, run->rows.first);
    if (run->rows.end < run->height) fetch(run, colour, run->rows.end, run->rows.end - 1);
    if (run->rows.first > 0 && inner.first < inner.end) {
        sor_relax_rows(&run->plan, own, run->stride, colour, (struct span){ 0, 1 });
        inner.first++;
    }
    if (run->rows.end < run->height && inner.first < inner.end) {
        inner.end--;
        sor_relax_rows(&run->plan, own, run->stride, colour,
                       (struct span){ inner.end, inner.end + 1 });
    }
    sor_relax_rows(&run->plan, own, run->stride, colour, inner);
}

static void run_sweeps(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->stride;
    float *own[2] = { run->u[0] + first, run->u[1] + first };

    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        for (unsigned colour = 0; colour < 2; colour++) {
            half_sweep(run, own, colour);
            check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
        }
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    struct span all = { 0, run->height };
    if (answer_out) sor_join(answer_out, run->width, all, run->u, run->stride);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    sor_plan_fini(&run->plan);
    app_region_free(run->f);
    app_region_free(run->u[0]);
    app_region_free(run->u[1]);
    free(run);
}

const struct version sor_dsm = { create, load, run_sweeps, collect, destroy };
