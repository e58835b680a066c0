/* SPDX-License-Identifier: BSD-3-Clause */
/* place_policy.c - the five policies: which slots a job may have, and what each would cost it.
 *
 * M. S. Squillante, E. D. Lazowska, Using Processor-Cache Affinity Information in Shared-Memory Multiprocessor
 * Scheduling (1993); R. Vaswani, J. Zahorjan, The Implications of Cache Affinity on Processor Scheduling for
 * Multiprogrammed, Shared Memory Multiprocessors (1991). The affinity index of a key to a processor is the
 * number of other jobs that have begun there since the key did: the smaller, the warmer the cache.
 *
 * The index ends at COLD: after so many others nothing is left in the cache, and a processor that the key has
 * never seen is as good. Without that end mi-queue would wait for ever on the one processor it knows.
 */
#include "sched/place/place_inside.h"

#include <string.h>

#include <byre_errors.h>

enum { COLD = 4, NEVER = 1 << 20, FAR = 1 << 24 };

/* ---- what may be had, for what ------------------------------------------------------------------ */

/* Where the memory that the job needs is not, only if there is nothing else. */
static void free_slots(byre__placer_t *placer)
{
    for (uint32_t i = 0; i < placer->slots; i++) {
        placer->may[i] = placer->slot[i].holders == 0;
        placer->cost[i] = placer->lack[i] ? FAR : 0;
    }
}

static int choose(byre__placer_t *placer, uint32_t n)
{
    if (byre__place_choose(placer, n)) return BYRE_OK;
    placer->chosen_count = 0;
    return BYRE_EAGAIN;
}

/* To the cost of each slot: its affinity index, at most `most'. */
static void add_index(byre__placer_t *placer, const place_key_t *key, uint32_t most)
{
    for (uint32_t i = 0; i < placer->slots; i++) placer->cost[i] += most;
    for (uint32_t i = 0; key && i < key->marks; i++) {
        const mark_t *mark = &key->mark[i];
        uint32_t others = placer->slot[mark->slot].started - mark->started;

        if (others < most) placer->cost[mark->slot] -= most - others;
    }
}

/* Only the key's home may be had, and of this what is free: how much? */
static uint32_t free_at_home(byre__placer_t *placer, const place_key_t *key)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < placer->slots; i++) {
        placer->may[i] = false;
        placer->cost[i] = 0;
    }
    for (uint32_t i = 0; i < key->homes; i++) {
        placer->may[key->home[i]] = placer->slot[key->home[i]].holders == 0;
        count += placer->may[key->home[i]];
    }
    return count;
}

/* ---- policies ----------------------------------------------------------------------------------- */

static int pick_fcfs(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    (void)key;
    free_slots(placer);
    return choose(placer, n);
}

static void choose_home(byre__placer_t *placer, const place_key_t *key)
{
    placer->chosen_count = key->homes;
    memcpy(placer->chosen, key->home, key->homes * sizeof *key->home);
}

/* More than the key has had so far: its home, and neighbours for good. */
static int enlarge_home(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    if (free_at_home(placer, key) < key->homes) {
        choose_home(placer, key);
        return BYRE_EAGAIN;
    }
    free_slots(placer);
    choose_home(placer, key);
    for (uint32_t i = 0; i < key->homes; i++) placer->may[key->home[i]] = false;
    if (byre__place_choose_near(placer, n - key->homes)) return BYRE_OK;
    placer->chosen_count = 0;
    return BYRE_EAGAIN;
}

/* A new key goes where the fewest keys are at home: it will stay there. */
static int pick_fixed(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    if (!key || key->homes == 0) {
        free_slots(placer);
        for (uint32_t i = 0; i < placer->slots; i++) placer->cost[i] += placer->slot[i].homes;
        return choose(placer, n);
    }
    if (n > key->homes) return enlarge_home(placer, n, key);
    if (free_at_home(placer, key) >= n) return choose(placer, n);
    choose_home(placer, key);
    return BYRE_EAGAIN;
}

static int pick_last(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    if (key && free_at_home(placer, key) >= n) return choose(placer, n);
    free_slots(placer);
    for (uint32_t i = 0; i < placer->slots; i++) placer->cost[i]++;
    for (uint32_t i = 0; key && i < key->homes; i++) placer->cost[key->home[i]]--;
    return choose(placer, n);
}

static int pick_intervening(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    free_slots(placer);
    add_index(placer, key, NEVER);
    return choose(placer, n);
}

/* ---- mi-queue ----------------------------------------------------------------------------------- */

/* How many jobs will have run there between the key's last one and this one: the index, which has in it what
 * is running now, unless that is of the same key; and those that wait and come first. Of equals a free one. */
static void count_queues(byre__placer_t *placer, const place_key_t *key)
{
    for (uint32_t i = 0; i < placer->slots; i++) placer->cost[i] = 0;
    add_index(placer, key, COLD);
    for (uint32_t i = 0; i < placer->slots; i++) {
        uint32_t busy = placer->slot[i].holders > 0, same = busy && placer->cost[i] == 0;

        placer->cost[i] = 2 * (placer->cost[i] + same + placer->queue[i]) + busy;
    }
}

void byre__place_foresee(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    for (uint32_t i = 0; i < placer->slots; i++) placer->may[i] = true;
    count_queues(placer, key);
    if (!byre__place_choose(placer, n)) placer->chosen_count = 0;
}

static int pick_queue(byre__placer_t *placer, uint32_t n, const place_key_t *key)
{
    if (!key || key->marks == 0) {
        free_slots(placer);
        for (uint32_t i = 0; i < placer->slots; i++) placer->cost[i] += placer->queue[i];
        return choose(placer, n);
    }
    byre__place_foresee(placer, n, key);
    for (uint32_t i = 0; i < placer->chosen_count; i++) {
        if (placer->slot[placer->chosen[i]].holders > 0) return BYRE_EAGAIN;
    }
    return placer->chosen_count > 0 ? BYRE_OK : BYRE_EAGAIN;
}

/* ---- by name ------------------------------------------------------------------------------------ */

static const place_policy_t policies[] = {
    { .name = "fcfs", .pick = pick_fcfs },
    { .name = "fixed", .remembers = true, .stays = true, .pick = pick_fixed },
    { .name = "last", .remembers = true, .pick = pick_last },
    { .name = "minimum-intervening", .remembers = true, .pick = pick_intervening },
    { .name = "mi-queue", .remembers = true, .queues = true, .pick = pick_queue },
};
enum { POLICIES = sizeof policies / sizeof policies[0] };

const place_policy_t *byre__place_policy(const char *name)
{
    for (int i = 0; i < POLICIES; i++) {
        if (strcmp(policies[i].name, name) == 0) return &policies[i];
    }
    return NULL;
}

const char *const *byre__place_policies(void)
{
    static const char *const names[] = { "fcfs",     "fixed", "last", "minimum-intervening",
                                         "mi-queue", NULL };

    return names;
}
