/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * down.c - the end of the pool: byre down, and SIGTERM to one daemon.
 *
 *   asked --- WIRE_DOWN to all ---> each: nothing begins any more; with `kill' its jobs are ended
 *   each, when nothing is left to write (or its time is up): WIRE_BYE to all
 *   all BYEs of those that are up ---> DONE to the client, and the loop ends
 *
 * Jobs that go on are the keeper's, which is told to end once it has none.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "sched/daemon/down.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/run.h"
#include "sched/daemon/wire.h"

#define LOOK_S 0.02
#define KILL_S 15.0 /* for jobs to end, and their ends to be written */
#define BYE_S 20.0  /* for the others to be ready */
enum { GRACE_MS = 2000 };

static struct {
    enum { STAYS, GOES, SAID_BYE, OVER } state;
    bool kill, alone;
    double look_at, kill_by, bye_by;
    uint64_t client; /* its serial; 0: none here asked */
    uint32_t tag;
} down;

/* ---- jobs ---------------------------------------------------------------------------------------- */

/* What this home has is ended wherever it is; a guest only if its home cannot do so. */
static void end_job(job_t *job, void *arg)
{
    (void)arg;
    if (job_is_home(job) && job_is_open(job)) {
        finish_force(job, SIGTERM, GRACE_MS);
    } else if (!job_is_home(job) && job_begun(job) && !member_up(job->home)) {
        run_kill(job, GRACE_MS);
    }
}

static bool nothing_left(void)
{
    return ledger_backlog(byred.ledger) == 0 &&
           (!down.kill || (jobs_home_count() == 0 && jobs_running() == 0));
}

/* ---- steps --------------------------------------------------------------------------------------- */

static void begin(bool kill)
{
    if (down.state != STAYS) {
        return;
    }
    byred_log("the pool goes down; jobs %s", kill ? "are ended" : "go on");
    down.state = GOES;
    down.kill = kill;
    down.kill_by = byred_now() + KILL_S;
    down.bye_by = byred_now() + BYE_S;
    byred.ending = true;
    if (kill) {
        jobs_each(end_job, NULL);
    }
}

static void say_bye(void)
{
    keeper_quit(down.kill);
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_up(rank)) {
            wire_send(rank, WIRE_BYE, 0, NULL);
        }
    }
    down.state = SAID_BYE;
}

static bool all_are_ready(void)
{
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_up(rank) && !member_at(rank)->bye) {
            return false;
        }
    }
    return true;
}

void down_asked(client_t *client, uint32_t tag, byre__unpack_t *payload)
{
    byre__pack_t pack = { 0 };
    uint8_t how = byre__unpack_u8(payload);

    down.client = client->serial;
    down.tag = tag;
    byre__pack_u8(&pack, how);
    for (int rank = 0; rank < members_count(); rank++) {
        if (rank != members_self() && member_up(rank)) {
            wire_send(rank, WIRE_DOWN, 0, &pack);
        }
    }
    byre__pack_fini(&pack);
    begin(how == 1);
}

void down_heard(int how)
{
    begin(how == 1);
}

void down_bye(int rank)
{
    member_at(rank)->bye = true;
}

void down_signal(void)
{
    byred_log("told to end by a signal; jobs go on");
    down.alone = true;
    down.state = OVER;
    byred.ending = true;
}

/* A socket that is gone says that the whole pool is: clients need not wonder whether this daemon has crashed, and
 * who started mpirun knows that nothing is left for it to wait for. */
static void remove_socket(void)
{
    char path[BYRE__STATE_PATH + 16];

    snprintf(path, sizeof path, "%s/byred.sock", byred.dir);
    (void)unlink(path);
}

/* The last round of the loop sends the answer. */
static void end_all(void)
{
    remove_socket();
    client_t *client = down.client != 0 ? client_by_serial(down.client) : NULL;

    if (client != NULL) {
        client_say(client, BYRE__SAY_DONE, down.tag, NULL);
    }
    down.state = OVER;
}

void down_tick(void)
{
    down.look_at = byred_now() + LOOK_S;
    if (down.state == GOES && (nothing_left() || byred_now() > down.kill_by)) {
        say_bye();
    } else if (down.state == SAID_BYE && (all_are_ready() || byred_now() > down.bye_by)) {
        end_all();
    }
}

double down_due(void)
{
    return down.state == STAYS ? INFINITY : down.look_at;
}

bool down_over(void)
{
    return down.state == OVER;
}

bool down_alone(void)
{
    return down.alone || !all_are_ready();
}
