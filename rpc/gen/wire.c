/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From types as C has them to types as they travel. Here attributes meet the pointers and arrays of a
 * declaration: level 0 is the outermost, int *a[3] has the array at 0 and the pointer at 1. A list as in
 * size_is(n, m) gives one value a level; string and switch_is belong to the innermost.
 */
#include "build.h"

#include <byre_rpc_types.h>
#include <string.h>

gen_wire_t *gen_new_wire(gen_t *gen, int kind, const char *name, const char *id, gen_type_t *type)
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

int gen_pointer_kind(const gen_attr_t *attrs, const gen_attr_t **attr_out)
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
    b->pointer_kind = gen_pointer_kind(attrs, &b->pointer);
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

const gen_expr_t *gen_nth(const gen_attr_t *attr, int n)
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

/* ---- basics, enums, context handles -------------------------------------------------------------------------- */

gen_wire_t *gen_basic_wire(gen_t *gen, gen_type_t *type)
{
    const gen_basic_t *basic = type->basic;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->is_basic && strcmp(wire->name, basic->name) == 0) return wire;
    }
    int kind = basic->is_bool ? BYRE_RPC_BOOL : (basic->is_float ? BYRE_RPC_FLOAT : BYRE_RPC_INT);
    gen_wire_t *wire = gen_new_wire(gen, kind, basic->name, basic->name, type);
    wire->is_basic = true;
    if (basic->is_signed && kind == BYRE_RPC_INT) wire->flags |= BYRE_RPC_F_SIGNED;
    return wire;
}

gen_wire_t *gen_byte_wire(gen_t *gen)
{
    return gen_basic_wire(gen, gen_basic_named(gen, "uint8_t"));
}

static gen_wire_t *void_wire(gen_t *gen)
{
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind == BYRE_RPC_VOID) return wire;
    }
    return gen_new_wire(gen, BYRE_RPC_VOID, "void", "void", NULL);
}

static gen_wire_t *enum_wire(gen_t *gen, gen_type_t *type)
{
    if (type->wire == NULL) {
        const char *name = type->name == NULL ? "enum" : type->name;
        type->wire = gen_new_wire(gen, BYRE_RPC_ENUM, name, name, type);
    }
    return type->wire;
}

static gen_wire_t *context_wire(gen_t *gen, gen_type_t *alias)
{
    while (gen_attr_find(alias->attrs, "context_handle") == NULL) alias = alias->element;
    if (alias->wire == NULL) {
        alias->wire = gen_new_wire(gen, BYRE_RPC_CONTEXT, alias->name, alias->name, alias);
        alias->wire->rundown = alias->name;
    }
    return alias->wire;
}

/* ---- structs, unions ------------------------------------------------------------------------------------------- */

static gen_wire_t *struct_wire(gen_t *gen, gen_type_t *type)
{
    if (type->wire == NULL) {
        type->wire = gen_new_wire(gen, BYRE_RPC_STRUCT, type->name, type->name, type);
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
    gen_wire_t *wire = gen_new_wire(gen, BYRE_RPC_UNION, type->name, b->id, type);
    wire->switch_is = gen_new_formula(b, expr, "switch", level, false, !b->container->is_frame);
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

gen_wire_t *gen_build(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer)
{
    gen_t *gen = b->gen;
    int alias_kind = 0;
    if (gen_is_context(type)) return context_wire(gen, type);
    for (; type->kind == TY_ALIAS || type->kind == TY_CONST; type = type->element) {
        if (type->kind != TY_ALIAS) continue;
        if (alias_kind == 0) alias_kind = gen_pointer_kind(type->attrs, NULL);
        if (gen_attr_find(type->attrs, "string") != NULL) b->alias_string = true;
        if (b->max == 0) b->max = max_of(gen, type->attrs);
    }
    switch (type->kind) {
    case TY_BASIC:
        return gen_basic_wire(gen, type);
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
        return gen_pointer_wire(b, type, level, alias_kind);
    case TY_ARRAY:
        if (level == 0 && b->is_param) return gen_pointer_wire(b, type, level, alias_kind);
        return gen_array_wire(b, type, level, behind_pointer);
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
        gen_build(&b, member->declared != NULL ? member->declared : member->type, 0, false);
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
