/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * owner.c - load, and the owner of a workstation. A reading a second while that matters, else one in five.
 *
 * While the owner is there the node takes no guests, gives back those that wait, and does with those that run
 * what --on-owner says:
 *   ignore      the owner is not looked for
 *   warn-kill   a line to whoever waits for the job, TERM, and KILL after the grace
 *   requeue     the same for jobs that may run again, which go to another node; the others run on
 * Jobs that were submitted on this node are the owner's own. (The workstation model of Tanenbaum and van Steen.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/daemon/clean.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/load.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

#define OFTEN_S 1.0
#define SELDOM_S 5.0

static byre__meter_t *meter;
static double next_at;
static bool there;

bool owner_open(void)
{
    int error = byre__meter_create(&meter);

    if (error == BYRE_OK) {
        error = byre__meter_read(meter, 0, &byred.load);
    }
    if (error != BYRE_OK) {
        byred_log("the load of this node cannot be read: %s", byre_strerror(error));
    }
    return error == BYRE_OK;
}

bool owner_there(void)
{
    return there;
}

/* ---- what the pool itself uses ------------------------------------------------------------------- */

/* This daemon, the keeper, and all that descends from them, since they were looked at first. Another keeper
 * begins another count. */
static double own_cpu_s(void)
{
    static pid_t counted;
    static double begin, before, latest;
    pid_t roots[] = { getpid(), keeper_pid() };
    double sum;

    if (byre__meter_tree(meter, roots, roots[1] > 0 ? 2 : 1, &sum) != 0) {
        return latest;
    }
    if (roots[1] != counted) {
        counted = roots[1];
        begin = sum;
        before = latest;
    }
    latest = before + (sum > begin ? sum - begin : 0);
    return latest;
}

/* ---- the owner ----------------------------------------------------------------------------------- */

static void tell_pool(void)
{
    byre__pack_t pack = { 0 };

    byre__pack_u8(&pack, there);
    for (int rank = 0; rank < members_count(); rank++) {
        if (rank != members_self() && member_up(rank)) {
            wire_send(rank, WIRE_OWNED, 0, &pack);
        }
    }
    byre__pack_fini(&pack);
    member_at(members_self())->owned = there;
}

static void evict(job_t *job, void *arg)
{
    char line[160];

    (void)arg;
    if (job_is_home(job) || !job_begun(job) || (job->bits & JOB_EVICTED) ||
        (byred.on_owner == ON_OWNER_REQUEUE && !job_is(job, BYRE__JOB_RESTARTABLE))) {
        return;
    }
    snprintf(line, sizeof line, "byre: the owner of %s is back; the job is ended in %u s",
             member_name(members_self()), byred.grace_ms / 1000);
    stream_say(job, line);
    byred_log("%s is ended: the owner is back", job_name(job));
    job->bits |= JOB_EVICTED;
    run_kill(job, byred.grace_ms);
}

static void come(const char *reason)
{
    byred_log("the owner is there (%s): no guests", reason);
    tell_pool();
    queue_return_guests();
}

static void look_for_owner(void)
{
    char why[96];
    const char *reason = byred.on_owner == ON_OWNER_IGNORE
                             ? NULL
                             : byre__owner_is_there(&byred.load, &byred.owner_rule, why);
    bool was_there = there;

    there = reason != NULL;
    if (there && !was_there) {
        come(reason);
    } else if (was_there && !there) {
        byred_log("the owner has gone: guests are welcome");
        tell_pool();
        byred.work |= WORK_DEPARTED | WORK_QUEUE;
    }
    if (there) { /* each time: a guest may have been about to begin when the owner came */
        jobs_each(evict, NULL);
    }
}

void owner_tick(void)
{
    bool often = byred.on_owner != ON_OWNER_IGNORE || jobs_running() > 0;

    next_at = byred_now() + (often ? OFTEN_S : SELDOM_S);
    if (byre__meter_read(meter, own_cpu_s(), &byred.load) == 0 && byred.ready && !byred.ending) {
        look_for_owner();
    }
    if (byred.ready) {
        clean_look();
    }
}

double owner_due(void)
{
    return next_at;
}
