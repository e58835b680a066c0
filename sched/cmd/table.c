/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c - columns as wide as what is in them; see share.h. */
#include "share.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void table_begin(table_t *table, const char *const *heads, int columns)
{
    *table = (table_t){ .heads = heads, .columns = columns };
}

/* What a job is called must not move the cursor. */
static void make_harmless(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = ' ';
    }
}

void table_cell(table_t *table, const char *format, ...)
{
    va_list args;
    char *cell = NULL;

    if (table->count == table->room) {
        size_t room = table->room ? 2 * table->room : 256;
        char **cells = realloc(table->cells, room * sizeof *cells);

        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->room = room;
    }
    va_start(args, format);
    if (vasprintf(&cell, format, args) < 0) cell = NULL;
    va_end(args);
    if (cell != NULL) make_harmless(cell);
    table->failed |= cell == NULL;
    table->cells[table->count++] = cell;
}

/* Places on the screen: a character of UTF-8 takes one. */
static int places(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* At most `most' places of it, and blanks up to `width'. */
static void put(FILE *out, const char *text, int width, bool right, int most)
{
    int n = places(text), bytes = 0, shown = 0;

    if (right && n < width) fprintf(out, "%*s", width - n, "");
    while (text[bytes] != '\0') {
        if (((unsigned char)text[bytes] & 0xc0) != 0x80 && ++shown > most) break;
        bytes++;
    }
    fwrite(text, 1, (size_t)bytes, out);
    if (!right && n < width) fprintf(out, "%*s", width - n, "");
}

static int screen(FILE *out)
{
    struct winsize size;

    if (!isatty(fileno(out)) || ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 1 << 20;
    return size.ws_col;
}

static void put_line(const table_t *table, char *const *cells, const int *width, FILE *out,
                     int left)
{
    for (int i = 0; i < table->columns; i++) {
        const char *head = table->heads[i];
        bool right = head[0] == '>', last = i + 1 == table->columns;

        put(out, cells ? cells[i] : head + right, last ? 0 : width[i], right,
            last && left > 8 ? left : 1 << 20);
        left -= width[i] + 2;
        fputs(last ? "\n" : "  ", out);
    }
}

void table_end(table_t *table, FILE *out)
{
    enum { COLUMNS_MAX = 24 };
    int width[COLUMNS_MAX] = { 0 };
    size_t lines = table->count / (size_t)table->columns;

    for (int i = 0; i < table->columns; i++)
        width[i] = places(table->heads[i]) - (table->heads[i][0] == '>');
    for (size_t i = 0; i < table->count && !table->failed; i++) {
        int n = places(table->cells[i]), column = (int)(i % (size_t)table->columns);

        if (n > width[column]) width[column] = n;
    }
    put_line(table, NULL, width, out, screen(out));
    for (size_t i = 0; i < lines && !table->failed; i++)
        put_line(table, table->cells + i * (size_t)table->columns, width, out, screen(out));
    if (table->failed) fputs("(out of memory: the table is not complete)\n", stderr);
    for (size_t i = 0; i < table->count; i++) free(table->cells[i]);
    free(table->cells);
}
