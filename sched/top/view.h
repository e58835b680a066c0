/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view.h - what of it the user looks at: which jobs in which order, what is selected, which pane is open; and what a
 * key does to that. Neither a terminal nor a daemon is needed.
 *
 * 1. What is selected is kept by name, not by place: it stays selected while rows come, go and change places.
 *    Where it has gone, the row that took its place is.
 * 2. A key never talks to the daemon: it returns what is to be done (view_act_t).
 */
#ifndef BYRE__SCHED_TOP_VIEW_H
#define BYRE__SCHED_TOP_VIEW_H

#include "model.h"
#include "tail.h"

typedef enum view_pane {
    PANE_MAIN,
    PANE_HELP,
    PANE_LOG,
    PANE_ASK_KILL /* the main one, with a question in the last line */
} view_pane_t;

typedef enum view_order {
    ORDER_STATE, /* running, waiting, ended */
    ORDER_TIME,
    ORDER_NODE,
    ORDER_ID,
    ORDER_COMMAND,
    ORDERS
} view_order_t;

typedef enum view_states {
    STATES_ALL,
    STATES_RUNNING,
    STATES_QUEUED,
    STATES_ENDED,
    STATES
} view_states_t;

/* A list of which a part is seen. */
typedef struct view_list {
    size_t at, top; /* the selected row, the first that is seen */
    int height;     /* rows that can be seen */
    size_t count;
} view_list_t;

typedef struct view {
    view_pane_t pane;
    bool on_nodes;  /* the arrow keys move in the list of nodes, not of jobs */
    bool node_load; /* nodes by load, else in their order */
    view_order_t order;
    bool reverse;
    view_states_t states;
    char node[BYRE__NODE_NAME]; /* only jobs there; "": all */
    byre__job_id_t job;         /* selected; number 0: none */
    char node_at[BYRE__NODE_NAME];
    view_list_t jobs, nodes;
    size_t *job_order, *node_order; /* indices into the model: what is shown, in order */
    int interval_ms;
    char note[256]; /* said once, until the next key */
    bool note_is_alert;
    /* the log */
    byre__job_id_t log_job;
    uint8_t log_stream;
    tail_t log;
    char log_why[256];       /* it cannot be shown */
    size_t log_up;           /* lines scrolled up from its end */
    size_t log_at, log_most; /* first line seen; lines there are: of the last drawing */
    int log_height;
} view_t;

typedef enum view_act {
    ACT_NONE,
    ACT_REDRAW, /* all of it, the terminal may have been disturbed */
    ACT_QUIT,
    ACT_KILL, /* act.signal to view.job */
    ACT_LOG,  /* begin to read view.log_job's view.log_stream */
    ACT_LOG_STOP,
    ACT_NOW,     /* ask the daemon now */
    ACT_INTERVAL /* it has changed */
} view_act_t;

typedef struct view_action {
    view_act_t act;
    int signal;
} view_action_t;

/* Keys that are no characters. */
enum {
    VIEW_UP = 0x110000, /* beyond Unicode */
    VIEW_DOWN,
    VIEW_PAGE_UP,
    VIEW_PAGE_DOWN,
    VIEW_HOME,
    VIEW_END,
    VIEW_ENTER,
    VIEW_ESCAPE
};

void view_init(view_t *view, int interval_ms);
void view_fini(view_t *view);

/* Choose and order what is shown, and keep what is selected in sight. Heights: of the two lists. Before each drawing.
 * false: no memory. */
bool view_settle(view_t *view, const model_t *model, int node_height, int job_height);
/* The job or node of a row, by its place in the order; NULL: there is none (any more). */
const byre__row_t *view_job_at(const view_t *view, const model_t *model, size_t place);
const model_node_t *view_node_at(const view_t *view, const model_t *model, size_t place);

view_action_t view_key(view_t *view, const model_t *model, int key);
void view_note(view_t *view, bool alert, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *view_order_name(view_order_t order);
const char *view_states_name(view_states_t states);

#endif
