/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and offsets as every ABI with 64-bit pointers and longs has them on Linux. The stubs assert them. */
#include "model.h"

enum { LARGEST = 1 << 30 };

gen_type_t *gen_bare(gen_type_t *type)
{
    while (type->kind == TY_ALIAS || type->kind == TY_CONST) type = type->element;
    return type;
}

bool gen_is_integer(gen_type_t *type)
{
    type = gen_bare(type);
    return type->kind == TY_ENUM ||
           (type->kind == TY_BASIC && (type->basic->is_integer || type->basic->is_bool));
}

bool gen_is_void(gen_type_t *type)
{
    type = gen_bare(type);
    return type->kind == TY_BASIC && type->basic->size == 0;
}

size_t gen_size(gen_type_t *type)
{
    type = gen_bare(type);
    switch (type->kind) {
    case TY_BASIC:
        return type->basic->size;
    case TY_ENUM:
        return 4;
    case TY_POINTER:
        return 8;
    case TY_STRUCT:
    case TY_UNION:
        return type->size;
    case TY_ARRAY:
        return type->count < 0 ? 0 : (size_t)type->count * gen_size(type->element);
    default:
        return 0;
    }
}

size_t gen_align(gen_type_t *type)
{
    type = gen_bare(type);
    switch (type->kind) {
    case TY_BASIC:
        return type->basic->size == 0 ? 1 : type->basic->size;
    case TY_ENUM:
        return 4;
    case TY_POINTER:
        return 8;
    case TY_STRUCT:
    case TY_UNION:
        return type->align == 0 ? 1 : type->align;
    case TY_ARRAY:
        return gen_align(type->element);
    default:
        return 1;
    }
}

bool gen_layout(gen_t *gen, gen_type_t *type)
{
    size_t end = 0;
    type->align = 1;
    for (gen_member_t *member = type->members; member != NULL; member = member->next) {
        if (member->type == NULL) continue;
        size_t size = gen_size(member->type), align = gen_align(member->type);
        if (align > type->align) type->align = align;
        gen_type_t *inner = gen_bare(member->type);
        while (inner->kind == TY_ARRAY) inner = gen_bare(inner->element);
        if (inner->kind == TY_POINTER || inner->has_pointer) type->has_pointer = true;
        if (type->kind == TY_UNION) {
            if (size > end) end = size;
        } else {
            member->offset = (end + align - 1) / align * align;
            end = member->offset + size;
        }
        if (end > LARGEST) {
            gen_error(&gen->diag, member->pos, "use a pointer with size_is",
                      "the type becomes larger than 1 GiB");
            type->size = 1;
            return false;
        }
    }
    type->size = (end + type->align - 1) / type->align * type->align;
    return true;
}
