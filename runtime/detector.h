/* SPDX-License-Identifier: BSD-3-Clause */
/* Which ranks are alive. Described in detector.c. */
#ifndef BYRE__DETECTOR_H
#define BYRE__DETECTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BYRE__ALIVE, BYRE__FAILED, BYRE__LEFT }; /* LEFT: said goodbye in byre_finalize */

extern _Atomic unsigned char *byre__peer_state; /* [size] BYRE__ALIVE ... */
extern _Atomic int byre__failures;              /* ranks that failed */
extern _Atomic int byre__absent;                /* ranks that failed or left */
extern _Atomic int byre__failures_acked;

static inline bool byre__peer_absent(int rank)
{
    return __builtin_expect(atomic_load_explicit(&byre__absent, memory_order_relaxed) != 0, 0) &&
           atomic_load_explicit(&byre__peer_state[rank], memory_order_acquire) != BYRE__ALIVE;
}

/* Has a rank failed that byre_failures_ack has not acknowledged? */
static inline bool byre__failure_news(void)
{
    return __builtin_expect(atomic_load_explicit(&byre__failures, memory_order_acquire) >
                                atomic_load_explicit(&byre__failures_acked, memory_order_relaxed),
                            0);
}
int byre__failure_latest(void); /* a rank of those not acknowledged */

int byre__detector_init(void);
void byre__detector_fini(void);

/* Send heartbeats, look for the dead. Driver only. Returns how many ranks were found dead. */
#define BYRE__TICK_NOW UINT64_MAX
int byre__detector_tick(uint64_t now_ns);
uint64_t byre__detector_due_ns(uint64_t now_ns); /* time to the next tick */

/* This rank leaves: the others shall not take it for dead. */
void byre__detector_goodbye(void);
/* From here on nobody who vanishes is called dead. */
void byre__detector_stop(void);

#endif
