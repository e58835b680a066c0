/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls: arguments to bytes at the client, and back at the server.
 *
 * A message is a head (version, byte order, what it is, flags) and then
 *
 *   without other pointers than [ref] parameters to values that have none:
 *     each [in] parameter in order; of a pointer what it points to, after its count if that is not one
 *   else (P1 to P4 in marshal_pack.c):
 *     references of [in,out] parameters     objects reached from them: those below `restored`
 *     [in] parameters                       objects reached from them only
 *     references of [out] parameters        their objects have room at the server, but no value yet
 *
 *   M1  Without a graph nothing is remembered between call and reply, but the room of what parameters point
 *       to: at the server it stands before the memory.
 *   M2  With one, both sides have one table: ids below `restored` and `extras` are written back.
 */
#include "marshal.h"

#include "marshal_pack.h"
#include "marshal_room.h"
#include "marshal_unpack.h"

#include <stdlib.h>

static const unsigned char *param_place(const byre_rpc_proc_t *proc, uint32_t param,
                                        const void *frame)
{
    return (const unsigned char *)frame + proc->params[param].offset;
}

static void *param_target(const byre_rpc_proc_t *proc, uint32_t param, const void *frame)
{
    void *target;
    memcpy(&target, param_place(proc, param, frame), sizeof target);
    return target;
}

/* ---- client ------------------------------------------------------------------------------------ */

int byre__rpc_param_extent(const byre_rpc_proc_t *proc, uint32_t param, const void *frame,
                           size_t *count_out)
{
    const byre_rpc_field_t *field = &proc->params[param];
    if ((field->direct & BYRE_RPC_IN) == 0)
        return byre__rpc_extent_declared(field->type, frame, count_out);
    bool whole = (field->direct & BYRE_RPC_OUT) != 0;
    return byre__rpc_extent(field->type, param_target(proc, param, frame), frame, whole, count_out);
}

static int pack_inline(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc, uint32_t param)
{
    const byre_rpc_type_t *via = proc->params[param].type;
    byre__rpc_object_t object = { .place = param_target(proc, param, packer->frame), .via = via };
    if (object.place == NULL) return BYRE_EINVAL;
    int err = byre__rpc_param_extent(proc, param, packer->frame, &object.count);
    if (err != BYRE_OK || (proc->params[param].direct & BYRE_RPC_IN) == 0) return err;
    if (byre__rpc_via_counted(via)) err = byre__rpc_put_u64(&packer->out, object.count);
    return err != BYRE_OK ? err : byre__rpc_pack_object(packer, &object, packer->frame);
}

static int pack_param_reference(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc,
                                uint32_t param, uint32_t *id_out)
{
    const byre_rpc_type_t *via = proc->params[param].type;
    void *target = param_target(proc, param, packer->frame);
    *id_out = BYRE__RPC_NO_OBJECT;
    if (target == NULL)
        return via->flags & BYRE_RPC_F_REF ? BYRE_EINVAL : byre__rpc_put_u32(&packer->out, 0);
    size_t count;
    int err = byre__rpc_param_extent(proc, param, packer->frame, &count);
    if (err != BYRE_OK) return err;
    byre__rpc_owner_t owner = { .told = true };
    return byre__rpc_pack_reference(packer, via, target, count, &owner, id_out);
}

static int pack_param(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc, uint32_t param)
{
    if (!byre__rpc_is_pointer_param(proc, param)) {
        if ((proc->params[param].direct & BYRE_RPC_IN) == 0) return BYRE_OK;
        return byre__rpc_pack_value(packer, proc->params[param].type,
                                    param_place(proc, param, packer->frame), packer->frame);
    }
    if (packer->graph == NULL) return pack_inline(packer, proc, param);
    uint32_t id;
    int err = pack_param_reference(packer, proc, param, &id);
    if (err != BYRE_OK || id == BYRE__RPC_NO_OBJECT || proc->params[param].direct != BYRE_RPC_OUT)
        return err;
    return byre__rpc_graph_extra(packer->graph, id);
}

/* Parameters of one direction; a negative one is any. */
static int pack_params(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc, int direct)
{
    int err = BYRE_OK;
    for (uint32_t i = 0; i < proc->param_count && err == BYRE_OK; i++)
        if (direct < 0 || proc->params[i].direct == (uint32_t)direct)
            err = pack_param(packer, proc, i);
    return err;
}

static int write_call(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc)
{
    int err = byre__rpc_pack_head(packer, BYRE__RPC_WIRE_CALL);
    if (err != BYRE_OK) return err;
    if (packer->graph == NULL) return pack_params(packer, proc, -1);
    uint32_t next = 0;
    err = pack_params(packer, proc, BYRE_RPC_IN | BYRE_RPC_OUT);
    if (err == BYRE_OK) err = byre__rpc_pack_queue(packer, &next);
    if (err != BYRE_OK) return err;
    packer->graph->restored = packer->graph->count;
    err = pack_params(packer, proc, BYRE_RPC_IN);
    if (err == BYRE_OK) err = byre__rpc_pack_queue(packer, &next);
    return err != BYRE_OK ? err : pack_params(packer, proc, BYRE_RPC_OUT);
}

/* P4: once more, if an object lies in another. */
static int write_call_again(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc)
{
    byre__rpc_roots_t roots;
    bool inside;
    int err = byre__rpc_roots_init(&roots, packer->graph, 0, proc, &inside);
    if (err != BYRE_OK) return err;
    byre__rpc_graph_t *graph = inside ? byre__rpc_graph_create() : NULL;
    if (graph != NULL) {
        packer->roots = &roots; /* cppcheck-suppress autoVariables ; until it returns */
        packer->graph = graph;
        packer->out.bytes->used = packer->out.base;
        graph->ranged = true;
        err = write_call(packer, proc);
        byre__rpc_graph_free(roots.found);
    } else if (inside) {
        err = BYRE_ENOMEM;
    }
    packer->roots = NULL;
    byre__rpc_roots_fini(&roots);
    return err;
}

int byre__rpc_pack_call(const byre_rpc_proc_t *proc, const void *frame, bool wire_swapped,
                        byre__rpc_bytes_t *bytes, byre__rpc_graph_t **graph_out)
{
    byre__rpc_packer_t packer = { .out = { bytes, bytes->used, wire_swapped }, .frame = frame };
    if (byre__rpc_needs_graph(proc)) {
        if (graph_out == NULL) return BYRE_EINVAL;
        packer.graph = byre__rpc_graph_create();
        if (packer.graph == NULL) return BYRE_ENOMEM;
    }
    int err = write_call(&packer, proc);
    if (err == BYRE_OK && packer.graph != NULL && packer.graph->suspect)
        err = write_call_again(&packer, proc);
    if (err != BYRE_OK) {
        byre__rpc_graph_free(packer.graph);
        bytes->used = packer.out.base;
    } else if (graph_out != NULL) {
        *graph_out = packer.graph;
    }
    return err;
}

/* ---- server ------------------------------------------------------------------------------------ */

/* M1 */
static int place_param(byre__rpc_unpacker_t *unpacker, byre__rpc_object_t *object)
{
    size_t bytes;
    int err = byre__rpc_unpack_size(unpacker, object->via, object->count, &bytes);
    if (err != BYRE_OK) return err;
    if (bytes > SIZE_MAX - BYRE__RPC_ROOM_HEAD) return BYRE_EPROTO;
    size_t *head = byre__rpc_unpack_memory(unpacker, BYRE__RPC_ROOM_HEAD + bytes);
    if (head == NULL) return BYRE_ENOMEM;
    *head = object->count;
    object->place = (unsigned char *)head + BYRE__RPC_ROOM_HEAD;
    return BYRE_OK;
}

static int unpack_inline(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, void *slot,
                         const void *frame)
{
    byre__rpc_object_t object = { .via = via, .count = 1 };
    int err = BYRE_OK;
    if (byre__rpc_via_counted(via)) {
        uint64_t count;
        err = byre__rpc_get_u64(&unpacker->in, &count);
        if (err == BYRE_OK)
            err = byre__rpc_check_later(unpacker, via->size_is, frame, count, count);
        object.count = count;
    }
    if (err == BYRE_OK) err = place_param(unpacker, &object);
    if (err != BYRE_OK) return err;
    byre__rpc_unpack_kept(unpacker, &object);
    memcpy(slot, &object.place, sizeof object.place);
    return byre__rpc_unpack_object(unpacker, &object, object.place, frame);
}

static int unpack_param(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc, uint32_t param,
                        void *frame)
{
    const byre_rpc_field_t *field = &proc->params[param];
    unsigned char *place = (unsigned char *)frame + field->offset;
    if (!byre__rpc_is_pointer_param(proc, param)) {
        if ((field->direct & BYRE_RPC_IN) == 0) return BYRE_OK;
        return byre__rpc_unpack_value(unpacker, field->type, place, frame);
    }
    if (unpacker->graph == NULL)
        return field->direct & BYRE_RPC_IN ? unpack_inline(unpacker, field->type, place, frame)
                                           : BYRE_OK;
    uint32_t id;
    int err = byre__rpc_unpack_reference(unpacker, field->type, place, frame, true, &id);
    if (err != BYRE_OK || id == BYRE__RPC_NO_OBJECT || field->direct != BYRE_RPC_OUT) return err;
    return byre__rpc_graph_extra(unpacker->graph, id);
}

static int unpack_params(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc, int direct,
                         void *frame)
{
    int err = BYRE_OK;
    for (uint32_t i = 0; i < proc->param_count && err == BYRE_OK; i++)
        if (direct < 0 || proc->params[i].direct == (uint32_t)direct)
            err = unpack_param(unpacker, proc, i, frame);
    return err;
}

/* Memory for what [out] parameters point to, once the sizes are known. */
static int place_outs(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc, void *frame)
{
    unpacker->bodiless = true;
    for (uint32_t i = 0; i < proc->param_count; i++) {
        const byre_rpc_field_t *field = &proc->params[i];
        if (field->direct != BYRE_RPC_OUT || !byre__rpc_is_pointer_param(proc, i)) continue;
        byre__rpc_object_t object = { .via = field->type };
        if (byre__rpc_extent_declared(field->type, frame, &object.count) != BYRE_OK)
            return BYRE_EPROTO;
        int err = place_param(unpacker, &object);
        if (err != BYRE_OK) return err;
        memcpy((unsigned char *)frame + field->offset, &object.place, sizeof object.place);
    }
    return BYRE_OK;
}

static int read_call(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc, void *frame)
{
    int err = byre__rpc_unpack_head(unpacker, proc, BYRE__RPC_WIRE_CALL);
    if (err != BYRE_OK) return err;
    if (unpacker->graph == NULL) {
        err = unpack_params(unpacker, proc, -1, frame);
        return err != BYRE_OK ? err : place_outs(unpacker, proc, frame);
    }
    uint32_t next = 0;
    err = unpack_params(unpacker, proc, BYRE_RPC_IN | BYRE_RPC_OUT, frame);
    if (err == BYRE_OK) err = byre__rpc_unpack_queue(unpacker, &next);
    if (err != BYRE_OK) return err;
    unpacker->graph->restored = unpacker->met;
    unpacker->graph->ranged = unpacker->ranged;
    unpacker->graph->suspect |= unpacker->ranged;
    err = unpack_params(unpacker, proc, BYRE_RPC_IN, frame);
    if (err == BYRE_OK) err = byre__rpc_unpack_queue(unpacker, &next);
    if (err != BYRE_OK) return err;
    unpacker->bodiless = true;
    return unpack_params(unpacker, proc, BYRE_RPC_OUT, frame);
}

int byre__rpc_unpack_call(const byre_rpc_proc_t *proc, const void *data, size_t bytes,
                          const byre__rpc_limits_t *limits, void *frame, byre__rpc_arena_t **arena,
                          byre__rpc_graph_t **graph_out)
{
    bool own_arena = *arena == NULL;
    byre__rpc_unpacker_t unpacker;
    byre__rpc_unpacker_init(&unpacker, data, bytes, limits, arena);
    unpacker.frame = frame;
    if (byre__rpc_needs_graph(proc)) {
        if (graph_out == NULL) return BYRE_EINVAL;
        unpacker.graph = byre__rpc_graph_create();
        if (unpacker.graph == NULL) return BYRE_ENOMEM;
    }
    memset(frame, 0, proc->frame_bytes);
    int err = read_call(&unpacker, proc, frame);
    if (err == BYRE_OK && unpacker.in.used != bytes) err = BYRE_EPROTO;
    if (err == BYRE_OK) err = byre__rpc_run_checks(&unpacker, 0);
    if (err == BYRE_OK) err = byre__rpc_resolve_handles(&unpacker);
    byre__rpc_unpacker_fini(&unpacker);
    if (err == BYRE_OK) {
        if (graph_out != NULL) *graph_out = unpacker.graph;
        return BYRE_OK;
    }
    byre__rpc_graph_free(unpacker.graph);
    memset(frame, 0, proc->frame_bytes);
    if (own_arena) {
        byre__rpc_arena_free(*arena);
        *arena = NULL;
    }
    return err;
}
