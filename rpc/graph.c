/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of objects, and its index.
 *
 *   G1  An object's id is its place in the table: the same on both sides, because both append objects in
 *       the order in which the message first refers to them.
 *   G2  The index holds the ids below `indexed`. Several objects may have one address: a struct and its
 *       first field. A slot is 0, or the address's bits 3 to 34 and id + 1.
 *   G3  Open addressing, at most half full. Eight neighbouring slots, a cache line, belong to 128 bytes of
 *       addresses, so objects that were allocated one after the other are found in few lines; the
 *       lines are scattered (multiplicative hashing, Knuth 6.4).
 *   G4  At the server the objects lie in the call's arena, which lives longer than the graph.
 *   G5  An owner is noted when its object is appended: in ascending order.
 */
#include "graph.h"
#include "pages.h"

#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

static void set_slots(byre__rpc_graph_t *graph, uint64_t *slots, unsigned bits)
{
    graph->slots = slots;
    graph->slot_mask = ((uint32_t)1 << bits) - 1;
    graph->line_shift = 64 - (bits - 3);
}

byre__rpc_graph_t *byre__rpc_graph_create(void)
{
    byre__rpc_graph_t *graph = malloc(sizeof *graph);
    if (graph == NULL) return NULL;
    memset(graph, 0, offsetof(byre__rpc_graph_t, first_objects));
    memset(graph->first_slots, 0, sizeof graph->first_slots);
    graph->objects = graph->first_objects;
    graph->room = BYRE__RPC_GRAPH_OBJECTS;
    set_slots(graph, graph->first_slots, (unsigned)__builtin_ctz(BYRE__RPC_GRAPH_SLOTS));
    return graph;
}

static void free_objects(byre__rpc_graph_t *graph)
{
    if (graph->objects != graph->first_objects)
        byre__rpc_pages_free(graph->objects, graph->room * sizeof *graph->objects,
                             graph->room * sizeof *graph->objects);
}

static void free_slots(byre__rpc_graph_t *graph)
{
    size_t bytes = ((size_t)graph->slot_mask + 1) * sizeof *graph->slots;
    if (graph->slots != graph->first_slots) byre__rpc_pages_free(graph->slots, bytes, bytes);
}

void byre__rpc_graph_free(byre__rpc_graph_t *graph)
{
    if (graph == NULL) return;
    free_objects(graph);
    free_slots(graph);
    free(graph->owners);
    free(graph->extras);
    free(graph);
}

/* An array for at least one more than it has room for. */
static int grow(void **array, uint32_t *room, size_t each, uint32_t least)
{
    uint32_t more = *room < least ? least : 2 * *room;
    if (more <= *room) return BYRE_ENOMEM;
    void *grown = realloc(*array, more * each);
    if (grown == NULL) return BYRE_ENOMEM;
    *array = grown;
    *room = more;
    return BYRE_OK;
}

int byre__rpc_graph_grow(byre__rpc_graph_t *graph)
{
    if (graph->room > UINT32_MAX / 4) return BYRE_ENOMEM;
    uint32_t room = 4 * graph->room; /* what is not touched costs nothing */
    byre__rpc_object_t *objects = byre__rpc_pages_alloc_dirty(room * sizeof *objects);
    if (objects == NULL) return BYRE_ENOMEM;
    memcpy(objects, graph->objects, graph->count * sizeof *objects);
    free_objects(graph);
    graph->objects = objects;
    graph->room = room;
    return BYRE_OK;
}

static void insert(byre__rpc_graph_t *graph, uint32_t id)
{
    uintptr_t address = (uintptr_t)graph->objects[id].place;
    uint32_t slot = byre__rpc_slot_of(graph, address);
    while (graph->slots[slot] != 0) slot = (slot + 1) & graph->slot_mask;
    graph->slots[slot] = byre__rpc_slot_value(address, id);
}

static int reindex(byre__rpc_graph_t *graph, unsigned bits)
{
    if (bits > 31) return BYRE_ENOMEM;
    uint64_t *slots = byre__rpc_pages_alloc(((size_t)1 << bits) * sizeof *slots);
    if (slots == NULL) return BYRE_ENOMEM;
    free_slots(graph);
    set_slots(graph, slots, bits);
    for (uint32_t id = 0; id < graph->count; id++) insert(graph, id);
    graph->indexed = graph->count;
    return BYRE_OK;
}

int byre__rpc_graph_index_grow(byre__rpc_graph_t *graph)
{
    return reindex(graph, (unsigned)__builtin_popcount(graph->slot_mask) + 2);
}

int byre__rpc_graph_index(byre__rpc_graph_t *graph)
{
    unsigned bits = (unsigned)__builtin_popcount(graph->slot_mask);
    if (graph->count > graph->slot_mask / 2) {
        while (graph->count > ((uint64_t)1 << bits) / 2 - 1) bits++;
        return reindex(graph, bits);
    }
    for (; graph->indexed < graph->count; graph->indexed++) insert(graph, graph->indexed);
    return BYRE_OK;
}

/* G2: new objects are few, or the index is thrown away as a whole. */
void byre__rpc_graph_truncate(byre__rpc_graph_t *graph, uint32_t count)
{
    graph->count = count;
    while (graph->owner_count > 0 && graph->owners[graph->owner_count - 1].id >= count)
        graph->owner_count--;
    if (graph->indexed <= count) return;
    memset(graph->slots, 0, ((size_t)graph->slot_mask + 1) * sizeof *graph->slots);
    graph->indexed = 0;
}

/* G5 */
int byre__rpc_graph_own(byre__rpc_graph_t *graph, const byre__rpc_owner_t *owner)
{
    if (graph->owner_count == graph->owner_room) {
        void *owners = graph->owners;
        int err = grow(&owners, &graph->owner_room, sizeof *graph->owners, 8);
        if (err != BYRE_OK) return err;
        graph->owners = owners;
    }
    graph->owners[graph->owner_count++] = *owner;
    return BYRE_OK;
}

byre__rpc_owner_t *byre__rpc_graph_owner(const byre__rpc_graph_t *graph, uint32_t id)
{
    uint32_t low = 0, high = graph->owner_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (graph->owners[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < graph->owner_count && graph->owners[low].id == id ? &graph->owners[low] : NULL;
}

/* An object is named once. */
int byre__rpc_graph_extra(byre__rpc_graph_t *graph, uint32_t id)
{
    if (id < graph->restored) return BYRE_OK;
    for (uint32_t i = 0; i < graph->extra_count; i++)
        if (graph->extras[i] == id) return BYRE_OK;
    if (graph->extra_count == graph->extra_room) {
        void *extras = graph->extras;
        int err = grow(&extras, &graph->extra_room, sizeof *graph->extras, 4);
        if (err != BYRE_OK) return err;
        graph->extras = extras;
    }
    graph->extras[graph->extra_count++] = id;
    return BYRE_OK;
}
