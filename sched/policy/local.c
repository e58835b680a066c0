/* SPDX-License-Identifier: BSD-3-Clause */
/* local.c - every job runs where it was submitted: nodes as islands, the worst case to compare with. */
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
    byre__keep(((state_t *)state)->world, job);
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    (void)state, (void)node, (void)token, (void)answer; /* it asks nobody */
}

const byre__policy_t byre__policy_local = {
    .name = "local",
    .summary = "every job runs where it was submitted",
    .state_bytes = sizeof(state_t),
    .init = init,
    .arrive = arrive,
    .answered = answered,
};
