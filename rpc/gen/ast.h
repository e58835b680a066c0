/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands in an interface definition, as the parser found it: names are not yet looked up.
 * All in the arena; lists are chained by `next`, in the order of the text.
 */
#ifndef BYRE_GEN_AST_H
#define BYRE_GEN_AST_H

#include "diag.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GEN_MAX_LEVELS = 8,       /* pointers and arrays of one declaration */
    GEN_MAX_EXPR_DEPTH = 100, /* nesting of an expression */
    GEN_MAX_TYPES = 4096,     /* structs, unions: bounds every recursion over types */
    GEN_MAX_IMPORTS = 64,     /* files */
    GEN_MAX_NESTING = 1000    /* of the parser's stack */
};

typedef enum gen_op {
    OP_INT,
    OP_REAL,   /* text: as written */
    OP_STRING, /* text: as written, with its quotes */
    OP_NAME,
    OP_ABSENT, /* an argument that is left out: size_is(,n) */
    OP_DEREF,
    OP_NEG,
    OP_NOT,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_SHL,
    OP_SHR,
    OP_AND,
    OP_XOR,
    OP_OR
} gen_op_t;

typedef struct gen_expr {
    gen_op_t op;
    int depth;
    gen_pos_t pos;
    int64_t value;
    const char *text;
    struct gen_expr *left, *right;
    struct gen_expr *next; /* among arguments */
} gen_expr_t;

typedef struct gen_attr {
    const char *name;
    gen_pos_t pos;
    gen_expr_t *args;
    struct gen_spec *spec; /* switch(int kind), switch_type(int) */
    const char *ident;     /* kind */
    struct gen_attr *next;
} gen_attr_t;

typedef enum gen_level_kind { LEVEL_POINTER, LEVEL_ARRAY, LEVEL_FUNCTION } gen_level_kind_t;

/* One step of a declarator, from the name outwards: int *a[3] is an array, then a pointer. */
typedef struct gen_level {
    gen_level_kind_t kind;
    bool is_const; /* of a pointer */
    gen_pos_t pos;
    gen_expr_t *size; /* of an array; NULL: open */
    struct gen_decl *params;
    struct gen_level *next;
} gen_level_t;

typedef struct gen_declarator {
    const char *name; /* NULL: there is none */
    gen_pos_t pos;
    gen_level_t *levels;
    gen_expr_t *bits; /* : 3 */
    struct gen_declarator *next;
} gen_declarator_t;

typedef enum gen_spec_kind {
    SPEC_BASIC,
    SPEC_NAME,
    SPEC_STRUCT,
    SPEC_UNION,
    SPEC_ENUM
} gen_spec_kind_t;

/* Words of a basic type, each counted in three bits. */
enum {
    WORD_VOID = 1 << 0,
    WORD_CHAR = 1 << 3,
    WORD_SHORT = 1 << 6,
    WORD_INT = 1 << 9,
    WORD_LONG = 1 << 12,
    WORD_SIGNED = 1 << 15,
    WORD_UNSIGNED = 1 << 18,
    WORD_FLOAT = 1 << 21,
    WORD_DOUBLE = 1 << 24,
    WORD_BOOL = 1 << 27
};

typedef struct gen_enumerator {
    const char *name;
    gen_pos_t pos;
    gen_expr_t *value;
    struct gen_enumerator *next;
} gen_enumerator_t;

typedef struct gen_spec {
    gen_spec_kind_t kind;
    bool is_const, has_body;
    gen_pos_t pos;
    int words;
    const char *name; /* of the type, or tag; NULL: none */
    struct gen_decl *fields;
    gen_enumerator_t *values;
    gen_attr_t *attrs;     /* between `union' and its tag */
    struct gen_type *made; /* what it was resolved to */
} gen_spec_t;

typedef enum gen_decl_kind { DECL_PLAIN, DECL_TYPEDEF, DECL_CONST, DECL_IMPORT } gen_decl_kind_t;

/* An item of an interface, a field, an arm of a union, a parameter. */
typedef struct gen_decl {
    gen_decl_kind_t kind;
    gen_pos_t pos;
    gen_attr_t *attrs;
    gen_spec_t *spec;
    gen_declarator_t *declarators;
    gen_expr_t *value;  /* of a constant */
    const char *import; /* path as written */
    gen_expr_t *labels; /* of an arm */
    bool is_default;
    struct gen_decl *next;
} gen_decl_t;

/* A file. */
typedef struct gen_unit {
    gen_source_t *source;
    const char *name; /* of the interface; NULL: the file has none */
    gen_pos_t pos;
    gen_attr_t *attrs;
    gen_decl_t *items;
    enum { UNIT_NEW, UNIT_OPEN, UNIT_DONE } state; /* OPEN: it is being resolved */
    int pointer_default;                           /* BYRE_RPC_F_* */
    struct gen_unit *next;
} gen_unit_t;

gen_expr_t *gen_expr_new(gen_diag_t *diag, gen_op_t op, gen_pos_t pos, gen_expr_t *left,
                         gen_expr_t *right);
const gen_attr_t *gen_attr_find(const gen_attr_t *attrs, const char *name);

/* Parse a file. Errors go to diag. */
void gen_parse(gen_diag_t *diag, gen_unit_t *unit);

#endif
