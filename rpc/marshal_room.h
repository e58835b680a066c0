/* SPDX-License-Identifier: BSD-3-Clause */
/* What calls and their replies agree on without a graph: M1 of marshal.c. */
#ifndef BYRE__RPC_MARSHAL_ROOM_H
#define BYRE__RPC_MARSHAL_ROOM_H

#include "marshal.h"

enum { BYRE__RPC_ROOM_HEAD = 16 }; /* before the memory of a parameter at the server: its count */

/* How many a pointer parameter leads to, at the client. */
int byre__rpc_param_extent(const byre_rpc_proc_t *proc, uint32_t param, const void *frame,
                           size_t *count_out);

#endif
