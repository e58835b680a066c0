/* SPDX-License-Identifier: BSD-3-Clause */
/* What procedures are like, found out once for each interface that is exported or bound. */
#include "calls.h"

#include <stdlib.h>

enum { DEPTH = 8 };

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

byre__rpc_look_t *byre__rpc_inspect(const byre_rpc_interface_t *interface)
{
    byre__rpc_look_t *looks = calloc(interface->proc_count + 1, sizeof *looks);
    for (uint32_t i = 0; looks != NULL && i < interface->proc_count; i++) {
        const byre_rpc_proc_t *proc = &interface->procs[i];
        looks[i].plain = byre__rpc_is_plain(proc);
        for (uint32_t p = 0; p < proc->param_count; p++)
            looks[i].contexts |= has_context(proc->params[p].type, 0);
    }
    return looks;
}

bool byre__rpc_interface_is_valid(const byre_rpc_interface_t *interface)
{
    return interface != NULL && interface->name != NULL && interface->name[0] != 0 &&
           (interface->procs != NULL || interface->proc_count == 0) &&
           interface->proc_count <= UINT16_MAX;
}
