/* SPDX-License-Identifier: BSD-3-Clause */
/* How code waits: by driving the engine. The engine itself is described in progress.c. */
#ifndef BYRE__PROGRESS_H
#define BYRE__PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Is it over? Called again and again by whoever drives the engine, in turn, with no lock held;
 * must not block and must not drive the engine. Once true it is not called again. */
typedef bool (*byre__done_fn)(void *arg);

/* Wait until done(arg) is true: drive the engine or let the one who drives it look. Deadline in
 * CLOCK_MONOTONIC ns, or 0 for none. False when the deadline passed first. Not from handlers. */
bool byre__wait_until(byre__done_fn done, void *arg, uint64_t deadline_ns);

/* Is this thread running a handler (so that it may not wait)? */
bool byre__in_handler(void);

/* Somebody else's done() may have become true by an action of this thread (not of the engine):
 * wake whoever sleeps. */
void byre__progress_kick(void);

uint64_t byre__now_ns(void);

#endif
