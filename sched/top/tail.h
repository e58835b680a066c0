/* SPDX-License-Identifier: BSD-3-Clause */
/* tail.h - the last bytes of a text that grows, as lines. Memory is bounded however long it gets. */
#ifndef BYRE__SCHED_TOP_TAIL_H
#define BYRE__SCHED_TOP_TAIL_H

#include <stdbool.h>
#include <stddef.h>

enum { TAIL_BYTES = 64 << 10 };

typedef struct tail {
    char text[TAIL_BYTES];
    size_t bytes;
    bool cut; /* something before it has been dropped */
} tail_t;

void tail_clear(tail_t *tail);
void tail_add(tail_t *tail, const void *data, size_t bytes);
/* Lines that there are; the first one, when something has been cut off before it, is not whole and does not count. */
size_t tail_lines(const tail_t *tail);
/* One of them, cut to the room; tabs become blanks up to the next multiple of eight, of what a line overwrote after a
 * carriage return only the last is kept. */
char *tail_line(const tail_t *tail, size_t number, char *line_out, size_t room);

#endif
