/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From types as C has them to types as they travel. Here attributes meet the pointers and arrays of a
 * declaration: level 0 is the outermost, int *a[3] has the array at 0 and the pointer at 1. A list as in
 * size_is(n, m) gives one value a level; string and switch_is belong to the innermost.
 */
#include "model.h"

#include <byre_rpc_types.h>
#include <string.h>

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

static gen_wire_t *build(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer);

static gen_wire_t *new_wire(gen_t *gen, int kind, const char *name, const char *id,
                            gen_type_t *type)
{
    gen_wire_t *wire = GEN_NEW(&gen->arena, gen_wire_t);
    wire->kind = kind;
    wire->name = name;
    wire->id = gen_unique(gen, id);
    wire->type = type;
    if (type != NULL) {
        wire->size = gen_size(type);
        wire->align = gen_align(type);
        wire->pos = type->pos;
    } else {
        wire->align = 1;
    }
    *gen->wires_end = wire;
    gen->wires_end = &wire->next;
    return wire;
}

/* ---- attributes of a declaration -------------------------------------------------------------------------- */

static int pointer_kind(const gen_attr_t *attrs, const gen_attr_t **attr_out)
{
    static const struct {
        const char *name;
        int flag;
    } kinds[] = { { "ref", BYRE_RPC_F_REF },
                  { "unique", BYRE_RPC_F_UNIQUE },
                  { "ptr", BYRE_RPC_F_PTR } };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const gen_attr_t *attr = gen_attr_find(attrs, kinds[i].name);
        if (attr == NULL) continue;
        if (attr_out != NULL) *attr_out = attr;
        return kinds[i].flag;
    }
    return 0;
}

static int64_t max_of(gen_t *gen, const gen_attr_t *attrs)
{
    const gen_attr_t *attr = gen_attr_find(attrs, "max");
    int64_t max = 0;
    if (attr == NULL || attr->args == NULL || !gen_constant(gen, attr->args, &max)) return 0;
    if (max < 1 || max > 1 << 30) {
        gen_error(&gen->diag, attr->pos, NULL, "a string has room for 1 to 1073741824 characters");
        return 0;
    }
    return max;
}

static void read_attrs(gen_build_t *b, const gen_attr_t *attrs)
{
    const gen_attr_t *max = gen_attr_find(attrs, "max");
    b->size_is = gen_attr_find(attrs, "size_is");
    b->length_is = gen_attr_find(attrs, "length_is");
    b->first_is = gen_attr_find(attrs, "first_is");
    b->switch_is = gen_attr_find(attrs, "switch_is");
    b->string = gen_attr_find(attrs, "string");
    b->bulk = gen_attr_find(attrs, "bulk");
    b->pointer_kind = pointer_kind(attrs, &b->pointer);
    b->max = max_of(b->gen, attrs);
    if (max != NULL && b->string == NULL) {
        gen_error(&b->gen->diag, max->pos, "write [string, max(n)]", "max is for strings only");
    }
    int kinds = (gen_attr_find(attrs, "ref") != NULL) + (gen_attr_find(attrs, "unique") != NULL) +
                (gen_attr_find(attrs, "ptr") != NULL);
    if (kinds > 1) {
        gen_error(&b->gen->diag, b->pointer->pos, "choose one", "a pointer is ref, unique or ptr");
    }
}

static const gen_expr_t *nth(const gen_attr_t *attr, int n)
{
    const gen_expr_t *arg = attr == NULL ? NULL : attr->args;
    while (arg != NULL && n-- > 0) arg = arg->next;
    return arg == NULL || arg->op == OP_ABSENT ? NULL : arg;
}

static void check_used(gen_build_t *b, const gen_attr_t *attr, unsigned used)
{
    int level = 0;
    for (const gen_expr_t *arg = attr == NULL ? NULL : attr->args; arg != NULL;
         arg = arg->next, level++) {
        if (arg->op == OP_ABSENT || (used & 1u << level) != 0) continue;
        gen_error(&b->gen->diag, arg->pos,
                  "see byre_idl(5): one value for each pointer or array, the outermost first",
                  "%s finds nothing here that it could belong to", attr->name);
        return;
    }
}

static void unused(gen_build_t *b, const gen_attr_t *attr, bool used, const char *remedy)
{
    if (attr == NULL || used) return;
    gen_error(&b->gen->diag, attr->pos, remedy, "%s finds nothing here that it could belong to",
              attr->name);
}

/* ---- formulas ------------------------------------------------------------------------------------------------ */

typedef struct gen_check {
    gen_build_t *b;
    bool room;     /* it is the size of memory that the caller owns */
    bool in_place; /* what it describes is in place in a struct: it must come before */
} gen_check_t;

/* Is what is read there when it is needed? See T5 in byre_rpc_types.h. */
static void check_param_use(gen_t *gen, const gen_check_t *check, const gen_member_t *used,
                            gen_pos_t pos)
{
    int mine = check->b->member->direct;
    bool in = (used->direct & BYRE_RPC_IN) != 0;
    if (((mine & BYRE_RPC_IN) != 0 || check->room) && !in) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "make %s [in] too", used->name),
                  check->room && (mine & BYRE_RPC_IN) == 0
                      ? "the server must know the room for %s before the call, and %s is [out] only"
                      : "%s goes to the server, and %s, which says how much of it, is [out] only",
                  check->b->member->name, used->name);
    } else if (check->room && (mine & BYRE_RPC_OUT) != 0 && (used->direct & BYRE_RPC_OUT) != 0) {
        gen_error(&gen->diag, pos,
                  GEN_TEXT(gen, "add an [in] parameter for the room, and write length_is(*%s)",
                           used->name),
                  "the room for %s cannot change during the call, and %s is [out]",
                  check->b->member->name, used->name);
    }
}

/* Is it a pointer parameter that is never NULL? */
static bool is_ref_param(const gen_member_t *param)
{
    int kind = pointer_kind(param->attrs, NULL);
    for (const gen_type_t *type = param->type; kind == 0; type = type->element) {
        if (type->kind == TY_ALIAS) kind = pointer_kind(type->attrs, NULL);
        if (type->kind != TY_ALIAS && type->kind != TY_CONST) break;
    }
    return (kind == 0 || kind == BYRE_RPC_F_REF) && !gen_is_context(param->type);
}

static void check_use(gen_t *gen, gen_member_t *used, bool through, gen_pos_t pos, void *arg)
{
    const gen_check_t *check = arg;
    gen_build_t *b = check->b;
    gen_type_t *type = gen_bare(used->type);
    if (type->kind == TY_ERROR) return;
    if (b->plain_union != NULL) {
        gen_error(&gen->diag, pos, "use union [switch(int kind)], or constants",
                  "an arm of a union that is used in many places cannot know %s", used->name);
        return;
    }
    if (through) {
        if (type->kind != TY_POINTER || !b->container->is_frame || !is_ref_param(used)) {
            gen_error(&gen->diag, pos, "put the number itself there",
                      "* reads what a [ref] pointer among the parameters points to, and %s is none",
                      used->name);
            return;
        }
        type = gen_bare(type->element);
    } else if (type->kind == TY_POINTER && gen_is_integer(type->element)) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "write *%s", used->name), "%s is a pointer",
                  used->name);
        return;
    }
    if (!gen_is_integer(type)) {
        gen_error(&gen->diag, pos, "name an integer", "%s is no integer", used->name);
        return;
    }
    if (b->container->is_frame) {
        gen_need_t *need = GEN_NEW(&gen->arena, gen_need_t);
        *need = (gen_need_t){ used, b->member->needs };
        b->member->needs = need;
        check_param_use(gen, check, used, pos);
    } else if (check->in_place && used->index >= b->member->index) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "move %s before %s", used->name, b->member->name),
                  "%s must be known before %s arrives", used->name, b->member->name);
    }
}

static bool has_member(const gen_type_t *container, const gen_expr_t *expr)
{
    if (expr->op == OP_NAME) return gen_member_find(container, expr->text) != NULL;
    return (expr->left != NULL && has_member(container, expr->left)) ||
           (expr->right != NULL && has_member(container, expr->right));
}

/* Names, numbers, + - * / %: what is left is a constant, or an error. */
static bool check_formula(gen_build_t *b, const gen_expr_t *expr)
{
    gen_t *gen = b->gen;
    int64_t value = 0;
    switch (expr->op) {
    case OP_INT:
        return true;
    case OP_NAME:
        if (gen_member_find(b->container, expr->text) != NULL) return true;
        const gen_symbol_t *symbol = gen_lookup(gen, expr->text, SPACE_NAMES);
        if (symbol != NULL && symbol->is_number) return true;
        const char *remedy = "name a parameter, field or constant";
        for (const gen_member_t *m = b->container->members; m != NULL; m = m->next) {
            if (gen_similar(m->name, expr->text))
                remedy = GEN_TEXT(gen, "did you mean %s?", m->name);
        }
        gen_error(&gen->diag, expr->pos, remedy,
                  b->container->is_frame ? "there is no parameter %s" : "there is no field %s",
                  expr->text);
        return false;
    case OP_DEREF:
        if (expr->left->op == OP_NAME && gen_member_find(b->container, expr->left->text) != NULL)
            return true;
        gen_error(&gen->diag, expr->pos, "write *name", "* stands before the name of a parameter");
        return false;
    case OP_NEG:
        return check_formula(b, expr->left);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
        if (!check_formula(b, expr->left) || !check_formula(b, expr->right)) return false;
        if (!has_member(b->container, expr)) return gen_constant(gen, expr, &value);
        if (expr->op != OP_DIV && expr->op != OP_MOD) return true;
        if (has_member(b->container, expr->right)) return true;
        if (!gen_constant(gen, expr->right, &value)) return false;
        if (value > 0) return true;
        gen_error(&gen->diag, expr->pos, NULL,
                  "a size is divided by a positive number, not by %lld", (long long)value);
        return false;
    case OP_ABSENT:
    case OP_REAL:
    case OP_STRING:
        gen_error(&gen->diag, expr->pos, "name a parameter, field or constant",
                  "an integer is wanted here");
        return false;
    default:
        if (!has_member(b->container, expr)) return gen_constant(gen, expr, &value);
        gen_error(&gen->diag, expr->pos, "compute it in the program, and pass it",
                  "only + - * / %% are computed from what is sent");
        return false;
    }
}

static gen_formula_t *new_formula(gen_build_t *b, const gen_expr_t *expr, const char *what,
                                  int level, bool room, bool in_place)
{
    gen_t *gen = b->gen;
    gen_check_t check = { .b = b, .room = room, .in_place = in_place };
    if (!check_formula(b, expr)) return NULL;
    gen_expr_uses(gen, b->container, expr, check_use, &check);
    gen_formula_t *formula = GEN_NEW(&gen->arena, gen_formula_t);
    formula->expr = expr;
    formula->container = b->container;
    const char *id = level == 0 ? GEN_TEXT(gen, "byre_%s__%s", what, b->id)
                                : GEN_TEXT(gen, "byre_%s__%s__%d", what, b->id, level);
    formula->id = gen_unique(gen, id);
    *gen->formulas_end = formula;
    gen->formulas_end = &formula->next;
    return formula;
}

/* size_is, length_is, first_is of a level. */
static void add_formulas(gen_build_t *b, gen_wire_t *wire, int level, bool in_place)
{
    const gen_expr_t *size = nth(b->size_is, level), *length = nth(b->length_is, level);
    const gen_expr_t *first = nth(b->first_is, level);
    bool room = level == 0 && b->is_param;
    if (size != NULL && wire->kind != BYRE_RPC_ARRAY && wire->kind != BYRE_RPC_STRING &&
        wire->size_is == NULL) {
        b->size_used |= 1u << level;
        wire->size_is = new_formula(b, size, "size", level, room, in_place);
        if (wire->size_is == NULL) return;
    }
    bool has_size = wire->size_is != NULL || wire->kind == BYRE_RPC_ARRAY;
    if (length != NULL && has_size) {
        b->length_used |= 1u << level;
        wire->length_is = new_formula(b, length, "length", level, false, in_place);
    }
    if (first != NULL && has_size) {
        b->first_used |= 1u << level;
        wire->first_is = new_formula(b, first, "first", level, false, in_place);
        if (length == NULL) {
            gen_error(&b->gen->diag, first->pos, "add length_is", "first_is without length_is");
        }
    }
}

static gen_formula_t *constant_size(gen_build_t *b, int64_t count, gen_pos_t pos)
{
    gen_expr_t *expr = gen_expr_new(&b->gen->diag, OP_INT, pos, NULL, NULL);
    expr->value = count;
    return new_formula(b, expr, "size", 0, false, false);
}

/* ---- basics, enums, context handles -------------------------------------------------------------------------- */

static gen_wire_t *basic_wire(gen_t *gen, gen_type_t *type)
{
    const gen_basic_t *basic = type->basic;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->is_basic && strcmp(wire->name, basic->name) == 0) return wire;
    }
    int kind = basic->is_bool ? BYRE_RPC_BOOL : (basic->is_float ? BYRE_RPC_FLOAT : BYRE_RPC_INT);
    gen_wire_t *wire = new_wire(gen, kind, basic->name, basic->name, type);
    wire->is_basic = true;
    if (basic->is_signed && kind == BYRE_RPC_INT) wire->flags |= BYRE_RPC_F_SIGNED;
    return wire;
}

static gen_wire_t *byte_wire(gen_t *gen)
{
    return basic_wire(gen, gen_basic_named(gen, "uint8_t"));
}

static gen_wire_t *void_wire(gen_t *gen)
{
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind == BYRE_RPC_VOID) return wire;
    }
    return new_wire(gen, BYRE_RPC_VOID, "void", "void", NULL);
}

static gen_wire_t *enum_wire(gen_t *gen, gen_type_t *type)
{
    if (type->wire == NULL) {
        const char *name = type->name == NULL ? "enum" : type->name;
        type->wire = new_wire(gen, BYRE_RPC_ENUM, name, name, type);
    }
    return type->wire;
}

static gen_wire_t *context_wire(gen_t *gen, gen_type_t *alias)
{
    while (gen_attr_find(alias->attrs, "context_handle") == NULL) alias = alias->element;
    if (alias->wire == NULL) {
        alias->wire = new_wire(gen, BYRE_RPC_CONTEXT, alias->name, alias->name, alias);
        alias->wire->rundown = alias->name;
    }
    return alias->wire;
}

/* ---- structs, unions ------------------------------------------------------------------------------------------- */

static gen_wire_t *struct_wire(gen_t *gen, gen_type_t *type)
{
    if (type->wire == NULL) {
        type->wire = new_wire(gen, BYRE_RPC_STRUCT, type->name, type->name, type);
        type->wire->members = type->members;
    }
    return type->wire;
}

static void build_member(gen_t *gen, const gen_type_t *container, const gen_type_t *plain_union,
                         gen_member_t *member, const char *id);

static gen_wire_t *union_wire(gen_build_t *b, gen_type_t *type, int level)
{
    gen_t *gen = b->gen;
    const gen_expr_t *expr = b->switch_is == NULL ? NULL : b->switch_is->args;
    b->switch_used = true;
    if (expr == NULL) {
        gen_error(&gen->diag, b->member->pos,
                  "write [switch_is(kind)] before it, or declare union [switch(int kind)]",
                  "nothing says which arm of %s is the one", type->c_name);
        return NULL;
    }
    const gen_expr_t *name = expr->op == OP_DEREF ? expr->left : expr;
    if (name->op != OP_NAME || gen_member_find(b->container, name->text) == NULL) {
        gen_error(&gen->diag, expr->pos, NULL, "switch_is names a %s",
                  b->container->is_frame ? "parameter" : "field of the same struct");
        return NULL;
    }
    gen_wire_t *wire = new_wire(gen, BYRE_RPC_UNION, type->name, b->id, type);
    wire->switch_is = new_formula(b, expr, "switch", level, false, !b->container->is_frame);
    /* Arms have wires of their own for each use: their identity depends on the container. */
    gen_member_t **end = &wire->members;
    bool own = b->container->switch_name != NULL;
    for (const gen_member_t *arm = type->members; arm != NULL; arm = arm->next) {
        gen_member_t *copy = GEN_NEW(&gen->arena, gen_member_t);
        *copy = *arm;
        copy->next = NULL;
        copy->index = own ? 2 : b->member->index;
        if (copy->type == NULL) {
            copy->wire = void_wire(gen);
        } else {
            build_member(gen, b->container, own ? NULL : type, copy,
                         GEN_TEXT(gen, "%s__%s", b->id, copy->name));
        }
        *end = copy;
        end = &copy->next;
    }
    return wire;
}

/* ---- pointers, arrays ----------------------------------------------------------------------------------------- */

static bool is_char(gen_type_t *type)
{
    type = gen_bare(type);
    return type->kind == TY_BASIC && type->basic->is_char;
}

static const char *level_id(gen_build_t *b, int level)
{
    return level == 0 ? b->id : GEN_TEXT(b->gen, "%s__%d", b->id, level);
}

/* A string behind a pointer, or an array that is a parameter. */
static void string_pointer(gen_build_t *b, gen_wire_t *wire, gen_type_t *type, int level)
{
    gen_t *gen = b->gen;
    b->string_used = true;
    wire->flags |= BYRE_RPC_F_STRING;
    wire->count = b->max;
    if (type->kind == TY_ARRAY && type->count >= 0) {
        if (b->max > type->count) {
            gen_error(&gen->diag, b->member->pos, "leave max out", "max is larger than the array");
        }
        if (b->max == 0) wire->count = type->count;
    }
    add_formulas(b, wire, level, false);
    bool out = (b->member->direct & BYRE_RPC_OUT) != 0;
    if (level == 0 && b->is_param && out && wire->count == 0 && b->size_is == NULL &&
        (wire->flags & BYRE_RPC_F_REF) != 0) {
        gen_error(&gen->diag, b->member->pos,
                  GEN_TEXT(gen,
                           "write [string, max(100)] or [string, size_is(n)] for room of the "
                           "caller's, or char **%s for a new string",
                           b->member->name),
                  "nobody knows how much room there is for the string %s", b->member->name);
    }
}

static void check_pointer_kind(gen_build_t *b, const gen_wire_t *wire, int level)
{
    gen_t *gen = b->gen;
    if (level != 0) return;
    if (b->is_result && (wire->flags & BYRE_RPC_F_REF) != 0) {
        gen_error(&gen->diag, b->member->pos, "make it unique or ptr",
                  "a result cannot be a [ref] pointer: nothing is there yet");
    }
    if (b->is_param && b->member->direct == BYRE_RPC_OUT && (wire->flags & BYRE_RPC_F_REF) == 0) {
        gen_error(&gen->diag, b->member->pos, "make it [ref], or [in, out]",
                  "%s is [out] only: there must be something that it points to", b->member->name);
    }
}

static gen_wire_t *pointer_wire(gen_build_t *b, gen_type_t *type, int level, int alias_kind)
{
    gen_t *gen = b->gen;
    gen_type_t *element = type->element, *bare = gen_bare(element);
    gen_wire_t *wire = new_wire(gen, BYRE_RPC_POINTER, b->member->name, level_id(b, level), NULL);
    bool is_array = type->kind == TY_ARRAY;
    int kind = level == 0 && b->pointer_kind != 0 ? b->pointer_kind : alias_kind;
    wire->size = wire->align = 8;
    wire->pos = b->member->pos;
    if (level == 0) b->pointer_used = true;
    if (kind == 0) kind = level == 0 && b->is_param ? BYRE_RPC_F_REF : gen->pointer_default;
    if (b->is_result && level == 0 && b->pointer_kind == 0 && kind == BYRE_RPC_F_REF)
        kind = BYRE_RPC_F_UNIQUE;
    wire->flags |= kind;
    if (level == 0) b->member->wire = wire;
    check_pointer_kind(b, wire, level);

    if ((b->string != NULL || b->alias_string) && is_char(element)) {
        string_pointer(b, wire, type, level);
        wire->element = basic_wire(gen, bare);
        return wire;
    }
    if (is_array && type->count >= 0) {
        if (nth(b->size_is, level) != NULL) {
            gen_error(&gen->diag, b->member->pos, "write length_is, or leave the size in [ ] out",
                      "the array has a size already");
            b->size_used |= 1u << level;
        }
        wire->size_is = constant_size(b, type->count, type->pos);
    }
    add_formulas(b, wire, level, false);
    if (is_array && wire->size_is == NULL) {
        gen_error(&gen->diag, b->member->pos,
                  is_char(element) ? "write [string] or [size_is(n)]" : "write [size_is(n)]",
                  "nobody knows how many elements %s has", b->member->name);
        return NULL;
    }
    if (b->bulk != NULL && bare->kind != TY_POINTER && bare->kind != TY_ARRAY) {
        b->bulk_used = wire->size_is != NULL;
        wire->flags |= BYRE_RPC_F_BULK;
    }
    if (bare->kind == TY_FUNCTION) {
        gen_error(&gen->diag, b->member->pos, "use a number that both sides give a meaning",
                  "a function means nothing on another rank");
        return NULL;
    }
    if (gen_is_void(element)) {
        if (wire->size_is == NULL) {
            gen_error(&gen->diag, b->member->pos,
                      "write [bulk, size_is(bytes)], or the type that it points to",
                      "nobody knows what void * points to, nor how much of it");
            return NULL;
        }
        wire->element = byte_wire(gen);
        return wire;
    }
    if (bare->kind == TY_BASIC && strcmp(bare->basic->c_name, "char") == 0 &&
        wire->size_is == NULL && (b->member->direct & BYRE_RPC_OUT) == 0) {
        gen_error(&gen->diag, b->member->pos, "write [string], or [size_is(1)] for one character",
                  "is char *%s a string?", b->member->name);
        return NULL;
    }
    wire->element = build(b, element, level + 1, true);
    if (wire->element == NULL) return NULL;
    bool flexible = bare->kind == TY_STRUCT && bare->flexible;
    if (flexible && wire->size_is != NULL) {
        gen_error(&gen->diag, b->member->pos, "use pointers: struct **",
                  "elements of variable size do not make an array");
        return NULL;
    }
    if (flexible && b->is_param && b->member->direct == BYRE_RPC_OUT && level == 0) {
        gen_error(&gen->diag, b->member->pos, "make it [in, out], or a pointer to a pointer",
                  "the server cannot know how large %s is", b->member->name);
        return NULL;
    }
    return wire;
}

static gen_wire_t *array_wire(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer)
{
    gen_t *gen = b->gen;
    bool string = (b->string != NULL || b->alias_string) && is_char(type->element);
    gen_wire_t *wire = new_wire(gen, BYRE_RPC_ARRAY, b->member->name, level_id(b, level), type);
    wire->pos = b->member->pos;
    wire->count = type->count;
    wire->element = string ? basic_wire(gen, gen_bare(type->element)) : NULL;
    if (type->count < 0) {
        wire->kind = BYRE_RPC_FLEX;
        wire->count = 0;
        if (string || behind_pointer || level != 0) {
            gen_error(&gen->diag, b->member->pos,
                      string ? "give it a bound, or use a pointer" : "use a pointer with size_is",
                      string ? "a string of open size at the end of a struct"
                             : "an array of open size behind a pointer");
            return NULL;
        }
    } else if (string) {
        wire->kind = BYRE_RPC_STRING;
        b->string_used = true;
        if (b->max != 0)
            gen_error(&gen->diag, b->member->pos, "leave max out", "the array has a size already");
        return wire;
    }
    add_formulas(b, wire, level, !b->container->is_frame);
    if (wire->kind == BYRE_RPC_FLEX && wire->size_is == NULL) {
        if (nth(b->size_is, level) == NULL) {
            gen_error(&gen->diag, b->member->pos, "write [size_is(n)]",
                      "nobody knows how many elements %s has", b->member->name);
        }
        return NULL;
    }
    wire->element = build(b, type->element, level + 1, behind_pointer);
    return wire->element == NULL ? NULL : wire;
}

static gen_wire_t *build(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer)
{
    gen_t *gen = b->gen;
    int alias_kind = 0;
    if (gen_is_context(type)) return context_wire(gen, type);
    for (; type->kind == TY_ALIAS || type->kind == TY_CONST; type = type->element) {
        if (type->kind != TY_ALIAS) continue;
        if (alias_kind == 0) alias_kind = pointer_kind(type->attrs, NULL);
        if (gen_attr_find(type->attrs, "string") != NULL) b->alias_string = true;
        if (b->max == 0) b->max = max_of(gen, type->attrs);
    }
    switch (type->kind) {
    case TY_BASIC:
        return basic_wire(gen, type);
    case TY_ENUM:
        return enum_wire(gen, type);
    case TY_STRUCT:
    case TY_UNION:
        if (!type->complete) {
            gen_error(&gen->diag, b->member->pos, "define it",
                      "%s is not defined, so nobody knows what to send", type->c_name);
            return NULL;
        }
        return type->kind == TY_UNION ? union_wire(b, type, level) : struct_wire(gen, type);
    case TY_POINTER:
        return pointer_wire(b, type, level, alias_kind);
    case TY_ARRAY:
        if (level == 0 && b->is_param) return pointer_wire(b, type, level, alias_kind);
        return array_wire(b, type, level, behind_pointer);
    default:
        return NULL;
    }
}

static void build_member(gen_t *gen, const gen_type_t *container, const gen_type_t *plain_union,
                         gen_member_t *member, const char *id)
{
    gen_build_t b = {
        .gen = gen, .container = container, .plain_union = plain_union, .member = member, .id = id
    };
    b.is_result = container->is_frame && member->name[0] == 0;
    b.is_param = container->is_frame && !b.is_result;
    if (member->type->kind == TY_ERROR) return;
    read_attrs(&b, member->attrs);
    gen_wire_t *wire =
        build(&b, member->declared != NULL ? member->declared : member->type, 0, false);
    member->wire = wire;
    if (wire == NULL) return;
    check_used(&b, b.size_is, b.size_used);
    check_used(&b, b.length_is, b.length_used);
    check_used(&b, b.first_is, b.first_used);
    unused(&b, b.string, b.string_used, "write it before char * or char [n]");
    unused(&b, b.switch_is, b.switch_used, "write it before a union");
    unused(&b, b.bulk, b.bulk_used,
           "write [bulk, size_is(n)] before a pointer or array of numbers or void");
    unused(&b, b.pointer, b.pointer_used, "write it before a pointer");
}

/* ---- the whole interface ---------------------------------------------------------------------------------------- */

static void fill_struct(gen_t *gen, gen_wire_t *wire)
{
    static const char field_attrs[] =
        " size_is length_is first_is string max ref unique ptr bulk switch_is ";
    const gen_type_t *type = wire->type;
    int pointer_default = gen->pointer_default;
    wire->filled = true;
    gen->pointer_default = type->unit->pointer_default;
    for (gen_member_t *member = wire->members; member != NULL; member = member->next) {
        gen_check_attrs(gen, member->attrs, field_attrs, "a field");
        build_member(gen, type, NULL, member, GEN_TEXT(gen, "%s__%s", type->name, member->name));
    }
    gen->pointer_default = pointer_default;
}

void gen_wires(gen_t *gen)
{
    gen->pointer_default = gen->first->pointer_default;
    for (gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        for (gen_member_t *m = proc->frame->members; m != NULL; m = m->next) {
            const char *name = m->name[0] == 0 ? "result" : m->name;
            build_member(gen, proc->frame, NULL, m, GEN_TEXT(gen, "%s__%s", proc->name, name));
        }
    }
    /* Also what no procedure uses: it may be wrong all the same. */
    for (const gen_item_t *item = gen->items; item != NULL; item = item->next) {
        if (item->kind == ITEM_TAG && item->type->kind == TY_STRUCT) struct_wire(gen, item->type);
    }
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind == BYRE_RPC_STRUCT && !wire->filled) fill_struct(gen, wire);
    }
}
