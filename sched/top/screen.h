/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * screen.h - the terminal: frames onto it, keys from it. The only file that knows ncurses.
 *
 * 1. However the program ends, the terminal is as it was: screen_close at the end of main, and a handler for
 *    the signals of a crash. Signals that ask it to end are blocked except while it waits (screen_wait).
 */
#ifndef BYRE__SCHED_TOP_SCREEN_H
#define BYRE__SCHED_TOP_SCREEN_H

#include "frame.h"

/* false: after a complaint to stderr by `say'. */
bool screen_open(void (*say)(const char *why));
void screen_close(void);
void screen_size(int *rows_out, int *cols_out);
bool screen_utf8(void);
void screen_show(const frame_t *frame);
void screen_redraw(void); /* all of it, with the next frame */
/* Wait for a key, for `fd' (-1: none) to be readable, or for the time. Bits; a signal may make it 0. */
enum { SCREEN_KEY = 1, SCREEN_FD = 2, SCREEN_LOST = 4 /* the terminal is gone */ };
int screen_wait(int fd, int timeout_ms);
/* The next key, as view.h has them; -1: none. A new size of the terminal is no key. */
int screen_key(void);
/* The signal that asks the program to end, or 0. */
int screen_signal(void);

#endif
