/* SPDX-License-Identifier: BSD-3-Clause */
/* up_await.c - until the daemons that mpirun was told to start are up, or why they are not; see up.h. */
#include "up.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ASK_MS = 500 };

double up_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The line of progress, before something else is said. */
static void clear_line(void)
{
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

/* mpirun has ended before the pool was up: in its own words. */
static int tell_failure(const char *dir, int status)
{
    clear_line();
    byre__cmd_fail(&up_command, "mpirun could not start the daemons%s; it says:",
                   WIFSIGNALED(status) ? " (it was killed)" : "");
    launch_show_log(dir, 0);
    return BYRE__CMD_FAILED;
}

static int tell_timeout(const up_request_t *request, const char *dir, const char *pool)
{
    bool found;

    clear_line();
    byre__cmd_fail(
        &up_command,
        "after %.0f s the daemon of this node does not answer (is this machine one of the "
        "nodes? can they reach each other? --wait gives more time). What mpirun says:",
        request->wait_s);
    launch_show_log(dir, 0);
    (void)launch_down(&up_command, pool, dir, false, &found);
    return BYRE__CMD_FAILED;
}

/* A daemon went on without those that could not start: the pool stays as it is. */
static int tell_incomplete(const char *dir, const byre_sched_t *sched)
{
    byre__cmd_fail(&up_command,
                   "only %u of %u nodes are up, and can be used; `byre nodes' tells which, and "
                   "another `byre up' tries again. What the others said:",
                   sched->nodes_up, sched->nodes);
    launch_show_log(dir, sched->nodes - sched->nodes_up);
    return BYRE__CMD_FAILED;
}

static int tell_not_here(const char *dir)
{
    clear_line();
    byre__cmd_fail(&up_command, "the daemon of this node could not start (those of other nodes may "
                                "have, and go on until the next `byre up'). It said:");
    launch_show_log(dir, 0);
    return BYRE__CMD_FAILED;
}

/* Had this node a daemon, which is there no more? Looks seldom, since it reads all of /proc. */
static bool daemon_ended(const char *pool, bool *seen)
{
    static unsigned calls;
    pid_t pid;
    bool there;

    if (calls++ % 8 != 0) return false;
    there = launch_daemons(pool, &pid, 1) > 0;
    *seen |= there;
    return *seen && !there;
}

int up_await(const up_request_t *request, const char *pool, const char *dir, pid_t mpirun,
             byre_sched_t **sched_out)
{
    static const struct timespec nap = { 0, 30000000 };
    double begin = up_now_s();
    bool terminal = isatty(STDERR_FILENO), seen = false;
    char why[BYRE__CLIENT_WHY];
    int status;

    for (;;) {
        if (waitpid(mpirun, &status, WNOHANG) == mpirun) return tell_failure(dir, status);
        if (byre__client_open(pool, ASK_MS, sched_out, why) == BYRE_OK) break;
        if (daemon_ended(pool, &seen)) return tell_not_here(dir);
        if (up_now_s() - begin > request->wait_s) return tell_timeout(request, dir, pool);
        if (terminal && up_now_s() - begin > 0.5)
            fprintf(stderr, "\rstarting the daemons ... %.0f s\033[K", up_now_s() - begin);
        (void)nanosleep(&nap, NULL);
    }
    clear_line();
    if ((*sched_out)->nodes_up < (*sched_out)->nodes) return tell_incomplete(dir, *sched_out);
    return BYRE__CMD_OK;
}
