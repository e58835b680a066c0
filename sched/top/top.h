/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top.h - `byre top': a pool, live.
 *
 *   main.c   options; then one of two loops: live.c with a terminal, print.c without (--once, --json)
 *
 *   pool.c   asks the daemon, without ever waiting for it      ->  model.c  what is known
 *   keys.c   what a key does                                   ->  view.c   what is looked at
 *   draw*.c  both to lines (frame.c)                           ->  screen.c the terminal
 */
#ifndef BYRE__SCHED_TOP_TOP_H
#define BYRE__SCHED_TOP_TOP_H

#include "pool.h"
#include "runtime/cmd/cmd.h"

/* Large: the tail of a log lies in it. */
typedef struct top {
    view_t view;
    model_t model;
    pool_t pool; /* open; it fills the model, and says in the view what went wrong */
} top_t;

extern byre__cmd_t top_command;

/* Each until its end; the exit status, after a complaint. */
int top_live(top_t *top);
int top_once(top_t *top);
int top_json(top_t *top, int count); /* lines; 0: without end */

#endif
