/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters of a rank, since byre_init. Relaxed: a reader sees each of them soon, not all at once. */
#ifndef BYRE__COUNTERS_H
#define BYRE__COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, meaning) */
#define BYRE_COUNTERS(X)                                                                         \
    X(msg_sent, "messages sent")                                                                 \
    X(msg_received, "messages received")                                                         \
    X(msg_kept, "messages kept because the buffer was too short")                                \
    X(am_sent, "active messages sent")                                                           \
    X(am_received, "active messages handled")                                                    \
    X(am_unknown, "active messages for an id without handler")                                   \
    X(am_stalled, "times a sender of active messages waited for credits")                        \
    X(bells_rung, "times this rank woke another of its node")                                    \
    X(sleeps, "times a thread of this rank slept in the engine")                                 \
    X(service_polls, "times the service thread looked for work")                                 \
    X(popups, "pop-up handlers run")                                                             \
    X(popup_threads, "threads created for pop-up handlers")                                      \
    X(cow_sends, "copy-on-write sends that moved pages")                                         \
    X(cow_copied_sends, "copy-on-write sends that were copied because their memory cannot move") \
    X(cow_faults, "accesses that got their own copy of a page being sent")                       \
    X(rpc_calls, "remote procedure calls made")                                                  \
    X(rpc_served, "calls whose procedures were run")                                             \
    X(rpc_refused, "calls refused without having run")                                           \
    X(rpc_duplicates, "calls that came again or too late")                                       \
    X(rpc_threads, "threads created for procedures")                                             \
    X(heartbeats, "heartbeats sent")                                                             \
    X(peers_failed, "ranks known to be dead")

typedef struct byre__counters {
#define BYRE__X(name, meaning) _Atomic uint64_t name;
    BYRE_COUNTERS(BYRE__X)
#undef BYRE__X
} byre__counters_t;

extern byre__counters_t byre__counters;

/* Not a locked instruction: two threads that count the same event at once may lose one. */
#define byre__count(name)                                                                       \
    atomic_store_explicit(&byre__counters.name,                                                 \
                          atomic_load_explicit(&byre__counters.name, memory_order_relaxed) + 1, \
                          memory_order_relaxed)

/* NULL: there is none. */
_Atomic uint64_t *byre__counter_find(const char *name);
void byre__counters_reset(void);

typedef struct byre__counter_desc {
    const char *name;
    const char *meaning;
} byre__counter_desc_t;
const byre__counter_desc_t *byre__counter_table(size_t *count_out);

#endif
