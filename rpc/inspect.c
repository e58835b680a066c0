/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What procedures are like, found out once for each interface that is exported or bound.
 *
 * A procedure whose parameters are small values and one [ref] array of plain bytes can have the array travel
 * apart: not packed with the others, but as bulk payload, from the caller's memory to the memory that the
 * procedure works on, and back. Then the others are packed as if the procedure were without it (`rest`).
 */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 8, SMALL = 256 };

/* Context handles are parameters, or a parameter points to one. */
static bool has_context(const byre_rpc_type_t *type, int depth)
{
    if (type == NULL || depth == DEPTH) return false;
    if (type->kind == BYRE_RPC_CONTEXT) return true;
    if (type->kind == BYRE_RPC_STRUCT || type->kind == BYRE_RPC_UNION) {
        for (uint32_t i = 0; i < type->count; i++)
            if (has_context(type->fields[i].type, depth + 1)) return true;
        return false;
    }
    return has_context(type->element, depth + 1);
}

static bool is_bulk(const byre_rpc_field_t *param)
{
    const uint8_t wanted = BYRE_RPC_F_REF | BYRE_RPC_F_BULK;
    const byre_rpc_type_t *type = param->type;
    return type->kind == BYRE_RPC_POINTER && (type->flags & wanted) == wanted &&
           type->size_is != NULL && type->length_is == NULL && type->first_is == NULL &&
           type->element != NULL && type->element->size > 0;
}

static bool is_small(const byre_rpc_field_t *param)
{
    const byre_rpc_type_t *type = param->type;
    return type->kind == BYRE_RPC_INT || type->kind == BYRE_RPC_BOOL ||
           type->kind == BYRE_RPC_ENUM || type->kind == BYRE_RPC_FLOAT ||
           type->kind == BYRE_RPC_VOID;
}

static void look_for_bulk(const byre_rpc_proc_t *proc, byre__rpc_look_t *look)
{
    const byre_rpc_field_t *bulk = NULL;
    for (uint32_t i = 0; i < proc->param_count; i++) {
        if (is_small(&proc->params[i])) continue;
        if (bulk != NULL || !is_bulk(&proc->params[i])) return;
        bulk = &proc->params[i];
    }
    if (bulk == NULL || proc->param_count > SMALL) return;
    byre_rpc_field_t *others = malloc(proc->param_count * sizeof *others);
    if (others == NULL) return; /* then it does not */
    uint32_t count = 0;
    for (uint32_t i = 0; i < proc->param_count; i++)
        if (&proc->params[i] != bulk) others[count++] = proc->params[i];
    look->rest = *proc;
    look->rest.params = others;
    look->rest.param_count = count;
    look->bulk = bulk;
}

size_t byre__rpc_bulk_of(const byre__rpc_look_t *look, const void *frame, void **array_out)
{
    const byre_rpc_type_t *type = look->bulk->type;
    int64_t count = type->size_is(frame);
    memcpy(array_out, (const char *)frame + look->bulk->offset, sizeof *array_out);
    if (count <= 0 || (uint64_t)count > PTRDIFF_MAX / type->element->size) return 0;
    return (size_t)count * type->element->size;
}

byre__rpc_look_t *byre__rpc_inspect(const byre_rpc_interface_t *interface)
{
    byre__rpc_look_t *looks = calloc(interface->proc_count + 1, sizeof *looks);
    for (uint32_t i = 0; looks != NULL && i < interface->proc_count; i++) {
        const byre_rpc_proc_t *proc = &interface->procs[i];
        for (uint32_t p = 0; p < proc->param_count; p++)
            looks[i].contexts |= has_context(proc->params[p].type, 0);
        look_for_bulk(proc, &looks[i]);
    }
    return looks;
}

void byre__rpc_looks_free(byre__rpc_look_t *looks, const byre_rpc_interface_t *interface)
{
    for (uint32_t i = 0; looks != NULL && i < interface->proc_count; i++)
        if (looks[i].bulk != NULL) free((void *)(uintptr_t)looks[i].rest.params);
    free(looks);
}

bool byre__rpc_interface_is_valid(const byre_rpc_interface_t *interface)
{
    return interface != NULL && interface->name != NULL && interface->name[0] != 0 &&
           (interface->procs != NULL || interface->proc_count == 0) &&
           interface->proc_count <= UINT16_MAX;
}
