/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guard.c - the parent of mpirun, which stays with it.
 *
 * mpirun does not end by itself when a node of its has crashed, although all its daemons that are left have ended.
 * They may have been told so on another node, where nobody can reach this mpirun. A daemon that ends as it should
 * removes its socket: then mpirun is given some seconds, and ended. A daemon that was killed leaves its socket, and
 * mpirun goes on for the daemons of the other nodes.
 */
#include "launch.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/state.h"

enum { SETTLE_MS = 1000, GO_MS = 5000, TERM_MS = 3000 };

/* Wait for the process's end: true; false when the time is up. */
static bool ended(int process, int timeout_ms)
{
    struct pollfd ready = { .fd = process, .events = POLLIN };

    return poll(&ready, 1, timeout_ms) > 0;
}

/* Something in the directory was removed: was it the socket, and for good? A new daemon makes it anew. */
static bool socket_is_gone(int watch, int process, const char *path)
{
    char events[4096];

    (void)!read(watch, events, sizeof events);
    return access(path, F_OK) != 0 && !ended(process, SETTLE_MS) && access(path, F_OK) != 0;
}

int guard_run(const char *dir, pid_t mpirun)
{
    char path[BYRE__STATE_PATH + 16];
    int process = (int)syscall(SYS_pidfd_open, mpirun, 0), watch = inotify_init1(IN_CLOEXEC),
        status = 0;
    bool was_there = false;

    snprintf(path, sizeof path, "%s/byred.sock", dir);
    if (process >= 0 && watch >= 0 && inotify_add_watch(watch, dir, IN_DELETE | IN_CREATE) >= 0) {
        struct pollfd at[2] = { { process, POLLIN, 0 }, { watch, POLLIN, 0 } };

        while (poll(at, 2, -1) < 0 || !at[0].revents) {
            was_there |= access(path, F_OK) == 0;
            if (!at[1].revents || !socket_is_gone(watch, process, path) || !was_there) continue;
            if (!ended(process, GO_MS)) (void)kill(mpirun, SIGTERM);
            if (!ended(process, TERM_MS)) (void)kill(mpirun, SIGKILL);
            break;
        }
    }
    while (waitpid(mpirun, &status, 0) < 0) {
        if (waitpid(mpirun, &status, WNOHANG) < 0) break;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
