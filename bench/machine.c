/* SPDX-License-Identifier: BSD-3-Clause */
/* What a figure depends on besides the code: processor, cores, kernel, Open MPI, placement. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct machine {
    char cpu[128], kernel[160], mpi[64], btl[64];
    int cores, bound, ranks, nodes;
    bool yields;
};

static void read_cpu(char *name, size_t room)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");

    snprintf(name, room, "unknown processor");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (!value || (strncmp(line, "model name", 10) && strncmp(line, "Model", 5))) continue;
        snprintf(name, room, "%s", value + 2);
        name[strcspn(name, "\n\"\\")] = 0;
        break;
    }
    if (file) fclose(file);
}

/* A parameter of Open MPI as it is in force, wherever it was set: command line, environment, file.
 * An empty text when this MPI has no such parameter. */
static void read_parameter(const char *name, char *text, size_t room)
{
    int level, index, count, flag = 0;
    MPI_T_cvar_handle handle;
    char value[4096] = { 0 };

    text[0] = 0;
    if (MPI_T_init_thread(MPI_THREAD_MULTIPLE, &level)) return;
    if (!MPI_T_cvar_get_index(name, &index) &&
        !MPI_T_cvar_handle_alloc(index, NULL, &handle, &count)) {
        /* A flag is read as an int (count 1), a text as count characters. */
        if (count <= (int)sizeof value && !MPI_T_cvar_read(handle, value)) {
            memcpy(&flag, value, sizeof flag);
            snprintf(text, room, "%s", count > 1 ? value : flag ? "1" : "0");
        }
        MPI_T_cvar_handle_free(&handle);
    }
    MPI_T_finalize();
}

static void machine_read(struct machine *machine)
{
    struct utsname system;
    char version[MPI_MAX_LIBRARY_VERSION_STRING], yields[16];
    cpu_set_t set;
    int length;

    memset(machine, 0, sizeof *machine);
    read_cpu(machine->cpu, sizeof machine->cpu);
    uname(&system);
    snprintf(machine->kernel, sizeof machine->kernel, "%s %s", system.sysname, system.release);
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = 0;
    snprintf(machine->mpi, sizeof machine->mpi, "%.*s", (int)sizeof machine->mpi - 1, version);
    machine->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    machine->bound = sched_getaffinity(0, sizeof set, &set) ? machine->cores : CPU_COUNT(&set);
    machine->ranks = byre_size();
    machine->nodes = byre_node_count();
    read_parameter("btl", machine->btl, sizeof machine->btl);
    read_parameter("mpi_yield_when_idle", yields, sizeof yields);
    machine->yields = yields[0] == '1';
}

/* "2" or, when nodes differ, "1-3". */
static void ranks_per_node(const struct machine *machine, char *text, size_t room)
{
    int least = machine->ranks, most = 0;
    for (int node = 0; node < machine->nodes; node++) {
        int ranks = 0;
        for (int rank = 0; rank < machine->ranks; rank++) ranks += byre_node_of(rank) == node;
        least = ranks < least ? ranks : least;
        most = ranks > most ? ranks : most;
    }
    if (least == most)
        snprintf(text, room, "%d", most);
    else
        snprintf(text, room, "%d-%d", least, most);
}

void machine_describe(char *text, size_t room)
{
    struct machine machine;
    char per_node[32];

    machine_read(&machine);
    ranks_per_node(&machine, per_node, sizeof per_node);
    snprintf(text, room, "%s, %d cores; %s; %s; ranks %d, nodes %d, ranks a node %s", machine.cpu,
             machine.cores, machine.kernel, machine.mpi, machine.ranks, machine.nodes, per_node);
}

void machine_table(FILE *out)
{
    struct machine machine;
    char per_node[32];

    machine_read(&machine);
    ranks_per_node(&machine, per_node, sizeof per_node);
    fprintf(out, "# %s %s\n", program_invocation_short_name, PACKAGE_VERSION);
    fprintf(out, "# machine  %s, %d cores (rank 0 may use %d); %s\n", machine.cpu, machine.cores,
            machine.bound, machine.kernel);
    fprintf(out, "# mpi      %s, btl %s%s\n", machine.mpi, machine.btl[0] ? machine.btl : "default",
            machine.yields ? ", yields when idle" : "");
    fprintf(out, "# job      ranks %d, nodes %d, ranks a node %s\n", machine.ranks, machine.nodes,
            per_node);
}

void machine_json(FILE *out)
{
    struct machine machine;
    char per_node[32];

    machine_read(&machine);
    ranks_per_node(&machine, per_node, sizeof per_node);
    fprintf(out,
            "{\"machine\":\"%s\",\"cores\":%d,\"kernel\":\"%s\",\"mpi\":\"%s\",\"byre\":\"%s\","
            "\"ranks\":%d,\"nodes\":%d,\"ranks_per_node\":\"%s\"}\n",
            machine.cpu, machine.cores, machine.kernel, machine.mpi, PACKAGE_VERSION, machine.ranks,
            machine.nodes, per_node);
}

/* ---- transport ------------------------------------------------------------------------------- */

static bool together(int a, int b)
{
    if (a >= 0) return byre_node_of(a) == byre_node_of(b);
    return byre_node_count() == 1;
}

struct layers {
    char btl[64], pml[64];
};

/* Reading a parameter takes milliseconds: once. */
static const struct layers *layers_read(void)
{
    static struct layers layers;
    static bool known;

    if (!known) {
        read_parameter("pml", layers.pml, sizeof layers.pml);
        read_parameter("btl", layers.btl, sizeof layers.btl);
        known = true;
    }
    return &layers;
}

/* Does a list such as "tcp,self" or "^openib,uct" let Open MPI use a component? */
static bool allows(const char *list, const char *component)
{
    if (list[0] == '^') return !list_has(list + 1, component);
    return !list[0] || list_has(list, component);
}

const char *transport_name(int a, int b)
{
    const struct layers *layers = layers_read();

    /* Shared memory is called vader up to Open MPI 4 and sm from 5 on. */
    bool vader = allows(layers->btl, "vader"), sm = allows(layers->btl, "sm");
    bool shared = layers->btl[0] == '^' ? vader && sm : vader || sm;

    /* Another messaging layer (UCX, libfabric) chooses its own ways. */
    if (!allows(layers->pml, "ob1")) return "unknown";
    if (together(a, b) && shared) return "shm";
    return allows(layers->btl, "tcp") ? "tcp" : "unknown";
}
