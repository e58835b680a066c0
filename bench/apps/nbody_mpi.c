/* SPDX-License-Identifier: BSD-3-Clause */
/* n bodies with messages: every rank has all bodies; after each step all tell all where theirs are. */
#include "nbody.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    struct span span;
    struct body *bodies; /* all */
    struct velocity *velocities;
    struct layout layout; /* in doubles */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->span = span_of(job->n, job->rank, job->ranks);
    run->bodies = app_memory(job->n * sizeof *run->bodies);
    run->velocities = app_memory(span_length(run->span) * sizeof *run->velocities);
    run->layout = layout_create(job->n, sizeof(struct body) / sizeof(double), job->ranks);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    for (size_t i = 0; i < run->job->n; i++) run->bodies[i] = nbody_body(i, run->job->n);
    memset(run->velocities, 0, span_length(run->span) * sizeof *run->velocities);
}

static void simulate(void *arg)
{
    struct run *run = arg;
    for (int step = 0; step < NBODY_STEPS; step++) {
        nbody_accelerate(run->bodies, run->job->n, run->span, run->velocities);
        nbody_move(run->bodies + run->span.first, run->velocities, span_length(run->span));
        MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, run->bodies, run->layout.counts,
                       run->layout.starts, MPI_DOUBLE, run->job->comm);
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    collect_spans(run->job, run->bodies + run->span.first, run->job->n, sizeof *run->bodies,
                  answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    layout_destroy(&run->layout);
    free(run->bodies);
    free(run->velocities);
    free(run);
}

const struct version nbody_mpi = { create, load, simulate, collect, destroy };
