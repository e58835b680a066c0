/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rank tells which in a barrier. Described in barrier_plan.c. */
#ifndef BYRE__BARRIER_PLAN_H
#define BYRE__BARRIER_PLAN_H

#include <byre_dsm_sync.h>
#include <stdint.h>

/* Places where messages are counted: one for each round, and one for "all have come". */
enum { BYRE__BARRIER_RELEASE = 31, BYRE__BARRIER_PLACES };

/* Tell a rank, at one of its places; or wait until so many have told this rank at one of its own. */
typedef struct byre__barrier_step {
    int tell; /* a rank, or -1: wait */
    uint32_t place;
    uint32_t count; /* of messages to wait for */
} byre__barrier_step_t;

typedef struct byre__barrier_plan {
    int steps;
    byre__barrier_step_t step[];
} byre__barrier_plan_t;

/* What `rank` does; root is the rank where a plan that has one comes together. NULL: no memory. */
byre__barrier_plan_t *byre__barrier_plan(byre_dsm_barrier_kind_t kind, int rank, int size,
                                         int root);

#endif
