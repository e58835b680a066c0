/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A barrier is a list of steps for each rank: tell that one, wait until those have told. Four ways to
 * make it, for n ranks:
 *
 *   central        all tell the root, the root tells all: 2(n-1) messages, all at one rank
 *   tree           the same along a tree in which each rank has four children, after the combining
 *                  trees of Yew, Tzeng and Lawrie (1987)
 *   tournament     in round k the loser tells the winner, who is known beforehand; the champion's word
 *                  goes back the same way (Hensgen, Finkel and Manber 1988)
 *   dissemination  in round k a rank tells the one at distance 2^k; n log n messages, but only log n one
 *                  after the other (ibid.)
 *
 * Mellor-Crummey and Scott (1991) compare them.
 *
 * Invariant: in every barrier a place of a rank is told as often as the plan waits for it, and the plan
 * waits for every place that is told. So counts need never be reset: in the g-th barrier a place has been
 * told g times as often.
 */
#include "barrier_plan.h"

#include <stdlib.h>

enum { CHILDREN = 4, DISSEMINATE_UP_TO = 4 };

/* Ranks are counted from the root while a plan is made. */
typedef struct maker {
    byre__barrier_plan_t *plan;
    int size, root;
} maker_t;

static void tell(maker_t *maker, int to, uint32_t place)
{
    maker->plan->step[maker->plan->steps++] =
        (byre__barrier_step_t){ .tell = (to + maker->root) % maker->size, .place = place };
}

static void wait_for(maker_t *maker, uint32_t place, int count)
{
    if (count > 0)
        maker->plan->step[maker->plan->steps++] =
            (byre__barrier_step_t){ .tell = -1, .place = place, .count = (uint32_t)count };
}

/* Up a tree and down again; the central barrier is a tree of which all are children. */
static void make_tree(maker_t *maker, int self, int arity)
{
    int first = self * arity + 1, children = 0;
    while (children < arity && first + children < maker->size) children++;
    wait_for(maker, 0, children);
    if (self != 0) {
        tell(maker, (self - 1) / arity, 0);
        wait_for(maker, BYRE__BARRIER_RELEASE, 1);
    }
    for (int child = 0; child < children; child++)
        tell(maker, first + child, BYRE__BARRIER_RELEASE);
}

static void make_tournament(maker_t *maker, int self)
{
    uint32_t round = 0;
    for (; (1 << round) < maker->size; round++) {
        if (self & (1 << round)) {
            tell(maker, self - (1 << round), round);
            wait_for(maker, BYRE__BARRIER_RELEASE, 1);
            break;
        }
        if (self + (1 << round) < maker->size) wait_for(maker, round, 1);
    }
    while (round-- > 0)
        if (self + (1 << round) < maker->size)
            tell(maker, self + (1 << round), BYRE__BARRIER_RELEASE);
}

static void make_dissemination(maker_t *maker, int self)
{
    for (uint32_t round = 0; (1 << round) < maker->size; round++) {
        tell(maker, self + (1 << round), round);
        wait_for(maker, round, 1);
    }
}

byre__barrier_plan_t *byre__barrier_plan(byre_dsm_barrier_kind_t kind, int rank, int size, int root)
{
    /* A tree's root tells at most all the others; the rest is two steps for each of 31 rounds. */
    size_t most = (size_t)size + 2 * BYRE__BARRIER_PLACES;
    byre__barrier_plan_t *plan = malloc(sizeof *plan + most * sizeof plan->step[0]);
    if (plan == NULL) return NULL;
    plan->steps = 0;
    maker_t maker = { .plan = plan, .size = size, .root = root };
    int self = (rank - root + size) % size;
    if (kind == BYRE_DSM_BARRIER_DEFAULT)
        kind = size <= DISSEMINATE_UP_TO ? BYRE_DSM_BARRIER_DISSEMINATION : BYRE_DSM_BARRIER_TREE;
    switch (kind) {
    case BYRE_DSM_BARRIER_CENTRAL:
        make_tree(&maker, self, size);
        break;
    case BYRE_DSM_BARRIER_TOURNAMENT:
        make_tournament(&maker, self);
        break;
    case BYRE_DSM_BARRIER_DISSEMINATION:
        make_dissemination(&maker, self);
        break;
    case BYRE_DSM_BARRIER_TREE:
    case BYRE_DSM_BARRIER_DEFAULT:
        make_tree(&maker, self, CHILDREN);
        break;
    }
    return plan;
}
