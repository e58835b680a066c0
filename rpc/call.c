/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call at its client, from begin to end.
 *
 *   pick a server -> pack -> CALL leaves -> (wait) -> REPLY, or an end without one -> unpack -> outcome
 *        ^                                                     |
 *        `-- rebind: the server has died; the call cannot have run, or is [idempotent] --'
 *
 * One way through this is an attempt: attempt.c.
 */
#include "attempt.h"

#include "counters.h"
#include "inject.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

static bool may_go_elsewhere(const byre__rpc_call_t *call, int error)
{
    bool gone =
        error == BYRE_EPEER || (error == BYRE_ENOTFOUND && call->target.server != 0 &&
                                !byre__rpc_names_has(call->target.rank, call->target.server));
    if (!gone || !call->binding->attr.rebind) return false;
    if (call->may_have_run && !(call->proc->flags & BYRE_RPC_P_IDEMPOTENT)) return false;
    return call->deadline_ns == 0 || byre__now_ns() < call->deadline_ns;
}

static void prepare(byre__rpc_call_t *call, byre_rpc_binding_t binding, uint32_t number,
                    void *frame)
{
    const byre_rpc_proc_t *proc = &binding->interface->procs[number];
    int timeout_ms = proc->timeout_ms != 0 ? proc->timeout_ms : binding->attr.timeout_ms;
    *call = (byre__rpc_call_t){ .binding = binding,
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

static __attribute__((noinline)) void tell_failed(const byre__rpc_call_t *call)
{
    const byre_rpc_bind_attr_t *attr = &call->binding->attr;
    if (attr->failed != NULL) attr->failed(&byre__rpc_latest, attr->arg);
}

static int conclude(const byre__rpc_call_t *call, int error, void *frame)
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
    byre__rpc_call_t call;
    byre_rpc_binding_t binding;
    int error = find_binding(interface, proc, &binding);
    if (error != BYRE_OK) return refuse(interface, proc, frame, error);
    atomic_fetch_add_explicit(&binding->calls, 1, memory_order_relaxed);
    prepare(&call, binding, proc, frame);
    do {
        call.may_have_run = false;
        error = byre__rpc_call_send(&call, room, answer, sizeof answer);
        if (error == BYRE_OK && (call.proc->flags & BYRE_RPC_P_MAYBE)) {
            error = byre__rpc_call_let_fly(&call);
        } else if (error == BYRE_OK) {
            byre__rpc_call_wait(&call);
            error = byre__rpc_call_take(&call);
        }
        byre__rpc_call_release(&call);
    } while (__builtin_expect(error != BYRE_OK, 0) && may_go_elsewhere(&call, error));
    error = conclude(&call, error, frame);
    atomic_fetch_sub_explicit(&binding->calls, 1, memory_order_release);
    return error;
}

/* ---- futures ------------------------------------------------------------------------------------------------------ */

struct byre_rpc_future {
    byre__rpc_call_t call;
    int begun; /* how sending it went, if there is nothing to wait for */
    _Alignas(16) unsigned char frame[];
};

/* What was packed on the stack is needed again only if it may have to be sent again. */
static void leave_stack(byre__rpc_call_t *call)
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
    byre__rpc_call_t *call = &future->call;
    memcpy(future->frame, frame, bytes);
    atomic_fetch_add(&binding->calls, 1);
    prepare(call, binding, proc, future->frame);
    while ((error = byre__rpc_call_send(call, room, NULL, 0)) != BYRE_OK) {
        byre__rpc_call_release(call);
        if (!may_go_elsewhere(call, error)) break;
    }
    if (error != BYRE_OK) {
        error = conclude(call, error, NULL);
        atomic_fetch_sub(&binding->calls, 1);
        free(future);
        return error;
    }
    if (call->proc->flags & BYRE_RPC_P_MAYBE) future->begun = byre__rpc_call_let_fly(call);
    leave_stack(call);
    *future_out = future;
    return BYRE_OK;
}

static bool future_is_over(byre_rpc_future_t future)
{
    byre__rpc_call_t *call = &future->call;
    return call->slot == NULL || byre__rpc_call_over(call) ||
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
    byre__rpc_call_t *call = &future->call;
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
    byre__rpc_call_t *call = &future->call;
    byre_rpc_binding_t binding = call->binding;
    int error = future->begun;
    bool sent = call->slot != NULL;
    while (sent) {
        byre__rpc_call_wait(call);
        error = byre__rpc_call_take(call);
        byre__rpc_call_release(call);
        if (error == BYRE_OK || !may_go_elsewhere(call, error)) break;
        call->may_have_run = false;
        error = byre__rpc_call_send(call, room, NULL, 0);
        sent = error == BYRE_OK;
        if (!sent) byre__rpc_call_release(call);
    }
    byre__rpc_call_release(call);
    error = conclude(call, error, call->frame);
    if (frame != NULL) memcpy(frame, call->frame, call->proc->frame_bytes);
    atomic_fetch_sub(&binding->calls, 1);
    free(future);
    return error;
}
