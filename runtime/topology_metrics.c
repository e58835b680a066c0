/* SPDX-License-Identifier: BSD-3-Clause */
/* topology_metrics.c - links, degrees, diameter, mean distance, bisection width of a topology.
 *
 * Interface: byre_topology.h. All are closed formulas, so that a net of 2^30 nodes is no more work than
 * one of 8; tests/unit/topology.c compares them with counting, breadth-first search and trying all cuts.
 */
#include "runtime/topology.h"

#include <byre_errors.h>

/* Links along one dimension, in one line of nodes. */
static int links_along(int extent, bool wraps)
{
    return wraps && extent > 2 ? extent : extent - 1;
}

int64_t byre_topology_links(const byre_topology_t *topology)
{
    int64_t nodes = topology->nodes, links = 0;

    if (topology->kind == BYRE_TOPOLOGY_STAR) {
        return nodes;
    }
    if (topology->kind == BYRE_TOPOLOGY_FULL) {
        return nodes * (nodes - 1) / 2;
    }
    for (int d = 0; d < topology->dims; d++) {
        links += nodes / topology->extent[d] * links_along(topology->extent[d], topology->wraps);
    }
    return links;
}

int byre_topology_degrees(const byre_topology_t *topology, int *min_out, int *max_out)
{
    int min = 0, max = 0;

    if (!min_out || !max_out) {
        return BYRE_EINVAL;
    }
    if (!byre__topology_is_product(topology)) {
        *min_out = *max_out = byre_topology_degree(topology, 0);
        return 0;
    }
    /* Ends of a path have one neighbour along it; a ring, and a path of two, have no such exception. */
    for (int d = 0; d < topology->dims; d++) {
        int extent = topology->extent[d], most = extent > 2 ? 2 : extent - 1;

        max += most;
        min += topology->wraps || most == 0 ? most : 1;
    }
    *min_out = min;
    *max_out = max;
    return 0;
}

int byre_topology_diameter(const byre_topology_t *topology)
{
    int diameter = 0;

    if (topology->kind == BYRE_TOPOLOGY_STAR) {
        return topology->nodes > 1 ? 2 : 0;
    }
    if (topology->kind == BYRE_TOPOLOGY_FULL) {
        return topology->nodes > 1 ? 1 : 0;
    }
    for (int d = 0; d < topology->dims; d++) {
        diameter += topology->wraps ? topology->extent[d] / 2 : topology->extent[d] - 1;
    }
    return diameter;
}

/* Mean distance along one dimension between two positions, each uniform, equal ones included. */
static double mean_along(int extent, bool wraps)
{
    double k = extent;

    if (!wraps) {
        return (k * k - 1) / (3 * k);
    }
    return extent % 2 == 0 ? k / 4 : (k * k - 1) / (4 * k);
}

double byre_topology_mean_distance(const byre_topology_t *topology)
{
    double mean = 0, nodes = topology->nodes;

    if (!byre__topology_is_product(topology)) {
        return byre_topology_diameter(topology);
    }
    if (topology->nodes == 1) {
        return 0;
    }
    for (int d = 0; d < topology->dims; d++) {
        mean += mean_along(topology->extent[d], topology->wraps);
    }
    /* The pairs of a node with itself have distance 0; leave them out of the mean. */
    return mean * nodes / (nodes - 1);
}

/* Fewest links that halve a product of paths or rings, of at most three dimensions.
 *
 * Cut across dimension d through the middle: every line along d loses one link (a ring two). If its
 * extent is odd the middle layer falls to neither side and is itself halved, in the dimensions that
 * are left. The best order cuts the largest extents first, but a torus whose extent is 2 has lines that
 * cost one link instead of two: so try all orders. `left' is a bit set of dimensions.
 */
static int64_t product_bisection(const byre_topology_t *t, unsigned left)
{
    int64_t best = -1, lines = 1;

    for (int d = 0; d < t->dims; d++) {
        lines *= left >> d & 1 ? t->extent[d] : 1;
    }
    for (int d = 0; d < t->dims; d++) {
        int extent = t->extent[d];
        int64_t cut;

        if (!(left >> d & 1) || extent == 1) {
            continue;
        }
        cut = lines / extent * (t->wraps && extent > 2 ? 2 : 1);
        if (extent % 2 != 0) {
            cut += product_bisection(t, left & ~(1u << d));
        }
        best = best < 0 || cut < best ? cut : best;
    }
    return best < 0 ? 0 : best;
}

int64_t byre_topology_bisection(const byre_topology_t *topology)
{
    int64_t half = topology->nodes / 2;

    switch (topology->kind) {
    case BYRE_TOPOLOGY_STAR:
    case BYRE_TOPOLOGY_HYPERCUBE: /* one link for each node of a half, across any dimension */
        return half;
    case BYRE_TOPOLOGY_FULL:
        return half * (topology->nodes - half);
    default:
        return product_bisection(topology, (1u << topology->dims) - 1);
    }
}
