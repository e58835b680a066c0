/* SPDX-License-Identifier: BSD-3-Clause */
/* n bodies in shared memory: all read where the bodies are; then, after a barrier, each moves its own.
 * A rank's bodies are as much of one unit as can be: they go to the others in one piece. */
#include "nbody.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    struct span span;            /* own */
    struct body *bodies;         /* shared */
    struct velocity *velocities; /* of own bodies: nobody else asks for them */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->span = span_of(job->n, job->rank, job->ranks);
    byre_dsm_attr_t attr = { .home = BYRE_DSM_HOME_BLOCK,
                             .unit_pages =
                                 unit_for(job->n / (size_t)job->ranks * sizeof *run->bodies),
                             .name = "nbody.bodies" };
    run->bodies = app_region(job->n * sizeof *run->bodies, &attr);
    run->velocities = app_memory(span_length(run->span) * sizeof *run->velocities);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = run->span.first; i < run->span.end; i++)
        run->bodies[i] = nbody_body(i, run->job->n);
    memset(run->velocities, 0, span_length(run->span) * sizeof *run->velocities);
}

static void simulate(void *arg)
{
    struct run *run = arg;
    for (int step = 0; step < NBODY_STEPS; step++) {
        nbody_accelerate(run->bodies, run->job->n, run->span, run->velocities);
        check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
        nbody_move(run->bodies + run->span.first, run->velocities, span_length(run->span));
        check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) memcpy(answer_out, run->bodies, run->job->n * sizeof *run->bodies);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->bodies);
    free(run->velocities);
    free(run);
}

const struct version nbody_dsm = { create, load, simulate, collect, destroy };
