/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions about types that marshalling asks. None looks at a value. */
#ifndef BYRE__RPC_MARSHAL_TYPES_H
#define BYRE__RPC_MARSHAL_TYPES_H

#include "marshal.h"

/* Do pointers to the one and to the other point to the same kind of thing? */
bool byre__rpc_type_same_slowly(const byre_rpc_type_t *a, const byre_rpc_type_t *b);
static inline bool byre__rpc_type_same(const byre_rpc_type_t *a, const byre_rpc_type_t *b)
{
    return a == b || byre__rpc_type_same_slowly(a, b);
}

/* Is there a pointer in the value itself? */
bool byre__rpc_type_has_pointers(const byre_rpc_type_t *type);
/* Does a field of the struct, in place, depend on another one? */
bool byre__rpc_type_has_attributes(const byre_rpc_type_t *type);
/* The bytes of a message that a value takes at least: what is promised must be there. */
size_t byre__rpc_type_least(const byre_rpc_type_t *type);

/* How many of `want` lie in a row at `offset` of `count` of `type`; `flex` elements end the only one. 0:
 * something else lies there. */
size_t byre__rpc_type_room(const byre_rpc_type_t *type, size_t count, size_t flex, size_t offset,
                           const byre_rpc_type_t *want);

/* The field of variable length at the end of a struct, or NULL. */
static inline const byre_rpc_field_t *byre__rpc_type_flex(const byre_rpc_type_t *type)
{
    if (type->kind != BYRE_RPC_STRUCT || type->count == 0) return NULL;
    const byre_rpc_field_t *last = &type->fields[type->count - 1];
    return last->type->kind == BYRE_RPC_FLEX ? last : NULL;
}

static inline bool byre__rpc_type_flat(const byre_rpc_type_t *type)
{
    return (type->flags & BYRE_RPC_F_FLAT) != 0 || type->kind == BYRE_RPC_VOID;
}

/* Do only some of the elements travel? */
static inline bool byre__rpc_type_varying(const byre_rpc_type_t *type)
{
    return type->length_is != NULL || type->first_is != NULL;
}

bool byre__rpc_enum_legal(const byre_rpc_type_t *type, int64_t value);
/* The case that a discriminant selects; NULL: none. */
const byre_rpc_field_t *byre__rpc_union_case(const byre_rpc_type_t *type, int64_t value);

/* ---- pointers ---------------------------------------------------------------------------------- */

static inline bool byre__rpc_via_string(const byre_rpc_type_t *via)
{
    return (via->flags & BYRE_RPC_F_STRING) != 0;
}

/* Does a count go with a reference to an object? */
static inline bool byre__rpc_via_counted(const byre_rpc_type_t *via)
{
    return via->size_is != NULL || byre__rpc_via_string(via) ||
           byre__rpc_type_flex(via->element) != NULL;
}

/* Can an object only be understood with the container of its pointer at hand? */
static inline bool byre__rpc_via_owned(const byre_rpc_type_t *via)
{
    if (byre__rpc_via_string(via)) return false;
    if (byre__rpc_type_varying(via)) return true;
    const byre_rpc_type_t *element = via->element;
    while (element->kind == BYRE_RPC_ARRAY && !byre__rpc_type_varying(element))
        element = element->element;
    return element->kind == BYRE_RPC_UNION || element->kind == BYRE_RPC_POINTER ||
           element->kind == BYRE_RPC_ARRAY;
}

/* Bytes of `count` elements (the last field's, if the struct ends in one of variable length);
 * SIZE_MAX: too many. */
size_t byre__rpc_via_bytes(const byre_rpc_type_t *via, size_t count);

/* ---- procedures -------------------------------------------------------------------------------- */

static inline bool byre__rpc_is_result(const byre_rpc_proc_t *proc, uint32_t param)
{
    return param == proc->param_count - 1 && proc->params[param].name[0] == '\0';
}

/* A pointer that the caller passes: what it points to is the argument. */
static inline bool byre__rpc_is_pointer_param(const byre_rpc_proc_t *proc, uint32_t param)
{
    return proc->params[param].type->kind == BYRE_RPC_POINTER && !byre__rpc_is_result(proc, param);
}

/* Are there other pointers than [ref] parameters to values without pointers? */
bool byre__rpc_needs_graph(const byre_rpc_proc_t *proc);

#endif
