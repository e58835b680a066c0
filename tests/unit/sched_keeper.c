/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 120 */
/* The keeper starts jobs as they were ordered, and tells how they went; each test with and without cgroups. */
#include "keeper_world.h"

#include <sched.h>
#include <sys/resource.h>

/* ---- ends ---------------------------------------------------------------------------------------------- */

START_TEST(ends_are_told)
{
    kw_t *w = kw_create(_i);
    char missing[] = "no-such-program-anywhere", plain[] = "/etc/passwd", nothing[] = "";
    char *one[] = { missing, NULL }, *two[] = { plain, NULL }, *three[] = { nothing, NULL };
    kw_start(w, 1, 0, "exit 7");
    kw_start(w, 2, 0, "kill -9 $$");
    kw_order(w, 3, 1, 0, one, "", NULL);
    kw_order(w, 4, 1, 0, two, "", NULL);
    kw_order(w, 5, 1, 0, three, "", NULL);
    kw_start(w, 6, 0, "echo hello; echo oops >&2; exit 0");
    KW_ENDS(w, 1, BYRE__END_EXITED, 7);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGKILL);
    KW_ENDS(w, 3, BYRE__END_NO_EXEC, ENOENT);
    ck_assert_str_eq(w->jobs[3].end.detail, "No such file or directory");
    ck_assert(!w->jobs[3].started);
    KW_ENDS(w, 4, BYRE__END_NO_EXEC, EACCES);
    KW_ENDS(w, 5, BYRE__END_NO_EXEC, ENOENT);
    KW_ENDS(w, 6, BYRE__END_EXITED, 0);
    ck_assert_uint_eq(w->jobs[6].end.out_bytes, 6);
    ck_assert_uint_eq(w->jobs[6].end.err_bytes, 5);
    ck_assert_str_eq(kw_read(w->dir, "spool/t.6.out"), "hello\n");
    ck_assert_str_eq(kw_read(w->dir, "spool/t.6.err"), "oops\n");
    ck_assert(!kw_exists(w, "spool/t.1.out") && !kw_exists(w, "spool/t.3.err")); /* were empty */
    const byre__end_t *end = &w->jobs[6].end;
    ck_assert_uint_gt(end->started_ms, 0);
    ck_assert_uint_ge(end->ended_ms, end->started_ms);
    ck_assert_uint_gt(end->max_rss_kb, 0);
    kw_destroy(w);
}
END_TEST

START_TEST(a_directory_that_is_missing)
{
    kw_t *w = kw_create(_i);
    byre__context_t context = kw_context_in("/nowhere/at/all");
    kw_context(w, &context);
    byre__context_fini(&context);
    kw_start(w, 1, 0, "true");
    KW_ENDS(w, 1, BYRE__END_NO_CWD, ENOENT);
    w->key.a++; /* a context that was never told */
    kw_start(w, 2, 0, "true");
    KW_ENDS(w, 2, BYRE__END_NO_START, ENOENT);
    kw_destroy(w);
}
END_TEST

START_TEST(programs_are_found_like_a_shell_does)
{
    kw_t *w = kw_create(_i);
    char path[700], script[600], name[] = "greet", word[] = "you";
    char *argv[] = { name, word, NULL }, *extra[] = { path, NULL };
    snprintf(path, sizeof path, "PATH=/nowhere:%s:/bin", w->dir);
    snprintf(script, sizeof script, "%s/greet", w->dir);
    FILE *file = fopen(script, "w");
    fprintf(file, "echo hello $1\n"); /* no #!: the shell runs it */
    fclose(file);
    kw_order(w, 1, 1, 0, argv, "", extra);
    KW_ENDS(w, 1, BYRE__END_NO_EXEC, EACCES);
    chmod(script, 0700);
    kw_order(w, 2, 1, 0, argv, "", extra);
    KW_ENDS(w, 2, BYRE__END_EXITED, 0);
    ck_assert_str_eq(kw_read(w->dir, "spool/t.2.out"), "hello you\n");
    kw_destroy(w);
}
END_TEST

/* ---- what a job is born with -------------------------------------------------------------------------------- */

START_TEST(the_environment_is_the_one_given)
{
    kw_t *w = kw_create(_i);
    char a[] = "A=1", b[] = "B=2", inner[] = "BYRE_JOB=other.5", cwd[] = "/";
    char *env[] = { a, b, inner, NULL }, path[] = "/usr/bin/env", b3[] = "B=3", c[] = "C=x y";
    char *extra[] = { b3, c, NULL }, *argv[] = { path, NULL };
    byre__context_t context = { .cwd = cwd, .env = env, .umask = 022 };
    for (int i = 0; i < BYRE__RLIMITS; i++) context.soft[i] = context.hard[i] = UINT64_MAX;
    context.soft[RLIMIT_NOFILE] = context.hard[RLIMIT_NOFILE] = 1000;
    kw_context(w, &context);
    kw_order(w, 1, 1, 0, argv, "", extra);
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    char expected[300], *got = kw_read(w->dir, "spool/t.1.out");
    struct stat status;
    ck_assert_int_eq(stat(w->dir, &status), 0);
    snprintf(expected, sizeof expected, "A=1\nB=3\nC=x y\nBYRE_KEEPER=%lx-%lx/1\nBYRE_JOB=t.1\n",
             (unsigned long)status.st_dev, (unsigned long)status.st_ino);
    ck_assert_str_eq(got, expected);
    kw_destroy(w);
}
END_TEST

START_TEST(limits_umask_directory_and_descriptors)
{
    kw_t *w = kw_create(_i);
    byre__context_t context = kw_context_in("/usr");
    context.umask = 031;
    context.soft[RLIMIT_NOFILE] = 123;
    context.hard[RLIMIT_NOFILE] = 456;
    context.soft[RLIMIT_CORE] = context.hard[RLIMIT_CORE] = 0;
    context.soft[RLIMIT_STACK] = 4 << 20;
    kw_context(w, &context);
    byre__context_fini(&context);
    kw_start(w, 1, 0,
             "pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -Ss; ls /proc/$$/fd;"
             "readlink /proc/$$/fd/0; grep -E 'SigBlk|SigIgn' /proc/$$/status | tr -d '\\t\\n'; "
             "echo;"
             "test $$ = $(ps -o sid= -p $$) && test $$ = $(ps -o pgid= -p $$) && echo leader;"
             "cat /proc/self/oom_score_adj");
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_str_eq(kw_read(w->dir, "spool/t.1.out"),
                     "/usr\n0031\n123\n456\n0\n4096\n0\n1\n2\n/dev/null\n"
                     "SigBlk:0000000000000000SigIgn:0000000000000000\nleader\n0\n");
    kw_destroy(w);
}
END_TEST

static const char allowed[] = "grep Cpus_allowed_list /proc/self/status";

START_TEST(processors)
{
    kw_t *w = kw_create(_i);
    cpu_set_t mine;
    char list[16], expected[64], sh[] = "sh", c[] = "-c",
                                 *argv[] = { sh, c, (char *)allowed, NULL };
    int last = -1;
    ck_assert_int_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &mine)) last = i;
    snprintf(list, sizeof list, "%d", last);
    snprintf(expected, sizeof expected, "Cpus_allowed_list:\t%d\n", last);
    kw_order(w, 1, 1, 0, argv, list, NULL);
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_str_eq(kw_read(w->dir, "spool/t.1.out"), expected);
    /* Moved while it runs, with a child that was there before. */
    kw_start(w, 2, 0, "sleep 1000 & echo $!; wait");
    KW_AWAIT(w, w->jobs[2].started);
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/%d", kw_first_number(w, 2));
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(2);
    byre__pack_job_id(&pack, &id);
    byre__pack_text(&pack, list);
    kw_put(w, BYRE__KEEP_BIND, &pack);
    byre__stream_drain(&w->stream);
    KW_UNTIL(strstr(kw_read(proc, "status"), expected) != NULL);
    kw_destroy(w);
}
END_TEST

START_TEST(memory_nodes)
{
    if (access("/proc/self/numa_maps", F_OK) != 0) return; /* no policies in this kernel */
    kw_t *w = kw_create(_i);
    w->nodes = "0";
    kw_start(w, 1, 0, "head -n 1 /proc/self/numa_maps");
    w->nodes = NULL;
    kw_start(w, 2, 0, "head -n 1 /proc/self/numa_maps");
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    KW_ENDS(w, 2, BYRE__END_EXITED, 0);
    const char *text = kw_read(w->dir, "spool/t.1.out");
    ck_assert_msg(strstr(text, " bind:0") != NULL || strstr(text, " prefer:0") != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(kw_read(w->dir, "spool/t.2.out"), " default"));
    kw_destroy(w);
}
END_TEST

/* ---- only one, only once ----------------------------------------------------------------------------------------- */

START_TEST(two_keepers_and_two_starts)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    ck_assert_int_eq(kw_run_keeper(w), 0); /* there is one */
    ck_assert_int_eq(kw_keeper(w), keeper);
    kw_start(w, 1, 0, "echo once; sleep 1000");
    KW_AWAIT(w, w->jobs[1].started);
    int64_t pid = w->jobs[1].pid;
    w->jobs[1].started = false;
    kw_start(w, 1, 0, "echo once; sleep 1000");
    KW_AWAIT(w, w->jobs[1].started);
    ck_assert_int_eq(w->jobs[1].pid, pid);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    w->jobs[1].ended = false;
    kw_start(w, 1, 0, "echo once; sleep 1000");
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    ck_assert_int_eq(w->jobs[1].ends, 2);
    /* Another attempt is another job. */
    char t[] = "true", *argv[] = { t, NULL };
    w->jobs[1].ended = false;
    kw_order(w, 1, 2, 0, argv, "", NULL);
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_uint_eq(w->jobs[1].attempt, 2);
    kw_forget(w, 1, true);
    kw_destroy(w);
}
END_TEST

START_TEST(forgetting)
{
    kw_t *w = kw_create(_i);
    for (uint64_t i = 1; i <= 20; i++) kw_start(w, i, 0, "echo x");
    for (uint64_t i = 1; i <= 20; i++) kw_wait(w, i);
    for (uint64_t i = 1; i <= 19; i++) kw_forget(w, i, i % 2);
    kw_hello(w);
    ck_assert_uint_eq(w->state_count, 1);
    ck_assert(w->jobs[20].in_state && !w->jobs[19].in_state);
    ck_assert(kw_exists(w, "spool/t.2.out") && !kw_exists(w, "spool/t.1.out"));
    kw_forget(w, 20, true);
    kw_hello(w);
    ck_assert_uint_eq(w->state_count, 0);
    ck_assert_str_eq(kw_read(w->dir, "ends"), "");
    for (int i = 2; i < 20; i += 2) {
        char path[600];
        snprintf(path, sizeof path, "%s/spool/t.%d.out", w->dir, i);
        ck_assert_int_eq(unlink(path), 0);
    }
    kw_destroy(w);
}
END_TEST

/* The keeper's own limit: some jobs get no descriptor, and say so; the keeper goes on. */
START_TEST(no_descriptors_left)
{
    struct rlimit old, few = { 80, 80 };
    getrlimit(RLIMIT_NOFILE, &old);
    few.rlim_max = old.rlim_max;
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    ck_assert_int_eq(prlimit(keeper, RLIMIT_NOFILE, &few, NULL), 0);
    int refused = 0;
    for (uint64_t i = 1; i <= 60; i++) kw_start(w, i, BYRE__JOB_STREAMS, "sleep 1000");
    for (uint64_t i = 1; i <= 60; i++) {
        KW_AWAIT(w, w->jobs[i].started || w->jobs[i].ended);
        if (!w->jobs[i].ended) continue;
        refused++;
        KW_ENDS(w, i, BYRE__END_NO_START, EMFILE);
    }
    ck_assert_int_gt(refused, 0);
    ck_assert_int_lt(refused, 60);
    kw_t *second = w; /* a daemon can still come */
    byre__stream_t before = w->stream;
    kw_connect(second);
    byre__stream_fini(&before);
    kw_destroy(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_keeper");
    TCase *tcase = tcase_create("jobs");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, ends_are_told, 0, 2);
    tcase_add_loop_test(tcase, a_directory_that_is_missing, 0, 2);
    tcase_add_loop_test(tcase, programs_are_found_like_a_shell_does, 0, 2);
    tcase_add_loop_test(tcase, the_environment_is_the_one_given, 0, 2);
    tcase_add_loop_test(tcase, limits_umask_directory_and_descriptors, 0, 2);
    tcase_add_loop_test(tcase, processors, 0, 2);
    tcase_add_test(tcase, memory_nodes);
    tcase_add_loop_test(tcase, two_keepers_and_two_starts, 0, 2);
    tcase_add_loop_test(tcase, forgetting, 0, 2);
    tcase_add_loop_test(tcase, no_descriptors_left, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
