/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * queue.c - the jobs that wait here for processors, first come first served with backfilling.
 *
 * A job that does not fit is passed by later ones that do, but not for ever: once OVERTAKES jobs have passed the
 * first one that lacks room, nobody passes it any more, and processors become free until it fits.
 * A job that has room enough, but whose placing policy wants it to wait for certain processors, is no
 * obstacle. Processors kept for claims (host.c) are not given away.
 */
#include <string.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

enum {
    OVERTAKES = 64,
    LOOK_MOST = 4096,
    ASK_MOST = 256
}; /* a round: jobs passed; of these, shown to the placer */

static job_list_t queue;
static uint32_t cpus_waiting, movable;

static byre__place_request_t request_of(const job_t *job)
{
    return (byre__place_request_t){ .job = (uint64_t)(uintptr_t)job,
                                    .cpus = job->cpus,
                                    .mem = job->mem,
                                    .affinity = job->affinity != NULL ? job->affinity : "" };
}

static bool is_movable(const job_t *job)
{
    return job_is_home(job) && job->pin < 0;
}

void queue_put(job_t *job)
{
    byre__place_request_t request = request_of(job);

    job_list_append(&queue, job);
    job->overtaken = 0;
    cpus_waiting += job->cpus;
    movable += is_movable(job);
    if (strcmp(byred.place, "mi-queue") == 0) {
        byre__placer_expect(byred.placer, &request);
        job->bits |= JOB_EXPECTED;
    }
    byred.work |= WORK_QUEUE;
}

void queue_remove(job_t *job)
{
    job_list_remove(&queue, job);
    cpus_waiting -= job->cpus;
    movable -= is_movable(job);
    if (job->bits & JOB_EXPECTED) {
        byre__placer_unexpect(byred.placer, (uint64_t)(uintptr_t)job);
        job->bits &= (uint16_t)~JOB_EXPECTED;
    }
    byred.work |= WORK_ARRIVALS; /* there is room for one that waits before the queue */
}

uint32_t queue_count(void)
{
    return queue.count;
}

uint32_t queue_cpus(void)
{
    return cpus_waiting;
}

uint32_t queue_movable(void)
{
    return movable;
}

job_t *queue_first(void)
{
    return queue.first;
}

job_t *queue_next(const job_t *job)
{
    return job->next;
}

/* ---- who begins -------------------------------------------------------------------------------- */

static void give_back(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    wire_send(job->home, WIRE_RETURN, 0, &pack);
    byre__pack_fini(&pack);
    job_remove(job);
}

/* It can never run here, though it could when it came. */
static void refuse(job_t *job)
{
    queue_remove(job);
    if (!job_is_home(job)) {
        give_back(job);
    } else if (job->pin >= 0) {
        finish_as(job, BYRE__END_IMPOSSIBLE, 0,
                  "its node has not so many processors or so much memory");
    } else {
        arrive_again(job);
    }
}

static uint32_t free_slots(void)
{
    uint32_t slots = byre__placer_slots(byred.placer);
    uint32_t taken = byre__placer_used(byred.placer) + host_claimed_slots();

    return taken < slots ? slots - taken : 0;
}

static bool may_begin(const job_t *job)
{
    if (!job_is(job, BYRE__JOB_ATTACHED) && ledger_trouble(byred.ledger) != NULL) {
        return false;
    }
    return job_is_home(job) || !owner_there();
}

/* true: it begins. *lacks_out: there is not enough room for it. */
static bool try(job_t *job, bool *lacks_out)
{
    byre__place_request_t request = request_of(job);
    byre__placement_t placement;
    uint32_t room = free_slots();
    int error;

    *lacks_out = job->cpus > room;
    if (*lacks_out) {
        return false;
    }
    error = byre__placer_take(byred.placer, &request, &placement, NULL);
    if (error == BYRE_OK) {
        queue_remove(job);
        job->bits |= JOB_PLACED;
        run_begin(job, &placement);
        return true;
    }
    if (error == BYRE_ERANGE) {
        refuse(job);
    } else if (job->mem != 0) {
        *lacks_out =
            job->mem > byre__placer_mem(byred.placer) - byre__placer_mem_used(byred.placer);
    }
    return false;
}

void queue_run(void)
{
    job_t *first_blocked = NULL;
    int looked = 0, asked = 0;

    if (!byred.ready || byred.ending || !keeper_ready()) {
        return;
    }
    for (job_t *job = queue.first, *next; job != NULL && looked < LOOK_MOST && asked < ASK_MOST;
         job = next) {
        bool lacks = false;

        next = job->next;
        if (free_slots() == 0) {
            break;
        }
        if (!may_begin(job) || !try(job, &lacks)) {
            looked++;
            asked += !lacks;
            if (lacks && first_blocked == NULL) {
                first_blocked = job;
            }
        } else if (first_blocked != NULL) {
            first_blocked->overtaken++;
        }
        if (first_blocked != NULL && first_blocked->overtaken >= OVERTAKES) {
            break;
        }
    }
}

/* ---- guests ------------------------------------------------------------------------------------ */

void queue_guest(int rank, byre__unpack_t *payload)
{
    byre__job_id_t id;
    byre__context_key_t key;
    byre__pack_t pack = { 0 };
    context_t *context;
    job_t *job = NULL;
    bool claimed;
    uint64_t submitted_ms;

    byre__unpack_job_id(payload, &id);
    claimed = byre__unpack_u8(payload) != 0;
    key.a = byre__unpack_u64(payload);
    key.b = byre__unpack_u64(payload);
    submitted_ms = byre__unpack_u64(payload);
    context = context_find(key);
    if (claimed) {
        host_claim_used(rank);
    }
    if (!payload->failed && context != NULL && member_find(id.home) == rank && !byred.ending) {
        job =
            job_create(rank, id.number, context, payload->at, (size_t)(payload->end - payload->at));
    }
    if (job == NULL) { /* one of its earlier attempts may still be ending here */
        byre__pack_job_id(&pack, &id);
        wire_send(rank, WIRE_RETURN, 0, &pack);
        byre__pack_fini(&pack);
        return;
    }
    job->submitted_ms = submitted_ms;
    job->node = (int16_t)members_self();
    if ((owner_there() && job->pin < 0) || !byre__placer_fits(byred.placer, job->cpus, job->mem)) {
        give_back(job);
        return;
    }
    byred.tally.received++;
    job_stage(job, STAGE_WAITING);
    queue_put(job);
    host_received(rank);
}

/* Not begun: it goes without a trace. */
static void drop(job_t *job)
{
    if (job->stage == STAGE_WAITING) {
        queue_remove(job);
    }
    run_give_back(job);
    job_remove(job);
}

void queue_drop(int rank, const byre__job_id_t *id)
{
    job_t *job = job_find_id(id);

    if (job != NULL && job->home == rank &&
        (job->stage == STAGE_WAITING || job->stage == STAGE_ASKING)) {
        drop(job);
        byred.work |= WORK_DEPARTED;
    }
}

void queue_return_guests(void)
{
    for (job_t *job = queue.first, *next; job != NULL; job = next) {
        next = job->next;
        if (!job_is_home(job) && job->pin < 0) {
            queue_remove(job);
            give_back(job);
        }
    }
}

static void drop_of(job_t *job, void *arg)
{
    if (job->home != *(int *)arg) {
        return;
    }
    if (job->stage == STAGE_WAITING || job->stage == STAGE_ASKING) {
        drop(job);
    } else {
        stream_orphan(job);
    }
}

void queue_member_gone(int index)
{
    jobs_each(drop_of, &index);
    byred.work |= WORK_QUEUE | WORK_DEPARTED;
}
