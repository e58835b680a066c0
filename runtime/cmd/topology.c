/* SPDX-License-Identifier: BSD-3-Clause */
/* topology.c - `byre topology KIND SIZE': the numbers of a logical interconnect. */
#include <byre_topology.h>

#include <byre_errors.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cmd/cmd.h"
#include "runtime/cmd/draw.h"

static byre__cmd_t command;

typedef struct {
    int json, draw;
    const char *from, *to;  /* --route, or null */
    const char *neighbours; /* --neighbours, or null */
} request_t;

/* ---- lists of vertices ------------------------------------------------------------------------ */

typedef struct {
    int *vertex; /* malloc'ed */
    int count;   /* or a negative error */
} list_t;

static list_t room_for(int count)
{
    list_t list = { .vertex = malloc(((size_t)count + 1) * sizeof(int)), .count = count };

    if (!list.vertex) {
        list.count = BYRE_ENOMEM;
    }
    return list;
}

/* A vertex from the command line; -1, which no topology has, for nonsense. */
static list_t route_of(const byre_topology_t *t, const request_t *request)
{
    int from = byre__cmd_number(request->from), to = byre__cmd_number(request->to);
    int hops = byre_topology_distance(t, from, to);
    list_t list = { .vertex = NULL, .count = hops };

    if (hops < 0) {
        return list;
    }
    list = room_for(hops + 1);
    if (list.count > 0) {
        list.count = byre_topology_route(t, from, to, list.vertex, list.count);
    }
    return list;
}

static list_t neighbours_of(const byre_topology_t *t, const char *vertex)
{
    int number = byre__cmd_number(vertex), degree = byre_topology_degree(t, number);
    list_t list = { .vertex = NULL, .count = degree };

    if (degree < 0) {
        return list;
    }
    list = room_for(degree);
    if (list.count > 0) {
        list.count = byre_topology_neighbours(t, number, list.vertex, list.count);
    }
    return list;
}

/* ---- printing --------------------------------------------------------------------------------- */

static void print_text(const byre_topology_t *t)
{
    int min, max;

    byre_topology_degrees(t, &min, &max);
    printf("%s\n", byre_topology_name(t));
    printf("  nodes            %d\n", byre_topology_nodes(t));
    if (byre_topology_switches(t) > 0) {
        printf("  switches         %d   (vertex %d)\n", byre_topology_switches(t),
               byre_topology_nodes(t));
    }
    printf("  links            %" PRId64 "\n", byre_topology_links(t));
    if (min == max) {
        printf("  degree           %d\n", min);
    } else {
        printf("  degree           %d to %d\n", min, max);
    }
    printf("  diameter         %d\n", byre_topology_diameter(t));
    printf("  mean distance    %.3f\n", byre_topology_mean_distance(t));
    printf("  bisection width  %" PRId64 "\n", byre_topology_bisection(t));
}

static void print_json(const byre_topology_t *t)
{
    int min, max;

    byre_topology_degrees(t, &min, &max);
    printf("{\"name\": \"%s\", \"kind\": \"%s\", \"nodes\": %d, \"switches\": %d, ",
           byre_topology_name(t), byre_topology_kind_name(byre_topology_kind(t)),
           byre_topology_nodes(t), byre_topology_switches(t));
    printf("\"links\": %" PRId64 ", \"degree_min\": %d, \"degree_max\": %d, ",
           byre_topology_links(t), min, max);
    printf("\"diameter\": %d, \"mean_distance\": %.9g, \"bisection_width\": %" PRId64,
           byre_topology_diameter(t), byre_topology_mean_distance(t), byre_topology_bisection(t));
}

static void print_list(const list_t *list, const char *before, const char *between,
                       const char *after)
{
    fputs(before, stdout);
    for (int i = 0; i < list->count; i++) {
        printf("%s%d", i > 0 ? between : "", list->vertex[i]);
    }
    fputs(after, stdout);
}

static int no_vertex(const byre_topology_t *t, const char *a, const char *b)
{
    int last = byre_topology_nodes(t) - 1;
    const char *both = b ? " or " : "";

    if (byre_topology_switches(t) > 0) {
        return byre__cmd_misuse(&command,
                                "%s%s%s is no vertex of %s: nodes are 0 to %d, the switch is %d", a,
                                both, b ? b : "", byre_topology_name(t), last, last + 1);
    }
    return byre__cmd_misuse(&command, "%s%s%s is no node of %s: they are 0 to %d", a, both,
                            b ? b : "", byre_topology_name(t), last);
}

/* The lists are made before anything is printed: a wrong vertex prints no half answer. */
static int answer(const byre_topology_t *t, const request_t *request)
{
    list_t route = { NULL, 0 }, neighbours = { NULL, 0 };
    int status = BYRE__CMD_OK;

    if (request->from) {
        route = route_of(t, request);
    }
    if (request->neighbours) {
        neighbours = neighbours_of(t, request->neighbours);
    }
    if (route.count == BYRE_ENOMEM || neighbours.count == BYRE_ENOMEM) {
        status = byre__cmd_fail(&command, "out of memory");
    } else if (route.count < 0) {
        status = no_vertex(t, request->from, request->to);
    } else if (neighbours.count < 0) {
        status = no_vertex(t, request->neighbours, NULL);
    } else if (request->json) {
        print_json(t);
        if (request->from) {
            print_list(&route, ", \"route\": [", ", ", "]");
        }
        if (request->neighbours) {
            print_list(&neighbours, ", \"neighbours\": [", ", ", "]");
        }
        puts("}");
    } else {
        print_text(t);
        if (request->from) {
            print_list(&route, "  route            ", " -> ", "");
            printf("   (%d hop%s)\n", route.count - 1, route.count == 2 ? "" : "s");
        }
        if (request->neighbours) {
            printf("  neighbours       of %s: ", request->neighbours);
            print_list(&neighbours, "", " ", "\n");
        }
    }
    free(route.vertex);
    free(neighbours.vertex);
    return status;
}

static int answer_and_draw(const byre_topology_t *t, const request_t *request)
{
    int status = answer(t, request);

    if (status != BYRE__CMD_OK || request->json) {
        return status;
    }
    /* A picture comes along if it is small; --draw insists. */
    if (byre__draw_fits(t)) {
        putchar('\n');
        byre__draw(stdout, t);
    } else if (request->draw) {
        return byre__cmd_fail(&command, "%s is too large to draw in 78 columns",
                              byre_topology_name(t));
    }
    return BYRE__CMD_OK;
}

/* ---- command line ----------------------------------------------------------------------------- */

/* "KIND SIZE" or "KIND:SIZE". */
static int make(char **words, int count, byre_topology_t **topology_out)
{
    char spec[64], why[160];
    int length;

    if (count < 1 || count > 2) {
        return byre__cmd_misuse(&command, "a kind and a size are wanted, as in `hypercube 1024'");
    }
    length = snprintf(spec, sizeof spec, count == 2 ? "%s:%s" : "%s", words[0],
                      count == 2 ? words[1] : "");
    if (length >= (int)sizeof spec) {
        return byre__cmd_misuse(&command, "that is too long to be a kind and a size");
    }
    if (byre_topology_parse(spec, topology_out, why, sizeof why) < 0) {
        return byre__cmd_misuse(&command, "%s", why);
    }
    return BYRE__CMD_OK;
}

static int read_options(int argc, char **argv, request_t *request)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "draw", no_argument, NULL, 'd' },
        { "route", required_argument, NULL, 'r' },
        { "neighbours", required_argument, NULL, 'n' },
        { "neighbors", required_argument, NULL, 'n' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        switch (option) {
        case 'j':
            request->json = 1;
            break;
        case 'd':
            request->draw = 1;
            break;
        case 'n':
            request->neighbours = optarg;
            break;
        case 'r':
            if (optind >= argc) {
                return byre__cmd_misuse(&command, "--route wants two vertices");
            }
            request->from = optarg;
            request->to = argv[optind++];
            break;
        case ':':
            return byre__cmd_misuse(&command, "%s wants a vertex", argv[optind - 1]);
        default:
            return byre__cmd_misuse(&command, "unknown option %s", argv[optind - 1]);
        }
    }
    return BYRE__CMD_OK;
}

static int run(int argc, char **argv)
{
    request_t request = { 0 };
    byre_topology_t *t = NULL;
    int status = read_options(argc, argv, &request);

    if (status == BYRE__CMD_OK) {
        status = make(argv + optind, argc - optind, &t);
    }
    if (status != BYRE__CMD_OK) {
        return status;
    }
    status = answer_and_draw(t, &request);
    byre_topology_destroy(t);
    return status;
}

static byre__cmd_t command = {
    .name = "topology",
    .synopsis = "KIND SIZE [--json] [--draw] [--route A B] [--neighbours N]",
    .summary = "the numbers of a logical interconnect: star, ring, grid, torus ...",
    .details =
        "  KIND  star, ring, grid, torus, cube, hypercube or full\n"
        "  SIZE  nodes (16, 2^10) or sides (4x8, 2x3x4); a single number for a grid, torus or\n"
        "        cube means equal sides\n"
        "  --json          one JSON object\n"
        "  --draw          fail if the net is too large for a picture (a small one comes anyway)\n"
        "  --route A B     the path of a message from A to B, dimension by dimension\n"
        "  --neighbours N  the vertices at the other ends of N's links\n\n"
        "examples: byre topology hypercube 1024; byre topology grid 32x32 --route 0 1023\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
