/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `byre top' without a terminal and without a daemon: pictures of known models against tests/golden/sched-top-*, what keys
 * do, what stays selected, rates, and that nothing leaves its lines, however it is called.
 *
 * BYRE_GOLDEN_WRITE=1 writes the pictures anew: look at them before they are committed.
 */
#include <check.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/top/draw.h"
#include "sched/top/json.h"
#include "suite.h"

#define NOW UINT64_C(1700000000000) /* 2023-11-14 22:13:20 UTC */

static model_t model;
static view_t view;

/* ---- models ---------------------------------------------------------------------------------------- */

static byre__node_row_t make_node(int rank, const char *name)
{
    byre__node_row_t row = { .rank = rank, .slots = 8, .up_ms = NOW - 100000 };

    snprintf(row.name, sizeof row.name, "%s", name);
    row.slots_used = (uint32_t)rank % 9;
    row.running = row.slots_used;
    row.queued = rank == 1 ? 12 : 0;
    row.load.busy = 0.1 * (rank % 11);
    row.load.busy_others = rank == 2 ? 0.15 : 0;
    row.load.mem_bytes = UINT64_C(8) << 30;
    row.load.mem_free_bytes = UINT64_C(5) << 30;
    row.load.owner_idle_s = rank == 2 ? 12 : INFINITY;
    row.state = rank == 2 ? BYRE__NODE_OWNED : rank == 3 ? BYRE__NODE_GONE : BYRE__NODE_UP;
    row.tally.probes_out = 250 * (uint64_t)rank;
    row.tally.probes_won = 100 * (uint64_t)rank;
    row.tally.sent = 50 * (uint64_t)rank;
    row.tally.cpu_s = 0.5;
    return row;
}

static byre__row_t make_job(const char *home, uint64_t number, uint8_t state, const char *node,
                            const char *command)
{
    byre__row_t row = { .id.number = number, .state = state, .cpus = 1 };

    snprintf(row.id.home, sizeof row.id.home, "%s", home);
    snprintf(row.node, sizeof row.node, "%s", node);
    snprintf(row.command, sizeof row.command, "%s", command);
    snprintf(row.name, sizeof row.name, "%.*s", (int)strcspn(command, " "), command);
    row.submitted_ms = NOW - 1000 * number - 60000;
    if (state != BYRE__JOB_QUEUED) row.started_ms = NOW - 1000 * number;
    if (state == BYRE__JOB_ENDED) {
        row.end.started_ms = row.started_ms - 5000;
        row.end.ended_ms = row.started_ms;
    }
    return row;
}

/* n0 .. n(nodes-1); jobs of all states. */
static void make_model(int nodes, size_t jobs)
{
    byre__node_row_t *node = calloc((size_t)nodes + 1, sizeof *node);
    byre__row_t *job = calloc(jobs + 1, sizeof *job);

    ck_assert_ptr_nonnull(node);
    ck_assert_ptr_nonnull(job);
    for (int i = 0; i < nodes; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%d", i);
        node[nodes - 1 - i] = make_node(i, name); /* the order of answers does not matter */
    }
    for (size_t i = 0; i < jobs; i++) {
        uint8_t state = (uint8_t)(i % 4);

        job[i] = make_job(i % 3 ? "n1" : "n0", i + 1, state, state == BYRE__JOB_QUEUED ? "" : "n1",
                          "sleep 1000");
        if (state == BYRE__JOB_STARTED) snprintf(job[i].cpu_list, sizeof job[i].cpu_list, "0-3");
        if (i == 3) job[i].end.code = 3;
        if (i == 7)
            job[i].end = (byre__end_t){ .kind = BYRE__END_SIGNAL,
                                        .code = SIGKILL,
                                        .started_ms = NOW - 9000,
                                        .ended_ms = NOW - 8000 };
    }
    ck_assert(model_answer(&model, NOW, node, (size_t)nodes, job, jobs));
}

static void setup(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    setenv("TZ", "UTC", 1);
    memset(&model, 0, sizeof model);
    snprintf(model.pool, sizeof model.pool, "pool");
    snprintf(model.here, sizeof model.here, "n1");
    model.up = true;
    view_init(&view, 1000);
}

static void teardown(void)
{
    view_fini(&view);
    model_fini(&model);
}

/* ---- pictures -------------------------------------------------------------------------------------- */

/* Every line fits, and every character can be shown. */
static void check_frame(const frame_t *frame)
{
    ck_assert_int_le(frame->used, frame->rows);
    for (int i = 0; i < frame->used; i++) {
        const char *text = frame->lines[i].text;

        ck_assert_int_le(text_columns(text, frame->utf8), frame->cols);
        for (; *text != '\0'; text++)
            ck_assert_int_ne((unsigned char)*text < 0x20 || *text == 0x7f, 1);
    }
}

static char *picture(int rows, int cols)
{
    static const char looks[] = { ' ', 'T', 'h', '>', '.', '!' };
    frame_t frame;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    ck_assert(frame_init(&frame, rows, cols, true));
    ck_assert(draw(&frame, &view, &model));
    check_frame(&frame);
    for (int i = 0; i < frame.used; i++)
        fprintf(out, "%c|%s\n", looks[frame.lines[i].look], frame.lines[i].text);
    fclose(out);
    frame_fini(&frame);
    return text;
}

static void expect(const char *name, int rows, int cols)
{
    const char *srcdir = getenv("BYRE_SRCDIR");
    char path[4096], *want, *got = picture(rows, cols);
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "%s/tests/golden/sched-top-%s.txt", srcdir ? srcdir : ".", name);
    if (getenv("BYRE_GOLDEN_WRITE") != NULL) {
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs(got, file);
        fclose(file);
    }
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no %s", path);
    want = calloc(1, 1 << 16);
    ck_assert_ptr_nonnull(want);
    n = fread(want, 1, (1 << 16) - 1, file);
    fclose(file);
    ck_assert_uint_lt(n, (1 << 16) - 1);
    ck_assert_msg(strcmp(want, got) == 0, "%s: expected\n%sgot\n%s", path, want, got);
    free(want);
    free(got);
}

START_TEST(full_screen)
{
    make_model(4, 20);
    expect("80x24", 24, 80);
}
END_TEST

START_TEST(small_screen)
{
    make_model(4, 20);
    expect("40x10", 10, 40);
}
END_TEST

START_TEST(wide_screen)
{
    make_model(4, 8);
    expect("150x20", 20, 150);
}
END_TEST

START_TEST(many_nodes)
{
    make_model(40, 200);
    free(picture(24, 80));
    view.on_nodes = true;
    snprintf(view.node_at, sizeof view.node_at, "n20");
    expect("many-80x24", 24, 80);
}
END_TEST

START_TEST(long_names)
{
    byre__node_row_t *node = calloc(2, sizeof *node);
    byre__row_t *job = calloc(4, sizeof *job);

    node[0] = make_node(0, "a-node-with-a-name-of-forty-seven-characters-xx");
    node[1] = make_node(1, "k\xc3\xbchlschrank");
    job[0] = make_job(node[0].name, 123456789012, BYRE__JOB_STARTED, node[0].name,
                      "/usr/bin/a-program-with-a-long-name --and many arguments that fill the "
                      "whole line and more");
    job[1] = make_job("n", 2, BYRE__JOB_STARTED, node[1].name,
                      "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e wide "
                      "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6"
                      "\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    job[2] = make_job("n", 3, BYRE__JOB_STARTED, "n", "\x1b[2Jclear \xff\xfe bad\tbytes\n");
    job[3] = make_job("n", 4, BYRE__JOB_STARTED, "n", "./model --seed 4");
    snprintf(job[3].name, sizeof job[3].name, "night run");
    ck_assert(model_answer(&model, NOW, node, 2, job, 4));
    expect("names-80x24", 24, 80);
    expect("names-40x10", 10, 40);
}
END_TEST

START_TEST(no_pool_yet)
{
    model.now_ms = NOW;
    expect("waiting-80x24", 24, 80);
}
END_TEST

START_TEST(daemon_gone)
{
    make_model(2, 4);
    model_gone(
        &model,
        "the daemon of this node has ended without being told to (see /x/byred.log). `byre up' "
        "brings it back; jobs have gone on.");
    model.now_ms = NOW + 7000;
    expect("gone-80x24", 24, 80);
    expect("gone-40x10", 10, 40);
}
END_TEST

START_TEST(daemon_silent)
{
    char *text;

    make_model(2, 4);
    model.now_ms = NOW + 9000;
    text = picture(24, 80);
    ck_assert_ptr_nonnull(strstr(text, "!|The daemon has not answered for 9.0s."));
    free(text);
}
END_TEST

START_TEST(help_and_question)
{
    make_model(2, 8);
    view.pane = PANE_HELP;
    expect("help-80x24", 24, 80);
    view.pane = PANE_MAIN;
    free(picture(24, 80));
    view_key(&view, &model, VIEW_DOWN);
    view_key(&view, &model, 'k');
    expect("kill-80x24", 24, 80);
}
END_TEST

START_TEST(log_pane)
{
    static const char text[] = "first\nsec\tond\r\nover\rwritten\n\x1b[31mred\n";

    make_model(2, 8);
    view.pane = PANE_LOG;
    view.log_job = model.jobs[1].id;
    tail_add(&view.log, text, sizeof text - 1);
    expect("log-40x10", 10, 40);
}
END_TEST

/* The last line, which may be a question, is there on every terminal; and none is too small. */
START_TEST(every_size)
{
    make_model(5, 30);
    free(picture(24, 80));
    view_key(&view, &model, VIEW_DOWN);
    for (int rows = 1; rows < 30; rows += rows < 12 ? 1 : 6) {
        for (int cols = 1; cols < 200; cols += cols < 12 ? 1 : 13) {
            char *text;

            for (view.pane = PANE_MAIN; view.pane <= PANE_ASK_KILL; view.pane++) {
                text = picture(rows, cols);
                if (view.pane == PANE_ASK_KILL && cols >= 10)
                    ck_assert_ptr_nonnull(strstr(text, "!|Kill n"));
                free(text);
            }
            view.pane = PANE_MAIN;
        }
    }
}
END_TEST

START_TEST(without_utf8)
{
    frame_t frame;

    ck_assert(frame_init(&frame, 1, 20, false));
    frame_add(&frame, FRAME_PLAIN, "k\xc3\xbch \x1b[0m");
    ck_assert_str_eq(frame.lines[0].text, "k?h  [0m");
    frame_fini(&frame);
}
END_TEST

START_TEST(plain)
{
    frame_t frame;
    int nodes = 0, jobs = 0;

    make_model(40, 200);
    ck_assert(frame_init(&frame, draw_plain_rows(&model), 80, true));
    ck_assert(draw_plain(&frame, &view, &model));
    check_frame(&frame);
    for (int i = 0; i < frame.used; i++) {
        jobs += strstr(frame.lines[i].text, "sleep 1000") != NULL;
        nodes += strstr(frame.lines[i].text, "/8 ") != NULL;
    }
    ck_assert_int_eq(jobs, 200);
    ck_assert_int_eq(nodes, 39); /* one is gone */
    /* 150 that have not ended are listed, of 159. */
    ck_assert_str_eq(frame.lines[frame.used - 1].text, "(and 9 more that wait or run)");
    frame_fini(&frame);
}
END_TEST

START_TEST(bars)
{
    char bar[BAR_MAX + 1];

    ck_assert_str_eq(text_bar(0, 0, 4, bar), "----");
    ck_assert_str_eq(text_bar(0.01, 0, 4, bar), "#---");
    ck_assert_str_eq(text_bar(0.5, 0.25, 4, bar), "##+-");
    ck_assert_str_eq(text_bar(0.75, 0.75, 4, bar), "###+");
    ck_assert_str_eq(text_bar(7, -1, 4, bar), "####");
    ck_assert_str_eq(text_bar(NAN, NAN, 4, bar), "----");
    ck_assert_uint_eq(strlen(text_bar(1, 0, 1000, bar)), BAR_MAX);
}
END_TEST

/* ---- rates ----------------------------------------------------------------------------------------- */

static void answer_with(uint64_t now_ms, uint64_t up_ms, uint64_t probes)
{
    byre__node_row_t *node = calloc(1, sizeof *node);

    *node = make_node(0, "n0");
    node->up_ms = up_ms;
    node->tally.probes_out = probes;
    ck_assert(model_answer(&model, now_ms, node, 1, NULL, 0));
}

START_TEST(rates)
{
    answer_with(NOW, NOW - 10000, 500);
    ck_assert(model.rates_are_means);
    ck_assert_double_eq_tol(model_totals(&model).rates.probes, 50, 1e-9);
    answer_with(NOW + 2000, NOW - 10000, 560);
    ck_assert(!model.rates_are_means);
    ck_assert_double_eq_tol(model_totals(&model).rates.probes, 30, 1e-9);
    /* A new daemon counts from nothing. */
    answer_with(NOW + 4000, NOW + 3000, 7);
    ck_assert_double_eq_tol(model_totals(&model).rates.probes, 7, 1e-9);
    /* A clock that was set back is no negative rate. */
    answer_with(NOW + 3500, NOW + 5000, 9);
    ck_assert_double_eq_tol(model_totals(&model).rates.probes, 0, 1e-9);
}
END_TEST

/* ---- keys ------------------------------------------------------------------------------------------ */

static view_action_t press(int key)
{
    view_action_t action = view_key(&view, &model, key);

    free(picture(24, 80));
    return action;
}

static const byre__row_t *top_job(void)
{
    return view_job_at(&view, &model, 0);
}

START_TEST(order)
{
    make_model(4, 40);
    free(picture(24, 80));
    /* Running, the longest first; away; waiting, the oldest first; ended, the latest first. */
    for (size_t i = 1; i < view.jobs.count; i++) {
        const byre__row_t *a = view_job_at(&view, &model, i - 1),
                          *b = view_job_at(&view, &model, i);
        static const int places[] = { 2, 0, 1, 3 };

        ck_assert_int_le(places[a->state], places[b->state]);
        if (a->state != b->state) continue;
        if (a->state == BYRE__JOB_ENDED)
            ck_assert_uint_ge(a->end.ended_ms, b->end.ended_ms);
        else if (a->state == BYRE__JOB_QUEUED)
            ck_assert_uint_le(a->submitted_ms, b->submitted_ms);
        else
            ck_assert_uint_le(a->started_ms, b->started_ms);
    }
    press('s');
    ck_assert_int_eq(view.order, ORDER_TIME);
    press('s');
    press('s');
    ck_assert_int_eq(view.order, ORDER_ID);
    ck_assert_uint_eq(top_job()->id.number, 1);
    press('r');
    ck_assert_uint_eq(top_job()->id.number, 39); /* of n1, the larger name */
}
END_TEST

START_TEST(filters)
{
    make_model(4, 40);
    free(picture(24, 80));
    press('f');
    ck_assert_uint_eq(view.jobs.count, 20); /* running and away */
    press('f');
    ck_assert_uint_eq(view.jobs.count, 10);
    ck_assert_int_eq(top_job()->state, BYRE__JOB_QUEUED);
    press('f');
    ck_assert_uint_eq(view.jobs.count, 10);
    ck_assert_int_eq(top_job()->state, BYRE__JOB_ENDED);
    press('a');
    ck_assert_uint_eq(view.jobs.count, 40);
    press('\t');
    press(VIEW_DOWN);
    press(VIEW_ENTER);
    ck_assert_str_eq(view.node, "n1");
    ck_assert_uint_eq(view.jobs.count, 30);
    press(VIEW_DOWN);
    press('n');
    ck_assert_str_eq(view.node, "");
    press('n');
    ck_assert_str_eq(view.node, "n2");
    ck_assert_uint_eq(view.jobs.count, 0);
}
END_TEST

START_TEST(selected_stays)
{
    byre__job_id_t chosen;
    byre__row_t *fewer;
    size_t count = 0;

    make_model(4, 100);
    free(picture(24, 80));
    ck_assert_uint_eq(view.job.number, 0);
    press(VIEW_DOWN);
    ck_assert(byre__job_id_equal(&view.job, &top_job()->id));
    for (int i = 0; i < 30; i++) press(VIEW_DOWN);
    ck_assert_uint_eq(view.jobs.at, 30);
    ck_assert_uint_ge(view.jobs.at, view.jobs.top);
    ck_assert_uint_lt(view.jobs.at, view.jobs.top + (size_t)view.jobs.height);
    chosen = view.job;
    press('s');
    ck_assert(byre__job_id_equal(&view.job, &chosen));
    ck_assert(byre__job_id_equal(&view_job_at(&view, &model, view.jobs.at)->id, &chosen));
    /* It goes: the one in its place is selected, and is another. */
    fewer = calloc(100, sizeof *fewer);
    for (size_t i = 0; i < 100; i++) {
        if (!byre__job_id_equal(&model.jobs[i].id, &chosen)) fewer[count++] = model.jobs[i];
    }
    ck_assert_uint_eq(count, 99);
    ck_assert(model_answer(&model, NOW + 1000, NULL, 0, fewer, count));
    free(picture(24, 80));
    ck_assert(!byre__job_id_equal(&view.job, &chosen));
    ck_assert_ptr_nonnull(model_job(&model, &view.job));
    press(VIEW_END);
    ck_assert_uint_eq(view.jobs.at, 98);
    press(VIEW_HOME);
    ck_assert_uint_eq(view.jobs.at, 0);
    press(VIEW_ESCAPE);
    ck_assert_uint_eq(view.job.number, 0);
    /* All go. */
    ck_assert(model_answer(&model, NOW + 2000, NULL, 0, NULL, 0));
    press(VIEW_PAGE_DOWN);
    ck_assert_int_eq(press('k').act, ACT_NONE);
    ck_assert_int_eq(view.pane, PANE_MAIN);
}
END_TEST

START_TEST(kill_asks)
{
    view_action_t action;

    make_model(4, 8);
    free(picture(24, 80));
    ck_assert_int_eq(press('k').act, ACT_NONE); /* nothing is selected */
    ck_assert_int_eq(view.pane, PANE_MAIN);
    ck_assert_str_ne(view.note, "");
    press(VIEW_DOWN);
    press('k');
    ck_assert_int_eq(view.pane, PANE_ASK_KILL);
    ck_assert_int_eq(press('n').act, ACT_NONE);
    ck_assert_str_eq(view.note, "Nothing was sent.");
    press('k');
    action = press('y');
    ck_assert_int_eq(action.act, ACT_KILL);
    ck_assert_int_eq(action.signal, SIGTERM);
    press('k');
    ck_assert_int_eq(press('K').signal, SIGKILL);
    press(VIEW_END); /* one that has ended */
    press('k');
    ck_assert_int_eq(view.pane, PANE_MAIN);
}
END_TEST

/* The one that is asked about is the one that is killed, even if it is gone by then. */
START_TEST(kill_means_what_it_says)
{
    byre__job_id_t asked;
    byre__row_t *others = calloc(3, sizeof *others);

    make_model(4, 8);
    free(picture(24, 80));
    press(VIEW_DOWN);
    asked = view.job;
    press('k');
    for (int i = 0; i < 3; i++)
        others[i] = make_job("n9", (uint64_t)i + 1, BYRE__JOB_STARTED, "n1", "x");
    ck_assert(model_answer(&model, NOW + 1000, NULL, 0, others, 3));
    free(picture(24, 80));
    ck_assert_int_eq(view_key(&view, &model, 'y').act, ACT_KILL);
    ck_assert(byre__job_id_equal(&view.job, &asked));
}
END_TEST

START_TEST(log_keys)
{
    char line[32];

    make_model(4, 8);
    free(picture(24, 80));
    press(VIEW_DOWN);
    ck_assert_int_eq(press('l').act, ACT_LOG);
    ck_assert_int_eq(view.pane, PANE_LOG);
    ck_assert(byre__job_id_equal(&view.log_job, &view.job));
    for (int i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "line %d\n", i);
        tail_add(&view.log, line, strlen(line));
    }
    free(picture(24, 80));
    ck_assert_uint_eq(view.log_at, 100 - 22);
    press(VIEW_UP);
    ck_assert_uint_eq(view.log_at, 100 - 23);
    press(VIEW_HOME);
    ck_assert_uint_eq(view.log_at, 0);
    press(VIEW_UP);
    press(VIEW_PAGE_DOWN);
    ck_assert_uint_eq(view.log_at, 22);
    press(VIEW_END);
    ck_assert_uint_eq(view.log_up, 0);
    ck_assert_int_eq(press('e').act, ACT_LOG);
    ck_assert_uint_eq(view.log.bytes, 0);
    ck_assert_int_eq(press('e').act, ACT_NONE);
    ck_assert_int_eq(press('q').act, ACT_LOG_STOP);
    ck_assert_int_eq(press('q').act, ACT_QUIT);
}
END_TEST

START_TEST(interval)
{
    make_model(1, 0);
    ck_assert_int_eq(press('+').act, ACT_INTERVAL);
    ck_assert_int_eq(view.interval_ms, 2000);
    for (int i = 0; i < 20; i++) press('-');
    ck_assert_int_eq(view.interval_ms, 100);
    for (int i = 0; i < 20; i++) press('+');
    ck_assert_int_eq(view.interval_ms, 60000);
}
END_TEST

/* ---- tail, JSON ------------------------------------------------------------------------------------ */

START_TEST(tail_is_bounded)
{
    static char text[3 * TAIL_BYTES];
    static tail_t tail;
    char line[64];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 10 == 9 ? '\n' : (char)('0' + i / 10 % 10);
    tail_clear(&tail);
    tail_add(&tail, text, sizeof text);
    ck_assert_uint_eq(tail.bytes, TAIL_BYTES);
    ck_assert(tail.cut);
    /* Whole lines only, the last one among them. */
    ck_assert_uint_eq(tail_lines(&tail), TAIL_BYTES / 10);
    for (size_t i = 0; i < tail_lines(&tail); i++)
        ck_assert_uint_eq(strlen(tail_line(&tail, i, line, sizeof line)),
                          i + 1 < tail_lines(&tail) ? 9
                          : sizeof text % 10        ? sizeof text % 10
                                                    : 9);
    for (size_t i = 0; i < sizeof text; i += 7)
        tail_add(&tail, text + i, sizeof text - i < 7 ? sizeof text - i : 7);
    ck_assert_uint_eq(tail.bytes, TAIL_BYTES);
    ck_assert_mem_eq(tail.text, text + sizeof text - TAIL_BYTES, TAIL_BYTES);
    /* A line without an end is shown all the same. */
    memset(text, 'x', sizeof text);
    tail_add(&tail, text, sizeof text);
    ck_assert_uint_eq(tail_lines(&tail), 1);
}
END_TEST

START_TEST(json_line)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    make_model(3, 4);
    snprintf(model.jobs[0].command, sizeof model.jobs[0].command, "say \"a\"\n");
    json_write(out, &model);
    model_gone(&model, "no pool");
    json_write(out, &model);
    fclose(out);
    ck_assert_ptr_eq(strchr(strchr(text, '\n') + 1, '\n') + 1, text + bytes); /* two lines */
    ck_assert_ptr_nonnull(strstr(text, "\"daemon\": true"));
    ck_assert_ptr_nonnull(strstr(text, "\"daemon\": false, \"why\": \"no pool\""));
    ck_assert_ptr_nonnull(strstr(text, "\"command\": \"say \\\"a\\\"\\u000a\""));
    ck_assert_ptr_nonnull(strstr(text, "\"owner_idle_s\": null"));
    ck_assert_ptr_null(strstr(text, "inf"));
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_top");
    TCase *pictures = tcase_create("pictures"), *keys = tcase_create("keys");

    suite_add_tcase(suite, pictures);
    suite_add_tcase(suite, keys);
    tcase_set_timeout(pictures, 30);
    tcase_set_timeout(keys, 30);
    tcase_add_checked_fixture(pictures, setup, teardown);
    tcase_add_checked_fixture(keys, setup, teardown);
    tcase_add_test(pictures, full_screen);
    tcase_add_test(pictures, small_screen);
    tcase_add_test(pictures, wide_screen);
    tcase_add_test(pictures, many_nodes);
    tcase_add_test(pictures, long_names);
    tcase_add_test(pictures, no_pool_yet);
    tcase_add_test(pictures, daemon_gone);
    tcase_add_test(pictures, daemon_silent);
    tcase_add_test(pictures, help_and_question);
    tcase_add_test(pictures, log_pane);
    tcase_add_test(pictures, every_size);
    tcase_add_test(pictures, without_utf8);
    tcase_add_test(pictures, plain);
    tcase_add_test(pictures, bars);
    tcase_add_test(keys, rates);
    tcase_add_test(keys, order);
    tcase_add_test(keys, filters);
    tcase_add_test(keys, selected_stays);
    tcase_add_test(keys, kill_asks);
    tcase_add_test(keys, kill_means_what_it_says);
    tcase_add_test(keys, log_keys);
    tcase_add_test(keys, interval);
    tcase_add_test(keys, tail_is_bounded);
    tcase_add_test(keys, json_line);
    return run_suite(suite);
}
