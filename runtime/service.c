/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service thread's day:
 *
 *            events: look again (while a core is free)
 *           +-----+
 *           v     |
 *   +--> polling -+---- nothing, and the application was not active since the last look
 *   |       |                                         |
 *   |       | another thread drives, or drove lately  v
 *   |       v                                       deep: sleeps until something happens
 *   +--- napping (kick ends it)                       | (bell, socket, death, heartbeat due)
 *   ^                                                 |
 *   +-------------------------------------------------+
 *
 * Napping keeps it out of the way of threads that move their messages themselves, be it through
 * Byre or through MPI: in a deep sleep every message that comes over a socket would wake it in vain.
 * A nap grows while the same wait goes on.
 */
#include "service.h"

#include "counters.h"
#include "detector.h"
#include "env.h"
#include "log.h"
#include "machine.h"
#include "node.h"
#include "progress.h"
#include "sleep.h"
#include <byre_errors.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LONGEST_NAP_NS = 10000000,
    SPIN_NS = 10000,
    SLICE_NS = 100000,
    MOST_IN_VAIN = 3,
    SHORT_DISTRUST_NS = 10000000,
    LONG_DISTRUST_NS = 200000000
};

static struct {
    pthread_t thread;
    bool running;
    _Atomic int stop, paused;
    _Atomic uint32_t kicks; /* futex word of naps */
    _Atomic int napping;
    _Atomic pid_t tid;
    _Atomic(const char *) scheduling;
    byre__cpuset_t cpus; /* empty: wherever the rank may run */
} service;

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns)
{
    struct timespec limit = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, ns == 0 ? NULL : &limit, NULL, 0);
}

void byre__service_kick(void)
{
    atomic_fetch_add(&service.kicks, 1);
    if (atomic_load(&service.napping))
        (void)syscall(SYS_futex, &service.kicks, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    if (atomic_load(&byre__service_deep)) byre__sleep_wake();
}

void byre__service_rouse(void)
{
    if (atomic_load(&byre__service_deep)) byre__sleep_wake();
}

void byre__service_pause(int pause)
{
    atomic_store(&service.paused, pause);
    byre__service_kick();
}

pid_t byre__service_tid(void)
{
    return atomic_load(&service.tid);
}

const char *byre__service_scheduling(void)
{
    const char *scheduling = atomic_load(&service.scheduling);
    return scheduling != NULL ? scheduling : "none";
}

/* ---- scheduling --------------------------------------------------------------------------- */

struct sched_attributes { /* of sched_setattr(2); glibc 2.36 has no wrapper */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

static bool set_scheduling(uint32_t policy, uint32_t priority, uint64_t slice_ns)
{
    struct sched_attributes wanted = {
        .size = sizeof wanted, .policy = policy, .priority = priority, .runtime = slice_ns
    };
    return syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;
}

/* A thread that runs for microseconds and must run soon. Real-time at the lowest priority gets a
 * busy core within a wake-up; a short slice (since Linux 6.12) makes the fair scheduler pick it
 * earlier. All locks that it shares with other threads put the waiter to sleep, so real-time
 * priority cannot starve the one that holds them. */
static void choose_scheduling(void)
{
    const char *wanted = byre__env_string(BYRE__ENV_SERVICE_SCHED);
    (void)prctl(PR_SET_TIMERSLACK, 1);
    if (strcmp(wanted, "other") != 0 && set_scheduling(SCHED_FIFO, 1, 0)) {
        atomic_store(&service.scheduling, "fifo");
        return;
    }
    if (strcmp(wanted, "fifo") == 0)
        byre__error("BYRE_SERVICE_SCHED=fifo is not permitted here (it needs CAP_SYS_NICE or "
                    "`ulimit -r 1`): the service thread runs as SCHED_OTHER");
    bool slice = set_scheduling(SCHED_OTHER, 0, SLICE_NS);
    atomic_store(&service.scheduling, slice ? "other, short slice" : "other");
}

void byre__service_place(const byre__cpuset_t *ranks, int count, int self,
                         const byre__cpuset_t *outer)
{
    const char *wanted = byre__env_string(BYRE__ENV_SERVICE_CPUS);
    service.cpus = (byre__cpuset_t){ 0 };
    if (strcmp(wanted, "none") == 0) return;
    if (strcmp(wanted, "auto") != 0) {
        if (byre__cpuset_parse(wanted, &service.cpus) != BYRE_OK)
            byre__error("BYRE_SERVICE_CPUS=%s is no list of processors such as 0-3,8: ignored",
                        wanted);
        return;
    }
    byre__service_choice_t choice =
        byre__machine_choose_service_cpus(ranks, count, self, outer, &service.cpus);
    byre__info("service thread: %s", byre__service_choice_text(choice));
}

static void choose_processor(void)
{
    if (byre__cpuset_count(&service.cpus) == 0) return;
    if (byre__machine_bind_self(&service.cpus) != BYRE_OK)
        byre__error("the service thread cannot be bound to the processors chosen for it");
}

/* ---- the thread --------------------------------------------------------------------------- */

static void nap(uint64_t ns)
{
    uint32_t seen = atomic_load(&service.kicks);
    atomic_store(&service.napping, 1);
    if (!atomic_load(&service.stop)) futex_wait(&service.kicks, seen, ns);
    atomic_store(&service.napping, 0);
}

/* Sleep until something happens. progress.c, invariants 4 and 5. True when it was a socket, and what
 * came over it was not for the engine. */
static bool sleep_deep(void)
{
    atomic_store(&byre__service_deep, 1);
    atomic_store(&byre__nodes.mine->service, byre__wake_wishes());
    bool idle = byre__drive_try();
    if (idle) {
        byre__sleep_watch();
        idle = byre__engine_look() == 0;
        byre__drive_end();
    }
    unsigned woken = 0;
    if (idle && !atomic_load(&service.stop) && !atomic_load(&service.paused))
        woken = byre__sleep(byre__sleep_limit_ns());
    atomic_store(&byre__nodes.mine->service, 0);
    atomic_store(&byre__service_deep, 0);
    if (!byre__drive_try()) return woken & BYRE__WOKEN_SOCKET;
    bool died = woken & BYRE__WOKEN_DEATH;
    int happened = byre__engine_look();
    happened += byre__detector_tick(died ? BYRE__TICK_NOW : byre__now_ns());
    byre__drive_end();
    return happened == 0 && (woken & BYRE__WOKEN_SOCKET);
}

/* Poll until nothing comes for a while. False when somebody else drives. */
static bool poll_while_busy(void)
{
    uint64_t quiet_since = 0;
    for (;;) {
        if (!byre__drive_try()) return false;
        int happened = byre__engine_look();
        byre__drive_end();
        byre__count(service_polls);
        if (happened > 0) {
            quiet_since = 0;
            continue;
        }
        if (!byre__cores_spare) return true;
        uint64_t now = byre__now_ns();
        if (quiet_since == 0) quiet_since = now;
        if (now - quiet_since > SPIN_NS) return true;
    }
}

static void keep_off_sockets(void)
{
    if (!byre__drive_try()) return;
    byre__sleep_unwatch();
    byre__drive_end();
}

/* Sockets that wake us in vain, because somebody else receives what comes over them, are not slept
 * on for a while: the longer, the more often it happens. */
struct distrust {
    int in_vain; /* deep sleeps in a row */
    uint64_t for_ns, until_ns;
};

static void trust_sockets(struct distrust *distrust, bool in_vain)
{
    if (!in_vain) {
        *distrust = (struct distrust){ 0 };
        return;
    }
    if (++distrust->in_vain < MOST_IN_VAIN) return;
    distrust->in_vain = 0;
    distrust->for_ns = distrust->for_ns == 0 ? SHORT_DISTRUST_NS : 2 * distrust->for_ns;
    if (distrust->for_ns > LONG_DISTRUST_NS) distrust->for_ns = LONG_DISTRUST_NS;
    distrust->until_ns = byre__now_ns() + distrust->for_ns;
}

static void *day(void *arg)
{
    (void)arg;
    atomic_store(&service.tid, (pid_t)syscall(SYS_gettid));
    choose_scheduling();
    choose_processor();
    uint32_t seen = 0;
    struct distrust distrust = { 0 };
    uint64_t nap_ns = byre__nap_ns;
    while (!atomic_load(&service.stop)) {
        if (atomic_load(&service.paused)) {
            nap(LONGEST_NAP_NS * 10);
            continue;
        }
        bool mine = poll_while_busy();
        uint32_t active = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
        if (mine && active == seen && byre__now_ns() >= distrust.until_ns) {
            trust_sockets(&distrust, sleep_deep());
            nap_ns = byre__nap_ns;
            continue;
        }
        /* The same wait goes on: it needs no help for longer and longer. */
        nap_ns = mine || active != seen ? byre__nap_ns : nap_ns * 2;
        if (nap_ns > LONGEST_NAP_NS) nap_ns = LONGEST_NAP_NS;
        seen = active;
        keep_off_sockets();
        nap(nap_ns);
    }
    return NULL;
}

static int bind_and_create(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&service.thread, NULL, day, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) (void)pthread_setname_np(service.thread, "byre-service"); /* at once: topo */
    return failed == 0 ? BYRE_OK : BYRE_ENOMEM;
}

int byre__service_init(void)
{
    atomic_store(&service.stop, 0);
    atomic_store(&service.paused, 0);
    atomic_store(&service.scheduling, NULL);
    if (!byre__env_bool(BYRE__ENV_SERVICE)) return BYRE_OK;
    int error = bind_and_create();
    service.running = error == BYRE_OK;
    return error;
}

void byre__service_fini(void)
{
    if (!service.running) return;
    atomic_store(&service.stop, 1);
    byre__service_kick();
    byre__sleep_wake();
    pthread_join(service.thread, NULL);
    service.running = false;
    atomic_store(&service.tid, 0);
}
