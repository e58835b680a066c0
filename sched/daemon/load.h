/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load.h - what this node is doing, and whether its owner is using it. Read from the kernel, from logind or utmp
 * and from terminals; from the node's own processes where /proc does not belong to the node (a container or a lab).
 */
#ifndef BYRE__SCHED_LOAD_H
#define BYRE__SCHED_LOAD_H

#include "sched/node.h"

typedef struct byre__meter byre__meter_t;

/* BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM. The first reading covers the time since now. */
int byre__meter_create(byre__meter_t **meter_out);
void byre__meter_destroy(byre__meter_t *meter);
/* Take a reading; cheap enough for every second (some ms of work at most). `own_cpu_s' is what the jobs of this
 * pool and its daemons have used since the meter was created, so that the rest is the load by others. One thread. */
int byre__meter_read(byre__meter_t *meter, double own_cpu_s, byre__load_t *load_out);

/* Processor time, in seconds, of these processes and of all that descend from them, with what ended children have
 * left to them: for own_cpu_s, as a difference. With a subreaper (the keeper) as a root nothing gets lost.
 * BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM. */
int byre__meter_tree(byre__meter_t *meter, const pid_t *root, size_t count, double *cpu_s_out);

/* How it measures, for a person: what is counted, and out of how many processors. Stays. */
const char *byre__meter_method(const byre__meter_t *meter);

typedef struct byre__owner_rule {
    double idle_s;      /* somebody counts as there until so long after the last key */
    double busy_others; /* load by others above this fraction counts as there; above 1: never */
} byre__owner_rule_t;

/* Is the owner there? The reason for a person, or NULL: the node is free. */
const char *byre__owner_is_there(const byre__load_t *load, const byre__owner_rule_t *rule,
                                 char reason_out[static 96]);

#endif
