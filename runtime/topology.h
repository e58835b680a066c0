/* SPDX-License-Identifier: BSD-3-Clause */
/* topology.h - what the files topology*.c share: the shape behind a byre_topology_t.
 *
 * Every kind but star and full is a product of paths or of rings: ring = one ring, grid = two paths,
 * torus = two rings, cube = three paths, hypercube = d paths of two nodes. One piece of code therefore
 * serves five kinds, and only `wraps' tells a ring from a path. Along an extent of 1 there is no link,
 * along an extent of 2 there is one: a ring of two nodes is a path.
 */
#ifndef BYRE_RUNTIME_TOPOLOGY_H
#define BYRE_RUNTIME_TOPOLOGY_H

#include <stdbool.h>

#include <byre_topology.h>

struct byre_topology {
    byre_topology_kind_t kind;
    int nodes;                                /* product of the extents */
    int dims;                                 /* dimensions in use */
    int extent[BYRE_TOPOLOGY_MAX_DIMENSIONS]; /* nodes along each dimension */
    bool wraps;                               /* the dimensions are rings, not paths */
    char name[64];                            /* "grid:4x8" */
};

/* Whether the kind is a product of paths or rings: not star, not full. */
static inline bool byre__topology_is_product(const byre_topology_t *topology)
{
    return topology->kind != BYRE_TOPOLOGY_STAR && topology->kind != BYRE_TOPOLOGY_FULL;
}

/* How many extents a kind is made from: 1, 2 or 3; 0 for an unknown kind. */
int byre__topology_extents_of(byre_topology_kind_t kind);

#endif
