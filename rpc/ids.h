/* SPDX-License-Identifier: BSD-3-Clause */
/* The active messages of rpc: BYRE__AM_PARTS + 48 ... 79. */
#ifndef BYRE__RPC_IDS_H
#define BYRE__RPC_IDS_H

#include "am.h"

enum {
    BYRE__AM_RPC_CALL = BYRE__AM_PARTS + 48, /* serve.c: byre__rpc_wire_call_t */
    BYRE__AM_RPC_REPLY,                      /* slot.c: byre__rpc_wire_reply_t */
    BYRE__AM_RPC_TAKEN,                      /* filter.c: the client has a large reply */
    BYRE__AM_RPC_GIVEN_UP,                   /* serve.c: the client waits no longer */
    BYRE__AM_RPC_NAME,                       /* names.c: an entry comes or goes */
    BYRE__AM_RPC_NAME_ACK,                   /* names.c */
    BYRE__AM_RPC_SHARED,                     /* shared.c: where are an interface's variables? */
    BYRE__AM_RPC_SHARED_AT                   /* shared.c: there */
};

#endif
