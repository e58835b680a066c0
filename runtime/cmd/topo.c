/* SPDX-License-Identifier: BSD-3-Clause */
/* topo.c - `byre topo': the machines of this job, and which rank and service thread sits where.
 *
 * Every rank sends rank 0 its seat; the lowest rank of each node its machine too, as hwloc's XML. Rank 0
 * asks them one after the other, so that it holds one text at a time, however many nodes there are.
 */
#include "runtime/cmd/topo.h"

#include <byre_runtime.h>
#include <errno.h>
#include <getopt.h>
#include <hwloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cmd/cmd.h"

static byre__cmd_t command;

enum { PORT_SEAT = 1, PORT_MACHINE = 2 };
enum { MACHINE_BYTES_MAX = 64 << 20 }; /* the largest machines known need less than 2 MiB */

/* ---- one rank --------------------------------------------------------------------------------- */

static bool is_first_of_node(int rank)
{
    for (int r = 0; r < rank; r++) {
        if (byre_node_of(r) == byre_node_of(rank)) {
            return false;
        }
    }
    return true;
}

static byre__seat_t my_seat(void)
{
    byre__seat_t seat;

    memset(&seat, 0, sizeof seat); /* padding too: it is sent */
    seat.rank = byre_rank();
    seat.node = byre_node_of(seat.rank);
    seat.cpu = sched_getcpu();
    seat.pus = byre__machine_allowed_pus();
    byre__machine_own(&seat.own);
    byre__seat_find_service(&seat);
    return seat;
}

static int tell_rank_0(void)
{
    byre__seat_t seat = my_seat();
    char *xml = NULL;
    int status;

    if (is_first_of_node(seat.rank) && byre__machine_export(&xml) == 0) {
        seat.xml_bytes = strlen(xml) + 1;
    }
    status = byre_send((byre_addr_t){ 0, PORT_SEAT }, &seat, sizeof seat);
    if (status == 0 && xml) {
        status = byre_send((byre_addr_t){ 0, PORT_MACHINE }, xml, seat.xml_bytes);
    }
    free(xml);
    return status;
}

/* ---- rank 0 ----------------------------------------------------------------------------------- */

static int take_machine(byre__picture_t *picture, const byre__seat_t *seat)
{
    char *xml = NULL;
    int status = 0;

    if (seat->rank == 0) {
        status = byre__machine_export(&xml);
    } else if (seat->xml_bytes > MACHINE_BYTES_MAX || !(xml = malloc(seat->xml_bytes))) {
        return BYRE_ENOMEM;
    } else {
        status = byre_recv(PORT_MACHINE, seat->rank, xml, seat->xml_bytes, NULL);
    }
    if (status == 0 && seat->rank != 0) {
        xml[seat->xml_bytes - 1] = '\0';
    }
    if (status == 0) {
        status = byre__machine_import(xml, &picture->node[seat->node].topology);
    }
    free(xml);
    return status;
}

/* A dead rank is a line in the picture, not the end of it. */
static int take_seat(byre__picture_t *picture, int rank)
{
    byre__seat_t *seat = &picture->seat[rank];
    int status = 0;

    if (rank == 0) {
        *seat = my_seat();
        seat->xml_bytes = 1;
    } else {
        status = byre_recv(PORT_SEAT, rank, seat, sizeof *seat, NULL);
    }
    if (status == 0 && seat->xml_bytes > 0) {
        status = take_machine(picture, seat);
    }
    if (status == BYRE_EPEER) {
        *seat = (byre__seat_t){ .rank = rank, .node = byre_node_of(rank), .status = status };
        return 0;
    }
    return status;
}

static void free_picture(byre__picture_t *picture)
{
    for (int i = 0; picture->node && i < picture->nodes; i++) {
        if (picture->node[i].topology) {
            hwloc_topology_destroy(picture->node[i].topology);
        }
    }
    free(picture->node);
    free(picture->seat);
}

static int make_picture(int nodes, int seats, byre__picture_t *picture)
{
    *picture = (byre__picture_t){ .nodes = nodes, .seats = seats };
    picture->node = calloc((size_t)nodes, sizeof *picture->node);
    picture->seat = calloc((size_t)seats + 1, sizeof *picture->seat);
    return picture->node && picture->seat ? 0 : BYRE_ENOMEM;
}

static int collect(byre__picture_t *picture)
{
    int status = make_picture(byre_node_count(), byre_size(), picture);

    for (int i = 0; status == 0 && i < picture->nodes; i++) {
        snprintf(picture->node[i].host, sizeof picture->node[i].host, "%s", byre_node_name(i));
    }
    for (int rank = 0; status == 0 && rank < picture->seats; rank++) {
        status = take_seat(picture, rank);
    }
    return status;
}

/* --machine: this machine, without a job. */
static int only_this_machine(byre__picture_t *picture)
{
    char *xml;
    int status = make_picture(1, 0, picture);

    if (status == 0) {
        gethostname(picture->node[0].host, sizeof picture->node[0].host - 1);
        status = byre__machine_export(&xml);
    }
    if (status == 0) {
        status = byre__machine_import(xml, &picture->node[0].topology);
        free(xml);
    }
    return status;
}

/* ---- command ---------------------------------------------------------------------------------- */

typedef struct {
    int format; /* the last of 't', 'd', 'j' that was given */
    bool machine;
} request_t;

static int report(const request_t *request, int status, const byre__picture_t *picture)
{
    if (status < 0) {
        return byre__cmd_fail(&command, "%s", byre_strerror(status));
    }
    if (request->format == 'j') {
        byre__topo_json(stdout, picture);
    } else {
        byre__topo_text(stdout, picture, request->format == 'd');
    }
    return BYRE__CMD_OK;
}

static int show_machine(const request_t *request)
{
    byre__picture_t picture;
    int status = report(request, only_this_machine(&picture), &picture);

    free_picture(&picture);
    return status;
}

static int show_job(const request_t *request)
{
    byre__picture_t picture;
    int status = byre_init();

    if (status < 0) {
        return byre__cmd_fail(&command, "cannot start: %s (BYRE_LOG=error tells more)",
                              byre_strerror(status));
    }
    if (byre_rank() == 0) {
        status = report(request, collect(&picture), &picture);
        free_picture(&picture);
    } else {
        status = tell_rank_0() < 0 ? BYRE__CMD_FAILED : BYRE__CMD_OK;
    }
    byre_finalize();
    return status;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "draw", no_argument, NULL, 'd' },
        { "text", no_argument, NULL, 't' },
        { "machine", no_argument, NULL, 'm' },
        { NULL, 0, NULL, 0 },
    };
    request_t request = { .format = 't' };
    int option, status;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?') {
            return byre__cmd_misuse(&command, "unknown option %s", argv[optind - 1]);
        }
        if (option == 'm') {
            request.machine = true;
        } else {
            request.format = option;
        }
    }
    if (optind < argc) {
        return byre__cmd_misuse(&command, "takes no argument, but there is `%s'", argv[optind]);
    }
    status = byre__machine_load();
    if (status < 0) {
        return byre__cmd_fail(&command, "cannot read the machine: %s", byre_strerror(status));
    }
    status = request.machine ? show_machine(&request) : show_job(&request);
    byre__machine_unload();
    return status;
}

static byre__cmd_t command = {
    .name = "topo",
    .synopsis = "[--text | --draw | --json] [--machine]",
    .summary = "the machines of this job, and which rank and service thread sits where",
    .details = "  --text     packages, NUMA nodes, caches, cores as a tree (the default)\n"
               "  --draw     the same as a compact picture, a cell for each core\n"
               "  --json     the same as one JSON object\n"
               "  --machine  this machine only, without joining a job\n\n"
               "examples: byre topo; mpirun -n 4 byre topo --draw\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
