/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading values and objects: the mirror of marshal_pack.c, for bytes that nobody vouches for.
 *
 *   U2  What attributes say is checked against what was read, when it is there: of a pointer at the end of
 *       its struct, of parameters at the end of the message, of the rest at once (T5 of byre_rpc_types.h).
 *   U3  A reply is read twice: checking, into memory that is thrown away, then storing, into the caller's
 *       objects. The second reading cannot fail. It makes no objects, calls no hook, checks nothing.
 *
 * U1 and U4 are kept by marshal_refs.c.
 */
#include "marshal_unpack.h"
#include "record.h"

#include <stdlib.h>

/* ---- lists ------------------------------------------------------------------------------------- */

void *byre__rpc_list_add(byre__rpc_list_t *list, size_t each)
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
    byre__rpc_check_t *check = byre__rpc_list_add(&unpacker->checks, sizeof *check);
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
    byre__rpc_handle_t *handle = byre__rpc_list_add(&unpacker->handles, sizeof *handle);
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

static int unpack_one(byre__rpc_unpacker_t *unpacker, uint32_t id)
{
    byre__rpc_object_t object = unpacker->graph->objects[id];
    const void *container = NULL;
    if (!unpacker->storing) {
        byre__rpc_unpack_kept(unpacker, &object);
        if (__builtin_expect(byre__rpc_via_owned(object.via), 0))
            container = container_of(unpacker, id);
    }
    return byre__rpc_unpack_object(unpacker, &object, object.place, container);
}

int byre__rpc_unpack_queue(byre__rpc_unpacker_t *unpacker, uint32_t *next)
{
    bool general = unpacker->in.swap || unpacker->ranged || unpacker->reply;
    byre__rpc_records_t records;
    byre__rpc_records_init(&records);
    while (*next < unpacker->met) {
        uint32_t first = *next;
        const byre__rpc_record_t *record =
            general ? NULL : byre__rpc_record_of(&records, unpacker->graph->objects[first].via);
        int err = BYRE_OK;
        if (record != NULL) err = byre__rpc_unpack_records(unpacker, record, next);
        if (err == BYRE_OK && *next == first) err = unpack_one(unpacker, (*next)++);
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
