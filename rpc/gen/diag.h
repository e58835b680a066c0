/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources, places in them, and what is wrong there. */
#ifndef BYRE_GEN_DIAG_H
#define BYRE_GEN_DIAG_H

#include "arena.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct gen_source {
    const char *path; /* as errors name it */
    const char *text; /* NUL-terminated; may have NULs within, which the lexer refuses */
    size_t bytes;
    int order; /* of reading: errors are sorted by it */
} gen_source_t;

typedef struct gen_pos {
    const gen_source_t *source;
    int line, column; /* from 1; a column is a byte */
} gen_pos_t;

enum { GEN_MAX_ERRORS = 40 };

typedef struct gen_error {
    gen_pos_t pos;
    const char *text, *remedy;
} gen_error_t;

typedef struct gen_diag {
    gen_arena_t *arena;
    gen_error_t errors[GEN_MAX_ERRORS];
    int count, dropped;
    bool syntax; /* one of them is of the parser: what follows is guesswork */
} gen_diag_t;

/* Note an error. `remedy` says what to do, or is NULL. One line gets one error: what follows from it there
 * is rarely news. */
void gen_error(gen_diag_t *diag, gen_pos_t pos, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Print all, by place, each with its line and a caret. */
void gen_diag_print(gen_diag_t *diag, FILE *out);

#endif
