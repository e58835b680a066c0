/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - one round after the other: frames that have come, what is pending for processes, answers; then wait.
 *
 * What is freed in a round is freed at its end: an event that epoll has already handed out may name it.
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64 };

/* ---- small things ----------------------------------------------------------------------------------------- */

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t keeper_clock_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t keeper_date_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

void keeper_log(const char *format, ...)
{
    char line[1024], date[32] = "";
    va_list args;
    time_t now = time(NULL);
    struct tm parts;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (localtime_r(&now, &parts) != NULL) strftime(date, sizeof date, "%F %T", &parts);
    (void)!dprintf(STDERR_FILENO, "%s %s\n", date, line);
}

void keeper_watch(keeper_t *k, keeper_watch_t *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    if (watch->events == events || watch->fd < 0) return;
    int how = events == 0 ? EPOLL_CTL_DEL : watch->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(k->epoll, how, watch->fd, &event) != 0)
        keeper_log("epoll_ctl: %s", strerror(errno));
    watch->events = events;
}

/* ---- signals ------------------------------------------------------------------------------------------------ */

static void reap(keeper_t *k)
{
    int status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        if (keeper_tmp_reaped(k, pid, status)) continue;
        keeper_job_t *job = keeper_job_by_pid(k, pid);
        if (job != NULL) keeper_job_reaped(k, job, status, &usage);
    }
    keeper_reach_leavers(k);
}

static void leave(keeper_t *k, int number)
{
    keeper_log("told to end by signal %d: %zu jobs are killed", number, k->unended);
    k->leaving = true;
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next)
        keeper_reach_kill(k, job, KEEPER_GRACE_MS);
}

static void on_signals(keeper_t *k)
{
    struct signalfd_siginfo info[16];
    bool children = false;
    ssize_t n = read(k->signals.fd, info, sizeof info);
    for (size_t i = 0; n > 0 && i < (size_t)n / sizeof info[0]; i++) {
        if (info[i].ssi_signo == SIGCHLD)
            children = true;
        else if (!k->leaving)
            leave(k, (int)info[i].ssi_signo);
    }
    if (children) reap(k);
}

/* ---- rounds --------------------------------------------------------------------------------------------------- */

static void dispatch(keeper_t *k, keeper_watch_t *watch, uint32_t events)
{
    if (watch->fd < 0 || watch->events == 0) return; /* closed in this round */
    switch (watch->what) {
    case KEEPER_LISTEN:
        keeper_talk_accept(k);
        break;
    case KEEPER_DAEMON:
        keeper_talk_event(k, events);
        break;
    case KEEPER_SIGNALS:
        on_signals(k);
        break;
    case KEEPER_STDIN:
        keeper_stream_writable(k, watch->job);
        break;
    case KEEPER_OUT:
        keeper_stream_readable(k, watch->job, (keeper_out_t *)watch);
        break;
    }
}

static bool finished(const keeper_t *k)
{
    if (k->remover > 0 || k->refuse) return false;
    if (k->leaving) return k->unended == 0;
    return k->quitting && k->count == 0 && k->stream.fd < 0;
}

static int patience_ms(const keeper_t *k, bool more)
{
    uint64_t at_ms = k->next_at_ms;
    if (more || k->attention) return 0;
    if (k->refuse && k->remover <= 0 && k->remove_at_ms < at_ms) at_ms = k->remove_at_ms;
    if (at_ms == UINT64_MAX) return -1;
    uint64_t now = keeper_clock_ms();
    if (at_ms <= now) return 0;
    return at_ms - now > 60000 ? 60000 : (int)(at_ms - now);
}

int keeper_run(keeper_t *k)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        bool more = keeper_talk_frames(k);
        keeper_reach_round(k);
        keeper_tmp_round(k);
        keeper_talk_flush(k);
        keeper_job_bury(k);
        if (finished(k)) return 0;
        int n = epoll_wait(k->epoll, events, EVENTS, patience_ms(k, more));
        if (n < 0 && errno != EINTR) {
            keeper_log("epoll_wait: %s; the keeper ends", strerror(errno));
            return 1;
        }
        for (int i = 0; i < n; i++) dispatch(k, events[i].data.ptr, events[i].events);
    }
}
