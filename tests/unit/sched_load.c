/* SPDX-License-Identifier: BSD-3-Clause */
/* The meter on made-up trees of /proc, /sys, /run and /dev, and once on this machine. */
#include "sched/daemon/load_inside.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

static char all_trees[64]; /* of this program; removed by it also when a test fails */
static char root[96];
static byre__meter_t *meter;
static byre__load_t load;

/* ---- a made-up tree ----------------------------------------------------------------------------- */

static void make_place(void)
{
    snprintf(all_trees, sizeof all_trees, "/tmp/byre-load-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(all_trees));
}

static void plant(void)
{
    snprintf(root, sizeof root, "%s/XXXXXX", all_trees);
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *ftw)
{
    (void)about, (void)type, (void)ftw;
    return remove(path);
}

static void remove_place(void)
{
    nftw(all_trees, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fell(void)
{
    byre__meter_destroy(meter);
}

/* Its directories too. */
static void path_of(const char *name, char *path_out, size_t room)
{
    snprintf(path_out, room, "%s%s", root, name);
    for (char *slash = path_out + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path_out, 0755);
        *slash = '/';
    }
}

__attribute__((format(printf, 2, 3))) static void put(const char *name, const char *format, ...)
{
    char path[256];
    va_list args;
    FILE *file;

    path_of(name, path, sizeof path);
    file = fopen(path, "we");
    ck_assert_msg(file != NULL, "%s", path);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    ck_assert_int_eq(fclose(file), 0);
}

static void clock_at(double uptime_s)
{
    put("/proc/uptime", "%.2f 0.00\n", uptime_s);
}

/* Each processor that we may use has used and had so many seconds; others, which are not ours, are busy. */
static void put_stat(double used_s, double there_s)
{
    long hz = sysconf(_SC_CLK_TCK), used = (long)(used_s * (double)hz),
         idle = (long)(there_s * (double)hz) - used;
    char text[16384] = "cpu  9 9 9 9 9 9 9 9 9 9\n";
    byre__cpuset_t cpus;

    ck_assert_int_eq(byre__cpuset_of_thread(0, &cpus), 0);
    for (int cpu = 0; cpu < 256; cpu++) {
        size_t length = strlen(text);

        if (!byre__cpuset_has(&cpus, cpu)) continue;
        /* Used: a third each for user, system and stolen. Idle: half of it waits for a disk. */
        snprintf(text + length, sizeof text - length, "cpu%d %ld 0 %ld %ld %ld 0 0 %ld 0 0\n", cpu,
                 used - 2 * (used / 3), used / 3, idle - idle / 2, idle / 2, used / 3);
    }
    put("/proc/stat", "%scpu4095 %ld 0 0 0 0 0 0 0 0 0\nintr 1 2 3\n", text,
        (long)(there_s * (double)hz));
}

static void put_process(int pid, int parent, char state, double own_s, double children_s)
{
    char name[64];
    long hz = sysconf(_SC_CLK_TCK);

    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    put(name, "%d (a ) R (b) %c %d 1 1 0 -1 4194560 1 2 3 4 %ld %ld 0 %ld 20 0 1 0 1 2 3\n", pid,
        state, parent, (long)(own_s * (double)hz), 0L, (long)(children_s * (double)hz));
}

static void start(load_source_t source)
{
    ck_assert_int_eq(byre__meter_create_at(root, source, &meter), BYRE_OK);
}

static void look(double own_s)
{
    ck_assert_int_eq(byre__meter_read(meter, own_s, &load), BYRE_OK);
}

static void expect_near(double value, double expected)
{
    ck_assert_msg(fabs(value - expected) < 0.011, "%g, not %g", value, expected);
}

/* ---- processors --------------------------------------------------------------------------------- */

START_TEST(machine_busy)
{
    double cpus;

    plant();
    clock_at(1000);
    put_stat(300, 1000);
    put("/proc/loadavg", "1.50 2.50 3.50 4/92 9174\n");
    start(LOAD_MACHINE);
    cpus = meter->capacity;
    look(0); /* no time has passed */
    ck_assert(load.busy == 0 && load.runnable == 3);
    ck_assert(load.loadavg[0] == 1.5 && load.loadavg[2] == 3.5);
    clock_at(1002);
    put_stat(301.5, 1002);
    look(cpus * 0.5); /* of the 1.5 s on each processor half a second was ours */
    expect_near(load.busy, 0.75);
    expect_near(load.busy_others, 0.5);
    look(cpus * 0.5); /* the kernel's clock has not moved: as before */
    expect_near(load.busy, 0.75);
    fell();
}
END_TEST

/* What is older than some seconds is not looked at; what is newer is. */
START_TEST(over_some_seconds)
{
    double used = 0;

    plant();
    clock_at(0);
    put_stat(0, 0);
    start(LOAD_MACHINE);
    for (int i = 1; i <= 200; i++) {
        used += i <= 100 ? 0.2 : 0; /* ten at a second: busy for 20 s, then idle */
        clock_at(0.2 * i);
        put_stat(used, 0.2 * i);
        look(0);
        if (i == 100) expect_near(load.busy, 1);
        if (i == 110) ck_assert(load.busy > 0.4 && load.busy < 0.6);
        if (i == 130) ck_assert(load.busy == 0);
    }
    fell();
}
END_TEST

START_TEST(processes_busy)
{
    plant();
    clock_at(500);
    put("/proc/loadavg", "80 80 80 99/9999 1\n"); /* of the machine around us */
    put("/proc/meminfo", "MemTotal: 1 kB\n");
    put_process(1, 0, 'S', 1, 100);
    put_process(20, 1, 'R', 3, 0);
    put_process(21, 1, 'D', 3, 0);
    start(LOAD_PROCESSES);
    ck_assert(meter->average[0] == 1);
    clock_at(504);
    put_process(20, 1, 'R', 3 + meter->capacity, 0);
    put_process(22, 20, 'R', meter->capacity, 0);
    look(meter->capacity);
    expect_near(load.busy, 0.5);
    expect_near(load.busy_others, 0.25);
    ck_assert(load.runnable == 2);
    ck_assert(load.loadavg[0] > 1 && load.loadavg[0] < 1.1);
    fell();
}
END_TEST

/* A process that has ended is counted with its parent. */
START_TEST(ended_processes_count)
{
    char gone[128];

    plant();
    clock_at(500);
    put_process(1, 0, 'S', 1, 0);
    put_process(20, 1, 'S', 3, 0);
    start(LOAD_PROCESSES);
    clock_at(510);
    snprintf(gone, sizeof gone, "%s/proc/20/stat", root);
    ck_assert_int_eq(remove(gone), 0);
    put_process(1, 0, 'S', 1, 3 + meter->capacity); /* 20 has used more before it ended */
    look(0);
    expect_near(load.busy, 0.1);
    /* Somebody from outside has waited for it: never below nothing, and right again the next time. */
    clock_at(515);
    put_process(1, 0, 'S', 1, 0);
    look(0);
    ck_assert(load.busy == 0);
    clock_at(520);
    put_process(1, 0, 'S', 1 + meter->capacity, 0);
    look(0);
    expect_near(load.busy, 0.2);
    fell();
}
END_TEST

START_TEST(threads_count)
{
    plant();
    clock_at(1);
    put("/proc/7/stat", "7 (x) S 1 1 1 0 -1 0 0 0 0 0 5 0 0 0 20 0 3 0 1\n");
    put("/proc/7/task/7/stat", "7 (x) S 1 1\n");
    put("/proc/7/task/8/stat", "8 (x) R 1 1\n");
    put("/proc/7/task/9/stat", "9 (R) R) R 1 1\n");
    put("/proc/8/stat", "8 (broken");
    put("/proc/9/stat", "%s", "");
    start(LOAD_PROCESSES);
    look(0);
    ck_assert(load.runnable == 2);
    fell();
}
END_TEST

START_TEST(a_tree_of_processes)
{
    const pid_t roots[] = { 10, 30 };
    double cpu_s;

    plant();
    clock_at(1);
    put_process(1, 0, 'S', 64, 0);
    put_process(10, 1, 'S', 1, 2);
    put_process(12, 11, 'S', 4, 0); /* before its parent in the list, or behind: both are found */
    put_process(11, 10, 'S', 8, 0);
    put_process(20, 1, 'S', 128, 0);
    put_process(30, 20, 'S', 16, 0);
    start(LOAD_PROCESSES);
    ck_assert_int_eq(byre__meter_tree(meter, roots, 2, &cpu_s), BYRE_OK);
    expect_near(cpu_s, 31);
    ck_assert_int_eq(byre__meter_tree(meter, roots, 0, &cpu_s), BYRE_OK);
    ck_assert(cpu_s == 0);
    fell();
}
END_TEST

START_TEST(nothing_to_read)
{
    plant();
    ck_assert_int_eq(byre__meter_create_at(root, LOAD_MACHINE, &meter), BYRE_ESYSTEM);
    clock_at(1);
    ck_assert_int_eq(byre__meter_create_at(root, LOAD_MACHINE, &meter), BYRE_ESYSTEM);
    put_stat(1, 2);
    start(LOAD_MACHINE);
    look(0); /* memory, terminals, sessions unknown: no error */
    ck_assert(load.mem_bytes == 0 && load.owner_idle_s == INFINITY);
    fell();
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------------- */

static void expect_mem(uint64_t all, uint64_t left)
{
    look(0);
    ck_assert_uint_eq(load.mem_bytes, all);
    ck_assert_uint_eq(load.mem_free_bytes, left);
}

START_TEST(memory)
{
    plant();
    clock_at(1);
    put_stat(1, 2);
    put("/proc/meminfo", "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    600 kB\n");
    start(LOAD_MACHINE);
    expect_mem(1024000, 614400);
    /* v2: the group has no limit, its parent has. Half of the cache can go. */
    put("/proc/self/cgroup", "0::/slice/unit\n");
    put("/sys/fs/cgroup/slice/unit/memory.max", "max\n");
    put("/sys/fs/cgroup/slice/unit/memory.current", "77\n");
    put("/sys/fs/cgroup/slice/memory.max", "500000\n");
    put("/sys/fs/cgroup/slice/memory.current", "300000\n");
    put("/sys/fs/cgroup/slice/memory.stat", "anon 5\ninactive_file 100000\n");
    expect_mem(500000, 300000);
    put("/sys/fs/cgroup/slice/unit/memory.max", "400000\n"); /* the tighter of both */
    expect_mem(400000, 300000);
    put("/sys/fs/cgroup/slice/unit/memory.current", "400001\n");
    expect_mem(400000, 0);
    /* v1, seen from inside a container: the path is not there, the mount point is. "None" is huge. */
    put("/proc/self/cgroup", "9:name=systemd:/\n5:cpu,cpuacct:/a\n4:memory:/far/away\n0::/\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n");
    expect_mem(1024000, 614400);
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n");
    expect_mem(9000, 8995);
    fell();
}
END_TEST

/* ---- the owner ---------------------------------------------------------------------------------- */

static void put_terminal(const char *line, double idle_s)
{
    struct timespec times[2];
    char name[64], path[256];

    snprintf(name, sizeof name, "/dev/%s", line);
    put(name, "%s", "");
    path_of(name, path, sizeof path);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= (time_t)idle_s;
    times[1] = times[0];
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The test may be slow, the clock is the real one: from so many seconds on, and not minutes more. */
static void expect_idle(double least_s)
{
    look(0);
    ck_assert_msg(load.owner_idle_s >= least_s - 1 && load.owner_idle_s < least_s + 300, "%g",
                  load.owner_idle_s);
}

static void expect_nobody(void)
{
    look(0);
    ck_assert_msg(load.owner_idle_s == INFINITY, "%g", load.owner_idle_s);
}

static void set_up_owner(void)
{
    plant();
    clock_at(1);
    put_stat(1, 2);
    put("/proc/11/stat", "11 (x) S");
    put("/proc/12/stat", "12 (x) S");
    start(LOAD_MACHINE);
}

static void put_utmp(const struct utmp *record, size_t count)
{
    char path[256];
    FILE *file;

    path_of("/run/utmp", path, sizeof path);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(record, sizeof *record, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(utmp)
{
    struct utmp records[] = {
        { .ut_type = BOOT_TIME, .ut_pid = 11, .ut_line = "pts/0" },
        { .ut_type = USER_PROCESS, .ut_pid = 11, .ut_line = "pts/1" },
        { .ut_type = USER_PROCESS, .ut_pid = 12, .ut_line = "tty1" },
        { .ut_type = USER_PROCESS, .ut_pid = 13, .ut_line = "pts/0" }, /* has ended */
        { .ut_type = DEAD_PROCESS, .ut_pid = 12, .ut_line = "pts/0" },
        { .ut_type = USER_PROCESS, .ut_pid = 12, .ut_line = ":0" },
        { .ut_type = USER_PROCESS, .ut_pid = 12, .ut_line = "../dev/pts/0" },
    };

    set_up_owner();
    put_terminal("pts/0", 0);
    put_terminal("pts/1", 1000);
    put_terminal("tty1", 5000);
    expect_nobody();
    put_utmp(records, 7);
    expect_idle(1000);
    put_utmp(records + 2, 5);
    expect_idle(5000);
    put_utmp(records + 3, 4);
    expect_nobody();
    fell();
}
END_TEST

static void put_session(const char *id, const char *class, const char *state, const char *type,
                        const char *tty, int leader)
{
    char name[64];

    snprintf(name, sizeof name, "/run/systemd/sessions/%s", id);
    put(name,
        "# This is private data. Do not parse.\nUID=1000\nUSER=ann\nACTIVE=%d\nIS_DISPLAY=1\n"
        "STATE=%s\nREMOTE=0\nTYPE=%s\nORIGINAL_TYPE=tty\nCLASS=%s\nSEAT=seat0\nTTY=%s\n"
        "LEADER=%d\n",
        strcmp(state, "active") == 0, state, type, class, tty, leader);
}

START_TEST(sessions)
{
    char path[256];

    set_up_owner();
    put_terminal("pts/1", 1000);
    put_terminal("tty2", 5000);
    put_session("c1", "greeter", "active", "wayland", "tty1", 11);
    put_session("2", "user", "closing", "tty", "pts/1", 11);
    put_session("3", "user", "active", "tty", "pts/1", 13);
    put_session("4", "user", "active", "unspecified", "", 11);
    put_session("5", "user", "online", "x11", "tty2", 11);
    /* A pipe that nobody writes to: whoever opens it hangs. */
    path_of("/run/systemd/sessions/1.ref", path, sizeof path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_nobody();
    put_session("6", "user", "active", "tty", "/dev/tty2", 12);
    expect_idle(5000);
    put_session("7", "user", "online", "tty", "pts/1", 12);
    expect_idle(1000);
    put_session("8", "user", "active", "wayland", "tty2", 12); /* in front, and nobody knows more */
    expect_idle(0);
    fell();
}
END_TEST

static void put_loginctl(const char *script)
{
    char path[256];

    put("/usr/bin/loginctl", "#!/bin/sh\n%s\n", script);
    path_of("/usr/bin/loginctl", path, sizeof path);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

/* Until the answer is there; the test's own time limit ends it if none comes. */
static void await_idle(double least_s)
{
    const struct timespec moment = { .tv_nsec = 10000000 };

    do {
        nanosleep(&moment, NULL);
        look(0);
    } while (load.owner_idle_s < least_s || load.owner_idle_s >= least_s + 300);
}

START_TEST(graphical_session)
{
    pid_t hung;
    char script[256];

    set_up_owner();
    put_session("c8", "user", "active", "wayland", "tty2", 12);
    snprintf(
        script, sizeof script,
        "[ \"$*\" = 'show-session c8 --property=IdleHint --property=IdleSinceHint' ] || exit 1\n"
        "echo IdleHint=yes; echo IdleSinceHint=%llu",
        (unsigned long long)(time(NULL) - 700) * 1000000);
    put_loginctl(script);
    look(0);
    ck_assert(load.owner_idle_s == 0); /* asked, not known yet */
    await_idle(700);
    /* It is asked again after some seconds. Meanwhile the old answer holds. */
    put_loginctl("echo IdleHint=no; echo IdleSinceHint=0");
    look(0);
    ck_assert(load.owner_idle_s >= 700);
    clock_at(20);
    await_idle(0);
    /* One that hangs is not waited for, nor left behind. */
    put_loginctl("exec sleep 1000");
    clock_at(40);
    look(0);
    hung = meter->idle.child;
    ck_assert(hung > 0);
    clock_at(60);
    look(0);
    ck_assert_int_eq(meter->idle.child, hung);
    clock_at(80);
    look(0);
    ck_assert_int_ne(meter->idle.child, hung);
    ck_assert(kill(hung, 0) < 0);
    ck_assert(load.owner_idle_s == 0);
    fell();
    ck_assert(waitpid(-1, NULL, WNOHANG) < 0);
}
END_TEST

START_TEST(owner_rule)
{
    const byre__owner_rule_t rule = { .idle_s = 300, .busy_others = 0.5 };
    byre__load_t now = { .owner_idle_s = 299, .busy = 1, .busy_others = 0.4 };
    char reason[96];

    ck_assert_ptr_eq(byre__owner_is_there(&now, &rule, reason), reason);
    ck_assert_str_eq(reason, "somebody used this machine 299 s ago (free after 300 s)");
    now.owner_idle_s = 300;
    ck_assert_ptr_null(byre__owner_is_there(&now, &rule, reason));
    now.owner_idle_s = INFINITY;
    ck_assert_ptr_null(byre__owner_is_there(&now, &rule, reason));
    now.busy_others = 0.75;
    ck_assert_str_eq(byre__owner_is_there(&now, &rule, reason),
                     "others use 75% of its processors (free up to 50%)");
    now.busy_others = 1;
    ck_assert_ptr_null(
        byre__owner_is_there(&now, &(byre__owner_rule_t){ .busy_others = 1.1 }, reason));
}
END_TEST

/* ---- this machine ------------------------------------------------------------------------------- */

/* While a child spins: the meter sees its time among all that was used, and tells it from the others'. */
START_TEST(real)
{
    static const load_source_t sources[] = { LOAD_FIND_OUT, LOAD_MACHINE, LOAD_PROCESSES,
                                             LOAD_OUR_PROCESSES };
    const struct timespec moment = { .tv_nsec = 20000000 };
    pid_t self = getpid(), child;
    double before, now;

    ck_assert_int_eq(byre__meter_create_at("", sources[_i], &meter), BYRE_OK);
    ck_assert_str_ne(byre__meter_method(meter), "");
    ck_assert_int_eq(byre__meter_tree(meter, &self, 1, &before), BYRE_OK);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (volatile unsigned spin = 0;; spin++) {}
    }
    do {
        nanosleep(&moment, NULL);
        ck_assert_int_eq(byre__meter_tree(meter, &self, 1, &now), BYRE_OK);
        look(now - before);
    } while (now - before < 0.3 || load.busy <= 0 || load.runnable < 1);
    ck_assert(load.busy <= 1 && load.busy_others < load.busy);
    ck_assert(load.mem_bytes > 0 && load.mem_free_bytes <= load.mem_bytes);
    ck_assert(load.owner_idle_s >= 0);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    byre__meter_destroy(meter);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_load");
    TCase *all = tcase_create("all");

    tcase_add_unchecked_fixture(all, make_place, remove_place);
    tcase_set_timeout(all, 30);
    tcase_add_test(all, machine_busy);
    tcase_add_test(all, over_some_seconds);
    tcase_add_test(all, processes_busy);
    tcase_add_test(all, ended_processes_count);
    tcase_add_test(all, threads_count);
    tcase_add_test(all, a_tree_of_processes);
    tcase_add_test(all, nothing_to_read);
    tcase_add_test(all, memory);
    tcase_add_test(all, utmp);
    tcase_add_test(all, sessions);
    tcase_add_test(all, graphical_session);
    tcase_add_test(all, owner_rule);
    tcase_add_loop_test(all, real, 0, 4);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
