/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * draw.c - the whole picture: what is said of the pool above, then nodes, then jobs, and a line for questions and keys.
 *
 *   title            1 line
 *   summary          2 lines, or why there is no daemon
 *   nodes            a head, and up to half of what is left
 *   jobs             a head, and the rest
 *   keys             1 line
 */
#include "draw.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sched/cmd/share.h"

enum { NARROW = 70 };

void draw_wrapped(frame_t *frame, frame_look_t look, const char *text)
{
    while (*text != '\0') {
        size_t all = strlen(text), n = all;
        char line[FRAME_TEXT];

        if (n >= sizeof line) n = sizeof line - 1;
        for (;;) {
            memcpy(line, text, n);
            line[n] = '\0';
            if (text_columns(line, frame->utf8) <= frame->cols) break;
            while (n > 1 && text[n - 1] != ' ') n--;
            /* A word longer than the line is cut off by it. */
            if (n <= 1) {
                n = strcspn(text, " ");
                memcpy(line, text, n);
                line[n] = '\0';
                break;
            }
            n--;
        }
        frame_add(frame, look, "%s", line);
        text += n;
        while (*text == ' ') text++;
    }
}

/* ---- above ----------------------------------------------------------------------------------------- */

static void draw_title(frame_t *frame, const model_t *model)
{
    time_t now = (time_t)(model->now_ms / 1000);
    char left[128], right[32];
    struct tm local;

    snprintf(left, sizeof left, "byre top: pool %s, seen from %s", model->pool, model->here);
    strftime(right, sizeof right, "%H:%M:%S", localtime_r(&now, &local));
    frame_add_ends(frame, FRAME_TITLE, left, right);
}

static char *per_second(double rate, char text_out[static TEXT_SHORT])
{
    if (rate >= 9999.5)
        snprintf(text_out, TEXT_SHORT, "%.0fk", rate / 1e3);
    else
        snprintf(text_out, TEXT_SHORT, rate < 9.95 ? "%.1f" : "%.0f", rate);
    return text_out;
}

static void draw_counts(frame_t *frame, const view_t *view, const totals_t *t)
{
    size_t last = view->nodes.top + (size_t)(view->nodes.height > 0 ? view->nodes.height : 0);
    char left[256], right[64] = "", owned[32] = "";

    if (frame->cols < NARROW) {
        frame_add(frame, FRAME_PLAIN, "nodes %u/%u  run %llu  wait %llu  slots %llu/%llu", t->up,
                  t->nodes, (unsigned long long)t->running, (unsigned long long)t->queued,
                  (unsigned long long)t->slots_used, (unsigned long long)t->slots);
        return;
    }
    if (t->owned > 0) snprintf(owned, sizeof owned, ", %u owned", t->owned);
    snprintf(left, sizeof left, "%u of %u nodes up%s; slots %llu/%llu; %llu running, %llu waiting",
             t->up, t->nodes, owned, (unsigned long long)t->slots_used,
             (unsigned long long)t->slots, (unsigned long long)t->running,
             (unsigned long long)t->queued);
    if (last < view->nodes.count || view->nodes.top > 0)
        snprintf(right, sizeof right, "%zu-%zu of %zu", view->nodes.top + 1,
                 last < view->nodes.count ? last : view->nodes.count, view->nodes.count);
    frame_add_ends(frame, FRAME_PLAIN, left, right);
}

static void draw_rates(frame_t *frame, const model_t *model, const rates_t *r)
{
    char probes[TEXT_SHORT], won[TEXT_SHORT], refused[TEXT_SHORT], sent[TEXT_SHORT],
        started[TEXT_SHORT], messages[TEXT_SHORT];

    per_second(r->probes, probes);
    per_second(r->won, won);
    per_second(r->refused, refused);
    per_second(r->sent, sent);
    per_second(r->started, started);
    per_second(r->messages, messages);
    if (frame->cols < NARROW)
        frame_add(frame, FRAME_PLAIN, "%s probes %s  sent %s  begun %s",
                  model->rates_are_means ? "mean/s:" : "/s:", probes, sent, started);
    else
        frame_add(frame, FRAME_PLAIN,
                  frame->cols < 100
                      ? "%s probes %s (won %s)  refused %s  sent %s  begun %s  messages %s"
                      : "%s probes %s (won %s)  claims refused %s  sent %s  begun %s  messages %s"
                        "  processors for the daemons %.3f",
                  model->rates_are_means ? "mean/s:" : "per s:", probes, won, refused, sent,
                  started, messages, r->cpu);
}

static void draw_absence(frame_t *frame, const model_t *model)
{
    char text[700], age[TEXT_SHORT];

    snprintf(text, sizeof text, "NO DAEMON: %s", model->why);
    draw_wrapped(frame, FRAME_ALERT, text);
    if (model->answered_ms == 0) return;
    frame_add(frame, FRAME_PLAIN, "Trying again; what is below is %s old.",
              text_time((double)(model->now_ms - model->answered_ms), age));
}

static void draw_above(frame_t *frame, const view_t *view, const model_t *model)
{
    totals_t totals = model_totals(model);
    double silent_ms = (double)(model->now_ms - model->answered_ms);
    char age[TEXT_SHORT];

    draw_title(frame, model);
    if (!model->up) {
        draw_absence(frame, model);
    } else if (model->answered_ms == 0) {
        frame_add(frame, FRAME_PLAIN, "Waiting for the daemon's first answer.");
    } else {
        draw_counts(frame, view, &totals);
        if (silent_ms > 3.0 * view->interval_ms + 2000)
            frame_add(frame, FRAME_ALERT, "The daemon has not answered for %s.",
                      text_time(silent_ms, age));
        else
            draw_rates(frame, model, &totals.rates);
    }
}

/* ---- below ----------------------------------------------------------------------------------------- */

static void draw_question(frame_t *frame, const view_t *view, const model_t *model)
{
    const byre__row_t *job = model_job(model, &view->job);
    char id[BYRE__JOB_ID];

    frame_add(frame, FRAME_ALERT,
              frame->cols < NARROW ? "Kill %s? y TERM, K KILL, else no"
                                   : "Kill %s (%.40s)? y: TERM, i: INT, K: KILL; other keys: no",
              byre__job_id_format(&view->job, id), job != NULL ? job->name : "gone");
}

static void draw_keys(frame_t *frame, const view_t *view, const model_t *model)
{
    size_t last = view->jobs.top + (size_t)(view->jobs.height > 0 ? view->jobs.height : 0);
    char left[256], right[64] = "", one[64] = "";

    if (view->node[0] != '\0') snprintf(one, sizeof one, " on %s", view->node);
    if (last > view->jobs.count) last = view->jobs.count;
    if (view->jobs.count > 0 && view->jobs.height > 0)
        snprintf(right, sizeof right, "%zu-%zu of %zu%s", view->jobs.top + 1, last,
                 view->jobs.count, model_not_listed(model) ? "+" : "");
    if (frame->cols < NARROW)
        snprintf(left, sizeof left, "h help q quit  %s%s", view_states_name(view->states), one);
    else
        snprintf(left, sizeof left, "h help  q quit  k kill  l log  Tab %s  f: %s%s  s: by %s%s",
                 view->on_nodes ? "jobs" : "nodes", view_states_name(view->states), one,
                 view_order_name(view->order), view->reverse ? ", reversed" : "");
    frame_add_ends(frame, FRAME_TITLE, left, right);
}

static void draw_below(frame_t *frame, const view_t *view, const model_t *model)
{
    if (view->pane == PANE_ASK_KILL)
        draw_question(frame, view, model);
    else if (view->note[0] != '\0')
        frame_add(frame, view->note_is_alert ? FRAME_ALERT : FRAME_TITLE, "%s", view->note);
    else
        draw_keys(frame, view, model);
}

/* ---- all ------------------------------------------------------------------------------------------- */

/* The heights of the two lists: what is left without two heads and the last line. */
static void share_out(int left, const model_t *model, int *nodes_out, int *jobs_out)
{
    int rest = left - 3;

    if (rest < 0) rest = 0;
    *nodes_out = rest / 2;
    if ((size_t)*nodes_out > model->node_count) *nodes_out = (int)model->node_count;
    *jobs_out = rest - *nodes_out;
}

static bool draw_main(frame_t *frame, view_t *view, const model_t *model)
{
    int nodes, jobs;

    /* What is above tells which nodes are seen, and they depend on how high it is: it is drawn twice. */
    draw_above(frame, view, model);
    share_out(frame_left(frame), model, &nodes, &jobs);
    if (!view_settle(view, model, nodes, jobs)) return false;
    frame_clear(frame);
    draw_above(frame, view, model);
    if (frame_left(frame) > 1) draw_nodes(frame, view, model, nodes);
    if (frame_left(frame) > 1) draw_jobs(frame, view, model, jobs);
    frame_skip_to(frame, 1);
    /* A question is seen on the smallest terminal. */
    if (frame_left(frame) == 0) frame->used--;
    draw_below(frame, view, model);
    return true;
}

bool draw(frame_t *frame, view_t *view, const model_t *model)
{
    frame_clear(frame);
    if (view->pane == PANE_HELP) {
        draw_help(frame);
        return true;
    }
    if (view->pane == PANE_LOG) {
        draw_log(frame, view, model);
        return true;
    }
    return draw_main(frame, view, model);
}

int draw_plain_rows(const model_t *model)
{
    return (int)(16 + model->node_count + model->job_count);
}

bool draw_plain(frame_t *frame, view_t *view, const model_t *model)
{
    int nodes = (int)model->node_count, jobs = (int)model->job_count;

    frame_clear(frame);
    if (!view_settle(view, model, nodes, jobs)) return false;
    draw_above(frame, view, model);
    draw_nodes(frame, view, model, nodes);
    if (jobs > 0) draw_jobs(frame, view, model, jobs);
    if (model_not_listed(model) > 0)
        frame_add(frame, FRAME_PLAIN, "(and %llu more that wait or run)",
                  (unsigned long long)model_not_listed(model));
    return true;
}
