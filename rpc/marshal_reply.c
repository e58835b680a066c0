/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies at the server: results and objects to bytes. marshal_restore.c reads them.
 *
 * After the head come
 *
 *   without a graph: each [out] parameter in order, and the result
 *   with one:        the result
 *                    objects of the call that are restored: all that [in,out] parameters reached then,
 *                    whatever refers to them now, and those of [out] parameters
 *                    new objects, in the order in which the former refer to them
 *
 * An object that only its pointer's container explains (a run with length_is, a union) is preceded by 1, or
 * is left out, and there is a 0, if that pointer no longer leads to it.
 *
 *   Y1  The caller's objects keep their places and sizes: an array is restored as long as it was at the
 *       call, or as far as length_is says.
 *   Y2  [in] objects are not restored, but may be referred to.
 */
#include "marshal.h"

#include "marshal_pack.h"
#include "marshal_room.h"
#include "record.h"

static int pack_plain_out(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc, uint32_t param)
{
    const byre_rpc_field_t *field = &proc->params[param];
    const unsigned char *place = (const unsigned char *)packer->frame + field->offset;
    if (!byre__rpc_is_pointer_param(proc, param))
        return byre__rpc_pack_value(packer, field->type, place, packer->frame);
    byre__rpc_object_t object = { .via = field->type };
    memcpy(&object.place, place, sizeof object.place);
    if (object.place == NULL) return BYRE_EINVAL;
    memcpy(&object.count, object.place - BYRE__RPC_ROOM_HEAD, sizeof object.count);
    int err = BYRE_OK;
    if (byre__rpc_via_counted(field->type)) err = byre__rpc_put_u64(&packer->out, object.count);
    return err != BYRE_OK ? err : byre__rpc_pack_object(packer, &object, packer->frame);
}

/* Without a graph all [out] parameters; with one what is not a pointer of the caller's. */
static int pack_outs(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc)
{
    int err = BYRE_OK;
    for (uint32_t i = 0; i < proc->param_count && err == BYRE_OK; i++) {
        if ((proc->params[i].direct & BYRE_RPC_OUT) == 0) continue;
        if (packer->graph != NULL && byre__rpc_is_pointer_param(proc, i)) continue;
        err = pack_plain_out(packer, proc, i);
    }
    return err;
}

static int pack_restored(byre__rpc_packer_t *packer, uint32_t id)
{
    byre__rpc_object_t object = packer->graph->objects[id];
    if (__builtin_expect(!byre__rpc_via_owned(object.via), 1))
        return byre__rpc_pack_object(packer, &object, NULL);
    const byre__rpc_owner_t *owner = byre__rpc_graph_owner(packer->graph, id);
    bool there =
        owner != NULL && owner->told && (owner->slot == NULL || *owner->slot == object.place);
    int err = byre__rpc_put_u32(&packer->out, there);
    if (err != BYRE_OK || !there) return err;
    return byre__rpc_pack_object(packer, &object, byre__rpc_pack_container(packer, id));
}

static int pack_all_restored(byre__rpc_packer_t *packer)
{
    const byre__rpc_graph_t *graph = packer->graph;
    bool general = packer->out.swap || packer->roots != NULL;
    byre__rpc_records_t records;
    byre__rpc_records_init(&records);
    for (uint32_t id = 0; id < graph->restored;) {
        uint32_t first = id;
        const byre__rpc_record_t *record =
            general ? NULL : byre__rpc_record_of(&records, graph->objects[id].via);
        int err = BYRE_OK;
        if (record != NULL)
            err = byre__rpc_pack_records(packer, record, &id, graph->restored, false);
        if (err == BYRE_OK && id == first) err = pack_restored(packer, id++);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}

static int write_reply(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc, uint32_t before)
{
    const byre__rpc_graph_t *graph = packer->graph;
    int err = byre__rpc_pack_head(packer, BYRE__RPC_WIRE_REPLY);
    if (err == BYRE_OK) err = pack_outs(packer, proc);
    if (graph == NULL) return err;
    if (err == BYRE_OK) err = pack_all_restored(packer);
    for (uint32_t i = 0; i < graph->extra_count && err == BYRE_OK; i++)
        err = pack_restored(packer, graph->extras[i]);
    return err != BYRE_OK ? err : byre__rpc_pack_queue(packer, &before);
}

/* The objects of the call, before new ones. */
static byre__rpc_graph_t *copy_graph(const byre__rpc_graph_t *from, uint32_t before)
{
    byre__rpc_graph_t *graph = byre__rpc_graph_create();
    int err = graph == NULL ? BYRE_ENOMEM : BYRE_OK;
    for (uint32_t id = 0; id < before && err == BYRE_OK; id++) {
        const byre__rpc_object_t *object = &from->objects[id];
        uint32_t same;
        err = byre__rpc_graph_append(graph, object->place, object->via, object->count, &same);
    }
    for (uint32_t i = 0; i < from->owner_count && err == BYRE_OK; i++)
        if (from->owners[i].id < before) err = byre__rpc_graph_own(graph, &from->owners[i]);
    if (graph != NULL) graph->restored = from->restored;
    for (uint32_t i = 0; i < from->extra_count && err == BYRE_OK; i++)
        err = byre__rpc_graph_extra(graph, from->extras[i]);
    if (err == BYRE_OK) return graph;
    byre__rpc_graph_free(graph);
    return NULL;
}

static int write_reply_again(byre__rpc_packer_t *packer, const byre_rpc_proc_t *proc,
                             uint32_t before)
{
    byre__rpc_roots_t roots;
    bool inside;
    int err = byre__rpc_roots_init(&roots, packer->graph, before, proc, &inside);
    if (err != BYRE_OK) return err;
    if (inside) {
        packer->graph = copy_graph(roots.found, before);
        packer->roots = &roots; /* cppcheck-suppress autoVariables ; until it returns */
        packer->out.bytes->used = packer->out.base;
        err = packer->graph == NULL ? BYRE_ENOMEM : write_reply(packer, proc, before);
        byre__rpc_graph_free(packer->graph);
        packer->graph = roots.found;
    }
    packer->roots = NULL;
    byre__rpc_roots_fini(&roots);
    return err;
}

int byre__rpc_pack_reply(const byre_rpc_proc_t *proc, const void *frame, bool wire_swapped,
                         byre__rpc_graph_t *graph, byre__rpc_bytes_t *bytes)
{
    byre__rpc_packer_t packer = { .out = { bytes, bytes->used, wire_swapped }, .frame = frame };
    uint32_t before = 0;
    if (byre__rpc_needs_graph(proc)) {
        if (graph == NULL) return BYRE_EINVAL;
        packer.graph = graph;
        packer.before = before = graph->count;
    }
    int err = write_reply(&packer, proc, before);
    if (err == BYRE_OK && packer.graph != NULL && graph->suspect && graph->count > before)
        err = write_reply_again(&packer, proc, before);
    if (packer.graph != NULL) byre__rpc_graph_truncate(graph, before);
    if (err != BYRE_OK) bytes->used = packer.out.base;
    return err;
}
