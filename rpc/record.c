/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is to be done with an object of a type that is a struct of flat values and pointers to one object each: a
 * few steps, which the loops of record_pack.c and record_unpack.c follow. They write and believe exactly what the
 * general functions do; whatever is out of the ordinary they leave to these.
 *
 *   C1  Neighbours that lie in memory as in the message are one step: no gap between them, and none that the
 *       alignment of the second could make behind the first.
 *   C2  `most` bounds what an object takes, wherever it begins: a loop asks once for an object whether there is
 *       so much left. A writer may clear 8 bytes where a gap can be.
 *   C3  Nothing here depends on values: no attributes, no strings, no unions, no counts. Nor on the containers of
 *       pointers (byre__rpc_via_owned).
 */
#include "record.h"

static bool is_plain_pointer(const byre_rpc_type_t *via)
{
    return via->kind == BYRE_RPC_POINTER && !byre__rpc_via_counted(via) &&
           !byre__rpc_type_varying(via) && !byre__rpc_via_owned(via) && via->element->size > 0 &&
           via->element->size <= UINT16_MAX;
}

static bool is_number(size_t size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool add_step(byre__rpc_record_t *record, size_t offset, size_t bytes, size_t align,
                     const byre_rpc_type_t *via)
{
    if (!is_number(align) || record->count == BYRE__RPC_STEPS) return false;
    byre__rpc_step_t *step = &record->steps[record->count++];
    *step = (byre__rpc_step_t){ .move = bytes == 8 ? BYRE__RPC_MOVE_8 : BYRE__RPC_MOVE_BYTES,
                                .offset = (uint32_t)offset,
                                .bytes = (uint32_t)bytes,
                                .mask = (uint32_t)align - 1,
                                .via = via };
    if (via == NULL) return true;
    step->move = BYRE__RPC_FOLLOW;
    step->size = (uint32_t)via->element->size;
    step->least = (uint32_t)byre__rpc_type_least(via->element);
    step->never_null = (via->flags & BYRE_RPC_F_REF) != 0;
    step->contains = ((via->flags | via->element->flags) & BYRE_RPC_F_CONTAINS) != 0;
    return true;
}

static bool add_flat(byre__rpc_record_t *record, size_t offset, const byre_rpc_type_t *type)
{
    size_t align = type->kind == BYRE_RPC_INT ? type->size : type->align;
    byre__rpc_step_t *last = record->count > 0 ? &record->steps[record->count - 1] : NULL;
    if (type->size == 0) return false;
    if (last == NULL || last->move == BYRE__RPC_FOLLOW || last->offset + last->bytes != offset ||
        align > last->mask + 1u || last->bytes % align != 0)
        return add_step(record, offset, type->size, align, NULL);
    last->bytes += (uint32_t)type->size; /* C1 */
    last->move = last->bytes == 8 ? BYRE__RPC_MOVE_8 : BYRE__RPC_MOVE_BYTES;
    return true;
}

static bool add(byre__rpc_record_t *record, size_t offset, const byre_rpc_type_t *type)
{
    if (byre__rpc_type_flat(type)) return add_flat(record, offset, type);
    if (is_plain_pointer(type)) return add_step(record, offset, 4, 4, type);
    if (type->kind == BYRE_RPC_STRUCT) {
        for (uint32_t i = 0; i < type->count; i++)
            if (!add(record, offset + type->fields[i].offset, type->fields[i].type)) return false;
        return true;
    }
    if (type->kind != BYRE_RPC_ARRAY || byre__rpc_type_varying(type)) return false;
    if (type->element->size == 0) return false;
    for (uint32_t i = 0; i < type->count; i++)
        if (!add(record, offset + i * type->element->size, type->element)) return false;
    return true;
}

const byre__rpc_record_t *byre__rpc_record_slowly(byre__rpc_records_t *records,
                                                  const byre_rpc_type_t *via)
{
    if (records->count == BYRE__RPC_RECORDS) return NULL;
    byre__rpc_record_t *record = &records->kinds[records->count++];
    record->via = via;
    record->count = 0;
    if (!is_plain_pointer(via) || via->element->kind != BYRE_RPC_STRUCT ||
        byre__rpc_type_flat(via->element) || !add(record, 0, via->element)) {
        record->count = 0;
        return NULL;
    }
    record->least = (uint32_t)byre__rpc_type_least(via->element);
    record->most = 8; /* C2 */
    for (uint32_t i = 0; i < record->count; i++)
        record->most += record->steps[i].bytes + record->steps[i].mask;
    return record->count > 0 ? record : NULL;
}
