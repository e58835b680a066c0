/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * down.c - `byre down': the end of a pool, in whatever state it is.
 *
 * The daemons are asked; then this machine's daemon, and mpirun if it was started here, are waited for, asked
 * and killed, each for a bounded time. A keeper whose daemon is dead is told by us.
 */
#include "launch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/state.h"

static byre__cmd_t command;

enum {
    HELLO_MS = 5000,
    DOWN_MS = 45000,
    GO_MS = 5000,
    GO_BROKEN_MS = 500,
    KEEPER_MS = 15000,
    DAEMONS_MAX = 64
};

/* Ask the daemon. *pid_out: its process, or 0. *asked_out: it has done as told. *whole_out: no node is gone. */
static int ask_daemon(const byre__cmd_t *cmd, const char *pool, bool kill, pid_t *pid_out,
                      bool *asked_out, bool *whole_out)
{
    char why[BYRE__CLIENT_WHY];
    byre_sched_t *sched;
    byre__pack_t ask = { 0 };
    byre__frame_t frame;
    byre__unpack_t say;
    uint32_t tag;
    int error = byre__client_open(pool, HELLO_MS, &sched, why);

    if (error == BYRE_ERIGHT || error == BYRE_EINVAL) return byre__cmd_fail(cmd, "%s", why);
    if (error != BYRE_OK) return BYRE__CMD_OK; /* dead, or as good as dead */
    *pid_out = byre__client_daemon(sched);
    *whole_out = sched->nodes_up == sched->nodes;
    byre__pack_u8(&ask, kill);
    error = byre__client_ask(sched, BYRE__ASK_DOWN, &ask, &tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK) error = byre__client_answer(sched, tag, DOWN_MS, &frame, &say);
    *asked_out = error == BYRE_OK || error == BYRE_EPEER; /* it may go before it has told us */
    if (!*asked_out) share_failed(cmd, sched);
    byre_sched_close(sched);
    return BYRE__CMD_OK;
}

/* Its daemon is dead: asked to end by us, it kills its jobs, notes how they ended for the next daemon, and ends.
 * false: there was none. */
static bool end_keeper(const byre__cmd_t *cmd, const char *dir)
{
    struct ucred who = { 0 };
    socklen_t bytes = sizeof who;
    int fd = byre__unix_connect(dir, "keeper.sock");

    if (fd < 0) return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) who.pid = 0;
    close(fd);
    if (who.pid <= 0) return false;
    byre__cmd_fail(cmd, "the daemon was dead: the keeper of the jobs is told to kill them");
    (void)kill(who.pid, SIGTERM);
    if (!launch_await_end(who.pid, KEEPER_MS))
        byre__cmd_fail(cmd, "it (process %d) has not ended yet: see keeper.log in %s", (int)who.pid,
                       dir);
    return true;
}

static void end_daemons(const byre__cmd_t *cmd, const char *pool, pid_t known, bool *found)
{
    pid_t pids[DAEMONS_MAX];
    int n;

    if (known > 0 && !launch_await_end(known, GO_MS)) launch_make_end(cmd, "the daemon", known);
    n = launch_daemons(pool, pids, DAEMONS_MAX);
    for (int i = 0; i < n; i++) {
        *found = true;
        if (!launch_await_end(pids[i], known > 0 ? GO_MS : 0))
            launch_make_end(cmd, "a daemon", pids[i]);
    }
}

static void remove_file(const char *dir, const char *name)
{
    char path[BYRE__STATE_PATH + 16];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)unlink(path);
}

int launch_down(const byre__cmd_t *cmd, const char *pool, const char *dir, bool kill,
                bool *found_out)
{
    pid_t daemon = 0, mpirun = launch_running(dir);
    bool asked = false, whole = false;
    int status = ask_daemon(cmd, pool, kill, &daemon, &asked, &whole);

    if (status != BYRE__CMD_OK) return status;
    *found_out = daemon > 0 || mpirun > 0;
    /* mpirun goes when its daemons have; not if it waits for a node that is gone, as it mostly does. */
    if (mpirun > 0 && !launch_await_end(mpirun, !asked ? 0 : whole ? GO_MS : GO_BROKEN_MS))
        launch_make_end(cmd, "mpirun", mpirun);
    end_daemons(cmd, pool, daemon, found_out);
    if (kill && !asked) *found_out |= end_keeper(cmd, dir);
    remove_file(dir, "byred.sock");
    remove_file(dir, "mpirun.pid");
    return BYRE__CMD_OK;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static int down(const char *name, bool kill)
{
    const char *pool = byre__state_pool(name);
    char dir[BYRE__STATE_PATH] = "";
    bool found = false;
    int error, status;

    if (pool == NULL)
        return byre__cmd_misuse(&command, "a pool's name has 1 to 32 of a-z A-Z 0-9 _ - and .");
    error = byre__state_dir(pool, false, dir);
    if (error == BYRE_ERIGHT)
        return byre__cmd_fail(&command, "the pool in %s belongs to another user", dir);
    if (error == BYRE_ESYSTEM && errno == ENOENT)
        return byre__cmd_fail(&command, "no pool `%s' is up on this node", pool);
    if (error != BYRE_OK) return byre__cmd_fail(&command, "%s: %s", dir, strerror(errno));
    status = launch_down(&command, pool, dir, kill, &found);
    if (status != BYRE__CMD_OK) return status;
    remove_file(dir, "up.hosts");
    if (!found) return byre__cmd_fail(&command, "no pool `%s' is up on this node", pool);
    return BYRE__CMD_OK;
}

typedef struct request {
    const char *name;
    bool kill;
} request_t;

static int take_option(void *arg, int option)
{
    request_t *request = arg;

    if (option == 'k') request->kill = true;
    if (option == 'n') request->name = optarg;
    return BYRE__CMD_OK;
}

static const struct option table[] = { { "kill", no_argument, NULL, 'k' },
                                       { "name", required_argument, NULL, 'n' },
                                       { "pool", required_argument, NULL, 'n' },
                                       { NULL, 0, NULL, 0 } };
static const options_t options = { ":", table, take_option, true };

static int run(int argc, char **argv)
{
    request_t request = { 0 };
    int status = options_read(&command, &options, argc, argv, &request);

    return status == BYRE__CMD_OK ? down(request.name, request.kill) : status;
}

static byre__cmd_t command = {
    .name = "down",
    .synopsis = "[--kill] [--name N]",
    .summary = "end a pool's daemons; jobs go on, or are killed",
    .details = "  --kill    kill all jobs as well, those that wait included\n"
               "  --name N  the pool; without it $BYRE_POOL, or `pool'\n\n"
               "Jobs that run go on without daemons, those that wait stay on the disk: the next "
               "`byre up' takes\n"
               "both back. When nodes or daemons have crashed, what is left of the pool is ended, "
               "and said.\n"
               "mpirun may wait for ever for a node that is gone; `byre down' ends it on the "
               "machine where\n"
               "`byre up' was typed.\n\n"
               "examples: byre down; byre down --kill --name tests\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
