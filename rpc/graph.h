/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The objects of a call on one side: a table in the order of their first visit, which is also the queue of
 * a traversal, and an index of their addresses. Described in graph.c.
 */
#ifndef BYRE__RPC_GRAPH_H
#define BYRE__RPC_GRAPH_H

#include "marshal_types.h"

#include <stdint.h>

/* What a pointer leads to. */
typedef struct byre__rpc_object {
    unsigned char *place;
    const byre_rpc_type_t *via; /* the pointer type that it is an object of */
    size_t count; /* elements; of a struct with a field of variable length, that one's;
                                   of a string, bytes that there is room for */
} byre__rpc_object_t;

/* The container that the attributes of an object's pointer are computed from. */
typedef struct byre__rpc_owner {
    uint32_t id;
    bool told;             /* the rest is known: a reference like the object's own has been seen */
    const void *container; /* NULL: the frame */
    void *const *slot;     /* the pointer; NULL: it is a parameter */
} byre__rpc_owner_t;

enum { BYRE__RPC_GRAPH_OBJECTS = 8, BYRE__RPC_GRAPH_SLOTS = 32 }; /* without further allocation */

struct byre__rpc_graph {
    byre__rpc_object_t *objects;
    uint32_t count, room;
    uint32_t indexed;  /* objects below are in the index */
    uint32_t restored; /* objects below were reachable from [in,out] parameters */
    uint64_t *slots;
    unsigned line_shift; /* G3 */
    uint32_t slot_mask;
    byre__rpc_owner_t *owners; /* ascending ids */
    uint32_t owner_count, owner_room;
    uint32_t *extras; /* objects of [out] parameters that are not below `restored`, as they come */
    uint32_t extra_count, extra_room;
    bool ranged;  /* some reference of the call leads into an object */
    bool suspect; /* types are such that one may */
    byre__rpc_object_t first_objects[BYRE__RPC_GRAPH_OBJECTS];
    uint64_t first_slots[BYRE__RPC_GRAPH_SLOTS];
};

#define BYRE__RPC_NO_OBJECT UINT32_MAX

byre__rpc_graph_t *byre__rpc_graph_create(void);
/* Forget objects from `count` on. */
void byre__rpc_graph_truncate(byre__rpc_graph_t *graph, uint32_t count);
int byre__rpc_graph_grow(byre__rpc_graph_t *graph);
int byre__rpc_graph_index_grow(byre__rpc_graph_t *graph);
/* Bring the index up to date. */
int byre__rpc_graph_index(byre__rpc_graph_t *graph);
int byre__rpc_graph_own(byre__rpc_graph_t *graph, const byre__rpc_owner_t *owner);
/* NULL: the object has none. */
byre__rpc_owner_t *byre__rpc_graph_owner(const byre__rpc_graph_t *graph, uint32_t id);
int byre__rpc_graph_extra(byre__rpc_graph_t *graph, uint32_t id);

/* ---- the hot path ------------------------------------------------------------------------------ */

static inline uint32_t byre__rpc_slot_of(const byre__rpc_graph_t *graph, uintptr_t address)
{
    uint64_t line = ((uint64_t)(address >> 7) * 0x9e3779b97f4a7c15u) >> graph->line_shift;
    return (uint32_t)(line << 3) | (uint32_t)((address >> 4) & 7);
}

static inline uint64_t byre__rpc_slot_value(uintptr_t address, uint32_t id)
{
    return (uint64_t)(uint32_t)(address >> 3) << 32 | (id + 1);
}

/* Is a pointer of this type, to so many, one to this object, or to its beginning? */
static inline bool byre__rpc_object_fits(const byre__rpc_object_t *object,
                                         const byre_rpc_type_t *via, size_t count)
{
    if (object->via == via) return count <= object->count;
    return count <= object->count &&
           byre__rpc_via_string(via) == byre__rpc_via_string(object->via) &&
           byre__rpc_type_same(via->element, object->via->element);
}

/* The object at an address, indexed; else the slot where it should be. */
static inline uint32_t byre__rpc_graph_find(byre__rpc_graph_t *graph, const void *place,
                                            const byre_rpc_type_t *via, size_t count,
                                            uint32_t *slot_out)
{
    uintptr_t address = (uintptr_t)place;
    uint32_t tag = (uint32_t)(address >> 3);
    uint32_t slot = byre__rpc_slot_of(graph, address);
    for (;; slot = (slot + 1) & graph->slot_mask) {
        uint64_t value = graph->slots[slot];
        if (value == 0) break;
        if ((uint32_t)(value >> 32) != tag) continue;
        uint32_t id = (uint32_t)value - 1;
        const byre__rpc_object_t *object = &graph->objects[id];
        if (object->place != place) continue;
        if (byre__rpc_object_fits(object, via, count)) return id;
        graph->suspect = true;
    }
    *slot_out = slot;
    return BYRE__RPC_NO_OBJECT;
}

/* Append an object; not to the index. */
static inline int byre__rpc_graph_append(byre__rpc_graph_t *graph, void *place,
                                         const byre_rpc_type_t *via, size_t count, uint32_t *id_out)
{
    if (__builtin_expect(graph->count == graph->room, 0)) {
        int err = byre__rpc_graph_grow(graph);
        if (err != 0) return err;
    }
    *id_out = graph->count;
    graph->objects[graph->count++] =
        (byre__rpc_object_t){ .place = place, .via = via, .count = count };
    return 0;
}

/* Append an object where byre__rpc_graph_find has found none. The index must be up to date. */
static inline int byre__rpc_graph_add(byre__rpc_graph_t *graph, void *place,
                                      const byre_rpc_type_t *via, size_t count, uint32_t slot,
                                      uint32_t *id_out)
{
    int err = byre__rpc_graph_append(graph, place, via, count, id_out);
    if (err != 0) return err;
    graph->slots[slot] = byre__rpc_slot_value((uintptr_t)place, *id_out);
    graph->indexed = graph->count;
    if (__builtin_expect(graph->count > graph->slot_mask / 2, 0))
        return byre__rpc_graph_index_grow(graph);
    return 0;
}

#endif
