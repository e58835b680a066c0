/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * history.h - what was last heard of other nodes: the sender, receiver and OK lists of Shivaratri and Krueger.
 * The most recent BYRE__HISTORY nodes are kept, each in one list; what is older than the limit counts as unheard.
 *
 * Invariants
 *  1. A node has at most one place.
 *  2. A node that has a place has a hint; it leads there, unless another node with the same remainder was noted
 *     since: then all places are looked at.
 */
#ifndef BYRE__SCHED_HISTORY_H
#define BYRE__SCHED_HISTORY_H

#include "pick.h"

enum { BYRE__HISTORY = BYRE__PROBES_MOST, BYRE__HINTS = 256 };

enum byre__role {
    BYRE__UNKNOWN,
    BYRE__RECEIVER, /* load below T */
    BYRE__OK_ROLE,  /* load T */
    BYRE__SENDER    /* load above T */
};

typedef struct byre__heard {
    uint8_t role; /* BYRE__UNKNOWN: the place is free */
    int32_t node;
    uint64_t age; /* counts up */
    double when;
} byre__heard_t;

typedef struct byre__history {
    const byre__world_t *world;
    uint64_t ages;
    int used;                  /* places below it may be taken, none above is */
    uint8_t hint[BYRE__HINTS]; /* by the node's remainder: its place, and 1; 0: it has none */
    byre__heard_t heard[BYRE__HISTORY];
} byre__history_t;

void byre__history_note(byre__history_t *history, int node, enum byre__role role);
void byre__history_forget(byre__history_t *history, int node);
enum byre__role byre__history_role(const byre__history_t *history, int node);

/* Of the nodes of a role that may be asked (pick.h) the latest heard of, or the earliest; -1: none. */
int byre__history_pick(const byre__history_t *history, enum byre__role role, bool latest,
                       const byre__asked_t *asked, byre__policy_job_t job);
/* A random one of those that nothing is known of; -1: none. */
int byre__history_pick_unknown(const byre__history_t *history, const byre__asked_t *asked,
                               byre__policy_job_t job);

#endif
