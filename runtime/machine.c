/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c - reads this node with hwloc, once, and answers where things are.
 *
 * Interface: machine.h. Sets of processors are in machine_cpuset.c, the cgroup quota in machine_quota.c,
 * the choice for the service thread in machine_service.c.
 */
#include "runtime/machine.h"

#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <byre_errors.h>

static struct {
    pthread_mutex_t lock; /* guards users; the rest is written by the first load, the last unload */
    int users;
    hwloc_topology_t topology;
    byre__cpuset_t allowed, outer, own;
    double quota;
} machine = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- reading ------------------------------------------------------------------------------------- */

static void from_bitmap(hwloc_const_bitmap_t bitmap, byre__cpuset_t *set_out)
{
    memset(set_out, 0, sizeof *set_out);
    /* An infinite bitmap would not end; nothing that comes here is one, but do not depend on it. */
    for (int cpu = hwloc_bitmap_first(bitmap); cpu >= 0 && cpu < BYRE__CPUSET_MAX;
         cpu = hwloc_bitmap_next(bitmap, cpu)) {
        byre__cpuset_add(set_out, cpu);
    }
}

/* Keeps the disallowed parts: `byre topo' shows the node as it is, and marks what we may use. The
 * process's own binding is not applied to the topology (RESTRICT_TO_CPUBINDING): a spare processor for
 * the service thread lies outside of it. */
static int read_topology(hwloc_topology_t *topology_out)
{
    hwloc_topology_t topology;

    if (hwloc_topology_init(&topology) != 0) {
        return BYRE_ENOMEM;
    }
    if (hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0 ||
        hwloc_topology_load(topology) != 0) {
        hwloc_topology_destroy(topology);
        return BYRE_ESYSTEM;
    }
    *topology_out = topology;
    return 0;
}

static void intersect(byre__cpuset_t *set, const byre__cpuset_t *with)
{
    for (size_t i = 0; i < sizeof set->word / sizeof set->word[0]; i++) {
        set->word[i] &= with->word[i];
    }
}

/* Did mpirun bind this process? Then the processors outside of the binding are other ranks', or spare.
 * If not, the binding is a person's (taskset) or a batch system's, and is not to be left. */
static bool bound_by_launcher(void)
{
    const char *bound = getenv("OMPI_MCA_orte_bound_at_launch");

    return bound && strcmp(bound, "1") == 0;
}

/* `own' from the kernel. On a synthetic machine it says nothing of the processors shown: all of them. */
static void read_own(const byre__cpuset_t *allowed, byre__cpuset_t *own_out)
{
    if (hwloc_topology_is_thissystem(machine.topology) && byre__cpuset_of_thread(0, own_out) == 0) {
        intersect(own_out, allowed);
    }
    if (byre__cpuset_count(own_out) == 0) {
        *own_out = *allowed;
    }
}

/* The launcher daemon is the parent of a rank, and has the job's binding. A wrapper script in between was
 * bound like the rank itself: then `outer' is `own', which is safe. */
static void read_outer(const byre__cpuset_t *allowed, const byre__cpuset_t *own,
                       byre__cpuset_t *outer_out)
{
    if (bound_by_launcher() && byre__cpuset_of_thread(getppid(), outer_out) == 0) {
        intersect(outer_out, allowed);
        for (size_t i = 0; i < sizeof own->word / sizeof own->word[0]; i++) {
            outer_out->word[i] |= own->word[i];
        }
        return;
    }
    *outer_out = *own;
}

static int load_first(void)
{
    int status = read_topology(&machine.topology);

    if (status < 0) {
        return status;
    }
    byre__machine_allowed_in(machine.topology, &machine.allowed);
    memset(&machine.own, 0, sizeof machine.own);
    read_own(&machine.allowed, &machine.own);
    read_outer(&machine.allowed, &machine.own, &machine.outer);
    machine.quota = byre__machine_quota();
    return 0;
}

int byre__machine_load(void)
{
    int status = 0;

    pthread_mutex_lock(&machine.lock);
    if (machine.users == 0) {
        status = load_first();
    }
    if (status == 0) {
        machine.users++;
    }
    pthread_mutex_unlock(&machine.lock);
    return status;
}

void byre__machine_unload(void)
{
    pthread_mutex_lock(&machine.lock);
    if (machine.users > 0 && --machine.users == 0) {
        hwloc_topology_destroy(machine.topology);
        machine.topology = NULL;
    }
    pthread_mutex_unlock(&machine.lock);
}

/* ---- answers ------------------------------------------------------------------------------------- */

struct hwloc_topology *byre__machine_topology(void)
{
    return machine.topology;
}

void byre__machine_allowed(byre__cpuset_t *set_out)
{
    *set_out = machine.allowed;
}

void byre__machine_allowed_in(struct hwloc_topology *topology, byre__cpuset_t *set_out)
{
    from_bitmap(hwloc_topology_get_allowed_cpuset(topology), set_out);
}

void byre__machine_outer(byre__cpuset_t *set_out)
{
    *set_out = machine.outer;
}

void byre__machine_own(byre__cpuset_t *set_out)
{
    *set_out = machine.own;
}

int byre__machine_allowed_pus(void)
{
    int count = byre__cpuset_count(&machine.own);

    if (machine.quota > 0 && machine.quota < count) {
        count = (int)machine.quota + (machine.quota > (int)machine.quota ? 1 : 0);
    }
    return count < 1 ? 1 : count;
}

static int number_of(hwloc_obj_t obj)
{
    return obj ? (int)obj->logical_index : -1;
}

static uint64_t cache_bytes(hwloc_topology_t topology, hwloc_obj_t pu, hwloc_obj_type_t type)
{
    hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(topology, type, pu);

    return cache ? cache->attr->cache.size : 0;
}

/* NUMA nodes hang beside the tree, so that they are found by their processors, not as ancestors. */
static hwloc_obj_t numa_of(hwloc_topology_t topology, hwloc_obj_t pu)
{
    hwloc_obj_t node = NULL;

    while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        if (hwloc_bitmap_isset(node->cpuset, pu->os_index)) {
            return node;
        }
    }
    return NULL;
}

int byre__machine_place_in(struct hwloc_topology *topology, int cpu, byre__place_t *place_out)
{
    hwloc_obj_t pu =
        topology && cpu >= 0 ? hwloc_get_pu_obj_by_os_index(topology, (unsigned)cpu) : NULL;

    if (!pu) {
        return BYRE_ENOTFOUND;
    }
    *place_out = (byre__place_t){
        .package = number_of(hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, pu)),
        .numa = number_of(numa_of(topology, pu)),
        .l3 = number_of(hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_L3CACHE, pu)),
        .core = number_of(hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu)),
        .cpu = cpu,
        .l1_bytes = cache_bytes(topology, pu, HWLOC_OBJ_L1CACHE),
        .l2_bytes = cache_bytes(topology, pu, HWLOC_OBJ_L2CACHE),
        .l3_bytes = cache_bytes(topology, pu, HWLOC_OBJ_L3CACHE),
    };
    return 0;
}

int byre__machine_place_of(int cpu, byre__place_t *place_out)
{
    return byre__machine_place_in(machine.topology, cpu, place_out);
}

int byre__machine_where(byre__place_t *place_out)
{
    return byre__machine_place_of(sched_getcpu(), place_out);
}

/* ---- to and from other nodes --------------------------------------------------------------------- */

int byre__machine_export(char **xml_out)
{
    char *xml, *copy;
    int length;

    if (hwloc_topology_export_xmlbuffer(machine.topology, &xml, &length, 0) != 0) {
        return BYRE_ENOMEM;
    }
    copy = strdup(xml);
    hwloc_free_xmlbuffer(machine.topology, xml);
    if (!copy) {
        return BYRE_ENOMEM;
    }
    *xml_out = copy;
    return 0;
}

int byre__machine_import(const char *xml, struct hwloc_topology **topology_out)
{
    hwloc_topology_t topology;

    if (hwloc_topology_init(&topology) != 0) {
        return BYRE_ENOMEM;
    }
    if (hwloc_topology_set_xmlbuffer(topology, xml, (int)strlen(xml) + 1) != 0 ||
        hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0 ||
        hwloc_topology_load(topology) != 0) {
        hwloc_topology_destroy(topology);
        return BYRE_EPROTO;
    }
    *topology_out = topology;
    return 0;
}
