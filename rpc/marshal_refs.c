/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading references, and making the objects that they are the first to name.
 *
 *   U1  Nothing is believed: a reference is to an object that has been met and that is of its pointer's type
 *       and size; an object is only made if the rest of the message is long enough for the values of all that
 *       have been made (`promised`), and within `budget`. So a message makes objects of some multiple of
 *       its length, but for room that declarations ask for: size_is with length_is, [out], unions.
 *   U4  Of a message that was written twice (P4) the reader checks that there is at the offset what the
 *       pointer wants.
 */
#include "marshal_unpack.h"

#include <stdlib.h>

/* ---- new objects ------------------------------------------------------------------------------- */

void *byre__rpc_unpack_memory(byre__rpc_unpacker_t *unpacker, size_t bytes)
{
    if (bytes > unpacker->budget) return NULL;
    unpacker->budget -= bytes;
    return byre__rpc_arena_alloc(unpacker->arena, bytes);
}

static size_t least_of(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type)
{
    if (type != unpacker->least_type) {
        unpacker->least_type = type;
        unpacker->least = byre__rpc_type_least(type);
    }
    return unpacker->least;
}

/* Bytes of a message that the value of an object takes at least; SIZE_MAX: more than there are. */
static size_t least_of_object(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via,
                              size_t count)
{
    if (byre__rpc_via_string(via)) return 8;
    if (byre__rpc_type_varying(via)) return 16;
    const byre_rpc_field_t *flex = byre__rpc_type_flex(via->element);
    size_t head = 0, least;
    const byre_rpc_type_t *element = via->element;
    if (flex != NULL) {
        head = byre__rpc_type_least(element);
        if (byre__rpc_type_varying(flex->type)) return head;
        element = flex->type->element;
    }
    if (__builtin_mul_overflow(count, least_of(unpacker, element), &least)) return SIZE_MAX;
    return head + least < least ? SIZE_MAX : head + least;
}

/* A bound, but not the message, may ask for more than there are characters. */
static bool string_room_sound(const byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via,
                              size_t count)
{
    if (count == 0) return false;
    return via->size_is != NULL || count <= via->count ||
           count - 1 <= unpacker->in.end - unpacker->in.used;
}

/* U1 */
int byre__rpc_unpack_size(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, size_t count,
                          size_t *bytes_out)
{
    if (!unpacker->bodiless) {
        if (byre__rpc_via_string(via) && !string_room_sound(unpacker, via, count))
            return BYRE_EPROTO;
        size_t left = unpacker->in.end - unpacker->in.used;
        size_t least = least_of_object(unpacker, via, count);
        if (least > left || unpacker->promised > left - least) return BYRE_EPROTO;
        unpacker->promised += least;
    }
    *bytes_out = byre__rpc_via_bytes(via, count);
    return *bytes_out > unpacker->budget ? BYRE_EPROTO : BYRE_OK;
}

void byre__rpc_unpack_kept(byre__rpc_unpacker_t *unpacker, const byre__rpc_object_t *object)
{
    unpacker->promised -= least_of_object(unpacker, object->via, object->count);
}

static int make_room(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, size_t count,
                     void **place_out)
{
    size_t bytes;
    int err = byre__rpc_unpack_size(unpacker, via, count, &bytes);
    if (err != BYRE_OK) return err;
    unpacker->budget -= bytes;
    if (!unpacker->reply)
        *place_out = byre__rpc_arena_alloc(unpacker->arena, bytes);
    else if (byre__rpc_via_string(via) ||
             (byre__rpc_type_flat(via->element) && !byre__rpc_type_varying(via)))
        *place_out = malloc(bytes > 0 ? bytes : 1);
    else
        *place_out = calloc(1, bytes > 0 ? bytes : 1);
    return *place_out == NULL ? BYRE_ENOMEM : BYRE_OK;
}

static int meet(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via)
{
    int err = BYRE_OK;
    if (unpacker->ranged) {
        uint32_t code;
        err = byre__rpc_get_u32(&unpacker->in, &code);
        if (err != BYRE_OK) return err;
        if (code >= unpacker->codes.count) return BYRE_EPROTO;
        via = unpacker->codes.types[code];
    }
    uint64_t count = 1;
    if (unpacker->ranged || byre__rpc_via_counted(via))
        err = byre__rpc_get_u64(&unpacker->in, &count);
    unpacker->met++;
    if (err != BYRE_OK || unpacker->storing) return err;
    if (count != 1 && !byre__rpc_via_counted(via)) return BYRE_EPROTO;
    void *place = NULL;
    err = make_room(unpacker, via, count, &place);
    if (err != BYRE_OK) return err;
    if ((via->flags | via->element->flags) & BYRE_RPC_F_CONTAINS) unpacker->graph->suspect = true;
    uint32_t id;
    err = byre__rpc_graph_append(unpacker->graph, place, via, count, &id);
    if (err != BYRE_OK && unpacker->reply) free(place);
    if (err != BYRE_OK || !byre__rpc_via_owned(via)) return err;
    byre__rpc_owner_t owner = { .id = id };
    return byre__rpc_graph_own(unpacker->graph, &owner);
}

/* ---- references -------------------------------------------------------------------------------- */

/* U4: how many of what the pointer wants are there. */
static int room_at(const byre__rpc_object_t *object, size_t offset, const byre_rpc_type_t *via,
                   size_t *room_out)
{
    *room_out = object->count;
    if (offset == 0 && object->via == via) return BYRE_OK;
    if (byre__rpc_via_string(object->via) || byre__rpc_via_string(via)) {
        bool both = byre__rpc_via_string(object->via) && byre__rpc_via_string(via);
        return both && offset == 0 ? BYRE_OK : BYRE_EPROTO;
    }
    if (offset == 0 && byre__rpc_type_same(object->via->element, via->element)) return BYRE_OK;
    bool flex = byre__rpc_type_flex(object->via->element) != NULL;
    *room_out = byre__rpc_type_room(object->via->element, flex ? 1 : object->count,
                                    flex ? object->count : 0, offset, via->element);
    return *room_out > 0 ? BYRE_OK : BYRE_EPROTO;
}

/* The sizes that two pointers to one object tell must agree; who comes first with a container tells how
 * much of it is defined. */
static int check_reference(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, uint32_t id,
                           size_t offset, const void *slot, const void *container, bool param)
{
    const byre__rpc_object_t *object = &unpacker->graph->objects[id];
    size_t room;
    int err = room_at(object, offset, via, &room);
    if (err != BYRE_OK) return err;
    if (via->size_is != NULL)
        err = byre__rpc_check_later(unpacker, via->size_is, container, 0, room);
    else if (room < 1 && byre__rpc_type_flex(via->element) == NULL)
        err = BYRE_EPROTO;
    if (err != BYRE_OK || offset != 0 || !byre__rpc_via_owned(via)) return err;
    if (id < unpacker->before || object->via != via) return BYRE_OK;
    byre__rpc_owner_t *owner = byre__rpc_graph_owner(unpacker->graph, id);
    if (owner == NULL || owner->told) return BYRE_OK;
    owner->told = true;
    owner->container = container == unpacker->frame ? NULL : container;
    owner->slot = param ? NULL : slot;
    return BYRE_OK;
}

/* A reply: which objects are still used, which [unique] pointers have got new ones. */
static int note_reference(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, uint32_t id,
                          bool fresh, const unsigned char *slot)
{
    if (id < unpacker->before) {
        unpacker->seen[id / 8] |= (unsigned char)(1u << (id % 8));
        return BYRE_OK;
    }
    if (!fresh || unpacker->live == NULL || (via->flags & BYRE_RPC_F_PTR) ||
        byre__rpc_via_string(via))
        return BYRE_OK;
    byre__rpc_claim_t *claim = byre__rpc_list_add(&unpacker->claims, sizeof *claim);
    if (claim == NULL) return BYRE_ENOMEM;
    *claim = (byre__rpc_claim_t){ unpacker->live + (slot - unpacker->shadow), id };
    return BYRE_OK;
}

int byre__rpc_unpack_reference(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via,
                               void *slot, const void *container, bool param, uint32_t *id_out)
{
    uint32_t reference;
    int err = byre__rpc_get_u32(&unpacker->in, &reference);
    if (__builtin_expect(err != BYRE_OK, 0)) return err;
    unsigned char *place = NULL;
    *id_out = reference - 1;
    if (reference != 0) {
        if (unpacker->graph == NULL || reference - 1 > unpacker->met) return BYRE_EPROTO;
        bool fresh = reference - 1 == unpacker->met;
        if (fresh && (err = meet(unpacker, via)) != BYRE_OK) return err;
        const byre__rpc_object_t *object = &unpacker->graph->objects[reference - 1];
        uint64_t offset = 0;
        if (unpacker->ranged && (err = byre__rpc_get_u64(&unpacker->in, &offset)) != BYRE_OK)
            return err;
        place = object->place;
        if (!unpacker->storing) {
            bool simple = object->via == via && offset == 0 && via->size_is == NULL &&
                          via->element->kind == BYRE_RPC_STRUCT;
            if (__builtin_expect(!simple, 0))
                err = check_reference(unpacker, via, reference - 1, offset, slot, container, param);
            if (err == BYRE_OK && unpacker->reply)
                err = note_reference(unpacker, via, reference - 1, fresh, slot);
            if (__builtin_expect(err != BYRE_OK, 0)) return err;
        }
        place += offset;
    } else if (via->flags & BYRE_RPC_F_REF) {
        return BYRE_EPROTO;
    }
    memcpy(slot, &place, sizeof place);
    return BYRE_OK;
}
