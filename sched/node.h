/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node.h - what is said of a node: byre nodes, byre load, byre top.
 */
#ifndef BYRE__SCHED_NODE_H
#define BYRE__SCHED_NODE_H

#include "job.h"

enum byre__node_state {
    BYRE__NODE_UP,
    BYRE__NODE_OWNED, /* its owner is using it: takes no guests */
    BYRE__NODE_GONE   /* dead, cut off or never came */
};

/* Measured, not guessed (load.h). */
typedef struct byre__load {
    double busy; /* fraction of all processors' time that was used, 0..1, over some seconds */
    double busy_others; /* the same, without what the jobs of this pool used */
    double runnable;    /* tasks that run or want to, now, of this node's own */
    double loadavg[3];
    uint64_t mem_bytes, mem_free_bytes;
    double
        owner_idle_s; /* since somebody used it by keyboard or terminal; INFINITY: nobody is there */
} byre__load_t;

/* What placing has cost and done on this node, since its daemon began. */
typedef struct byre__tally {
    uint64_t submitted, started, ended, lost;
    uint64_t probes_out, probes_in, probes_won; /* won: ours that found somebody */
    uint64_t claims_refused;                    /* found idle by two at once: one was refused */
    uint64_t sent, received;                    /* jobs handed over */
    uint64_t peer_messages, peer_bytes;
    double cpu_s; /* of the daemon and of its keeper */
    double wait_s,
        response_s; /* sums over the ended jobs whose home this is: until start, until end */
} byre__tally_t;

typedef struct byre__node_row {
    char name[BYRE__NODE_NAME];
    uint8_t state;
    int32_t rank;
    uint32_t slots, running, queued; /* in units of processors; jobs; jobs */
    uint32_t slots_used;
    uint64_t jobs_ended;
    char policy[32], place[32];
    byre__load_t load;
    byre__tally_t tally;
    uint64_t up_ms; /* when its daemon began */
} byre__node_row_t;

void byre__pack_node_row(byre__pack_t *pack, const byre__node_row_t *row);
void byre__unpack_node_row(byre__unpack_t *unpack, byre__node_row_t *row_out);

#endif
