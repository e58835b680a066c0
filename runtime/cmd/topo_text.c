/* SPDX-License-Identifier: BSD-3-Clause */
/* topo_text.c - shows a picture as a tree (--text) or with a cell for each core (--draw).
 *
 * A line is a package, a NUMA node, a shared cache, or a core with the caches of its own. Objects of which
 * there is only one inside another share its line, so that small machines stay small.
 */
#include <hwloc.h>
#include <string.h>

#include "runtime/cmd/topo.h"

typedef struct {
    FILE *out;
    const byre__picture_t *picture;
    hwloc_topology_t topology;
    int node;
    bool draw;
    int column; /* --draw: where the line of cells has come to; 0: no line begun */
    byre__cpuset_t allowed;
} painter_t;

enum { WIDTH = 78 };

/* ---- labels ----------------------------------------------------------------------------------- */

static char *format_bytes(uint64_t bytes, char *room, size_t size)
{
    static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    int unit = 0;

    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    snprintf(room, size, value < 10 && value > (int)value ? "%.1f %s" : "%.0f %s", value,
             units[unit]);
    return room;
}

static void print_label(painter_t *p, hwloc_obj_t obj)
{
    const char *model = hwloc_obj_get_info_by_name(obj, "CPUModel");
    char type[32], size[32];

    switch (obj->type) {
    case HWLOC_OBJ_PACKAGE:
        fprintf(p->out, model ? "package %u (%s)" : "package %u", obj->logical_index, model);
        break;
    case HWLOC_OBJ_NUMANODE:
        fprintf(p->out, "NUMA node %u (%s)", obj->logical_index,
                format_bytes(obj->attr->numanode.local_memory, size, sizeof size));
        break;
    default:
        hwloc_obj_type_snprintf(type, sizeof type, obj, 0);
        if (hwloc_obj_type_is_cache(obj->type)) {
            fprintf(p->out, "%s %s", type, format_bytes(obj->attr->cache.size, size, sizeof size));
        } else {
            fprintf(p->out, "%s %u", type, obj->logical_index);
        }
        break;
    }
}

/* Who sits on a processor: r0 bound here, (r0) not bound but seen here; s0 its service thread. */
static void print_sitter(painter_t *p, char what, int rank, const byre__cpuset_t *set, int seen,
                         int pu)
{
    bool free_to_move = byre__cpuset_equal(set, &p->allowed) && byre__cpuset_count(set) > 1;

    if (free_to_move && seen == pu) {
        fprintf(p->out, " (%c%d)", what, rank);
    } else if (!free_to_move && byre__cpuset_has(set, pu)) {
        fprintf(p->out, " %c%d", what, rank);
    }
}

static void print_pu(painter_t *p, hwloc_obj_t pu)
{
    int number = (int)pu->os_index;

    fprintf(p->out, p->draw ? "%d" : "PU %d", number);
    if (!byre__cpuset_has(&p->allowed, number)) {
        fputs(p->draw ? " -" : " not allowed", p->out);
    }
    for (int i = 0; i < p->picture->seats; i++) {
        const byre__seat_t *seat = &p->picture->seat[i];

        if (seat->node != p->node || seat->status != 0) {
            continue;
        }
        print_sitter(p, 'r', seat->rank, &seat->own, seat->cpu, number);
        if (seat->has_service) {
            print_sitter(p, 's', seat->rank, &seat->service, seat->service_cpu, number);
        }
    }
}

/* ---- cores ------------------------------------------------------------------------------------ */

/* A core, or a cache that only one core has: shown on one line. */
static bool is_leaf(painter_t *p, hwloc_obj_t obj)
{
    if (obj->type == HWLOC_OBJ_CORE || obj->type == HWLOC_OBJ_PU) {
        return true;
    }
    return hwloc_obj_type_is_cache(obj->type) && obj->memory_arity == 0 &&
           hwloc_get_nbobjs_inside_cpuset_by_type(p->topology, obj->cpuset, HWLOC_OBJ_CORE) == 1;
}

static void print_pus(painter_t *p, hwloc_obj_t core, const char *between)
{
    hwloc_obj_t pu = NULL;
    bool first = true;

    if (core->type == HWLOC_OBJ_PU) {
        print_pu(p, core);
        return;
    }
    while ((pu = hwloc_get_next_child(p->topology, core, pu)) != NULL) {
        fputs(first ? "" : between, p->out);
        print_pu(p, pu);
        first = false;
    }
}

static void print_core_line(painter_t *p, hwloc_obj_t obj, int depth)
{
    hwloc_obj_t core = obj;
    bool own_cache = false;

    while (core->type != HWLOC_OBJ_CORE && core->type != HWLOC_OBJ_PU) {
        core = core->first_child;
    }
    fprintf(p->out, "%*s", 2 * depth, "");
    if (core->type == HWLOC_OBJ_CORE) {
        fprintf(p->out, "core %u", core->logical_index);
    }
    for (; obj != core; obj = obj->first_child) {
        fputs(own_cache ? ", " : " (", p->out);
        print_label(p, obj);
        own_cache = true;
    }
    fputs(own_cache ? "): " : core->type == HWLOC_OBJ_CORE ? ": " : "", p->out);
    print_pus(p, core, ", ");
    fputc('\n', p->out);
}

/* A cell is printed into memory first: its length decides whether it still fits the line. */
static void print_cell(painter_t *p, hwloc_obj_t obj, int depth)
{
    FILE *line = p->out;
    char *text = NULL;
    size_t length = 0;
    int cell;

    p->out = open_memstream(&text, &length);
    if (!p->out) {
        p->out = line;
        return;
    }
    while (obj->type != HWLOC_OBJ_CORE && obj->type != HWLOC_OBJ_PU) {
        obj = obj->first_child;
    }
    print_pus(p, obj, " | ");
    fclose(p->out);
    p->out = line;
    cell = (int)length + 3;
    if (p->column > 0 && p->column + cell <= WIDTH) {
        p->column += fprintf(p->out, " [%s]", text);
    } else {
        fputs(p->column > 0 ? "\n" : "", p->out);
        p->column = fprintf(p->out, "%*s[%s]", 2 * depth, "", text);
    }
    free(text);
}

/* ---- the tree --------------------------------------------------------------------------------- */

static void end_cells(painter_t *p)
{
    if (p->column > 0) {
        fputc('\n', p->out);
        p->column = 0;
    }
}

static void print_inside(painter_t *p, hwloc_obj_t obj, int depth);

/* Memory hangs beside the tree. Each NUMA node at this object, after what is already on the line. */
static void print_memory(painter_t *p, hwloc_obj_t obj, const char *before)
{
    for (hwloc_obj_t memory = obj->memory_first_child; memory; memory = memory->next_sibling) {
        if (memory->type == HWLOC_OBJ_NUMANODE) {
            fputs(before, p->out);
            print_label(p, memory);
            before = ", ";
        }
    }
}

/* A group is only there to hold its memory, as a rule: then the memory is what has a name. */
static void print_object(painter_t *p, hwloc_obj_t obj)
{
    if (obj->type == HWLOC_OBJ_GROUP && obj->memory_arity > 0) {
        print_memory(p, obj, "");
        return;
    }
    print_label(p, obj);
    print_memory(p, obj, ", ");
}

static void print_branch(painter_t *p, hwloc_obj_t obj, int depth)
{
    fprintf(p->out, "%*s", 2 * depth, "");
    print_object(p, obj);
    while (obj->arity == 1 && !is_leaf(p, obj->first_child)) {
        obj = obj->first_child;
        fputs(", ", p->out);
        print_object(p, obj);
    }
    fputc('\n', p->out);
    print_inside(p, obj, depth + 1);
}

static void print_inside(painter_t *p, hwloc_obj_t obj, int depth)
{
    for (hwloc_obj_t child = obj->first_child; child; child = child->next_sibling) {
        if (!is_leaf(p, child)) {
            print_branch(p, child, depth);
        } else if (p->draw) {
            print_cell(p, child, depth);
        } else {
            print_core_line(p, child, depth);
        }
    }
    end_cells(p);
}

/* ---- nodes and ranks -------------------------------------------------------------------------- */

static void print_count(painter_t *p, hwloc_obj_type_t type, const char *one, const char *more)
{
    int count = hwloc_get_nbobjs_by_type(p->topology, type);

    if (count > 0) {
        fprintf(p->out, ", %d %s", count, count == 1 ? one : more);
    }
}

static void print_node(painter_t *p)
{
    const struct byre__picture_node *node = &p->picture->node[p->node];
    hwloc_obj_t root;

    fprintf(p->out, "node %d: %s", p->node, node->host);
    if (!node->topology) {
        fputs(": not known\n", p->out);
        return;
    }
    p->topology = node->topology;
    memset(&p->allowed, 0, sizeof p->allowed);
    byre__machine_allowed_in(node->topology, &p->allowed);
    print_count(p, HWLOC_OBJ_PACKAGE, "package", "packages");
    print_count(p, HWLOC_OBJ_NUMANODE, "NUMA node", "NUMA nodes");
    print_count(p, HWLOC_OBJ_CORE, "core", "cores");
    print_count(p, HWLOC_OBJ_PU, "PU", "PUs");
    fprintf(p->out, " (%d allowed)", byre__cpuset_count(&p->allowed));
    root = hwloc_get_root_obj(p->topology);
    print_memory(p, root, ", ");
    fputc('\n', p->out);
    print_inside(p, root, 1);
}

static void print_ranks(FILE *out, const byre__picture_t *picture)
{
    char own[64], service[64];

    fputs("\nrank  node  bound to          seen on  service thread    seen on  scheduling\n", out);
    for (int i = 0; i < picture->seats; i++) {
        const byre__seat_t *seat = &picture->seat[i];

        fprintf(out, "%4d  %4d  ", seat->rank, seat->node);
        if (seat->status != 0) {
            fputs("failed\n", out);
            continue;
        }
        byre__cpuset_format(&seat->own, own, sizeof own);
        fprintf(out, "%-16s  %7d  ", own, seat->cpu);
        if (!seat->has_service) {
            fputs("none\n", out);
            continue;
        }
        byre__cpuset_format(&seat->service, service, sizeof service);
        fprintf(out, "%-16s  %7d  %s", service, seat->service_cpu, byre__policy_name(seat->policy));
        fprintf(out, seat->priority > 0 ? " %d\n" : "\n", seat->priority);
    }
    fputs("\nr0: rank 0 is bound here; (r0): it is not bound, and was seen here; s0: its service "
          "thread\n",
          out);
}

void byre__topo_text(FILE *out, const byre__picture_t *picture, bool draw)
{
    painter_t painter = { .out = out, .picture = picture, .draw = draw };

    for (painter.node = 0; painter.node < picture->nodes; painter.node++) {
        fputs(painter.node > 0 ? "\n" : "", out);
        print_node(&painter);
    }
    if (picture->seats > 0) {
        print_ranks(out, picture);
    }
}
