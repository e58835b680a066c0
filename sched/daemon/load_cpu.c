/* SPDX-License-Identifier: BSD-3-Clause */
/* load_cpu.c - processor time and runnable tasks: whose, and out of how much.
 *
 * /proc/stat and /proc/loadavg are about the whole machine, also inside a container or a node of the lab. The rule:
 *
 *   R1  If something is mounted over /proc/stat (lxcfs), it is about us: all of /proc/stat, with numbers of its own.
 *   R2  Else, in a PID namespace of our own, or in a lab (BYRE_LAB_NODE), /proc shows our processes and no others:
 *       the sum over them.
 *   R3  Else, if a cgroup leaves us less time than there are processors, the machine's figures say little about what
 *       we can have: the sum over our user's processes.
 *   R4  Else this is the machine: the lines of /proc/stat for the processors that we may use (a cpuset, a taskset).
 *
 * The capacity is that of these processors, or of the quota if that is less. With R2 and R3 runnable tasks are
 * counted in /proc too, and load averages made from them, unless /proc/loadavg is mounted over (lxcfs, the lab).
 */
#include "sched/daemon/load_inside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <byre_errors.h>

#define FIRST_PID_NAMESPACE 0xEFFFFFFCu /* PROC_PID_INIT_INO of the kernel: the same everywhere */

/* ---- which source ------------------------------------------------------------------------------- */

static bool is_mounted_over(const byre__meter_t *meter, const char *path)
{
    char name[256], proc[256];
    struct stat file, dir;

    snprintf(name, sizeof name, "%s%s", meter->root, path);
    snprintf(proc, sizeof proc, "%s/proc", meter->root);
    return stat(name, &file) == 0 && stat(proc, &dir) == 0 && file.st_dev != dir.st_dev;
}

static bool in_own_pid_namespace(void)
{
    struct stat about;

    return stat("/proc/self/ns/pid", &about) == 0 && about.st_ino != FIRST_PID_NAMESPACE;
}

static load_source_t find_source(const byre__meter_t *meter, double quota)
{
    if (is_mounted_over(meter, "/proc/stat")) return LOAD_MACHINE;
    if (in_own_pid_namespace() || getenv("BYRE_LAB_NODE")) return LOAD_PROCESSES;
    if (quota > 0 && quota < byre__cpuset_count(&meter->cpus)) return LOAD_OUR_PROCESSES;
    return LOAD_MACHINE;
}

/* What mpirun leaves to all of the node's ranks; this process alone may be bound more narrowly. */
static void find_cpus(byre__cpuset_t *cpus_out)
{
    byre__machine_outer(cpus_out);
    if (byre__cpuset_count(cpus_out) == 0) byre__cpuset_of_thread(0, cpus_out);
    if (byre__cpuset_count(cpus_out) == 0) byre__cpuset_add(cpus_out, 0);
}

/* A quota may change while we run. */
static void set_capacity(byre__meter_t *meter, double quota)
{
    static const char *const what[] = { [LOAD_MACHINE] = "/proc/stat",
                                        [LOAD_PROCESSES] = "the processes of this node",
                                        [LOAD_OUR_PROCESSES] = "the processes of this user" };

    meter->capacity = byre__cpuset_count(&meter->cpus);
    if (meter->source != LOAD_MACHINE && quota > 0 && quota < meter->capacity) {
        meter->capacity = quota;
    }
    snprintf(meter->method, sizeof meter->method, "%s, %g processor%s", what[meter->source],
             meter->capacity, meter->capacity == 1 ? "" : "s");
}

void byre__load_choose(byre__meter_t *meter, load_source_t source)
{
    double quota = byre__machine_quota();

    find_cpus(&meter->cpus);
    meter->source = source != LOAD_FIND_OUT ? source : find_source(meter, quota);
    set_capacity(meter, quota);
    if (is_mounted_over(meter, "/proc/stat")) memset(&meter->cpus, 0xff, sizeof meter->cpus);
    meter->loadavg_is_ours =
        meter->source == LOAD_MACHINE || is_mounted_over(meter, "/proc/loadavg");
}

/* ---- the machine -------------------------------------------------------------------------------- */

/* "cpu7 user nice system idle iowait irq softirq steal ...": what is stolen from us is not there for us. */
static void add_line(const byre__meter_t *meter, const char *line, load_sample_t *sample)
{
    unsigned long long t[8] = { 0 };
    double hz = (double)sysconf(_SC_CLK_TCK), all = 0;
    int cpu;

    if (sscanf(line, "cpu%d %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &t[0], &t[1], &t[2],
               &t[3], &t[4], &t[5], &t[6], &t[7]) < 5 ||
        !byre__cpuset_has(&meter->cpus, cpu)) {
        return;
    }
    for (int i = 0; i < 8; i++) all += (double)t[i] / hz;
    sample->there_s += all;
    sample->used_s += all - (double)(t[3] + t[4]) / hz;
}

static int read_stat(const byre__meter_t *meter, load_sample_t *sample)
{
    FILE *file = byre__load_open(meter, "/proc/stat");
    char line[512];

    if (!file) return BYRE_ESYSTEM;
    while (fgets(line, sizeof line, file) && strncmp(line, "cpu", 3) == 0) {
        /* Not the first line, which is the sum of all. */
        if (line[3] != ' ') add_line(meter, line, sample);
    }
    fclose(file);
    return BYRE_OK;
}

/* "0.02 0.02 0.00 1/92 9174": one of those that run is who reads this. */
static double read_running(const byre__meter_t *meter)
{
    FILE *file = byre__load_open(meter, "/proc/loadavg");
    int running = 0;

    if (!file) return 0;
    if (fscanf(file, "%*f %*f %*f %d/", &running) != 1) running = 0;
    fclose(file);
    return running > 1 ? running - 1 : 0;
}

/* ---- processes ---------------------------------------------------------------------------------- */

typedef struct sum {
    double cpu_s;
    unsigned runnable;
    pid_t self; /* 0: none of these is us */
} sum_t;

static void add_process(void *arg, const load_process_t *process)
{
    sum_t *sum = arg;
    bool reads = process->pid == sum->self && process->runnable > 0;

    sum->cpu_s += process->cpu_s;
    sum->runnable += process->runnable - reads;
}

static int add_processes(byre__meter_t *meter, load_sample_t *sample, double *runnable_out)
{
    sum_t sum = { .self = meter->root[0] == '\0' ? getpid() : 0 };
    int status =
        byre__load_processes(meter, meter->source == LOAD_OUR_PROCESSES, add_process, &sum);

    sample->used_s = sum.cpu_s;
    set_capacity(meter, byre__machine_quota());
    meter->there_s += (sample->at_s - meter->there_at_s) * meter->capacity;
    meter->there_at_s = sample->at_s;
    sample->there_s = meter->there_s;
    *runnable_out = sum.runnable;
    return status;
}

/* ---- both --------------------------------------------------------------------------------------- */

static int read_uptime(const byre__meter_t *meter, double *uptime_out)
{
    FILE *file = byre__load_open(meter, "/proc/uptime");
    bool ok;

    if (!file) return BYRE_ESYSTEM;
    ok = fscanf(file, "%lf", uptime_out) == 1;
    fclose(file);
    return ok ? BYRE_OK : BYRE_ESYSTEM;
}

int byre__load_cpu(byre__meter_t *meter, load_sample_t *sample_out, double *runnable_out)
{
    int status;

    *sample_out = (load_sample_t){ 0 };
    status = read_uptime(meter, &sample_out->at_s);
    if (status != BYRE_OK) return status;
    if (meter->source != LOAD_MACHINE) return add_processes(meter, sample_out, runnable_out);
    *runnable_out = read_running(meter);
    return read_stat(meter, sample_out);
}
