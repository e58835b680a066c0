/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arrive.c - a home's jobs on their way to a node: the policy decides, one by one, in the order of submission.
 *
 * A policy looks for a node once a job, when it arrives. Of a hundred thousand jobs submitted at once that would
 * put nearly all into this node's queue, for good. So a job is shown to the policy only when the queue here is
 * short (DEPTH); the others wait before it, and some are shown when a job of ours has ended elsewhere, or a tenth
 * of a second has passed. If the policy wants one here that would make the queue too long, it waits on.
 */
#include <math.h>
#include <stdio.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/host.h"
#include "sched/daemon/members.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"
#include "sched/daemon/wire.h"

enum {
    DECIDING_MOST = 64,
    DEPTH_LEAST = 16,
    LOOK_MOST = 256,
    NUDGES_MOST = 32,
    TRIES_ENDED = 2,
    TRIES_TICK = 8
};
#define BACKLOG ((size_t)4 << 20) /* to a peer: above it no more jobs are sent to it */
#define AGAIN_S 0.1

static job_list_t open_jobs, pinned_jobs;
static uint32_t nudges;
static double again_at = INFINITY;

static job_list_t *list_of(const job_t *job)
{
    return job->pin >= 0 ? &pinned_jobs : &open_jobs;
}

static uint32_t depth(void)
{
    uint32_t wanted = 4 * byre__placer_slots(byred.placer);

    return wanted > DEPTH_LEAST ? wanted : DEPTH_LEAST;
}

static void look_again(void)
{
    if (again_at == INFINITY) {
        again_at = byred_now() + AGAIN_S;
    }
}

void arrive_put(job_t *job)
{
    job_stage(job, STAGE_ARRIVING);
    job->node = -1;
    job_list_append(list_of(job), job);
    byred.work |= WORK_ARRIVALS;
}

void arrive_again(job_t *job)
{
    job_stage(job, STAGE_ARRIVING);
    job->node = -1;
    job_list_insert(list_of(job), job);
    byred.work |= WORK_ARRIVALS;
}

void arrive_here(job_t *job)
{
    if (queue_count() >= depth() && job->pin < 0) {
        arrive_again(job);
        return;
    }
    job->node = (int16_t)members_self();
    job_stage(job, STAGE_WAITING);
    queue_put(job);
}

void arrive_send(job_t *job, int rank, bool claimed)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    job->node = (int16_t)rank;
    job_stage(job, STAGE_THERE);
    context_to_peer(job->context, rank);
    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, claimed);
    byre__pack_u64(&pack, job->context->key.a);
    byre__pack_u64(&pack, job->context->key.b);
    byre__pack_u64(&pack, job->submitted_ms);
    peer_send(rank, WIRE_JOB, 0, &pack, job->spec, job->spec_bytes);
    byre__pack_fini(&pack);
    byred.tally.sent++;
}

/* ---- in order ---------------------------------------------------------------------------------- */

/* A job for one node alone. false: it is not to be sent now. */
static bool place_pinned(job_t *job)
{
    char line[96];

    if (member_up(job->pin) && job->pin != members_self() && peer_backlog(job->pin) > BACKLOG) {
        return false;
    }
    job_list_remove(&pinned_jobs, job);
    if (job->pin == members_self()) {
        arrive_here(job);
    } else if (member_up(job->pin)) {
        arrive_send(job, job->pin, false);
    } else if (job_is(job, BYRE__JOB_ATTACHED)) {
        snprintf(line, sizeof line, "node %s is gone", member_name(job->pin));
        finish_as(job, BYRE__END_LOST, 0, line);
    } else {
        job_stage(job, STAGE_HELD); /* until the next `byre up' */
    }
    return true;
}

static bool peers_keep_up(void)
{
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_up(rank) && peer_backlog(rank) > BACKLOG) {
            return false;
        }
    }
    return true;
}

void arrive_run(void)
{
    if (!byred.ready || byred.ending) {
        return;
    }
    while (pinned_jobs.first != NULL && place_pinned(pinned_jobs.first)) {}
    while (open_jobs.first != NULL && host_deciding() < DECIDING_MOST && peers_keep_up()) {
        job_t *job = open_jobs.first;

        if (queue_count() + host_deciding() >= depth()) {
            if (nudges == 0) {
                break;
            }
            nudges--;
        }
        job_list_remove(&open_jobs, job);
        host_arrive(job);
    }
    if (open_jobs.first != NULL || pinned_jobs.first != NULL) {
        look_again();
    }
}

/* A policy asks a few nodes only, and may miss the one that has room: some more tries than there is news. */
static void nudge(uint32_t tries)
{
    if (open_jobs.first != NULL && nudges < NUDGES_MOST) {
        nudges += tries;
        byred.work |= WORK_ARRIVALS;
    }
}

void arrive_nudge(void)
{
    nudge(TRIES_ENDED);
}

double arrive_due(void)
{
    return again_at;
}

void arrive_tick(void)
{
    again_at = INFINITY;
    nudge(TRIES_TICK);
    byred.work |= WORK_ARRIVALS;
}

uint32_t arrive_count(void)
{
    return open_jobs.count + pinned_jobs.count;
}

/* ---- what others ask for ----------------------------------------------------------------------- */

uint32_t arrive_movable(void)
{
    return open_jobs.count + queue_movable();
}

static bool suits(const job_t *job, int rank, uint32_t cpus, uint64_t mem)
{
    return job_is_home(job) && job->pin < 0 && job->cpus <= cpus &&
           (job->mem == 0 || job->mem <= mem) && member_fits(rank, job->cpus, job->mem);
}

job_t *arrive_pick(int rank, uint32_t cpus, uint64_t mem)
{
    int looked = 0;

    for (job_t *job = queue_first(); job != NULL && looked++ < LOOK_MOST; job = queue_next(job)) {
        if (suits(job, rank, cpus, mem)) {
            queue_remove(job);
            return job;
        }
    }
    looked = 0;
    for (job_t *job = open_jobs.first; job != NULL && looked++ < LOOK_MOST; job = job->next) {
        if (suits(job, rank, cpus, mem)) {
            job_list_remove(&open_jobs, job);
            return job;
        }
    }
    return NULL;
}

/* ---- back again -------------------------------------------------------------------------------- */

void arrive_taken_out(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (job->stage == STAGE_ARRIVING) {
        job_list_remove(list_of(job), job);
    } else if (job->stage == STAGE_WAITING) {
        queue_remove(job);
    } else if (job->stage == STAGE_THERE && member_up(job->node)) {
        byre__pack_job_id(&pack, &id);
        wire_send(job->node, WIRE_DROP, 0, &pack);
        byre__pack_fini(&pack);
    } else if (job->stage == STAGE_DECIDING) {
        job->bits |= JOB_DROPPED;
    }
}

/* It waits for the next look, so that two nodes that do not want it cannot play ball with it. */
void arrive_returned(int rank, const byre__job_id_t *id)
{
    job_t *job = job_find_id(id);

    if (job != NULL && job_is_home(job) && job->stage == STAGE_THERE && job->node == rank) {
        job_stage(job, STAGE_ARRIVING);
        job->node = -1;
        job_list_insert(list_of(job), job);
        look_again();
    }
}

/* The newest first: each finds its place at the front of the list. */
void arrive_member_gone(int index)
{
    for (job_t *job = jobs_home_newest(), *next; job != NULL; job = next) {
        next = job->older;
        if (job->node == index && job->stage == STAGE_THERE) {
            arrive_again(job);
        } else if (job->node == index && job->stage == STAGE_ELSEWHERE) {
            finish_away(job, member_name(index));
        }
    }
}
