/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - one thread, one epoll set, one deadline: the earliest of all files' own.
 *
 * A round: wait, hand out events, tick who is due, then do what has become due (byred.work) until nothing is,
 * then write what has been said. Nothing in it blocks but the wait.
 */
#include <errno.h>
#include <math.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/ask.h"
#include "sched/daemon/down.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/run.h"

static int epoll_fd = -1;
static double now_s;

void byred_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    now_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double byred_now(void)
{
    return now_s;
}

uint64_t byred_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) {
        byred_log("there can be no loop: %m");
    }
    byred_clock();
    return epoll_fd >= 0;
}

bool loop_add(loop_watch_t *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    watch->events = events;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void loop_change(loop_watch_t *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };

    if (watch->events != events && watch->fd >= 0) {
        watch->events = events;
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    }
}

void loop_remove(loop_watch_t *watch)
{
    if (watch->fd >= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
        watch->fd = -1;
    }
}

/* ---- deadlines --------------------------------------------------------------------------------- */

static const struct {
    double (*due)(void);
    void (*tick)(void);
} ticking[] = { { arrive_due, arrive_tick }, { host_due, host_tick },
                { keeper_due, keeper_tick }, { sync_due, sync_tick },
                { owner_due, owner_tick },   { log_due, log_tick },
                { down_due, down_tick },     { finish_due, finish_tick } };

enum { TICKING = sizeof ticking / sizeof ticking[0] };

static int wait_ms(void)
{
    double earliest = INFINITY;

    for (int i = 0; i < TICKING; i++) {
        earliest = fmin(earliest, ticking[i].due());
    }
    byred_clock();
    if (earliest - now_s > 60) {
        return 60000;
    }
    return earliest <= now_s ? 0 : (int)ceil((earliest - now_s) * 1000);
}

static void tick(void)
{
    for (int i = 0; i < TICKING; i++) {
        if (ticking[i].due() <= now_s) {
            ticking[i].tick();
        }
    }
}

/* ---- a round ----------------------------------------------------------------------------------- */

static void work(void)
{
    for (int rounds = 0; byred.work != 0 && rounds < 100; rounds++) {
        unsigned due = byred.work;

        byred.work = 0;
        if (due & WORK_ARRIVALS) {
            arrive_run();
        }
        if (due & WORK_DEPARTED) {
            host_departed();
        }
        if (due & WORK_QUEUE) {
            queue_run();
        }
        if (due & WORK_SYNC) {
            sync_run();
        }
    }
}

int loop_run(void)
{
    struct epoll_event events[64];

    while (!down_over()) {
        int count = epoll_wait(epoll_fd, events, 64, byred.work != 0 ? 0 : wait_ms());

        if (count < 0 && errno != EINTR) {
            byred_log("epoll_wait failed: %m");
            return 1;
        }
        byred_clock();
        for (int i = 0; i < count; i++) {
            loop_watch_t *watch = events[i].data.ptr;

            if (watch->fd >= 0) { /* not removed by one of the others */
                watch->fn(watch->arg, events[i].events);
            }
        }
        tick();
        work();
        keeper_flush();
        clients_flush();
    }
    return 0;
}
