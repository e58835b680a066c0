/* SPDX-License-Identifier: BSD-3-Clause */
/* draw_jobs.c - a line for each job: where it stands, where it is, how long; see draw.h. */
#include "draw.h"

#include <stdio.h>
#include <string.h>

#include "sched/cmd/share.h"

enum { ID, STATE, WHERE, TIME, COMMAND, COLUMNS };
enum { CELL = 256 };

static const column_t templates[COLUMNS] = {
    [ID] = { .head = "JOB", .width = 4, .priority = 0 },
    [STATE] = { .head = "STATE", .width = 7, .priority = 2 },
    [WHERE] = { .head = "WHERE", .width = 5, .priority = 4 },
    [TIME] = { .head = "TIME", .width = 6, .priority = 3, .right = true },
    [COMMAND] = { .head = "COMMAND", .width = 8, .priority = 1, .rest = true },
};

/* In few words: what is longer is in `byre ps'. */
static void end_cell(const byre__end_t *end, char cell_out[static CELL])
{
    char name[TEXT_SHORT];

    switch ((enum byre__end_kind)end->kind) {
    case BYRE__END_EXITED:
        snprintf(cell_out, CELL, end->code == 0 ? "done" : "exit %d", end->code);
        return;
    case BYRE__END_SIGNAL:
        snprintf(cell_out, CELL, "sig%s", text_signal(end->code, name));
        return;
    case BYRE__END_NO_CWD:
        snprintf(cell_out, CELL, "no dir");
        return;
    case BYRE__END_NO_EXEC:
    case BYRE__END_NO_START:
        snprintf(cell_out, CELL, "no start");
        return;
    case BYRE__END_LOST:
        snprintf(cell_out, CELL, "lost");
        return;
    case BYRE__END_CANCELLED:
        snprintf(cell_out, CELL, "cancel");
        return;
    case BYRE__END_IMPOSSIBLE:
        snprintf(cell_out, CELL, "never");
        return;
    }
    snprintf(cell_out, CELL, "ended");
}

/* Its name is said where it is not what the command begins with. */
static void command_cell(const byre__row_t *job, char cell_out[static CELL])
{
    const char *slash = strrchr(job->command, '/');
    const char *word = slash != NULL && strcspn(job->command, " ") > (size_t)(slash - job->command)
                           ? slash + 1
                           : job->command;
    bool same = strncmp(job->command, job->name, strlen(job->name)) == 0 ||
                strncmp(word, job->name, strlen(job->name)) == 0;

    if (same)
        snprintf(cell_out, CELL, "%s", job->command);
    else
        snprintf(cell_out, CELL, "[%s] %s", job->name, job->command);
}

static void cells_of(const byre__row_t *job, uint64_t now_ms, char (*cell)[CELL])
{
    char text[BYRE__JOB_ID];

    snprintf(cell[ID], CELL, "%s", byre__job_id_format(&job->id, text));
    if (job->state == BYRE__JOB_ENDED)
        end_cell(&job->end, cell[STATE]);
    else
        snprintf(cell[STATE], CELL, "%s", byre__job_state_name(job->state));
    snprintf(cell[WHERE], CELL, "%s%s%s", job->node[0] ? job->node : "-",
             job->cpu_list[0] ? ":" : "", job->cpu_list);
    snprintf(cell[TIME], CELL, "%s", text_time(model_job_ms(job, now_ms), text));
    command_cell(job, cell[COMMAND]);
}

static void widen(column_t *column, const char *cell, int most, bool utf8)
{
    int width = text_columns(cell, utf8);

    if (width > most) width = most;
    if (width > column->width) column->width = width;
}

static void measure(const frame_t *frame, const view_t *view, const model_t *model, int height,
                    column_t *columns)
{
    int most = frame->cols / 5 < 24 ? frame->cols / 5 : 24;
    char cell[COLUMNS][CELL];

    memcpy(columns, templates, sizeof templates);
    for (int i = 0; i < height; i++) {
        const byre__row_t *job = view_job_at(view, model, view->jobs.top + (size_t)i);

        if (job == NULL) break;
        cells_of(job, model->now_ms, cell);
        widen(&columns[ID], cell[ID], most < 8 ? 8 : most, frame->utf8);
        widen(&columns[STATE], cell[STATE], 9, frame->utf8);
        widen(&columns[WHERE], cell[WHERE], most < 8 ? 8 : most, frame->utf8);
    }
}

static frame_look_t look_of(const view_t *view, const byre__row_t *job)
{
    if (!view->on_nodes && view->job.number != 0 && byre__job_id_equal(&view->job, &job->id))
        return FRAME_SELECTED;
    return job->state == BYRE__JOB_ENDED ? FRAME_DIM : FRAME_PLAIN;
}

void draw_jobs(frame_t *frame, const view_t *view, const model_t *model, int height)
{
    char cell[COLUMNS][CELL];
    const char *cells[COLUMNS];
    column_t columns[COLUMNS];

    for (int c = 0; c < COLUMNS; c++) cells[c] = cell[c];
    measure(frame, view, model, height, columns);
    columns_choose(columns, COLUMNS, frame->cols);
    columns_add(frame, FRAME_HEADS, columns, COLUMNS, NULL);
    for (int i = 0; i < height; i++) {
        const byre__row_t *job = view_job_at(view, model, view->jobs.top + (size_t)i);

        if (job == NULL) break;
        cells_of(job, model->now_ms, cell);
        columns_add(frame, look_of(view, job), columns, COLUMNS, cells);
    }
    if (view->jobs.count == 0 && height > 0 && model->answered_ms > 0)
        frame_add(frame, FRAME_DIM,
                  model->job_count > 0 ? "No such job (a shows all)." : "No job.");
}
