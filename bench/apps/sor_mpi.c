/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR with messages: each rank has its rows, and a copy of the row above them and of the row below,
 * which its neighbours send after every half sweep. */
#include "sor.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t width, height;
    struct span rows;
    int above, below; /* neighbours, or MPI_PROC_NULL */
    float *f, *u;     /* [1 + rows + 1][width] */
    struct sor_plan plan;
};

/* Send the first and the last row, get those beyond. */
static void exchange(const struct run *run, float *rows)
{
    int width = (int)run->width;
    float *first = rows + run->width, *last = rows + span_length(run->rows) * run->width;

    MPI_Sendrecv(first, width, MPI_FLOAT, run->above, 0, last + run->width, width, MPI_FLOAT,
                 run->below, 0, run->job->comm, MPI_STATUS_IGNORE);
    MPI_Sendrecv(last, width, MPI_FLOAT, run->below, 1, rows, width, MPI_FLOAT, run->above, 1,
                 run->job->comm, MPI_STATUS_IGNORE);
}

/* Rank 0 hands the picture out. */
static void scatter(struct run *run)
{
    const struct job *job = run->job;
    const struct picture *picture = job->problem;
    struct layout layout = layout_create(run->height, run->width, job->ranks);

    check_mpi("MPI_Scatterv",
              MPI_Scatterv(picture->pixels, layout.counts, layout.starts, MPI_FLOAT,
                           run->f + run->width, layout.counts[job->rank], MPI_FLOAT, 0, job->comm));
    layout_destroy(&layout);
    exchange(run, run->f);
}

static void *create(const struct job *job)
{
    const struct picture *picture = job->problem;
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->width = picture->width;
    run->height = picture->height;
    run->rows = span_of(run->height, job->rank, job->ranks);
    run->above = job->rank > 0 ? job->rank - 1 : MPI_PROC_NULL;
    run->below = job->rank < job->ranks - 1 ? job->rank + 1 : MPI_PROC_NULL;
    size_t bytes = (span_length(run->rows) + 2) * run->width * sizeof(float);
    run->f = app_memory(bytes);
    run->u = app_memory(bytes);
    scatter(run);
    sor_plan_init(&run->plan, run->width, run->height, run->rows, run->f + run->width, run->width);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    memcpy(run->u, run->f, (span_length(run->rows) + 2) * run->width * sizeof(float));
}

static void run_sweeps(void *arg)
{
    struct run *run = arg;
    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        for (unsigned colour = 0; colour < 2; colour++) {
            sor_relax(&run->plan, run->u + run->width, run->width, colour);
            exchange(run, run->u);
        }
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    collect_spans(run->job, run->u + run->width, run->height, run->width * sizeof(float),
                  answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    sor_plan_fini(&run->plan);
    free(run->f);
    free(run->u);
    free(run);
}

const struct version sor_mpi = { create, load, run_sweeps, collect, destroy };
