/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One attempt to have a call run: to pick a server, pack, send, wait, and take the reply.
 *
 * Arguments up to BYRE_AM_INLINE are packed on the stack and leave from there; larger ones on the heap, and leave
 * as bulk payload, which must stay until it is sent: `sending`. A large array that is the only one leaves from
 * where it is, and comes back there (inspect.c).
 */
#include "attempt.h"

#include "detector.h"
#include "inject.h"
#include "paged.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

/* ---- sending --------------------------------------------------------------------------------------------- */

static void bulk_sent(int error, void *arg)
{
    byre__rpc_call_t *call = arg;
    call->sent = error;
    atomic_store_explicit(&call->sending, false, memory_order_release);
}

static const byre__rpc_look_t *look_of(const byre__rpc_call_t *call)
{
    return &call->binding->looks[call->number];
}

static int transmit(byre__rpc_call_t *call)
{
    size_t head = call->bytes.used, bulk_bytes = 0;
    const void *bulk = NULL;
    if (call->array != NULL) {
        bool goes = look_of(call)->bulk->direct & BYRE_RPC_IN;
        bulk = goes ? call->array : NULL;
        bulk_bytes = goes ? call->array_bytes : 0;
    } else if (head > BYRE_AM_INLINE) {
        head = sizeof(byre__rpc_wire_call_t);
        bulk = call->bytes.data + head;
        bulk_bytes = call->bytes.used - head;
    }
    if (bulk_bytes > 0) atomic_store(&call->sending, true);
    int error = byre__rpc_send(call->target.rank, BYRE__AM_RPC_CALL, call->bytes.data, head, bulk,
                               bulk_bytes, bulk_sent, call, call->deadline_ns);
    if (error != BYRE_OK && bulk_bytes > 0) atomic_store(&call->sending, false);
    return error;
}

/* Does the bulk array travel apart? It has to be large, and MPI has to be able to reach it. Coming back it goes
 * straight to its place, unless it may have to be sent once more. */
static void look_at_array(byre__rpc_call_t *call)
{
    const byre__rpc_look_t *look = look_of(call);
    const uint32_t both = BYRE_RPC_IN | BYRE_RPC_OUT;
    call->array = NULL;
    if (look->bulk == NULL) return;
    if ((look->bulk->direct & both) == both && (call->proc->flags & BYRE_RPC_P_IDEMPOTENT)) return;
    void *array;
    size_t bytes = byre__rpc_bulk_of(look, call->frame, &array);
    if (bytes < BYRE__RPC_APART_FROM || array == NULL || byre__is_paged(array, bytes)) return;
    call->array = array;
    call->array_bytes = bytes;
}

static const byre_rpc_proc_t *packed_proc(const byre__rpc_call_t *call)
{
    return call->array != NULL ? &look_of(call)->rest : call->proc;
}

/* Where calls go round, one that brings a handle goes to the handle's server. */
static int pick_server(byre__rpc_call_t *call)
{
    bool round = call->binding->attr.pick == BYRE_RPC_ROUND_ROBIN;
    if (!call->contexts || !round ||
        !byre__rpc_contexts_owner(call->proc, call->frame, &call->target))
        return byre__rpc_binding_target(call->binding, &call->target);
    if (byre__peer_absent(call->target.rank)) return BYRE_EPEER;
    return byre__rpc_names_has(call->target.rank, call->target.server) ? BYRE_OK : BYRE_ENOTFOUND;
}

int byre__rpc_call_send(byre__rpc_call_t *call, unsigned char *room, void *answer,
                        size_t answer_room)
{
    int error = pick_server(call);
    if (error != BYRE_OK) return error;
    call->bytes = (byre__rpc_bytes_t){ room, sizeof(byre__rpc_wire_call_t), BYRE_AM_INLINE, true };
    if (call->contexts) byre__rpc_contexts_calling(&call->target);
    look_at_array(call);
    error = byre__rpc_pack_call(packed_proc(call), call->frame, false, &call->bytes, &call->graph);
    if (call->contexts) byre__rpc_contexts_called();
    if (error != BYRE_OK) return error;
    call->slot = byre__rpc_slot_begin(call->target.rank, answer, answer_room, call->array,
                                      call->array_bytes);
    if (call->slot == NULL) return BYRE_ENOMEM;
    call->id = byre__rpc_slot_call(call->slot);
    unsigned flags = call->proc->flags & BYRE_RPC_P_MAYBE ? BYRE__RPC_ONE_WAY : 0;
    if (call->array != NULL) flags |= BYRE__RPC_APART;
    byre__rpc_wire_call_t wire = { .call = call->id,
                                   .server = call->target.server,
                                   .proc = (uint16_t)call->number,
                                   .flags = (uint16_t)flags };
    memcpy(call->bytes.data, &wire, sizeof wire);
    error = transmit(call);
    if (error != BYRE_OK) {
        byre__rpc_slot_end(call->slot);
        call->slot = NULL;
    }
    return error;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

static bool is_sent(void *arg)
{
    return !atomic_load_explicit(&((byre__rpc_call_t *)arg)->sending, memory_order_acquire);
}

/* calls.h, invariant 3. */
bool byre__rpc_call_over(void *arg)
{
    const byre__rpc_call_t *call = arg;
    return (byre__rpc_slot_over(call->slot) || byre__peer_absent(call->target.rank)) &&
           is_sent(arg);
}

static bool is_filled(void *arg)
{
    return byre__rpc_slot_over(arg);
}

struct serving_wait {
    byre__rpc_call_t *call;
    byre_rpc_server_t server;
};

static bool is_over_or_called(void *arg)
{
    const struct serving_wait *wait = arg;
    return byre__rpc_call_over(wait->call) ||
           atomic_load_explicit(&wait->server->waiting, memory_order_acquire) > 0;
}

/* polled.c: this thread runs what comes meanwhile. */
static bool wait_serving(byre__rpc_call_t *call, byre_rpc_server_t server, uint64_t deadline_ns)
{
    struct serving_wait wait = { call, server };
    while (byre__wait_until(is_over_or_called, &wait, deadline_ns)) {
        if (byre__rpc_call_over(call)) return true;
        (void)byre__rpc_polled_one(server);
    }
    return false;
}

static bool wait_once(byre__rpc_call_t *call, uint64_t deadline_ns)
{
    const byre__rpc_scope_t *scope = byre__rpc_scope;
    if (__builtin_expect(scope != NULL, 0) && scope->server->attr.serving == BYRE_RPC_POLLED)
        return wait_serving(call, scope->server, deadline_ns);
    return byre__wait_until(byre__rpc_call_over, call, deadline_ns);
}

/* Until it is over, or time is up. Messages are sent again only where tests have some lost. */
static bool wait_in_time(byre__rpc_call_t *call)
{
    for (;;) {
        uint64_t until = call->deadline_ns, again = byre__rpc_resend_ns;
        if (__builtin_expect(again != 0, 0)) {
            again += byre__now_ns();
            if (until == 0 || again < until) until = again;
        }
        if (wait_once(call, until)) return true;
        if (call->deadline_ns != 0 && byre__now_ns() >= call->deadline_ns) return false;
        if (is_sent(call)) (void)transmit(call);
    }
}

void byre__rpc_call_wait(byre__rpc_call_t *call)
{
    byre__rpc_scope_t *scope = byre__rpc_scope;
    bool counts = scope != NULL && scope->pooled;
    atomic_store_explicit(&call->slot->thread, (uintptr_t)pthread_self(), memory_order_relaxed);
    if (counts) byre__rpc_pool_block(scope->server);
    bool in_time = wait_in_time(call);
    if (__builtin_expect(!byre__rpc_slot_over(call->slot), 0) &&
        !byre__rpc_slot_fail(call->slot, call->id, in_time ? BYRE_EPEER : BYRE_ETIMEOUT))
        (void)byre__wait_moving(is_filled, call->slot); /* a reply is just coming */
    if (__builtin_expect(!is_sent(call), 0)) (void)byre__wait_moving(is_sent, call);
    if (counts) byre__rpc_pool_unblock(scope->server);
}

/* ---- the reply ---------------------------------------------------------------------------------------------- */

/* The server need not begin it any more. */
static void tell_given_up(const byre__rpc_call_t *call)
{
    byre__rpc_wire_call_t wire = { .call = call->id, .server = call->target.server };
    (void)byre__rpc_send(call->target.rank, BYRE__AM_RPC_GIVEN_UP, &wire, sizeof wire, NULL, 0,
                         NULL, NULL, BYRE__RPC_QUEUE);
}

static int unpack(byre__rpc_call_t *call)
{
    byre__rpc_slot_t *slot = call->slot;
    size_t skip = (size_t)slot->closed * sizeof(uint64_t);
    if (skip > slot->bytes) return BYRE_EPROTO;
    if (call->contexts) {
        byre__rpc_contexts_closed(&call->target, slot->reply, slot->closed);
        byre__rpc_contexts_calling(&call->target);
    }
    int error = BYRE_OK;
    bool comes = call->array != NULL && (look_of(call)->bulk->direct & BYRE_RPC_OUT);
    if (slot->error == BYRE_OK && comes != ((slot->flags & BYRE__RPC_APART) != 0))
        error = BYRE_EPROTO;
    else if (slot->error == BYRE_OK)
        error = byre__rpc_unpack_reply(packed_proc(call), slot->reply + skip, slot->bytes - skip,
                                       NULL, call->graph, call->frame);
    if (call->contexts) byre__rpc_contexts_called();
    return error;
}

int byre__rpc_call_take(byre__rpc_call_t *call)
{
    byre__rpc_slot_t *slot = call->slot;
    int error = slot->error;
    call->may_have_run = slot->flags & BYRE__RPC_RAN;
    if (__builtin_expect(error == BYRE_ETIMEOUT || error == BYRE_ECANCELED, 0)) tell_given_up(call);
    if (error == BYRE_OK || slot->closed > 0) {
        int unpacked = unpack(call);
        if (error == BYRE_OK) error = unpacked;
    }
    if (slot->heap) free(slot->reply);
    byre__rpc_slot_end(slot);
    call->slot = NULL;
    return error;
}

int byre__rpc_call_let_fly(byre__rpc_call_t *call)
{
    if (!is_sent(call)) (void)byre__wait_until(is_sent, call, 0);
    byre__rpc_slot_end(call->slot);
    call->slot = NULL;
    call->may_have_run = true;
    return call->sent;
}
