/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an interface definition means: names looked up, sizes known.
 *
 *   ast  --resolve.c-->  types, members, procedures   as C has them
 *          (types.c, members.c, unions.c, declarators.c, procs.c, attrs.c, expr.c, layout.c, scope.c)
 *        --wire.c----->  wires                        as they travel: what the tables of the stubs say
 *          (pointer.c, formula.c, finish.c)
 *        --emit_*.c--->  C
 */
#ifndef BYRE_GEN_MODEL_H
#define BYRE_GEN_MODEL_H

#include "ast.h"

/* ---- types as C has them -------------------------------------------------------------------------- */

typedef enum gen_kind {
    TY_ERROR, /* said already: nothing more is said about it */
    TY_BASIC,
    TY_ENUM,
    TY_STRUCT,
    TY_UNION,
    TY_ALIAS, /* of a typedef */
    TY_CONST, /* element, which is const */
    TY_POINTER,
    TY_ARRAY,
    TY_FUNCTION
} gen_kind_t;

typedef struct gen_basic {
    const char *c_name; /* as C writes it */
    const char *name;   /* for messages of the library, and for the hash */
    size_t size;        /* 0: void */
    bool is_integer, is_signed, is_bool, is_float, is_char;
} gen_basic_t;

typedef struct gen_member {
    const char *name;
    gen_pos_t pos;
    struct gen_type *type;
    struct gen_type *declared; /* of a parameter: with arrays that C passes as pointers */
    const gen_attr_t *attrs;
    const gen_decl_t *decl;
    size_t offset;
    int direct;      /* BYRE_RPC_IN, BYRE_RPC_OUT: of a parameter */
    int64_t *labels; /* of an arm */
    gen_pos_t *label_pos;
    int label_count;
    bool is_default;
    int index;              /* in the text */
    struct gen_need *needs; /* of a parameter: others that its attributes read */
    int mark;
    bool placed;
    struct gen_wire *wire;
    struct gen_member *next;
} gen_member_t;

typedef struct gen_need {
    gen_member_t *member;
    struct gen_need *next;
} gen_need_t;

typedef struct gen_value {
    const char *name;
    int64_t value;
    struct gen_value *next;
} gen_value_t;

typedef struct gen_type {
    gen_kind_t kind;
    gen_pos_t pos;
    const char *name;   /* tag, or name of an alias; NULL: none */
    const char *c_name; /* "struct node" */
    const gen_basic_t *basic;
    struct gen_type *element; /* of alias, const, pointer, array, function */
    int depth;                /* of pointers and arrays */
    int64_t count;            /* of an array; -1: open */
    const gen_attr_t *attrs;  /* of an alias */
    bool complete;            /* struct, union, enum: its body is known */
    bool has_pointer;         /* struct, union: somewhere in it */
    bool flexible;            /* struct: ends in an open array */
    bool is_frame;            /* struct: of a procedure */
    bool emitted;             /* its definition stands in the header */
    gen_member_t *members;    /* of struct, union; parameters of a function */
    int member_count;
    struct gen_type *switch_type; /* of a union */
    const char
        *switch_name;    /* of its discriminant, when it has one of its own: then kind is TY_STRUCT,
                                     and members are the discriminant and the union `u' */
    gen_value_t *values; /* of an enum */
    size_t size, align;
    const gen_unit_t *unit;
    struct gen_wire *wire; /* of basics, enums, structs, context handles: they have one */
} gen_type_t;

/* ---- types as they travel -------------------------------------------------------------------------- */

/* Code that computes an attribute from its container. */
typedef struct gen_formula {
    const gen_expr_t *expr;
    const gen_type_t *container;
    const char *id;
    struct gen_formula *next;
} gen_formula_t;

typedef struct gen_wire {
    int kind, flags;  /* byre_rpc_kind_t, BYRE_RPC_F_* */
    const char *name; /* as in the text */
    const char *id;   /* of its table */
    const gen_type_t *type;
    int64_t count;
    size_t size, align;
    struct gen_wire *element;
    gen_member_t *members; /* of STRUCT, UNION */
    gen_formula_t *size_is, *length_is, *first_is, *switch_is;
    const char *rundown; /* name of a context handle's type */
    gen_pos_t pos;
    bool is_target; /* of a [ptr] pointer */
    bool is_basic;
    bool filled; /* STRUCT: its members have wires */
    int mark;    /* of the pass that visited it last */
    int answer;  /* what it found */
    int reach;   /* equals gen->reached: procedures use it */
    int number;  /* for the hash */
    struct gen_wire *next;
} gen_wire_t;

/* ---- the interface ---------------------------------------------------------------------------------- */

typedef struct gen_proc {
    const char *name;
    gen_pos_t pos;
    const gen_attr_t *attrs;
    gen_type_t *type;     /* function */
    gen_type_t *frame;    /* its members are the parameters, and the result, named "" */
    gen_member_t **order; /* parameters, what is read before what reads it; the result last */
    int param_count;      /* without the result */
    bool has_result;
    int flags; /* BYRE_RPC_P_* */
    int timeout_ms;
    struct gen_proc *next;
} gen_proc_t;

typedef struct gen_shared {
    const char *name;
    gen_pos_t pos;
    gen_type_t *type;
    struct gen_shared *next;
} gen_shared_t;

/* What the header says, in the order of the text. */
typedef struct gen_item {
    enum {
        ITEM_IMPORT,
        ITEM_CONST,
        ITEM_FORWARD,
        ITEM_TAG,
        ITEM_TYPEDEF,
        ITEM_PROC,
        ITEM_SHARED
    } kind;
    const char *name;
    const char *text; /* of a constant that is a macro in C */
    int64_t value;    /* of one that is not */
    gen_type_t *type; /* TAG: defined here; TYPEDEF: the alias */
    gen_proc_t *proc;
    gen_shared_t *shared;
    struct gen_item *next;
} gen_item_t;

enum { SCOPE_BUCKETS = 1024, GEN_MAX_MEMBERS = 4096 };

typedef enum gen_symbol_kind { SYM_TYPE, SYM_CONST, SYM_PROC, SYM_SHARED } gen_symbol_kind_t;

typedef enum gen_space {
    SPACE_NAMES,
    SPACE_TAGS,
    SPACE_MEMBERS /* fields and parameters of all */,
    SPACE_IDS /* of tables */
} gen_space_t;

typedef struct gen_symbol {
    const char *name;
    gen_space_t space;
    gen_symbol_kind_t kind;
    gen_pos_t pos;
    gen_type_t *type;
    bool is_macro;  /* in C */
    bool is_ours;   /* the compiler writes it */
    bool is_number; /* a constant that expressions may use */
    int64_t value;
    struct gen_symbol *next;
} gen_symbol_t;

typedef struct gen {
    gen_arena_t arena;
    gen_diag_t diag;
    const char **dirs; /* -I */
    int dir_count;
    /* Finds and reads a file: NULL and errno if there is none. */
    gen_source_t *(*read)(struct gen *gen, const char *path);
    gen_unit_t *units, **units_end;
    int unit_count;
    gen_unit_t *unit;  /* the one that is being looked at */
    gen_unit_t *first; /* the one that was asked for */
    gen_symbol_t *scope[SCOPE_BUCKETS];
    int type_count;
    gen_type_t *error_type;

    /* The interface */
    const char *name; /* identifier */
    const char *export_name;
    uint32_t major, minor;
    int pointer_default; /* of what is being built: BYRE_RPC_F_* */
    uint64_t hash;
    gen_item_t *items, **items_end;
    gen_proc_t *procs, **procs_end;
    int proc_count;
    gen_shared_t *shared, **shared_end;
    gen_wire_t *wires, **wires_end;
    gen_formula_t *formulas, **formulas_end;
    int mark, reached;
} gen_t;

#define GEN_TEXT(gen, ...) gen_format(&(gen)->arena, __VA_ARGS__)

/* scope.c: names. Ordinary ones, tags and members are apart, as in C. */
gen_symbol_t *gen_lookup(gen_t *gen, const char *name, gen_space_t space);
/* NULL, and said, when the name is taken or cannot be had. */
gen_symbol_t *gen_declare(gen_t *gen, const char *name, gen_space_t space, gen_symbol_kind_t kind,
                          gen_pos_t pos);
gen_symbol_t *gen_declare_macro(gen_t *gen, const char *name, gen_symbol_kind_t kind,
                                gen_pos_t pos);
/* The compiler will write this name. */
const char *gen_unique(gen_t *gen, const char *id); /* that, or with a number */
void gen_reserve(gen_t *gen, const char *name, gen_pos_t pos);
/* False, and said, if a field or parameter cannot be called so. */
bool gen_member_name(gen_t *gen, const char *name, gen_pos_t pos);
/* What may have been meant, as a remedy; NULL: no idea. */
const char *gen_nearest(gen_t *gen, const char *name, gen_space_t space);
bool gen_similar(const char *a, const char *b);

/* expr.c */
bool gen_constant(gen_t *gen, const gen_expr_t *expr, int64_t *value_out); /* false, and said */
gen_member_t *gen_member_find(const gen_type_t *container, const char *name);
typedef void (*gen_use_fn)(gen_t *gen, gen_member_t *member, bool through_pointer, gen_pos_t pos,
                           void *arg);
void gen_expr_uses(gen_t *gen, const gen_type_t *container, const gen_expr_t *expr, gen_use_fn use,
                   void *arg);

/* layout.c: of types, for 64-bit pointers and longs */
gen_type_t *gen_bare(gen_type_t *type); /* without aliases and const */
bool gen_is_integer(gen_type_t *type);  /* also char, bool, enum */
bool gen_is_void(gen_type_t *type);
bool gen_layout(gen_t *gen, gen_type_t *type); /* a struct or union: false if it is too large */
size_t gen_size(gen_type_t *type);
size_t gen_align(gen_type_t *type);

/* types.c: structs, enums, and what names mean */
gen_type_t *gen_new_type(gen_t *gen, gen_kind_t kind, gen_pos_t pos);
gen_type_t *gen_basic_named(gen_t *gen, const char *name); /* NULL: none */
gen_type_t *gen_spec_type(gen_t *gen, gen_spec_t *spec, const char *typedef_name);
/* The type of a tag; made, incomplete, if there is none. NULL: taken by something else. */
gen_type_t *gen_tagged(gen_t *gen, gen_kind_t kind, const char *tag, gen_pos_t pos, bool has_body);
gen_item_t *gen_add_item(gen_t *gen, int kind, const char *name);

/* members.c */
void gen_add_members(gen_t *gen, gen_type_t *owner, const gen_decl_t *fields);
void gen_check_open_arrays(gen_t *gen, gen_type_t *type);

/* unions.c */
gen_type_t *gen_union_type(gen_t *gen, gen_spec_t *spec, const char *tag);

/* declarators.c */
gen_type_t *gen_declared_type(gen_t *gen, gen_type_t *base, bool is_const,
                              const gen_declarator_t *declarator);
gen_type_t *gen_pointer_to(gen_t *gen, gen_type_t *element, gen_pos_t pos);
const char *gen_c_decl(gen_t *gen, const gen_type_t *type, const char *name); /* int (*name)[4] */

/* resolve.c: the items of files */
gen_unit_t *gen_load(gen_t *gen, gen_source_t *source);
void gen_resolve(gen_t *gen, gen_unit_t *unit);

/* attrs.c */
void gen_check_attrs(gen_t *gen, const gen_attr_t *attrs, const char *allowed, const char *what);

/* procs.c */
void gen_proc_declare(gen_t *gen, const gen_decl_t *decl, const gen_declarator_t *declarator,
                      gen_type_t *type);

/* wire.c */
void gen_wires(gen_t *gen);        /* of all procedures */
void gen_wires_finish(gen_t *gen); /* finish.c: flags, cycles, order, hash */

/* emit_*.c */
void gen_emit_header(gen_t *gen, gen_buffer_t *out);
void gen_emit_client(gen_t *gen, gen_buffer_t *out);
void gen_emit_server(gen_t *gen, gen_buffer_t *out);
void gen_emit_types(gen_t *gen, gen_buffer_t *out);
void gen_emit_local(gen_t *gen, gen_buffer_t *out);
/* emit.c: what they share */
void gen_emit_top(gen_t *gen, gen_buffer_t *out, const char *what);
void gen_emit_include(gen_t *gen, gen_buffer_t *out);
void gen_emit_frame(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc);
const char *gen_prototype(gen_t *gen, const gen_proc_t *proc, const char *name);
void gen_emit_fill(gen_buffer_t *out, const gen_proc_t *proc);
const char *gen_params(gen_t *gen, const gen_proc_t *proc, const char *none);
const char *gen_begin_prototype(gen_t *gen, const gen_proc_t *proc);
const char *gen_end_prototype(gen_t *gen, const gen_proc_t *proc);
const char *gen_frame_field(const gen_member_t *member);
const char *gen_file_base(gen_t *gen); /* calc of dir/calc.idl */
bool gen_is_context(const gen_type_t *type);

/* compile.c: all of it. False if there are errors. */
void gen_init(gen_t *gen);
bool gen_compile(gen_t *gen, const char *path);
void gen_fini(gen_t *gen);

#endif
