/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * up.h - `byre up': a daemon on each node, started by mpirun, which goes on when this command has ended. What its files
 * share.
 *
 *   up.c          options, what is there already, and the start
 *   up_hosts.c    which nodes
 *   up_await.c    until they are up
 *   launch*.c     mpirun and the daemons as processes; guard.c, hosts.c
 *
 * The pool is up when the daemon of this node says that all are: it answers nobody before it has heard the others.
 */
#ifndef BYRE__SCHED_CMD_UP_H
#define BYRE__SCHED_CMD_UP_H

#include <limits.h>

#include "launch.h"

typedef struct up_request {
    const char *name, *hosts, *hostfile;
    double wait_s;
    char *byred[32]; /* options that go to the daemons */
    int byred_count;
    char remembered[PATH_MAX + 64];
} up_request_t;

extern byre__cmd_t up_command;

/* ---- up_hosts.c ---- */
void up_hosts_remember(const up_request_t *request, const char *dir);
/* After a crash, unless it was told: those of the last byre up. */
void up_hosts_recall(up_request_t *request, const char *dir);
/* Jobs go through the daemon of the node one is on: there must be one here. BYRE__CMD_OK or _FAILED, after a
 * complaint. */
int up_hosts_check(const up_request_t *request);

/* ---- up_await.c ---- */
double up_now_s(void); /* monotonic */
/* Until all nodes are up: *sched_out. BYRE__CMD_OK or _FAILED, after a complaint. A daemon that answers has
 * heard all others, or that they are gone: who is not up then will not be. */
int up_await(const up_request_t *request, const char *pool, const char *dir, pid_t mpirun,
             byre_sched_t **sched_out);

#endif
