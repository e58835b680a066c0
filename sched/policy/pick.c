/* SPDX-License-Identifier: BSD-3-Clause */
#include "pick.h"

enum { FEW = 64, TRIES_OF_FEW = 3, TRIES_OF_MANY = 16 };

static bool possible(const byre__world_t *world, const byre__asked_t *asked, byre__policy_job_t job,
                     byre__eligible_t eligible, const void *arg, int node)
{
    return node != world->node && !byre__asked_has(asked, node) &&
           (!eligible || eligible(arg, node)) && world->alive(world->self, node) &&
           (job == 0 || world->fits(world->self, node, job));
}

/* Of few nodes: list those that are possible. */
static int pick_of_few(const byre__world_t *world, const byre__asked_t *asked,
                       byre__policy_job_t job, byre__eligible_t eligible, const void *arg)
{
    int found[FEW], count = 0;

    for (int node = 0; node < world->nodes; node++) {
        if (possible(world, asked, job, eligible, arg, node)) {
            found[count++] = node;
        }
    }
    return count > 0 ? found[world->random(world->self, (uint64_t)count)] : -1;
}

/* Of many: count them, and go there once more. */
static int pick_of_many(const byre__world_t *world, const byre__asked_t *asked,
                        byre__policy_job_t job, byre__eligible_t eligible, const void *arg)
{
    uint64_t which;
    int count = 0;

    for (int node = 0; node < world->nodes; node++) {
        count += possible(world, asked, job, eligible, arg, node);
    }
    if (count == 0) {
        return -1;
    }
    which = world->random(world->self, (uint64_t)count);
    for (int node = 0; node < world->nodes; node++) {
        if (possible(world, asked, job, eligible, arg, node) && which-- == 0) {
            return node;
        }
    }
    return -1;
}

/* Throw until one is possible, which is cheap as long as most are; then look at all. Both ways give each the same
 * chance. */
int byre__pick(const byre__world_t *world, const byre__asked_t *asked, byre__policy_job_t job,
               byre__eligible_t eligible, const void *arg)
{
    int tries = world->nodes <= FEW ? TRIES_OF_FEW : TRIES_OF_MANY;

    for (int i = 0; i < tries && world->nodes > 1; i++) {
        int node = (int)world->random(world->self, (uint64_t)world->nodes);

        if (possible(world, asked, job, eligible, arg, node)) {
            return node;
        }
    }
    return world->nodes <= FEW ? pick_of_few(world, asked, job, eligible, arg)
                               : pick_of_many(world, asked, job, eligible, arg);
}

bool byre__welcome_here(const byre__world_t *world, byre__policy_job_t job)
{
    return world->load(world->self) < byre__threshold(world) &&
           world->fits(world->self, world->node, job);
}

void byre__keep(const byre__world_t *world, byre__policy_job_t job)
{
    static const byre__asked_t nobody;
    int node = -1;

    if (!world->fits(world->self, world->node, job)) {
        node = byre__pick(world, &nobody, job, NULL, NULL);
    }
    if (node < 0) {
        world->run(world->self, job);
    } else {
        world->send(world->self, job, node);
    }
}

byre__question_t byre__question(const byre__world_t *world, enum byre__probe kind, int limit,
                                byre__policy_job_t job)
{
    byre__question_t question = { .kind = (uint8_t)kind, .limit = limit };

    world->needs(world->self, job, &question.cpus, &question.mem);
    return question;
}
