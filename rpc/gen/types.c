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
gen_type_t *gen_tagged(gen_t *gen, gen_kind_t kind, const char *tag, gen_pos_t pos, bool has_body)
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

static gen_type_t *struct_type(gen_t *gen, gen_spec_t *spec, const char *tag)
{
    gen_type_t *type = gen_tagged(gen, TY_STRUCT, tag, spec->pos, spec->has_body);
    if (type == NULL) return gen->error_type;
    if (!spec->has_body) return type;
    gen_check_attrs(gen, spec->attrs, "", "a struct");
    gen_add_members(gen, type, spec->fields);
    type->complete = true;
    if (type->members == NULL) {
        gen_error(&gen->diag, spec->pos, "give it a field", "a struct without fields");
    }
    gen_check_open_arrays(gen, type);
    gen_layout(gen, type);
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
                                   : gen_tagged(gen, TY_ENUM, tag, spec->pos, spec->has_body);
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
        spec->made = gen_union_type(gen, spec, tag);
        break;
    case SPEC_ENUM:
        spec->made = enum_type(gen, spec, tag);
        break;
    }
    return spec->made;
}
