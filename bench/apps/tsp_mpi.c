/* SPDX-License-Identifier: BSD-3-Clause */
/* The travelling salesman with messages. Rank 0 has the queue; it searches as the others do, and hands out
 * jobs meanwhile. Who finds a shorter tour tells all. */
#include "tsp.h"

#include <stdlib.h>

enum { TAG_ASK, TAG_JOB, TAG_BEST };

struct run {
    const struct job *job;
    const struct tsp_map *map;
    struct tour *jobs; /* rank 0 */
    size_t job_count, jobs_taken;
    int asking;       /* rank 0: ranks that will still ask */
    struct tour best; /* the shortest tour found here; */
    int bound;        /* the shortest length found anywhere, as far as it is known here */
    int told, heard;  /* improvements sent, and received */
};

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    run->job = job;
    run->map = job->problem;
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    run->jobs_taken = 0;
    run->told = run->heard = 0;
    run->asking = run->job->ranks - 1;
    tsp_greedy(run->map, &run->best);
    run->bound = run->best.length;
}

static void improve(void *arg, const struct tour *tour)
{
    struct run *run = arg;

    run->best = *tour;
    run->bound = tour->length;
    for (int rank = 0; rank < run->job->ranks; rank++)
        if (rank != run->job->rank)
            MPI_Send(&run->bound, 1, MPI_INT, rank, TAG_BEST, run->job->comm);
    run->told++;
}

/* The next job; count 0: there is none. */
static struct tour next_job(struct run *run)
{
    return run->jobs_taken < run->job_count ? run->jobs[run->jobs_taken++] : (struct tour){ 0 };
}

/* Receive one message: a job, or one that is dealt with here. */
static bool receive(struct run *run, struct tour *job_out)
{
    MPI_Status status;
    struct tour job;

    MPI_Recv(&job, sizeof job, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, run->job->comm, &status);
    if (status.MPI_TAG == TAG_BEST) {
        run->heard++;
        if (job.length < run->bound) run->bound = job.length; /* its first number */
    } else if (status.MPI_TAG == TAG_ASK) {
        job = next_job(run);
        run->asking -= job.count == 0;
        MPI_Send(&job, sizeof job, MPI_BYTE, status.MPI_SOURCE, TAG_JOB, run->job->comm);
    } else {
        *job_out = job;
        return true;
    }
    return false;
}

static void look(void *arg)
{
    struct run *run = arg;
    struct tour none;
    int there;

    for (;;) {
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, run->job->comm, &there, MPI_STATUS_IGNORE);
        if (!there) return;
        receive(run, &none);
    }
}

static struct tour get_job(struct run *run)
{
    struct tour job;
    if (run->job->rank == 0) {
        look(run);
        return next_job(run);
    }
    MPI_Send(NULL, 0, MPI_BYTE, 0, TAG_ASK, run->job->comm);
    while (!receive(run, &job)) continue;
    return job;
}

/* All know all improvements, so every rank knows whose tour it is; rank 0 gets it. */
static void finish(struct run *run)
{
    struct tour none;
    int total, mine[2] = { run->best.length, run->job->rank }, least[2];

    while (run->asking > 0 && run->job->rank == 0) receive(run, &none);
    MPI_Allreduce(&run->told, &total, 1, MPI_INT, MPI_SUM, run->job->comm);
    while (run->heard < total - run->told) receive(run, &none);
    MPI_Allreduce(mine, least, 1, MPI_2INT, MPI_MINLOC, run->job->comm);
    MPI_Bcast(&run->best, sizeof run->best, MPI_BYTE, least[1], run->job->comm);
}

static void travel(void *arg)
{
    struct run *run = arg;
    struct tsp_search search = {
        .map = run->map, .best = &run->bound, .improve = improve, .look = look, .arg = run
    };

    if (run->job->rank == 0) run->jobs = tsp_jobs(run->map, &run->job_count);
    for (struct tour job = get_job(run); job.count > 0; job = get_job(run))
        tsp_search(&search, &job);
    finish(run);
    free(run->jobs);
    run->jobs = NULL;
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) tsp_judge(run->map, &run->best, answer_out);
}

const struct version tsp_mpi = { create, load, travel, collect, free };
