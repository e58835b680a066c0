/* SPDX-License-Identifier: BSD-3-Clause */
/* The travelling salesman in shared memory: the queue and the best tour lie there, each with a lock. The
 * searches look at the best length without the lock: a number that is a little old is a bound as well, and
 * as long as nobody finds a shorter tour, every rank has a copy of its page. */
#include "tsp.h"

#include <stdlib.h>
#include <string.h>

struct queue {
    size_t taken, count;
    struct tour jobs[TSP_CITIES * TSP_CITIES];
};

struct run {
    const struct job *job;
    const struct tsp_map *map;
    struct queue *queue; /* shared */
    struct tour *best;   /* shared */
};

static const byre_dsm_lock_t queue_lock = BYRE_DSM_LOCK(0), best_lock = BYRE_DSM_LOCK(1);

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    run->job = job;
    run->map = job->problem;
    run->queue = app_region(sizeof *run->queue, &(byre_dsm_attr_t){ .name = "tsp.queue" });
    run->best = app_region(sizeof *run->best, &(byre_dsm_attr_t){ .name = "tsp.best" });
    return run;
}

static void load(void *arg)
{
    struct run *run = arg;
    if (run->job->rank == 0) tsp_greedy(run->map, run->best);
}

static void fill_queue(struct run *run)
{
    size_t count;
    struct tour *jobs = tsp_jobs(run->map, &count);

    memcpy(run->queue->jobs, jobs, count * sizeof *jobs);
    run->queue->count = count;
    run->queue->taken = 0;
    free(jobs);
}

static bool get_job(struct run *run, struct tour *job_out)
{
    struct queue *queue = run->queue;

    check_byre("byre_dsm_lock", byre_dsm_lock(&queue_lock));
    bool there = queue->taken < queue->count;
    if (there) *job_out = queue->jobs[queue->taken++];
    check_byre("byre_dsm_unlock", byre_dsm_unlock(&queue_lock));
    return there;
}

static void improve(void *arg, const struct tour *tour)
{
    struct run *run = arg;

    check_byre("byre_dsm_lock", byre_dsm_lock(&best_lock));
    if (tour->length < run->best->length) *run->best = *tour;
    check_byre("byre_dsm_unlock", byre_dsm_unlock(&best_lock));
}

static void travel(void *arg)
{
    struct run *run = arg;
    struct tsp_search search = {
        .map = run->map, .best = &run->best->length, .improve = improve, .arg = run
    };
    struct tour job;

    if (run->job->rank == 0) fill_queue(run);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    while (get_job(run, &job)) tsp_search(&search, &job);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    if (answer_out) tsp_judge(run->map, run->best, answer_out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    app_region_free(run->queue);
    app_region_free(run->best);
    free(run);
}

const struct version tsp_dsm = { create, load, travel, collect, destroy };
