/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pick.h - random nodes without replacement, what is done with a job when nobody is asked (any more),
 * and more that policies share.
 */
#ifndef BYRE__SCHED_PICK_H
#define BYRE__SCHED_PICK_H

#include "policy.h"

/* Who has been asked in one decision. */
typedef struct byre__asked {
    int count;
    int32_t node[BYRE__PROBES_MOST];
} byre__asked_t;

static inline bool byre__asked_has(const byre__asked_t *asked, int node)
{
    for (int i = 0; i < asked->count; i++) {
        if (asked->node[i] == node) {
            return true;
        }
    }
    return false;
}

/* Also a condition of the caller; NULL: none. */
typedef bool (*byre__eligible_t)(const void *arg, int node);

/* One of the other nodes that are alive, have not been asked and can run the job (0: any job), all with the
 * same chance; -1: there is none. */
int byre__pick(const byre__world_t *world, const byre__asked_t *asked, byre__policy_job_t job,
               byre__eligible_t eligible, const void *arg);

/* The probes of one decision. */
static inline int byre__probe_limit(const byre__world_t *world, const byre__policy_t *policy)
{
    int probes = world->params.probes > 0 ? world->params.probes : policy->defaults.probes;

    return probes < BYRE__PROBES_MOST ? probes : BYRE__PROBES_MOST;
}

static inline int byre__threshold(const byre__world_t *world)
{
    return world->params.threshold > 0 ? world->params.threshold : 1;
}

/* Is the job to run here without asking: it can, and the load is below the threshold. */
bool byre__welcome_here(const byre__world_t *world, byre__policy_job_t job);

/* Nobody wants it: it stays. Where it cannot run here, it goes to any node that can run it. */
void byre__keep(const byre__world_t *world, byre__policy_job_t job);

/* A question of that kind: for a job, or (job 0) for what is free here. */
byre__question_t byre__question(const byre__world_t *world, enum byre__probe kind, int limit,
                                byre__policy_job_t job);

/* What follows the name and its comma in byre__policy_parse: "T=2,L=3", over the defaults of the policy. */
bool byre__policy_parameters(const byre__policy_t *policy, const char *text,
                             byre__policy_params_t *params_out, char error_out[static 160]);

#endif
