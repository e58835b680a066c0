/* SPDX-License-Identifier: BSD-3-Clause */
#include "search.h"

/* The search is over: whatever it was told is of nobody from now on. */
static void end(byre__search_t *search)
{
    search->job = 0;
    search->turn++;
}

/* Ask the next node, or give up. The answer may come inside ask, so nothing is touched after it. */
static void go_on(byre__searches_t *s, byre__search_t *search)
{
    const byre__world_t *world = s->world;
    byre__policy_job_t job = search->job;
    int node = search->asked.count < s->probes ? s->next(s->owner, &search->asked, job) : -1;
    byre__question_t question;

    if (node < 0) {
        end(search);
        byre__keep(world, job);
        return;
    }
    search->asked.node[search->asked.count++] = node;
    question = byre__question(world, BYRE__PROBE_ROOM, byre__threshold(world), job);
    world->ask(world->self, node, &question,
               byre__token(BYRE__TOKEN_SEARCH, (uint32_t)(search - s->search), search->turn));
}

void byre__search_start(byre__searches_t *s, byre__policy_job_t job)
{
    for (int i = 0; i < BYRE__SEARCHES; i++) {
        byre__search_t *search = &s->search[i];

        if (search->job == 0) {
            search->job = job;
            search->age = s->ages++;
            search->settled = false;
            search->asked.count = 0;
            go_on(s, search);
            return;
        }
    }
    byre__keep(s->world, job);
}

static byre__search_t *of_token(byre__searches_t *s, uint64_t token)
{
    byre__search_t *search;

    if (byre__token_range(token) != BYRE__TOKEN_SEARCH ||
        byre__token_slot(token) >= BYRE__SEARCHES) {
        return NULL;
    }
    search = &s->search[byre__token_slot(token)];
    return search->job != 0 && search->turn == byre__token_turn(token) ? search : NULL;
}

bool byre__search_answered(byre__searches_t *s, int node, uint64_t token,
                           const byre__answer_t *answer)
{
    const byre__world_t *world = s->world;
    byre__search_t *search = of_token(s, token);
    bool yes = answer->reached && answer->yes;
    byre__policy_job_t job;

    if (!search) {
        return false;
    }
    if (s->heard) {
        s->heard(s->owner, node, answer);
    }
    job = search->job;
    if (search->settled) {
        end(search);
        if (yes) {
            world->release(world->self, node);
        }
    } else if (yes) {
        end(search);
        world->send(world->self, job, node);
    } else {
        go_on(s, search);
    }
    return true;
}

static byre__search_t *oldest(byre__searches_t *s)
{
    byre__search_t *found = NULL;

    for (int i = 0; i < BYRE__SEARCHES; i++) {
        byre__search_t *search = &s->search[i];

        if (search->job != 0 && !search->settled && (!found || search->age < found->age) &&
            s->world->fits(s->world->self, s->world->node, search->job)) {
            found = search;
        }
    }
    return found;
}

void byre__search_departed(byre__searches_t *s)
{
    const byre__world_t *world = s->world;

    while (world->load(world->self) < byre__threshold(world)) {
        byre__search_t *search = oldest(s);

        if (!search) {
            return;
        }
        search->settled = true;
        world->run(world->self, search->job);
    }
}
