/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes to records: marshal_unpack.c and marshal_restore.c for many objects of one kind. Nothing is believed that
 * they do not believe (U1). */
#include "record.h"

#include "arena.h"
#include "marshal_unpack.h"

static inline size_t aligned(size_t at, const byre__rpc_step_t *step)
{
    return (at + step->mask) & ~(size_t)step->mask;
}

static inline uint32_t reference_at(const byre__rpc_unpacker_t *unpacker, size_t at)
{
    uint32_t reference;
    memcpy(&reference, unpacker->in.data + at, sizeof reference);
    return reference;
}

static inline void move(unsigned char *place, const byre__rpc_step_t *step,
                        const unsigned char *from)
{
    if (step->move == BYRE__RPC_MOVE_8)
        memcpy(place + step->offset, from, 8);
    else
        memcpy(place + step->offset, from, step->bytes);
}

static inline void point(unsigned char *place, const byre__rpc_step_t *step, void *target)
{
    memcpy(place + step->offset, &target, sizeof target);
}

/* ---- calls -------------------------------------------------------------------------------------- */

/* A new object: as meet() in marshal_refs.c. `at`: what has been read of the message. */
static inline int meet(byre__rpc_unpacker_t *unpacker, const byre__rpc_step_t *step, size_t at)
{
    byre__rpc_graph_t *graph = unpacker->graph;
    if (unpacker->promised + step->least > unpacker->in.end - at) return BYRE_EPROTO;
    if (step->size > unpacker->budget) return BYRE_EPROTO;
    unpacker->promised += step->least;
    unpacker->budget -= step->size;
    void *place = byre__rpc_arena_take(unpacker->arena, step->size);
    if (__builtin_expect(place == NULL, 0)) return BYRE_ENOMEM;
    if (step->contains) graph->suspect = true;
    unpacker->met++;
    uint32_t id;
    return byre__rpc_graph_append(graph, place, step->via, 1, &id);
}

static inline int follow(byre__rpc_unpacker_t *unpacker, const byre__rpc_step_t *step,
                         unsigned char *place, size_t at)
{
    uint32_t reference = reference_at(unpacker, at);
    if (reference == 0) {
        point(place, step, NULL);
        return step->never_null ? BYRE_EPROTO : BYRE_OK;
    }
    uint32_t id = reference - 1;
    if (id == unpacker->met) {
        int err = meet(unpacker, step, at + sizeof reference);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    } else if (id > unpacker->met || unpacker->graph->objects[id].via != step->via) {
        unpacker->in.used = at;
        return byre__rpc_unpack_reference(unpacker, step->via, place + step->offset, place, false,
                                          &id);
    }
    point(place, step, unpacker->graph->objects[id].place);
    return BYRE_OK;
}

int byre__rpc_unpack_records(byre__rpc_unpacker_t *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next)
{
    const byre__rpc_step_t *last = record->steps + record->count;
    size_t at = unpacker->in.used;
    uint32_t id = *next;
    for (; id < unpacker->met && unpacker->in.end - at >= record->most; id++) {
        const byre__rpc_object_t *object = &unpacker->graph->objects[id];
        if (object->via != record->via) break;
        unsigned char *place = object->place;
        unpacker->promised -= record->least;
        for (const byre__rpc_step_t *step = record->steps; step < last; step++) {
            at = aligned(at, step);
            if (step->move == BYRE__RPC_FOLLOW) {
                int err = follow(unpacker, step, place, at);
                if (__builtin_expect(err != BYRE_OK, 0)) return err;
            } else {
                move(place, step, unpacker->in.data + at);
            }
            at += step->bytes;
        }
    }
    unpacker->in.used = at;
    *next = id;
    return BYRE_OK;
}

/* ---- replies ------------------------------------------------------------------------------------ */

/* Is a record of a reply like those of most replies: does it refer to objects of the call only? It is noted which. */
static inline bool check(byre__rpc_unpacker_t *unpacker, const byre__rpc_record_t *record,
                         size_t *used)
{
    const byre__rpc_step_t *last = record->steps + record->count;
    const byre__rpc_object_t *objects = unpacker->graph->objects;
    size_t at = *used;
    for (const byre__rpc_step_t *step = record->steps; step < last; step++) {
        at = aligned(at, step);
        if (step->move == BYRE__RPC_FOLLOW) {
            uint32_t id = reference_at(unpacker, at) - 1;
            if (id < unpacker->before) {
                if (__builtin_expect(objects[id].via != step->via, 0)) return false;
                unpacker->seen[id / 8] |= (unsigned char)(1u << (id % 8));
            } else if (id != UINT32_MAX || step->never_null) {
                return false;
            }
        }
        at += step->bytes;
    }
    *used = at;
    return true;
}

void byre__rpc_check_records(byre__rpc_unpacker_t *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next, uint32_t end)
{
    size_t at = unpacker->in.used;
    uint32_t id = *next;
    for (; id < end && unpacker->in.end - at >= record->most; id++)
        if (unpacker->graph->objects[id].via != record->via || !check(unpacker, record, &at)) break;
    unpacker->in.used = at;
    *next = id;
}

/* Y4: what is stored has been checked. Counts of new objects, which are met in order, are those of marshal_refs.c. */
void byre__rpc_store_records(byre__rpc_unpacker_t *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next, uint32_t end)
{
    const byre__rpc_step_t *last = record->steps + record->count;
    const byre__rpc_object_t *objects = unpacker->graph->objects;
    size_t at = unpacker->in.used;
    uint32_t id = *next;
    for (; id < end && unpacker->in.end - at >= record->most; id++) {
        if (objects[id].via != record->via) break;
        if (id + BYRE__RPC_AHEAD < end) __builtin_prefetch(objects[id + BYRE__RPC_AHEAD].place, 1);
        unsigned char *place = objects[id].place;
        for (const byre__rpc_step_t *step = record->steps; step < last; step++) {
            at = aligned(at, step);
            if (step->move == BYRE__RPC_FOLLOW) {
                uint32_t reference = reference_at(unpacker, at);
                if (reference > unpacker->met) unpacker->met = reference;
                point(place, step, reference == 0 ? NULL : objects[reference - 1].place);
            } else {
                move(place, step, unpacker->in.data + at);
            }
            at += step->bytes;
        }
    }
    unpacker->in.used = at;
    *next = id;
}
