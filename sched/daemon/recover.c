/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recover.c - start-up and rejoin: what the ledger says, what the keeper has, what the other nodes hold.
 *
 *   1 The ledger's open rows come into the table. Home: queued ones are HELD; started ones are RUNNING (here)
 *     or AWAY. Guests: RUNNING or ENDED.
 *   2 The keeper tells its state. A started job that it has is so; one that it does not have was never begun, if the
 *     keeper is of the life that the permission was for (J2), and is lost otherwise. What it has and no row
 *     allows is killed.
 *   3 Each tells each other what it has of the other's (WIRE_SYNC_ROW), then SYNC_END. The home decides by the
 *     same rule as in 2.
 *   4 When all that are up are in step, HELD jobs go on their way.
 *
 * Step 2 also happens when the keeper is met again later.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/recover.h"
#include "sched/daemon/run.h"
#include "sched/daemon/wire.h"

enum { GRACE_MS = 2000 };

typedef struct told {
    byre__job_id_t id;
    uint32_t attempt;
    bool ended;
    int64_t pid;
    uint64_t started_ms;
    uint32_t flags;
    char cpus[BYRE__CPU_LIST];
    byre__end_t end;
} told_t;

static bool done;

bool recover_done(void)
{
    return done;
}

/* ---- 1: the ledger ----------------------------------------------------------------------------- */

static context_t *context_of(const ledger_job_t *row)
{
    context_t *context = context_find(row->context);
    void *packed;
    size_t bytes;

    if (context != NULL) {
        return context_get(context);
    }
    if (ledger_get_context(byred.ledger, row->context, &packed, &bytes) != BYRE_OK) {
        return NULL;
    }
    context = context_take(packed, bytes);
    free(packed);
    return context;
}

static void load_begun(job_t *job, const ledger_job_t *row)
{
    run_t *run = job_run(job);
    int node = row->node[0] != '\0' ? member_intern(row->node) : members_self();

    if (run == NULL) {
        return;
    }
    job->node = (int16_t)node;
    run->boot = row->node_boot;
    run->pid = row->pid;
    run->started_ms = row->started_ms;
    run->sent = true;
    snprintf(run->cpus, sizeof run->cpus, "%s", row->cpu_list);
    if (row->state == BYRE__JOB_ENDED && (job->end = malloc(sizeof *job->end)) != NULL) {
        *job->end = row->end;
        job_stage(job, STAGE_ENDED);
    } else {
        job_stage(job, node == members_self() ? STAGE_RUNNING : STAGE_AWAY);
    }
}

static void load_row(void *arg, const ledger_job_t *row)
{
    int home = row->guest ? member_intern(row->id.home) : members_self();
    context_t *context = context_of(row);
    job_t *job = job_create(home, row->id.number, context, row->spec, row->spec_bytes);

    (void)arg;
    context_drop(context);
    if (job == NULL) {
        byred_log("a row of the ledger cannot be read: job %llu of %s",
                  (unsigned long long)row->id.number, row->id.home);
        return;
    }
    job->bits |= JOB_IN_LEDGER;
    job->attempt = row->attempt;
    job->submitted_ms = row->submitted_ms;
    if (row->state == BYRE__JOB_QUEUED) {
        job_stage(job, STAGE_HELD);
    } else {
        load_begun(job, row);
    }
}

bool recover_ledger(void)
{
    int error = ledger_each_open(byred.ledger, load_row, NULL);

    if (error != BYRE_OK) {
        byred_log("the ledger cannot be read: %s", byre_strerror(error));
        return false;
    }
    byred_log("the ledger has %u jobs of this node that have not ended", jobs_home_count());
    return true;
}

/* ---- 2: the keeper ----------------------------------------------------------------------------- */

static void unpack_told(byre__unpack_t *payload, told_t *told, bool flags)
{
    memset(told, 0, sizeof *told);
    byre__unpack_job_id(payload, &told->id);
    told->attempt = byre__unpack_u32(payload);
    told->ended = byre__unpack_u8(payload) != 0;
    told->pid = (int64_t)byre__unpack_u64(payload);
    told->started_ms = byre__unpack_u64(payload);
    if (flags) {
        told->flags = byre__unpack_u32(payload);
    }
    byre__unpack_text_into(payload, told->cpus, sizeof told->cpus);
    if (told->ended) {
        byre__unpack_end(payload, &told->end);
    }
}

static void unwanted(const told_t *told)
{
    char name[BYRE__JOB_ID];

    if (told->ended) {
        keeper_forget(&told->id, told->attempt, false);
        return;
    }
    byred_log("the keeper runs attempt %u of %s, which nobody answers for (any more): it is killed",
              told->attempt, byre__job_id_format(&told->id, name));
    keeper_kill(&told->id, told->attempt, GRACE_MS);
}

/* A guest whose row was not written yet when the daemon died: its home knows of it, or does not. */
static job_t *guest_without_row(const told_t *told)
{
    char *argv[] = { (char[]){ "?" }, NULL };
    char none[] = "";
    byre__spec_t spec = {
        .flags = told->flags, .argv = argv, .name = none, .node = none, .affinity = none, .cpus = 1
    };
    byre__pack_t pack = { 0 };
    job_t *job = NULL;

    byre__pack_spec(&pack, &spec);
    if (!pack.failed) {
        job =
            job_create(member_intern(told->id.home), told->id.number, NULL, pack.data, pack.bytes);
    }
    byre__pack_fini(&pack);
    if (job == NULL || job_run(job) == NULL) {
        return NULL;
    }
    job->attempt = told->attempt;
    job->node = (int16_t)members_self();
    job_stage(job, STAGE_RUNNING);
    return job;
}

/* Has the keeper's attempt a permission that the table does not know, or the one that it knows? A home's row that
 * was written without waiting (attached jobs) may be older than what it permitted. */
static bool is_permitted(const job_t *job, const told_t *told)
{
    if (job->stage == STAGE_RUNNING || job->stage == STAGE_SYNCING) {
        return told->attempt >= job->attempt;
    }
    return job->stage == STAGE_HELD && !(job->bits & JOB_AGAIN) && told->attempt > job->attempt;
}

static void take_back(job_t *job, const told_t *told, uint64_t boot)
{
    run_t *run = job_run(job);
    byre__place_request_t request = { .job = (uint64_t)(uintptr_t)job,
                                      .cpus = job->cpus,
                                      .mem = job->mem,
                                      .affinity = job->affinity != NULL ? job->affinity : "" };

    if (run == NULL) {
        return;
    }
    job->attempt = told->attempt;
    job->node = (int16_t)members_self();
    job_stage(job, STAGE_RUNNING);
    run->boot = boot;
    run->known = run->sent = true;
    run->pid = told->pid;
    run->started_ms = told->started_ms;
    snprintf(run->cpus, sizeof run->cpus, "%s", told->cpus);
    if (told->ended) {
        run_ended(job, told->attempt, &told->end);
        return;
    }
    if (!(job->bits & JOB_PLACED) &&
        byre__placer_retake(byred.placer, &request, told->cpus) == BYRE_OK) {
        job->bits |= JOB_PLACED;
    }
    for (int signal = 1; run->signals != 0 && signal <= 64; signal++) {
        if (run->signals >> (signal - 1) & 1) {
            keeper_signal(job, signal);
        }
    }
    run->signals = 0;
}

static void hear_kept(const told_t *told, uint64_t boot)
{
    job_t *job = job_find_id(&told->id);

    if (job == NULL && strcmp(told->id.home, member_name(members_self())) != 0) {
        job = guest_without_row(told);
    }
    if (job != NULL && job->stage != STAGE_ENDED && is_permitted(job, told)) {
        take_back(job, told, boot);
    } else if (job == NULL || job->stage != STAGE_ENDED || !told->ended ||
               told->attempt != job->attempt) {
        unwanted(
            told); /* its end may be being recorded, of another attempt or while it was killed */
    }
}

/* J2 */
static void settle_here(job_t *job, uint64_t boot)
{
    byre__end_t lost = { .kind = BYRE__END_LOST,
                         .started_ms = job->run->started_ms,
                         .ended_ms = byred_ms() };
    byre__job_id_t id = job_id(job);

    if (!job->run->sent && job->context != NULL) {
        job->run->boot = boot;
        run_start(job);
    } else if (job->run->boot != boot) {
        snprintf(lost.detail, sizeof lost.detail,
                 "its node was restarted, or its keeper was killed");
        run_ended(job, job->attempt, &lost);
    } else if (job_is_home(job)) {
        byred_log("job %s was permitted and never begun: it is queued again", job_name(job));
        finish_again(job);
    } else if (done && job->context != NULL && !(job->bits & JOB_TOUCHED)) {
        run_start(job); /* the order to start it was lost with the connection */
    } else { /* it ended, and that was acknowledged and forgotten, but the row not yet deleted; or it never
                began, and its home finds out by the same rule */
        if (job->bits & JOB_IN_LEDGER) {
            ledger_delete(byred.ledger, &id, true);
        }
        run_give_back(job);
        job_remove(job);
    }
}

static void settle_one(job_t *job, void *arg)
{
    uint64_t boot = *(uint64_t *)arg;

    if (job->stage == STAGE_SYNCING) {
        job->run->boot = boot;
    } else if (job->stage == STAGE_RUNNING && !job->run->known) {
        settle_here(job, boot);
    }
}

static void forget_known(job_t *job, void *arg)
{
    (void)arg;
    if (job->run != NULL) {
        job->run->known = false;
    }
}

/* ---- 3: the others ----------------------------------------------------------------------------- */

static void say_row(job_t *job, void *arg)
{
    int rank = *(int *)arg;
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (job->home != rank || (job->stage != STAGE_RUNNING && job->stage != STAGE_ENDED)) {
        return;
    }
    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, job->attempt);
    byre__pack_u8(&pack, job->end != NULL);
    byre__pack_u64(&pack, job->run != NULL ? (uint64_t)job->run->pid : 0);
    byre__pack_u64(&pack, job->run != NULL ? job->run->started_ms : 0);
    byre__pack_text(&pack, job->run != NULL ? job->run->cpus : "");
    if (job->end != NULL) {
        byre__pack_end(&pack, job->end);
    }
    wire_send(rank, WIRE_SYNC_ROW, 0, &pack);
    byre__pack_fini(&pack);
}

static void say_all(void)
{
    member_t *self = member_at(members_self());

    self->boot = keeper_boot();
    self->up_ms = byred.up_ms;
    self->slots = byre__placer_slots(byred.placer);
    self->mem = byre__placer_mem(byred.placer);
    self->synced = true;
    for (int rank = 0; rank < members_count(); rank++) {
        if (rank != members_self() && member_up(rank)) {
            members_say_sync(rank);
            jobs_each(say_row, &rank);
            wire_send(rank, WIRE_SYNC_END, 0, NULL);
        }
    }
}

void recover_keeper(byre__unpack_t *state, uint64_t boot, uint32_t count)
{
    told_t told;
    uint32_t running = 0;

    jobs_each(forget_known, NULL);
    for (uint32_t i = 0; i < count; i++) {
        unpack_told(state, &told, true);
        if (state->failed) {
            byred_log("the keeper's state cannot be read: it is of another version");
            exit(1);
        }
        running += !told.ended;
        hear_kept(&told, boot);
    }
    byred_log("the keeper has %u jobs that run and %u that have ended", running, count - running);
    jobs_each(settle_one, &boot);
    if (!done) {
        done = true;
        say_all();
        members_look();
    }
}

static void answer(int rank, const told_t *told)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, &told->id);
    byre__pack_u32(&pack, told->attempt);
    if (told->ended) {
        byre__pack_u8(&pack, 0);
        wire_send(rank, WIRE_ACK, 0, &pack);
    } else {
        byre__pack_u32(&pack, GRACE_MS);
        wire_send(rank, WIRE_KILL, 0, &pack);
    }
    byre__pack_fini(&pack);
}

static bool is_ours(const job_t *job, int rank, const told_t *told)
{
    if (job->stage == STAGE_AWAY || job->stage == STAGE_ELSEWHERE) {
        return told->attempt > job->attempt || (told->attempt == job->attempt && job->node == rank);
    }
    return job->stage == STAGE_HELD && !(job->bits & JOB_AGAIN) && told->attempt > job->attempt;
}

void recover_hear_row(int rank, byre__unpack_t *payload)
{
    told_t told;
    job_t *job;
    run_t *run;
    ledger_job_t row;

    unpack_told(payload, &told, false);
    job = payload->failed ? NULL : job_find_id(&told.id);
    if (job == NULL || !job_is_home(job) || !is_ours(job, rank, &told) ||
        (run = job_run(job)) == NULL) {
        if (!payload->failed) {
            answer(rank, &told);
        }
        return;
    }
    job->attempt = told.attempt;
    job->node = (int16_t)rank;
    job_stage(job, STAGE_ELSEWHERE);
    run->boot = member_at(rank)->boot;
    run->sent = true;
    run->pid = told.pid;
    run->started_ms = told.started_ms;
    snprintf(run->cpus, sizeof run->cpus, "%s", told.cpus);
    if (told.ended) {
        finish_attempt(job, &told.end, false);
        return;
    }
    job_to_ledger(job, &row);
    ledger_update(byred.ledger, &row);
    if (job->bits & JOB_KILLED) {
        answer(rank, &told);
    }
}

static void settle_there(job_t *job, void *arg)
{
    int rank = *(int *)arg;
    byre__end_t lost = { .kind = BYRE__END_LOST, .ended_ms = byred_ms() };

    if (!job_is_home(job) || job->stage != STAGE_AWAY || job->node != rank) {
        return;
    }
    if (job->run->boot == member_at(rank)->boot) {
        byred_log("job %s was permitted on node %s and never begun: it is queued again",
                  job_name(job), member_name(rank));
        finish_again(job);
        return;
    }
    lost.started_ms = job->run->started_ms;
    snprintf(lost.detail, sizeof lost.detail, "its node was restarted");
    finish_attempt(job, &lost, false);
}

void recover_settle(int rank)
{
    jobs_each(settle_there, &rank);
}

/* ---- 4: go on ---------------------------------------------------------------------------------- */

void recover_queued(void)
{
    uint32_t queued = 0;

    for (job_t *job = jobs_home_from(NULL, 0), *next; job != NULL; job = next) {
        next = job->newer;
        if (job->stage != STAGE_HELD || (job->bits & JOB_AGAIN)) {
            continue;
        }
        if (job_is_deserted(job)) {
            finish_as(job, BYRE__END_CANCELLED, SIGHUP, "its client was gone");
        } else {
            arrive_put(job);
            queued++;
        }
    }
    if (queued > 0) {
        byred_log("%u jobs wait to be placed", queued);
    }
}
