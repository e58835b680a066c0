/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver.c - a node that has become idle asks others, at random, up to Lp, for a job that waits there. When none
 * has one it rests, and asks again when its load becomes less or after the re-probe interval. Receiver-initiated:
 * Eager, Lazowska and Zahorjan, "A comparison of receiver-initiated and sender-initiated adaptive load sharing",
 * Performance Evaluation 6(1), 1986. It asks much when there is little to do, and little when there is much.
 */
#include "hunt.h"

typedef struct {
    byre__hunt_t hunt;
} state_t;

static int next(void *owner, const byre__asked_t *asked)
{
    return byre__pick(((state_t *)owner)->hunt.world, asked, 0, NULL, NULL);
}

static void init(void *state, const byre__world_t *world)
{
    state_t *s = state;

    s->hunt.world = world;
    s->hunt.probes = byre__probe_limit(world, &byre__policy_receiver);
    s->hunt.next = next;
    s->hunt.owner = s;
    byre__hunt_init(&s->hunt);
}

static void arrive(void *state, byre__policy_job_t job)
{
    byre__keep(((state_t *)state)->hunt.world, job);
}

static void received(void *state, int from)
{
    (void)from;
    byre__hunt_start(&((state_t *)state)->hunt); /* a node with several slots may want more */
}

static void again(void *state)
{
    byre__hunt_start(&((state_t *)state)->hunt);
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    byre__hunt_answered(&((state_t *)state)->hunt, node, token, answer);
}

const byre__policy_t byre__policy_receiver = {
    .name = "receiver",
    .summary = "a node with load below T asks up to L others for a waiting job",
    .state_bytes = sizeof(state_t),
    .defaults = { .threshold = 1, .probes = 3, .reprobe_s = 1 },
    .init = init,
    .arrive = arrive,
    .received = received,
    .departed = again,
    .answered = answered,
    .timer = again,
};
