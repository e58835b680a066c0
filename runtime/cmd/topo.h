/* SPDX-License-Identifier: BSD-3-Clause */
/* topo.h - what `byre topo' knows: the machines of a job and who sits where on them.
 *
 * topo.c collects it (rank 0 from all others), topo_text.c and topo_json.c show it.
 */
#ifndef BYRE__TOPO_H
#define BYRE__TOPO_H

#include <stdbool.h>
#include <stdio.h>

#include "runtime/machine.h"

/* Where a rank sits. Sent from rank to rank as bytes. */
typedef struct byre__seat {
    int rank, node;
    int status;             /* 0, or why nothing else is known (BYRE_EPEER) */
    int cpu;                /* on which the rank ran when it was asked */
    int pus;                /* processors' worth of time: less than `own' has under a quota */
    int has_service;        /* the rest describes the service thread, if there is one */
    int service_cpu;        /* on which it ran last */
    int policy, priority;   /* SCHED_* and its real-time priority */
    byre__cpuset_t own;     /* to which the rank is bound */
    byre__cpuset_t service; /* to which the service thread is bound */
    uint64_t xml_bytes; /* length of the machine's text that follows; 0: another rank sends it */
} byre__seat_t;

typedef struct byre__picture {
    int nodes, seats;
    byre__seat_t *seat; /* by rank */
    struct byre__picture_node {
        char host[64];
        struct hwloc_topology *topology; /* null: not known */
    } * node;
} byre__picture_t;

void byre__topo_text(FILE *out, const byre__picture_t *picture, bool draw);
void byre__topo_json(FILE *out, const byre__picture_t *picture);

/* "other", "fifo" ... */
const char *byre__policy_name(int policy);

/* Fills in what is known of the service thread of this process. */
void byre__seat_find_service(byre__seat_t *seat);

#endif
