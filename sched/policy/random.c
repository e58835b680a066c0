/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * random.c - a node that is loaded sends a new job to any other one, without a question. The other keeps it,
 * whatever its load: the transfer limit is 1. The first algorithm of Eager, Lazowska and Zahorjan, "Adaptive
 * load sharing in homogeneous distributed systems", IEEE Transactions on Software Engineering 12(5), 1986.
 */
#include "pick.h"

typedef struct {
    const byre__world_t *world;
} state_t;

static void init(void *state, const byre__world_t *world)
{
    ((state_t *)state)->world = world;
}

static void arrive(void *state, byre__policy_job_t job)
{
    static const byre__asked_t nobody;
    const byre__world_t *world = ((state_t *)state)->world;
    int node = -1;

    if (!byre__welcome_here(world, job)) {
        node = byre__pick(world, &nobody, job, NULL, NULL);
    }
    if (node < 0) {
        world->run(world->self, job);
    } else {
        world->send(world->self, job, node);
    }
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    (void)state, (void)node, (void)token, (void)answer; /* it asks nobody */
}

const byre__policy_t byre__policy_random = {
    .name = "random",
    .summary = "a node with load T or more sends a new job anywhere, unasked",
    .state_bytes = sizeof(state_t),
    .defaults = { .threshold = 1 },
    .init = init,
    .arrive = arrive,
    .answered = answered,
};
