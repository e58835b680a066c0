/* SPDX-License-Identifier: BSD-3-Clause */
/* view.c - which jobs and nodes are shown, in which order, and what is selected; the invariants are in view.h. */
#include "view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *view_order_name(view_order_t order)
{
    static const char *const names[] = { "state", "time", "node", "id", "command" };

    return names[order];
}

const char *view_states_name(view_states_t states)
{
    static const char *const names[] = { "all", "running", "waiting", "ended" };

    return names[states];
}

void view_init(view_t *view, int interval_ms)
{
    memset(view, 0, sizeof *view);
    view->interval_ms = interval_ms;
    view->log_stream = 1;
}

void view_fini(view_t *view)
{
    free(view->job_order);
    free(view->node_order);
    view->job_order = view->node_order = NULL;
}

void view_note(view_t *view, bool alert, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(view->note, sizeof view->note, format, args);
    va_end(args);
    view->note_is_alert = alert;
}

const byre__row_t *view_job_at(const view_t *view, const model_t *model, size_t place)
{
    if (place >= view->jobs.count || view->job_order[place] >= model->job_count) return NULL;
    return &model->jobs[view->job_order[place]];
}

const model_node_t *view_node_at(const view_t *view, const model_t *model, size_t place)
{
    if (place >= view->nodes.count || view->node_order[place] >= model->node_count) return NULL;
    return &model->nodes[view->node_order[place]];
}

/* ---- order ----------------------------------------------------------------------------------------- */

typedef struct sorting {
    const model_t *model;
    const view_t *view;
} sorting_t;

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_id(const byre__row_t *a, const byre__row_t *b)
{
    int home = strverscmp(a->id.home, b->id.home); /* n2 before n10 */

    return home ? home : (a->id.number > b->id.number) - (a->id.number < b->id.number);
}

/* Running ones the longest first, then those that wait, then ended ones the latest first. */
static int by_state(const byre__row_t *a, const byre__row_t *b)
{
    static const int places[] = {
        [BYRE__JOB_STARTED] = 0, [BYRE__JOB_AWAY] = 1, [BYRE__JOB_QUEUED] = 2, [BYRE__JOB_ENDED] = 3
    };
    int place = places[a->state & 3] - places[b->state & 3];

    if (place != 0) return place;
    if (a->state == BYRE__JOB_ENDED)
        return compare((double)b->end.ended_ms, (double)a->end.ended_ms);
    if (a->state == BYRE__JOB_QUEUED)
        return compare((double)a->submitted_ms, (double)b->submitted_ms);
    return compare((double)a->started_ms, (double)b->started_ms);
}

static int by_order(const byre__row_t *a, const byre__row_t *b, const sorting_t *s)
{
    uint64_t now = s->model->now_ms;

    switch (s->view->order) {
    case ORDER_TIME:
        return compare(model_job_ms(b, now), model_job_ms(a, now));
    case ORDER_NODE:
        return strverscmp(a->node, b->node);
    case ORDER_COMMAND:
        return strcmp(a->command, b->command);
    case ORDER_ID:
        return by_id(a, b);
    case ORDER_STATE:
    case ORDERS:
        break;
    }
    return by_state(a, b);
}

static int jobs_order(const void *a, const void *b, void *arg)
{
    const sorting_t *s = arg;
    const byre__row_t *x = &s->model->jobs[*(const size_t *)a];
    const byre__row_t *y = &s->model->jobs[*(const size_t *)b];
    int order = by_order(x, y, s);

    if (s->view->reverse) order = -order;
    return order ? order : by_id(x, y);
}

static double load_of(const model_node_t *node)
{
    if (node->row.state == BYRE__NODE_GONE) return -1;
    return (double)(node->row.slots_used + node->row.queued) /
           (double)(node->row.slots ? node->row.slots : 1);
}

static int nodes_order(const void *a, const void *b, void *arg)
{
    const sorting_t *s = arg;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = compare(load_of(&s->model->nodes[y]), load_of(&s->model->nodes[x]));

    return order ? order : (x > y) - (x < y);
}

/* ---- what is shown --------------------------------------------------------------------------------- */

static bool is_shown(const view_t *view, const byre__row_t *job)
{
    if (view->node[0] != '\0' && strcmp(job->node, view->node) != 0) return false;
    switch (view->states) {
    case STATES_RUNNING:
        return job->state == BYRE__JOB_STARTED || job->state == BYRE__JOB_AWAY;
    case STATES_QUEUED:
        return job->state == BYRE__JOB_QUEUED;
    case STATES_ENDED:
        return job->state == BYRE__JOB_ENDED;
    case STATES_ALL:
    case STATES:
        break;
    }
    return true;
}

static bool choose(view_t *view, const model_t *model)
{
    sorting_t sorting = { model, view };
    size_t *jobs = realloc(view->job_order, (model->job_count + 1) * sizeof *jobs), *nodes;

    if (jobs != NULL) view->job_order = jobs;
    nodes = realloc(view->node_order, (model->node_count + 1) * sizeof *nodes);
    if (nodes != NULL) view->node_order = nodes;
    view->jobs.count = view->nodes.count = 0;
    if (jobs == NULL || nodes == NULL) return false;
    for (size_t i = 0; i < model->job_count; i++) {
        if (is_shown(view, &model->jobs[i])) jobs[view->jobs.count++] = i;
    }
    qsort_r(jobs, view->jobs.count, sizeof *jobs, jobs_order, &sorting);
    for (size_t i = 0; i < model->node_count; i++) nodes[view->nodes.count++] = i;
    if (view->node_load) qsort_r(nodes, view->nodes.count, sizeof *nodes, nodes_order, &sorting);
    return true;
}

/* Invariant 1. */
static void find_selected(view_t *view, const model_t *model)
{
    const byre__row_t *job;
    const model_node_t *node;

    for (size_t i = 0; view->job.number != 0 && (job = view_job_at(view, model, i)) != NULL; i++) {
        if (byre__job_id_equal(&job->id, &view->job)) view->jobs.at = i;
    }
    for (size_t i = 0; (node = view_node_at(view, model, i)) != NULL; i++) {
        if (strcmp(node->row.name, view->node_at) == 0) view->nodes.at = i;
    }
    if (view->jobs.at >= view->jobs.count)
        view->jobs.at = view->jobs.count ? view->jobs.count - 1 : 0;
    if (view->nodes.at >= view->nodes.count) view->nodes.at = 0;
    job = view_job_at(view, model, view->jobs.at);
    node = view_node_at(view, model, view->nodes.at);
    if (view->job.number != 0 && job != NULL && view->pane == PANE_MAIN) view->job = job->id;
    if (view->job.number == 0) view->jobs.at = 0;
    if (node != NULL) snprintf(view->node_at, sizeof view->node_at, "%s", node->row.name);
}

static void keep_in_sight(view_list_t *list, int height)
{
    size_t seen = height > 0 ? (size_t)height : 1;

    list->height = height;
    if (list->top + seen > list->count) list->top = list->count > seen ? list->count - seen : 0;
    if (list->at < list->top) list->top = list->at;
    if (list->at >= list->top + seen) list->top = list->at - seen + 1;
}

bool view_settle(view_t *view, const model_t *model, int node_height, int job_height)
{
    if (!choose(view, model)) return false;
    find_selected(view, model);
    keep_in_sight(&view->nodes, node_height);
    keep_in_sight(&view->jobs, job_height);
    return true;
}
