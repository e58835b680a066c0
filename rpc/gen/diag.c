/* SPDX-License-Identifier: BSD-3-Clause */
#include "diag.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 160 }; /* longest line that is shown whole */

void gen_error(gen_diag_t *diag, gen_pos_t pos, const char *remedy, const char *format, ...)
{
    for (int i = 0; i < diag->count; i++) {
        const gen_pos_t *other = &diag->errors[i].pos;
        if (other->source == pos.source && other->line == pos.line && pos.source != NULL) return;
    }
    if (diag->count == GEN_MAX_ERRORS) {
        diag->dropped++;
        return;
    }
    va_list args;
    va_start(args, format);
    gen_error_t *error = &diag->errors[diag->count++];
    error->pos = pos;
    error->text = gen_vformat(diag->arena, format, args);
    error->remedy = remedy;
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const gen_pos_t *x = &((const gen_error_t *)a)->pos, *y = &((const gen_error_t *)b)->pos;
    int left = x->source == NULL ? -1 : x->source->order;
    int right = y->source == NULL ? -1 : y->source->order;
    if (left != right) return left < right ? -1 : 1;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

/* The line, and a caret below; tabs stay tabs, so that the caret stands where it should. */
static void show_line(const gen_pos_t *pos, FILE *out)
{
    const char *line = pos->source->text, *end = line + pos->source->bytes;
    for (int n = 1; n < pos->line && line < end; n++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        line = newline == NULL ? end : newline + 1;
    }
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    size_t length = (size_t)((newline == NULL ? end : newline) - line);
    if (length > 0 && line[length - 1] == '\r') length--;
    size_t column = (size_t)pos->column;
    if (length == 0 || length > SHOWN || column > length + 1) return;
    fputs("    ", out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        fputc(c == '\t' || (c >= ' ' && c != 127) ? c : '?', out);
    }
    fputs("\n    ", out);
    for (size_t i = 0; i + 1 < column; i++) fputc(line[i] == '\t' ? '\t' : ' ', out);
    fputs("^\n", out);
}

void gen_diag_print(gen_diag_t *diag, FILE *out)
{
    qsort(diag->errors, (size_t)diag->count, sizeof diag->errors[0], by_place);
    for (int i = 0; i < diag->count; i++) {
        const gen_error_t *error = &diag->errors[i];
        if (error->pos.source != NULL) {
            fprintf(out, "%s:%d:%d: error: %s\n", error->pos.source->path, error->pos.line,
                    error->pos.column, error->text);
            show_line(&error->pos, out);
        } else {
            fprintf(out, "byre-rpcgen: error: %s\n", error->text);
        }
        if (error->remedy != NULL) fprintf(out, "    remedy: %s\n", error->remedy);
    }
    if (diag->dropped > 0) fprintf(out, "and %d more errors\n", diag->dropped);
}
