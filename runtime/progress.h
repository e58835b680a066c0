/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine: how code waits, and who moves messages meanwhile. Described in progress.c. */
#ifndef BYRE__PROGRESS_H
#define BYRE__PROGRESS_H

#include "sleep.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Is the runtime up? byre_initialized for the inside. */
enum { BYRE__UP = 1 };
extern _Atomic int byre__state;
static inline bool byre__is_up(void)
{
    return __builtin_expect(atomic_load_explicit(&byre__state, memory_order_acquire) == BYRE__UP,
                            1);
}

/* Is it over? Called again and again by the waiting thread, or for it by whoever drives the engine:
 * must only look, not block, not drive the engine. Once true it is not called again. */
typedef bool (*byre__done_fn)(void *arg);

/* Wait until done(arg) is true: drive the engine, or let the one who drives it look. Deadline in
 * CLOCK_MONOTONIC ns, or 0 for none. False when the deadline passed first. Not from handlers. */
bool byre__wait_until(byre__done_fn done, void *arg, uint64_t deadline_ns);

/* The same for what may need MPI to move while nobody sends (a large message under way): it
 * yields, but does not sleep. */
bool byre__wait_moving(byre__done_fn done, void *arg);

/* Is this thread running a handler (so that it may not wait)? */
extern _Thread_local int byre__handler_depth __attribute__((tls_model("initial-exec")));
static inline bool byre__in_handler(void)
{
    return __builtin_expect(byre__handler_depth != 0, 0);
}
static inline void byre__handler_enter(void)
{
    byre__handler_depth++;
}
static inline void byre__handler_leave(void)
{
    byre__handler_depth--;
}

/* Somebody else's done() may have become true by an action of this thread (not of the engine):
 * wake whoever sleeps. */
void byre__progress_kick(void);

uint64_t byre__now_ns(void);

/* ---- for the runtime itself --------------------------------------------------------------- */

int byre__progress_init(void);
void byre__progress_fini(void);

/* Become the driver, if nobody is. */
bool byre__drive_try(void);
void byre__drive_end(void);

/* One turn. Driver only. Returns how many things happened. A turn asks MPI for active messages only
 * now and then; a look does so always: whoever is about to sleep takes one. */
int byre__engine_poll(void);
int byre__engine_look(void);
extern unsigned byre__engine_turns; /* the driver's: how many there were */

/* The driver's: a handler has woken a thread, which may have been put behind the driver on the same core, where
 * it would wait until that has spun its time. So the driver yields before it spins on. */
extern bool byre__engine_woke;

/* Work in progress that no bell announces (a rendezvous that MPI has to move on). */
extern _Atomic int byre__engine_unannounced;

/* What the application does with messages at the moment, so that the service thread keeps out of its
 * way. The count grows with each call; it is odd while a thread waits. Several threads may lose
 * counts to each other: it is a hint. */
extern _Atomic uint32_t byre__engine_activity;
extern _Atomic int byre__service_deep; /* the service thread sleeps until something happens */
static inline void byre__engine_count_activity(uint32_t n)
{
    uint32_t seen = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
    atomic_store_explicit(&byre__engine_activity, seen + n, memory_order_relaxed);
}
/* A call that looks for messages and returns; one that begins or ends to wait for them. */
static inline void byre__engine_attention(void)
{
    byre__engine_count_activity(2);
}
static inline void byre__engine_wait_begins(void)
{
    uint32_t seen = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
    atomic_store_explicit(&byre__engine_activity, (seen + 2) | 1, memory_order_relaxed);
}
static inline void byre__engine_wait_ends(void)
{
    uint32_t seen = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
    atomic_store_explicit(&byre__engine_activity, (seen + 2) & ~1u, memory_order_relaxed);
}

/* Are there fewer cores than threads that want them? Then nobody spins. */
extern bool byre__cores_short;
/* Is there one more, so that a service thread may spin for a moment? */
extern bool byre__cores_spare;

/* Watched sockets make every message over them dearer, and this thread looks by itself. */
void byre__engine_unwatch(void);

/* What most waits come to: the thread looks by itself for a moment, without the engine. */
extern int byre__fast_looks; /* how often */
static inline __attribute__((always_inline)) bool byre__wait_looking(byre__done_fn done, void *arg)
{
    bool over = false;
    byre__engine_wait_begins();
    if (__builtin_expect(byre__sleep_watching != 0, 0)) byre__engine_unwatch();
    for (int looks = byre__fast_looks; !over && looks > 0; looks--) over = done(arg);
    byre__engine_wait_ends();
    return over;
}

/* How long may a sleeper sleep at most? What should it be woken for (BYRE__WAKE_*)? */
uint64_t byre__sleep_limit_ns(void);
uint32_t byre__wake_wishes(void);
extern uint64_t byre__nap_ns;

#endif
