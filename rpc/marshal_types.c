/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about types: see marshal_types.h. Values in place nest as deep as the types do, so recursion
 * here is bounded by the interface. */
#include "marshal_types.h"

#include "marshal_wire.h"

bool byre__rpc_type_same_slowly(const byre_rpc_type_t *a, const byre_rpc_type_t *b)
{
    for (; a != b; a = a->element, b = b->element) {
        if (a->kind != b->kind || a->size != b->size || a->flags != b->flags) return false;
        switch (a->kind) {
        case BYRE_RPC_VOID:
        case BYRE_RPC_INT:
        case BYRE_RPC_BOOL:
        case BYRE_RPC_FLOAT:
            return true;
        case BYRE_RPC_STRING:
            return a->count == b->count;
        case BYRE_RPC_ARRAY:
            if (a->count != b->count || a->length_is != b->length_is || a->first_is != b->first_is)
                return false;
            break;
        case BYRE_RPC_POINTER:
            if (a->size_is != NULL || b->size_is != NULL || a->length_is != NULL ||
                b->length_is != NULL || a->count != b->count)
                return false;
            break;
        default: /* T1 of byre_rpc_types.h */
            return false;
        }
    }
    return true;
}

bool byre__rpc_type_has_pointers(const byre_rpc_type_t *type)
{
    if (byre__rpc_type_flat(type)) return false;
    switch (type->kind) {
    case BYRE_RPC_POINTER:
        return true;
    case BYRE_RPC_ARRAY:
    case BYRE_RPC_FLEX:
        return byre__rpc_type_has_pointers(type->element);
    case BYRE_RPC_STRUCT:
    case BYRE_RPC_UNION:
        for (uint32_t i = 0; i < type->count; i++)
            if (byre__rpc_type_has_pointers(type->fields[i].type)) return true;
        return false;
    default:
        return false;
    }
}

bool byre__rpc_type_has_attributes(const byre_rpc_type_t *type)
{
    if (type->size_is != NULL || byre__rpc_type_varying(type) || type->switch_is != NULL)
        return true;
    switch (type->kind) {
    case BYRE_RPC_ARRAY:
    case BYRE_RPC_FLEX:
        return byre__rpc_type_has_attributes(type->element);
    case BYRE_RPC_STRUCT:
    case BYRE_RPC_UNION:
        for (uint32_t i = 0; i < type->count; i++)
            if (byre__rpc_type_has_attributes(type->fields[i].type)) return true;
        return false;
    default:
        return false;
    }
}

size_t byre__rpc_type_least(const byre_rpc_type_t *type)
{
    if (byre__rpc_type_flat(type)) return type->size;
    switch (type->kind) {
    case BYRE_RPC_STRUCT: {
        size_t sum = 0;
        for (uint32_t i = 0; i < type->count; i++)
            sum += byre__rpc_type_least(type->fields[i].type);
        return sum;
    }
    case BYRE_RPC_ARRAY:
        return byre__rpc_type_varying(type) ? 16
                                            : type->count * byre__rpc_type_least(type->element);
    case BYRE_RPC_POINTER:
        return 4;
    case BYRE_RPC_CONTEXT:
        return sizeof(byre__rpc_wire_context_t);
    case BYRE_RPC_FLEX:
    case BYRE_RPC_STRING:
    case BYRE_RPC_UNION:
        return 8;
    default:
        return type->size;
    }
}

bool byre__rpc_enum_legal(const byre_rpc_type_t *type, int64_t value)
{
    uint32_t low = 0, high = type->count; /* T4 of byre_rpc_types.h: they ascend */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->values[middle] == value) return true;
        if (type->values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

const byre_rpc_field_t *byre__rpc_union_case(const byre_rpc_type_t *type, int64_t value)
{
    const byre_rpc_field_t *otherwise = NULL;
    for (uint32_t i = 0; i < type->count; i++) {
        if ((type->fields[i].direct & BYRE_RPC_DEFAULT_CASE) != 0)
            otherwise = &type->fields[i];
        else if (type->fields[i].value == value)
            return &type->fields[i];
    }
    return otherwise;
}

static const byre_rpc_field_t *field_at(const byre_rpc_type_t *type, size_t offset)
{
    for (uint32_t i = type->count; i-- > 0;) {
        const byre_rpc_field_t *field = &type->fields[i];
        if (offset < field->offset) continue;
        return offset - field->offset < field->type->size ? field : NULL;
    }
    return NULL;
}

size_t byre__rpc_type_room(const byre_rpc_type_t *type, size_t count, size_t flex, size_t offset,
                           const byre_rpc_type_t *want)
{
    while (type->size > 0 || byre__rpc_type_flex(type) != NULL) {
        const byre_rpc_field_t *last = byre__rpc_type_flex(type);
        if (last != NULL && count == 1 && offset >= last->offset) {
            type = last->type->element;
            count = flex;
            offset -= last->offset;
            continue;
        }
        if (type->size == 0 || offset / type->size >= count) return 0;
        size_t rest = offset % type->size;
        if (rest == 0 && byre__rpc_type_same(type, want)) return count - offset / type->size;
        if (type->kind == BYRE_RPC_STRUCT) {
            const byre_rpc_field_t *field = field_at(type, rest);
            if (field == NULL) return 0;
            type = field->type;
            count = 1;
            offset = rest - field->offset;
        } else if (type->kind == BYRE_RPC_ARRAY) {
            count = type->count;
            type = type->element;
            offset = rest;
        } else {
            return 0;
        }
    }
    return 0;
}

size_t byre__rpc_via_bytes(const byre_rpc_type_t *via, size_t count)
{
    if (byre__rpc_via_string(via)) return count;
    const byre_rpc_type_t *element = via->element;
    size_t before = 0;
    const byre_rpc_field_t *flex = byre__rpc_type_flex(element);
    size_t whole = flex != NULL ? element->size : 0;
    if (flex != NULL) {
        before = flex->offset;
        element = flex->type->element;
    }
    size_t bytes, each = element->size > 0 ? element->size : 1; /* count is bounded in any case */
    if (__builtin_mul_overflow(count, each, &bytes) || bytes > PTRDIFF_MAX - before)
        return SIZE_MAX;
    return before + bytes > whole ? before + bytes : whole;
}

bool byre__rpc_needs_graph(const byre_rpc_proc_t *proc)
{
    for (uint32_t i = 0; i < proc->param_count; i++) {
        const byre_rpc_type_t *type = proc->params[i].type;
        if (byre__rpc_is_pointer_param(proc, i)) {
            if ((type->flags & BYRE_RPC_F_REF) == 0) return true;
            if (byre__rpc_via_string(type)) continue;
            type = type->element;
        }
        if (byre__rpc_type_has_pointers(type)) return true;
    }
    return false;
}

bool byre__rpc_is_plain(const byre_rpc_proc_t *proc)
{
    for (uint32_t i = 0; i < proc->param_count; i++)
        if (byre__rpc_type_has_pointers(proc->params[i].type)) return false;
    return true;
}
