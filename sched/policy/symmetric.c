/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * symmetric.c - loaded nodes look for idle ones and idle nodes for loaded ones, and each remembers what it has
 * heard of the others: whoever asks for room is a sender, whoever asks for work a receiver, an answer tells the
 * load. Shivaratri and Krueger, "Two adaptive location policies for global scheduling algorithms", 10th ICDCS,
 * 1990; their lists are history.h.
 *
 * A sender asks the receiver heard of last, then nodes it knows nothing of, and nobody else: when all are loaded
 * it soon knows, and asks no more (the trouble with `threshold'). A receiver asks the sender heard of last, then
 * the unknown, then those that were OK or receivers, the earliest first.
 *
 * With T = 1 and L = nodes - 1, and probes that take no time, no node is idle while a job waits: M/M/N. For an
 * idle node has told all others when it became so, hence none of them counts it among the loaded.
 */
#include "history.h"
#include "hunt.h"

typedef struct {
    byre__searches_t searches;
    byre__hunt_t hunt;
    byre__history_t history;
} state_t;

static int next_receiver(void *owner, const byre__asked_t *asked, byre__policy_job_t job)
{
    state_t *s = owner;
    int node = byre__history_pick(&s->history, BYRE__RECEIVER, true, asked, job);

    return node >= 0 ? node : byre__history_pick_unknown(&s->history, asked, job);
}

static int next_sender(void *owner, const byre__asked_t *asked)
{
    state_t *s = owner;
    int node = byre__history_pick(&s->history, BYRE__SENDER, true, asked, 0);

    if (node < 0) {
        node = byre__history_pick_unknown(&s->history, asked, 0);
    }
    if (node < 0) {
        node = byre__history_pick(&s->history, BYRE__OK_ROLE, false, asked, 0);
    }
    if (node < 0) {
        node = byre__history_pick(&s->history, BYRE__RECEIVER, false, asked, 0);
    }
    return node;
}

static enum byre__role role_of(const state_t *s, int load)
{
    int threshold = byre__threshold(s->history.world);

    return load < threshold ? BYRE__RECEIVER : load == threshold ? BYRE__OK_ROLE : BYRE__SENDER;
}

/* A node that was below T and takes a job: whether it is a receiver still depends on its slots, so nothing is
 * known of it. */
static void heard_of_room(void *owner, int node, const byre__answer_t *answer)
{
    state_t *s = owner;

    if (!answer->reached || answer->yes) {
        byre__history_forget(&s->history, node);
    } else {
        byre__history_note(&s->history, node, role_of(s, answer->load));
    }
}

static void heard_of_work(void *owner, int node, const byre__answer_t *answer)
{
    state_t *s = owner;

    if (!answer->reached) {
        byre__history_forget(&s->history, node);
    } else {
        byre__history_note(&s->history, node, role_of(s, answer->load));
    }
}

static void init(void *state, const byre__world_t *world)
{
    state_t *s = state;
    int probes = byre__probe_limit(world, &byre__policy_symmetric);

    s->history.world = world;
    s->searches.world = world;
    s->searches.probes = probes;
    s->searches.next = next_receiver;
    s->searches.heard = heard_of_room;
    s->searches.owner = s;
    s->hunt.world = world;
    s->hunt.probes = probes;
    s->hunt.next = next_sender;
    s->hunt.heard = heard_of_work;
    s->hunt.owner = s;
    byre__hunt_init(&s->hunt);
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

static void received(void *state, int from)
{
    (void)from;
    byre__hunt_start(&((state_t *)state)->hunt); /* a node with several slots may want more */
}

static void departed(void *state)
{
    state_t *s = state;

    byre__search_departed(&s->searches);
    byre__hunt_start(&s->hunt);
}

static byre__answer_t asked(void *state, int from, const byre__question_t *question)
{
    state_t *s = state;
    byre__answer_t answer = byre__policy_answer(s->history.world, question);

    if (question->kind == BYRE__PROBE_ROOM) {
        byre__history_note(&s->history, from, BYRE__SENDER);
    } else if (question->kind == BYRE__PROBE_WORK && answer.yes) {
        byre__history_forget(&s->history, from); /* with this job it may be one no more */
    } else if (question->kind == BYRE__PROBE_WORK) {
        byre__history_note(&s->history, from, BYRE__RECEIVER);
    }
    return answer;
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    state_t *s = state;

    if (!byre__search_answered(&s->searches, node, token, answer)) {
        byre__hunt_answered(&s->hunt, node, token, answer);
    }
}

static void timer(void *state)
{
    byre__hunt_start(&((state_t *)state)->hunt);
}

static void gone(void *state, int node)
{
    byre__history_forget(&((state_t *)state)->history, node);
}

const byre__policy_t byre__policy_symmetric = {
    .name = "symmetric",
    .summary =
        "both: loaded nodes look for idle ones, idle ones for work, by what they heard lately",
    .state_bytes = sizeof(state_t),
    .defaults = { .threshold = 1, .probes = 3, .reprobe_s = 1, .history_s = 2 },
    .init = init,
    .arrive = arrive,
    .received = received,
    .departed = departed,
    .asked = asked,
    .answered = answered,
    .timer = timer,
    .gone = gone,
};
