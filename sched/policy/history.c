/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

static bool is_of(const byre__heard_t *heard, int node)
{
    return heard->role != BYRE__UNKNOWN && heard->node == node;
}

static int find(const byre__history_t *history, int node)
{
    int hint = history->hint[node % BYRE__HINTS] - 1;

    if (hint < 0 || is_of(&history->heard[hint], node)) {
        return hint;
    }
    for (int i = 0; i < history->used; i++) {
        if (is_of(&history->heard[i], node)) {
            return i;
        }
    }
    return -1;
}

static bool fresh(const byre__history_t *history, const byre__heard_t *heard, double now)
{
    return heard->role != BYRE__UNKNOWN && now - heard->when <= history->world->params.history_s;
}

/* A free place, or that of the node that was not heard of for longest. */
static int place(byre__history_t *history)
{
    int found = 0;

    for (int i = 0; i < history->used; i++) {
        if (history->heard[i].role == BYRE__UNKNOWN) {
            return i;
        }
        if (history->heard[i].age < history->heard[found].age) {
            found = i;
        }
    }
    return history->used < BYRE__HISTORY ? history->used++ : found;
}

void byre__history_note(byre__history_t *history, int node, enum byre__role role)
{
    const byre__world_t *world = history->world;
    int at = find(history, node);

    if (at < 0) {
        at = place(history);
    }
    history->hint[node % BYRE__HINTS] = (uint8_t)(at + 1);
    history->heard[at] = (byre__heard_t){
        .role = (uint8_t)role, .node = node, .age = history->ages++, .when = world->now(world->self)
    };
}

void byre__history_forget(byre__history_t *history, int node)
{
    int at = find(history, node);

    if (at >= 0) {
        history->heard[at].role = BYRE__UNKNOWN;
    }
}

enum byre__role byre__history_role(const byre__history_t *history, int node)
{
    const byre__world_t *world = history->world;
    int at = find(history, node);

    return at >= 0 && fresh(history, &history->heard[at], world->now(world->self))
               ? (enum byre__role)history->heard[at].role
               : BYRE__UNKNOWN;
}

int byre__history_pick(const byre__history_t *history, enum byre__role role, bool latest,
                       const byre__asked_t *asked, byre__policy_job_t job)
{
    const byre__world_t *world = history->world;
    const byre__heard_t *found = NULL;
    double now = world->now(world->self);

    for (int i = 0; i < history->used; i++) {
        const byre__heard_t *heard = &history->heard[i];

        if (heard->role == role && fresh(history, heard, now) &&
            (!found || (heard->age > found->age) == latest) &&
            !byre__asked_has(asked, heard->node) && world->alive(world->self, heard->node) &&
            (job == 0 || world->fits(world->self, heard->node, job))) {
            found = heard;
        }
    }
    return found ? found->node : -1;
}

static bool unknown(const void *arg, int node)
{
    return byre__history_role(arg, node) == BYRE__UNKNOWN;
}

int byre__history_pick_unknown(const byre__history_t *history, const byre__asked_t *asked,
                               byre__policy_job_t job)
{
    return byre__pick(history->world, asked, job, unknown, history);
}
