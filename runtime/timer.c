/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers of the engine. Interface: timer.h. `lock` guards the list and the timers' fields; it is a leaf,
 * not held while a timer is called. The driver calls; so a timer taken back on another thread may be
 * running: `calling` says which one does.
 */
#include "timer.h"

#include "progress.h"
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

static struct {
    pthread_mutex_t lock;
    byre__timer_t *list;
} timers = { .lock = PTHREAD_MUTEX_INITIALIZER };
static byre__timer_t *_Atomic calling;

_Atomic uint64_t byre__timer_next_ns = UINT64_MAX;

/* Under the lock. */
static void find_next(void)
{
    uint64_t next = UINT64_MAX;
    for (const byre__timer_t *timer = timers.list; timer != NULL; timer = timer->next)
        if (timer->due_ns < next) next = timer->due_ns;
    atomic_store_explicit(&byre__timer_next_ns, next, memory_order_relaxed);
}

/* Under the lock. */
static void take_out(byre__timer_t *timer)
{
    for (byre__timer_t **at = &timers.list; *at != NULL; at = &(*at)->next) {
        if (*at != timer) continue;
        *at = timer->next;
        break;
    }
    timer->set = false;
}

void byre__timer_set(byre__timer_t *timer, uint64_t due_ns)
{
    pthread_mutex_lock(&timers.lock);
    uint64_t before = atomic_load_explicit(&byre__timer_next_ns, memory_order_relaxed);
    if (!timer->set) {
        timer->set = true;
        timer->due_ns = due_ns;
        timer->next = timers.list;
        timers.list = timer;
    } else if (due_ns < timer->due_ns) {
        timer->due_ns = due_ns;
    }
    find_next();
    bool sooner = due_ns < before;
    pthread_mutex_unlock(&timers.lock);
    if (sooner && !byre__in_handler()) byre__progress_kick(); /* a sleeper does not know of it */
}

void byre__timer_unset(byre__timer_t *timer)
{
    pthread_mutex_lock(&timers.lock);
    if (timer->set) {
        take_out(timer);
        find_next();
    }
    pthread_mutex_unlock(&timers.lock);
    while (atomic_load(&calling) == timer && !byre__in_handler()) sched_yield();
}

int byre__timer_poll(uint64_t now_ns)
{
    int called = 0;
    for (;;) {
        pthread_mutex_lock(&timers.lock);
        byre__timer_t *due = timers.list;
        while (due != NULL && due->due_ns > now_ns) due = due->next;
        if (due != NULL) take_out(due);
        atomic_store(&calling, due);
        find_next();
        pthread_mutex_unlock(&timers.lock);
        if (due == NULL) return called;
        byre__handler_enter();
        due->fn(due);
        byre__handler_leave();
        atomic_store(&calling, NULL);
        called++;
    }
}
