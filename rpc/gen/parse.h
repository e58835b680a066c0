/* SPDX-License-Identifier: BSD-3-Clause */
/* What lexer and parser share. */
#ifndef BYRE_GEN_PARSE_H
#define BYRE_GEN_PARSE_H

#include "ast.h"

typedef struct gen_parse {
    gen_diag_t *diag;
    gen_unit_t *unit;
    int line, column; /* of the next character */
    gen_pos_t comment;
    bool has_interface;
} gen_parse_t;

#endif
