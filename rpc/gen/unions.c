/* SPDX-License-Identifier: BSD-3-Clause */
/* Unions, and which arm is the one. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

typedef struct gen_label {
    int64_t value;
    gen_pos_t pos;
} gen_label_t;

static int by_value(const void *a, const void *b)
{
    const gen_label_t *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->pos.line != y->pos.line ? x->pos.line - y->pos.line : x->pos.column - y->pos.column;
}

/* Can the discriminant have this value? */
static bool value_fits(gen_type_t *type, int64_t value)
{
    type = gen_bare(type);
    if (type->kind == TY_ENUM) {
        for (const gen_value_t *v = type->values; v != NULL; v = v->next) {
            if (v->value == value) return true;
        }
        return false;
    }
    if (type->kind != TY_BASIC) return true;
    const gen_basic_t *basic = type->basic;
    if (basic->is_bool) return value == 0 || value == 1;
    if (basic->size == 8) return basic->is_signed || value >= 0;
    int bits = (int)basic->size * 8;
    int64_t low = basic->is_signed ? -((int64_t)1 << (bits - 1)) : 0;
    int64_t high = ((int64_t)1 << (basic->is_signed ? bits - 1 : bits)) - 1;
    return value >= low && value <= high;
}

/* case 1, 2: and [case(1, 2)] say the same. */
static void arm_labels(gen_t *gen, gen_type_t *type, gen_member_t *arm)
{
    const gen_decl_t *decl = arm->decl;
    const gen_attr_t *cases = gen_attr_find(decl->attrs, "case");
    const gen_expr_t *labels =
        decl->labels != NULL ? decl->labels : (cases != NULL ? cases->args : NULL);
    int count = 0;
    arm->is_default = decl->is_default || gen_attr_find(decl->attrs, "default") != NULL;
    for (const gen_expr_t *label = labels; label != NULL; label = label->next) count++;
    if (count == 0 && !arm->is_default) {
        gen_error(&gen->diag, arm->pos, "write case 1: before it",
                  "an arm of a union without case or default");
    }
    arm->labels = gen_alloc(&gen->arena, ((size_t)count + 1) * sizeof arm->labels[0]);
    arm->label_pos = gen_alloc(&gen->arena, ((size_t)count + 1) * sizeof arm->label_pos[0]);
    for (const gen_expr_t *label = labels; label != NULL; label = label->next) {
        int64_t value = 0;
        if (!gen_constant(gen, label, &value)) continue;
        if (type->switch_type != NULL && !value_fits(type->switch_type, value)) {
            gen_error(&gen->diag, label->pos, NULL, "the discriminant cannot have this value");
        }
        arm->labels[arm->label_count] = value;
        arm->label_pos[arm->label_count++] = label->pos;
    }
}

static void check_arms(gen_t *gen, gen_type_t *type)
{
    gen_label_t *all;
    int count = 0, defaults = 0;
    bool has_field = false;
    for (const gen_member_t *arm = type->members; arm != NULL; arm = arm->next) {
        count += arm->label_count;
        if (arm->is_default && ++defaults > 1) {
            gen_error(&gen->diag, arm->pos, "remove one", "a second default");
        }
        has_field = has_field || arm->type != NULL;
    }
    if (!has_field) gen_error(&gen->diag, type->pos, "give it an arm", "a union without fields");
    all = gen_alloc(&gen->arena, ((size_t)count + 1) * sizeof all[0]);
    count = 0;
    for (const gen_member_t *arm = type->members; arm != NULL; arm = arm->next) {
        for (int i = 0; i < arm->label_count; i++) {
            all[count++] = (gen_label_t){ arm->labels[i], arm->label_pos[i] };
        }
    }
    qsort(all, (size_t)count, sizeof all[0], by_value);
    for (int i = 1; i < count; i++) {
        if (all[i].value != all[i - 1].value) continue;
        gen_error(&gen->diag, all[i].pos, "remove one of the two", "a second arm for the case %lld",
                  (long long)all[i].value);
    }
}

/* The type of [switch(int kind)] or [switch_type(int)]. */
static gen_type_t *discriminant_type(gen_t *gen, const gen_attr_t *attr)
{
    if (attr == NULL || attr->spec == NULL) return NULL;
    gen_type_t *type = gen_spec_type(gen, attr->spec, NULL);
    if (gen_bare(type)->kind != TY_ERROR && !gen_is_integer(type)) {
        gen_error(&gen->diag, attr->pos, NULL,
                  "a discriminant is an integer, an enum, a bool or a char");
    }
    return type;
}

static void union_arms(gen_t *gen, gen_type_t *type, const gen_spec_t *spec)
{
    gen_add_members(gen, type, spec->fields);
    for (gen_member_t *arm = type->members; arm != NULL; arm = arm->next)
        arm_labels(gen, type, arm);
    gen_check_open_arrays(gen, type);
    check_arms(gen, type);
    gen_layout(gen, type);
    type->complete = true;
}

/* A union with a discriminant of its own is a struct in C: the discriminant, and the union, named u. */
static gen_type_t *switched_union(gen_t *gen, gen_type_t *type, const gen_spec_t *spec,
                                  const gen_attr_t *attr)
{
    const char *inner_tag = GEN_TEXT(gen, "%s_u", type->name);
    gen_type_t *inner = gen_tagged(gen, TY_UNION, inner_tag, spec->pos, true);
    if (inner == NULL) return gen->error_type;
    type->kind = TY_STRUCT;
    type->c_name = GEN_TEXT(gen, "struct %s", type->name);
    type->switch_name = attr->ident;
    inner->switch_type = discriminant_type(gen, attr);
    union_arms(gen, inner, spec);
    gen_add_item(gen, ITEM_TAG, inner_tag)->type = inner;

    gen_member_t *kind = GEN_NEW(&gen->arena, gen_member_t),
                 *u = GEN_NEW(&gen->arena, gen_member_t);
    *kind = (gen_member_t){
        .name = attr->ident, .pos = attr->pos, .type = inner->switch_type, .next = u
    };
    *u = (gen_member_t){ .name = "u", .pos = spec->pos, .type = inner, .index = 1 };
    if (gen_member_name(gen, attr->ident, attr->pos) && strcmp(attr->ident, "u") == 0) {
        gen_error(&gen->diag, attr->pos, "choose another name",
                  "u is the name of the union itself");
    }
    gen_attr_t *is = GEN_NEW(&gen->arena, gen_attr_t);
    *is = (gen_attr_t){ .name = "switch_is", .pos = attr->pos };
    is->args = gen_expr_new(&gen->diag, OP_NAME, attr->pos, NULL, NULL);
    is->args->text = attr->ident;
    u->attrs = is;
    type->members = kind;
    gen_layout(gen, type);
    type->complete = true;
    gen_add_item(gen, ITEM_TAG, type->name)->type = type;
    return type;
}

gen_type_t *gen_union_type(gen_t *gen, gen_spec_t *spec, const char *tag)
{
    gen_type_t *type = gen_tagged(gen, TY_UNION, tag, spec->pos, spec->has_body);
    if (type == NULL) return gen->error_type;
    gen_check_attrs(gen, spec->attrs, spec->has_body ? " switch switch_type " : "", "a union");
    if (!spec->has_body) return type;
    const gen_attr_t *attr = gen_attr_find(spec->attrs, "switch");
    if (attr != NULL) return switched_union(gen, type, spec, attr);
    type->switch_type = discriminant_type(gen, gen_attr_find(spec->attrs, "switch_type"));
    union_arms(gen, type, spec);
    gen_add_item(gen, ITEM_TAG, tag)->type = type;
    return type;
}
