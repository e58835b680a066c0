/* SPDX-License-Identifier: BSD-3-Clause */
/* Which objects lie inside others. Described in graph_roots.c. */
#ifndef BYRE__RPC_GRAPH_ROOTS_H
#define BYRE__RPC_GRAPH_ROOTS_H

#include "graph.h"

/* The pointer types of a procedure, in an order that both sides agree on. */
typedef struct byre__rpc_codes {
    const byre_rpc_type_t **types;
    uint32_t count, room;
} byre__rpc_codes_t;
int byre__rpc_codes_init(byre__rpc_codes_t *codes, const byre_rpc_proc_t *proc);
void byre__rpc_codes_fini(byre__rpc_codes_t *codes);
/* UINT32_MAX: not among them. */
uint32_t byre__rpc_code_of(const byre__rpc_codes_t *codes, const byre_rpc_type_t *via);

typedef struct byre__rpc_roots {
    byre__rpc_graph_t *found; /* by the first writing */
    uint32_t *root;           /* of each object found: the one that it lies in, or itself */
    uint32_t *number;         /* of each root: its id in the message, or BYRE__RPC_NO_OBJECT */
    byre__rpc_codes_t codes;
} byre__rpc_roots_t;

/* Objects of `found` below `known` have their numbers. *inside_out: does any lie in another? Roots that were
 * parts of one array are one afterwards. */
int byre__rpc_roots_init(byre__rpc_roots_t *roots, byre__rpc_graph_t *found, uint32_t known,
                         const byre_rpc_proc_t *proc, bool *inside_out);
void byre__rpc_roots_fini(byre__rpc_roots_t *roots);

#endif
