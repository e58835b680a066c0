/* SPDX-License-Identifier: BSD-3-Clause */
/* Types of declarations, and how C writes them. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define INTEGER(c, n, bytes, with_sign)                   \
    {                                                     \
        c, n, bytes, true, with_sign, false, false, false \
    }
static const struct {
    int words;
    gen_basic_t basic;
} basics[] = {
    { WORD_VOID, { "void", "void", 0, false, false, false, false, false } },
    { WORD_BOOL, { "bool", "bool", 1, false, false, true, false, false } },
    { WORD_CHAR, { "char", "char", 1, true, true, false, false, true } },
    { WORD_SIGNED + WORD_CHAR, { "signed char", "int8", 1, true, true, false, false, true } },
    { WORD_UNSIGNED + WORD_CHAR, { "unsigned char", "uint8", 1, true, false, false, false, true } },
    { WORD_SHORT, INTEGER("short", "int16", 2, true) },
    { WORD_UNSIGNED + WORD_SHORT, INTEGER("unsigned short", "uint16", 2, false) },
    { WORD_INT, INTEGER("int", "int32", 4, true) },
    { WORD_UNSIGNED, INTEGER("unsigned", "uint32", 4, false) },
    { WORD_LONG, INTEGER("long", "int64", 8, true) },
    { WORD_UNSIGNED + WORD_LONG, INTEGER("unsigned long", "uint64", 8, false) },
    { 2 * WORD_LONG, INTEGER("long long", "int64", 8, true) },
    { WORD_UNSIGNED + 2 * WORD_LONG, INTEGER("unsigned long long", "uint64", 8, false) },
    { WORD_FLOAT, { "float", "float", 4, false, true, false, true, false } },
    { WORD_DOUBLE, { "double", "double", 8, false, true, false, true, false } },
};

static const gen_basic_t named_basics[] = {
    INTEGER("int8_t", "int8", 1, true),    INTEGER("uint8_t", "uint8", 1, false),
    INTEGER("int16_t", "int16", 2, true),  INTEGER("uint16_t", "uint16", 2, false),
    INTEGER("int32_t", "int32", 4, true),  INTEGER("uint32_t", "uint32", 4, false),
    INTEGER("int64_t", "int64", 8, true),  INTEGER("uint64_t", "uint64", 8, false),
    INTEGER("size_t", "uint64", 8, false),
};

gen_type_t *gen_new_type(gen_t *gen, gen_kind_t kind, gen_pos_t pos)
{
    gen_type_t *type = GEN_NEW(&gen->arena, gen_type_t);
    type->kind = kind;
    type->pos = pos;
    type->unit = gen->unit;
    return type;
}

static gen_type_t *basic_type(gen_t *gen, const gen_basic_t *basic)
{
    gen_type_t *type = gen_new_type(gen, TY_BASIC, (gen_pos_t){ 0 });
    type->basic = basic;
    type->c_name = basic->c_name;
    return type;
}

gen_type_t *gen_basic_named(gen_t *gen, const char *name)
{
    for (size_t i = 0; i < sizeof named_basics / sizeof named_basics[0]; i++) {
        if (strcmp(named_basics[i].c_name, name) == 0) return basic_type(gen, &named_basics[i]);
    }
    return NULL;
}

static gen_type_t *basic_of_words(gen_t *gen, const gen_spec_t *spec)
{
    int words = spec->words;
    /* int beside another word says nothing, nor does signed, but for char. */
    if ((words & WORD_INT) != 0 && words != WORD_INT &&
        (words & ~(WORD_INT | WORD_SIGNED | WORD_UNSIGNED | WORD_SHORT | 3 * WORD_LONG)) == 0) {
        words -= WORD_INT;
    }
    if ((words & WORD_SIGNED) != 0 && words != WORD_SIGNED + WORD_CHAR) {
        words -= WORD_SIGNED;
        if (words == 0) words = WORD_INT;
    }
    for (size_t i = 0; i < sizeof basics / sizeof basics[0]; i++) {
        if (basics[i].words == words) return basic_type(gen, &basics[i].basic);
    }
    gen_error(&gen->diag, spec->pos, words == WORD_LONG + WORD_DOUBLE ? "use double" : NULL,
              words == WORD_LONG + WORD_DOUBLE ? "long double is not the same on all machines"
                                               : "there is no such type");
    return gen->error_type;
}

gen_item_t *gen_add_item(gen_t *gen, int kind, const char *name)
{
    gen_item_t *item = GEN_NEW(&gen->arena, gen_item_t);
    item->kind = kind;
    item->name = name;
    if (gen->unit == gen->first) {
        *gen->items_end = item;
        gen->items_end = &item->next;
    }
    return item;
}

/* ---- struct, union, enum ----------------------------------------------------------------------------- */

static const char *const tag_words[] = {
    [TY_STRUCT] = "struct", [TY_UNION] = "union", [TY_ENUM] = "enum"
};

/* The type of a tag; made, incomplete, if there is none. */
static gen_type_t *tagged(gen_t *gen, gen_kind_t kind, const char *tag, gen_pos_t pos,
                          bool has_body)
{
    gen_symbol_t *symbol = gen_lookup(gen, tag, SPACE_TAGS);
    if (symbol != NULL) {
        gen_type_t *type = symbol->type;
        bool same = type->kind == kind || (kind == TY_UNION && type->switch_name != NULL);
        if (!same || (has_body && type->complete)) {
            gen_error(&gen->diag, pos, "rename one of the two", "the tag %s is taken: see %s:%d",
                      tag, symbol->pos.source->path, symbol->pos.line);
            return NULL;
        }
        return type;
    }
    if (kind == TY_ENUM && !has_body) {
        gen_error(&gen->diag, pos, gen_nearest(gen, tag, SPACE_TAGS), "there is no enum %s", tag);
        return NULL;
    }
    if (++gen->type_count > GEN_MAX_TYPES) {
        gen_error(&gen->diag, pos, "split the interface", "more than %d types", GEN_MAX_TYPES);
        return NULL;
    }
    symbol = gen_declare(gen, tag, SPACE_TAGS, SYM_TYPE, pos);
    if (symbol == NULL) return NULL;
    gen_type_t *type = gen_new_type(gen, kind, pos);
    type->name = tag;
    type->c_name = GEN_TEXT(gen, "%s %s", tag_words[kind], tag);
    symbol->type = type;
    if (!has_body) gen_add_item(gen, ITEM_FORWARD, tag)->type = type;
    return type;
}

static void check_field_type(gen_t *gen, gen_member_t *member, gen_type_t *owner)
{
    gen_type_t *type = member->type, *bare = gen_bare(type);
    if (bare->kind == TY_ERROR) return;
    const char *what = owner->kind == TY_UNION ? "an arm" : "a field";
    if (bare->kind == TY_FUNCTION) {
        gen_error(&gen->diag, member->pos, "declare the procedure in the interface",
                  "%s cannot be a function", what);
    } else if (gen_is_void(type)) {
        gen_error(&gen->diag, member->pos, NULL, "%s of type void", what);
    } else if ((bare->kind == TY_STRUCT || bare->kind == TY_UNION) && !bare->complete) {
        gen_error(&gen->diag, member->pos, "define it before, or use a pointer to it",
                  "%s is not defined yet, so it cannot be %s", bare->c_name, what);
    } else if (bare->kind == TY_STRUCT && bare->flexible) {
        gen_error(&gen->diag, member->pos, "use a pointer to it",
                  "%s ends in an array of variable size, so it cannot be %s", bare->c_name, what);
    } else if (type->kind == TY_CONST) {
        gen_error(&gen->diag, member->pos, "leave const out", "%s that is const cannot be received",
                  what);
    } else {
        return;
    }
    member->type = gen->error_type;
}

static bool has_member(const gen_member_t *members, const char *name)
{
    while (members != NULL && strcmp(members->name, name) != 0) members = members->next;
    return members != NULL;
}

static void check_declared(gen_t *gen, gen_type_t *owner, gen_member_t *member,
                           const gen_declarator_t *declarator)
{
    if (has_member(owner->members, member->name)) {
        gen_error(&gen->diag, member->pos, "rename one of the two", "the name %s is taken here",
                  member->name);
    }
    if (declarator->bits != NULL) {
        gen_error(&gen->diag, declarator->bits->pos, "use a whole integer, or bits of one",
                  "bit-fields are laid out differently by each compiler");
    }
    check_field_type(gen, member, owner);
}

/* A field, or an arm; an arm may be empty: then there is no declarator. The end of the list. */
static gen_member_t **add_member(gen_t *gen, gen_type_t *owner, gen_member_t **end,
                                 const gen_decl_t *decl, const gen_declarator_t *declarator)
{
    gen_member_t *member = GEN_NEW(&gen->arena, gen_member_t);
    member->pos = declarator == NULL ? decl->pos : declarator->pos;
    member->name = declarator == NULL ? "" : declarator->name;
    member->attrs = decl->attrs;
    member->decl = decl;
    member->index = owner->member_count;
    if (declarator != NULL) {
        if (!gen_member_name(gen, member->name, member->pos)) return end;
        member->type = gen_declared_type(gen, decl->spec->made, decl->spec->is_const, declarator);
        check_declared(gen, owner, member, declarator);
    }
    if (owner->member_count++ == GEN_MAX_MEMBERS) {
        gen_error(&gen->diag, member->pos, "use structs within, or arrays", "more than %d fields",
                  GEN_MAX_MEMBERS);
    }
    if (owner->member_count > GEN_MAX_MEMBERS) return end;
    *end = member;
    return &member->next;
}

/* Fields of a struct, arms of a union. */
static void add_members(gen_t *gen, gen_type_t *owner, const gen_decl_t *fields)
{
    gen_member_t **end = &owner->members;
    for (const gen_decl_t *decl = fields; decl != NULL; decl = decl->next) {
        const gen_declarator_t *declarator = decl->declarators;
        if (decl->spec == NULL) {
            end = add_member(gen, owner, end, decl, NULL);
            continue;
        }
        gen_spec_type(gen, decl->spec, NULL);
        if (declarator == NULL) {
            gen_error(&gen->diag, decl->pos, "give it a name", "this declares no field");
        } else if (owner->kind == TY_UNION && declarator->next != NULL) {
            gen_error(&gen->diag, declarator->next->pos, "put them into a struct",
                      "an arm has one field");
        }
        for (; declarator != NULL; declarator = declarator->next) {
            end = add_member(gen, owner, end, decl, declarator);
        }
    }
}

/* Only the last field may be an array of open size. */
static void check_open_arrays(gen_t *gen, gen_type_t *type)
{
    for (gen_member_t *member = type->members; member != NULL; member = member->next) {
        gen_type_t *bare = gen_bare(member->type == NULL ? gen->error_type : member->type);
        if (bare->kind != TY_ARRAY || bare->count >= 0) continue;
        if (member->next == NULL && type->kind == TY_STRUCT && member != type->members) {
            type->flexible = true;
        } else {
            gen_error(&gen->diag, member->pos, "move it to the end, or use a pointer with size_is",
                      "an array of open size can only be the last field of a struct with others "
                      "before it");
            member->type = gen->error_type;
        }
    }
}

static gen_type_t *struct_type(gen_t *gen, gen_spec_t *spec, const char *tag)
{
    gen_type_t *type = tagged(gen, TY_STRUCT, tag, spec->pos, spec->has_body);
    if (type == NULL) return gen->error_type;
    if (!spec->has_body) return type;
    gen_check_attrs(gen, spec->attrs, "", "a struct");
    add_members(gen, type, spec->fields);
    type->complete = true;
    if (type->members == NULL) {
        gen_error(&gen->diag, spec->pos, "give it a field", "a struct without fields");
    }
    check_open_arrays(gen, type);
    gen_layout(gen, type);
    gen_add_item(gen, ITEM_TAG, tag)->type = type;
    return type;
}

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
    add_members(gen, type, spec->fields);
    for (gen_member_t *arm = type->members; arm != NULL; arm = arm->next)
        arm_labels(gen, type, arm);
    check_open_arrays(gen, type);
    check_arms(gen, type);
    gen_layout(gen, type);
    type->complete = true;
}

/* A union with a discriminant of its own is a struct in C: the discriminant, and the union, named u. */
static gen_type_t *switched_union(gen_t *gen, gen_type_t *type, const gen_spec_t *spec,
                                  const gen_attr_t *attr)
{
    const char *inner_tag = GEN_TEXT(gen, "%s_u", type->name);
    gen_type_t *inner = tagged(gen, TY_UNION, inner_tag, spec->pos, true);
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

static gen_type_t *union_type(gen_t *gen, gen_spec_t *spec, const char *tag)
{
    gen_type_t *type = tagged(gen, TY_UNION, tag, spec->pos, spec->has_body);
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

static void enum_values(gen_t *gen, gen_type_t *type, const gen_spec_t *spec)
{
    gen_value_t **end = &type->values;
    int64_t value = 0;
    int count = 0;
    for (const gen_enumerator_t *e = spec->values; e != NULL; e = e->next, value++) {
        if (e->value != NULL && !gen_constant(gen, e->value, &value)) continue;
        if (value < INT32_MIN || value > INT32_MAX) {
            gen_error(&gen->diag, e->pos, "use const",
                      "the value %lld of %s does not fit in an int", (long long)value, e->name);
            value = 0;
        }
        if (++count > GEN_MAX_MEMBERS) {
            gen_error(&gen->diag, e->pos, "use const", "more than %d values", GEN_MAX_MEMBERS);
            break;
        }
        gen_symbol_t *symbol = gen_declare(gen, e->name, SPACE_NAMES, SYM_CONST, e->pos);
        if (symbol != NULL) {
            symbol->is_number = true;
            symbol->value = value;
        }
        gen_value_t *v = GEN_NEW(&gen->arena, gen_value_t);
        *v = (gen_value_t){ .name = e->name, .value = value };
        *end = v;
        end = &v->next;
    }
}

static gen_type_t *enum_type(gen_t *gen, gen_spec_t *spec, const char *tag)
{
    gen_type_t *type = tag == NULL ? gen_new_type(gen, TY_ENUM, spec->pos)
                                   : tagged(gen, TY_ENUM, tag, spec->pos, spec->has_body);
    if (type == NULL) return gen->error_type;
    if (!spec->has_body) return type;
    enum_values(gen, type, spec);
    type->complete = true;
    gen_add_item(gen, ITEM_TAG, tag)->type = type;
    return type;
}

static gen_type_t *named_type(gen_t *gen, const gen_spec_t *spec)
{
    const gen_symbol_t *symbol = gen_lookup(gen, spec->name, SPACE_NAMES);
    if (symbol != NULL && symbol->kind == SYM_TYPE && symbol->type != NULL) return symbol->type;
    const gen_symbol_t *tag = gen_lookup(gen, spec->name, SPACE_TAGS);
    const char *remedy = NULL;
    if (symbol == NULL && tag != NULL && tag->type != NULL) {
        remedy = GEN_TEXT(gen, "write %s", tag->type->c_name);
    } else if (symbol == NULL) {
        remedy = gen_nearest(gen, spec->name, SPACE_NAMES);
    }
    gen_error(&gen->diag, spec->pos, remedy,
              symbol == NULL ? "there is no type %s" : "%s is not a type", spec->name);
    return gen->error_type;
}

gen_type_t *gen_spec_type(gen_t *gen, gen_spec_t *spec, const char *typedef_name)
{
    if (spec->made != NULL) return spec->made;
    const char *tag = spec->name != NULL ? spec->name : typedef_name;
    if (tag == NULL && (spec->kind == SPEC_STRUCT || spec->kind == SPEC_UNION)) {
        gen_error(&gen->diag, spec->pos, "give it a tag",
                  "a struct or union needs a name to be spoken of");
        return spec->made = gen->error_type;
    }
    switch (spec->kind) {
    case SPEC_BASIC:
        spec->made = basic_of_words(gen, spec);
        break;
    case SPEC_NAME:
        spec->made = named_type(gen, spec);
        break;
    case SPEC_STRUCT:
        spec->made = struct_type(gen, spec, tag);
        break;
    case SPEC_UNION:
        spec->made = union_type(gen, spec, tag);
        break;
    case SPEC_ENUM:
        spec->made = enum_type(gen, spec, tag);
        break;
    }
    return spec->made;
}

/* ---- declarators --------------------------------------------------------------------------------------- */

static gen_type_t *derived(gen_t *gen, gen_kind_t kind, gen_type_t *element, gen_pos_t pos)
{
    gen_type_t *type = gen_new_type(gen, kind, pos);
    type->element = element;
    type->depth = element->depth + (kind == TY_POINTER || kind == TY_ARRAY);
    if (type->depth > GEN_MAX_LEVELS) {
        gen_error(&gen->diag, pos, "use structs",
                  "more than %d pointers and arrays within one another", GEN_MAX_LEVELS);
        return gen->error_type;
    }
    return type;
}

gen_type_t *gen_pointer_to(gen_t *gen, gen_type_t *element, gen_pos_t pos)
{
    return derived(gen, TY_POINTER, element, pos);
}

static gen_type_t *array_of(gen_t *gen, gen_type_t *element, const gen_level_t *level)
{
    gen_type_t *bare = gen_bare(element);
    int64_t count = -1;
    if (level->size != NULL && !gen_constant(gen, level->size, &count)) return gen->error_type;
    if (level->size != NULL && (count < 1 || count > 1 << 30)) {
        gen_error(&gen->diag, level->size->pos, NULL,
                  "an array has 1 to 1073741824 elements, not %lld", (long long)count);
        return gen->error_type;
    }
    if (bare->kind == TY_ARRAY && bare->count < 0) {
        gen_error(&gen->diag, level->pos, "give a number, or use pointers with size_is",
                  "only the first dimension of an array can be open");
        return gen->error_type;
    }
    bool incomplete =
        (bare->kind == TY_STRUCT || bare->kind == TY_UNION) && (!bare->complete || bare->flexible);
    if (incomplete || bare->kind == TY_FUNCTION || gen_is_void(element)) {
        gen_error(&gen->diag, level->pos,
                  incomplete ? "define it before, or use an array of pointers" : NULL,
                  "there are no arrays of this type: its size is not known");
        return gen->error_type;
    }
    if (count > 0 && gen_size(element) > (size_t)((1 << 30) / count)) {
        gen_error(&gen->diag, level->pos, "use a pointer with size_is",
                  "the array is larger than 1 GiB");
        return gen->error_type;
    }
    gen_type_t *type = derived(gen, TY_ARRAY, element, level->pos);
    type->count = count;
    return type;
}

static gen_type_t *level_type(gen_t *gen, gen_type_t *base, const gen_level_t *level)
{
    if (level == NULL) return base;
    gen_type_t *element = level_type(gen, base, level->next);
    if (element->kind == TY_ERROR) return element;
    if (level->kind == LEVEL_ARRAY) return array_of(gen, element, level);
    if (level->kind == LEVEL_FUNCTION) {
        return derived(gen, TY_FUNCTION, element, level->pos);
    }
    gen_type_t *type = derived(gen, TY_POINTER, element, level->pos);
    return level->is_const && type->kind != TY_ERROR ? derived(gen, TY_CONST, type, level->pos)
                                                     : type;
}

gen_type_t *gen_declared_type(gen_t *gen, gen_type_t *base, bool is_const,
                              const gen_declarator_t *declarator)
{
    if (base->kind == TY_ERROR) return base;
    if (is_const) base = derived(gen, TY_CONST, base, declarator->pos);
    return level_type(gen, base, declarator->levels);
}

const char *gen_c_decl(gen_t *gen, const gen_type_t *type, const char *name)
{
    bool is_const = false;
    for (;;) {
        if (type->kind == TY_CONST) {
            is_const = true;
            type = type->element;
        } else if (type->kind == TY_POINTER) {
            const gen_type_t *element = type->element;
            name = GEN_TEXT(gen, "*%s%s", is_const ? "const " : "", name);
            if (element->kind == TY_ARRAY || element->kind == TY_FUNCTION)
                name = GEN_TEXT(gen, "(%s)", name);
            is_const = false;
            type = element;
        } else if (type->kind == TY_ARRAY) {
            name = type->count < 0 ? GEN_TEXT(gen, "%s[]", name)
                                   : GEN_TEXT(gen, "%s[%lld]", name, (long long)type->count);
            type = type->element;
        } else {
            const char *space = name[0] == 0 || name[0] == '[' || name[0] == ')' ? "" : " ";
            return GEN_TEXT(gen, "%s%s%s%s", is_const ? "const " : "", type->c_name, space, name);
        }
    }
}
