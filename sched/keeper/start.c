/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * start.c - how the keeper becomes a process of its own, and how it stays the only one.
 *
 * 1. DIR/keeper.lock is locked as long as the keeper lives; a child has the lock too until it is another program,
 *    so who gets it knows that all children of the last keeper carry their marks.
 * 2. The caller hears only when the keeper listens, or from the lock that it does: its first line is the
 *    number of the process, and then "listening".
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 30000, LOOK_MS = 10 };

static int lock_fd = -1; /* for keeper_start_ready; held until the process ends */

/* ---- daemon ------------------------------------------------------------------------------------------- */

/* The caller: waits for one line, then ends. */
_Noreturn static void wait_for_word(int fd, pid_t child)
{
    char text[512];
    size_t bytes = 0;
    for (ssize_t n = 1; n != 0 && bytes < sizeof text - 1;) {
        n = read(fd, text + bytes, sizeof text - 1 - bytes);
        if (n > 0) bytes += (size_t)n;
        if (n < 0 && errno != EINTR) break;
    }
    text[bytes] = '\0';
    waitpid(child, NULL, 0);
    if (strcmp(text, "\n") == 0) _exit(0);
    fprintf(stderr, "byred-keeper: %s",
            bytes > 0 ? text : "it ended before it listened; keeper.log may say why\n");
    _exit(1);
}

int keeper_start_daemon(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) goto fail;
    pid_t child = fork();
    if (child < 0) goto fail;
    if (child > 0) {
        close(ends[1]);
        wait_for_word(ends[0], child);
    }
    close(ends[0]);
    if (setsid() < 0) _exit(1);
    child = fork();
    if (child != 0) _exit(child < 0 ? 1 : 0);
    return ends[1];
fail:
    fprintf(stderr, "byred-keeper: cannot start a process: %s\n", strerror(errno));
    exit(1);
}

void keeper_start_tell(int fd, const char *text)
{
    if (dprintf(fd, "%s\n", text) < 0) keeper_log("nobody waits for this keeper any more");
    close(fd);
}

/* ---- the only one ---------------------------------------------------------------------------------------- */

/* A zombie does not: it may have been killed a moment ago, and its child still have the lock. */
static bool lives(int pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *at = strrchr(text, ')');
    return at != NULL && at[1] == ' ' && at[2] != 'Z' && at[2] != 'X';
}

/* Does the lock's text name a living process that listens? */
static bool somebody_listens(int fd)
{
    char text[64];
    int pid;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "listening") != NULL && sscanf(text, "%d", &pid) == 1 && pid > 0 &&
           lives(pid);
}

static void write_lock(const char *what)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%d %s\n", getpid(), what);
    if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, text, (size_t)n, 0) != n)
        keeper_log("keeper.lock: cannot be written: %s", strerror(errno));
}

int keeper_start_lock(int dir)
{
    int fd = openat(dir, "keeper.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -1;
    for (int waited = 0; waited <= WAIT_MS; waited += LOOK_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            lock_fd = fd;
            write_lock("starting");
            return 1;
        }
        if (errno != EWOULDBLOCK) break;
        if (somebody_listens(fd)) {
            close(fd);
            return 0;
        }
        usleep(LOOK_MS * 1000);
        errno = ETIMEDOUT;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void keeper_start_ready(void)
{
    write_lock("listening");
}

/* ---- neutral ------------------------------------------------------------------------------------------------ */

static void neutral_signals(void)
{
    sigset_t all;
    for (int number = 1; number < _NSIG; number++) signal(number, SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Who started us may be bound to one processor, in a real-time class, or protected from the killer of
 * memory eaters. Each of these is a wish. */
static void neutral_scheduling(void)
{
    unsigned long all[KEEPER_CPUS / KEEPER_WORD];
    struct sched_param normal = { 0 };
    memset(all, 0xff, sizeof all);
    (void)syscall(SYS_sched_setaffinity, 0, sizeof all, all);
    (void)syscall(SYS_set_mempolicy, 0, NULL, 0UL);
    if (sched_getscheduler(0) != SCHED_OTHER) (void)sched_setscheduler(0, SCHED_OTHER, &normal);
    (void)setpriority(PRIO_PROCESS, 0, 0);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "0", 1) != 1) keeper_log("oom_score_adj stays as it was");
        close(fd);
    }
}

static void neutral_limits(keeper_t *k)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 0; i < BYRE__RLIMITS; i++) {
        if (getrlimit((__rlimit_resource_t)i, &limit) != 0) continue;
        k->own_soft[i] = limit.rlim_cur;
        k->own_hard[i] = limit.rlim_max;
    }
}

void keeper_start_neutral(keeper_t *k)
{
    clearenv();
    umask(077);
    neutral_signals();
    neutral_scheduling();
    neutral_limits(k);
}
