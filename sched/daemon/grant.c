/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grant.c - permission to start: asked by the node that has room for a job, given by the job's home (J1, J3).
 *
 * The home writes the attempt first; the node that has the permission needs no durable row of its own, since
 * its keeper writes a journal, and what a keeper has without a row is asked of its home (recover.c).
 */
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

/* ---- the home ---------------------------------------------------------------------------------- */

void grant_permit(job_t *job, int node, uint64_t boot)
{
    ledger_job_t row;

    job->attempt++;
    job->node = (int16_t)node;
    job->run->boot = boot;
    job->run->pid = 0;
    job->run->started_ms = 0;
    job->run->sent = false;
    job_to_ledger(job, &row);
    row.state = BYRE__JOB_STARTED;
    if (job->bits & JOB_IN_LEDGER) {
        ledger_update(byred.ledger, &row);
    } else {
        context_to_ledger(job->context);
        ledger_insert(byred.ledger, &row);
        job->bits |= JOB_IN_LEDGER;
    }
}

static void say(const job_t *job, enum wire type)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, job->attempt);
    wire_send(job->node, type, 0, &pack);
    byre__pack_fini(&pack);
}

static void give(job_t *job)
{
    if (job->stage != STAGE_ELSEWHERE || job->run->sent || !member_up(job->node)) {
        return; /* ended meanwhile, or its node has */
    }
    job->run->sent = true;
    say(job, WIRE_GRANT);
    stream_begun(job);
}

static void deny(int rank, const byre__job_id_t *id)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, id);
    wire_send(rank, WIRE_DENY, 0, &pack);
    byre__pack_fini(&pack);
}

void grant_wanted(int rank, const byre__job_id_t *id, uint64_t boot)
{
    job_t *job = job_find_id(id);

    if (job == NULL || !job_is_home(job) || job->stage != STAGE_THERE || job->node != rank ||
        byred.ending || job_run(job) == NULL) {
        deny(rank, id);
        return;
    }
    grant_permit(job, rank, boot);
    job_stage(job, STAGE_ELSEWHERE);
    if (job_is(job, BYRE__JOB_ATTACHED)) {
        give(job);
    } else {
        sync_after(job, true, give);
    }
}

/* ---- the node ---------------------------------------------------------------------------------- */

void grant_given(int rank, const byre__job_id_t *id, uint32_t attempt)
{
    job_t *job = job_find_id(id);
    ledger_job_t row;

    if (job == NULL || job->home != rank || job->stage != STAGE_ASKING) {
        return; /* impossible from an honest home; at the next `byre up' it learns that we do not have it */
    }
    job->attempt = attempt;
    job->run->boot = keeper_boot();
    job_to_ledger(job, &row);
    row.state = BYRE__JOB_STARTED;
    context_to_ledger(job->context);
    ledger_insert(byred.ledger, &row);
    job->bits |= JOB_IN_LEDGER;
    job_stage(job, STAGE_SYNCING);
    run_start(job);
}

void grant_denied(int rank, const byre__job_id_t *id)
{
    job_t *job = job_find_id(id);

    if (job != NULL && job->home == rank && job->stage == STAGE_ASKING) {
        run_give_back(job);
        job_remove(job);
    }
}
