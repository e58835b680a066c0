/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hunt.h - an idle node looks for work: it asks others, one after the other, up to a limit, for a waiting job.
 *
 * Invariants
 *  1. At most one question of a hunt is under way (`asking').
 *  2. A hunt asks only while the load is below the threshold.
 *  3. After a yes it asks no more until the job has come (received), the load has become less, or the timer
 *     says so: the job counts as load only if the host knows of it.
 */
#ifndef BYRE__SCHED_HUNT_H
#define BYRE__SCHED_HUNT_H

#include "search.h"

typedef struct byre__hunt {
    const byre__world_t *world;
    int probes; /* Lp */
    /* Whom to ask next: a node, or -1 to give up. */
    int (*next)(void *owner, const byre__asked_t *asked);
    /* What was heard of a node; NULL: nothing is done with it. */
    void (*heard)(void *owner, int node, const byre__answer_t *answer);
    void *owner;
    bool asking;
    uint32_t turn;
    byre__asked_t asked;
} byre__hunt_t;

/* Begins one, unless one is under way or there is load enough. */
void byre__hunt_start(byre__hunt_t *hunt);
/* false: the token is not of a hunt. */
bool byre__hunt_answered(byre__hunt_t *hunt, int node, uint64_t token,
                         const byre__answer_t *answer);
/* An idle node that has just begun asks after a part of its interval, so that not all do at once. */
void byre__hunt_init(byre__hunt_t *hunt);

#endif
