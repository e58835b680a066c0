/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR with messages: each rank has its rows, and a copy of the row above them and of the row below,
 * which its neighbours send after every half sweep. */
#include "sor.h"

#include <stdlib.h>
#include <string.h>

struct run {
    const struct job *job;
    size_t width, height, half;
    struct span rows;
    int above, below; /* neighbours, or MPI_PROC_NULL */
    float *f;         /* [1 + rows + 1][width] */
    float *u[2];      /* [1 + rows + 1][half], by colour */
    struct sor_plan plan;
};

/* Send the first and the last row, get those beyond. */
static void exchange(const struct run *run, float *rows, size_t width)
{
    int count = (int)width;
    float *first = rows + width, *last = rows + span_length(run->rows) * width;

    MPI_Sendrecv(first, count, MPI_FLOAT, run->above, 0, last + width, count, MPI_FLOAT, run->below,
                 0, run->job->comm, MPI_STATUS_IGNORE);
    MPI_Sendrecv(last, count, MPI_FLOAT, run->below, 1, rows, count, MPI_FLOAT, run->above, 1,
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
    exchange(run, run->f, run->width);
}

static void *create(const struct job *job)
{
    const struct picture *picture = job->problem;
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->width = picture->width;
    run->height = picture->height;
    run->half = sor_half(run->width);
    run->rows = span_of(run->height, job->rank, job->ranks);
    run->above = job->rank > 0 ? job->rank - 1 : MPI_PROC_NULL;
    run->below = job->rank < job->ranks - 1 ? job->rank + 1 : MPI_PROC_NULL;
    size_t count = span_length(run->rows) + 2;
    run->f = app_memory(count * run->width * sizeof(float));
    run->u[0] = app_memory(count * run->half * sizeof(float));
    run->u[1] = app_memory(count * run->half * sizeof(float));
    scatter(run);
    sor_plan_init(&run->plan, run->width, run->height, run->rows, run->f + run->width, run->width);
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    float *own[2] = { run->u[0] + run->half, run->u[1] + run->half };
    sor_split(run->f + run->width, run->width, run->rows, own, run->half);
    exchange(run, run->u[0], run->half);
    exchange(run, run->u[1], run->half);
}

static void run_sweeps(void *arg)
{
    struct run *run = arg;
    float *own[2] = { run->u[0] + run->half, run->u[1] + run->half };

    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        for (unsigned colour = 0; colour < 2; colour++) {
            sor_relax(&run->plan, own, run->half, colour);
            exchange(run, run->u[colour], run->half);
        }
    }
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    float *own[2] = { run->u[0] + run->half, run->u[1] + run->half };
    float *rows = app_memory(span_length(run->rows) * run->width * sizeof *rows);

    sor_join(rows, run->width, run->rows, own, run->half);
    collect_spans(run->job, rows, run->height, run->width * sizeof *rows, answer_out);
    free(rows);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    sor_plan_fini(&run->plan);
    free(run->f);
    free(run->u[0]);
    free(run->u[1]);
    free(run);
}

const struct version sor_mpi = { create, load, run_sweeps, collect, destroy };
