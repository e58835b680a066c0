/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * threshold.c - a node that is loaded asks others, one after the other, at random, up to Lp: the first whose load
 * is below the threshold gets the new job; if there is none, it stays. Sender-initiated, the second algorithm of
 * Eager, Lazowska and Zahorjan 1986 (random.c), and the one they recommend.
 */
#include "search.h"

typedef struct {
    byre__searches_t searches;
} state_t;

static int next(void *owner, const byre__asked_t *asked, byre__policy_job_t job)
{
    state_t *s = owner;

    return byre__pick(s->searches.world, asked, job, NULL, NULL);
}

static void init(void *state, const byre__world_t *world)
{
    state_t *s = state;

    s->searches.world = world;
    s->searches.probes = byre__probe_limit(world, &byre__policy_threshold);
    s->searches.next = next;
    s->searches.owner = s;
}

static void arrive(void *state, byre__policy_job_t job)
{
    state_t *s = state;

    if (byre__welcome_here(s->searches.world, job)) {
        s->searches.world->run(s->searches.world->self, job);
    } else {
        byre__search_start(&s->searches, job);
    }
}

static void departed(void *state)
{
    byre__search_departed(&((state_t *)state)->searches);
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    byre__search_answered(&((state_t *)state)->searches, node, token, answer);
}

const byre__policy_t byre__policy_threshold = {
    .name = "threshold",
    .summary = "a node with load T or more asks up to L others: the first below T gets the job",
    .state_bytes = sizeof(state_t),
    .defaults = { .threshold = 1, .probes = 3 },
    .init = init,
    .arrive = arrive,
    .departed = departed,
    .answered = answered,
};
