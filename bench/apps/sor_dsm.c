/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR in shared memory: the picture lies there once, rows share no page, and who relaxes a row at the edge
 * of its part just reads the neighbour's. A barrier separates the colours. */
#include "sor.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t width, height, stride; /* in floats */
    struct span rows;             /* own */
    float *f, *u;                 /* shared */
    struct sor_plan plan;
};

static void write_picture(const struct run *run, const struct picture *picture)
{
    for (size_t row = 0; row < run->height; row++)
        memcpy(run->f + row * run->stride, picture->pixels + row * run->width,
               run->width * sizeof(float));
}

static void *create(const struct job *job)
{
    const struct picture *picture = job->problem;
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->width = picture->width;
    run->height = picture->height;
    run->stride = whole_pages(run->width * sizeof(float)) / sizeof(float);
    run->rows = span_of(run->height, job->rank, job->ranks);
    size_t bytes = run->height * run->stride * sizeof(float);
    run->f =
        app_region(bytes, &(byre_dsm_attr_t){ .protocol = BYRE_DSM_CONSTANT, .name = "sor.f" });
    run->u = app_region(bytes, &(byre_dsm_attr_t){ .home = BYRE_DSM_HOME_BLOCK, .name = "sor.u" });
    if (job->rank == 0) write_picture(run, picture);
    check_byre("byre_dsm_publish", byre_dsm_publish(run->f));
    sor_plan_init(&run->plan, run->width, run->height, run->rows,
                  run->f + run->rows.first * run->stride, run->stride);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    size_t first = run->rows.first * run->stride;
    memcpy(run->u + first, run->f + first, span_length(run->rows) * run->stride * sizeof(float));
}

static void run_sweeps(void *arg)
{
    struct run *run = arg;
    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        for (unsigned colour = 0; colour < 2; colour++) {
            sor_relax(&run->plan, run->u + run->rows.first * run->stride, run->stride, colour);
            check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
        }
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    float *out = answer_out;
    for (size_t row = 0; out && row < run->height; row++)
        memcpy(out + row * run->width, run->u + row * run->stride, run->width * sizeof(float));
}

static void destroy(void *arg)
{
    struct run *run = arg;
    sor_plan_fini(&run->plan);
    app_region_free(run->f);
    app_region_free(run->u);
    free(run);
}

const struct version sor_dsm = { create, load, run_sweeps, collect, destroy };
