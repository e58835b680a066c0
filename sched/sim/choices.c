/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * choices.c - the power of choices: every job asks L random nodes for their load and goes to the least loaded of
 * these and its own, whatever that is. Unlike `shortest' it asks also where nothing waits, and claims nothing: a
 * yardstick, no policy for daemons.
 */
#include "sched/policy/pick.h"
#include "sim.h"

#include <string.h>

enum { LOOKS = 64 };

typedef struct {
    byre__policy_job_t job; /* 0: free */
    int awaited, best, load;
} look_t;

typedef struct {
    const byre__world_t *world;
    look_t look[LOOKS];
} state_t;

static void init(void *state, const byre__world_t *world)
{
    ((state_t *)state)->world = world;
}

static void decide(state_t *s, look_t *look)
{
    const byre__world_t *world = s->world;
    byre__policy_job_t job = look->job;

    look->job = 0;
    if (look->best == world->node) {
        world->run(world->self, job);
    } else {
        world->send(world->self, job, look->best);
    }
}

static void ask_all(state_t *s, look_t *look, byre__policy_job_t job)
{
    const byre__world_t *world = s->world;
    byre__question_t question = byre__question(world, BYRE__PROBE_LOAD, 0, job);
    byre__asked_t asked = { 0 };
    int node, probes = byre__probe_limit(world, &sim_policy_choices);

    while (asked.count < probes && (node = byre__pick(world, &asked, job, NULL, NULL)) >= 0) {
        asked.node[asked.count++] = node;
    }
    *look = (look_t){ .job = job,
                      .awaited = asked.count + 1,
                      .best = world->node,
                      .load = world->load(world->self) };
    for (int i = 0; i < asked.count; i++) {
        world->ask(world->self, asked.node[i], &question, (uint64_t)(look - s->look));
    }
    if (--look->awaited == 0) {
        decide(s, look);
    }
}

static void arrive(void *state, byre__policy_job_t job)
{
    state_t *s = state;

    for (int i = 0; i < LOOKS; i++) {
        if (s->look[i].job == 0) {
            ask_all(s, &s->look[i], job);
            return;
        }
    }
    byre__keep(s->world, job);
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    state_t *s = state;
    look_t *look = &s->look[token];

    if (answer->reached && answer->load < look->load) {
        look->best = node;
        look->load = answer->load;
    }
    if (--look->awaited == 0) {
        decide(s, look);
    }
}

const byre__policy_t sim_policy_choices = {
    .name = "choices",
    .summary = "every job goes to the least loaded of its node and L others (only here)",
    .state_bytes = sizeof(state_t),
    .defaults = { .probes = 1 },
    .init = init,
    .arrive = arrive,
    .answered = answered,
};

const byre__policy_t *sim_policy_parse(const char *text, byre__policy_params_t *params_out,
                                       char error_out[static 160])
{
    const byre__policy_t *policy = &sim_policy_choices;
    size_t length = strlen(policy->name);

    if (strcmp(text, policy->name) == 0) {
        *params_out = policy->defaults;
        return policy;
    }
    if (strncmp(text, policy->name, length) == 0 && text[length] == ',') {
        return byre__policy_parameters(policy, text + length + 1, params_out, error_out) ? policy
                                                                                         : NULL;
    }
    return byre__policy_parse(text, params_out, error_out);
}
