/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading values and objects: what calls and replies share. Described in marshal_unpack.c and
 * marshal_refs.c. */
#ifndef BYRE__RPC_MARSHAL_UNPACK_H
#define BYRE__RPC_MARSHAL_UNPACK_H

#include "graph.h"
#include "graph_roots.h"
#include "marshal_wire.h"

/* What an attribute must say, once what it reads is there. */
typedef struct byre__rpc_check {
    byre_rpc_attribute_fn attribute;
    const void *container;
    uint64_t least, most;
} byre__rpc_check_t;

/* A context handle that was read; its hook is called when the message has turned out to be sound. */
typedef struct byre__rpc_handle {
    const byre_rpc_type_t *type;
    unsigned char *place;
    byre__rpc_wire_context_t wire;
} byre__rpc_handle_t;

/* A [unique] pointer of the caller that the server has given a new object. */
typedef struct byre__rpc_claim {
    const unsigned char *slot; /* the caller's, which still has the old value */
    uint32_t id;
} byre__rpc_claim_t;

typedef struct byre__rpc_list {
    void *items;
    uint32_t count, room;
} byre__rpc_list_t;

typedef struct byre__rpc_unpacker {
    byre__rpc_in_t in;
    const void *frame;         /* container of parameters, while checking */
    byre__rpc_graph_t *graph;  /* NULL: no pointers but [ref] parameters */
    byre__rpc_arena_t **arena; /* of the call's memory; for a reply, of what is thrown away */
    size_t budget;             /* bytes that may still be allocated */
    size_t promised;           /* bytes of the message that values of known objects take at least */
    uint32_t met;              /* ids below have been met */
    uint32_t before;           /* ids below are of the call; a call has none */
    bool reply;                /* new objects are malloc'ed */
    bool ranged;               /* U4 */
    bool storing;              /* U3 */
    bool bodiless;             /* objects met now have no value in the message */
    const unsigned char *live; /* the caller's object that is being read, while checking ... */
    const unsigned char *shadow; /* ... and what it is read into */
    unsigned char *seen;         /* a bit for each object of the call that the reply refers to */
    size_t flex_room;
    const byre_rpc_type_t *least_type; /* type of which `least` was asked last */
    size_t least;
    byre__rpc_codes_t codes;
    byre__rpc_list_t checks, handles, claims;
    uint32_t handles_stored;
} byre__rpc_unpacker_t;

/* Two halves, because the compiler clears small things well, and bigger ones with an instruction that takes
 * longer than unpacking a small call. */
static inline void byre__rpc_unpacker_init(byre__rpc_unpacker_t *unpacker, const void *data,
                                           size_t bytes, const byre__rpc_limits_t *limits,
                                           byre__rpc_arena_t **arena)
{
    enum { HALF = offsetof(byre__rpc_unpacker_t, live) };
    memset(unpacker, 0, HALF);
    memset((unsigned char *)unpacker + HALF, 0, sizeof *unpacker - HALF);
    unpacker->in = (byre__rpc_in_t){ .data = data, .end = bytes };
    unpacker->arena = arena;
    unpacker->budget = limits == NULL || limits->bytes == 0 ? (size_t)1 << 30 : limits->bytes;
}
void byre__rpc_unpacker_fini(byre__rpc_unpacker_t *unpacker);

int byre__rpc_unpack_head(byre__rpc_unpacker_t *unpacker, const byre_rpc_proc_t *proc,
                          unsigned char what);
/* Room for one item more; NULL: no memory. */
void *byre__rpc_list_add(byre__rpc_list_t *list, size_t each);

int byre__rpc_unpack_value(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *type, void *place,
                           const void *container);
int byre__rpc_unpack_reference(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via,
                               void *slot, const void *container, bool param, uint32_t *id_out);
/* place NULL: a flat object, whose bytes are only looked for. */
int byre__rpc_unpack_object(byre__rpc_unpacker_t *unpacker, const byre__rpc_object_t *object,
                            unsigned char *place, const void *container);
int byre__rpc_unpack_queue(byre__rpc_unpacker_t *unpacker, uint32_t *next);

/* How many bytes an object takes. The rest of the message has been found to be long enough for its value. */
int byre__rpc_unpack_size(byre__rpc_unpacker_t *unpacker, const byre_rpc_type_t *via, size_t count,
                          size_t *bytes_out);
/* Its value is about to be read. */
void byre__rpc_unpack_kept(byre__rpc_unpacker_t *unpacker, const byre__rpc_object_t *object);
/* Memory of the arena, within the limits; NULL. */
void *byre__rpc_unpack_memory(byre__rpc_unpacker_t *unpacker, size_t bytes);
/* Let the attributes of a pointer, a run or a union be checked against what was read. */
int byre__rpc_check_later(byre__rpc_unpacker_t *unpacker, byre_rpc_attribute_fn attribute,
                          const void *container, uint64_t least, uint64_t most);
int byre__rpc_run_checks(byre__rpc_unpacker_t *unpacker, uint32_t from);
int byre__rpc_resolve_handles(byre__rpc_unpacker_t *unpacker);

#endif
