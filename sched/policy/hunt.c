/* SPDX-License-Identifier: BSD-3-Clause */
#include "hunt.h"

static void rest(byre__hunt_t *hunt)
{
    const byre__world_t *world = hunt->world;
    double seconds = world->params.reprobe_s;

    hunt->asking = false;
    hunt->turn++;
    world->timer_in(world->self, seconds > 0 ? seconds : -1);
}

/* Ask the next node, or rest. The answer may come inside ask, so nothing is touched after it. */
static void go_on(byre__hunt_t *hunt)
{
    const byre__world_t *world = hunt->world;
    bool wanted = world->load(world->self) < byre__threshold(world);
    int node =
        wanted && hunt->asked.count < hunt->probes ? hunt->next(hunt->owner, &hunt->asked) : -1;
    byre__question_t question;

    if (node < 0) {
        rest(hunt);
        return;
    }
    hunt->asking = true;
    hunt->asked.node[hunt->asked.count++] = node;
    question = byre__question(world, BYRE__PROBE_WORK, byre__threshold(world), 0);
    world->ask(world->self, node, &question, byre__token(BYRE__TOKEN_HUNT, 0, hunt->turn));
}

void byre__hunt_init(byre__hunt_t *hunt)
{
    const byre__world_t *world = hunt->world;
    double seconds = world->params.reprobe_s;

    if (seconds > 0) {
        double part = (double)(1 + world->random(world->self, 1000)) / 1000;

        world->timer_in(world->self, seconds * part);
    }
}

void byre__hunt_start(byre__hunt_t *hunt)
{
    const byre__world_t *world = hunt->world;

    if (!hunt->asking && world->load(world->self) < byre__threshold(world)) {
        hunt->asked.count = 0;
        go_on(hunt);
    }
}

bool byre__hunt_answered(byre__hunt_t *hunt, int node, uint64_t token, const byre__answer_t *answer)
{
    if (byre__token_range(token) != BYRE__TOKEN_HUNT || !hunt->asking ||
        byre__token_turn(token) != hunt->turn) {
        return false;
    }
    if (hunt->heard) {
        hunt->heard(hunt->owner, node, answer);
    }
    if (answer->reached && answer->yes) {
        rest(hunt);
    } else {
        go_on(hunt);
    }
    return true;
}
