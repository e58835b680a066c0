/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing values and objects.
 *
 *   P1  A value in place is written in place: numbers, fields one after the other; flat types as bytes.
 *       Before the elements of a run of variable length stand their first index and their number, before a
 *       union its discriminant, before the characters of a string their number.
 *   P2  A pointer is written as a reference: 0, or the id of its object plus 1. The next id that has not
 *       been used means a new object; if its size is not the type's, a count follows at once, so that
 *       the reader has an address for it before its value comes.
 *   P3  Objects are written in the order of their ids, after what refers to them first. The table is the queue:
 *       no recursion, however long a list is.
 *   P4  Where a pointer may lead into another object, the message is written twice if one does. The first
 *       writing finds all objects; graph_roots.c tells which lie in others; the second writes the outer
 *       ones only. References of such a message have a byte offset, and new objects the number of
 *       their pointer type, for the first pointer that is seen need not be of that type.
 *   P5  A reply meets the objects of the call mostly in the order in which the call has met them: the one
 *       after the last is tried before the index is asked, or made.
 */
#include "marshal_pack.h"
#include "record.h"

#include <string.h>

_Thread_local const byre__rpc_context_hooks_t *byre__rpc_context_hooks;

int byre__rpc_pack_head(byre__rpc_packer_t *packer, unsigned char what)
{
    unsigned char head[BYRE__RPC_WIRE_HEAD] = { BYRE__RPC_WIRE_VERSION, BYRE__RPC_WIRE_NATIVE, what,
                                                packer->roots != NULL ? BYRE__RPC_WIRE_RANGED : 0 };
    if (packer->out.swap) head[1] = BYRE__RPC_WIRE_NATIVE ^ 1;
    return byre__rpc_put_raw(&packer->out, head, sizeof head, 1);
}

/* ---- values ------------------------------------------------------------------------------------ */

static int pack_flat(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place)
{
    return byre__rpc_put_raw(&packer->out, place, type->size, type->align);
}

static int pack_elements(byre__rpc_packer_t *packer, const byre_rpc_type_t *element,
                         const unsigned char *place, size_t count, const void *container)
{
    if (byre__rpc_type_flat(element)) {
        size_t align = element->align > 0 ? element->align : 1;
        if (!packer->out.swap || element->size == 1)
            return byre__rpc_put_raw(&packer->out, place, count * element->size, align);
        if (byre__rpc_put(&packer->out, 0, align) == NULL) return BYRE_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int err = byre__rpc_pack_value(packer, element, place + i * element->size, container);
        if (err != BYRE_OK) return err;
    }
    return BYRE_OK;
}

/* The elements that are defined, of a run that there is `room` for: `type` says which. */
static int pack_run(byre__rpc_packer_t *packer, const byre_rpc_type_t *type,
                    const unsigned char *place, size_t room, const void *container)
{
    if (!byre__rpc_type_varying(type))
        return pack_elements(packer, type->element, place, room, container);
    if (container == NULL) return BYRE_EINVAL;
    int64_t first = type->first_is != NULL ? type->first_is(container) : 0;
    if (first < 0 || (uint64_t)first > room) return BYRE_EINVAL;
    size_t rest = room - (size_t)first;
    int64_t length = type->length_is != NULL ? type->length_is(container) : (int64_t)rest;
    if (length < 0 || (uint64_t)length > rest) return BYRE_EINVAL;
    int err = byre__rpc_put_u64(&packer->out, (uint64_t)first);
    if (err == BYRE_OK) err = byre__rpc_put_u64(&packer->out, (uint64_t)length);
    if (err != BYRE_OK) return err;
    return pack_elements(packer, type->element, place + (size_t)first * type->element->size,
                         (size_t)length, container);
}

static int pack_flex(byre__rpc_packer_t *packer, const byre_rpc_type_t *type,
                     const unsigned char *place, const void *container)
{
    int64_t count = type->size_is(container);
    if (count < 0 || (uint64_t)count > packer->flex_room) return BYRE_EINVAL;
    int err = byre__rpc_put_u64(&packer->out, (uint64_t)count);
    return err != BYRE_OK ? err : pack_run(packer, type, place, (size_t)count, container);
}

static int pack_string(byre__rpc_packer_t *packer, const void *place, size_t room)
{
    size_t length = strnlen(place, room);
    if (length == room) return BYRE_EINVAL;
    int err = byre__rpc_put_u64(&packer->out, length);
    return err != BYRE_OK ? err : byre__rpc_put_raw(&packer->out, place, length, 1);
}

static int pack_bool(byre__rpc_packer_t *packer, const unsigned char *place)
{
    return *place > 1 ? BYRE_EINVAL : byre__rpc_put_raw(&packer->out, place, 1, 1);
}

static int pack_enum(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place)
{
    int32_t value;
    memcpy(&value, place, sizeof value);
    if (!byre__rpc_enum_legal(type, value)) return BYRE_EINVAL;
    return byre__rpc_put_number(&packer->out, place, 4);
}

static int pack_union(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place,
                      const void *container)
{
    if (container == NULL) return BYRE_EINVAL;
    int64_t value = type->switch_is(container);
    const byre_rpc_field_t *selected = byre__rpc_union_case(type, value);
    if (selected == NULL) return BYRE_EINVAL;
    int err = byre__rpc_put_u64(&packer->out, (uint64_t)value);
    if (err != BYRE_OK) return err;
    return byre__rpc_pack_value(packer, selected->type, place, container);
}

static int pack_context(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place)
{
    void *handle;
    memcpy(&handle, place, sizeof handle);
    byre__rpc_wire_context_t wire = { 0 };
    if (handle != NULL) {
        if (byre__rpc_context_hooks == NULL) return BYRE_EINVAL;
        int err = byre__rpc_context_hooks->to_wire(type, handle, &wire);
        if (err != BYRE_OK) return err;
    }
    int err = byre__rpc_put_u64(&packer->out, wire.serial);
    return err != BYRE_OK ? err : byre__rpc_put_u64(&packer->out, wire.owner);
}

static inline int pack_pointer(byre__rpc_packer_t *packer, const byre_rpc_type_t *via,
                               const void *place, const void *container)
{
    void *target;
    memcpy(&target, place, sizeof target);
    if (target == NULL)
        return via->flags & BYRE_RPC_F_REF ? BYRE_EINVAL : byre__rpc_put_u32(&packer->out, 0);
    if (packer->graph == NULL) return BYRE_EINVAL;
    __builtin_prefetch(target); /* while its slot of the index is fetched */
    size_t count;
    int err = byre__rpc_extent(via, target, container, false, &count);
    if (err != BYRE_OK) return err;
    byre__rpc_owner_t owner = { .told = true,
                                .container = container == packer->frame ? NULL : container,
                                .slot = (void *const *)place };
    uint32_t id;
    return byre__rpc_pack_reference(packer, via, target, count, &owner, &id);
}

static int pack_struct(byre__rpc_packer_t *packer, const byre_rpc_type_t *type,
                       const unsigned char *place)
{
    if (byre__rpc_type_flat(type)) { /* only if bytes must be swapped */
        if (byre__rpc_put(&packer->out, 0, type->align) == NULL) return BYRE_ENOMEM;
    }
    for (uint32_t i = 0; i < type->count; i++) {
        const byre_rpc_field_t *field = &type->fields[i];
        const unsigned char *at = place + field->offset;
        int err;
        if (field->type->kind == BYRE_RPC_INT)
            err = byre__rpc_put_number(&packer->out, at, field->type->size);
        else if (field->type->kind == BYRE_RPC_POINTER)
            err = pack_pointer(packer, field->type, at, place);
        else
            err = byre__rpc_pack_value(packer, field->type, at, place);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}

int byre__rpc_pack_value(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place,
                         const void *container)
{
    if (byre__rpc_type_flat(type) && !packer->out.swap && type->size > 0)
        return pack_flat(packer, type, place);
    switch (type->kind) {
    case BYRE_RPC_VOID:
        return BYRE_OK;
    case BYRE_RPC_INT:
    case BYRE_RPC_FLOAT:
        return byre__rpc_put_number(&packer->out, place, type->size);
    case BYRE_RPC_BOOL:
        return pack_bool(packer, place);
    case BYRE_RPC_ENUM:
        return pack_enum(packer, type, place);
    case BYRE_RPC_STRUCT:
        return pack_struct(packer, type, place);
    case BYRE_RPC_ARRAY:
        return pack_run(packer, type, place, type->count, container);
    case BYRE_RPC_FLEX:
        return pack_flex(packer, type, place, container);
    case BYRE_RPC_STRING:
        return pack_string(packer, place, type->count);
    case BYRE_RPC_UNION:
        return pack_union(packer, type, place, container);
    case BYRE_RPC_POINTER:
        return pack_pointer(packer, type, place, container);
    case BYRE_RPC_CONTEXT:
        return pack_context(packer, type, place);
    default:
        return BYRE_EINVAL;
    }
}

/* ---- objects ----------------------------------------------------------------------------------- */

static int declared(const byre_rpc_type_t *via, const void *container, size_t *count_out)
{
    if (container == NULL) return BYRE_EINVAL;
    int64_t count = via->size_is(container);
    if (count < 0 || byre__rpc_via_bytes(via, (size_t)count) == SIZE_MAX) return BYRE_EINVAL;
    *count_out = (size_t)count;
    return BYRE_OK;
}

int byre__rpc_extent_declared(const byre_rpc_type_t *via, const void *container, size_t *count_out)
{
    if (via->size_is != NULL) return declared(via, container, count_out);
    bool string = byre__rpc_via_string(via);
    *count_out = string ? via->count : 1;
    if (string) return via->count == 0 ? BYRE_EINVAL : BYRE_OK;
    return byre__rpc_type_flex(via->element) != NULL ? BYRE_EINVAL : BYRE_OK;
}

static int extent_of_string(const byre_rpc_type_t *via, const void *place, const void *container,
                            bool whole, size_t *count_out)
{
    size_t bound = via->count == 0 ? PTRDIFF_MAX : via->count;
    if (via->size_is != NULL) {
        int err = declared(via, container, &bound);
        if (err != BYRE_OK) return err;
    }
    size_t length = strnlen(place, bound);
    if (length == bound) return BYRE_EINVAL;
    whole = via->size_is != NULL || (whole && via->count != 0);
    *count_out = whole ? bound : length + 1;
    return BYRE_OK;
}

int byre__rpc_extent(const byre_rpc_type_t *via, const void *place, const void *container,
                     bool whole, size_t *count_out)
{
    if (byre__rpc_via_string(via)) return extent_of_string(via, place, container, whole, count_out);
    if (via->size_is != NULL) return declared(via, container, count_out);
    *count_out = 1;
    const byre_rpc_field_t *flex = byre__rpc_type_flex(via->element);
    if (__builtin_expect(flex == NULL, 1)) return BYRE_OK;
    int64_t count = flex->type->size_is(place);
    if (count < 0 || byre__rpc_via_bytes(via, (size_t)count) == SIZE_MAX) return BYRE_EINVAL;
    *count_out = (size_t)count;
    return BYRE_OK;
}

/* P4: the second writing. */
static int refer_inside(byre__rpc_packer_t *packer, const byre_rpc_type_t *via, const void *place,
                        size_t count, uint32_t *id_out)
{
    byre__rpc_roots_t *roots = packer->roots;
    uint32_t slot, entry = byre__rpc_graph_find(roots->found, place, via, count, &slot);
    if (entry == BYRE__RPC_NO_OBJECT) return BYRE_EINVAL; /* changed under our hands */
    uint32_t root = roots->root[entry];
    const byre__rpc_object_t *object = &roots->found->objects[root];
    bool fresh = roots->number[root] == BYRE__RPC_NO_OBJECT;
    int err = BYRE_OK;
    if (fresh) {
        err = byre__rpc_graph_append(packer->graph, object->place, object->via, object->count,
                                     &roots->number[root]);
        const byre__rpc_owner_t *owner = byre__rpc_graph_owner(roots->found, root);
        if (err == BYRE_OK && owner != NULL) {
            byre__rpc_owner_t own = *owner;
            own.id = roots->number[root];
            err = byre__rpc_graph_own(packer->graph, &own);
        }
    }
    *id_out = roots->number[root];
    if (err == BYRE_OK) err = byre__rpc_put_u32(&packer->out, *id_out + 1);
    if (err == BYRE_OK && fresh) {
        err = byre__rpc_put_u32(&packer->out, byre__rpc_code_of(&roots->codes, object->via));
        if (err == BYRE_OK) err = byre__rpc_put_u64(&packer->out, object->count);
    }
    if (err != BYRE_OK) return err;
    return byre__rpc_put_u64(&packer->out,
                             (uint64_t)((const unsigned char *)place - object->place));
}

static int refer_first(byre__rpc_packer_t *packer, const byre_rpc_type_t *via, const void *place,
                       size_t count, const byre__rpc_owner_t *owner, uint32_t slot,
                       uint32_t *id_out)
{
    byre__rpc_graph_t *graph = packer->graph;
    int err = byre__rpc_graph_add(graph, (void *)place, via, count, slot, id_out);
    if (__builtin_expect(err != BYRE_OK, 0)) return err;
    if ((via->flags | via->element->flags) & BYRE_RPC_F_CONTAINS) graph->suspect = true;
    if (__builtin_expect(byre__rpc_via_owned(via), 0)) {
        byre__rpc_owner_t own = *owner;
        own.id = *id_out;
        err = byre__rpc_graph_own(graph, &own);
        if (err != BYRE_OK) return err;
    }
    err = byre__rpc_put_u32(&packer->out, *id_out + 1);
    if (err == BYRE_OK && byre__rpc_via_counted(via)) err = byre__rpc_put_u64(&packer->out, count);
    return err;
}

int byre__rpc_pack_reference(byre__rpc_packer_t *packer, const byre_rpc_type_t *via,
                             const void *place, size_t count, const byre__rpc_owner_t *owner,
                             uint32_t *id_out)
{
    if (packer->roots != NULL) return refer_inside(packer, via, place, count, id_out);
    byre__rpc_graph_t *graph = packer->graph;
    if (packer->guess < packer->before) { /* P5 */
        const byre__rpc_object_t *object = &graph->objects[packer->guess];
        if (object->place == place && byre__rpc_object_fits(object, via, count)) {
            *id_out = packer->guess++;
            return byre__rpc_put_u32(&packer->out, *id_out + 1);
        }
    }
    if (__builtin_expect(graph->indexed != graph->count, 0)) {
        int err = byre__rpc_graph_index(graph);
        if (err != BYRE_OK) return err;
    }
    uint32_t slot = 0;
    *id_out = byre__rpc_graph_find(graph, place, via, count, &slot);
    if (*id_out != BYRE__RPC_NO_OBJECT) {
        if (*id_out > packer->guess) packer->guess = *id_out + 1;
        return byre__rpc_put_u32(&packer->out, *id_out + 1);
    }
    return refer_first(packer, via, place, count, owner, slot, id_out);
}

int byre__rpc_pack_object(byre__rpc_packer_t *packer, const byre__rpc_object_t *object,
                          const void *container)
{
    const byre_rpc_type_t *via = object->via;
    if (byre__rpc_via_string(via)) return pack_string(packer, object->place, object->count);
    if (byre__rpc_type_flex(via->element) != NULL) {
        packer->flex_room = object->count;
        int err = byre__rpc_pack_value(packer, via->element, object->place, container);
        packer->flex_room = 0;
        return err;
    }
    if (via->size_is == NULL && via->element->kind == BYRE_RPC_STRUCT &&
        !byre__rpc_type_flat(via->element) && object->count == 1)
        return pack_struct(packer, via->element, object->place);
    return pack_run(packer, via, object->place, object->count, container);
}

const void *byre__rpc_pack_container(const byre__rpc_packer_t *packer, uint32_t id)
{
    const byre__rpc_owner_t *owner = byre__rpc_graph_owner(packer->graph, id);
    if (owner == NULL || !owner->told) return NULL;
    return owner->container == NULL ? packer->frame : owner->container;
}

static int pack_one(byre__rpc_packer_t *packer, uint32_t id)
{
    byre__rpc_object_t object = packer->graph->objects[id];
    const void *container = NULL;
    if (__builtin_expect(byre__rpc_via_owned(object.via), 0))
        container = byre__rpc_pack_container(packer, id);
    return byre__rpc_pack_object(packer, &object, container);
}

int byre__rpc_pack_queue(byre__rpc_packer_t *packer, uint32_t *next)
{
    byre__rpc_graph_t *graph = packer->graph;
    bool general = packer->out.swap || packer->roots != NULL;
    byre__rpc_records_t records;
    byre__rpc_records_init(&records);
    while (*next < graph->count) {
        uint32_t first = *next;
        const byre__rpc_record_t *record =
            general ? NULL : byre__rpc_record_of(&records, graph->objects[first].via);
        int err = BYRE_OK;
        if (record != NULL) err = byre__rpc_pack_records(packer, record, next, graph->count, true);
        if (err == BYRE_OK && *next == first) err = pack_one(packer, (*next)++);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}
