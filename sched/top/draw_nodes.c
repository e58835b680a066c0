/* SPDX-License-Identifier: BSD-3-Clause */
/* draw_nodes.c - a line for each node: how full, how busy, what its daemon does; see draw.h. */
#include "draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sched/cmd/share.h"

enum { NODE, STATE, SLOTS, CPU, OTHERS, MEM, QUEUE, PROBES, SENT, RECEIVED, OWNER, COLUMNS };
enum { CELL = 80 };

static const column_t templates[COLUMNS] = {
    [NODE] = { .head = "NODE", .width = 4, .priority = 0 },
    [STATE] = { .head = "STATE", .width = 5, .priority = 3 },
    [SLOTS] = { .head = "SLOTS", .width = 6, .priority = 1 },
    [CPU] = { .head = "CPU", .width = 5, .priority = 4 },
    [OTHERS] = { .head = "OTHERS", .width = 6, .priority = 8, .right = true },
    [MEM] = { .head = "MEMORY", .width = 6, .priority = 5 },
    [QUEUE] = { .head = "QUEUE", .width = 5, .priority = 2, .right = true },
    [PROBES] = { .head = "PROBES/s", .width = 8, .priority = 6, .right = true },
    [SENT] = { .head = "SENT/s", .width = 6, .priority = 9, .right = true },
    [RECEIVED] = { .head = "RECV/s", .width = 6, .priority = 10, .right = true },
    [OWNER] = { .head = "OWNER", .width = 7, .priority = 7, .right = true },
};

static const char *state_of(const byre__node_row_t *row)
{
    switch ((enum byre__node_state)row->state) {
    case BYRE__NODE_UP:
        return "up";
    case BYRE__NODE_OWNED:
        return "owned";
    case BYRE__NODE_GONE:
        return "gone";
    }
    return "?";
}

static int percent(double share)
{
    return share > 0 ? share < 1 ? (int)(100 * share + 0.5) : 100 : 0;
}

/* When its owner was last seen. */
static void owner_cell(const byre__load_t *load, char cell_out[static CELL])
{
    char text[TEXT_SHORT];

    if (isfinite(load->owner_idle_s))
        snprintf(cell_out, CELL, "%s", text_time(1e3 * load->owner_idle_s, text));
    else
        snprintf(cell_out, CELL, "-");
}

static void load_cells(const model_node_t *node, int bar, char (*cell)[CELL])
{
    const byre__node_row_t *row = &node->row;
    const byre__load_t *load = &row->load;
    double used = row->slots ? (double)row->slots_used / (double)row->slots : 0;
    double memory =
        load->mem_bytes ? 1 - (double)load->mem_free_bytes / (double)load->mem_bytes : 0;
    char text[BAR_MAX + 1];

    snprintf(cell[SLOTS], CELL, "%s %u/%u", text_bar(used, 0, bar, text), row->slots_used,
             row->slots);
    snprintf(cell[CPU], CELL, "%s %d%%",
             text_bar(load->busy - load->busy_others, load->busy_others, bar, text),
             percent(load->busy));
    snprintf(cell[OTHERS], CELL, "%d%%", percent(load->busy_others));
    snprintf(cell[MEM], CELL, "%s %d%%", text_bar(memory, 0, bar, text), percent(memory));
    owner_cell(load, cell[OWNER]);
}

static void cells_of(const model_node_t *node, int bar, char (*cell)[CELL])
{
    const byre__node_row_t *row = &node->row;

    for (int i = 0; i < COLUMNS; i++) snprintf(cell[i], CELL, "-");
    snprintf(cell[NODE], CELL, "%s", row->name);
    snprintf(cell[STATE], CELL, "%s", state_of(row));
    if (row->state == BYRE__NODE_GONE) return;
    load_cells(node, bar, cell);
    snprintf(cell[QUEUE], CELL, "%u", row->queued);
    snprintf(cell[PROBES], CELL, "%.1f", node->rates.probes);
    snprintf(cell[SENT], CELL, "%.1f", node->rates.sent);
    snprintf(cell[RECEIVED], CELL, "%.1f", node->rates.received);
}

/* Columns are as wide as all nodes want, not only those that are seen: scrolling moves none. */
static void measure(const model_t *model, int bar, bool utf8, column_t *columns)
{
    char cell[COLUMNS][CELL];

    memcpy(columns, templates, sizeof templates);
    for (size_t i = 0; i < model->node_count; i++) {
        cells_of(&model->nodes[i], bar, cell);
        for (int c = 0; c < COLUMNS; c++) {
            int width = text_columns(cell[c], utf8);

            if (width > columns[c].width) columns[c].width = width;
        }
    }
    if (columns[NODE].width > 16) columns[NODE].width = 16;
}

void draw_nodes(frame_t *frame, const view_t *view, const model_t *model, int height)
{
    int bar = frame->cols >= 100 ? 12 : frame->cols >= 72 ? 8 : 4;
    char cell[COLUMNS][CELL];
    const char *cells[COLUMNS];
    column_t columns[COLUMNS];

    for (int c = 0; c < COLUMNS; c++) cells[c] = cell[c];
    measure(model, bar, frame->utf8, columns);
    if (frame->cols < 60 && columns[NODE].width > 10) columns[NODE].width = 10;
    columns_choose(columns, COLUMNS, frame->cols);
    columns_add(frame, FRAME_HEADS, columns, COLUMNS, NULL);
    for (int i = 0; i < height; i++) {
        size_t place = view->nodes.top + (size_t)i;
        const model_node_t *node = view_node_at(view, model, place);

        if (node == NULL) break;
        cells_of(node, bar, cell);
        columns_add(frame,
                    view->on_nodes && place == view->nodes.at ? FRAME_SELECTED
                    : node->row.state == BYRE__NODE_GONE      ? FRAME_DIM
                                                              : FRAME_PLAIN,
                    columns, COLUMNS, cells);
    }
}
