/* SPDX-License-Identifier: BSD-3-Clause */
/* What a thread knows of its calls: those that it serves, and how its latest one has ended. */
#include "calls.h"

#include "inject.h"
#include "am_core.h"
#include "progress.h"
#include <stdlib.h>

_Thread_local byre__rpc_scope_t *byre__rpc_scope;
_Thread_local byre_rpc_outcome_t byre__rpc_latest = { .rank = -1, .proc = "" };

byre__rpc_fate_t (*byre__rpc_inject)(int rank, int id);
uint64_t byre__rpc_resend_ns;

int byre_rpc_outcome(byre_rpc_outcome_t *outcome_out)
{
    if (outcome_out != NULL) *outcome_out = byre__rpc_latest;
    return byre__rpc_latest.error;
}

int byre_rpc_caller(void)
{
    return byre__rpc_scope != NULL ? byre__rpc_scope->client : BYRE_ESTATE;
}

void *byre_rpc_alloc(size_t bytes)
{
    if (byre__rpc_scope == NULL) return malloc(bytes > 0 ? bytes : 1);
    return byre__rpc_arena_alloc(&byre__rpc_scope->arena, bytes);
}

void byre_rpc_free(void *memory)
{
    free(memory);
}

/* ---- sending ------------------------------------------------------------------------------------------ */

static int send_once(int rank, int id, const void *data, size_t bytes, const void *bulk,
                     size_t bulk_bytes, byre__am_done_fn done, void *arg, uint64_t deadline_ns)
{
    byre__am_send_t send = { .rank = rank,
                             .id = id,
                             .data = data,
                             .bytes = bytes,
                             .bulk = bulk,
                             .bulk_bytes = bulk_bytes,
                             .done = bulk_bytes > 0 ? done : NULL,
                             .arg = arg };
    if (deadline_ns == BYRE__RPC_QUEUE || byre__in_handler()) return byre__am_submit(&send);
    return byre__am_submit_patiently(&send, deadline_ns);
}

/* A lost message was sent as far as its sender can tell. Bulk payloads are not doubled: nobody would count
 * their ends. */
static __attribute__((noinline)) int send_injected(int rank, int id, const void *data, size_t bytes,
                                                   const void *bulk, size_t bulk_bytes,
                                                   byre__am_done_fn done, void *arg,
                                                   uint64_t deadline_ns)
{
    byre__rpc_fate_t fate = byre__rpc_inject(rank, id);
    if (fate == BYRE__RPC_LOSE) {
        if (bulk_bytes > 0 && done != NULL) done(BYRE_OK, arg);
        return BYRE_OK;
    }
    if (fate == BYRE__RPC_DOUBLE && bulk_bytes == 0)
        (void)send_once(rank, id, data, bytes, bulk, bulk_bytes, done, arg, deadline_ns);
    return send_once(rank, id, data, bytes, bulk, bulk_bytes, done, arg, deadline_ns);
}

int byre__rpc_send(int rank, int id, const void *data, size_t bytes, const void *bulk,
                   size_t bulk_bytes, byre__am_done_fn done, void *arg, uint64_t deadline_ns)
{
    if (__builtin_expect(byre__rpc_inject != NULL, 0) &&
        (id == BYRE__AM_RPC_CALL || id == BYRE__AM_RPC_REPLY))
        return send_injected(rank, id, data, bytes, bulk, bulk_bytes, done, arg, deadline_ns);
    return send_once(rank, id, data, bytes, bulk, bulk_bytes, done, arg, deadline_ns);
}
