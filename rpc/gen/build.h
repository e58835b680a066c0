/* SPDX-License-Identifier: BSD-3-Clause */
/* What wire.c, pointer.c and formula.c share: a declaration whose wires are being built. */
#ifndef BYRE_GEN_BUILD_H
#define BYRE_GEN_BUILD_H

#include "model.h"

typedef struct gen_build {
    gen_t *gen;
    const gen_type_t *container;   /* frame, or struct */
    const gen_type_t *plain_union; /* its arms are built: they have no siblings */
    gen_member_t *member;
    const char *id; /* of the declaration: add__a */
    bool is_param, is_result;
    const gen_attr_t *size_is, *length_is, *first_is, *switch_is, *string, *bulk, *pointer;
    int pointer_kind;                            /* that `pointer` says */
    int64_t max;                                 /* 0: none */
    unsigned size_used, length_used, first_used; /* a bit for each level */
    bool string_used, switch_used, bulk_used, pointer_used, alias_string;
} gen_build_t;

/* wire.c */
gen_wire_t *gen_new_wire(gen_t *gen, int kind, const char *name, const char *id, gen_type_t *type);
gen_wire_t *gen_basic_wire(gen_t *gen, gen_type_t *type);
gen_wire_t *gen_byte_wire(gen_t *gen);
gen_wire_t *gen_build(gen_build_t *b, gen_type_t *type, int level,
                      bool behind_pointer); /* NULL: said why */
int gen_pointer_kind(const gen_attr_t *attrs,
                     const gen_attr_t **attr_out);        /* BYRE_RPC_F_*; 0: not said */
const gen_expr_t *gen_nth(const gen_attr_t *attr, int n); /* argument; NULL: none, or left out */

/* pointer.c */
gen_wire_t *gen_pointer_wire(gen_build_t *b, gen_type_t *type, int level, int alias_kind);
gen_wire_t *gen_array_wire(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer);

/* formula.c */
gen_formula_t *gen_new_formula(gen_build_t *b, const gen_expr_t *expr, const char *what, int level,
                               bool room, bool in_place);
gen_formula_t *gen_constant_size(gen_build_t *b, int64_t count, gen_pos_t pos);
/* Those of a level. */
void gen_add_formulas(gen_build_t *b, gen_wire_t *wire, int level, bool in_place);

#endif
