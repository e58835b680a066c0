/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call at its client, from begin to end.
 *
 *   pick a server -> pack -> CALL leaves -> (wait) -> REPLY, or an end without one -> unpack -> outcome
 *        ^                                                     |
 *        `-- rebind: the server has died; the call cannot have run, or is [idempotent] --'
 *
 * Arguments up to BYRE_AM_INLINE are packed on the stack and leave from there; larger ones on the heap, and leave
 * as bulk payload, which must stay until it is sent: `sending`. A large array that is the only one leaves from
 * where it is, and comes back there (inspect.c).
 */
#include "calls.h"

#include "counters.h"
#include "detector.h"
#include "inject.h"
#include "paged.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

struct call {
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
};

/* ---- sending --------------------------------------------------------------------------------------------- */

static void bulk_sent(int error, void *arg)
{
    struct call *call = arg;
    call->sent = error;
    atomic_store_explicit(&call->sending, false, memory_order_release);
}

static const byre__rpc_look_t *look_of(const struct call *call)
{
    return &call->binding->looks[call->number];
}

static int transmit(struct call *call)
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
static void look_at_array(struct call *call)
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

static const byre_rpc_proc_t *packed_proc(const struct call *call)
{
    return call->array != NULL ? &look_of(call)->rest : call->proc;
}

/* Where calls go round, one that brings a handle goes to the handle's server. */
static int pick_server(struct call *call)
{
    bool round = call->binding->attr.pick == BYRE_RPC_ROUND_ROBIN;
    if (!call->contexts || !round ||
        !byre__rpc_contexts_owner(call->proc, call->frame, &call->target))
        return byre__rpc_binding_target(call->binding, &call->target);
    if (byre__peer_absent(call->target.rank)) return BYRE_EPEER;
    return byre__rpc_names_has(call->target.rank, call->target.server) ? BYRE_OK : BYRE_ENOTFOUND;
}

/* Pick a server, pack, send. `room` is for arguments that fit in a message, `answer` for such a reply. */
static int send_call(struct call *call, unsigned char *room, void *answer, size_t answer_room)
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
    return !atomic_load_explicit(&((struct call *)arg)->sending, memory_order_acquire);
}

/* calls.h, invariant 3. */
static bool is_over(void *arg)
{
    const struct call *call = arg;
    return (byre__rpc_slot_over(call->slot) || byre__peer_absent(call->target.rank)) &&
           is_sent(arg);
}

static bool is_filled(void *arg)
{
    return byre__rpc_slot_over(arg);
}

struct serving_wait {
    struct call *call;
    byre_rpc_server_t server;
};

static bool is_over_or_called(void *arg)
{
    const struct serving_wait *wait = arg;
    return is_over(wait->call) ||
           atomic_load_explicit(&wait->server->waiting, memory_order_acquire) > 0;
}

/* polled.c: this thread runs what comes meanwhile. */
static bool wait_serving(struct call *call, byre_rpc_server_t server, uint64_t deadline_ns)
{
    struct serving_wait wait = { call, server };
    while (byre__wait_until(is_over_or_called, &wait, deadline_ns)) {
        if (is_over(call)) return true;
        (void)byre__rpc_polled_one(server);
    }
    return false;
}

static bool wait_once(struct call *call, uint64_t deadline_ns)
{
    const byre__rpc_scope_t *scope = byre__rpc_scope;
    if (__builtin_expect(scope != NULL, 0) && scope->server->attr.serving == BYRE_RPC_POLLED)
        return wait_serving(call, scope->server, deadline_ns);
    return byre__wait_until(is_over, call, deadline_ns);
}

/* Until it is over, or time is up. Messages are sent again only where tests have some lost. */
static bool wait_in_time(struct call *call)
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

static void wait_for_reply(struct call *call)
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
static void tell_given_up(const struct call *call)
{
    byre__rpc_wire_call_t wire = { .call = call->id, .server = call->target.server };
    (void)byre__rpc_send(call->target.rank, BYRE__AM_RPC_GIVEN_UP, &wire, sizeof wire, NULL, 0,
                         NULL, NULL, BYRE__RPC_QUEUE);
}

static int unpack(struct call *call)
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

/* What has come of it; the slot is over. */
static int take_reply(struct call *call)
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

static void release(struct call *call)
{
    byre__rpc_graph_free(call->graph);
    call->graph = NULL;
    if (call->sent == BYRE_EPEER) { /* MPI may read it for ever */
        call->bytes = (byre__rpc_bytes_t){ 0 };
        call->sent = BYRE_OK;
    }
    byre__rpc_bytes_free(&call->bytes);
}

/* A call without a reply: it is over when it has left. */
static int let_fly(struct call *call)
{
    if (!is_sent(call)) (void)byre__wait_until(is_sent, call, 0);
    byre__rpc_slot_end(call->slot);
    call->slot = NULL;
    call->may_have_run = true;
    return call->sent;
}

/* ---- a whole call --------------------------------------------------------------------------------------------- */

static bool may_go_elsewhere(const struct call *call, int error)
{
    bool gone =
        error == BYRE_EPEER || (error == BYRE_ENOTFOUND && call->target.server != 0 &&
                                !byre__rpc_names_has(call->target.rank, call->target.server));
    if (!gone || !call->binding->attr.rebind) return false;
    if (call->may_have_run && !(call->proc->flags & BYRE_RPC_P_IDEMPOTENT)) return false;
    return call->deadline_ns == 0 || byre__now_ns() < call->deadline_ns;
}

static void prepare(struct call *call, byre_rpc_binding_t binding, uint32_t number, void *frame)
{
    const byre_rpc_proc_t *proc = &binding->interface->procs[number];
    int timeout_ms = proc->timeout_ms != 0 ? proc->timeout_ms : binding->attr.timeout_ms;
    *call = (struct call){ .binding = binding,
                           .proc = proc,
                           .number = number,
                           .frame = frame,
                           .contexts = binding->looks[number].contexts };
    byre__count(rpc_calls);
    call->target.rank = -1;
    if (timeout_ms > 0) call->deadline_ns = byre__now_ns() + (uint64_t)timeout_ms * 1000000u;
}

/* The result is the last parameter. */
static void set_result(const byre_rpc_proc_t *proc, void *frame, int error)
{
    if (proc->param_count == 0) return;
    const byre_rpc_field_t *result = &proc->params[proc->param_count - 1];
    if (result->name[0] != 0) return;
    memset((char *)frame + result->offset, 0, result->type->size);
    if (proc->flags & BYRE_RPC_P_STATUS)
        memcpy((char *)frame + result->offset, &error, sizeof error);
}

static __attribute__((noinline)) void tell_failed(const struct call *call)
{
    const byre_rpc_bind_attr_t *attr = &call->binding->attr;
    if (attr->failed != NULL) attr->failed(&byre__rpc_latest, attr->arg);
}

static int conclude(const struct call *call, int error, void *frame)
{
    byre__rpc_latest = (byre_rpc_outcome_t){ .error = error,
                                             .may_have_run = error == BYRE_OK || call->may_have_run,
                                             .rank = call->target.rank,
                                             .proc = call->proc->name };
    if (__builtin_expect(error == BYRE_OK, 1)) return BYRE_OK;
    if (frame != NULL) set_result(call->proc, frame, error);
    tell_failed(call);
    return byre__rpc_latest.error = error;
}

/* A call that does not come as far as a server. */
static int refuse(const byre_rpc_interface_t *interface, uint32_t number, void *frame, int error)
{
    const byre_rpc_proc_t *proc =
        interface != NULL && number < interface->proc_count ? &interface->procs[number] : NULL;
    byre__rpc_latest =
        (byre_rpc_outcome_t){ .error = error, .rank = -1, .proc = proc != NULL ? proc->name : "" };
    if (proc != NULL && frame != NULL) set_result(proc, frame, error);
    return error;
}

static int find_binding(const byre_rpc_interface_t *interface, uint32_t number,
                        byre_rpc_binding_t *binding_out)
{
    int error = byre__rpc_check();
    if (error != BYRE_OK) return error;
    if (interface == NULL || number >= interface->proc_count) return BYRE_EINVAL;
    *binding_out = byre__rpc_binding_of(interface);
    return *binding_out == NULL ? BYRE_ENOTFOUND : BYRE_OK;
}

int byre_rpc_call(const byre_rpc_interface_t *interface, uint32_t proc, void *frame)
{
    _Alignas(16) unsigned char room[BYRE_AM_INLINE], answer[BYRE_AM_INLINE];
    struct call call;
    byre_rpc_binding_t binding;
    int error = find_binding(interface, proc, &binding);
    if (error != BYRE_OK) return refuse(interface, proc, frame, error);
    atomic_fetch_add_explicit(&binding->calls, 1, memory_order_relaxed);
    prepare(&call, binding, proc, frame);
    do {
        call.may_have_run = false;
        error = send_call(&call, room, answer, sizeof answer);
        if (error == BYRE_OK && (call.proc->flags & BYRE_RPC_P_MAYBE)) {
            error = let_fly(&call);
        } else if (error == BYRE_OK) {
            wait_for_reply(&call);
            error = take_reply(&call);
        }
        release(&call);
    } while (__builtin_expect(error != BYRE_OK, 0) && may_go_elsewhere(&call, error));
    error = conclude(&call, error, frame);
    atomic_fetch_sub_explicit(&binding->calls, 1, memory_order_release);
    return error;
}

/* ---- futures ------------------------------------------------------------------------------------------------------ */

struct byre_rpc_future {
    struct call call;
    int begun; /* how sending it went, if there is nothing to wait for */
    _Alignas(16) unsigned char frame[];
};

/* What was packed on the stack is needed again only if it may have to be sent again. */
static void leave_stack(struct call *call)
{
    if (!call->bytes.borrowed) return;
    unsigned char *copy = byre__rpc_resend_ns != 0 ? malloc(call->bytes.used) : NULL;
    if (copy != NULL) memcpy(copy, call->bytes.data, call->bytes.used);
    call->bytes.data = copy;
    call->bytes.borrowed = false;
    if (copy == NULL) call->bytes.used = 0;
}

int byre_rpc_begin(const byre_rpc_interface_t *interface, uint32_t proc, const void *frame,
                   byre_rpc_future_t *future_out)
{
    _Alignas(16) unsigned char room[BYRE_AM_INLINE];
    byre_rpc_binding_t binding;
    int error = find_binding(interface, proc, &binding);
    if (error == BYRE_OK && (frame == NULL || future_out == NULL)) error = BYRE_EINVAL;
    if (error != BYRE_OK) return refuse(interface, proc, NULL, error);
    size_t bytes = interface->procs[proc].frame_bytes;
    byre_rpc_future_t future = malloc(sizeof *future + bytes);
    if (future == NULL) return refuse(interface, proc, NULL, BYRE_ENOMEM);
    struct call *call = &future->call;
    memcpy(future->frame, frame, bytes);
    atomic_fetch_add(&binding->calls, 1);
    prepare(call, binding, proc, future->frame);
    while ((error = send_call(call, room, NULL, 0)) != BYRE_OK) {
        release(call);
        if (!may_go_elsewhere(call, error)) break;
    }
    if (error != BYRE_OK) {
        error = conclude(call, error, NULL);
        atomic_fetch_sub(&binding->calls, 1);
        free(future);
        return error;
    }
    if (call->proc->flags & BYRE_RPC_P_MAYBE) future->begun = let_fly(call);
    leave_stack(call);
    *future_out = future;
    return BYRE_OK;
}

static bool future_is_over(byre_rpc_future_t future)
{
    struct call *call = &future->call;
    return call->slot == NULL || is_over(call) ||
           (call->deadline_ns != 0 && byre__now_ns() >= call->deadline_ns);
}

int byre_rpc_test(byre_rpc_future_t future)
{
    if (future == NULL) return BYRE_EINVAL;
    if (future_is_over(future)) return BYRE_OK;
    if (!byre__in_handler() && byre__drive_try()) {
        (void)byre__engine_poll();
        byre__drive_end();
    }
    return future_is_over(future) ? BYRE_OK : BYRE_EAGAIN;
}

int byre_rpc_cancel(byre_rpc_future_t future)
{
    if (future == NULL) return BYRE_EINVAL;
    struct call *call = &future->call;
    if (call->slot != NULL && byre__rpc_slot_fail(call->slot, call->id, BYRE_ECANCELED))
        byre__progress_kick();
    return BYRE_OK;
}

int byre_rpc_cancel_thread(uintptr_t thread)
{
    if (!byre__rpc_slot_fail_thread(thread, BYRE_ECANCELED)) return BYRE_ENOTFOUND;
    byre__progress_kick();
    return BYRE_OK;
}

int byre_rpc_end(byre_rpc_future_t future, void *frame)
{
    _Alignas(16) unsigned char room[BYRE_AM_INLINE];
    if (future == NULL) return BYRE_EINVAL;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    struct call *call = &future->call;
    byre_rpc_binding_t binding = call->binding;
    int error = future->begun;
    bool sent = call->slot != NULL;
    while (sent) {
        wait_for_reply(call);
        error = take_reply(call);
        release(call);
        if (error == BYRE_OK || !may_go_elsewhere(call, error)) break;
        call->may_have_run = false;
        error = send_call(call, room, NULL, 0);
        sent = error == BYRE_OK;
        if (!sent) release(call);
    }
    release(call);
    error = conclude(call, error, call->frame);
    if (frame != NULL) memcpy(frame, call->frame, call->proc->frame_bytes);
    atomic_fetch_sub(&binding->calls, 1);
    free(future);
    return error;
}
