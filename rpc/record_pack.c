/* SPDX-License-Identifier: BSD-3-Clause */
/* Records to bytes: marshal_pack.c for many objects of one kind, without asking again for each field. */
#include "record.h"

#include "marshal_pack.h"

/* The general function, for what is not like the last one: `at` is where the message has come to. */
static __attribute__((noinline)) int refer_slowly(byre__rpc_packer_t *packer,
                                                  const byre__rpc_step_t *step, const void *target,
                                                  const unsigned char *place, size_t at)
{
    byre__rpc_owner_t owner = { .told = true,
                                .container = place,
                                .slot = (void *const *)(const void *)(place + step->offset) };
    uint32_t id;
    packer->out.bytes->used = packer->out.base + at;
    return byre__rpc_pack_reference(packer, step->via, target, 1, &owner, &id);
}

enum { UNCLEAR = 0, NO_MEMORY = UINT32_MAX };

/* The reference to a target, which is known, or new. */
static inline uint32_t refer(byre__rpc_packer_t *packer, const byre__rpc_step_t *step, void *target)
{
    byre__rpc_graph_t *graph = packer->graph;
    if (packer->guess < packer->before) { /* P5 */
        const byre__rpc_object_t *object = &graph->objects[packer->guess];
        return object->place == target && object->via == step->via ? ++packer->guess : UNCLEAR;
    }
    if (__builtin_expect(graph->indexed != graph->count, 0)) return UNCLEAR;
    uint32_t slot = 0, id = byre__rpc_graph_find(graph, target, step->via, 1, &slot);
    if (id != BYRE__RPC_NO_OBJECT) {
        if (id > packer->guess) packer->guess = id + 1;
        return id + 1;
    }
    if (byre__rpc_graph_add(graph, target, step->via, 1, slot, &id) != BYRE_OK) return NO_MEMORY;
    if (step->contains) graph->suspect = true;
    return id + 1;
}

/* A pointer whose reference goes to `at`. */
static inline int follow(byre__rpc_packer_t *packer, const byre__rpc_step_t *step,
                         const unsigned char *place, size_t at)
{
    uint32_t reference = 0;
    void *target;
    memcpy(&target, place + step->offset, sizeof target);
    if (target != NULL) {
        __builtin_prefetch(target); /* while its slot of the index is fetched */
        reference = refer(packer, step, target);
        if (__builtin_expect(reference == UNCLEAR, 0))
            return refer_slowly(packer, step, target, place, at);
        if (__builtin_expect(reference == NO_MEMORY, 0)) return BYRE_ENOMEM;
    } else if (step->never_null) {
        return BYRE_EINVAL;
    }
    memcpy(packer->out.bytes->data + packer->out.base + at, &reference, sizeof reference);
    return BYRE_OK;
}

int byre__rpc_pack_records(byre__rpc_packer_t *packer, const byre__rpc_record_t *record,
                           uint32_t *next, uint32_t end, bool queue)
{
    byre__rpc_graph_t *graph = packer->graph;
    byre__rpc_bytes_t *bytes = packer->out.bytes;
    const byre__rpc_step_t *last = record->steps + record->count;
    size_t base = packer->out.base, at = bytes->used - base;
    uint32_t id = *next;
    for (; id < end && bytes->room - base - at >= record->most; id++) {
        const byre__rpc_object_t *object = &graph->objects[id];
        if (object->via != record->via) break;
        if (id + BYRE__RPC_AHEAD < graph->count) __builtin_prefetch(object[BYRE__RPC_AHEAD].place);
        const unsigned char *place = object->place;
        for (const byre__rpc_step_t *step = record->steps; step < last; step++) {
            unsigned char *message = bytes->data + base;
            memset(message + at, 0, 8); /* W1 */
            at = (at + step->mask) & ~(size_t)step->mask;
            if (step->move == BYRE__RPC_MOVE_8) {
                memcpy(message + at, place + step->offset, 8);
                at += 8;
            } else if (step->move == BYRE__RPC_FOLLOW) {
                int err = follow(packer, step, place, at);
                if (__builtin_expect(err != BYRE_OK, 0)) return err;
                at += 4;
            } else {
                memcpy(message + at, place + step->offset, step->bytes);
                at += step->bytes;
            }
        }
        if (queue) end = graph->count;
    }
    bytes->used = base + at;
    *next = id;
    return BYRE_OK;
}
