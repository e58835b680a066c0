/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies at the client: back into the caller's own objects. marshal_reply.c says what a reply is, Y1 and Y2.
 *
 *   Y3  New objects come from malloc. But if a [unique] pointer had an object and has a new one, of the same
 *       type and not bigger, and nothing refers to the former any more, the new one takes its place. Not
 *       so strings: they may have been literals.
 *   Y4  Checking (U3) changes nothing of the caller's, and after it nothing can fail.
 */
#include "marshal.h"

#include "marshal_room.h"
#include "marshal_unpack.h"
#include "record.h"

#include <assert.h>
#include <stdlib.h>

/* ---- what is read into while checking ---------------------------------------------------------- */

enum { SHADOW_FRAME = 512, PINS_MAX = 16 };

/* [ref] parameters whose new values attributes of the result may read. */
typedef struct pin {
    uint32_t id, param;
} pin_t;

typedef struct reply {
    byre__rpc_unpacker_t unpacker;
    const byre_rpc_proc_t *proc;
    unsigned char *frame;  /* the caller's */
    unsigned char *shadow; /* of the frame */
    unsigned char *scratch;
    size_t scratch_bytes;
    bool reused; /* Y3: some new object has taken an old one's place */
    uint32_t pin_count;
    pin_t pins[PINS_MAX];
} reply_t;

/* Flat values and strings need none; what has no attributes is not looked at again. */
static int shadow_of(reply_t *reply, const byre__rpc_object_t *object, unsigned char **place_out)
{
    const byre_rpc_type_t *via = object->via;
    *place_out = NULL;
    if (byre__rpc_via_string(via) || byre__rpc_type_flat(via->element)) return BYRE_OK;
    size_t bytes = byre__rpc_via_bytes(via, object->count);
    bool keep = byre__rpc_type_has_attributes(via->element);
    if (!keep && bytes <= reply->scratch_bytes) {
        *place_out = reply->scratch;
        return BYRE_OK;
    }
    *place_out = byre__rpc_unpack_memory(&reply->unpacker, bytes);
    if (*place_out == NULL) return BYRE_ENOMEM;
    if (keep) return BYRE_OK;
    reply->scratch = *place_out;
    reply->scratch_bytes = bytes;
    return BYRE_OK;
}

static void *pinned(reply_t *reply, uint32_t id, const byre__rpc_object_t *object)
{
    for (uint32_t i = 0; i < reply->pin_count; i++) {
        if (reply->pins[i].id != id) continue;
        size_t bytes = byre__rpc_via_bytes(object->via, object->count);
        void *place = byre__rpc_unpack_memory(&reply->unpacker, bytes);
        memcpy(reply->shadow + reply->proc->params[reply->pins[i].param].offset, &place,
               sizeof place);
        return place;
    }
    return NULL;
}

static uint32_t param_object(reply_t *reply, uint32_t param)
{
    const byre_rpc_field_t *field = &reply->proc->params[param];
    void *target;
    memcpy(&target, reply->frame + field->offset, sizeof target);
    if (target == NULL) return BYRE__RPC_NO_OBJECT;
    uint32_t slot;
    return byre__rpc_graph_find(reply->unpacker.graph, target, field->type, 0, &slot);
}

static int find_pins(reply_t *reply)
{
    const byre_rpc_proc_t *proc = reply->proc;
    uint32_t last = proc->param_count - 1;
    if (proc->param_count == 0 || !byre__rpc_is_result(proc, last) ||
        !byre__rpc_type_has_attributes(proc->params[last].type))
        return BYRE_OK;
    int err = byre__rpc_graph_index(reply->unpacker.graph);
    for (uint32_t i = 0; i < last && err == BYRE_OK && reply->pin_count < PINS_MAX; i++) {
        const byre_rpc_type_t *type = proc->params[i].type;
        if (type->kind != BYRE_RPC_POINTER || (type->flags & BYRE_RPC_F_REF) == 0 ||
            type->size_is != NULL || (proc->params[i].direct & BYRE_RPC_OUT) == 0)
            continue;
        uint32_t id = param_object(reply, i);
        if (id != BYRE__RPC_NO_OBJECT) reply->pins[reply->pin_count++] = (pin_t){ id, i };
    }
    return err;
}

/* ---- reading, both times ----------------------------------------------------------------------- */

static int unpack_plain_pointer(reply_t *reply, uint32_t param)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    const byre_rpc_field_t *field = &reply->proc->params[param];
    byre__rpc_object_t object = { .via = field->type, .count = 1 };
    memcpy(&object.place, reply->frame + field->offset, sizeof object.place);
    if (object.place == NULL) return BYRE_EINVAL;
    int err = BYRE_OK;
    if (byre__rpc_via_counted(field->type)) {
        uint64_t count = 0;
        err = byre__rpc_get_u64(&unpacker->in, &count);
        object.count = count;
    }
    if (unpacker->storing) return byre__rpc_unpack_object(unpacker, &object, object.place, NULL);
    size_t room;
    if (err == BYRE_OK) err = byre__rpc_param_extent(reply->proc, param, reply->frame, &room);
    if (err == BYRE_OK && object.count > room) err = BYRE_EPROTO;
    unsigned char *place = NULL;
    if (err == BYRE_OK) err = shadow_of(reply, &object, &place);
    if (err == BYRE_OK && place == NULL && object.count == 1 &&
        !byre__rpc_via_string(object.via)) { /* an attribute may read it */
        place = byre__rpc_unpack_memory(unpacker, object.via->element->size);
        if (place == NULL) err = BYRE_ENOMEM;
    }
    if (err != BYRE_OK) return err;
    if (place != NULL) memcpy(reply->shadow + field->offset, &place, sizeof place);
    return byre__rpc_unpack_object(unpacker, &object, place, reply->shadow);
}

static int unpack_outs(reply_t *reply)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    unsigned char *frame = unpacker->storing ? reply->frame : reply->shadow;
    int err = BYRE_OK;
    for (uint32_t i = 0; i < reply->proc->param_count && err == BYRE_OK; i++) {
        const byre_rpc_field_t *field = &reply->proc->params[i];
        if ((field->direct & BYRE_RPC_OUT) == 0) continue;
        if (!byre__rpc_is_pointer_param(reply->proc, i))
            err = byre__rpc_unpack_value(unpacker, field->type, frame + field->offset, frame);
        else if (unpacker->graph == NULL)
            err = unpack_plain_pointer(reply, i);
    }
    return err;
}

static int unpack_restored(reply_t *reply, uint32_t id)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    byre__rpc_object_t object = unpacker->graph->objects[id];
    if (__builtin_expect(byre__rpc_via_owned(object.via), 0)) {
        uint32_t there;
        int err = byre__rpc_get_u32(&unpacker->in, &there);
        if (err != BYRE_OK || there == 0) return err;
        if (there != 1) return BYRE_EPROTO;
    }
    if (unpacker->storing) return byre__rpc_unpack_object(unpacker, &object, object.place, NULL);
    unsigned char *place;
    int err = shadow_of(reply, &object, &place);
    if (err != BYRE_OK) return err;
    if (place == NULL && reply->pin_count > 0) place = pinned(reply, id, &object);
    bool claims = place != NULL && id < unpacker->graph->restored; /* [out] has no old values */
    unpacker->live = claims ? object.place : NULL;
    unpacker->shadow = place;
    err = byre__rpc_unpack_object(unpacker, &object, place, NULL);
    unpacker->live = NULL;
    return err;
}

static int unpack_all_restored(reply_t *reply)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    const byre__rpc_graph_t *graph = unpacker->graph;
    bool general = unpacker->in.swap || unpacker->ranged;
    byre__rpc_records_t records;
    byre__rpc_records_init(&records);
    for (uint32_t id = 0; id < graph->restored;) {
        uint32_t first = id;
        const byre__rpc_record_t *record =
            general ? NULL : byre__rpc_record_of(&records, graph->objects[id].via);
        if (record != NULL && unpacker->storing)
            byre__rpc_store_records(unpacker, record, &id, graph->restored);
        else if (record != NULL)
            byre__rpc_check_records(unpacker, record, &id, graph->restored);
        int err = id == first ? unpack_restored(reply, id++) : BYRE_OK;
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}

static int read_reply(reply_t *reply)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    const byre__rpc_graph_t *graph = unpacker->graph;
    unpacker->in.used = BYRE__RPC_WIRE_HEAD;
    unpacker->met = unpacker->before;
    int err = unpack_outs(reply);
    if (graph == NULL) return err;
    if (err == BYRE_OK) err = unpack_all_restored(reply);
    for (uint32_t i = 0; i < graph->extra_count && err == BYRE_OK; i++)
        err = unpack_restored(reply, graph->extras[i]);
    uint32_t next = unpacker->before;
    if (err != BYRE_OK || (unpacker->storing && !reply->reused)) return err;
    return byre__rpc_unpack_queue(unpacker, &next);
}

/* ---- new objects ------------------------------------------------------------------------------- */

static bool seen(const byre__rpc_unpacker_t *unpacker, uint32_t id)
{
    return unpacker->seen[id / 8] >> (id % 8) & 1;
}

static void see(byre__rpc_unpacker_t *unpacker, uint32_t id)
{
    if (id < unpacker->before) unpacker->seen[id / 8] |= (unsigned char)(1u << (id % 8));
}

/* Y3 */
static void take_place(reply_t *reply, const byre__rpc_claim_t *claim)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    byre__rpc_object_t *object = &unpacker->graph->objects[claim->id];
    void *old;
    memcpy(&old, claim->slot, sizeof old);
    if (old == NULL) return;
    uint32_t slot;
    uint32_t id = byre__rpc_graph_find(unpacker->graph, old, object->via, object->count, &slot);
    if (id >= unpacker->graph->restored || seen(unpacker, id)) return;
    see(unpacker, id);
    free(object->place);
    object->place = old;
    reply->reused = true;
}

static int take_places(reply_t *reply)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    if (unpacker->claims.count == 0) return BYRE_OK;
    int err = byre__rpc_graph_index(unpacker->graph);
    if (err != BYRE_OK) return err;
    for (uint32_t i = 0; i < reply->proc->param_count; i++)
        if (byre__rpc_is_pointer_param(reply->proc, i)) see(unpacker, param_object(reply, i));
    const byre__rpc_claim_t *claims = unpacker->claims.items;
    for (uint32_t i = 0; i < unpacker->claims.count; i++) take_place(reply, &claims[i]);
    return BYRE_OK;
}

static void free_new(byre__rpc_unpacker_t *unpacker)
{
    byre__rpc_graph_t *graph = unpacker->graph;
    if (graph == NULL) return;
    for (uint32_t id = unpacker->before; id < graph->count; id++) free(graph->objects[id].place);
    byre__rpc_graph_truncate(graph, unpacker->before);
}

/* ---- a reply ----------------------------------------------------------------------------------- */

/* Y4 */
static int check_reply(reply_t *reply)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    int err = byre__rpc_unpack_head(unpacker, reply->proc, BYRE__RPC_WIRE_REPLY);
    if (err == BYRE_OK && unpacker->graph != NULL) err = find_pins(reply);
    if (err == BYRE_OK) err = read_reply(reply);
    if (err == BYRE_OK && unpacker->in.used != unpacker->in.end) err = BYRE_EPROTO;
    if (err == BYRE_OK) err = byre__rpc_run_checks(unpacker, 0);
    if (err == BYRE_OK) err = byre__rpc_resolve_handles(unpacker);
    if (err == BYRE_OK) err = take_places(reply);
    if (err != BYRE_OK) free_new(unpacker);
    return err;
}

static int reply_init(reply_t *reply, byre__rpc_graph_t *graph)
{
    byre__rpc_unpacker_t *unpacker = &reply->unpacker;
    if (byre__rpc_needs_graph(reply->proc)) {
        if (graph == NULL) return BYRE_EINVAL;
        unpacker->graph = graph;
        unpacker->before = graph->count;
        unpacker->seen = calloc(1, graph->count / 8 + 1);
        if (unpacker->seen == NULL) return BYRE_ENOMEM;
    }
    if (reply->proc->frame_bytes > SHADOW_FRAME) {
        reply->shadow = byre__rpc_unpack_memory(unpacker, reply->proc->frame_bytes);
        if (reply->shadow == NULL) return BYRE_ENOMEM;
    }
    memcpy(reply->shadow, reply->frame, reply->proc->frame_bytes);
    unpacker->frame = reply->shadow;
    return BYRE_OK;
}

int byre__rpc_unpack_reply(const byre_rpc_proc_t *proc, const void *data, size_t bytes,
                           const byre__rpc_limits_t *limits, byre__rpc_graph_t *graph, void *frame)
{
    byre__rpc_arena_t *arena = NULL;
    _Alignas(16) unsigned char shadow[SHADOW_FRAME];
    reply_t reply;
    byre__rpc_unpacker_init(&reply.unpacker, data, bytes, limits, &arena);
    reply.unpacker.reply = true;
    reply.proc = proc;
    reply.frame = frame;
    reply.shadow = shadow;
    reply.scratch_bytes = 0;
    reply.pin_count = 0;
    reply.reused = false;
    int err = reply_init(&reply, graph);
    if (err == BYRE_OK) err = check_reply(&reply);
    if (err == BYRE_OK) {
        reply.unpacker.storing = true;
        err = read_reply(&reply);
        assert(err == BYRE_OK); /* Y4 */
    }
    byre__rpc_unpacker_fini(&reply.unpacker);
    byre__rpc_arena_free(arena);
    return err;
}
