/* SPDX-License-Identifier: BSD-3-Clause */
/* draw_pane.c - the panes that hide the main one: help, and what a job has written; see draw.h. */
#include "draw.h"

#include <stdio.h>

static const char *const help[][2] = {
    { "Up Down PgUp PgDn Home End", "select a job, or a node" },
    { "Tab", "to the nodes, and back to the jobs" },
    { "Enter, l", "what the job has written; o, e: stdout, stderr" },
    { "k", "send it a signal (asks)" },
    { "n, Enter on a node", "only jobs on that node; again: on all" },
    { "f", "all, running, waiting, ended jobs" },
    { "a", "all jobs on all nodes" },
    { "s, r", "order of the list; reversed" },
    { "+ -, Space", "longer, shorter interval; now" },
    { "Esc", "select nothing" },
    { "q", "quit" },
};

void draw_help(frame_t *frame)
{
    int width = frame->cols < 60 ? 12 : 28;

    frame_add(frame, FRAME_TITLE, "byre top: keys");
    for (size_t i = 0; i < sizeof help / sizeof help[0]; i++) {
        char line[FRAME_TEXT] = "";

        text_cell(line, help[i][0], width, false, frame->utf8);
        frame_add(frame, FRAME_PLAIN, "%s %s", line, help[i][1]);
    }
    frame_add(frame, FRAME_PLAIN, "%s", "");
    draw_wrapped(
        frame, FRAME_PLAIN,
        "SLOTS: processors given to jobs. CPU: used by jobs of this pool (#), by others (+). "
        "QUEUE: jobs that wait there. OWNER: how long ago somebody used the node. "
        "TIME of a job: since it began; of one that waits: since it was submitted.");
    frame_skip_to(frame, 1);
    frame_add(frame, FRAME_TITLE, "Any key goes back.");
}

static void log_title(frame_t *frame, const view_t *view, const model_t *model)
{
    const byre__row_t *job = model_job(model, &view->log_job);
    char left[256], id[BYRE__JOB_ID];

    snprintf(left, sizeof left, "%s of %s  %s", view->log_stream == 2 ? "stderr" : "stdout",
             byre__job_id_format(&view->log_job, id), job != NULL ? job->command : "");
    frame_add_ends(frame, FRAME_TITLE, left,
                   job != NULL ? byre__job_state_name(job->state) : "gone");
}

void draw_log(frame_t *frame, view_t *view, const model_t *model)
{
    char line[FRAME_TEXT];
    size_t shown;

    log_title(frame, view, model);
    if (!model->up) draw_wrapped(frame, FRAME_ALERT, model->why);
    if (view->log_why[0] != '\0') draw_wrapped(frame, FRAME_ALERT, view->log_why);
    view->log_most = tail_lines(&view->log);
    view->log_height = frame_left(frame) > 1 ? frame_left(frame) - 1 : 1;
    shown = (size_t)view->log_height;
    if (view->log_most <= shown)
        view->log_up = 0;
    else if (view->log_up > view->log_most - shown)
        view->log_up = view->log_most - shown;
    view->log_at =
        view->log_most > shown + view->log_up ? view->log_most - shown - view->log_up : 0;
    for (size_t i = 0; i < shown && view->log_at + i < view->log_most; i++)
        frame_add(frame, FRAME_PLAIN, "%s",
                  tail_line(&view->log, view->log_at + i, line, sizeof line));
    if (view->log_most == 0 && view->log_why[0] == '\0')
        frame_add(frame, FRAME_DIM, "Nothing has been written.");
    frame_skip_to(frame, 1);
    frame_add_ends(frame, FRAME_TITLE,
                   frame->cols < 60 ? "q back  o out  e err"
                                    : "q back  o stdout  e stderr  arrows scroll, End follows",
                   view->log_up > 0 ? "(scrolled up)"
                   : view->log.cut  ? "(its end)"
                                    : "");
}
