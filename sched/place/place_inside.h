/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place_inside.h - what the files of sched/place share.
 *
 *   place.c         the books: jobs, processors, memory
 *   place_tree.c    hwloc's tree reduced to what matters here: slots and domains
 *   place_choose.c  n slots out of those that may be had: locality first, then cost
 *   place_policy.c  the five policies: which slots may be had, and what each would cost
 *   place_key.c     what is remembered of an affinity key
 *   place_table.c   a hash table
 *
 * A slot is what is given away at once: a core, or a hyperthread (smt). Slots are in hwloc's order, so that
 * a domain (an L3, a NUMA node, a package, the machine; with smt also a core) is a range of them.
 *
 * Invariants:
 *   I1  domains are nested or disjoint; no two are the same range; they are in pre-order, the machine first
 *   I2  a domain's rank is above that of each domain inside it, and at least that of its kind
 *   I3  slot.holders is the number of jobs that have it; take gives only slots with 0, retake any
 *   I4  used, mem_used and node.used are the sums over the jobs that are not waiting
 *   I5  slot.waiting is the number of waiting jobs that are expected to go there
 *   I6  slot.homes is the number of keys whose home contains the slot
 */
#ifndef BYRE__SCHED_PLACE_INSIDE_H
#define BYRE__SCHED_PLACE_INSIDE_H

#include <hwloc.h>

#include "sched/place/place.h"
#include "sched/place/place_table.h"

enum { NO_DOMAIN = -1 };

typedef struct slot {
    hwloc_obj_t obj;       /* core or hyperthread */
    uint32_t cpu, cpus;    /* its processors: placer->cpu[cpu .. cpu + cpus) */
    int package, numa, l3; /* logical numbers, -1 */
    int domain;            /* the innermost */
    int node; /* the nearest memory node, an index of placer->node; -1: none, or not allowed */
    uint32_t holders, waiting, homes;
    uint32_t started; /* jobs that have begun here: wraps, only differences count */
} slot_t;

typedef struct domain {
    uint32_t first, count; /* slots */
    int rank;
    int parent; /* NO_DOMAIN: this is the machine */
    int next;   /* the first domain behind this one and all inside it */
} domain_t;

typedef struct node {
    unsigned os_index;
    uint64_t mem, used;
} node_t;

/* "The key ran on this slot when `started' jobs had begun there." */
typedef struct mark {
    uint16_t slot;
    uint32_t started;
} mark_t;

typedef struct place_key {
    place_link_t link;
    struct place_key *older, *newer; /* by last use */
    uint32_t users;                  /* jobs that name it: not forgotten while there are some */
    uint16_t *home;                  /* fixed: where it belongs; else where it ran last */
    uint32_t homes;
    mark_t *mark; /* the slots where it was seen, at most MARKS or as many as its last job had */
    uint32_t marks, mark_room;
    char name[];
} place_key_t;

typedef struct place_job {
    place_link_t link;
    uint64_t job;
    struct place_job *ahead, *behind; /* of the waiting ones, in the order in which they came */
    uint32_t cpus;
    uint64_t mem;
    uint64_t share;   /* bytes charged to each memory node of its slots */
    bool waiting;     /* expected, not taken */
    place_key_t *key; /* NULL: none */
    uint32_t count;
    uint16_t slot[];
} place_job_t;

typedef struct place_policy place_policy_t;

struct byre__placer {
    hwloc_topology_t topology;
    const place_policy_t *policy;
    bool smt, bind;
    uint32_t limit, used; /* processors in use at once, at most and now */
    uint64_t mem, mem_used;

    slot_t *slot;
    uint32_t slots;
    unsigned *cpu; /* of all slots */
    domain_t *domain;
    int domains;
    node_t *node;
    uint32_t nodes;

    place_table_t jobs, keys;
    place_key_t *oldest, *newest;
    place_job_t *first_waiting, *last_waiting;

    /* Scratch of one call. */
    bool *may;        /* slot by slot: may it be had? */
    uint32_t *cost;   /* and for what */
    bool *lack;       /* has its memory node less left than the job needs? */
    uint32_t *queue;  /* waiting jobs that are expected there and come first */
    uint32_t *room;   /* domain by domain: slots that may be had */
    uint32_t *homes;  /* and the sum of homes of these */
    uint16_t *chosen; /* the answer */
    uint32_t chosen_count;
    uint16_t *sorted;
};

/* place_tree.c: BYRE_OK or BYRE_ENOMEM; no slot at all is not an error here. */
int byre__place_tree(byre__placer_t *placer, const byre__cpuset_t *allowed);

/* place_choose.c: n of the slots with may[], cheapest and nearest to each other, into chosen[]; may[] is
 * used up. false: there are fewer. The second continues in the neighbourhood of what chosen[] has. */
bool byre__place_choose(byre__placer_t *placer, uint32_t n);
bool byre__place_choose_near(byre__placer_t *placer, uint32_t n);

/* place_policy.c */
struct place_policy {
    const char *name;
    bool remembers, stays, queues; /* keys; the first home for ever; jobs that wait */
    /* BYRE_OK: chosen[] are free and may be given. BYRE_EAGAIN: chosen[] are what to wait for, or none. */
    int (*pick)(byre__placer_t *placer, uint32_t n, const place_key_t *key);
};
const place_policy_t *byre__place_policy(const char *name); /* NULL: none */
/* mi-queue: where would a job go that has to wait? */
void byre__place_foresee(byre__placer_t *placer, uint32_t n, const place_key_t *key);

/* place_key.c */
place_key_t *byre__place_key_find(const byre__placer_t *placer, const char *name);
/* Find or begin to remember. NULL: out of memory. */
place_key_t *byre__place_key_get(byre__placer_t *placer, const char *name);
/* A job with this key begins or ends on these slots. Short of memory it remembers less. */
void byre__place_key_began(byre__placer_t *placer, place_key_t *key, const uint16_t *slot,
                           uint32_t count);
void byre__place_key_ended(byre__placer_t *placer, place_key_t *key, const uint16_t *slot,
                           uint32_t count);
void byre__place_key_destroy(place_link_t *link);

#endif
