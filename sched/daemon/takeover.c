/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * takeover.c - the ledger, though a daemon of earlier may still have it.
 *
 * When the node of mpirun crashes, the other daemons go on. mpirun's own daemons end them, but only once they notice,
 * which may take minutes; and the `byre up' that comes after the crash knows nothing of them. So the new daemon
 * waits for the lock of the ledger, and ends the old one when
 *   - it says that nodes of its pool are gone; it may have to notice that first, or
 *   - it has not answered for HUNG_S.
 * A daemon whose pool is whole keeps its ledger, and this one gives up after PATIENCE_S.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <byre_errors.h>

#include "sched/client.h"
#include "sched/daemon/daemon.h"
#include "sched/daemon/takeover.h"

#define PATIENCE_S 20.0 /* longer than it takes to notice that a node is gone */
#define HUNG_S 6.0
enum { ASK_MS = 500, LOOK_MS = 100 };

/* Who listens on the daemon's socket of our directory; 0: nobody. */
static pid_t listener(void)
{
    struct ucred who = { 0 };
    socklen_t bytes = sizeof who;
    int fd = byre__unix_connect(byred.dir, "byred.sock");

    if (fd < 0) {
        return 0;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) {
        who.pid = 0;
    }
    close(fd);
    return who.pid;
}

static void end_it(pid_t pid, int signal, const char *why)
{
    byred_log("the daemon of earlier (process %d) %s: it is ended", (int)pid, why);
    if (pid > 0 && kill(pid, signal) != 0) {
        byred_log("it cannot be ended: %m");
    }
}

/* One look at it. true: it has been told to end. */
static bool look(double *silent_since)
{
    char why[BYRE__CLIENT_WHY];
    byre_sched_t *old = NULL;
    bool told = false;
    pid_t pid;

    if (byre__client_open(byred.pool, ASK_MS, &old, why) == BYRE_OK) {
        *silent_since = byred_now();
        told = old->nodes_up < old->nodes;
        if (told) {
            end_it(byre__client_daemon(old), SIGTERM, "belongs to a pool of which nodes are gone");
        }
        byre_sched_close(old);
    } else if (byred_now() - *silent_since > HUNG_S && (pid = listener()) > 0) {
        end_it(pid, SIGKILL, "does not answer");
        told = true;
    }
    return told;
}

int takeover_ledger(char error_out[static 256])
{
    static const struct timespec nap = { 0, LOOK_MS * 1000000L };
    double begin, silent_since;
    bool told = false;
    int error;

    byred_clock();
    begin = silent_since = byred_now();
    for (;;) {
        error = ledger_open(byred.dir, &byred.ledger, error_out);
        if (error != BYRE_EBUSY || byred_now() - begin > PATIENCE_S) {
            return error;
        }
        told = told || look(&silent_since);
        (void)nanosleep(&nap, NULL);
        byred_clock();
    }
}
