/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service thread runs for microseconds, and must run soon. Real-time at the lowest priority gets a
 * busy core within a wake-up; a short slice (since Linux 6.12) makes the fair scheduler pick it
 * earlier. All locks that it shares with other threads put the waiter to sleep, so real-time
 * priority cannot starve the one that holds them.
 *
 * But a thread that is busy all the time is not urgent, and at real-time priority it would keep the
 * application from running. So urgency is earned by sleeping and spent by being awake (a leaky
 * bucket); who has none left is scheduled as everybody else.
 */
#include "urgency.h"

#include "env.h"
#include "log.h"
#include "progress.h"
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLICE_NS = 100000, MOST_CREDIT_NS = 1000000, SLEEP_PER_CREDIT = 4 };

static struct {
    bool permitted, urgent;
    uint64_t since_ns; /* it has been awake, or asleep */
    int64_t credit_ns;
} thread;

struct sched_attributes { /* of sched_setattr(2); glibc 2.36 has no wrapper */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

/* Not for the threads that it creates (pop-up threads run the application's code). */
static bool set_scheduling(uint32_t policy, uint32_t priority, uint64_t slice_ns)
{
    enum { RESET_ON_FORK = 1 };
    struct sched_attributes wanted = { .size = sizeof wanted,
                                       .policy = policy,
                                       .flags = RESET_ON_FORK,
                                       .priority = priority,
                                       .runtime = slice_ns };
    return syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;
}

static bool be_urgent(void)
{
    thread.urgent = set_scheduling(SCHED_FIFO, 1, 0);
    return thread.urgent;
}

static bool be_ordinary(void)
{
    thread.urgent = false;
    return set_scheduling(SCHED_OTHER, 0, SLICE_NS);
}

void byre__urgency_spend(void)
{
    uint64_t now = byre__now_ns();
    thread.credit_ns -= (int64_t)(now - thread.since_ns);
    thread.since_ns = now;
    if (thread.urgent && thread.credit_ns < 0) (void)be_ordinary();
}

void byre__urgency_earn(void)
{
    uint64_t now = byre__now_ns();
    thread.credit_ns += (int64_t)((now - thread.since_ns) / SLEEP_PER_CREDIT);
    thread.since_ns = now;
    if (thread.credit_ns > MOST_CREDIT_NS) thread.credit_ns = MOST_CREDIT_NS;
    if (thread.permitted && !thread.urgent && thread.credit_ns > MOST_CREDIT_NS / 2)
        (void)be_urgent();
}

const char *byre__urgency_begin(void)
{
    const char *wanted = byre__env_string(BYRE__ENV_SERVICE_SCHED);
    (void)prctl(PR_SET_TIMERSLACK, 1);
    thread.since_ns = byre__now_ns();
    thread.credit_ns = MOST_CREDIT_NS;
    thread.permitted = strcmp(wanted, "other") != 0 && be_urgent();
    if (thread.permitted) return "fifo";
    if (strcmp(wanted, "fifo") == 0)
        byre__error("BYRE_SERVICE_SCHED=fifo is not permitted here (it needs CAP_SYS_NICE or "
                    "`ulimit -r 1`): the service thread runs as SCHED_OTHER");
    return be_ordinary() ? "other, short slice" : "other";
}
