/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 120 */
/* Streams of jobs with STREAMS: every byte, in order, with bounded memory; terminals; and what happens to them when
 * the daemon goes. */
#include "keeper_world.h"

enum { PIECE = 16 << 10, MANY = 8 << 20 };

static void random_bytes(uint8_t *data, size_t bytes)
{
    uint64_t x = 88172645463325252;
    for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)kw_random(&x);
}

/* Sends as much as ROOM allows, and takes what comes. */
static void feed(kw_t *w, uint64_t number, const uint8_t *data, size_t bytes)
{
    kw_job_t *job = &w->jobs[number];
    for (size_t sent = 0; sent < bytes;) {
        size_t piece = bytes - sent < PIECE ? bytes - sent : PIECE;
        KW_AWAIT(w, (64 << 10) + job->room >= sent + piece);
        kw_stdin(w, number, data + sent, piece);
        sent += piece;
    }
}

START_TEST(binary_round_trip)
{
    kw_t *w = kw_create(_i);
    uint8_t *data = malloc(MANY);
    random_bytes(data, MANY);
    kw_start(w, 1, BYRE__JOB_STREAMS, "tee /dev/stderr");
    feed(w, 1, data, MANY);
    kw_tell(w, BYRE__KEEP_STDIN_END, 1, 0, 0, 0, 0);
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_eq(w->jobs[1].out_total[i], MANY);
        ck_assert_uint_eq(w->jobs[1].out_sum[i], kw_sum(0, data, MANY));
    }
    ck_assert_uint_eq(w->jobs[1].end.out_bytes, MANY);
    free(data);
    kw_destroy(w);
}
END_TEST

/* Nobody takes the output, nobody reads the input: the keeper has a window of each, and no more. */
START_TEST(back_pressure)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    long before = kw_rss_kb(keeper);
    uint8_t piece[PIECE] = { 0 };
    w->jobs[1].hold = true;
    kw_start(w, 1, BYRE__JOB_STREAMS, "head -c 300000000 /dev/zero; echo done >&2");
    KW_AWAIT(w, w->jobs[1].out_total[0] == 64 << 10);
    kw_start(w, 2, BYRE__JOB_STREAMS, "sleep 1000");
    KW_AWAIT(w, w->jobs[2].started);
    for (int i = 0; i < 4; i++) kw_stdin(w, 2, piece, PIECE);
    KW_AWAIT(w, w->jobs[2].room >= PIECE); /* what the pipe took */
    kw_hello(w);
    ck_assert_uint_eq(w->jobs[1].out_total[0], 64 << 10);
    ck_assert_int_lt(kw_rss_kb(keeper) - before, 2048);
    /* Then somebody takes all of it. */
    w->jobs[1].hold = false;
    kw_window(w, 1, 1, 64 << 10);
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_uint_eq(w->jobs[1].out_total[0], 300000000);
    ck_assert_int_lt(kw_rss_kb(keeper) - before, 4096);
    kw_kill(w, 2, 0);
    KW_ENDS(w, 2, BYRE__END_SIGNAL, SIGKILL);
    kw_destroy(w);
}
END_TEST

START_TEST(more_input_than_room_is_an_error_of_the_daemon)
{
    kw_t *w = kw_create(_i);
    uint8_t *data = calloc(1, 200 << 10);
    kw_start(w, 1, BYRE__JOB_STREAMS, "sleep 1000");
    kw_start(w, 2, 0, "sleep 1000");
    KW_AWAIT(w, w->jobs[2].started);
    kw_stdin(w, 1, data, 200 << 10);
    while (kw_step_for(w, KW_LIMIT_MS)) {}
    byre__stream_fini(&w->stream);
    kw_connect(w);
    ck_assert(w->jobs[1].in_state && !w->jobs[1].ended && w->jobs[2].in_state);
    free(data);
    kw_destroy(w);
}
END_TEST

START_TEST(who_does_not_read_his_input)
{
    kw_t *w = kw_create(_i);
    uint8_t *data = calloc(1, 1 << 20);
    kw_start(w, 1, BYRE__JOB_STREAMS, "exec <&-; echo closed; read x <&2; sleep 1000");
    w->jobs[1].keep = true;
    KW_AWAIT(w, w->jobs[1].out_total[0] > 0);
    feed(w, 1, data, 1 << 20);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    free(data);
    kw_destroy(w);
}
END_TEST

/* ---- terminals -------------------------------------------------------------------------------------------- */

static bool says(const kw_t *w, uint64_t number, const char *text)
{
    const char *out = w->jobs[number].out[0];
    return out != NULL && strstr(out, text) != NULL;
}

static const char script[] =
    "test -t 0 && test -t 1 && test -t 2 && echo is-terminal; stty size;"
    "trap 'echo changed; stty size' WINCH; trap 'echo interrupted' INT; echo ready;"
    "while read line; do echo \"got $line\"; done; echo end-of-input; exit 5";

START_TEST(a_terminal)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].keep = true;
    char bash[] = "bash", c[] = "-c", *argv[] = { bash, c, (char *)script, NULL };
    kw_order(w, 1, 1, BYRE__JOB_STREAMS | BYRE__JOB_PTY, argv, "", NULL);
    KW_AWAIT(w, says(w, 1, "ready"));
    ck_assert(says(w, 1, "is-terminal\r\n31 97\r\n"));
    kw_tell(w, BYRE__KEEP_RESIZE, 1, 0, 2, 40, 120);
    kw_stdin(w, 1, "one\n", 4);
    KW_AWAIT(w, says(w, 1, "got one") && says(w, 1, "changed\r\n40 120"));
    kw_stdin(w, 1, "\003\n", 2); /* Ctrl-C */
    KW_AWAIT(w, says(w, 1, "interrupted"));
    kw_stdin(w, 1, "half", 4);
    kw_tell(w, BYRE__KEEP_STDIN_END, 1, 0, 0, 0, 0);
    KW_ENDS(w, 1, BYRE__END_EXITED, 5);
    ck_assert(says(w, 1, "end-of-input"));
    kw_destroy(w);
}
END_TEST

START_TEST(job_control_in_a_terminal)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].keep = true;
    char bash[] = "bash", norc[] = "--norc", i[] = "-i", *argv[] = { bash, norc, i, NULL };
    kw_order(w, 1, 1, BYRE__JOB_STREAMS | BYRE__JOB_PTY, argv, "", NULL);
    const char first[] = "PS1=; sleep 1000\n", second[] = "echo status-$?\n";
    kw_stdin(w, 1, first, strlen(first));
    KW_AWAIT(w, w->jobs[1].started);
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/%d/task/%d", (int)w->jobs[1].pid, (int)w->jobs[1].pid);
    /* The sleep is in the foreground, in a group of its own: SIGINT is for it, not for the shell. */
    char child[64] = "/proc/0", *text;
    KW_UNTIL((text = kw_read(proc, "children")) != NULL && atoi(text) > 0 &&
             snprintf(child, sizeof child, "/proc/%d", atoi(text)) > 0 &&
             (text = kw_read(child, "comm")) != NULL && strcmp(text, "sleep\n") == 0);
    kw_signal(w, 1, SIGINT);
    kw_stdin(w, 1, second, strlen(second));
    KW_AWAIT(w, says(w, 1, "status-130"));
    kw_stdin(w, 1, "exit 3\n", 7);
    KW_ENDS(w, 1, BYRE__END_EXITED, 3);
    kw_destroy(w);
}
END_TEST

/* ---- the daemon goes ------------------------------------------------------------------------------------------ */

/* What the client confirmed, then what is in the file: a daemon that dies loses none of it, wherever it was. */
START_TEST(a_lost_daemon_loses_no_output)
{
    kw_t *w = kw_create(_i);
    char command[700];
    /* Numbers of six digits and an end of line, 7 bytes: 700,000 bytes. It waits for its end of input first. */
    kw_start(w, 1, BYRE__JOB_STREAMS, "seq -w 100000 199999; cat; echo the end");
    w->jobs[1].keep = w->jobs[1].hold = true;
    KW_AWAIT(w, w->jobs[1].out_total[0] >= 64 << 10);
    kw_window(w, 1, 1, 50000); /* so much has been confirmed */
    KW_AWAIT(w, w->jobs[1].out_total[0] >= 50000 + (64 << 10));
    kw_disconnect(w);
    kw_connect(w);
    ck_assert(w->jobs[1].in_state);
    KW_AWAIT(w, (kw_nap(), kw_hello(w), w->jobs[1].ended));
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_uint_eq(w->jobs[1].end.out_bytes, 700008);
    snprintf(command, sizeof command,
             "{ seq -w 100000 199999; echo the end; } | tail -c +50001 | cmp - %s/spool/t.1.out",
             w->dir);
    ck_assert_int_eq(system(command), 0);
    kw_destroy(w);
}
END_TEST

/* Its end had been said, but nobody had confirmed the last of its output. */
START_TEST(output_of_a_job_that_has_ended)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].hold = true;
    kw_start(w, 1, BYRE__JOB_STREAMS, "echo precious; echo error >&2");
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert(!kw_exists(w, "spool/t.1.out"));
    kw_disconnect(w);
    kw_connect(w);
    ck_assert_str_eq(kw_read(w->dir, "spool/t.1.out"), "precious\n");
    ck_assert_str_eq(kw_read(w->dir, "spool/t.1.err"), "error\n");
    kw_destroy(w);
}
END_TEST

START_TEST(a_terminal_is_not_hung_up)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].keep = true;
    kw_start(w, 1, BYRE__JOB_STREAMS | BYRE__JOB_PTY,
             "trap 'echo hung up' HUP; echo ready; cat; echo still here; exit 4");
    KW_AWAIT(w, says(w, 1, "ready"));
    kw_disconnect(w);
    kw_connect(w);
    KW_AWAIT(w, (kw_nap(), kw_hello(w), w->jobs[1].ended));
    KW_ENDS(w, 1, BYRE__END_EXITED, 4);
    const char *text = kw_read(w->dir, "spool/t.1.out");
    ck_assert(strstr(text, "still here") != NULL && strstr(text, "hung up") == NULL);
    kw_destroy(w);
}
END_TEST

/* A second daemon takes the first one's place. */
START_TEST(one_daemon_at_a_time)
{
    kw_t *w = kw_create(_i);
    kw_start(w, 1, 0, "sleep 1000");
    KW_AWAIT(w, w->jobs[1].started);
    byre__stream_t first = w->stream;
    kw_connect(w);
    ck_assert(w->jobs[1].in_state);
    byre__frame_t frame;
    byre__unpack_t payload;
    ck_assert_int_eq(byre__stream_await(&first, &frame, &payload, KW_LIMIT_MS), BYRE_EPEER);
    byre__stream_fini(&first);
    kw_destroy(w);
}
END_TEST

/* A client that has gone away must not keep a job that was killed from ending. */
START_TEST(killed_with_output_that_nobody_takes)
{
    kw_t *w = kw_create(_i);
    w->jobs[1].hold = true;
    kw_start(w, 1, BYRE__JOB_STREAMS, "yes");
    KW_AWAIT(w, w->jobs[1].out_total[0] == 64 << 10);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    ck_assert_uint_gt(w->jobs[1].end.out_bytes, 64 << 10);
    ck_assert(kw_exists(w, "spool/t.1.out"));
    kw_destroy(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_keeper_streams");
    TCase *tcase = tcase_create("streams");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, binary_round_trip, 0, 2);
    tcase_add_test(tcase, back_pressure);
    tcase_add_test(tcase, more_input_than_room_is_an_error_of_the_daemon);
    tcase_add_test(tcase, who_does_not_read_his_input);
    tcase_add_loop_test(tcase, a_terminal, 0, 2);
    tcase_add_test(tcase, job_control_in_a_terminal);
    tcase_add_test(tcase, a_lost_daemon_loses_no_output);
    tcase_add_test(tcase, output_of_a_job_that_has_ended);
    tcase_add_test(tcase, a_terminal_is_not_hung_up);
    tcase_add_test(tcase, one_daemon_at_a_time);
    tcase_add_test(tcase, killed_with_output_that_nobody_takes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
