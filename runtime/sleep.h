/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an engine with nothing to do sleeps, and what wakes it: the bell (ranks of this node, threads
 * of this rank), MPI's own TCP sockets (ranks of other nodes), the death of a local process.
 */
#ifndef BYRE__SLEEP_H
#define BYRE__SLEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

int byre__sleep_init(void);
void byre__sleep_fini(void);

/* Block until something happens or `ns` have passed. What happened: */
enum { BYRE__WOKEN_BELL = 1, BYRE__WOKEN_DEATH = 2, BYRE__WOKEN_SOCKET = 4 };
unsigned byre__sleep(uint64_t ns);

/* Wake whoever is in byre__sleep (also async-signal-safe). */
void byre__sleep_wake(void);

/* Would every message from another node wake a sleeper? False on networks that MPI reaches without
 * sockets; the engine then naps. */
bool byre__sleep_covers_network(void);

/* Let MPI's sockets wake a sleeper, those opened since the last time too; or no longer. Driver
 * only, who is the only one that may be asleep. */
void byre__sleep_watch(void);
void byre__sleep_unwatch_all(void);
extern _Atomic int byre__sleep_watching;
static inline void byre__sleep_unwatch(void)
{
    if (__builtin_expect(atomic_load_explicit(&byre__sleep_watching, memory_order_relaxed), 0))
        byre__sleep_unwatch_all();
}

/* A local process whose death has been dealt with is not watched any longer. */
void byre__sleep_forget_process(int pidfd);

#endif
