/* SPDX-License-Identifier: BSD-3-Clause */
/* place_choose.c - n slots out of those that may be had.
 *
 * One: the cheapest; of these the one whose core, then whose L3, then NUMA node, then package has the most
 * room: most free cache. Then where the fewest keys are at home, in the same order. Then the first.
 *
 * Several: the lowest rank of domain in which n have room; of these the cheapest; then the one with the least
 * room, and the least room around it (best fit), so that big holes stay. Inside it again as few of its parts
 * as possible: a part that has room for the rest, the tightest, or else all of the roomiest one.
 */
#include "sched/place/place_inside.h"

#include <stdlib.h>
#include <string.h>

/* ---- scratch ------------------------------------------------------------------------------------ */

static void count_room(byre__placer_t *placer)
{
    memset(placer->room, 0, (size_t)placer->domains * sizeof *placer->room);
    memset(placer->homes, 0, (size_t)placer->domains * sizeof *placer->homes);
    for (uint32_t i = 0; i < placer->slots; i++) {
        for (int d = placer->may[i] ? placer->slot[i].domain : NO_DOMAIN; d != NO_DOMAIN;
             d = placer->domain[d].parent) {
            placer->room[d]++;
            placer->homes[d] += placer->slot[i].homes;
        }
    }
}

static void choose_slot(byre__placer_t *placer, uint32_t i)
{
    placer->chosen[placer->chosen_count++] = (uint16_t)i;
    placer->may[i] = false;
    for (int d = placer->slot[i].domain; d != NO_DOMAIN; d = placer->domain[d].parent) {
        placer->room[d]--;
        placer->homes[d] -= placer->slot[i].homes;
    }
}

/* Cheaper, then at home for fewer, then first: < 0 if a is. */
static int compare_slots(const byre__placer_t *placer, uint32_t a, uint32_t b)
{
    const slot_t *slot = placer->slot;

    if (placer->cost[a] != placer->cost[b]) return placer->cost[a] < placer->cost[b] ? -1 : 1;
    if (slot[a].homes != slot[b].homes) return slot[a].homes < slot[b].homes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int by_slot(const void *left, const void *right, void *placer)
{
    return compare_slots(placer, *(const uint16_t *)left, *(const uint16_t *)right);
}

/* The slots of a domain that may be had, best first, in sorted[]. */
static uint32_t sort_slots(byre__placer_t *placer, const domain_t *domain)
{
    uint32_t count = 0;

    for (uint32_t i = domain->first; i < domain->first + domain->count; i++) {
        if (placer->may[i]) placer->sorted[count++] = (uint16_t)i;
    }
    qsort_r(placer->sorted, count, sizeof *placer->sorted, by_slot, placer);
    return count;
}

static uint64_t cost_of_best(byre__placer_t *placer, const domain_t *domain, uint32_t n)
{
    uint32_t count = sort_slots(placer, domain);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count && i < n; i++) sum += placer->cost[placer->sorted[i]];
    return sum;
}

/* From inside to outside, the first difference: < 0 if `of' (room or homes) is less around a. */
static int compare_around(const byre__placer_t *placer, const uint32_t *of, int a, int b)
{
    for (; a != b && a != NO_DOMAIN && b != NO_DOMAIN;
         a = placer->domain[a].parent, b = placer->domain[b].parent) {
        if (of[a] != of[b]) return of[a] < of[b] ? -1 : 1;
    }
    return 0;
}

/* ---- one ---------------------------------------------------------------------------------------- */

static bool better_alone(const byre__placer_t *placer, uint32_t a, uint32_t b)
{
    int i = placer->slot[a].domain, k = placer->slot[b].domain, order;

    if (placer->cost[a] != placer->cost[b]) return placer->cost[a] < placer->cost[b];
    order = -compare_around(placer, placer->room, i, k);
    if (order == 0) order = compare_around(placer, placer->homes, i, k);
    return order == 0 ? compare_slots(placer, a, b) < 0 : order < 0;
}

static bool choose_one(byre__placer_t *placer)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t i = 0; i < placer->slots; i++) {
        if (placer->may[i] && (best == UINT32_MAX || better_alone(placer, i, best))) best = i;
    }
    if (best == UINT32_MAX) return false;
    choose_slot(placer, best);
    return true;
}

/* ---- several ------------------------------------------------------------------------------------ */

/* A part of a domain: a domain directly inside it, or a slot that is in none of these. */
typedef struct part {
    int domain; /* NO_DOMAIN: one slot */
    uint32_t slot, room;
    uint64_t cost;
} part_t;

/* The part that begins at *at_io, an index of slots; *child_io: the next domain inside, `end' is behind them. */
static part_t next_part(const byre__placer_t *placer, int end, uint32_t *at_io, int *child_io)
{
    part_t part = { .domain = NO_DOMAIN, .slot = *at_io };

    if (*child_io < end && placer->domain[*child_io].first == *at_io) {
        part.domain = *child_io;
        part.room = placer->room[*child_io];
        *at_io += placer->domain[*child_io].count;
        *child_io = placer->domain[*child_io].next;
    } else {
        part.room = placer->may[*at_io];
        ++*at_io;
    }
    return part;
}

static bool better_part(const byre__placer_t *placer, const part_t *a, const part_t *b, uint32_t n)
{
    if ((a->room >= n) != (b->room >= n)) return a->room >= n;
    if (a->room < n && a->room != b->room) return a->room > b->room;
    if (a->cost != b->cost) return a->cost < b->cost;
    if (a->room != b->room) return a->room < b->room;
    if (a->domain != NO_DOMAIN && b->domain != NO_DOMAIN) {
        return placer->homes[a->domain] < placer->homes[b->domain];
    }
    return a->domain == b->domain && compare_slots(placer, a->slot, b->slot) < 0;
}

static part_t best_part(byre__placer_t *placer, int d, uint32_t n)
{
    const domain_t *domain = &placer->domain[d];
    uint32_t at = domain->first;
    part_t best = { 0 };

    for (int child = d + 1; at < domain->first + domain->count;) {
        part_t part = next_part(placer, domain->next, &at, &child);

        if (part.room == 0) continue;
        part.cost = part.domain == NO_DOMAIN
                        ? placer->cost[part.slot]
                        : cost_of_best(placer, &placer->domain[part.domain], n);
        if (best.room == 0 || better_part(placer, &part, &best, n)) best = part;
    }
    return best;
}

/* n <= room[d]. Recursion is as deep as domains are nested: at most KINDS. */
static void fill(byre__placer_t *placer, int d, uint32_t n)
{
    if (placer->domain[d].next == d + 1) {
        sort_slots(placer, &placer->domain[d]);
        for (uint32_t i = 0; i < n; i++) choose_slot(placer, placer->sorted[i]);
        return;
    }
    while (n > 0) {
        part_t part = best_part(placer, d, n);
        uint32_t some = part.room < n ? part.room : n;

        if (part.domain == NO_DOMAIN) {
            choose_slot(placer, part.slot);
        } else {
            fill(placer, part.domain, some);
        }
        n -= some;
    }
}

/* Less room, or the same and less around it; then where fewer keys are at home. */
static bool tighter(const byre__placer_t *placer, int a, int b)
{
    int order = compare_around(placer, placer->room, a, b);

    if (order == 0) order = compare_around(placer, placer->homes, a, b);
    return order < 0;
}

static bool choose_several(byre__placer_t *placer, uint32_t n)
{
    int best = NO_DOMAIN;
    uint64_t best_cost = 0;

    for (int d = 0; d < placer->domains; d++) {
        uint64_t cost;

        if (placer->room[d] < n ||
            (best != NO_DOMAIN && placer->domain[d].rank > placer->domain[best].rank)) {
            continue;
        }
        cost = cost_of_best(placer, &placer->domain[d], n);
        if (best == NO_DOMAIN || placer->domain[d].rank < placer->domain[best].rank ||
            cost < best_cost || (cost == best_cost && tighter(placer, d, best))) {
            best = d;
            best_cost = cost;
        }
    }
    if (best == NO_DOMAIN) return false;
    fill(placer, best, n);
    return true;
}

/* ---- interface ---------------------------------------------------------------------------------- */

bool byre__place_choose(byre__placer_t *placer, uint32_t n)
{
    placer->chosen_count = 0;
    count_room(placer);
    return n == 1 ? choose_one(placer) : choose_several(placer, n);
}

/* The smallest domain that has all of chosen[] and room for n more. */
bool byre__place_choose_near(byre__placer_t *placer, uint32_t n)
{
    int d = placer->slot[placer->chosen[0]].domain;

    count_room(placer);
    for (; d != NO_DOMAIN; d = placer->domain[d].parent) {
        const domain_t *domain = &placer->domain[d];
        bool all = placer->room[d] >= n;

        for (uint32_t i = 0; all && i < placer->chosen_count; i++) {
            all = placer->chosen[i] - domain->first < domain->count;
        }
        if (all) {
            fill(placer, d, n);
            return true;
        }
    }
    return false;
}
