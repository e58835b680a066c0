/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.c - lines of a picture, and how texts are made to fit; the invariants are in frame.h. */
#include "frame.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

bool frame_init(frame_t *frame, int rows, int cols, bool utf8)
{
    if (rows < 1) rows = 1;
    if (cols < 1) cols = 1;
    if (cols > FRAME_COLS_MAX) cols = FRAME_COLS_MAX;
    *frame = (frame_t){ .rows = rows, .cols = cols, .utf8 = utf8 };
    frame->lines = calloc((size_t)rows, sizeof *frame->lines);
    return frame->lines != NULL;
}

void frame_fini(frame_t *frame)
{
    free(frame->lines);
    frame->lines = NULL;
}

void frame_clear(frame_t *frame)
{
    for (int i = 0; i < frame->rows; i++) {
        frame->lines[i].text[0] = '\0';
        frame->lines[i].look = FRAME_PLAIN;
    }
    frame->used = 0;
}

int frame_left(const frame_t *frame)
{
    return frame->rows - frame->used;
}

void frame_skip_to(frame_t *frame, int left)
{
    while (frame_left(frame) > left && frame_left(frame) > 0) frame->used++;
}

/* ---- characters ------------------------------------------------------------------------------------ */

/* The character at `s': its bytes, and its columns; -1 for what cannot be shown as it is. Overlong forms
 * and surrogates are none. */
static int decode(const unsigned char *s, bool utf8, int *columns_out)
{
    static const unsigned least[] = { 0, 0x80, 0x800, 0x10000 };
    int more = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : 0;
    unsigned c = s[0] & (0x3fU >> more);

    *columns_out = -1;
    if (s[0] < 0x80) {
        *columns_out = s[0] >= 0x20 && s[0] < 0x7f ? 1 : -1;
        return 1;
    }
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80) return 1;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (more == 0 || c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 1;
    if (utf8) *columns_out = wcwidth((wchar_t)c);
    return more + 1;
}

int text_columns(const char *text, bool utf8)
{
    int total = 0, columns;

    for (const unsigned char *s = (const unsigned char *)text; *s != '\0';) {
        s += decode(s, utf8, &columns);
        total += columns < 0 ? 1 : columns;
    }
    return total;
}

/* At most `width' columns of it; the columns it took. */
static int put(char *at, const char *text, int width, bool utf8)
{
    const unsigned char *s = (const unsigned char *)text;
    int used = 0, columns;

    while (*s != '\0') {
        int bytes = decode(s, utf8, &columns);

        if (used + (columns < 0 ? 1 : columns) > width) break;
        if (columns < 0) {
            *at++ = *s < 0x80 ? ' ' : '?';
            used++;
        } else if (columns > 0) { /* what takes no column is left out: lines are bounded */
            memcpy(at, s, (size_t)bytes);
            at += bytes;
            used += columns;
        }
        s += bytes;
    }
    *at = '\0';
    return used;
}

void text_cell(char *line, const char *text, int width, bool right, bool utf8)
{
    char *at = line + strlen(line);
    int columns = text_columns(text, utf8), used;

    if (width <= 0) return;
    if (right && columns < width) {
        memset(at, ' ', (size_t)(width - columns));
        at += width - columns;
        width = columns;
    }
    used = put(at, text, columns > width ? width - 1 : width, utf8);
    at += strlen(at);
    if (columns > width) {
        *at++ = '~';
        used++;
    }
    while (used++ < width) *at++ = ' ';
    *at = '\0';
}

char *text_bar(double full, double more, int width, char bar_out[static BAR_MAX + 1])
{
    int n, m;

    if (width > BAR_MAX) width = BAR_MAX;
    if (!(full >= 0)) full = 0; /* also what is not a number */
    if (!(more >= 0)) more = 0;
    if (full > 1) full = 1;
    if (full + more > 1) more = 1 - full;
    n = (int)(full * width + 0.5);
    m = (int)((full + more) * width + 0.5);
    if (n == 0 && full > 0 && width > 0) n = 1; /* something is not nothing */
    if (m < n) m = n;
    for (int i = 0; i < width; i++) bar_out[i] = i < n ? '#' : i < m ? '+' : '-';
    bar_out[width] = '\0';
    return bar_out;
}

/* ---- lines ----------------------------------------------------------------------------------------- */

static frame_line_t *next_line(frame_t *frame, frame_look_t look)
{
    frame_line_t *line;

    if (frame_left(frame) == 0) return NULL;
    line = &frame->lines[frame->used++];
    line->look = look;
    line->text[0] = '\0';
    return line;
}

static void trim(char *text)
{
    size_t n = strlen(text);

    while (n > 0 && text[n - 1] == ' ') n--;
    text[n] = '\0';
}

void frame_add(frame_t *frame, frame_look_t look, const char *format, ...)
{
    frame_line_t *line = next_line(frame, look);
    char text[FRAME_TEXT];
    va_list args;

    if (line == NULL) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_cell(line->text, text, frame->cols, false, frame->utf8);
    trim(line->text);
}

void frame_add_ends(frame_t *frame, frame_look_t look, const char *left, const char *right)
{
    frame_line_t *line = next_line(frame, look);
    int columns = text_columns(right, frame->utf8);
    int room = frame->cols - columns - 1;

    if (line == NULL) return;
    if (text_columns(left, frame->utf8) > room) {
        text_cell(line->text, left, frame->cols, false, frame->utf8);
    } else {
        text_cell(line->text, left, room + 1, false, frame->utf8);
        text_cell(line->text, right, columns, false, frame->utf8);
    }
    trim(line->text);
}

/* ---- tables ---------------------------------------------------------------------------------------- */

void columns_choose(column_t *columns, int count, int cols)
{
    int used = -1;

    for (int i = 0; i < count; i++) columns[i].shown = false;
    for (;;) {
        column_t *best = NULL;

        for (int i = 0; i < count; i++) {
            if (!columns[i].shown && (best == NULL || columns[i].priority < best->priority))
                best = &columns[i];
        }
        /* The first is always there; the others come in this order and no other, so that a column does not
         * come and go while another changes its width. */
        if (best == NULL || (used >= 0 && used + 1 + best->width > cols)) break;
        best->shown = true;
        used += 1 + best->width;
    }
    for (int i = 0; i < count; i++) {
        if (columns[i].rest && columns[i].shown && used < cols) columns[i].width += cols - used;
    }
}

void columns_add(frame_t *frame, frame_look_t look, const column_t *columns, int count,
                 const char *const *cells)
{
    frame_line_t *line = next_line(frame, look);
    int left = frame->cols;

    if (line == NULL) return;
    for (int i = 0; i < count && left > 0; i++) {
        int width = columns[i].width < left ? columns[i].width : left;

        if (!columns[i].shown) continue;
        if (left < frame->cols) strcat(line->text, " ");
        text_cell(line->text, cells ? cells[i] : columns[i].head, width, columns[i].right,
                  frame->utf8);
        left -= width + 1;
    }
    trim(line->text);
}
