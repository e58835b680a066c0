/* SPDX-License-Identifier: BSD-3-Clause */
/* From declarators to types, and from types to what C writes. */
#include "model.h"

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
