/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Context handles, the client's side. What a program holds is not an address, but a number in the shape of one:
 * place in a table, and the place's generation. So a handle that is stale or made up is found out, and never
 * followed.
 */
#include "calls.h"

#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum { INDEX_BITS = 24 };

struct handle {
    uint64_t serial; /* 0: free */
    uint64_t owner;
    const byre_rpc_type_t *type;
    uint32_t generation;
};

static struct {
    pthread_mutex_t lock; /* guards all of it. A leaf */
    struct handle *handles;
    size_t count, room;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local byre__rpc_target_t calling;

/* The lowest bit is set: it is no address of anything larger than a byte. */
static void *pointer_to(size_t index)
{
    uint64_t number = (uint64_t)table.handles[index].generation << INDEX_BITS | index;
    return (void *)(uintptr_t)(number << 1 | 1);
}

/* With the lock. */
static struct handle *find(const void *pointer)
{
    uint64_t number = (uintptr_t)pointer >> 1;
    size_t index = number & ((1u << INDEX_BITS) - 1);
    if (index >= table.count || pointer_to(index) != pointer) return NULL;
    return table.handles[index].serial != 0 ? &table.handles[index] : NULL;
}

static int to_wire(const byre_rpc_type_t *type, const void *pointer,
                   byre__rpc_wire_context_t *wire_out)
{
    int error = BYRE_EINVAL;
    pthread_mutex_lock(&table.lock);
    const struct handle *handle = find(pointer);
    if (handle != NULL && handle->type == type && handle->owner == byre__rpc_owner_word(&calling)) {
        *wire_out = (byre__rpc_wire_context_t){ handle->serial, handle->owner };
        error = BYRE_OK;
    }
    pthread_mutex_unlock(&table.lock);
    return error;
}

/* With the lock: a free place, or one more. */
static struct handle *new_handle(void)
{
    for (size_t i = 0; i < table.count; i++)
        if (table.handles[i].serial == 0) return &table.handles[i];
    if (table.count == table.room) {
        size_t room = table.room == 0 ? 64 : 2 * table.room;
        if (room > 1u << INDEX_BITS) return NULL;
        struct handle *handles = realloc(table.handles, room * sizeof *handles);
        if (handles == NULL) return NULL;
        table.handles = handles;
        table.room = room;
    }
    struct handle *handle = &table.handles[table.count++];
    handle->generation = 0;
    return handle;
}

static int from_wire(const byre_rpc_type_t *type, const byre__rpc_wire_context_t *wire,
                     void **handle_out)
{
    if (wire->owner != byre__rpc_owner_word(&calling)) return BYRE_EPROTO;
    int error = BYRE_OK;
    pthread_mutex_lock(&table.lock);
    struct handle *handle = NULL;
    for (size_t i = 0; i < table.count && handle == NULL; i++)
        if (table.handles[i].serial == wire->serial && table.handles[i].owner == wire->owner)
            handle = &table.handles[i];
    if (handle == NULL && (handle = new_handle()) != NULL) {
        handle->serial = wire->serial;
        handle->owner = wire->owner;
        handle->type = type;
        handle->generation++;
    }
    if (handle == NULL)
        error = BYRE_ENOMEM;
    else
        *handle_out = pointer_to((size_t)(handle - table.handles));
    pthread_mutex_unlock(&table.lock);
    return error;
}

static const byre__rpc_context_hooks_t hooks = { to_wire, from_wire };

void byre__rpc_contexts_calling(const byre__rpc_target_t *target)
{
    calling = *target;
    byre__rpc_context_hooks = &hooks;
}

void byre__rpc_contexts_called(void)
{
    byre__rpc_context_hooks = NULL;
}

/* ---- where a handle leads, and when it ends ------------------------------------------------------------------ */

static const void *handle_in(const byre_rpc_field_t *param, const void *frame)
{
    const byre_rpc_type_t *type = param->type;
    const char *place = (const char *)frame + param->offset;
    if (!(param->direct & BYRE_RPC_IN)) return NULL;
    if (type->kind == BYRE_RPC_CONTEXT) return *(void *const *)place;
    if (type->kind != BYRE_RPC_POINTER || type->element == NULL ||
        type->element->kind != BYRE_RPC_CONTEXT || type->size_is != NULL)
        return NULL;
    void *const *to = *(void *const *const *)place;
    return to != NULL ? *to : NULL;
}

bool byre__rpc_contexts_owner(const byre_rpc_proc_t *proc, const void *frame,
                              byre__rpc_target_t *target_out)
{
    for (uint32_t i = 0; i < proc->param_count; i++) {
        const void *pointer = handle_in(&proc->params[i], frame);
        if (pointer == NULL) continue;
        pthread_mutex_lock(&table.lock);
        const struct handle *handle = find(pointer);
        uint64_t owner = handle != NULL ? handle->owner : 0;
        pthread_mutex_unlock(&table.lock);
        if (handle == NULL) continue;
        *target_out = (byre__rpc_target_t){ (int32_t)(owner >> 32), (uint32_t)owner };
        return true;
    }
    return false;
}

void byre__rpc_contexts_closed(const byre__rpc_target_t *target, const unsigned char *serials,
                               unsigned count)
{
    pthread_mutex_lock(&table.lock);
    for (unsigned k = 0; k < count; k++) {
        uint64_t serial;
        memcpy(&serial, serials + k * sizeof serial, sizeof serial);
        for (size_t i = 0; i < table.count; i++)
            if (table.handles[i].serial == serial &&
                table.handles[i].owner == byre__rpc_owner_word(target))
                table.handles[i].serial = 0;
    }
    pthread_mutex_unlock(&table.lock);
}

void byre__rpc_handles_peer_gone(int rank)
{
    pthread_mutex_lock(&table.lock);
    for (size_t i = 0; i < table.count; i++)
        if ((int)(table.handles[i].owner >> 32) == rank) table.handles[i].serial = 0;
    pthread_mutex_unlock(&table.lock);
}

void byre__rpc_handles_stop(void)
{
    free(table.handles);
    table.handles = NULL;
    table.count = table.room = 0;
}
