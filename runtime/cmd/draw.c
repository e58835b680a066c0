/* SPDX-License-Identifier: BSD-3-Clause */
/* draw.c - pictures of small topologies, in characters. Interface: draw.h.
 *
 * A cell is two digits, so that everything lines up; hence at most 100 nodes.
 */
#include "runtime/cmd/draw.h"

enum { MOST_LINE = 15, MOST_ROWS = 15, MOST_NODES = 100, MOST_FULL = 24 };

/* Extents as rows, columns; a net of fewer dimensions has extents of 1. */
static int side(const byre_topology_t *t, int dimension)
{
    int extent = byre_topology_extent(t, dimension);

    return extent < 0 ? 1 : extent;
}

bool byre__draw_fits(const byre_topology_t *t)
{
    int nodes = byre_topology_nodes(t);

    switch (byre_topology_kind(t)) {
    case BYRE_TOPOLOGY_STAR:
    case BYRE_TOPOLOGY_RING:
        return nodes <= MOST_LINE;
    case BYRE_TOPOLOGY_FULL:
        return nodes <= MOST_FULL;
    case BYRE_TOPOLOGY_HYPERCUBE:
        return nodes <= 16;
    case BYRE_TOPOLOGY_CUBE:
        return side(t, 2) <= MOST_LINE && (side(t, 1) * 2 + 1) * side(t, 0) <= 45 &&
               nodes <= MOST_NODES;
    default:
        return side(t, 0) <= MOST_ROWS && side(t, 1) < MOST_LINE && nodes <= MOST_NODES;
    }
}

/* ---- star, ring, full ------------------------------------------------------------------------- */

static void draw_star(FILE *out, int nodes)
{
    fputs("  ", out);
    for (int i = 0; i < nodes; i++) {
        fprintf(out, "%2d%s", i, i < nodes - 1 ? "   " : "\n  ");
    }
    for (int i = 0; i < nodes; i++) {
        fprintf(out, " |%s", i < nodes - 1 ? "   " : "\n  ");
    }
    for (int i = 0; i < nodes * 5 - 2; i++) {
        fputc('=', out);
    }
    fprintf(out, "  switch (%d)\n", nodes);
}

static void draw_ring(FILE *out, int nodes)
{
    fputs(nodes > 2 ? "  .-" : "    ", out);
    for (int i = 0; i < nodes; i++) {
        fprintf(out, " %2d%s", i, i < nodes - 1 ? " -" : nodes > 2 ? " -.\n  '" : "\n");
    }
    for (int i = 0; nodes > 2 && i < nodes * 5 + 2; i++) {
        fputc('-', out);
    }
    fputs(nodes > 2 ? "'\n" : "", out);
}

static void draw_full(FILE *out, int nodes)
{
    fputs("    ", out);
    for (int i = 0; i < nodes; i++) {
        fprintf(out, " %2d", i);
    }
    fputc('\n', out);
    for (int i = 0; i < nodes; i++) {
        fprintf(out, "  %2d", i);
        for (int j = 0; j < nodes; j++) {
            fputs(i == j ? "  ." : "  x", out);
        }
        fputc('\n', out);
    }
}

/* ---- grid, torus, layers of a cube ------------------------------------------------------------ */

static void draw_posts(FILE *out, int columns)
{
    fputs("   ", out);
    for (int c = 0; c < columns; c++) {
        fprintf(out, "   |%s", c < columns - 1 ? " " : "\n");
    }
}

/* Rows and columns of nodes from `first' on; `wrap' draws the ends of the links round the edges. */
static void draw_grid(FILE *out, int first, int rows, int columns, bool wrap)
{
    bool wrap_rows = wrap && rows > 2, wrap_columns = wrap && columns > 2;

    if (wrap_rows) {
        draw_posts(out, columns);
    }
    for (int r = 0; r < rows; r++) {
        fputs(wrap_columns ? "   - " : "     ", out);
        for (int c = 0; c < columns; c++) {
            fprintf(out, "%2d%s", first + r * columns + c, c < columns - 1 ? " - " : "");
        }
        fputs(wrap_columns ? " -\n" : "\n", out);
        if (r < rows - 1 || wrap_rows) {
            draw_posts(out, columns);
        }
    }
    if (wrap_rows || wrap_columns) {
        fputs("\n  A link that leaves at an edge comes back at the opposite one.\n", out);
    }
}

static void draw_layers(FILE *out, const byre_topology_t *t)
{
    int layer = side(t, 1) * side(t, 2);

    for (int i = 0; i < side(t, 0); i++) {
        fprintf(out, "%s  layer %d\n", i > 0 ? "\n" : "", i);
        draw_grid(out, i * layer, side(t, 1), side(t, 2), false);
    }
    if (side(t, 0) > 1) {
        fprintf(out,
                "\n  Each node is also linked with its like in the next layer: n with n + %d.\n",
                layer);
    }
}

/* ---- cubes of eight nodes --------------------------------------------------------------------- */

/* One line of a cube's picture; nodes `n' .. `n + 7'. */
static void draw_cube_line(FILE *out, int line, int n)
{
    switch (line) {
    case 0:
        fprintf(out, "    %2d --------- %2d", n + 4, n + 5);
        break;
    case 1:
        fputs("    /|          /|", out);
        break;
    case 2:
        fprintf(out, " %2d --------- %2d |", n + 6, n + 7);
        break;
    case 3:
        fputs("  | |         | |", out);
        break;
    case 4:
        fprintf(out, "  |%2d --------|-%2d", n, n + 1);
        break;
    case 5:
        fputs("  |/          |/", out);
        break;
    default:
        fprintf(out, " %2d --------- %2d", n + 2, n + 3);
        break;
    }
}

static void draw_cube(FILE *out)
{
    for (int line = 0; line < 7; line++) {
        fputs("  ", out);
        draw_cube_line(out, line, 0);
        fputc('\n', out);
    }
}

/* Two cubes below each other: side by side they would need trailing blanks and a wide window. */
static void draw_two_cubes(FILE *out)
{
    draw_cube(out);
    fputc('\n', out);
    for (int line = 0; line < 7; line++) {
        fputs("  ", out);
        draw_cube_line(out, line, 8);
        fputc('\n', out);
    }
    fputs("\n  Corresponding nodes of the two cubes are linked: n with n + 8.\n", out);
}

void byre__draw(FILE *out, const byre_topology_t *t)
{
    int nodes = byre_topology_nodes(t);

    switch (byre_topology_kind(t)) {
    case BYRE_TOPOLOGY_STAR:
        draw_star(out, nodes);
        break;
    case BYRE_TOPOLOGY_RING:
        draw_ring(out, nodes);
        break;
    case BYRE_TOPOLOGY_FULL:
        draw_full(out, nodes);
        break;
    case BYRE_TOPOLOGY_HYPERCUBE:
        if (nodes == 16) {
            draw_two_cubes(out);
        } else if (nodes == 8) {
            draw_cube(out);
        } else {
            draw_grid(out, 0, nodes > 2 ? 2 : 1, nodes > 1 ? 2 : 1, false);
        }
        break;
    case BYRE_TOPOLOGY_CUBE:
        if (nodes == 8 && side(t, 0) == 2 && side(t, 1) == 2) {
            draw_cube(out);
        } else {
            draw_layers(out, t);
        }
        break;
    default:
        draw_grid(out, 0, side(t, 0), side(t, 1), byre_topology_kind(t) == BYRE_TOPOLOGY_TORUS);
        break;
    }
}
