/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - jobs on this node's processors: permission, start, end. The states are those of jobs.h.
 *
 * For a job of this home the permission is a change of the ledger; a guest's home is asked (grant.c).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sched/daemon/client.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

void run_give_back(job_t *job)
{
    if (job->bits & JOB_PLACED) {
        byre__placer_give(byred.placer, (uint64_t)(uintptr_t)job);
        job->bits &= (uint16_t)~JOB_PLACED;
        byred.work |= WORK_QUEUE | WORK_DEPARTED;
    }
}

static void permitted(job_t *job)
{
    if (job->stage == STAGE_SYNCING) { /* not ended meanwhile */
        run_start(job);
    }
}

static void ask_home(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    job_stage(job, STAGE_ASKING);
    byre__pack_job_id(&pack, &id);
    byre__pack_u64(&pack, keeper_boot());
    wire_send(job->home, WIRE_WANT, 0, &pack);
    byre__pack_fini(&pack);
}

void run_begin(job_t *job, const byre__placement_t *placement)
{
    run_t *run = job_run(job);

    if (run == NULL) {
        run_give_back(job);
        queue_put(job);
        return;
    }
    snprintf(run->cpus, sizeof run->cpus, "%s", placement->cpus);
    snprintf(run->nodes, sizeof run->nodes, "%s", placement->nodes);
    if (!job_is_home(job)) {
        ask_home(job);
        return;
    }
    grant_permit(job, members_self(), keeper_boot());
    job_stage(job, STAGE_SYNCING);
    if (job_is(job, BYRE__JOB_ATTACHED)) {
        run_start(job);
    } else {
        sync_after(job, true, permitted);
    }
}

void run_start(job_t *job)
{
    run_t *run = job->run;

    job_stage(job, STAGE_RUNNING);
    run->sent = run->boot == keeper_boot() && keeper_start(job);
    if (!run->sent) {
        return; /* there is no keeper now: when there is one, recover.c decides */
    }
    stream_begun(job);
    for (int signal = 1; run->signals != 0 && signal <= 64; signal++) {
        if (run->signals >> (signal - 1) & 1) {
            keeper_signal(job, signal);
        }
    }
    run->signals = 0;
}

/* ---- what the keeper tells --------------------------------------------------------------------- */

static void tell_home_started(const job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (member_up(job->home)) {
        byre__pack_job_id(&pack, &id);
        byre__pack_u32(&pack, job->attempt);
        byre__pack_u64(&pack, (uint64_t)job->run->pid);
        byre__pack_u64(&pack, job->run->started_ms);
        byre__pack_text(&pack, job->run->cpus);
        wire_send(job->home, WIRE_STARTED, 0, &pack);
        byre__pack_fini(&pack);
    }
}

void run_started(job_t *job, uint32_t attempt, int64_t pid, uint64_t started_ms)
{
    ledger_job_t row;

    if (attempt != job->attempt || job->run == NULL || job->stage != STAGE_RUNNING) {
        return;
    }
    job->run->pid = pid;
    job->run->started_ms = started_ms;
    byred.tally.started++;
    if (job->bits & JOB_IN_LEDGER) {
        job_to_ledger(job, &row);
        ledger_update(byred.ledger, &row);
    }
    if (job_is_home(job)) {
        client_tell_started(job);
    } else {
        tell_home_started(job);
    }
}

static void guest_ended(job_t *job, const byre__end_t *end)
{
    ledger_job_t row;

    job->end = malloc(sizeof *job->end);
    if (job->end == NULL) {
        byred_log("out of memory: how %s ended is told at the next `byre up'", job_name(job));
        return; /* the keeper keeps it */
    }
    *job->end = *end;
    job_stage(job, STAGE_ENDED);
    job_to_ledger(job, &row);
    if (job->bits & JOB_IN_LEDGER) {
        ledger_update(byred.ledger, &row);
    }
    finish_guest(job);
}

void run_ended(job_t *job, uint32_t attempt, const byre__end_t *end)
{
    byre__job_id_t id = job_id(job);

    if (attempt < job->attempt) {
        keeper_forget(&id, attempt, true);
        return;
    }
    if (attempt != job->attempt || job->stage != STAGE_RUNNING) {
        return; /* told before */
    }
    run_give_back(job);
    if (job_is_home(job)) {
        finish_attempt(job, end, (job->bits & JOB_EVICTED) != 0);
    } else {
        guest_ended(job, end);
    }
}

/* ---- what is done to it ------------------------------------------------------------------------ */

void run_signal(job_t *job, int signal)
{
    if (job->stage == STAGE_RUNNING && job->run->sent) {
        keeper_signal(job, signal);
    } else if (job->run != NULL && signal >= 1 && signal <= 64) {
        job->run->signals |= UINT64_C(1) << (signal - 1);
    }
}

void run_kill(job_t *job, uint32_t grace_ms)
{
    byre__job_id_t id = job_id(job);

    if (job->stage == STAGE_RUNNING && job->run->sent) {
        keeper_kill(&id, job->attempt, grace_ms);
    } else {
        run_signal(job, SIGKILL);
    }
}
