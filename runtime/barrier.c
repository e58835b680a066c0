/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dissemination barrier (Hensgen, Finkel and Manber 1988): in round k a rank tells the one at
 * distance 2^k and waits to be told by the one at that distance behind it; after log2(n) rounds it
 * has heard from all.
 */
#include "am_core.h"
#include "detector.h"
#include "node.h"
#include "progress.h"

#include <string.h>

enum { ROUNDS = 32 };

static struct {
    _Atomic uint32_t arrived[ROUNDS]; /* messages of round k so far: one per barrier */
    uint32_t generation;
} barrier;

static void on_barrier(const byre_am_t *am, void *arg)
{
    (void)arg;
    uint32_t round;
    if (am->bytes != sizeof round) return;
    memcpy(&round, am->data, sizeof round);
    if (round < ROUNDS) atomic_fetch_add(&barrier.arrived[round], 1);
}

int byre__barrier_init(void)
{
    memset(&barrier, 0, sizeof barrier);
    return byre__am_register(BYRE__AM_BARRIER, on_barrier, NULL, NULL);
}

static bool told(void *arg)
{
    uint32_t round = *(uint32_t *)arg;
    return (int32_t)(atomic_load(&barrier.arrived[round]) - barrier.generation) >= 0 ||
           atomic_load(&byre__absent) > 0;
}

int byre_barrier(void)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    barrier.generation++;
    int size = byre__nodes.size, rank = byre__nodes.rank;
    for (uint32_t round = 0; (1 << round) < size; round++) {
        int to = (rank + (1 << round)) % size;
        byre__am_send_t send = {
            .rank = to, .id = BYRE__AM_BARRIER, .data = &round, .bytes = sizeof round
        };
        int error = byre__am_submit(&send);
        if (error != BYRE_OK) return error;
        (void)byre__wait_until(told, &round, 0);
        if ((int32_t)(atomic_load(&barrier.arrived[round]) - barrier.generation) < 0)
            return BYRE_EPEER;
    }
    return BYRE_OK;
}
