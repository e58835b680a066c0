/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shortest.c - a node that is loaded asks Lp others for their load, all at once, and claims a place at the least
 * loaded of those below the threshold; if that one has been taken meanwhile, at the next. The third algorithm of
 * Eager, Lazowska and Zahorjan 1986 (random.c): it asks more than `threshold' and gains little.
 *
 * Invariants, beside those of search.h, which are the same here
 *  1. `awaited' answers are still to come. Loads are complete when it is 0; from then on (`claiming') one claim
 *     at a time is under way.
 *  2. load[i] belongs to asked.node[i]; NOT_HERE: no (more) use.
 */
#include "search.h"

enum { NOT_HERE = INT32_MAX };

typedef struct {
    byre__search_t search;
    int awaited;
    bool claiming;
    int32_t load[BYRE__PROBES_MOST];
} look_t;

typedef struct {
    const byre__world_t *world;
    int probes;
    uint64_t ages;
    look_t look[BYRE__SEARCHES];
} state_t;

static void init(void *state, const byre__world_t *world)
{
    state_t *s = state;

    s->world = world;
    s->probes = byre__probe_limit(world, &byre__policy_shortest);
}

static void end(look_t *look)
{
    look->search.job = 0;
    look->search.turn++;
}

static uint64_t token_of(const state_t *s, const look_t *look)
{
    return byre__token(BYRE__TOKEN_SEARCH, (uint32_t)(look - s->look), look->search.turn);
}

/* All loads are known, or a claim was refused: try the least loaded, or keep the job. */
static void claim(state_t *s, look_t *look)
{
    const byre__world_t *world = s->world;
    byre__policy_job_t job = look->search.job;
    byre__question_t question;
    int best = -1;

    for (int i = 0; i < look->search.asked.count; i++) {
        bool below = look->load[i] < byre__threshold(world);

        if (below && (best < 0 || look->load[i] < look->load[best]) &&
            world->alive(world->self, look->search.asked.node[i])) { /* it was, when it answered */
            best = i;
        }
    }
    if (look->search.settled || best < 0) {
        bool settled = look->search.settled;

        end(look);
        if (!settled) {
            byre__keep(world, job);
        }
        return;
    }
    look->load[best] = NOT_HERE;
    look->awaited = 1;
    question = byre__question(world, BYRE__PROBE_ROOM, byre__threshold(world), job);
    world->ask(world->self, look->search.asked.node[best], &question, token_of(s, look));
}

static void start(state_t *s, look_t *look, byre__policy_job_t job)
{
    const byre__world_t *world = s->world;
    byre__asked_t asked = { 0 };
    byre__question_t question = byre__question(world, BYRE__PROBE_LOAD, 0, job);
    int node;

    while (asked.count < s->probes && (node = byre__pick(world, &asked, job, NULL, NULL)) >= 0) {
        look->load[asked.count] = NOT_HERE;
        asked.node[asked.count++] = node;
    }
    if (asked.count == 0) {
        byre__keep(world, job);
        return;
    }
    look->search.job = job;
    look->search.age = s->ages++;
    look->search.settled = false;
    look->search.asked = asked;
    look->awaited = asked.count;
    look->claiming = false;
    /* The last answer may end the search inside ask: the loop looks at its own copy. */
    for (int i = 0; i < asked.count; i++) {
        world->ask(world->self, asked.node[i], &question, token_of(s, look));
    }
}

static void arrive(void *state, byre__policy_job_t job)
{
    state_t *s = state;

    if (byre__welcome_here(s->world, job)) {
        s->world->run(s->world->self, job);
        return;
    }
    for (int i = 0; i < BYRE__SEARCHES; i++) {
        if (s->look[i].search.job == 0) {
            start(s, &s->look[i], job);
            return;
        }
    }
    byre__keep(s->world, job);
}

/* The answer to a claim. */
static void claimed(state_t *s, look_t *look, int node, bool yes)
{
    byre__policy_job_t job = look->search.job;
    bool settled = look->search.settled;

    if (!yes) {
        claim(s, look);
        return;
    }
    end(look);
    if (settled) {
        s->world->release(s->world->self, node);
    } else {
        s->world->send(s->world->self, job, node);
    }
}

static void answered(void *state, int node, uint64_t token, const byre__answer_t *answer)
{
    state_t *s = state;
    uint32_t slot = byre__token_slot(token);
    look_t *look = slot < BYRE__SEARCHES ? &s->look[slot] : NULL;

    if (!look || look->search.job == 0 || look->search.turn != byre__token_turn(token)) {
        return;
    }
    look->awaited--;
    if (look->claiming) {
        claimed(s, look, node, answer->reached && answer->yes);
        return;
    }
    for (int i = 0; i < look->search.asked.count; i++) {
        if (look->search.asked.node[i] == node && answer->reached) {
            look->load[i] = answer->load;
        }
    }
    if (look->awaited == 0) {
        look->claiming = true;
        claim(s, look);
    }
}

static look_t *oldest(state_t *s)
{
    look_t *found = NULL;

    for (int i = 0; i < BYRE__SEARCHES; i++) {
        look_t *look = &s->look[i];

        if (look->search.job != 0 && !look->search.settled &&
            (!found || look->search.age < found->search.age) &&
            s->world->fits(s->world->self, s->world->node, look->search.job)) {
            found = look;
        }
    }
    return found;
}

static void departed(void *state)
{
    state_t *s = state;

    while (s->world->load(s->world->self) < byre__threshold(s->world)) {
        look_t *look = oldest(s);

        if (!look) {
            return;
        }
        look->search.settled = true;
        s->world->run(s->world->self, look->search.job);
    }
}

const byre__policy_t byre__policy_shortest = {
    .name = "shortest",
    .summary = "a node with load T or more asks L others: the least loaded below T gets the job",
    .state_bytes = sizeof(state_t),
    .defaults = { .threshold = 1, .probes = 3 },
    .init = init,
    .arrive = arrive,
    .departed = departed,
    .answered = answered,
};
