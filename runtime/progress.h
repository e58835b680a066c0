/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine: how code waits, and who moves messages meanwhile. Described in progress.c. */
#ifndef BYRE__PROGRESS_H
#define BYRE__PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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
bool byre__in_handler(void);
void byre__handler_enter(void);
void byre__handler_leave(void);

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

/* Work in progress that no bell announces (a rendezvous that MPI has to move on). */
extern _Atomic int byre__engine_unannounced;

/* A thread of the application is about to look for messages by itself: the service thread keeps out
 * of its way when it notices. */
extern _Atomic uint32_t byre__engine_activity;
extern _Atomic int byre__service_deep; /* the service thread sleeps until something happens */
static inline void byre__engine_attention(void)
{
    uint32_t seen = atomic_load_explicit(&byre__engine_activity, memory_order_relaxed);
    atomic_store_explicit(&byre__engine_activity, seen + 1, memory_order_relaxed);
}

/* Are there fewer cores than threads that want them? Then nobody spins. */
extern bool byre__cores_short;
/* Is there one more, so that a service thread may spin for a moment? */
extern bool byre__cores_spare;

/* How long may a sleeper sleep at most? What should it be woken for (BYRE__WAKE_*)? */
uint64_t byre__sleep_limit_ns(void);
uint32_t byre__wake_wishes(void);
extern uint64_t byre__nap_ns;

#endif
