/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.h - byred: the daemon that one node of a pool has. What its files share.
 *
 * Source tour, in the order in which a job meets them:
 *
 *   main.c         options, start and end                client.c       connections from this node
 *   loop.c         waits for descriptors and deadlines   ask*.c         what clients ask; the pool answers
 *   jobs.h         WHAT A JOB IS HERE: its states        stream.c       stdin, stdout, stderr, signals
 *   context.c      what many jobs have in common         members.c      the nodes and who is up
 *   arrive.c       from submission to a node             wire.h         what daemons say to one another
 *   host.c         the policy's world: probes, claims    wire.c         who handles which frame
 *   queue.c        jobs that wait here for processors    recover.c      start-up: ledger, keeper, peers
 *   run.c          permission, start, end                owner.c        load, and the node's owner
 *   keeper_link.c  the keeper, which has the processes   down.c         the end of the pool
 *   ledger.h       what is on disk                       peer.h         frames between nodes
 *   takeover.c     from a daemon of earlier that is still there
 *
 * One thread runs all of it, and never waits for anything but its descriptors and deadlines. Others:
 * the ledger's writer, which hands back results in ledger_reap, and the runtime's service thread, whose handlers
 * only fill the inbox of peer.h.
 *
 * Invariants (see also jobs.h)
 *   D1 Only a job's home decides about it. Other nodes do what it permits, and keep what it has to know.
 *   D2 Nothing is decided about placing before this node has heard what all others hold (byred.ready).
 *   D3 No call upwards into the policy, and no walk over the queue, from inside another: byred.work says
 *      what is due, and loop.c does it at the top.
 */
#ifndef BYRED_H
#define BYRED_H

#include <byre_errors.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/node.h"
#include "sched/place/place.h"
#include "sched/policy/policy.h"
#include "sched/state.h"
#include "sched/daemon/ledger.h"
#include "sched/daemon/load.h"

enum byred_on_owner { ON_OWNER_IGNORE, ON_OWNER_WARN_KILL, ON_OWNER_REQUEUE };

enum byred_work {
    WORK_QUEUE = 1,    /* something may fit now: queue_run */
    WORK_DEPARTED = 2, /* the policy is to hear that the load has become less */
    WORK_ARRIVALS = 4, /* jobs wait for the policy */
    WORK_SYNC = 8      /* changes wait for ledger_sync */
};

typedef struct byred {
    /* as started */
    const char *pool;
    char dir[BYRE__STATE_PATH];
    const byre__policy_t *policy;
    byre__policy_params_t params;
    const char *place;
    uint32_t slots;
    bool smt, bind;
    enum byred_on_owner on_owner;
    byre__owner_rule_t owner_rule;
    uint32_t grace_ms; /* between TERM and KILL when the owner is back */
    uint32_t keep;     /* ended jobs in the ledger */
    char keeper_path[BYRE__STATE_PATH];

    /* now */
    ledger_t *ledger;
    byre__placer_t *placer;
    bool ready;     /* all have told what they hold: jobs may be placed, clients are answered */
    bool ending;    /* byre down: nothing begins any more */
    unsigned work;  /* enum byred_work */
    uint64_t up_ms; /* when this daemon began */
    byre__tally_t tally;
    byre__load_t load;
} byred_t;

extern byred_t byred;

double byred_now(void);  /* seconds, never backwards; read once a round of the loop */
void byred_clock(void);  /* read it */
uint64_t byred_ms(void); /* since 1970 */

/* Cut off where there is no room. */
void byred_copy(char *to, size_t room, const char *from);

/* A line of byred.log. */
bool byred_log_open(const char *path);
__attribute__((format(printf, 1, 2))) void byred_log(const char *format, ...);
/* Into the log, and to mpirun's, where `byre up' looks for what kept a daemon from its work: it knows these lines by
 * their first word (sched/cmd/launch_log.c). node: this one's, or "". */
void byred_complain(const char *node, const char *text);

/* ---- loop.c ---- */

typedef void (*loop_fn)(void *arg, uint32_t events);
typedef struct loop_watch {
    int fd;
    uint32_t events;
    loop_fn fn;
    void *arg;
} loop_watch_t;

bool loop_open(void); /* false: the log says why */
bool loop_add(loop_watch_t *watch,
              uint32_t events); /* fd, fn and arg are set; it stays where it is */
void loop_change(loop_watch_t *watch, uint32_t events);
void loop_remove(loop_watch_t *watch); /* and sets fd to -1, without closing it */
/* Until down.c says that all is over: the exit status. */
int loop_run(void);

#endif
