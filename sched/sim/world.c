/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.c - what a policy sees of the simulated system, and the messages between nodes. With a probe cost of 0
 * an answer comes inside `ask', else half of the cost is the way there and half the way back.
 */
#include "engine.h"

#include <assert.h>
#include <stdlib.h>

static double world_now(void *self)
{
    return ((sim_node_t *)self)->engine->now;
}

static uint64_t world_random(void *self, uint64_t below)
{
    return sim_rng_below(&((sim_node_t *)self)->engine->chance, below);
}

static bool world_alive(void *self, int node)
{
    (void)self, (void)node;
    return true;
}

static int world_load(void *self)
{
    sim_node_t *node = self;

    return sim_load(node, node->engine->setup->slots);
}

static int world_waiting(void *self)
{
    return (int)((sim_node_t *)self)->movable;
}

static bool world_fits(void *self, int node, byre__policy_job_t job)
{
    (void)self, (void)node, (void)job;
    return true;
}

static void world_needs(void *self, byre__policy_job_t job, uint32_t *cpus_out, uint64_t *mem_out)
{
    (void)self, (void)job;
    *cpus_out = 1;
    *mem_out = 0;
}

static void world_timer_in(void *self, double seconds)
{
    sim_node_t *node = self;

    node->turn++;
    if (seconds >= 0) {
        sim_put(node->engine, seconds, SIM_TIMER, node->world.node, node->turn);
    }
}

/* ---- decisions ---------------------------------------------------------------------------------- */

static void world_run(void *self, byre__policy_job_t job)
{
    sim_node_t *node = self;

    sim_place(node->engine, node->world.node, (int32_t)job - 1);
}

/* A job sets out; a place may be kept for it. */
static void set_out(sim_engine_t *e, int from, int to, int32_t job, bool claimed)
{
    sim_job_t *j = &e->job[job];

    j->moved = true;
    j->claimed = claimed;
    j->from = from;
    e->transfers += e->measuring;
    if (e->setup->transfer_s > 0) {
        sim_put(e, e->setup->transfer_s, SIM_DELIVERY, to, (uint64_t)job);
    } else {
        sim_deliver(e, to, job);
    }
}

static void world_send(void *self, byre__policy_job_t job, int to)
{
    sim_node_t *node = self;
    bool claimed = node->granted == to;

    if (claimed) {
        node->granted = NOTHING;
    }
    set_out(node->engine, node->world.node, to, (int32_t)job - 1, claimed);
}

void sim_deliver(sim_engine_t *e, int node, int32_t job)
{
    if (e->job[job].claimed) {
        assert(e->node[node].claims > 0);
        e->node[node].claims--;
    }
    sim_place(e, node, job);
    if (e->setup->policy->received) {
        sim_notify(e, node, e->job[job].from);
    }
}

static void world_release(void *self, int to)
{
    sim_node_t *node = self;

    assert(node->granted == to);
    node->granted = NOTHING;
    if (node->engine->setup->probe_s > 0) {
        sim_put(node->engine, node->engine->setup->probe_s / 2, SIM_RELEASE, to, 0);
    } else {
        sim_release(node->engine, to);
    }
}

void sim_release(sim_engine_t *e, int node)
{
    assert(e->node[node].claims > 0);
    e->node[node].claims--;
    if (e->setup->policy->departed) {
        sim_notify(e, node, NOTHING);
    }
}

/* ---- probes ------------------------------------------------------------------------------------- */

/* What the host of the asked node does: it lets the policy decide, and keeps a place or picks a job. */
static byre__answer_t be_asked(sim_engine_t *e, int to, int from, const byre__question_t *question,
                               int32_t *job_out)
{
    const byre__policy_t *policy = e->setup->policy;
    sim_node_t *node = &e->node[to];
    byre__answer_t answer = policy->asked ? policy->asked(node->policy, from, question)
                                          : byre__policy_answer(&node->world, question);

    answer.reached = true;
    *job_out = NOTHING;
    if (question->kind == BYRE__PROBE_ROOM) {
        node->claims += answer.yes;
        e->refused += !answer.yes && e->measuring;
    } else if (question->kind == BYRE__PROBE_WORK && answer.yes) {
        *job_out = sim_take_movable(e, to);
        answer.yes = *job_out != NOTHING;
        if (answer.yes && policy->departed) {
            sim_notify(e, to, NOTHING);
        }
    }
    return answer;
}

/* The asker gets the answer; a job that comes with it counts as its load from now on. */
static void give_answer(sim_engine_t *e, int asker, int of, uint8_t kind, uint64_t token,
                        const byre__answer_t *answer, int32_t job)
{
    sim_node_t *node = &e->node[asker];

    if (job != NOTHING) {
        node->claims++;
        set_out(e, of, asker, job, true);
    }
    node->granted = kind == BYRE__PROBE_ROOM && answer->yes ? of : NOTHING;
    e->setup->policy->answered(node->policy, of, token, answer);
    assert(node->granted == NOTHING); /* else a place would be kept for ever */
}

static int32_t new_message(sim_engine_t *e)
{
    int32_t found = e->free_message;

    if (found == NOTHING) {
        size_t room = e->message_room ? 2 * e->message_room : 256;
        sim_message_t *grown = realloc(e->message, room * sizeof *grown);

        if (!grown) {
            e->failed = true;
            return NOTHING;
        }
        for (size_t i = e->message_room; i < room; i++) {
            grown[i].next = e->free_message;
            e->free_message = (int32_t)i;
        }
        e->message = grown;
        e->message_room = room;
        found = e->free_message;
    }
    e->free_message = e->message[found].next;
    return found;
}

static void world_ask(void *self, int to, const byre__question_t *question, uint64_t token)
{
    sim_node_t *node = self;
    sim_engine_t *e = node->engine;
    int32_t message, job;

    e->probes += e->measuring;
    if (e->setup->probe_s <= 0) {
        byre__answer_t answer = be_asked(e, to, node->world.node, question, &job);

        give_answer(e, node->world.node, to, question->kind, token, &answer, job);
        return;
    }
    message = new_message(e);
    if (message != NOTHING) {
        e->message[message] = (sim_message_t){ .question = *question,
                                               .token = token,
                                               .from = node->world.node,
                                               .to = to,
                                               .job = NOTHING };
        sim_put(e, e->setup->probe_s / 2, SIM_QUESTION, to, (uint64_t)message);
    }
}

void sim_question(sim_engine_t *e, int32_t message)
{
    sim_message_t *m = &e->message[message];

    m->answer = be_asked(e, m->to, m->from, &m->question, &m->job);
    sim_put(e, e->setup->probe_s / 2, SIM_ANSWER, m->from, (uint64_t)message);
}

void sim_answer(sim_engine_t *e, int32_t message)
{
    sim_message_t m = e->message[message];

    e->message[message].next = e->free_message;
    e->free_message = message;
    give_answer(e, m.from, m.to, m.question.kind, m.token, &m.answer, m.job);
}

void sim_world_init(sim_engine_t *e, sim_node_t *node, int number)
{
    const sim_setup_t *setup = e->setup;

    node->engine = e;
    node->first = node->last = node->granted = NOTHING;
    node->speed = setup->speeds[number % setup->speed_count];
    node->world = (byre__world_t){ .self = node,
                                   .node = number,
                                   .nodes = setup->nodes,
                                   .params = setup->params,
                                   .now = world_now,
                                   .random = world_random,
                                   .alive = world_alive,
                                   .load = world_load,
                                   .waiting = world_waiting,
                                   .fits = world_fits,
                                   .needs = world_needs,
                                   .run = world_run,
                                   .send = world_send,
                                   .ask = world_ask,
                                   .release = world_release,
                                   .timer_in = world_timer_in };
}
