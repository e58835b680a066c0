/* SPDX-License-Identifier: BSD-3-Clause */
/* place_tree.c - slots and domains out of hwloc's tree. Keeps I1 and I2 (place_inside.h).
 *
 * NUMA nodes hang beside hwloc's tree, caches may be missing, one package may have what the other lacks, and
 * only some processors are allowed: so domains are found from the slots' side. Neighbours that have the same
 * object above them are a domain; equal ranges are one domain, of the lowest kind.
 */
#include "sched/place/place_inside.h"

#include <stdlib.h>

#include <byre_errors.h>

enum kind {
    IN_CORE,
    IN_L3,
    IN_NUMA,
    IN_PACKAGE,
    IN_MACHINE,
    KINDS
}; /* and the rank of each at least */

/* ---- slots -------------------------------------------------------------------------------------- */

/* The memory node nearest to an object: beside the lowest ancestor that has one. */
static hwloc_obj_t numa_above(hwloc_obj_t obj)
{
    while (obj && obj->memory_arity == 0) obj = obj->parent;
    if (!obj) return NULL;
    /* A memory-side cache may stand between. */
    for (obj = obj->memory_first_child; obj && obj->type != HWLOC_OBJ_NUMANODE;
         obj = obj->memory_first_child) {}
    return obj;
}

static hwloc_obj_t above(hwloc_topology_t topology, hwloc_obj_t obj, enum kind kind)
{
    switch (kind) {
    case IN_CORE:
        return hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, obj);
    case IN_L3:
        return hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_L3CACHE, obj);
    case IN_NUMA:
        return numa_above(obj);
    case IN_PACKAGE:
        return hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, obj);
    default:
        return hwloc_get_root_obj(topology);
    }
}

static int number_of(hwloc_obj_t obj)
{
    return obj ? (int)obj->logical_index : -1;
}

static void describe(hwloc_topology_t topology, hwloc_obj_t obj, slot_t *slot)
{
    *slot = (slot_t){ .obj = obj,
                      .package = number_of(above(topology, obj, IN_PACKAGE)),
                      .numa = number_of(above(topology, obj, IN_NUMA)),
                      .l3 = number_of(above(topology, obj, IN_L3)),
                      .domain = NO_DOMAIN,
                      .node = -1 };
}

/* Processors in hwloc's order; those of one core become one slot unless they count one by one. */
static int find_slots(byre__placer_t *placer, const byre__cpuset_t *allowed)
{
    hwloc_topology_t topology = placer->topology;
    uint32_t most = (uint32_t)byre__cpuset_count(allowed), cpus = 0;
    hwloc_obj_t pu = NULL, last = NULL;

    placer->slot = calloc(most + 1, sizeof *placer->slot);
    placer->cpu = calloc(most + 1, sizeof *placer->cpu);
    if (!placer->slot || !placer->cpu) return BYRE_ENOMEM;
    while ((pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != NULL) {
        hwloc_obj_t obj = placer->smt ? NULL : above(topology, pu, IN_CORE);

        if (pu->os_index >= BYRE__CPUSET_MAX || !byre__cpuset_has(allowed, (int)pu->os_index)) {
            continue;
        }
        if (!obj) obj = pu;
        if (obj != last) {
            describe(topology, obj, &placer->slot[placer->slots]);
            placer->slot[placer->slots++].cpu = cpus;
        }
        last = obj;
        placer->cpu[cpus++] = pu->os_index;
        placer->slot[placer->slots - 1].cpus++;
    }
    return BYRE_OK;
}

/* ---- domains ------------------------------------------------------------------------------------ */

/* Runs of slots below the same object. A slot with no such object above it is in none. */
static void find_domains(byre__placer_t *placer, enum kind kind)
{
    hwloc_obj_t last = NULL;

    for (uint32_t i = 0; i < placer->slots; i++) {
        hwloc_obj_t obj = above(placer->topology, placer->slot[i].obj, kind);

        if (obj && obj != last) {
            placer->domain[placer->domains++] = (domain_t){ .first = i, .rank = (int)kind };
        }
        if (obj) placer->domain[placer->domains - 1].count++;
        last = obj;
    }
}

static int by_range(const void *left, const void *right)
{
    const domain_t *a = left, *b = right;

    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->rank - b->rank;
}

static void drop_doubles(byre__placer_t *placer)
{
    int kept = 0;

    for (int i = 0; i < placer->domains; i++) {
        const domain_t *last = kept > 0 ? &placer->domain[kept - 1] : NULL;

        if (!last || last->first != placer->domain[i].first ||
            last->count != placer->domain[i].count) {
            placer->domain[kept++] = placer->domain[i];
        }
    }
    placer->domains = kept;
}

static uint32_t end_of(const domain_t *domain)
{
    return domain->first + domain->count;
}

/* Pre-order: the parent is the last one before that is not over yet. */
static void link_domains(byre__placer_t *placer)
{
    int open = NO_DOMAIN;

    for (int i = 0; i < placer->domains; i++) {
        domain_t *domain = &placer->domain[i];

        while (open != NO_DOMAIN && end_of(&placer->domain[open]) <= domain->first) {
            placer->domain[open].next = i;
            open = placer->domain[open].parent;
        }
        domain->parent = open;
        open = i;
        for (uint32_t s = domain->first; s < end_of(domain); s++) placer->slot[s].domain = i;
    }
    for (; open != NO_DOMAIN; open = placer->domain[open].parent) {
        placer->domain[open].next = placer->domains;
    }
    for (int i = placer->domains - 1; i > 0; i--) {
        domain_t *parent = &placer->domain[placer->domain[i].parent];

        if (parent->rank <= placer->domain[i].rank) parent->rank = placer->domain[i].rank + 1;
    }
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void find_nearest(byre__placer_t *placer)
{
    for (uint32_t i = 0; i < placer->slots; i++) {
        hwloc_obj_t numa = above(placer->topology, placer->slot[i].obj, IN_NUMA);

        for (uint32_t n = 0; numa && n < placer->nodes; n++) {
            if (placer->node[n].os_index == numa->os_index) placer->slot[i].node = (int)n;
        }
    }
}

static int find_nodes(byre__placer_t *placer)
{
    hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(placer->topology);
    int count = hwloc_get_nbobjs_by_type(placer->topology, HWLOC_OBJ_NUMANODE);
    hwloc_obj_t node = NULL;

    placer->node = calloc((size_t)(count > 0 ? count : 0) + 1, sizeof *placer->node);
    if (!placer->node) return BYRE_ENOMEM;
    while ((node = hwloc_get_next_obj_by_type(placer->topology, HWLOC_OBJ_NUMANODE, node))) {
        if (node->os_index < BYRE__CPUSET_MAX && hwloc_bitmap_isset(allowed, node->os_index)) {
            placer->node[placer->nodes++] =
                (node_t){ .os_index = node->os_index, .mem = node->attr->numanode.local_memory };
        }
    }
    find_nearest(placer);
    return BYRE_OK;
}

int byre__place_tree(byre__placer_t *placer, const byre__cpuset_t *allowed)
{
    int status = find_slots(placer, allowed);

    if (status == BYRE_OK) status = find_nodes(placer);
    if (status != BYRE_OK) return status;
    placer->domain = calloc((size_t)placer->slots * KINDS + 1, sizeof *placer->domain);
    if (!placer->domain) return BYRE_ENOMEM;
    for (int kind = placer->smt ? IN_CORE : IN_L3; kind < KINDS; kind++) {
        find_domains(placer, (enum kind)kind);
    }
    qsort(placer->domain, (size_t)placer->domains, sizeof *placer->domain, by_range);
    drop_doubles(placer);
    link_domains(placer);
    return BYRE_OK;
}
