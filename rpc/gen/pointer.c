/* SPDX-License-Identifier: BSD-3-Clause */
/* Pointers, arrays and strings, as they travel. */
#include "build.h"

#include <byre_rpc_types.h>
#include <string.h>

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
    gen_add_formulas(b, wire, level, false);
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

/* ref, unique or ptr. */
static int kind_of(const gen_build_t *b, int level, int alias_kind)
{
    int kind = level == 0 && b->pointer_kind != 0 ? b->pointer_kind : alias_kind;
    if (kind == 0) kind = level == 0 && b->is_param ? BYRE_RPC_F_REF : b->gen->pointer_default;
    bool by_default = b->is_result && level == 0 && b->pointer_kind == 0;
    return by_default && kind == BYRE_RPC_F_REF ? BYRE_RPC_F_UNIQUE : kind;
}

/* How many elements: false, and said, if nobody knows. */
static bool sized(gen_build_t *b, gen_wire_t *wire, const gen_type_t *type, int level)
{
    gen_diag_t *diag = &b->gen->diag;
    if (type->kind == TY_ARRAY && type->count >= 0) {
        if (gen_nth(b->size_is, level) != NULL) {
            gen_error(diag, b->member->pos, "write length_is, or leave the size in [ ] out",
                      "the array has a size already");
            b->size_used |= 1u << level;
        }
        wire->size_is = gen_constant_size(b, type->count, type->pos);
    }
    gen_add_formulas(b, wire, level, false);
    if (type->kind == TY_ARRAY && wire->size_is == NULL) {
        gen_error(diag, b->member->pos,
                  is_char(type->element) ? "write [string] or [size_is(n)]" : "write [size_is(n)]",
                  "nobody knows how many elements %s has", b->member->name);
        return false;
    }
    return true;
}

/* Can this be sent? If not, it is said why. */
static bool check_pointee(gen_build_t *b, const gen_wire_t *wire, gen_type_t *element, int level)
{
    gen_type_t *bare = gen_bare(element);
    const char *name = b->member->name, *text = NULL, *remedy = NULL;
    bool out = (b->member->direct & BYRE_RPC_OUT) != 0, sized = wire->size_is != NULL;
    bool flexible = bare->kind == TY_STRUCT && bare->flexible;
    if (bare->kind == TY_FUNCTION) {
        text = "a function means nothing on another rank";
        remedy = "use a number that both sides give a meaning";
    } else if (gen_is_void(element) && !sized) {
        text = "nobody knows what void * points to, nor how much of it";
        remedy = "write [bulk, size_is(bytes)], or the type that it points to";
    } else if (bare->kind == TY_BASIC && strcmp(bare->basic->c_name, "char") == 0 && !sized &&
               !out) {
        text = GEN_TEXT(b->gen, "is char *%s a string?", name);
        remedy = "write [string], or [size_is(1)] for one character";
    } else if (flexible && sized) {
        text = "elements of variable size do not make an array";
        remedy = "use pointers: struct **";
    } else if (flexible && b->is_param && b->member->direct == BYRE_RPC_OUT && level == 0) {
        text = GEN_TEXT(b->gen, "the server cannot know how large %s is", name);
        remedy = "make it [in, out], or a pointer to a pointer";
    }
    if (text != NULL) gen_error(&b->gen->diag, b->member->pos, remedy, "%s", text);
    return text == NULL;
}

/* A pointer, or an array that is a parameter. */
gen_wire_t *gen_pointer_wire(gen_build_t *b, gen_type_t *type, int level, int alias_kind)
{
    gen_t *gen = b->gen;
    gen_type_t *element = type->element, *bare = gen_bare(element);
    gen_wire_t *wire =
        gen_new_wire(gen, BYRE_RPC_POINTER, b->member->name, level_id(b, level), NULL);
    wire->size = wire->align = 8;
    wire->pos = b->member->pos;
    wire->flags |= kind_of(b, level, alias_kind);
    if (level == 0) b->pointer_used = true;
    check_pointer_kind(b, wire, level);
    if ((b->string != NULL || b->alias_string) && is_char(element)) {
        string_pointer(b, wire, type, level);
        wire->element = gen_basic_wire(gen, bare);
        return wire;
    }
    if (!sized(b, wire, type, level)) return NULL;
    if (b->bulk != NULL && bare->kind != TY_POINTER && bare->kind != TY_ARRAY) {
        b->bulk_used = wire->size_is != NULL;
        wire->flags |= BYRE_RPC_F_BULK;
    }
    if (!check_pointee(b, wire, element, level)) return NULL;
    wire->element =
        gen_is_void(element) ? gen_byte_wire(gen) : gen_build(b, element, level + 1, true);
    return wire->element == NULL ? NULL : wire;
}

gen_wire_t *gen_array_wire(gen_build_t *b, gen_type_t *type, int level, bool behind_pointer)
{
    gen_t *gen = b->gen;
    bool string = (b->string != NULL || b->alias_string) && is_char(type->element);
    gen_wire_t *wire = gen_new_wire(gen, BYRE_RPC_ARRAY, b->member->name, level_id(b, level), type);
    wire->pos = b->member->pos;
    wire->count = type->count;
    wire->element = string ? gen_basic_wire(gen, gen_bare(type->element)) : NULL;
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
    gen_add_formulas(b, wire, level, !b->container->is_frame);
    if (wire->kind == BYRE_RPC_FLEX && wire->size_is == NULL) {
        if (gen_nth(b->size_is, level) == NULL) {
            gen_error(&gen->diag, b->member->pos, "write [size_is(n)]",
                      "nobody knows how many elements %s has", b->member->name);
        }
        return NULL;
    }
    wire->element = gen_build(b, type->element, level + 1, behind_pointer);
    return wire->element == NULL ? NULL : wire;
}
