/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine moves active messages, queued receives, nonblocking sends and heartbeats. At most one
 * thread drives it at a time: the *driver*, who holds the token. Three kinds of thread meet here:
 *
 *   waiting thread    spins, then yields, then sleeps; drives while it does, if the token is free
 *   parked thread     waits while another one drives: it sleeps, and the driver looks for it
 *   service thread    drives when no thread waits (service.c)
 *
 * Waiting goes through three phases. While cores are free it spins (a wake-up across cores costs
 * more than a message); then it polls and yields, so that on a machine with fewer cores than
 * threads the one it waits for can run; then it sleeps in the engine until something wakes it.
 *
 * Invariants
 *  1. Only the driver calls the pollers and handlers, so handlers of a rank run one at a time.
 *  2. The token is not a lock that anybody blocks on: whoever does not get it waits for something
 *     else. So holding it across an upcall cannot deadlock.
 *  3. A parked thread is looked after: it parks first and then tries for the token once more, and
 *     a driver that leaves looks for parked threads after it gave the token back (both sequentially
 *     consistent): one of the two sees the other.
 *  4. A sleeper raises its flag, then looks for messages once more, then sleeps; a sender sends,
 *     then looks at the flag (node.h). So no message is slept over.
 *  5. The service thread and a waiting thread never sleep on the bell at once: the service thread
 *     raises byre__service_deep before it tries for the token, a waiting thread holds the token
 *     before it looks at byre__service_deep. So a ring is never taken by the wrong one.
 */
#include "progress.h"

#include "am_core.h"
#include "counters.h"
#include "detector.h"
#include "env.h"
#include "fault.h"
#include "message.h"
#include "node.h"
#include "service.h"
#include "sleep.h"
#include "timer.h"
#include <byre_errors.h>
#include <ck_pr.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOKS_PER_CLOCK = 32,
    POLLS_PER_TICK = 64,
    FAST_LOOKS_ALONE = 150, /* without other nodes, */
    FAST_LOOKS =
        10, /* with some: such a look may take an active message off its socket, which wakes
                               nobody then, and is found only when the engine turns again */
    FAST_LOOKS_SHORT = 2
};

struct waiter { /* a parked thread's; on its stack */
    struct waiter *next;
    byre__done_fn done;
    void *arg;
    _Atomic uint32_t over; /* futex word */
};

static struct {
    _Atomic int token;
    pthread_mutex_t park_lock; /* guards parked; leaf lock, held while done() looks */
    struct waiter *parked;
    _Atomic int parked_count;
    uint64_t spin_ns, yield_ns;
} engine = { .park_lock = PTHREAD_MUTEX_INITIALIZER };

_Atomic uint32_t byre__engine_activity;
_Atomic int byre__engine_unannounced;
unsigned byre__engine_turns;
bool byre__engine_woke;
_Atomic int byre__service_deep;
bool byre__cores_short, byre__cores_spare;
int byre__fast_looks;
uint64_t byre__nap_ns;

_Thread_local int byre__handler_depth __attribute__((tls_model("initial-exec")));

uint64_t byre__now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int byre__progress_init(void)
{
    int spin = byre__env_int(BYRE__ENV_SPIN_US), nap = byre__env_int(BYRE__ENV_NAP_US);
    if (spin < 0) spin = byre__cores_short ? 0 : 200;
    if (nap < 0) nap = byre__cores_spare ? 200 : 1000;
    engine.spin_ns = (uint64_t)spin * 1000u;
    engine.yield_ns = (uint64_t)byre__env_int(BYRE__ENV_YIELD_US) * 1000u;
    byre__fast_looks = byre__nodes.nodes == 1 ? FAST_LOOKS_ALONE : FAST_LOOKS;
    if (byre__cores_short) byre__fast_looks = FAST_LOOKS_SHORT;
    byre__nap_ns = (uint64_t)(nap > 10 ? nap : 10) * 1000u;
    atomic_store(&engine.token, 0);
    return byre__sleep_init();
}

void byre__progress_fini(void)
{
    byre__sleep_fini();
}

/* ---- the token ---------------------------------------------------------------------------- */

bool byre__drive_try(void)
{
    if (atomic_load_explicit(&engine.token, memory_order_relaxed) != 0) return false;
    return atomic_exchange(&engine.token, 1) == 0;
}

void byre__drive_end(void)
{
    atomic_exchange(&engine.token, 0); /* invariant 3: a full barrier before the look */
    if (__builtin_expect(atomic_load(&engine.parked_count) != 0, 0)) byre__service_kick();
}

void byre__engine_unwatch(void)
{
    if (!byre__drive_try()) return; /* the driver sees to it */
    byre__sleep_unwatch();
    byre__drive_end();
}

/* ---- one turn ----------------------------------------------------------------------------- */

static void futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Look for those who are parked. The waiter is gone as soon as `over` is set. */
static int look_for_parked(void)
{
    int woken = 0;
    pthread_mutex_lock(&engine.park_lock);
    for (struct waiter **at = &engine.parked; *at != NULL;) {
        struct waiter *waiter = *at;
        if (!waiter->done(waiter->arg)) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        atomic_fetch_sub(&engine.parked_count, 1);
        _Atomic uint32_t *word = &waiter->over;
        atomic_store_explicit(word, 1, memory_order_release);
        futex_wake(word);
        woken++;
    }
    pthread_mutex_unlock(&engine.park_lock);
    return woken;
}

static int poll_timers(void)
{
    uint64_t now = byre__now_ns();
    return now < atomic_load(&byre__timer_next_ns) ? 0 : byre__timer_poll(now);
}

static int turn(bool thorough)
{
    byre__engine_turns++;
    int happened = byre__am_poll(thorough);
    bool work = byre__message_work(); /* may take long: then each turn looks at the clock */
    if (__builtin_expect(work, 0)) happened += byre__message_poll();
    if (__builtin_expect(work || byre__engine_turns % POLLS_PER_TICK == 0, 0))
        happened += byre__detector_tick(byre__now_ns());
    if (__builtin_expect(
            atomic_load_explicit(&byre__timer_next_ns, memory_order_relaxed) != UINT64_MAX, 0))
        happened += poll_timers();
    if (__builtin_expect(atomic_load_explicit(&engine.parked_count, memory_order_relaxed) != 0, 0))
        happened += look_for_parked();
    return happened;
}

int byre__engine_poll(void)
{
    return turn(false);
}

int byre__engine_look(void)
{
    return turn(true);
}

uint32_t byre__wake_wishes(void)
{
    bool messages = byre__message_work() || atomic_load(&engine.parked_count) != 0;
    return messages ? BYRE__WAKE_AM | BYRE__WAKE_MSG : BYRE__WAKE_AM;
}

uint64_t byre__sleep_limit_ns(void)
{
    uint64_t now = byre__now_ns(), limit = byre__detector_due_ns(now);
    uint64_t timer = atomic_load(&byre__timer_next_ns);
    if (timer < now + limit) limit = timer > now ? timer - now : 0;
    bool covered = byre__sleep_covers_network() &&
                   atomic_load_explicit(&byre__engine_unannounced, memory_order_relaxed) == 0;
    if (!covered && limit > byre__nap_ns) limit = byre__nap_ns;
    return limit;
}

/* ---- waiting ------------------------------------------------------------------------------ */

/* Sleep as the driver. Invariants 4 and 5. */
static void sleep_driving(byre__done_fn done, void *arg, uint64_t deadline_ns)
{
    if (atomic_load(&byre__service_deep)) {
        byre__service_kick();
        sched_yield();
        return;
    }
    byre__sleep_watch();
    atomic_store(&byre__nodes.mine->waiter, BYRE__WAKE_AM | BYRE__WAKE_MSG);
    byre__wake_barrier();
    if (byre__engine_look() == 0 && !done(arg)) {
        uint64_t limit = byre__sleep_limit_ns(), now = byre__now_ns();
        if (deadline_ns != 0 && deadline_ns < now + limit)
            limit = deadline_ns > now ? deadline_ns - now : 0;
        bool died = byre__sleep(limit) & BYRE__WOKEN_DEATH;
        atomic_store(&byre__nodes.mine->waiter, 0);
        (void)byre__detector_tick(died ? BYRE__TICK_NOW : byre__now_ns());
    } else {
        atomic_store(&byre__nodes.mine->waiter, 0);
    }
}

static void unpark(struct waiter *waiter)
{
    pthread_mutex_lock(&engine.park_lock);
    for (struct waiter **at = &engine.parked; *at != NULL; at = &(*at)->next) {
        if (*at != waiter) continue;
        *at = waiter->next;
        atomic_fetch_sub(&engine.parked_count, 1);
        break;
    }
    pthread_mutex_unlock(&engine.park_lock);
}

enum parked_end { PARKED_OVER, PARKED_DRIVER, PARKED_LATE };

/* Sleep while somebody else drives. Invariant 3. */
static enum parked_end park(byre__done_fn done, void *arg, uint64_t deadline_ns)
{
    struct waiter self = { .done = done, .arg = arg };
    pthread_mutex_lock(&engine.park_lock);
    self.next = engine.parked;
    engine.parked = &self;
    atomic_fetch_add(&engine.parked_count, 1);
    pthread_mutex_unlock(&engine.park_lock);
    enum parked_end end = PARKED_OVER;
    if (byre__drive_try()) {
        end = PARKED_DRIVER;
    } else {
        byre__sleep_wake(); /* a driver that sleeps must take this thread's wish into account */
        while (atomic_load_explicit(&self.over, memory_order_acquire) == 0) {
            uint64_t now = byre__now_ns(), left = 100000000u;
            if (deadline_ns != 0 && deadline_ns <= now) {
                end = PARKED_LATE;
                break;
            }
            if (deadline_ns != 0 && deadline_ns - now < left) left = deadline_ns - now;
            struct timespec limit = { 0, (long)left };
            (void)syscall(SYS_futex, &self.over, FUTEX_WAIT_PRIVATE, 0, &limit, NULL, 0);
            if (atomic_load(&self.over) == 0 && byre__drive_try()) {
                end = PARKED_DRIVER;
                break;
            }
        }
    }
    unpark(&self);
    if (atomic_load_explicit(&self.over, memory_order_acquire) == 0) return end;
    if (end == PARKED_DRIVER) byre__drive_end();
    return PARKED_OVER;
}

struct wait {
    byre__done_fn done;
    void *arg;
    uint64_t deadline_ns, started_ns;
    bool may_sleep, driving;
};

/* Out of line: the clock says that the spinning has lasted. 1 over, 0 go on, -1 too late. */
static int wait_longer(struct wait *wait)
{
    uint64_t now = byre__now_ns();
    if (wait->started_ns == 0) wait->started_ns = now;
    if (wait->deadline_ns != 0 && now >= wait->deadline_ns) return -1;
    uint64_t waited = now - wait->started_ns;
    if (waited < engine.spin_ns) return 0;
    if (waited < engine.yield_ns || !wait->may_sleep) {
        sched_yield();
    } else if (wait->driving) {
        sleep_driving(wait->done, wait->arg, wait->deadline_ns);
    } else {
        enum parked_end end = park(wait->done, wait->arg, wait->deadline_ns);
        if (end == PARKED_OVER) return 1;
        if (end == PARKED_LATE) return -1;
        wait->driving = true;
    }
    return 0;
}

/* While this thread drives, nobody need wake the service thread from its deep sleep. Afterwards its
 * flag is up again, and a last look finds what came in between (invariant 4). */
static bool hush_service(void)
{
    if (atomic_load_explicit(&byre__service_deep, memory_order_relaxed) == 0) return false;
    atomic_store_explicit(&byre__nodes.mine->service, 0, memory_order_relaxed);
    return true;
}

static void unhush_service(void)
{
    if (atomic_load(&byre__service_deep) == 0) return;
    uint32_t wishes = byre__wake_wishes();
    atomic_store(&byre__nodes.mine->service, wishes);
    if (wishes & BYRE__WAKE_MSG) byre__wake_barrier();
    (void)byre__engine_poll();
}

static bool wait_for(struct wait *wait)
{
    int result = 0;
    byre__engine_wait_begins();
    wait->driving = byre__drive_try();
    bool hushed = wait->driving && hush_service();
    if (wait->driving) byre__sleep_unwatch();
    for (unsigned looks = 1; result == 0; looks++) {
        if (wait->driving) {
            if (byre__engine_poll() > 0) {
                looks = 1, wait->started_ns = 0;
            } else if (__builtin_expect(byre__engine_woke, 0)) {
                byre__engine_woke = false;
                sched_yield();
            }
        } else {
            wait->driving = byre__drive_try();
        }
        if (wait->done(wait->arg))
            result = 1;
        else if (byre__cores_short || looks % LOOKS_PER_CLOCK == 0)
            result = wait_longer(wait);
        else if (!wait->driving)
            ck_pr_stall();
    }
    byre__engine_wait_ends();
    if (wait->driving) byre__sleep_unwatch();
    if (hushed && wait->driving) unhush_service();
    if (wait->driving) byre__drive_end();
    return result > 0;
}

bool byre__wait_until(byre__done_fn done, void *arg, uint64_t deadline_ns)
{
    if (done(arg)) return true;
    struct wait wait = { .done = done, .arg = arg, .deadline_ns = deadline_ns, .may_sleep = true };
    return wait_for(&wait);
}

bool byre__wait_moving(byre__done_fn done, void *arg)
{
    if (done(arg)) return true;
    struct wait wait = { .done = done, .arg = arg };
    return wait_for(&wait);
}

void byre__progress_kick(void)
{
    byre__service_kick();
    byre__sleep_wake();
}
