/* SPDX-License-Identifier: BSD-3-Clause */
/* topo_json.c - shows a picture as one JSON object. */
#include <hwloc.h>
#include <inttypes.h>

#include "runtime/cmd/cmd.h"
#include "runtime/cmd/topo.h"

static void print_pu(FILE *out, hwloc_topology_t topology, int pu, const byre__cpuset_t *allowed)
{
    byre__place_t place;

    byre__machine_place_in(topology, pu, &place);
    fprintf(out, "      {\"pu\": %d, \"core\": %d, \"l3\": %d, \"numa\": %d, \"package\": %d, ", pu,
            place.core, place.l3, place.numa, place.package);
    fprintf(out,
            "\"l1_bytes\": %" PRIu64 ", \"l2_bytes\": %" PRIu64 ", \"l3_bytes\": %" PRIu64 ", ",
            place.l1_bytes, place.l2_bytes, place.l3_bytes);
    fprintf(out, "\"allowed\": %s}", byre__cpuset_has(allowed, pu) ? "true" : "false");
}

static void print_machine(FILE *out, hwloc_topology_t topology)
{
    byre__cpuset_t allowed;
    hwloc_obj_t pu = NULL;
    const char *between = "";

    byre__machine_allowed_in(topology, &allowed);
    fprintf(
        out,
        ", \"packages\": %d, \"numa_nodes\": %d, \"cores\": %d, \"pus\": %d, \"processors\": [\n",
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE),
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE),
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE),
        hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU));
    while ((pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != NULL) {
        fputs(between, out);
        print_pu(out, topology, (int)pu->os_index, &allowed);
        between = ",\n";
    }
    fputs("\n    ]", out);
}

/* A set of processors as a JSON string. 4096 processors, each with its number, need 20 KiB. */
static void print_set(FILE *out, const char *name, const byre__cpuset_t *set)
{
    static char text[BYRE__CPUSET_MAX * 5];

    fprintf(out, "\"%s\": \"%s\"", name, byre__cpuset_format(set, text, sizeof text));
}

static void print_seat(FILE *out, const byre__seat_t *seat)
{
    fprintf(out, "    {\"rank\": %d, \"node\": %d, \"failed\": %s", seat->rank, seat->node,
            seat->status != 0 ? "true" : "false");
    if (seat->status == 0) {
        fputs(", ", out);
        print_set(out, "cpus", &seat->own);
        fprintf(out, ", \"pus\": %d, \"cpu\": %d, \"service\": ", seat->pus, seat->cpu);
        if (seat->has_service) {
            fputc('{', out);
            print_set(out, "cpus", &seat->service);
            fprintf(out, ", \"cpu\": %d, \"policy\": \"%s\", \"priority\": %d}", seat->service_cpu,
                    byre__policy_name(seat->policy), seat->priority);
        } else {
            fputs("null", out);
        }
    }
    fputc('}', out);
}

void byre__topo_json(FILE *out, const byre__picture_t *picture)
{
    fputs("{\n  \"nodes\": [\n", out);
    for (int i = 0; i < picture->nodes; i++) {
        fprintf(out, "    {\"node\": %d, \"host\": ", i);
        byre__json_string(out, picture->node[i].host);
        if (picture->node[i].topology) {
            print_machine(out, picture->node[i].topology);
        }
        fputs(i + 1 < picture->nodes ? "},\n" : "}\n", out);
    }
    fputs("  ],\n  \"ranks\": [\n", out);
    for (int i = 0; i < picture->seats; i++) {
        print_seat(out, &picture->seat[i]);
        fputs(i + 1 < picture->seats ? ",\n" : "\n", out);
    }
    fputs("  ]\n}\n", out);
}
