/* SPDX-License-Identifier: BSD-3-Clause */
/* keys.c - what a key does to the view; see view.h. */
#include "view.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const view_action_t nothing = { ACT_NONE, 0 };

/* ---- moving ---------------------------------------------------------------------------------------- */

/* The place to which a key moves in a list; false: it is no such key. */
static bool move(const view_list_t *list, int key, size_t *place)
{
    size_t last = list->count ? list->count - 1 : 0,
           page = list->height > 1 ? (size_t)list->height : 1;

    switch (key) {
    case VIEW_UP:
        *place = list->at > 0 ? list->at - 1 : 0;
        return true;
    case VIEW_DOWN:
        *place = list->at < last ? list->at + 1 : last;
        return true;
    case VIEW_PAGE_UP:
        *place = list->at > page ? list->at - page : 0;
        return true;
    case VIEW_PAGE_DOWN:
        *place = list->at + page < last ? list->at + page : last;
        return true;
    case VIEW_HOME:
        *place = 0;
        return true;
    case VIEW_END:
        *place = last;
        return true;
    default:
        return false;
    }
}

static bool move_in_main(view_t *view, const model_t *model, int key)
{
    view_list_t *list = view->on_nodes ? &view->nodes : &view->jobs;
    const model_node_t *node;
    const byre__row_t *job;
    size_t place;

    if (!move(list, key, &place)) return false;
    /* The first step selects what is seen first. */
    if (!view->on_nodes && view->job.number == 0 && key != VIEW_END && key != VIEW_PAGE_DOWN)
        place = 0;
    list->at = place;
    node = view_node_at(view, model, place);
    job = view_job_at(view, model, place);
    if (view->on_nodes && node != NULL)
        snprintf(view->node_at, sizeof view->node_at, "%s", node->row.name);
    if (!view->on_nodes && job != NULL) view->job = job->id;
    return true;
}

/* ---- the main pane --------------------------------------------------------------------------------- */

static void one_node(view_t *view, const model_t *model)
{
    const byre__row_t *job = view->job.number ? model_job(model, &view->job) : NULL;
    const char *name = view->on_nodes ? view->node_at : job != NULL ? job->node : "";

    if (view->node[0] != '\0')
        view->node[0] = '\0';
    else if (name[0] != '\0')
        snprintf(view->node, sizeof view->node, "%s", name);
    else
        view_note(view, false, "Which node? Select a job that has one, or Tab and a node.");
}

static void change_interval(view_t *view, bool longer)
{
    static const int steps[] = { 100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000 };
    int n = sizeof steps / sizeof steps[0], i = 0;

    while (i < n - 1 && steps[i] < view->interval_ms) i++;
    if (longer && steps[i] == view->interval_ms && i < n - 1) i++;
    if (!longer && i > 0) i--;
    view->interval_ms = steps[i];
    view_note(view, false, "Every %g seconds.", steps[i] / 1e3);
}

static view_action_t begin_log(view_t *view)
{
    view->pane = PANE_LOG;
    view->log_job = view->job;
    view->log_stream = 1;
    view->log_up = 0;
    view->log_why[0] = '\0';
    tail_clear(&view->log);
    return (view_action_t){ ACT_LOG, 0 };
}

static view_action_t about_selected(view_t *view, const model_t *model, int key)
{
    const byre__row_t *job = view->job.number ? model_job(model, &view->job) : NULL;

    if (view->on_nodes || job == NULL) {
        view_note(view, false, "Which job? Select one with the arrow keys.");
    } else if (key != 'k') {
        return begin_log(view);
    } else if (job->state == BYRE__JOB_ENDED) {
        view_note(view, false, "It has ended.");
    } else {
        view->pane = PANE_ASK_KILL;
    }
    return nothing;
}

static void change_order(view_t *view)
{
    if (view->on_nodes)
        view->node_load = !view->node_load;
    else
        view->order = (view->order + 1) % ORDERS;
}

static view_action_t key_in_main(view_t *view, const model_t *model, int key)
{
    if (move_in_main(view, model, key)) return nothing;
    switch (key) {
    case 'q':
    case 'Q':
        return (view_action_t){ ACT_QUIT, 0 };
    case 'h':
    case '?':
        view->pane = PANE_HELP;
        break;
    case '\t':
        view->on_nodes = !view->on_nodes;
        break;
    case 'k':
    case 'l':
        return about_selected(view, model, key);
    case VIEW_ENTER:
        if (!view->on_nodes) return about_selected(view, model, 'l');
        one_node(view, model);
        break;
    case 'n':
        one_node(view, model);
        break;
    case 'f':
        view->states = (view->states + 1) % STATES;
        break;
    case 'a':
        view->states = STATES_ALL;
        view->node[0] = '\0';
        break;
    case 's':
        change_order(view);
        break;
    case 'r':
        view->reverse = !view->reverse;
        break;
    case '+':
    case '-':
        change_interval(view, key == '+');
        return (view_action_t){ ACT_INTERVAL, 0 };
    case ' ':
        return (view_action_t){ ACT_NOW, 0 };
    case VIEW_ESCAPE:
        view->job.number = 0;
        view->on_nodes = false;
        view->jobs.top = 0;
        break;
    default:
        if (key > ' ' && key < 0x7f)
            view_note(view, false, "`%c' does nothing; h is for help.", key);
        break;
    }
    return nothing;
}

/* ---- the others ------------------------------------------------------------------------------------ */

static view_action_t key_in_question(view_t *view, int key)
{
    int number = key == 'y' || key == 't' ? SIGTERM : key == 'K' || key == '9' ? SIGKILL : 0;

    if (key == 'i') number = SIGINT;
    view->pane = PANE_MAIN;
    if (number == 0) {
        view_note(view, false, "Nothing was sent.");
        return nothing;
    }
    return (view_action_t){ ACT_KILL, number };
}

static view_action_t other_stream(view_t *view, uint8_t stream)
{
    if (view->log_stream == stream) return nothing;
    view->log_stream = stream;
    view->log_up = 0;
    view->log_why[0] = '\0';
    tail_clear(&view->log);
    return (view_action_t){ ACT_LOG, 0 };
}

static view_action_t key_in_log(view_t *view, int key)
{
    size_t shown = view->log_height > 0 ? (size_t)view->log_height : 1;
    size_t most = view->log_most > shown ? view->log_most - shown : 0;
    view_list_t list = { .at = view->log_up < most ? most - view->log_up : 0,
                         .count = most + 1,
                         .height = view->log_height };
    size_t place;

    if (move(&list, key, &place)) {
        view->log_up = most - place;
        return nothing;
    }
    switch (key) {
    case 'o':
        return other_stream(view, 1);
    case 'e':
        return other_stream(view, 2);
    case 'q':
    case 'l':
    case VIEW_ESCAPE:
        view->pane = PANE_MAIN;
        return (view_action_t){ ACT_LOG_STOP, 0 };
    default:
        return nothing;
    }
}

view_action_t view_key(view_t *view, const model_t *model, int key)
{
    if (key == ('L' & 0x1f)) return (view_action_t){ ACT_REDRAW, 0 }; /* answers no question */
    view->note[0] = '\0';
    view->note_is_alert = false;
    switch (view->pane) {
    case PANE_HELP:
        view->pane = PANE_MAIN;
        return nothing;
    case PANE_LOG:
        return key_in_log(view, key);
    case PANE_ASK_KILL:
        return key_in_question(view, key);
    case PANE_MAIN:
        break;
    }
    return key_in_main(view, model, key);
}
