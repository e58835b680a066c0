/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers of the engine: a call on it when a time has come. Few are set at once, so they are a list.
 */
#ifndef BYRE__TIMER_H
#define BYRE__TIMER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct byre__timer {
    void (*fn)(
        struct byre__timer *timer); /* on the engine, as a handler; the timer is not set then */
    uint64_t due_ns;                /* CLOCK_MONOTONIC */
    bool set;
    struct byre__timer *next;
} byre__timer_t;

/* Set it, or move it to an earlier time; it stays where it is when due earlier. Any thread, handlers
 * included. The timer stays until it has been called or taken back. */
void byre__timer_set(byre__timer_t *timer, uint64_t due_ns);
/* After return it is not called (any more). Not while holding a lock that its fn takes, unless on the
 * engine. */
void byre__timer_unset(byre__timer_t *timer);

/* ---- for the engine ----------------------------------------------------------------------- */

extern _Atomic uint64_t byre__timer_next_ns; /* UINT64_MAX: none is set */
int byre__timer_poll(uint64_t now_ns);       /* driver only: calls what is due */

#endif
