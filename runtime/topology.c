/* SPDX-License-Identifier: BSD-3-Clause */
/* topology.c - logical topologies: making them, coordinates, neighbours, routes.
 *
 * Interface: byre_topology.h. The numbers (links, diameter, bisection) are in topology_metrics.c, the
 * reader of "grid:4x8" in topology_spec.c.
 */
#include "runtime/topology.h"

#include <stdio.h>
#include <stdlib.h>

#include <byre_errors.h>

static const struct {
    const char *name;
    int extents;
    bool wraps;
} kinds[] = {
    [BYRE_TOPOLOGY_STAR] = { "star", 1, false },
    [BYRE_TOPOLOGY_RING] = { "ring", 1, true },
    [BYRE_TOPOLOGY_GRID] = { "grid", 2, false },
    [BYRE_TOPOLOGY_TORUS] = { "torus", 2, true },
    [BYRE_TOPOLOGY_CUBE] = { "cube", 3, false },
    [BYRE_TOPOLOGY_HYPERCUBE] = { "hypercube", 1, false },
    [BYRE_TOPOLOGY_FULL] = { "full", 1, false },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* ---- making ------------------------------------------------------------------------------------- */

const char *byre_topology_kind_name(byre_topology_kind_t kind)
{
    return (unsigned)kind < KINDS ? kinds[kind].name : NULL;
}

int byre__topology_extents_of(byre_topology_kind_t kind)
{
    return (unsigned)kind < KINDS ? kinds[kind].extents : 0;
}

/* The product of the extents, or BYRE_EINVAL, BYRE_ERANGE. */
static int count_nodes(const int *extents, int count)
{
    int64_t nodes = 1;

    for (int i = 0; i < count; i++) {
        if (extents[i] < 1) {
            return BYRE_EINVAL;
        }
        /* Each factor is at most 2^31 and nodes at most 2^30: no overflow. */
        nodes *= extents[i];
        if (nodes > BYRE_TOPOLOGY_MAX_NODES) {
            return BYRE_ERANGE;
        }
    }
    return (int)nodes;
}

static void set_name(byre_topology_t *t, const int *extents, int count)
{
    size_t used = (size_t)snprintf(t->name, sizeof t->name, "%s", kinds[t->kind].name);

    for (int i = 0; i < count; i++) {
        used += (size_t)snprintf(t->name + used, sizeof t->name - used, "%c%d", i == 0 ? ':' : 'x',
                                 extents[i]);
    }
}

/* A hypercube of 2^d nodes has d dimensions of extent 2; the others have what they were given. */
static void set_extents(byre_topology_t *t, const int *extents, int count)
{
    if (t->kind == BYRE_TOPOLOGY_HYPERCUBE) {
        t->dims = __builtin_ctz((unsigned)t->nodes);
        for (int i = 0; i < t->dims; i++) {
            t->extent[i] = 2;
        }
        return;
    }
    t->dims = count;
    for (int i = 0; i < count; i++) {
        t->extent[i] = extents[i];
    }
}

int byre_topology_create(byre_topology_kind_t kind, const int *extents, int count,
                         byre_topology_t **topology_out)
{
    byre_topology_t *t;
    int nodes;

    if (!extents || !topology_out || count < 1 || count != byre__topology_extents_of(kind)) {
        return BYRE_EINVAL;
    }
    nodes = count_nodes(extents, count);
    if (nodes < 0) {
        return nodes;
    }
    if (kind == BYRE_TOPOLOGY_HYPERCUBE && (nodes & (nodes - 1)) != 0) {
        return BYRE_EINVAL;
    }
    t = calloc(1, sizeof *t);
    if (!t) {
        return BYRE_ENOMEM;
    }
    t->kind = kind;
    t->nodes = nodes;
    t->wraps = kinds[kind].wraps;
    set_extents(t, extents, count);
    set_name(t, extents, count);
    *topology_out = t;
    return 0;
}

void byre_topology_destroy(byre_topology_t *topology)
{
    free(topology);
}

/* ---- simple questions --------------------------------------------------------------------------- */

byre_topology_kind_t byre_topology_kind(const byre_topology_t *topology)
{
    return topology->kind;
}

const char *byre_topology_name(const byre_topology_t *topology)
{
    return topology->name;
}

int byre_topology_nodes(const byre_topology_t *topology)
{
    return topology->nodes;
}

int byre_topology_switches(const byre_topology_t *topology)
{
    return topology->kind == BYRE_TOPOLOGY_STAR ? 1 : 0;
}

int byre_topology_dimensions(const byre_topology_t *topology)
{
    return topology->dims;
}

int byre_topology_extent(const byre_topology_t *topology, int dimension)
{
    if (dimension < 0 || dimension >= topology->dims) {
        return BYRE_ERANGE;
    }
    return topology->extent[dimension];
}

static bool is_vertex(const byre_topology_t *t, int vertex)
{
    return vertex >= 0 && vertex - byre_topology_switches(t) < t->nodes;
}

/* ---- coordinates -------------------------------------------------------------------------------- */

int byre_topology_coordinates(const byre_topology_t *topology, int node, int *coords_out)
{
    if (node < 0 || node >= topology->nodes) {
        return BYRE_ERANGE;
    }
    if (!coords_out) {
        return BYRE_EINVAL;
    }
    for (int d = topology->dims - 1; d >= 0; d--) {
        coords_out[d] = node % topology->extent[d];
        node /= topology->extent[d];
    }
    return 0;
}

int byre_topology_node_at(const byre_topology_t *topology, const int *coords)
{
    int node = 0;

    if (!coords) {
        return BYRE_EINVAL;
    }
    for (int d = 0; d < topology->dims; d++) {
        if (coords[d] < 0 || coords[d] >= topology->extent[d]) {
            return BYRE_ERANGE;
        }
        node = node * topology->extent[d] + coords[d];
    }
    return node;
}

/* ---- neighbours --------------------------------------------------------------------------------- */

/* Calls for the neighbours of coordinate x along one dimension: writes them, says how many. */
static int neighbours_along(int x, int extent, bool wraps, int *out)
{
    int count = 0;

    if (x > 0 || (wraps && extent > 2)) {
        out[count++] = x > 0 ? x - 1 : extent - 1;
    }
    if (x < extent - 1 || (wraps && extent > 2)) {
        out[count++] = x < extent - 1 ? x + 1 : 0;
    }
    return count;
}

static int product_neighbours(const byre_topology_t *t, int node, int *out)
{
    int count = 0, stride = 1;

    for (int d = t->dims - 1; d >= 0; d--) {
        int x = node / stride % t->extent[d], next[2];
        int found = neighbours_along(x, t->extent[d], t->wraps, next);

        for (int i = 0; i < found; i++) {
            if (out) {
                out[count] = node + (next[i] - x) * stride;
            }
            count++;
        }
        stride *= t->extent[d];
    }
    return count;
}

/* All vertices 0 .. nodes-1 but the given one: the neighbours in a full net, and of a star's switch. */
static int all_but(int nodes, int self, int *out)
{
    int count = 0;

    for (int i = 0; i < nodes; i++) {
        if (i != self) {
            out[count++] = i;
        }
    }
    return count;
}

int byre_topology_degree(const byre_topology_t *topology, int vertex)
{
    if (!is_vertex(topology, vertex)) {
        return BYRE_ERANGE;
    }
    switch (topology->kind) {
    case BYRE_TOPOLOGY_STAR:
        return vertex == topology->nodes ? topology->nodes : 1;
    case BYRE_TOPOLOGY_FULL:
        return topology->nodes - 1;
    default:
        return product_neighbours(topology, vertex, NULL);
    }
}

int byre_topology_neighbours(const byre_topology_t *topology, int vertex, int *neighbours_out,
                             int capacity)
{
    int degree = byre_topology_degree(topology, vertex);

    if (degree < 0 || capacity < degree) {
        return BYRE_ERANGE;
    }
    if (!neighbours_out) {
        return BYRE_EINVAL;
    }
    if (byre__topology_is_product(topology)) {
        return product_neighbours(topology, vertex, neighbours_out);
    }
    if (topology->kind == BYRE_TOPOLOGY_STAR && vertex < topology->nodes) {
        neighbours_out[0] = topology->nodes;
        return 1;
    }
    return all_but(topology->nodes, vertex, neighbours_out);
}

/* ---- distance and route ------------------------------------------------------------------------- */

/* The signed number of steps from x to y along one dimension, the shorter way. */
static int steps_along(int x, int y, int extent, bool wraps)
{
    int up = y - x;

    if (!wraps || extent <= 2) {
        return up;
    }
    if (up < 0) {
        up += extent;
    }
    return up <= extent - up ? up : up - extent;
}

static int product_distance(const byre_topology_t *t, int from, int to)
{
    int hops = 0;

    for (int d = t->dims - 1; d >= 0; d--) {
        int extent = t->extent[d];

        hops += abs(steps_along(from % extent, to % extent, extent, t->wraps));
        from /= extent;
        to /= extent;
    }
    return hops;
}

int byre_topology_distance(const byre_topology_t *topology, int from, int to)
{
    if (!is_vertex(topology, from) || !is_vertex(topology, to)) {
        return BYRE_ERANGE;
    }
    if (from == to) {
        return 0;
    }
    switch (topology->kind) {
    case BYRE_TOPOLOGY_STAR:
        return from == topology->nodes || to == topology->nodes ? 1 : 2;
    case BYRE_TOPOLOGY_FULL:
        return 1;
    default:
        return product_distance(topology, from, to);
    }
}

static int product_route(const byre_topology_t *t, int from, int to, int *path)
{
    int at = from, length = 1, stride = 1;

    path[0] = from;
    for (int d = t->dims - 1; d >= 0; d--) {
        int extent = t->extent[d], x = at / stride % extent;
        int steps = steps_along(x, to / stride % extent, extent, t->wraps);

        for (int left = abs(steps); left > 0; left--) {
            int next = (x + (steps > 0 ? 1 : extent - 1)) % extent;

            at += (next - x) * stride;
            path[length++] = at;
            x = next;
        }
        stride *= extent;
    }
    return length;
}

int byre_topology_route(const byre_topology_t *topology, int from, int to, int *path_out,
                        int capacity)
{
    int hops = byre_topology_distance(topology, from, to), length = 0;

    if (hops < 0 || capacity <= hops) {
        return BYRE_ERANGE;
    }
    if (!path_out) {
        return BYRE_EINVAL;
    }
    if (byre__topology_is_product(topology)) {
        return product_route(topology, from, to, path_out);
    }
    path_out[length++] = from;
    if (hops == 2) {
        path_out[length++] = topology->nodes;
    }
    if (hops > 0) {
        path_out[length++] = to;
    }
    return length;
}
