/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * finish.c - how jobs end, at their home; and what the node that ran one does until its home has recorded that.
 *
 *   F1 An end is told to those who wait at once, and to the keeper (FORGET, which destroys its copy) only
 *      when the ledger has it: J2.
 *   F2 An attempt that is to be followed by another is over for the node that had it before the job is queued again.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/ask.h"
#include "sched/daemon/client.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

#define HANGUP_S 1.0
#define HANGUP_GRACE_MS 5000

/* A job whose client has gone, between HUP and TERM. */
typedef struct hangup {
    struct hangup *next;
    job_t *job;
    double due;
} hangup_t;

static hangup_t *hangups, *last_hangup; /* the oldest first */

static void acknowledge(int node, const byre__job_id_t *id, uint32_t attempt, bool output_too)
{
    byre__pack_t pack = { 0 };

    if (node == members_self()) {
        keeper_forget(id, attempt, output_too);
    } else if (member_up(node)) {
        byre__pack_job_id(&pack, id);
        byre__pack_u32(&pack, attempt);
        byre__pack_u8(&pack, output_too);
        wire_send(node, WIRE_ACK, 0, &pack);
        byre__pack_fini(&pack);
    }
}

static void order(const job_t *job, uint32_t signal, uint32_t grace_ms)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, signal != 0 ? signal : job->attempt);
    if (signal != 0) {
        wire_send(job->node, WIRE_SIGNAL, 0, &pack);
    } else {
        byre__pack_u32(&pack, grace_ms);
        wire_send(job->node, WIRE_KILL, 0, &pack);
    }
    byre__pack_fini(&pack);
}

/* ---- the end ----------------------------------------------------------------------------------- */

static void recorded(job_t *job)
{
    byre__job_id_t id = job_id(job);

    if (job->attempt > 0) {
        acknowledge(job->node, &id, job->attempt, false);
    }
    job_remove(job);
}

static void count(const job_t *job, const byre__end_t *end)
{
    byre__tally_t *tally = &byred.tally;
    uint64_t ended = end->ended_ms != 0 ? end->ended_ms : byred_ms();

    tally->ended++;
    tally->lost += end->kind == BYRE__END_LOST;
    if (end->started_ms >= job->submitted_ms && end->started_ms != 0) {
        tally->wait_s += 1e-3 * (double)(end->started_ms - job->submitted_ms);
    }
    if (ended >= job->submitted_ms) {
        tally->response_s += 1e-3 * (double)(ended - job->submitted_ms);
    }
}

static void record(job_t *job)
{
    ledger_job_t row;

    job_to_ledger(job, &row);
    if (job->bits & JOB_IN_LEDGER) {
        ledger_update(byred.ledger, &row);
    } else if (job->context != NULL) {
        context_to_ledger(job->context);
        ledger_insert(byred.ledger, &row);
    }
}

void finish_job(job_t *job, const byre__end_t *end)
{
    if (job->stage < STAGE_SYNCING) {
        arrive_taken_out(job);
    } else {
        run_give_back(job);
    }
    job->end = malloc(sizeof *job->end);
    if (job->end != NULL) {
        *job->end = *end;
    }
    job_stage(job, STAGE_ENDED);
    count(job, end);
    record(job);
    client_tell_ended(job, end);
    watch_ended(job, end);
    job_live_end(job);
    sync_after(job, !job_is(job, BYRE__JOB_ATTACHED), recorded);
}

void finish_as(job_t *job, enum byre__end_kind kind, int code, const char *detail)
{
    byre__end_t end = { .kind = (uint8_t)kind, .code = code, .ended_ms = byred_ms() };

    if (job->run != NULL) {
        end.started_ms = job->run->started_ms;
    }
    snprintf(end.detail, sizeof end.detail, "%s", detail);
    finish_job(job, &end);
}

/* ---- once more --------------------------------------------------------------------------------- */

/* F2: its node hears that the attempt is over, and then the job is queued. */
static void again(job_t *job)
{
    byre__job_id_t id = job_id(job);

    job->bits &= (uint16_t)~JOB_AGAIN;
    if (job->stage == STAGE_HELD) { /* not ended meanwhile */
        acknowledge(job->node, &id, job->attempt, true);
        arrive_again(job);
    }
}

static void requeue_row(job_t *job)
{
    ledger_job_t row;

    free(job->run);
    job->run = NULL;
    if (job->bits & JOB_IN_LEDGER) {
        job_to_ledger(job, &row);
        row.node[0] = '\0';
        ledger_update(byred.ledger, &row);
    }
}

void finish_attempt(job_t *job, const byre__end_t *end, bool evicted)
{
    byre__end_t told = *end;

    if ((end->kind == BYRE__END_LOST || evicted) && job_may_restart(job)) {
        byred_log("job %s %s on node %s: it is queued again", job_name(job),
                  evicted ? "had to make room for the owner" : "was lost", member_name(job->node));
        run_give_back(job);
        job->bits &= (uint16_t)~JOB_EVICTED;
        job->bits |= JOB_AGAIN;
        job_stage(job, STAGE_HELD);
        requeue_row(job);
        sync_after(job, true, again);
        return;
    }
    if (evicted) {
        snprintf(told.detail, sizeof told.detail, "the owner of its node is back");
    }
    finish_job(job, &told);
}

void finish_again(job_t *job)
{
    run_give_back(job);
    job_stage(job, STAGE_HELD);
    requeue_row(job);
    if (job->bits & JOB_KILLED) {
        finish_as(job, BYRE__END_CANCELLED, SIGTERM, "");
    } else if (job_is_deserted(job)) {
        finish_as(job, BYRE__END_CANCELLED, SIGHUP, "its client was gone");
    } else {
        arrive_again(job);
    }
}

void finish_away(job_t *job, const char *node)
{
    byre__end_t end = { .kind = BYRE__END_LOST, .ended_ms = byred_ms() };
    char line[256];

    if (!job->run->sent || job_may_restart(job)) {
        byred_log("job %s: node %s is gone; it is queued again", job_name(job), node);
        finish_again(job);
    } else if (job->bits & JOB_KILLED) {
        finish_as(job, BYRE__END_LOST, 0, "its node was lost while it was being killed");
    } else {
        byred_log("job %s is away: node %s is gone, and it may still run there", job_name(job),
                  node);
        job_stage(job, STAGE_AWAY);
        snprintf(line, sizeof line, "node %s is lost; it may still run there: byre wait %s", node,
                 job_name(job));
        byred_copy(end.detail, sizeof end.detail, line);
        client_tell_ended(job, &end);
        job_live_end(job);
    }
}

/* ---- because somebody says so ------------------------------------------------------------------ */

static bool ends_a_job(int signal)
{
    return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGHUP ||
           signal == SIGQUIT;
}

bool finish_kill(job_t *job, int signal)
{
    if (!job_is_open(job) || !job_is_home(job)) {
        return false;
    }
    if (signal == 0) {
        return true;
    }
    if (ends_a_job(signal)) {
        job->bits |= JOB_KILLED;
        if (job->stage <= STAGE_SYNCING) {
            finish_as(job, BYRE__END_CANCELLED, signal, "");
            return true;
        }
        if (job->stage == STAGE_AWAY) {
            finish_as(job, BYRE__END_LOST, 0, "killed while its node was away");
            return true;
        }
    }
    if (job->stage == STAGE_RUNNING || job->stage == STAGE_SYNCING) {
        run_signal(job, signal);
    } else if (job->stage == STAGE_ELSEWHERE) {
        order(job, (uint32_t)signal, 0);
    }
    return true;
}

/* Whatever it does about it. */
void finish_force(job_t *job, int signal, uint32_t grace_ms)
{
    (void)finish_kill(job, signal);
    if (job->stage == STAGE_RUNNING) {
        run_kill(job, grace_ms);
    } else if (job->stage == STAGE_ELSEWHERE) {
        order(job, 0, grace_ms);
    }
}

/* HUP, and time to heed it; what is there after that is ended. */
void finish_client_gone(job_t *job)
{
    hangup_t *hangup;

    job_live_end(job);
    stream_orphan(job);
    (void)finish_kill(job, SIGHUP);
    hangup = job_begun(job) ? calloc(1, sizeof *hangup) : NULL;
    if (hangup != NULL) {
        job_hold(job);
        *hangup = (hangup_t){ .job = job, .due = byred_now() + HANGUP_S };
        *(hangups != NULL ? &last_hangup->next : &hangups) = hangup;
        last_hangup = hangup;
    }
}

double finish_due(void)
{
    return hangups != NULL ? hangups->due : INFINITY;
}

void finish_tick(void)
{
    while (hangups != NULL && hangups->due <= byred_now()) {
        hangup_t *hangup = hangups;

        hangups = hangup->next;
        finish_force(hangup->job, SIGTERM, HANGUP_GRACE_MS);
        job_release(hangup->job);
        free(hangup);
    }
}

/* ---- between home and node --------------------------------------------------------------------- */

void finish_reported(int rank, byre__unpack_t *payload)
{
    byre__job_id_t id;
    byre__end_t end;
    uint32_t attempt;
    bool evicted;
    job_t *job;

    byre__unpack_job_id(payload, &id);
    attempt = byre__unpack_u32(payload);
    evicted = byre__unpack_u8(payload) != 0;
    byre__unpack_end(payload, &end);
    if (!byre__unpack_done(payload)) {
        byred_log("node %s reports an end that cannot be read", peer_name(rank));
        return;
    }
    job = job_find_id(&id);
    if (job == NULL || !job_is_home(job) || job->attempt != attempt || job->node != rank) {
        acknowledge(rank, &id, attempt, false); /* J4 */
        return;
    }
    if (job->stage == STAGE_ELSEWHERE || job->stage == STAGE_AWAY) {
        finish_attempt(job, &end, evicted);
        arrive_nudge();
    }
}

void finish_guest(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (member_up(job->home) && job->end != NULL) {
        byre__pack_job_id(&pack, &id);
        byre__pack_u32(&pack, job->attempt);
        byre__pack_u8(&pack, (job->bits & JOB_EVICTED) != 0);
        byre__pack_end(&pack, job->end);
        wire_send(job->home, WIRE_ENDED, 0, &pack);
        byre__pack_fini(&pack);
    }
}

void finish_acknowledged(int rank, byre__unpack_t *payload)
{
    byre__job_id_t id;
    uint32_t attempt;
    bool output_too;
    job_t *job;

    byre__unpack_job_id(payload, &id);
    attempt = byre__unpack_u32(payload);
    output_too = byre__unpack_u8(payload) != 0;
    job = job_find_id(&id);
    if (payload->failed || job == NULL || job->home != rank || job->attempt != attempt ||
        job->stage != STAGE_ENDED) {
        return;
    }
    if (job->bits & JOB_IN_LEDGER) {
        ledger_delete(byred.ledger, &id, true);
    }
    keeper_forget(&id, attempt, output_too);
    job_remove(job);
}

void finish_order(int rank, byre__unpack_t *payload)
{
    byre__job_id_t id;
    uint32_t attempt, grace_ms;
    job_t *job;

    byre__unpack_job_id(payload, &id);
    attempt = byre__unpack_u32(payload);
    grace_ms = byre__unpack_u32(payload);
    job = job_find_id(&id);
    if (payload->failed || job == NULL || job->home != rank) {
        return;
    }
    if (job->stage == STAGE_WAITING) {
        queue_drop(rank, &id);
    } else if (job->stage != STAGE_ENDED &&
               (attempt == 0 || job->attempt == 0 || attempt == job->attempt)) {
        run_kill(job, grace_ms);
    }
}
