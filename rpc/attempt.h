/* SPDX-License-Identifier: BSD-3-Clause */
/* A call at its client (call.c), and an attempt to have a server run it (attempt.c). */
#ifndef BYRE__RPC_ATTEMPT_H
#define BYRE__RPC_ATTEMPT_H

#include "calls.h"

typedef struct byre__rpc_call {
    byre_rpc_binding_t binding;
    const byre_rpc_proc_t *proc;
    void *frame;
    byre__rpc_slot_t *slot; /* NULL: not sent */
    uint64_t id;
    uint64_t deadline_ns; /* 0: none */
    byre__rpc_target_t target;
    byre__rpc_bytes_t bytes;
    byre__rpc_graph_t *graph;
    void *array; /* the bulk array, if it travels apart */
    size_t array_bytes;
    uint32_t number;
    bool contexts;
    bool may_have_run;
    _Atomic bool sending; /* the bulk payload: `bytes` must stay */
    int sent;             /* how sending it has ended */
} byre__rpc_call_t;

/* Pick a server, pack, send. `room` is for arguments that fit in a message, `answer` for such a reply. */
int byre__rpc_call_send(byre__rpc_call_t *call, unsigned char *room, void *answer,
                        size_t answer_room);
/* A call without a reply: it is over when it has left. */
int byre__rpc_call_let_fly(byre__rpc_call_t *call);
/* Is there a reply, or will there be none? */
bool byre__rpc_call_over(void *call);
/* Until then, or until time is up. */
void byre__rpc_call_wait(byre__rpc_call_t *call);
/* What has come of it; the slot is over. */
int byre__rpc_call_take(byre__rpc_call_t *call);
/* After each attempt, whatever came of it. */
static inline void byre__rpc_call_release(byre__rpc_call_t *call)
{
    byre__rpc_graph_free(call->graph);
    call->graph = NULL;
    if (call->sent == BYRE_EPEER) { /* MPI may read it for ever */
        call->bytes = (byre__rpc_bytes_t){ 0 };
        call->sent = BYRE_OK;
    }
    byre__rpc_bytes_free(&call->bytes);
}

#endif
