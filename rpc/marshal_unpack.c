/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading values and objects: the mirror of marshal_pack.c, for bytes that nobody vouches for.
 *
 *   U1  Nothing is believed: a reference is to an object that has been met and that is of its pointer's type
 *       and size; an object is only made if the rest of the message is long enough for the values of all that
 *       have been made (`promised`), and within `budget`. So a message makes objects of some multiple of
 *       its length, but for room that declarations ask for: size_is with length_is, [out], unions.
 *   U2  What attributes say is checked against what was read, when it is there: of a pointer at the end of
 *       its struct, of parameters at the end of the message, of the rest at once (T5 of byre_rpc_types.h).
 *   U3  A reply is read twice: checking, into memory that is thrown away, then storing, into the caller's
 *       objects. The second reading cannot fail. It makes no objects, calls no hook, checks nothing.
 *   U4  Of a message that was written twice (P4) the reader checks that there is at the offset what the
 *       pointer wants.
 */
#include "marshal_unpack.h"

#include <stdlib.h>

/* ---- lists ------------------------------------------------------------------------------------- */

static void *add_item(byre__rpc_list_t *list, size_t each)
{
    if (list->count == list->room) {
        uint32_t room = list->room == 0 ? 8 : 2 * list->room;
        void *items = room > list->room ? realloc(list->items, room * each) : NULL;
        if (items == NULL) return NULL;
        list->items = items;
        list->room = room;
    }
    return (unsigned char *)list->items + each * list->count++;
}

void byre__rpc_unpacker_fini(byre__rpc_unpacker_t *unpacker)
{
    if (unpacker->checks.items != NULL) free(unpacker->checks.items);
    if (unpacker->handles.items != NULL) free(unpacker->handles.items);
    if (unpacker->graph == NULL) return;
    free(unpacker->claims.items);
    free(unpacker->seen);
    byre__rpc_codes_fini(&unpacker->codes);
}

/* ---- attributes -------------------------------------------------------------------------------- */

static int run_check(const byre__rpc_check_t *check)
{
    int64_t value = check->attribute(check->container);
    bool good = value >= 0 && (uint64_t)value >= check->least && (uint64_t)value <= check->most;
    return good ? BYRE_OK : BYRE_EPROTO;
}

int byre__rpc_check_later(byre__rpc_unpacker_t *unpacker, byre_rpc_attribute_fn attribute,
                          const void *container, uint64_t least, uint64_t most)
{
    if (attribute == NULL || container == NULL || unpacker->storing) return BYRE_OK;
    byre__rpc_check_t *check = add_item(&unpacker->checks, sizeof *check);
    if (check == NULL) return BYRE_ENOMEM;
    *check = (byre__rpc_check_t){ attribute, container, least, most };
    return BYRE_OK;
}

int byre__rpc_run_checks(byre__rpc_unpacker_t *unpacker, uint32_t from)
{
    const byre__rpc_check_t *checks = unpacker->checks.items;
    int err = BYRE_OK;
    for (uint32_t i = from; i < unpacker->checks.count && err == BYRE_OK; i++)
        err = run_check(&checks[i]);
    unpacker->checks.count = from;
    return err;
}

/* U2: of a run. */
static int check_exactly(byre__rpc_unpacker_t *unpacker, byre_rpc_attribute_fn attribute,
                         const void *container, uint64_t value)
{
    if (attribute == NULL || container == NULL || unpacker->storing) return BYRE_OK;
    if (container == unpacker->frame)
        return byre__rpc_check_later(unpacker, attribute, container, value, value);
    byre__rpc_check_t check = { attribute, container, value, value };
    return run_check(&check);
}

/* ---- values ------------------------------------------------------------------------------------ */

static int unpack_flat(byre__rpc_unpacker_t *unpacker, void *place, size_t bytes, size_t align)
{
    const unsigned char *from = byre__rpc_get(&unpacker->in, bytes, align);
    if (from == NULL) return BYRE_EPROTO;
    if (place != NULL && bytes > 0) memcpy(place, from, bytes);
    return BYRE_OK;
}

static int unpack_elements(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *element,
                           unsigned char *place, size_t count, const void *container)
{
    if (byre__rpc_type_flat(element)) {
        size_t bytes, align = element->align > 0 ? element->align : 1;
        if (__builtin_mul_overflow(count, element->size, &bytes)) return BYRE_EPROTO;
        if (!unpacker->in.swap || element->size == 1 || place == NULL)
            return unpack_flat(unpacker, place, bytes, align);
        if (byre__rpc_get(&unpacker->in, 0, align) == NULL) return BYRE_EPROTO;
    }
    for (size_t i = 0; i < count; i++) {
        int err = byre__rpc_unpack_value(unpacker, element, place + i * element->size, container);
        if (err != BYRE_OK) return err;
    }
    return BYRE_OK;
}

static int unpack_run(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type,
                      unsigned char *place, size_t room, const void *container)
{
    if (!byre__rpc_type_varying(type))
        return unpack_elements(unpacker, type->element, place, room, container);
    uint64_t first, length;
    int err = byre__rpc_get_u64(&unpacker->in, &first);
    if (err == BYRE_OK) err = byre__rpc_get_u64(&unpacker->in, &length);
    if (err != BYRE_OK) return err;
    if (first > room || length > room - first) return BYRE_EPROTO;
    err = check_exactly(unpacker, type->first_is, container, first);
    if (err == BYRE_OK) err = check_exactly(unpacker, type->length_is, container, length);
    if (err != BYRE_OK) return err;
    if (place != NULL) place += first * type->element->size;
    return unpack_elements(unpacker, type->element, place, length, container);
}

static int unpack_flex(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type,
                       unsigned char *place, const void *container)
{
    uint64_t count;
    int err = byre__rpc_get_u64(&unpacker->in, &count);
    if (err == BYRE_OK && count > unpacker->flex_room) err = BYRE_EPROTO;
    if (err == BYRE_OK) err = check_exactly(unpacker, type->size_is, container, count);
    return err != BYRE_OK ? err : unpack_run(unpacker, type, place, count, container);
}

/* A caller's string that has not changed is not written: it may be a literal. */
static int unpack_string(byre__rpc_unpacker_t *unpacker, char *place, size_t room)
{
    uint64_t length;
    int err = byre__rpc_get_u64(&unpacker->in, &length);
    if (err != BYRE_OK) return err;
    if (length >= room) return BYRE_EPROTO;
    const void *from = byre__rpc_get(&unpacker->in, length, 1);
    if (from == NULL) return BYRE_EPROTO;
    if (!unpacker->storing && memchr(from, 0, length) != NULL) return BYRE_EPROTO;
    if (place == NULL) return BYRE_OK;
    if (unpacker->storing && memcmp(place, from, length) == 0 && place[length] == '\0')
        return BYRE_OK;
    memcpy(place, from, length);
    place[length] = '\0';
    return BYRE_OK;
}

static int unpack_bool(byre__rpc_unpacker_t *unpacker, unsigned char *place)
{
    const unsigned char *from = byre__rpc_get(&unpacker->in, 1, 1);
    if (from == NULL || *from > 1) return BYRE_EPROTO;
    *place = *from;
    return BYRE_OK;
}

static int unpack_enum(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type, void *place)
{
    int32_t value;
    int err = byre__rpc_get_number(&unpacker->in, &value, sizeof value);
    if (err != BYRE_OK) return err;
    if (!byre__rpc_enum_legal(type, value)) return BYRE_EPROTO;
    memcpy(place, &value, sizeof value);
    return BYRE_OK;
}

static int unpack_union(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type, void *place,
                        const void *container)
{
    uint64_t value;
    int err = byre__rpc_get_u64(&unpacker->in, &value);
    if (err != BYRE_OK) return err;
    const byre_rpc_field_t *selected = byre__rpc_union_case(type, (int64_t)value);
    if (selected == NULL) return BYRE_EPROTO;
    if (container != NULL && !unpacker->storing) {
        if (container == unpacker->frame)
            err = byre__rpc_check_later(unpacker, type->switch_is, container, value, value);
        else if (type->switch_is(container) != (int64_t)value)
            err = BYRE_EPROTO;
        if (err != BYRE_OK) return err;
    }
    return byre__rpc_unpack_value(unpacker, selected->type, place, container);
}

static int unpack_context(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type,
                          unsigned char *place)
{
    byre__rpc_wire_context_t wire;
    int err = byre__rpc_get_u64(&unpacker->in, &wire.serial);
    if (err == BYRE_OK) err = byre__rpc_get_u64(&unpacker->in, &wire.owner);
    if (err != BYRE_OK) return err;
    if (unpacker->storing) {
        const byre__rpc_handle_t *handles = unpacker->handles.items;
        const void *handle = handles[unpacker->handles_stored++].place;
        memcpy(place, &handle, sizeof handle);
        return BYRE_OK;
    }
    byre__rpc_handle_t *handle = add_item(&unpacker->handles, sizeof *handle);
    if (handle == NULL) return BYRE_ENOMEM;
    *handle = (byre__rpc_handle_t){ type, place, wire };
    return BYRE_OK;
}

/* From now on `place` is the handle. */
int byre__rpc_resolve_handles(byre__rpc_unpacker_t *unpacker)
{
    byre__rpc_handle_t *handles = unpacker->handles.items;
    for (uint32_t i = 0; i < unpacker->handles.count; i++) {
        void *value = NULL;
        if (handles[i].wire.serial != 0) {
            if (byre__rpc_context_hooks == NULL) return BYRE_EPROTO;
            int err = byre__rpc_context_hooks->from_wire(handles[i].type, &handles[i].wire, &value);
            if (err != BYRE_OK) return err;
        }
        memcpy(handles[i].place, &value, sizeof value);
        handles[i].place = value;
    }
    return BYRE_OK;
}

static inline int unpack_pointer(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via,
                                 void *place, const void *container)
{
    uint32_t id;
    return byre__rpc_unpack_reference(unpacker, via, place, container, false, &id);
}

static int unpack_fields(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type,
                         unsigned char *place)
{
    for (uint32_t i = 0; i < type->count; i++) {
        const byre_rpc_field_t *field = &type->fields[i];
        unsigned char *at = place + field->offset;
        int err;
        if (field->type->kind == BYRE_RPC_INT)
            err = byre__rpc_get_number(&unpacker->in, at, field->type->size);
        else if (field->type->kind == BYRE_RPC_POINTER)
            err = unpack_pointer(unpacker, field->type, at, place);
        else
            err = byre__rpc_unpack_value(unpacker, field->type, at, place);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}

static inline int unpack_struct(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type,
                                unsigned char *place)
{
    if (byre__rpc_type_flat(type)) /* only if bytes must be swapped */
        if (byre__rpc_get(&unpacker->in, 0, type->align) == NULL) return BYRE_EPROTO;
    uint32_t checks = unpacker->checks.count;
    int err = unpack_fields(unpacker, type, place);
    if (__builtin_expect(err == BYRE_OK && unpacker->checks.count != checks, 0))
        err = byre__rpc_run_checks(unpacker, checks);
    return err;
}

int byre__rpc_unpack_value(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type, void *place,
                           const void *container)
{
    if (byre__rpc_type_flat(type) && !unpacker->in.swap && type->size > 0)
        return unpack_flat(unpacker, place, type->size, type->align);
    switch (type->kind) {
    case BYRE_RPC_VOID:
        return BYRE_OK;
    case BYRE_RPC_INT:
    case BYRE_RPC_FLOAT:
        return byre__rpc_get_number(&unpacker->in, place, type->size);
    case BYRE_RPC_BOOL:
        return unpack_bool(unpacker, place);
    case BYRE_RPC_ENUM:
        return unpack_enum(unpacker, type, place);
    case BYRE_RPC_STRUCT:
        return unpack_struct(unpacker, type, place);
    case BYRE_RPC_ARRAY:
        return unpack_run(unpacker, type, place, type->count, container);
    case BYRE_RPC_FLEX:
        return unpack_flex(unpacker, type, place, container);
    case BYRE_RPC_STRING:
        return unpack_string(unpacker, place, type->count);
    case BYRE_RPC_UNION:
        return unpack_union(unpacker, type, place, container);
    case BYRE_RPC_POINTER:
        return unpack_pointer(unpacker, type, place, container);
    case BYRE_RPC_CONTEXT:
        return unpack_context(unpacker, type, place);
    default:
        return BYRE_EPROTO;
    }
}

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
    byre__rpc_claim_t *claim = add_item(&unpacker->claims, sizeof *claim);
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

/* ---- objects ----------------------------------------------------------------------------------- */

int byre__rpc_unpack_object(byre__rpc_unpacker_t *unpacker, const byre__rpc_object_t *object,
                            unsigned char *place, const void *container)
{
    const byre_rpc_type_t *via = object->via;
    if (byre__rpc_via_string(via)) return unpack_string(unpacker, (char *)place, object->count);
    if (byre__rpc_type_flex(via->element) != NULL) {
        unpacker->flex_room = object->count;
        int err = byre__rpc_unpack_value(unpacker, via->element, place, container);
        unpacker->flex_room = 0;
        return err;
    }
    if (via->size_is == NULL && via->element->kind == BYRE_RPC_STRUCT && object->count == 1 &&
        !byre__rpc_type_flat(via->element))
        return unpack_struct(unpacker, via->element, place);
    return unpack_run(unpacker, via, place, object->count, container);
}

static const void *container_of(const byre__rpc_unpacker_t *unpacker, uint32_t id)
{
    const byre__rpc_owner_t *owner = byre__rpc_graph_owner(unpacker->graph, id);
    if (owner == NULL || !owner->told) return NULL;
    return owner->container == NULL ? unpacker->frame : owner->container;
}

int byre__rpc_unpack_queue(byre__rpc_unpacker_t *unpacker, uint32_t *next)
{
    for (; *next < unpacker->met; ++*next) {
        byre__rpc_object_t object = unpacker->graph->objects[*next];
        const void *container = NULL;
        if (!unpacker->storing) {
            byre__rpc_unpack_kept(unpacker, &object);
            if (__builtin_expect(byre__rpc_via_owned(object.via), 0))
                container = container_of(unpacker, *next);
        }
        int err = byre__rpc_unpack_object(unpacker, &object, object.place, container);
        if (__builtin_expect(err != BYRE_OK, 0)) return err;
    }
    return BYRE_OK;
}

int byre__rpc_unpack_head(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc,
                          unsigned char what)
{
    const unsigned char *head = byre__rpc_get(&unpacker->in, BYRE__RPC_WIRE_HEAD, 1);
    if (head == NULL || head[0] != BYRE__RPC_WIRE_VERSION || head[1] > BYRE__RPC_WIRE_BIG ||
        head[2] != what || head[3] > BYRE__RPC_WIRE_RANGED)
        return BYRE_EPROTO;
    unpacker->in.swap = head[1] != BYRE__RPC_WIRE_NATIVE;
    unpacker->ranged = head[3] == BYRE__RPC_WIRE_RANGED;
    if (!unpacker->ranged) return BYRE_OK;
    return unpacker->graph == NULL ? BYRE_EPROTO : byre__rpc_codes_init(&unpacker->codes, proc);
}
