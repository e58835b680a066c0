/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The service thread's day. It looks for work as long as there is some, and then sleeps on the bell:
 *
 *   application                          looks into MPI    sleeps until
 *   waits, or drives                     no                bell; a nap is over; naps grow
 *   has called since the last look       once              bell; a nap is over
 *   has not called since the last look   once              bell, socket; heartbeat due
 *
 * Whoever waits for messages finds them alone, through Byre or through MPI: a second thread in MPI, or
 * one that is woken for each message over a socket, only costs it time.
 */
#include "service.h"

#include "counters.h"
#include "detector.h"
#include "env.h"
#include "log.h"
#include "machine.h"
#include "message.h"
#include "node.h"
#include "progress.h"
#include "sleep.h"
#include "urgency.h"
#include <byre_errors.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_NS = 100000000,
    LONGEST_NAP_NS = 2000000, /* how late we notice that the application does not wait any more */
    FIRST_NAP_NS = 20000,     /* between looks after sends that no bell announces */
    LINGER_NS = 1000000,      /* more of them may follow: each would wake us from a deep sleep */
    SPIN_NS = 10000,
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
    /* the thread's own */
    unsigned turns;    /* of the engine, at its last look */
    uint64_t eager_ns; /* next nap while sends are under way */
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

/* ---- where it runs ------------------------------------------------------------------------- */

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
    byre__urgency_spend();
    if (!atomic_load(&service.stop)) futex_wait(&service.kicks, seen, ns);
    byre__urgency_earn();
    atomic_store(&service.napping, 0);
}

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One look, by the driver. Work that no bell announces (sends that MPI has to move on) is looked after
 * by naps, short ones at first. */
static int look(void)
{
    bool driven = byre__engine_turns != service.turns; /* by others, who look after it too */
    int happened = byre__engine_look();
    bool needed = happened > 0 && !driven;
    service.turns = byre__engine_turns;
    if (needed) service.eager_ns = FIRST_NAP_NS;
    byre__count(service_polls);
    return happened;
}

/* Sends that the engine has to complete. */
static bool has_jobs(void)
{
    return byre__message_work() && atomic_load(&byre__engine_unannounced) > 0;
}

/* Something woke us, or a heartbeat is due. Returns how much happened, -1: somebody else drives. */
static int look_after(unsigned woken)
{
    uint64_t now = woken & BYRE__WOKEN_DEATH ? BYRE__TICK_NOW : byre__now_ns();
    if (woken == 0 && byre__detector_due_ns(now) > 0) return 0;
    if (!byre__drive_try()) return -1;
    int happened = look();
    happened += byre__detector_tick(now);
    byre__drive_end();
    return happened;
}

/* Sleep on the bell, with `sockets` on these too, else at most nap_ns. progress.c, invariants 4 and 5.
 * True when it was a socket, and what came over it was not for the engine. */
static bool sleep_deep(bool sockets, uint64_t nap_ns)
{
    unsigned woken = 0;
    atomic_store(&byre__service_deep, 1);
    uint32_t wishes = byre__wake_wishes();
    atomic_store(&byre__nodes.mine->service, wishes);
    if (wishes & BYRE__WAKE_MSG) byre__wake_barrier();
    bool free = byre__drive_try(), idle = false;
    if (free) {
        if (sockets)
            byre__sleep_watch();
        else
            byre__sleep_unwatch();
        idle = (sockets ? byre__engine_look() : byre__engine_poll()) == 0;
        byre__drive_end();
    }
    if (idle && !atomic_load(&service.stop) && !atomic_load(&service.paused)) {
        uint64_t limit = byre__sleep_limit_ns();
        byre__urgency_spend();
        if (!has_jobs()) woken = byre__sleep(sockets ? limit : shorter(limit, nap_ns));
        byre__urgency_earn();
    }
    atomic_store(&byre__nodes.mine->service, 0);
    atomic_store(&byre__service_deep, 0);
    if (!free) nap(nap_ns);
    return look_after(woken) == 0 && (woken & BYRE__WOKEN_SOCKET);
}

/* False when somebody else drives. */
static bool look_once(void)
{
    if (!byre__drive_try()) return false;
    (void)look();
    byre__drive_end();
    return true;
}

/* Look until nothing comes for a while. False when somebody else drives. */
static bool look_while_busy(void)
{
    uint64_t quiet_since = 0;
    for (;;) {
        if (!byre__drive_try()) return false;
        int happened = look();
        byre__drive_end();
        if (happened > 0) {
            quiet_since = 0;
            byre__urgency_spend();
            continue;
        }
        if (byre__cores_short || (!byre__cores_spare && !has_jobs())) return true;
        uint64_t now = byre__now_ns();
        if (quiet_since == 0) quiet_since = now;
        if (now - quiet_since > SPIN_NS) return true;
    }
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
    atomic_store(&service.scheduling, byre__urgency_begin());
    choose_processor();
    uint32_t seen = 0;
    uint64_t linger_until = 0;
    struct distrust distrust = { 0 };
    uint64_t nap_ns = byre__nap_ns;
    service.eager_ns = FIRST_NAP_NS;
    while (!atomic_load(&service.stop)) {
        if (atomic_load(&service.paused)) {
            byre__engine_unwatch();
            nap(PAUSE_NS);
            continue;
        }
        uint32_t activity = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
        bool active = activity != seen;
        bool waits = active && (activity & 1);
        seen = activity;
        if (waits || !(active && !has_jobs() ? look_once() : look_while_busy())) {
            (void)sleep_deep(false, nap_ns);
            nap_ns = 2 * nap_ns < LONGEST_NAP_NS ? 2 * nap_ns : LONGEST_NAP_NS;
            continue;
        }
        nap_ns = byre__nap_ns;
        uint64_t now = byre__now_ns();
        if (now >= linger_until) service.eager_ns = FIRST_NAP_NS;
        if (has_jobs()) linger_until = now + LINGER_NS;
        if (now < linger_until) {
            nap(service.eager_ns);
            service.eager_ns = shorter(2 * service.eager_ns, LONGEST_NAP_NS);
        } else if (active || now < distrust.until_ns) {
            (void)sleep_deep(false, nap_ns);
        } else {
            trust_sockets(&distrust, sleep_deep(true, nap_ns));
        }
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
