/* SPDX-License-Identifier: BSD-3-Clause */
/* tail.c - see tail.h. */
#include "tail.h"

#include <string.h>

void tail_clear(tail_t *tail)
{
    tail->bytes = 0;
    tail->cut = false;
}

void tail_add(tail_t *tail, const void *data, size_t bytes)
{
    const char *from = data;
    size_t over;

    if (bytes > TAIL_BYTES) {
        from += bytes - TAIL_BYTES;
        bytes = TAIL_BYTES;
        tail->bytes = 0;
        tail->cut = true;
    }
    over = tail->bytes + bytes > TAIL_BYTES ? tail->bytes + bytes - TAIL_BYTES : 0;
    if (over > 0) {
        memmove(tail->text, tail->text + over, tail->bytes - over);
        tail->bytes -= over;
        tail->cut = true;
    }
    memcpy(tail->text + tail->bytes, from, bytes);
    tail->bytes += bytes;
}

/* Where the first whole line begins. A single line longer than all this is shown from where it is cut. */
static const char *begin(const tail_t *tail)
{
    const char *end = tail->cut ? memchr(tail->text, '\n', tail->bytes) : NULL;

    return end != NULL && end + 1 < tail->text + tail->bytes ? end + 1 : tail->text;
}

size_t tail_lines(const tail_t *tail)
{
    const char *at = begin(tail), *end = tail->text + tail->bytes;
    size_t lines = 0;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        lines++;
        at = newline != NULL ? newline + 1 : end;
    }
    return lines;
}

static char *copy_line(const char *at, const char *end, char *line_out, size_t room)
{
    size_t n = 0;

    /* "\r\n" ends a line; a carriage return in the middle begins it anew. */
    if (end > at && end[-1] == '\r') end--;
    for (; at < end && n + 9 < room; at++) {
        if (*at == '\r') {
            n = 0;
        } else if (*at == '\t') {
            do {
                line_out[n++] = ' ';
            } while (n % 8 != 0);
        } else {
            line_out[n++] = *at == '\0' ? ' ' : *at;
        }
    }
    line_out[n] = '\0';
    return line_out;
}

char *tail_line(const tail_t *tail, size_t number, char *line_out, size_t room)
{
    const char *at = begin(tail), *end = tail->text + tail->bytes;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;

        if (number-- == 0) return copy_line(at, stop, line_out, room);
        at = newline != NULL ? newline + 1 : end;
    }
    line_out[0] = '\0';
    return line_out;
}
