/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.h - which processors of this node a job gets, and near which memory. Pure: it works on any hwloc
 * topology, binds nothing, and one thread uses it.
 *
 * Policies, after Squillante and Lazowska (1993) and Vaswani and Zahorjan (1991); a "task" is an affinity key:
 *   fcfs   next waiting job, any free processors                 (most free cache first)
 *   fixed  a key stays for ever with the processors it began on: its jobs wait for these
 *   last   the processors on which the key ran last, if free; else any free ones
 *   minimum-intervening   among the free processors those that have run the fewest other jobs since this key
 *   mi-queue              the same over all processors, counting also the jobs that wait for them; a job
 *                         may wait for a better processor although another one is free
 *
 * One processor: first the core that shares least with what runs (most free cache). Several come from one
 * L3, else one NUMA node, else one package, else anywhere, the tightest that has room; affinity chooses
 * between equals, except that `fixed' and `last' give a key exactly its own. docs/place.md tells more.
 *
 * 16,384 keys are remembered; beyond that the one unused longest is forgotten, also by `fixed'.
 */
#ifndef BYRE__SCHED_PLACE_H
#define BYRE__SCHED_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include "runtime/machine.h"

typedef struct byre__placer byre__placer_t;

typedef struct byre__place_config {
    const char *policy; /* one of the names above */
    uint32_t slots;     /* processors to give away; 0: all that are allowed */
    bool smt;     /* a hyperthread counts as a processor; else a core does, and is given whole */
    bool bind;    /* false: jobs are counted, not bound: cpu lists are "", policies do nothing */
    uint64_t mem; /* bytes to give away (a cgroup may leave less than there is); 0: all there is */
} byre__place_config_t;

/* From a topology (borrowed, stays). Only processors in `allowed' are given away. BYRE_OK, BYRE_ENOMEM,
 * BYRE_EINVAL: no such policy, more slots than processors (bind) or none. */
int byre__placer_create(struct hwloc_topology *topology, const byre__cpuset_t *allowed,
                        const byre__place_config_t *config, byre__placer_t **placer_out);
void byre__placer_destroy(byre__placer_t *placer);

typedef struct byre__place_request {
    uint64_t job; /* the caller's name for it, not 0 */
    uint32_t cpus;
    uint64_t mem;         /* bytes; 0: not said */
    const char *affinity; /* "" : none */
} byre__place_request_t;

typedef struct byre__placement {
    /* As /proc writes it: "0-3,8". "": not bound, also where a much scattered set would not fit; never cut off. */
    char cpus[BYRE__CPU_LIST];
    /* Memory nodes in the same form. "": any, also where the near ones have less left than the job needs. */
    char nodes[BYRE__CPU_LIST];
    int package, numa, l3; /* hwloc's logical numbers when all processors share one, else -1 */
} byre__placement_t;

/* Can it ever run here? */
bool byre__placer_fits(const byre__placer_t *placer, uint32_t cpus, uint64_t mem);
/* Now: BYRE_OK and where; BYRE_EAGAIN: not now (no room, or the policy wants it to wait: `wait_out' (may be
 * NULL) says for which processors, "" for any); BYRE_ERANGE: never; BYRE_EEXIST: this job has its processors;
 * BYRE_EINVAL: job or cpus 0; BYRE_ENOMEM. */
int byre__placer_take(byre__placer_t *placer, const byre__place_request_t *request,
                      byre__placement_t *placement_out, char wait_out[BYRE__CPU_LIST]);
/* A job that has been here since before this daemon (its cpu list as it was told; what is no longer allowed
 * in it is ignored, and two jobs may have the same processors). BYRE_OK, BYRE_EEXIST, BYRE_EINVAL, BYRE_ENOMEM. */
int byre__placer_retake(byre__placer_t *placer, const byre__place_request_t *request,
                        const char *cpus);
void byre__placer_give(byre__placer_t *placer, uint64_t number);
/* For mi-queue: a job waits here and has not been taken (counts against the processors it would go to). */
void byre__placer_expect(byre__placer_t *placer, const byre__place_request_t *request);
void byre__placer_unexpect(byre__placer_t *placer, uint64_t number);

uint32_t byre__placer_slots(const byre__placer_t *placer);
uint32_t byre__placer_used(const byre__placer_t *placer);
uint64_t byre__placer_mem(const byre__placer_t *placer); /* bytes to give away in all */
uint64_t byre__placer_mem_used(const byre__placer_t *placer);
const char *const *byre__place_policies(void); /* ended by NULL */

#endif
