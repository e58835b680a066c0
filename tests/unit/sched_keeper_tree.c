/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 180 */
/* Signals and ends reach every process of a job, wherever it has hidden; a keeper that was killed is followed by
 * one that knows. Each test with (1) and without (0) cgroups. */
#include "keeper_world.h"

static int marked(const char *word)
{
    char mark[64];
    snprintf(mark, sizeof mark, "TREE=%s", word);
    return kw_count_marked(mark);
}

static bool has(const kw_t *w, const char *name, const char *part)
{
    const char *text = kw_read(w->dir, name);
    return text != NULL && strstr(text, part) != NULL;
}

/* ---- signals ------------------------------------------------------------------------------------------ */

START_TEST(a_signal_reaches_all)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0,
             "(trap 'echo inner; exit' USR1; echo a; while :; do sleep 0.05; done) &"
             "setsid sh -c \"trap 'echo away; exit' USR1; echo b; while :; do sleep 0.05; done\" &"
             "trap 'echo main' USR1; echo c; wait; wait; wait; wait; wait; exit 6");
    KW_AWAIT(w, w->jobs[1].started);
    KW_UNTIL(has(w, "spool/t.1.out", "a\n") && has(w, "spool/t.1.out", "b\n") &&
             has(w, "spool/t.1.out", "c\n"));
    kw_signal(w, 1, SIGUSR1);
    KW_ENDS(w, 1, BYRE__END_EXITED, 6);
    ck_assert(has(w, "spool/t.1.out", "inner\n") && has(w, "spool/t.1.out", "away\n") &&
              has(w, "spool/t.1.out", "main\n"));
    kw_destroy(w);
}
END_TEST

START_TEST(term_then_kill)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0, "trap 'echo bye; exit 3' TERM; echo a; while :; do sleep 0.02; done");
    kw_start(w, 2, 0, "trap 'echo no' TERM; echo a; while :; do sleep 0.02; done");
    kw_start(w, 3, 0, "echo $$; kill -STOP $$; sleep 1000");
    kw_first_number(w, 1);
    kw_first_number(w, 2);
    kw_first_number(w, 3);
    kw_kill(w, 1, 20000);
    kw_kill(w, 2, 300);
    kw_kill(w, 3, 20000);
    KW_ENDS(w, 1, BYRE__END_EXITED, 3);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGKILL);
    KW_ENDS(w, 3, BYRE__END_SIGNAL, SIGTERM);
    ck_assert(has(w, "spool/t.1.out", "bye") && has(w, "spool/t.2.out", "no"));
    kw_destroy(w);
}
END_TEST

/* ---- nothing is left -------------------------------------------------------------------------------------- */

START_TEST(leftovers_are_removed)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0,
             "export TREE=left1; sleep 1000 & setsid sleep 1000 &"
             "setsid sh -c '(setsid sleep 1000 &) & sleep 1000' & while test $(pgrep -c -f '^sleep "
             "1000') -lt 4;"
             "do sleep 0.02; done; exit 2");
    KW_ENDS(w, 1, BYRE__END_EXITED, 2);
    ck_assert_int_eq(marked("left1"), 0);
    kw_destroy(w);
}
END_TEST

/* A grandchild that holds the pipes open delays the end only until it has been killed. */
START_TEST(leftovers_with_the_streams)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].keep = true;
    kw_start(w, 1, BYRE__JOB_STREAMS, "setsid sleep 1000 & echo last words; exit 2");
    KW_ENDS(w, 1, BYRE__END_EXITED, 2);
    ck_assert_str_eq(w->jobs[1].out[0], "last words\n");
    kw_destroy(w);
}
END_TEST

/* Without a trace in the environment or the session; two jobs, so that it could be either's. */
START_TEST(a_daemon_without_traces)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0, "sleep 1000");
    kw_start(w, 2, 0, "env -i TREE=notrace setsid -f sleep 1000; echo 1; sleep 1000");
    kw_first_number(w, 2);
    KW_UNTIL(marked("notrace") == 1);
    kw_kill(w, 2, 0);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGKILL);
    /* Only a cgroup can tell whose it was; otherwise it goes when the last job has gone. */
    if (kw_has_groups(w)) ck_assert_int_eq(marked("notrace"), 0);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    KW_UNTIL(marked("notrace") == 0);
    kw_destroy(w);
}
END_TEST

/* It forks all the time, some of it in new sessions, and each process soon ends. */
START_TEST(a_job_that_forks_on_and_on)
{
    kw_t *w = kw_create(_i);
    kw_own_context(w);
    char self[512], *argv[] = { self, NULL };
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(n, 0);
    self[n] = '\0';
    char forker[] = "BYRE_TEST_FORKER=1", mark[] = "TREE=forker", *extra[] = { forker, mark, NULL };
    kw_order(w, 1, 1, 0, argv, "", extra);
    kw_start(w, 2, 0, "sleep 1000");
    kw_first_number(w, 1);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    KW_UNTIL(marked("forker") == 0);
    kw_kill(w, 2, 0);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGKILL);
    kw_destroy(w);
}
END_TEST

static void forker_body(void)
{
    if (write(1, "1\n", 2) != 2) _exit(1);
    for (int chain = 0; chain < 3; chain++) {
        if (fork() != 0) continue;
        /* One after the other, each in a session of its own: never more than two of a chain. */
        for (;;) {
            pid_t pid = fork();
            if (pid != 0) _exit(0);
            setsid();
            struct timespec nap = { .tv_nsec = 1000000 };
            nanosleep(&nap, NULL);
        }
    }
    for (int i = 0; i < 8; i++) { /* and some that stay, half of them in sessions of their own */
        pid_t pid = fork();
        if (pid > 0) continue;
        if (pid == 0 && i % 2 == 0) setsid();
        break;
    }
    for (;;) pause();
}

/* ---- pause ------------------------------------------------------------------------------------------------------ */

/* A job that counts does not count while it is frozen. */
static long count_of(const kw_t *w)
{
    struct stat status;
    char path[600];
    snprintf(path, sizeof path, "%s/spool/t.1.out", w->dir);
    return stat(path, &status) == 0 ? (long)status.st_size : 0;
}

START_TEST(frozen)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0, "setsid sh -c 'while :; do echo; sleep 0.002; done' & wait");
    KW_UNTIL(count_of(w) > 5);
    kw_byte_order(w, BYRE__KEEP_FREEZE, 1, 0, 1);
    kw_hello(w);
    /* What was on its way may still arrive: then nothing more, for longer than it ever took. */
    long at = -1;
    KW_UNTIL(at == count_of(w) || (at = count_of(w), kw_nap(), kw_nap(), kw_nap(), kw_nap(),
                                   kw_nap(), kw_nap(), kw_nap(), kw_nap(), false));
    kw_byte_order(w, BYRE__KEEP_FREEZE, 1, 0, 0);
    byre__stream_drain(&w->stream);
    KW_UNTIL(count_of(w) > at + 3);
    kw_byte_order(w, BYRE__KEEP_FREEZE, 1, 0, 1);
    kw_kill(w, 1, 60000); /* TERM alone, and it does end: it goes on first */
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGTERM);
    kw_destroy(w);
}
END_TEST

/* ---- the keeper is killed ------------------------------------------------------------------------------------------ */

static void kill_keeper(kw_t *w)
{
    kw_end_keeper(w, SIGKILL);
    kw_disconnect(w);
}

START_TEST(the_next_keeper_knows)
{
    kw_t *w = kw_create(_i);
    char path[600];
    kw_start(w, 1, 0, "echo kept; exit 9");
    kw_start(w, 2, 0, "true");
    kw_start(w, 3, 0, "export TREE=lost; setsid -f sleep 1000; (sleep 1000); true");
    kw_start(w, 4, BYRE__JOB_STREAMS, "export TREE=lost; sleep 1000; true");
    KW_ENDS(w, 1, BYRE__END_EXITED, 9);
    KW_ENDS(w, 2, BYRE__END_EXITED, 0);
    byre__end_t first = w->jobs[1].end;
    kw_forget(w, 2, true);
    KW_UNTIL(marked("lost") >= 2);
    kw_hello(w);
    kill_keeper(w);
    /* A record that was being written. */
    snprintf(path, sizeof path, "%s/ends", w->dir);
    int fd = open(path, O_WRONLY | O_APPEND);
    ck_assert_int_eq(write(fd, "torn", 4), 4);
    close(fd);
    kw_next_keeper(w);
    ck_assert_int_eq(marked("lost"), 0);
    kw_connect(w);
    ck_assert_uint_eq(w->state_count, 3);
    KW_ENDS(w, 1, BYRE__END_EXITED, 9);
    ck_assert_uint_eq(w->jobs[1].end.ended_ms, first.ended_ms);
    ck_assert_uint_eq(w->jobs[1].end.out_bytes, 5);
    KW_ENDS(w, 3, BYRE__END_LOST, 0);
    KW_ENDS(w, 4, BYRE__END_LOST, 0);
    ck_assert(has(w, "keeper.log", "is not whole: dropped"));
    /* And once more, now that nothing runs. */
    kill_keeper(w);
    kw_next_keeper(w);
    kw_connect(w);
    ck_assert_uint_eq(w->state_count, 3);
    KW_ENDS(w, 3, BYRE__END_LOST, 0);
    kw_destroy(w);
}
END_TEST

/* Wherever it was: what was said is still true, what had started has an end, and nothing runs any more. */
START_TEST(killed_at_any_moment)
{
    enum { ROUNDS = 12, JOBS = 24 };
    static const char *const scripts[] = { "true",
                                           "export TREE=moment; setsid sleep 1000 & sleep 1000",
                                           "echo x; exit 3", "TREE=moment exec sleep 1000" };
    kw_t *w = kw_create(_i);
    for (int round = 0; round < ROUNDS; round++) {
        static kw_job_t said[JOBS + 1];
        for (uint64_t i = 1; i <= JOBS; i++)
            kw_start(w, i, i % 8 == 1 ? BYRE__JOB_STREAMS : 0, scripts[i % 4]);
        int seen = 0;
        do { /* another moment each time */
            seen = 0;
            for (int i = 1; i <= JOBS; i++) seen += w->jobs[i].started;
        } while (seen < 2 * round && kw_step_for(w, KW_LIMIT_MS));
        kill_keeper(w);
        memcpy(said, w->jobs, sizeof said);
        kw_next_keeper(w);
        ck_assert_int_eq(marked("moment"), 0);
        kw_connect(w);
        for (uint64_t i = 1; i <= JOBS; i++) {
            const kw_job_t *job = &w->jobs[i];
            ck_assert(job->in_state || !said[i].started);
            ck_assert(job->ended || !job->in_state);
            if (said[i].ended) ck_assert_int_eq(job->end.kind, said[i].end.kind);
            if (job->in_state) kw_forget(w, i, true);
        }
        memset(w->jobs, 0, sizeof w->jobs);
        kw_hello(w);
        ck_assert_uint_eq(w->state_count, 0);
    }
    kw_destroy(w);
}
END_TEST

START_TEST(a_keeper_told_to_end)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0, "export TREE=term; setsid sleep 1000 & trap 'exit 8' TERM; echo 1; wait");
    kw_first_number(w, 1);
    kw_end_keeper(w, SIGTERM);
    ck_assert_int_eq(marked("term"), 0);
    kw_disconnect(w);
    kw_next_keeper(w);
    kw_connect(w);
    KW_ENDS(w, 1, BYRE__END_EXITED, 8);
    kw_destroy(w);
}
END_TEST

/* Told to go when it has nothing to do: it has, as long as a job runs or an end has not been heard. */
START_TEST(not_before_all_is_told)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    char go[600], script[800];
    snprintf(go, sizeof go, "%s/go", w->dir);
    snprintf(script, sizeof script, "echo 1; while test ! -e %s; do sleep 0.02; done; exit 4", go);
    kw_start(w, 1, 0, script);
    byre__pack_t pack = { 0 };
    byre__pack_u8(&pack, 0);
    kw_put(w, BYRE__KEEP_QUIT, &pack);
    kw_first_number(w, 1);
    kw_disconnect(w);
    close(open(go, O_CREAT | O_WRONLY, 0600));
    kw_connect(w);
    KW_ENDS(w, 1, BYRE__END_EXITED, 4);
    byre__pack_u8(&pack, 0);
    kw_put(w, BYRE__KEEP_QUIT, &pack);
    kw_disconnect(w); /* its end has not been forgotten yet */
    kw_connect(w);
    ck_assert(w->jobs[1].in_state);
    ck_assert_int_eq(kw_keeper(w), keeper);
    kw_destroy(w);
}
END_TEST

/* The caller's session, terminal and parents may all go. */
START_TEST(apart_from_its_caller)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    char path[64];
    ck_assert_int_ne(getsid(keeper), getsid(0));
    ck_assert_int_ne(getpgid(keeper), getpgid(0));
    ck_assert_int_eq(kill(keeper, SIGHUP), 0);
    ck_assert_int_eq(kill(keeper, SIGPIPE), 0);
    kw_hello(w);
    snprintf(path, sizeof path, "/proc/%d/cwd", keeper);
    char target[600];
    ssize_t n = readlink(path, target, sizeof target - 1);
    ck_assert_int_eq(n, 1);
    kw_destroy(w);
}
END_TEST

int main(void)
{
    if (getenv("BYRE_TEST_FORKER") != NULL) forker_body();
    Suite *suite = suite_create("sched_keeper_tree");
    TCase *tcase = tcase_create("tree");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_signal_reaches_all, 0, 2);
    tcase_add_loop_test(tcase, term_then_kill, 0, 2);
    tcase_add_loop_test(tcase, leftovers_are_removed, 0, 2);
    tcase_add_loop_test(tcase, leftovers_with_the_streams, 0, 2);
    tcase_add_loop_test(tcase, a_daemon_without_traces, 0, 2);
    tcase_add_loop_test(tcase, a_job_that_forks_on_and_on, 0, 2);
    tcase_add_loop_test(tcase, frozen, 0, 2);
    tcase_add_loop_test(tcase, the_next_keeper_knows, 0, 2);
    tcase_add_loop_test(tcase, killed_at_any_moment, 0, 2);
    tcase_add_loop_test(tcase, a_keeper_told_to_end, 0, 2);
    tcase_add_test(tcase, not_before_all_is_told);
    tcase_add_test(tcase, apart_from_its_caller);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
