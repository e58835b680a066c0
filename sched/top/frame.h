/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h - a picture of text lines, as a terminal shows it, without a terminal: what is drawn is drawn into this,
 * and whoever has a terminal copies it there.
 *
 * 1. No line takes more columns than the frame has. What does not fit is cut off, and ends in '~' where that
 *    matters.
 * 2. A line holds printable characters only, whatever jobs and nodes are called: a control character becomes a
 *    blank, what is not UTF-8 (or not on a terminal that has it) a question mark.
 * 3. A line beyond the last is dropped, so that who draws need not know how small the terminal is.
 */
#ifndef BYRE__SCHED_TOP_FRAME_H
#define BYRE__SCHED_TOP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum { FRAME_COLS_MAX = 1000, FRAME_TEXT = 4 * FRAME_COLS_MAX + 1 };

typedef enum frame_look {
    FRAME_PLAIN,
    FRAME_TITLE, /* the head line */
    FRAME_HEADS, /* names of columns */
    FRAME_SELECTED,
    FRAME_DIM, /* is over */
    FRAME_ALERT
} frame_look_t;

typedef struct frame_line {
    char text[FRAME_TEXT]; /* without blanks at its end */
    frame_look_t look;
} frame_line_t;

typedef struct frame {
    int rows, cols;
    int used; /* lines drawn so far */
    bool utf8;
    frame_line_t *lines;
} frame_t;

/* false: no memory. At least one row and column, at most FRAME_COLS_MAX columns. */
bool frame_init(frame_t *frame, int rows, int cols, bool utf8);
void frame_fini(frame_t *frame);
/* Empty; its lines stay allocated. */
void frame_clear(frame_t *frame);

/* The next line. */
void frame_add(frame_t *frame, frame_look_t look, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The next line: `left' at its left, `right' at its right end if there is room for both. */
void frame_add_ends(frame_t *frame, frame_look_t look, const char *left, const char *right);
/* Lines that are left. */
int frame_left(const frame_t *frame);
/* Empty lines, until `left' are left. */
void frame_skip_to(frame_t *frame, int left);

/* ---- cells --------------------------------------------------------------------------------------- */

/* Columns that the text takes, by rule 2. */
int text_columns(const char *text, bool utf8);
/* Append to `line' (room FRAME_TEXT) exactly `width' columns: the text cut off or filled up. */
void text_cell(char *line, const char *text, int width, bool right, bool utf8);

/* "####----": `full' of 0..1, `more' (behind it, as '+') of 0..1, in `width' characters. */
enum { BAR_MAX = 40 };
char *text_bar(double full, double more, int width, char bar_out[static BAR_MAX + 1]);

/* ---- tables -------------------------------------------------------------------------------------- */

typedef struct column {
    const char *head;
    int width;    /* set anew for each frame */
    int priority; /* the lower, the later it is left out */
    bool right;
    bool shown; /* by columns_choose */
    bool rest;  /* the last: takes what is left, at least `width' */
} column_t;

/* As many columns as fit, by priority, a blank between them. */
void columns_choose(column_t *columns, int count, int cols);
/* A line of cells; NULL: their heads. */
void columns_add(frame_t *frame, frame_look_t look, const column_t *columns, int count,
                 const char *const *cells);

#endif
