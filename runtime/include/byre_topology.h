/* SPDX-License-Identifier: BSD-3-Clause */
/* byre_topology.h - the logical interconnects of the textbook, as graphs to ask questions of.
 *
 * A topology says how n nodes are wired: star, ring, grid, double torus, cube, hypercube, full. It is
 * a description only, it needs neither MPI nor byre_init, and it is never changed after it was made.
 * A program uses one to place its ranks (node = rank) and to choose whom to talk to; the command
 * `byre topology' prints one.
 *
 * Words. A *node* is a computer, numbered 0 .. nodes-1. A *vertex* is a node or a switch; only the star
 * has a switch, and its vertex number is `nodes'. A *link* joins two vertices, in both directions; two
 * vertices are joined by at most one link. A *hop* is the use of one link, so that two nodes of a star
 * are two hops apart: node, switch, node.
 *
 * Numbering. Ring, grid, torus, cube and hypercube have coordinates, and nodes are numbered row by row:
 * node r * C + c of an R x C grid has the coordinates (r, c). The coordinates of a hypercube's node are
 * the binary digits of its number, the highest first.
 *
 * Source: A. S. Tanenbaum, H. Bos, Modern Operating Systems, section 8.2.1, "Interconnection
 * Technology" and figure 8-16.
 */
#ifndef BYRE_TOPOLOGY_H
#define BYRE_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The kinds of topology. */
typedef enum byre_topology_kind {
    BYRE_TOPOLOGY_STAR,      /**< n nodes on a single switch (a switched Ethernet); 1 extent: n */
    BYRE_TOPOLOGY_RING,      /**< each node has a left and a right neighbour; 1 extent: n */
    BYRE_TOPOLOGY_GRID,      /**< two-dimensional mesh; 2 extents: rows, columns */
    BYRE_TOPOLOGY_TORUS,     /**< double torus: a grid whose edges are connected; 2 extents */
    BYRE_TOPOLOGY_CUBE,      /**< three-dimensional mesh; 3 extents */
    BYRE_TOPOLOGY_HYPERCUBE, /**< d-dimensional cube of 2^d nodes; 1 extent: the number of nodes 2^d */
    BYRE_TOPOLOGY_FULL       /**< every node linked with every other; 1 extent: n */
} byre_topology_kind_t;

/** A topology. Opaque; made by byre_topology_create or byre_topology_parse. */
typedef struct byre_topology byre_topology_t;

/** The most nodes that a topology may have: 2^30. */
#define BYRE_TOPOLOGY_MAX_NODES (1 << 30)

/** The most dimensions that a topology may have: a hypercube of 2^30 nodes. */
#define BYRE_TOPOLOGY_MAX_DIMENSIONS 30

/** Make a topology from its kind and extents.
 *
 * @param kind          which
 * @param extents       array of `count' extents, each at least 1, in nodes; see the kinds
 * @param count         1, 2 or 3, as the kind wants
 * @param topology_out  the new topology, which belongs to the caller; written only on success
 * @return 0; BYRE_EINVAL: unknown kind, wrong count, an extent below 1, a hypercube whose size is no
 *         power of two, a null pointer; BYRE_ERANGE: more than BYRE_TOPOLOGY_MAX_NODES nodes;
 *         BYRE_ENOMEM: out of memory
 * @threads any thread; not from a signal handler; does not block
 */
int byre_topology_create(byre_topology_kind_t kind, const int *extents, int count,
                         byre_topology_t **topology_out);

/** Make a topology from text: "KIND:SIZE".
 *
 * KIND is star, ring, grid, torus, cube, hypercube or full. SIZE is a number of nodes ("ring:16",
 * "hypercube:1024"), a power of two written as such ("hypercube:2^10"), or extents ("grid:4x8",
 * "cube:2x3x4"). A single number for a grid, torus or cube must be a square or a third power:
 * "grid:1024" is "grid:32x32", "cube:27" is "cube:3x3x3". No spaces, no signs, decimal only.
 *
 * @param spec          the text, ended by a zero byte
 * @param topology_out  the new topology, which belongs to the caller; written only on success
 * @param why_out       room for a sentence that says what is wrong with the text; written on failure
 *                      (always ended by a zero byte), set to "" on success; may be null
 * @param why_bytes     size of that room in bytes; 160 is enough for every message
 * @return 0; BYRE_EINVAL: the text is no topology; BYRE_ERANGE: more than BYRE_TOPOLOGY_MAX_NODES
 *         nodes; BYRE_ENOMEM: out of memory
 * @threads any thread; not from a signal handler; does not block
 */
int byre_topology_parse(const char *spec, byre_topology_t **topology_out, char *why_out,
                        size_t why_bytes);

/** Give a topology back.
 *
 * @param topology  the topology, not used by any thread any more; null does nothing
 * @return nothing
 * @threads any thread; not from a signal handler; does not block
 */
void byre_topology_destroy(byre_topology_t *topology);

/** The kind of a topology.
 *
 * @param topology  the topology
 * @return the kind
 * @threads any thread, any number at once; signal handlers too
 */
byre_topology_kind_t byre_topology_kind(const byre_topology_t *topology);

/** The name of a kind, as byre_topology_parse reads it.
 *
 * @param kind  which
 * @return a constant string, "star" .. "full"; null for an unknown kind
 * @threads any thread, any number at once; signal handlers too
 */
const char *byre_topology_kind_name(byre_topology_kind_t kind);

/** The name of a topology, as byre_topology_parse reads it: "grid:4x8".
 *
 * @param topology  the topology
 * @return a string that lives as long as the topology
 * @threads any thread, any number at once; signal handlers too
 */
const char *byre_topology_name(const byre_topology_t *topology);

/** The number of nodes (switches do not count).
 *
 * @param topology  the topology
 * @return at least 1
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_nodes(const byre_topology_t *topology);

/** The number of switches: vertices that forward but do not compute. Vertex numbers nodes and up.
 *
 * @param topology  the topology
 * @return 1 for a star, else 0
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_switches(const byre_topology_t *topology);

/** The number of links, those to switches included; a link counts once.
 *
 * @param topology  the topology
 * @return 0 or more
 * @threads any thread, any number at once; signal handlers too
 */
int64_t byre_topology_links(const byre_topology_t *topology);

/** The number of dimensions, which is the number of a node's coordinates.
 *
 * @param topology  the topology
 * @return 1 (star, ring, full: the coordinate is the node's number), 2 (grid, torus), 3 (cube), or d
 *         for a hypercube of 2^d nodes (0 for one node)
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_dimensions(const byre_topology_t *topology);

/** The extent of a dimension.
 *
 * @param topology   the topology
 * @param dimension  0 .. dimensions - 1
 * @return the extent in nodes, at least 1; BYRE_ERANGE: no such dimension
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_extent(const byre_topology_t *topology, int dimension);

/** The coordinates of a node.
 *
 * @param topology    the topology
 * @param node        0 .. nodes - 1
 * @param coords_out  array of `dimensions' integers; written only on success
 * @return 0; BYRE_ERANGE: no such node; BYRE_EINVAL: null pointer
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_coordinates(const byre_topology_t *topology, int node, int *coords_out);

/** The node at given coordinates.
 *
 * @param topology  the topology
 * @param coords    array of `dimensions' integers
 * @return the node; BYRE_ERANGE: a coordinate is negative or not below its extent; BYRE_EINVAL: null
 *         pointer
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_node_at(const byre_topology_t *topology, const int *coords);

/** The number of links at a vertex.
 *
 * @param topology  the topology
 * @param vertex    a node, or a switch
 * @return the degree; BYRE_ERANGE: no such vertex
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_degree(const byre_topology_t *topology, int vertex);

/** The smallest and the largest degree of the nodes (switches do not count).
 *
 * @param topology  the topology
 * @param min_out   the smallest degree
 * @param max_out   the largest
 * @return 0; BYRE_EINVAL: null pointer
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_degrees(const byre_topology_t *topology, int *min_out, int *max_out);

/** The vertices at the other ends of a vertex's links.
 *
 * In a fixed order: the last dimension first, in each dimension the lower neighbour (or the one on the
 * left, round the ring) before the upper; star and full: ascending.
 *
 * @param topology        the topology
 * @param vertex          a node, or a switch
 * @param neighbours_out  array of `capacity' vertices
 * @param capacity        its length; byre_topology_degree tells what is needed
 * @return the number of neighbours written, which is the degree; BYRE_ERANGE: no such vertex, or
 *         capacity below its degree (nothing was written); BYRE_EINVAL: null pointer
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_neighbours(const byre_topology_t *topology, int vertex, int *neighbours_out,
                             int capacity);

/** The number of hops of a shortest path between two vertices.
 *
 * @param topology  the topology
 * @param from      a vertex
 * @param to        a vertex
 * @return 0 or more; BYRE_ERANGE: no such vertex
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_distance(const byre_topology_t *topology, int from, int to);

/** The path of a message from one vertex to another.
 *
 * The path is a shortest one, and is always the same one: dimension-ordered routing corrects the last
 * coordinate first, then the one before it, and so on (XY routing in a grid, e-cube routing in a
 * hypercube), and goes round a ring the shorter way, upwards if both are equal. Such routes are free of
 * deadlock on a mesh and on a hypercube, under wormhole routing too.
 *
 * @param topology  the topology
 * @param from      a vertex
 * @param to        a vertex
 * @param path_out  array of `capacity' vertices: from, those in between (switches too), to
 * @param capacity  its length; diameter + 1 is always enough, distance + 1 is needed
 * @return the number of vertices written, distance + 1; BYRE_ERANGE: no such vertex, or capacity too
 *         small (nothing was written); BYRE_EINVAL: null pointer
 * @threads any thread, any number at once; signal handlers too
 *
 * Source: W. J. Dally, C. L. Seitz, Deadlock-Free Message Routing in Multiprocessor Interconnection
 * Networks, IEEE Transactions on Computers, 1987.
 */
int byre_topology_route(const byre_topology_t *topology, int from, int to, int *path_out,
                        int capacity);

/** The diameter: the number of hops between the two nodes that are farthest apart.
 *
 * @param topology  the topology
 * @return 0 or more: 62 for a grid of 32 x 32, 10 for a hypercube of the same 1024 nodes
 * @threads any thread, any number at once; signal handlers too
 */
int byre_topology_diameter(const byre_topology_t *topology);

/** The mean number of hops between two different nodes, over all pairs.
 *
 * @param topology  the topology
 * @return the mean; 0 with one node
 * @threads any thread, any number at once; signal handlers too
 */
double byre_topology_mean_distance(const byre_topology_t *topology);

/** The bisection width: the least number of links whose removal parts the nodes into two halves.
 *
 * With an odd number of nodes one half has one node more. Switches may fall on either side, so that a
 * star of n nodes has the width n / 2, rounded down: the links of the half without the switch.
 *
 * @param topology  the topology
 * @return the width in links; 0 with one node
 * @threads any thread, any number at once; signal handlers too
 *
 * Source: J. Arjona Aroca, A. Fernandez Anta, Bisection (Band)Width of Product Networks with Application
 * to Data Centers, IEEE Transactions on Parallel and Distributed Systems, 2014 (meshes and tori whose
 * extents differ or are odd).
 */
int64_t byre_topology_bisection(const byre_topology_t *topology);

#ifdef __cplusplus
}
#endif

#endif
