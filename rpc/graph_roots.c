/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which objects lie inside others: objects are ranges of memory, and a [ptr] may lead to a field of a struct
 * or to an element of an array that another pointer leads to as a whole.
 *
 *   R1  A root is an object that lies in no other. Roots alone are sent; a reference is a root and an
 *       offset.
 *   R2  An object lies in another if its bytes do, and the types say that there is such a thing at that
 *       place. Cases of unions and characters of strings are not looked into: which case is the valid
 *       one may change. What merely overlaps is sent apart, as a copy.
 *   R3  Pieces of one array that overlap are one root: the array from the first one's beginning to the last
 *       one's end.
 *   R4  At the server the objects of the call are roots, with sizes that cannot grow: if a new one
 *       reaches over their ends, a length is wrong.
 */
#include "graph_roots.h"

#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers of pointer types ------------------------------------------------------------------ */

static int add_code(byre__rpc_codes_t *codes, const byre_rpc_type_t *via)
{
    if (byre__rpc_code_of(codes, via) != UINT32_MAX) return BYRE_OK;
    if (codes->count == codes->room) {
        uint32_t room = codes->room == 0 ? 16 : 2 * codes->room;
        void *types = realloc(codes->types, room * sizeof(byre_rpc_type_t *));
        if (types == NULL) return BYRE_ENOMEM;
        codes->types = types;
        codes->room = room;
    }
    codes->types[codes->count++] = via;
    return BYRE_OK;
}

static int add_codes_in(byre__rpc_codes_t *codes, const byre_rpc_type_t *type)
{
    if (byre__rpc_type_flat(type)) return BYRE_OK;
    switch (type->kind) {
    case BYRE_RPC_POINTER:
        return add_code(codes, type);
    case BYRE_RPC_ARRAY:
    case BYRE_RPC_FLEX:
        return add_codes_in(codes, type->element);
    case BYRE_RPC_STRUCT:
    case BYRE_RPC_UNION: {
        int err = BYRE_OK;
        for (uint32_t i = 0; i < type->count && err == BYRE_OK; i++)
            err = add_codes_in(codes, type->fields[i].type);
        return err;
    }
    default:
        return BYRE_OK;
    }
}

int byre__rpc_codes_init(byre__rpc_codes_t *codes, const byre_rpc_proc_t *proc)
{
    *codes = (byre__rpc_codes_t){ 0 };
    int err = BYRE_OK;
    for (uint32_t i = 0; i < proc->param_count && err == BYRE_OK; i++)
        err = add_codes_in(codes, proc->params[i].type);
    for (uint32_t i = 0; i < codes->count && err == BYRE_OK; i++)
        if (!byre__rpc_via_string(codes->types[i]))
            err = add_codes_in(codes, codes->types[i]->element);
    if (err != BYRE_OK) byre__rpc_codes_fini(codes);
    return err;
}

void byre__rpc_codes_fini(byre__rpc_codes_t *codes)
{
    free(codes->types);
    *codes = (byre__rpc_codes_t){ 0 };
}

uint32_t byre__rpc_code_of(const byre__rpc_codes_t *codes, const byre_rpc_type_t *via)
{
    for (uint32_t i = 0; i < codes->count; i++)
        if (codes->types[i] == via) return i;
    return UINT32_MAX;
}

/* ---- ranges ------------------------------------------------------------------------------------ */

typedef struct range {
    uintptr_t start, end;
    byre__rpc_object_t *object;
    uint32_t id;
} range_t;

static size_t room_in(const byre__rpc_object_t *outer, size_t offset, const byre_rpc_type_t *want)
{
    bool flex = byre__rpc_type_flex(outer->via->element) != NULL;
    return byre__rpc_type_room(outer->via->element, flex ? 1 : outer->count,
                               flex ? outer->count : 0, offset, want);
}

static bool plain_array(const byre__rpc_object_t *object)
{
    return !byre__rpc_via_string(object->via) && !byre__rpc_type_varying(object->via) &&
           byre__rpc_type_flex(object->via->element) == NULL && object->via->element->size > 0;
}

/* R2. A struct that ends in a field of variable length is one with that length. */
static bool lies_in(const range_t *outer, const range_t *inner)
{
    if (inner->end > outer->end || inner->object->count == 0) return false;
    if (byre__rpc_via_string(outer->object->via) || byre__rpc_via_string(inner->object->via))
        return false;
    const byre_rpc_type_t *want = inner->object->via->element;
    size_t room = room_in(outer->object, inner->start - outer->start, want);
    if (byre__rpc_type_flex(want) != NULL)
        return room > 0 && inner->object->count <= outer->object->count;
    return room >= inner->object->count;
}

/* Outer ones come before those that lie in them. */
static int by_start(const void *left, const void *right)
{
    const range_t *a = left, *b = right;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    if (a->end != b->end) return a->end > b->end ? -1 : 1;
    if (a->object->via != b->object->via) {
        bool in_a = lies_in(a, b), in_b = lies_in(b, a);
        if (in_a != in_b) return in_a ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static void sort_ranges(range_t *ranges, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (by_start(&ranges[i - 1], &ranges[i]) <= 0) continue;
        qsort(ranges, count, sizeof *ranges, by_start);
        return;
    }
}

/* R3 */
static bool merge(range_t *first, const range_t *second)
{
    if (!plain_array(first->object) || !plain_array(second->object)) return false;
    const byre_rpc_type_t *element = first->object->via->element;
    if (!byre__rpc_type_same(element, second->object->via->element)) return false;
    if (first->object->via->size_is == NULL || (second->start - first->start) % element->size != 0)
        return false;
    first->object->count = (second->end - first->start) / element->size;
    first->end = second->end;
    return true;
}

enum { OPEN_MAX = 8 }; /* overlapping roots that are looked at: R2 has them be rare */

typedef struct sweep {
    range_t *open[OPEN_MAX];
    unsigned depth;
    uint32_t known;
} sweep_t;

static void open_root(sweep_t *sweep, range_t *range)
{
    if (sweep->depth == OPEN_MAX) {
        memmove(sweep->open, sweep->open + 1, (OPEN_MAX - 1) * sizeof(range_t *));
        sweep->depth--;
    }
    sweep->open[sweep->depth++] = range;
}

/* R4 */
static bool reaches_over(const sweep_t *sweep, const range_t *outer, const range_t *inner)
{
    bool overlap = inner->start < outer->end || inner->start == outer->start;
    if (!overlap || (outer->id < sweep->known) == (inner->id < sweep->known)) return false;
    return inner->id < sweep->known ? outer->end > inner->start : inner->end > outer->end;
}

static int place_range(sweep_t *sweep, range_t *range, uint32_t *root_out)
{
    while (sweep->depth > 0 && sweep->open[sweep->depth - 1]->end <= range->start &&
           sweep->open[sweep->depth - 1]->start < range->start)
        sweep->depth--;
    *root_out = range->id;
    for (unsigned i = sweep->depth; i-- > 0;) {
        range_t *outer = sweep->open[i];
        if (reaches_over(sweep, outer, range)) return BYRE_EINVAL;
        if (range->id < sweep->known || range->start >= outer->end) continue;
        if (lies_in(outer, range) || (outer->id >= sweep->known && merge(outer, range))) {
            *root_out = outer->id;
            return BYRE_OK;
        }
    }
    open_root(sweep, range);
    return BYRE_OK;
}

static range_t *list_ranges(byre__rpc_graph_t *found)
{
    range_t *ranges = calloc(found->count + (size_t)1, sizeof *ranges);
    if (ranges == NULL) return NULL;
    for (uint32_t id = 0; id < found->count; id++) {
        byre__rpc_object_t *object = &found->objects[id];
        uintptr_t start = (uintptr_t)object->place;
        uintptr_t end = start + byre__rpc_via_bytes(object->via, object->count);
        ranges[id] = (range_t){ .start = start, .end = end, .object = object, .id = id };
    }
    sort_ranges(ranges, found->count);
    return ranges;
}

static int find_roots(byre__rpc_roots_t *roots, uint32_t known, bool *inside_out)
{
    uint32_t count = roots->found->count;
    range_t *ranges = list_ranges(roots->found);
    if (ranges == NULL) return BYRE_ENOMEM;
    sweep_t sweep = { .known = known };
    int err = BYRE_OK;
    *inside_out = false;
    for (uint32_t i = 0; i < count && err == BYRE_OK; i++) {
        uint32_t id = ranges[i].id;
        err = place_range(&sweep, &ranges[i], &roots->root[id]);
        if (err == BYRE_OK && roots->root[id] != id) *inside_out = true;
    }
    free(ranges);
    return err;
}

int byre__rpc_roots_init(byre__rpc_roots_t *roots, byre__rpc_graph_t *found, uint32_t known,
                         const byre_rpc_proc_t *proc, bool *inside_out)
{
    uint32_t count = found->count;
    *roots = (byre__rpc_roots_t){ .found = found };
    roots->root = malloc((count + (size_t)1) * sizeof *roots->root);
    roots->number = malloc((count + (size_t)1) * sizeof *roots->number);
    int err = roots->root == NULL || roots->number == NULL ? BYRE_ENOMEM : BYRE_OK;
    if (err == BYRE_OK) err = byre__rpc_codes_init(&roots->codes, proc);
    if (err == BYRE_OK) err = find_roots(roots, known, inside_out);
    for (uint32_t id = 0; id < count && err == BYRE_OK; id++)
        roots->number[id] = id < known ? id : BYRE__RPC_NO_OBJECT;
    if (err != BYRE_OK) byre__rpc_roots_fini(roots);
    return err;
}

void byre__rpc_roots_fini(byre__rpc_roots_t *roots)
{
    free(roots->root);
    free(roots->number);
    byre__rpc_codes_fini(&roots->codes);
}
