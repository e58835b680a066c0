/* SPDX-License-Identifier: BSD-3-Clause */
/* Placing on this machine: inside a real binding, inside a real cpuset of cgroups (skipped, with the reason,
 * where that is not permitted), and binding a process to what was placed on a machine made up by hwloc. */
#include "sched/place/place.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static byre__placer_t *placer;

static void create(const byre__cpuset_t *allowed)
{
    byre__place_config_t config = { .policy = "fcfs", .smt = true, .bind = true };

    ck_assert_int_eq(byre__placer_create(byre__machine_topology(), allowed, &config, &placer),
                     BYRE_OK);
}

/* Where may the calling process run? As the kernel writes it. */
static void read_allowed_list(char text_out[BYRE__CPU_LIST])
{
    char line[512];
    FILE *file = fopen("/proc/self/status", "re");

    ck_assert_ptr_nonnull(file);
    text_out[0] = '\0';
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Cpus_allowed_list: %255s", text_out) == 1) break;
    }
    fclose(file);
}

static int last_cpu(void)
{
    byre__cpuset_t set;
    int last = -1;

    ck_assert_int_eq(byre__cpuset_of_thread(0, &set), 0);
    for (int cpu = 0; cpu < BYRE__CPUSET_MAX; cpu++) {
        if (byre__cpuset_has(&set, cpu)) last = cpu;
    }
    return last;
}

/* This process may use one processor: it is the only one that is given away. */
static void expect_only(int cpu)
{
    byre__place_request_t request = { .job = 1, .cpus = 1, .affinity = "" };
    byre__placement_t placement;
    byre__cpuset_t own;
    char text[16];

    unsetenv("HWLOC_SYNTHETIC");
    ck_assert_int_eq(byre__machine_load(), 0);
    byre__machine_own(&own);
    create(&own);
    snprintf(text, sizeof text, "%d", cpu);
    ck_assert_uint_eq(byre__placer_slots(placer), 1);
    ck_assert(byre__placer_mem(placer) > 0);
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_str_eq(placement.cpus, text);
    request.job = 2;
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_EAGAIN);
    byre__placer_destroy(placer);
    byre__machine_unload();
}

START_TEST(bound_process)
{
    byre__cpuset_t one = { { 0 } };
    int cpu = last_cpu();

    byre__cpuset_add(&one, cpu);
    ck_assert_int_eq(byre__machine_bind_self(&one), 0);
    expect_only(cpu);
}
END_TEST

/* ---- cgroups ------------------------------------------------------------------------------------ */

static bool write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    int file;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    ok = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    close(file);
    return ok;
}

/* A cgroup with one processor, this process in it. What lacks, or NULL. */
static const char *enter(const char *dir, int version, int cpu)
{
    char text[32];

    if (version == 2 && access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0) {
        return "cgroup v2 is not mounted at /sys/fs/cgroup";
    }
    if (mkdir(dir, 0755) < 0) return "no cpuset there, or no right to make a cgroup";
    snprintf(text, sizeof text, "%d", cpu);
    if (!write_file(dir, "cpuset.cpus", text)) return "the cgroup has no cpuset controller";
    if (!write_file(dir, "cpuset.mems", "0")) return "cpuset.mems is refused";
    snprintf(text, sizeof text, "%d", (int)getpid());
    return write_file(dir, "cgroup.procs", text) ? NULL : "no right to enter a cgroup";
}

/* The child enters, so that the cgroup is empty and can go when it has ended. */
static void in_cgroup(const char *parent, int version)
{
    const char *lacks;
    char dir[200];
    int cpu = last_cpu(), status;
    pid_t child;

    snprintf(dir, sizeof dir, "%s/byre-test-%d", parent, (int)getpid());
    fflush(NULL);
    child = fork();
    if (child == 0) {
        lacks = enter(dir, version, cpu);
        if (lacks) {
            printf("skipped: cgroup v%d: %s\n", version, lacks);
            fflush(stdout);
            _exit(77);
        }
        expect_only(cpu);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    rmdir(dir);
    ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77),
                  "status %x", status);
}

START_TEST(cgroup_v1)
{
    in_cgroup("/sys/fs/cgroup/cpuset", 1);
}
END_TEST

START_TEST(cgroup_v2)
{
    in_cgroup("/sys/fs/cgroup", 2);
}
END_TEST

/* ---- a made-up machine, real binding ------------------------------------------------------------ */

/* A child that binds itself to what was placed; what the kernel says of it. */
static void expect_binding(const char *cpus)
{
    char text[BYRE__CPU_LIST] = "";
    int pipes[2], status;
    ssize_t length;
    pid_t child;

    ck_assert_int_eq(pipe(pipes), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        byre__cpuset_t set;

        if (byre__cpuset_parse(cpus, &set) < 0 || byre__machine_bind_self(&set) < 0) _exit(1);
        read_allowed_list(text);
        _exit(write(pipes[1], text, strlen(text)) == (ssize_t)strlen(text) ? 0 : 1);
    }
    close(pipes[1]);
    length = read(pipes[0], text, sizeof text - 1);
    close(pipes[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    text[length > 0 ? length : 0] = '\0';
    ck_assert_str_eq(text, cpus);
}

START_TEST(made_up_machine)
{
    static const char *const cpus[] = { "0", "1" };
    byre__placement_t placement;
    byre__cpuset_t allowed, real;

    ck_assert_int_eq(byre__cpuset_of_thread(0, &real), 0);
    if (!byre__cpuset_has(&real, 0) || !byre__cpuset_has(&real, 1)) {
        printf("skipped: made_up_machine needs processors 0 and 1\n");
        return;
    }
    setenv("HWLOC_SYNTHETIC", "package:2 [numa] core:1 pu:1", 1);
    setenv("HWLOC_THISSYSTEM", "1", 1);
    ck_assert_int_eq(byre__machine_load(), 0);
    byre__machine_allowed(&allowed);
    create(&allowed);
    for (uint64_t i = 0; i < 2; i++) {
        byre__place_request_t request = { .job = i + 1, .cpus = 1, .affinity = "" };

        ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
        ck_assert_str_eq(placement.cpus, cpus[i]);
        ck_assert_str_eq(placement.nodes, cpus[i]);
        ck_assert_int_eq(placement.package, (int)i);
        expect_binding(placement.cpus);
    }
    byre__placer_destroy(placer);
    byre__machine_unload();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_place_real");
    TCase *all = tcase_create("all");

    tcase_add_test(all, bound_process);
    tcase_add_test(all, cgroup_v1);
    tcase_add_test(all, cgroup_v2);
    tcase_add_test(all, made_up_machine);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
