/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Context handles, the server's side: state of a server that a client names with an opaque pointer, and that is
 * run down when the client dies. The client's side is handle.c.
 *
 *   to_wire of a pointer that did not come with this call --> OPEN
 *   OPEN --the procedure has set the [in,out] handle to NULL--> ENDED: forgotten
 *   OPEN --its client is gone, or its server was taken back---> DYING --no call uses it--> run down, forgotten
 *
 * Each handle that a procedure returns is a context of its own, unless it came with the same call: so an address
 * that is freed and used again never means two things.
 *
 * Invariants
 *  1. A context is found by its serial, by calls of its own client to its own server only.
 *  2. While a call that was given a context runs, the context is neither run down nor freed: `uses`.
 *  3. A context is run down once at most, on a pop-up thread, and not after its procedure has ended it.
 *  4. A client that dies while a call of its makes a context: either the search for its contexts finds this one,
 *     or making it finds the client absent. The state changes before the search; both have the lock.
 */
#include "calls.h"

#include "detector.h"
#include "log.h"
#include "node.h"
#include "popup.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };
enum state { OPEN, ENDED, DYING };

struct byre__rpc_context {
    byre__popup_job_t job;
    byre__rpc_context_t *next; /* in its bucket, then in a list to be run down */
    uint64_t serial;
    byre_rpc_server_t server;
    const byre_rpc_type_t *type;
    void *state_of_server;
    int client;
    int uses;
    enum state state;
};

static struct {
    pthread_mutex_t lock; /* guards all contexts. A leaf */
    byre__rpc_context_t *buckets[BUCKETS];
    uint64_t serials;
    _Atomic int running_down;
} contexts = { .lock = PTHREAD_MUTEX_INITIALIZER };

static byre__rpc_context_t **bucket_of(uint64_t serial)
{
    return &contexts.buckets[serial % BUCKETS];
}

/* ---- the end of one ----------------------------------------------------------------------------------------- */

static void run_down(byre__popup_job_t *job)
{
    byre__rpc_context_t *context = (byre__rpc_context_t *)job;
    if (context->type->rundown != NULL) context->type->rundown(context->state_of_server);
    free(context);
    atomic_fetch_sub(&contexts.running_down, 1);
    byre__progress_kick();
}

/* With the lock: take it out of the table if nothing uses it. On *list if it is to be run down. */
static void end_unused(byre__rpc_context_t *context, byre__rpc_context_t **list)
{
    if (context->uses > 0 || context->state == OPEN) return;
    byre__rpc_context_t **at = bucket_of(context->serial);
    while (*at != context) at = &(*at)->next;
    *at = context->next;
    if (context->state == ENDED) {
        free(context);
        return;
    }
    atomic_fetch_add(&contexts.running_down, 1);
    context->next = *list;
    *list = context;
}

static void run_down_all(byre__rpc_context_t *list)
{
    while (list != NULL) {
        byre__rpc_context_t *context = list;
        list = context->next;
        context->job.run = run_down;
        byre__popup_submit(&context->job);
    }
}

/* Those of a client (server NULL), or of a server. */
static void end_those_of(int client, byre_rpc_server_t server)
{
    byre__rpc_context_t *list = NULL;
    pthread_mutex_lock(&contexts.lock);
    for (int i = 0; i < BUCKETS; i++) {
        for (byre__rpc_context_t *context = contexts.buckets[i], *next; context != NULL;
             context = next) {
            next = context->next;
            if (server != NULL ? context->server != server : context->client != client) continue;
            if (context->state == OPEN) context->state = DYING;
            end_unused(context, &list);
        }
    }
    pthread_mutex_unlock(&contexts.lock);
    run_down_all(list);
}

/* ---- what the marshaller asks ---------------------------------------------------------------------------------- */

static byre__rpc_wire_context_t wire_of(const byre__rpc_context_t *context)
{
    byre__rpc_target_t self = { byre__nodes.rank, context->server->entry.server };
    return (byre__rpc_wire_context_t){ context->serial, byre__rpc_owner_word(&self) };
}

static bool hold(byre__rpc_held_t *held, byre__rpc_context_t *context)
{
    if (held->count == BYRE__RPC_HELD) return false;
    held->contexts[held->count++] = context;
    context->uses++;
    return true;
}

/* Invariant 1. */
static int from_wire(const byre_rpc_type_t *type, const byre__rpc_wire_context_t *wire,
                     void **handle_out)
{
    const byre__rpc_scope_t *scope = byre__rpc_scope;
    int error = BYRE_EPROTO;
    pthread_mutex_lock(&contexts.lock);
    byre__rpc_context_t *context = *bucket_of(wire->serial);
    while (context != NULL && context->serial != wire->serial) context = context->next;
    if (context != NULL && context->state == OPEN && context->client == scope->client &&
        context->server == scope->server && context->type == type &&
        wire_of(context).owner == wire->owner) {
        error = hold(scope->held, context) ? BYRE_OK : BYRE_ENOMEM;
        *handle_out = context->state_of_server;
    }
    pthread_mutex_unlock(&contexts.lock);
    return error;
}

static byre__rpc_context_t *make(const byre_rpc_type_t *type, void *state_of_server)
{
    const byre__rpc_scope_t *scope = byre__rpc_scope;
    byre__rpc_context_t *context = malloc(sizeof *context);
    if (context == NULL) return NULL;
    *context = (byre__rpc_context_t){ .server = scope->server,
                                      .type = type,
                                      .state_of_server = state_of_server,
                                      .client = scope->client };
    pthread_mutex_lock(&contexts.lock);
    context->serial = ++contexts.serials;
    context->next = *bucket_of(context->serial);
    *bucket_of(context->serial) = context;
    if (byre__peer_absent(scope->client)) context->state = DYING; /* invariant 4 */
    bool held = hold(scope->held, context);
    if (!held) context->state = DYING, context->uses = 0;
    byre__rpc_context_t *list = NULL;
    if (!held) end_unused(context, &list);
    pthread_mutex_unlock(&contexts.lock);
    run_down_all(list);
    return held ? context : NULL;
}

static int to_wire(const byre_rpc_type_t *type, const void *handle,
                   byre__rpc_wire_context_t *wire_out)
{
    byre__rpc_held_t *held = byre__rpc_scope->held;
    byre__rpc_context_t *context = NULL;
    for (unsigned i = 0; i < held->count && context == NULL; i++) {
        byre__rpc_context_t *one = held->contexts[i];
        if (one->state_of_server == handle && one->type == type && i < held->given) context = one;
    }
    if (context == NULL) context = make(type, (void *)(uintptr_t)handle);
    if (context == NULL) return BYRE_ENOMEM;
    *wire_out = wire_of(context);
    return BYRE_OK;
}

static const byre__rpc_context_hooks_t hooks = { to_wire, from_wire };

/* ---- around a procedure ---------------------------------------------------------------------------------------- */

void byre__rpc_contexts_serving(byre__rpc_scope_t *scope, byre__rpc_held_t *held)
{
    held->count = held->given = 0;
    held->ran = false;
    held->outer = byre__rpc_context_hooks;
    scope->held = held;
    byre__rpc_context_hooks = &hooks;
}

/* The place of an [in,out] handle, or NULL. */
static void **place_of(const byre_rpc_field_t *param, void *frame)
{
    const uint32_t both = BYRE_RPC_IN | BYRE_RPC_OUT;
    const byre_rpc_type_t *type = param->type;
    if ((param->direct & both) != both || type->kind != BYRE_RPC_POINTER || type->element == NULL ||
        type->element->kind != BYRE_RPC_CONTEXT || type->size_is != NULL)
        return NULL;
    return *(void ***)((char *)frame + param->offset);
}

void byre__rpc_contexts_before(byre__rpc_held_t *held, const byre_rpc_proc_t *proc, void *frame)
{
    unsigned count = 0;
    held->given = held->count;
    for (uint32_t i = 0; i < proc->param_count && count < BYRE__RPC_HELD; i++) {
        void **place = place_of(&proc->params[i], frame);
        held->before[count++] = place != NULL ? *place : NULL;
    }
    byre__rpc_context_hooks = NULL; /* the procedure may make calls of its own */
}

static bool end_given(byre__rpc_held_t *held, const void *state_of_server, uint64_t *serial_out)
{
    for (unsigned i = 0; i < held->given; i++) {
        byre__rpc_context_t *context = held->contexts[i];
        if (context->state_of_server != state_of_server || context->state == ENDED) continue;
        context->state = ENDED;
        *serial_out = context->serial;
        return true;
    }
    return false;
}

unsigned byre__rpc_contexts_after(byre__rpc_held_t *held, const byre_rpc_proc_t *proc, void *frame,
                                  uint64_t *serials)
{
    unsigned closed = 0;
    byre__rpc_context_hooks = &hooks;
    pthread_mutex_lock(&contexts.lock);
    for (uint32_t i = 0; i < proc->param_count && i < BYRE__RPC_HELD; i++) {
        void **place = place_of(&proc->params[i], frame);
        if (place != NULL && held->before[i] != NULL && *place != held->before[i])
            closed += end_given(held, held->before[i], &serials[closed]);
    }
    pthread_mutex_unlock(&contexts.lock);
    return closed;
}

void byre__rpc_contexts_served(byre__rpc_scope_t *scope, bool packed)
{
    byre__rpc_held_t *held = scope->held;
    byre__rpc_context_t *list = NULL;
    byre__rpc_context_hooks = held->outer;
    pthread_mutex_lock(&contexts.lock);
    for (unsigned i = 0; i < held->count; i++) {
        byre__rpc_context_t *context = held->contexts[i];
        context->uses--;
        if (!packed && i >= held->given && held->ran)
            context->state = DYING; /* nobody hears of it */
        end_unused(context, &list);
    }
    pthread_mutex_unlock(&contexts.lock);
    run_down_all(list);
}

/* ---- ends ------------------------------------------------------------------------------------------------------- */

static bool all_are_down(void *arg)
{
    (void)arg;
    return atomic_load(&contexts.running_down) == 0;
}

void byre__rpc_contexts_server_gone(byre_rpc_server_t server)
{
    end_those_of(-1, server);
    (void)byre__wait_until(all_are_down, NULL, 0);
}

void byre__rpc_contexts_peer_gone(int rank)
{
    end_those_of(rank, NULL);
    byre__rpc_handles_peer_gone(rank);
}

int byre__rpc_contexts_start(void)
{
    return BYRE_OK;
}

void byre__rpc_contexts_stop(void)
{
    byre__rpc_handles_stop();
}
