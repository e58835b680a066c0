/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.h - this node, as hwloc sees it: which processors we may use, where we are, where the service
 * thread hurts least.
 *
 * Three sets of processors matter, each inside the one before:
 *   allowed  what the node's administrator leaves us (cgroup cpuset); hwloc's allowed cpuset
 *   outer    allowed, and also what the job as a whole may use: a `taskset' around mpirun, say
 *   own      what this process is bound to: what mpirun gave this rank
 * Ranks keep to `own'. A service thread may leave it for a processor in `outer' that nobody is bound to.
 *
 * Processors are counted as the kernel counts them (hwloc: os_index), everywhere.
 *
 * byre__machine_load comes first, byre__machine_unload last, both from the thread that runs byre_init;
 * in between everything is read-only and may be called by any thread.
 */
#ifndef BYRE__MACHINE_H
#define BYRE__MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- sets of processors -------------------------------------------------------------------------- */

#define BYRE__CPUSET_MAX 4096 /* processors 0 .. 4095; what lies above is not seen */

/* Flat, so that ranks can send each other theirs as bytes. All zero is the empty set. */
typedef struct byre__cpuset {
    uint64_t word[BYRE__CPUSET_MAX / 64];
} byre__cpuset_t;

static inline bool byre__cpuset_has(const byre__cpuset_t *set, int cpu)
{
    return cpu >= 0 && cpu < BYRE__CPUSET_MAX && (set->word[cpu / 64] >> (cpu % 64) & 1);
}

static inline void byre__cpuset_add(byre__cpuset_t *set, int cpu)
{
    if (cpu >= 0 && cpu < BYRE__CPUSET_MAX) {
        set->word[cpu / 64] |= UINT64_C(1) << (cpu % 64);
    }
}

int byre__cpuset_count(const byre__cpuset_t *set);
bool byre__cpuset_equal(const byre__cpuset_t *a, const byre__cpuset_t *b);

#define BYRE__CPU_LIST 256 /* room for a set as text, unless it is much scattered */

/* As /proc writes it: "0-3,8". Cut off if there is no room, but always ended; returns `text_out'. */
char *byre__cpuset_format(const byre__cpuset_t *set, char *text_out, size_t room_bytes);

/* The reverse; 0, or BYRE_EINVAL for anything else, the empty text too. */
int byre__cpuset_parse(const char *text, byre__cpuset_t *set_out);

/* What the kernel lets a thread use (sched_getaffinity); tid 0: the calling one. 0 or BYRE_ESYSTEM. */
int byre__cpuset_of_thread(pid_t tid, byre__cpuset_t *set_out);

/* ---- the machine --------------------------------------------------------------------------------- */

struct hwloc_topology; /* hwloc_topology_t is a pointer to it */

/* Read the machine. May be called again: load and unload are counted. BYRE_ENOMEM, BYRE_ESYSTEM. */
int byre__machine_load(void);
void byre__machine_unload(void);

/* The topology of the whole node, disallowed parts included; NULL before load. */
struct hwloc_topology *byre__machine_topology(void);

/* The machine as text (XML), to be shown elsewhere: malloc'ed, ended by a zero byte. BYRE_ENOMEM. */
int byre__machine_export(char **xml_out);

/* The reverse, for a machine that need not be this one: free it with hwloc_topology_destroy. The text may
 * come from another machine: BYRE_EPROTO if hwloc cannot read it; BYRE_ENOMEM. */
int byre__machine_import(const char *xml, struct hwloc_topology **topology_out);

void byre__machine_allowed(byre__cpuset_t *set_out);
void byre__machine_allowed_in(struct hwloc_topology *topology, byre__cpuset_t *set_out);
void byre__machine_outer(byre__cpuset_t *set_out);
void byre__machine_own(byre__cpuset_t *set_out);

/* Processors of `own'; fewer if a cgroup's quota gives less time than that, rounded up. At least 1. */
int byre__machine_allowed_pus(void);

/* The processors' worth of time that the cgroups of this process leave it, or 0: no limit. */
double byre__machine_quota(void);

/* Where a processor is. hwloc's logical numbers, -1: not there. Sizes in bytes, 0: not known. */
typedef struct byre__place {
    int package;
    int numa;
    int l3;
    int core;
    int cpu; /* as the kernel counts */
    uint64_t l1_bytes, l2_bytes, l3_bytes;
} byre__place_t;

/* Of a processor of this machine: 0, or BYRE_ENOTFOUND. */
int byre__machine_place_of(int cpu, byre__place_t *place_out);

/* Of a processor of any machine, as from byre__machine_import. */
int byre__machine_place_in(struct hwloc_topology *topology, int cpu, byre__place_t *place_out);

/* Of the calling thread, this moment. 0, or BYRE_ENOTFOUND (a synthetic machine lacks real processors). */
int byre__machine_where(byre__place_t *place_out);

/* ---- the service thread -------------------------------------------------------------------------- */

/* Why the service thread goes where it goes, best first. */
typedef enum byre__service_choice {
    BYRE__SERVICE_SPARE_L3,      /* idle cores that share an L3 cache with the rank */
    BYRE__SERVICE_SPARE_NUMA,    /* idle cores of the same NUMA node */
    BYRE__SERVICE_SPARE_SIBLING, /* idle hyperthreads of busy cores of the same NUMA node */
    BYRE__SERVICE_UNBOUND        /* none: wherever the rank itself may run */
} byre__service_choice_t;

const char *byre__service_choice_text(byre__service_choice_t choice);

/* Choose processors for a rank's service thread.
 *
 * `ranks' are the own sets of the `count' ranks of this node, `self' the index of this one's. Spare is
 * a processor in `outer' that is in no rank's set; the result is all spare ones of the best sort, not a
 * single one, so that the kernel can keep the service threads of several ranks apart. A rank whose set
 * covers everything leaves nothing spare. Ranks that get the same `ranks' choose alike.
 */
byre__service_choice_t byre__machine_choose_service_cpus(const byre__cpuset_t *ranks, int count,
                                                         int self, const byre__cpuset_t *outer,
                                                         byre__cpuset_t *cpus_out);

/* Bind the calling thread, and read back what the kernel made of it. BYRE_EINVAL: empty set; BYRE_ESYSTEM:
 * refused, or the kernel left out a processor that was asked for. */
int byre__machine_bind_self(const byre__cpuset_t *cpus);

#endif
