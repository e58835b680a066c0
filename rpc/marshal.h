/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Marshalling: arguments to bytes and back, by the tables of byre_rpc_types.h. Knows nothing of ranks and
 * messages. Described in marshal.c and graph.c.
 *
 *   client                              server
 *   byre__rpc_pack_call     --bytes-->  byre__rpc_unpack_call    frame in the call's memory
 *                                       (the procedure runs)
 *   byre__rpc_unpack_reply  <--bytes--  byre__rpc_pack_reply     then byre__rpc_call_free
 *
 * The client keeps a byre__rpc_graph_t between the two, which says where its objects are: the server
 * keeps one too. Objects reached through [ptr] are numbered in the order in which the call names them; the
 * reply speaks of these numbers, and of new ones for objects that the server added. So the caller's own
 * objects are updated in place, all of those that were reachable at the call, also those that the server
 * unlinked (Tilevich and Smaragdakis, NRMI, 2003).
 *
 * What the two sides keep to:
 *   the client   leaves what the call reaches where it is until the reply has been unpacked, with the frame's
 *                pointers as they were at pack_call
 *   the server   packs the reply from the frame that the call was unpacked into, at the same address
 *   a procedure  may unlink objects of the call and change them, also afterwards; it may not free them, nor
 *                use more of an array or a string than there was room for. What it adds is from byre_rpc_alloc.
 * Objects keep their sizes: an array is restored as far as it went at the call (or as length_is says now), a
 * string up to its end. What would be longer must be a new object. Types say where a [ptr] may lead into
 * another object (BYRE_RPC_F_CONTAINS): elsewhere such a pointer is one to a copy. So is one into a case of a
 * union or into a string.
 */
#ifndef BYRE__RPC_MARSHAL_H
#define BYRE__RPC_MARSHAL_H

#include <byre_rpc_types.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow. Zero is empty. A buffer may begin in the caller's storage. */
typedef struct byre__rpc_bytes {
    unsigned char *data;
    size_t used, room;
    bool borrowed; /* data is not ours to free or to enlarge in place */
} byre__rpc_bytes_t;
void byre__rpc_bytes_free(byre__rpc_bytes_t *bytes);

typedef struct byre__rpc_graph byre__rpc_graph_t; /* objects of a call on one side */
typedef struct byre__rpc_arena byre__rpc_arena_t; /* memory of a call at the server */

/* Limits against hostile sizes: of the bytes that unpacking may allocate for a message. */
typedef struct byre__rpc_limits {
    size_t bytes; /* 0: 1 GiB */
} byre__rpc_limits_t;

/* Is a procedure's call (reply) free of graphs and allocation, so that the graph may be NULL? */
bool byre__rpc_is_plain(const byre_rpc_proc_t *proc);

/* All return BYRE_OK; BYRE_ENOMEM; BYRE_EINVAL an argument breaks its declaration (a NULL [ref], a length
 * beyond its size, a string beyond its bound, an enum value that there is not); BYRE_EPROTO bytes that are
 * not what they should be. After an error outputs are untouched, but for the bytes appended.
 * Packing: `wire_swapped` makes bytes of the other byte order (tests); the reader finds out by a byte of the
 * message. */
int byre__rpc_pack_call(const byre_rpc_proc_t *proc, const void *frame, bool wire_swapped,
                        byre__rpc_bytes_t *bytes, byre__rpc_graph_t **graph_out);
/* frame: proc->frame_bytes, zeroed here; everything it points to is in the arena, created if *arena is NULL. */
int byre__rpc_unpack_call(const byre_rpc_proc_t *proc, const void *data, size_t bytes,
                          const byre__rpc_limits_t *limits, void *frame, byre__rpc_arena_t **arena,
                          byre__rpc_graph_t **graph_out);
int byre__rpc_pack_reply(const byre_rpc_proc_t *proc, const void *frame, bool wire_swapped,
                         byre__rpc_graph_t *graph, byre__rpc_bytes_t *bytes);
/* Into the caller's objects. Checks the whole message before it changes the first byte. */
int byre__rpc_unpack_reply(const byre_rpc_proc_t *proc, const void *data, size_t bytes,
                           const byre__rpc_limits_t *limits, byre__rpc_graph_t *graph, void *frame);
void byre__rpc_graph_free(byre__rpc_graph_t *graph);

void *byre__rpc_arena_alloc(byre__rpc_arena_t **arena,
                            size_t bytes); /* aligned to 16; NULL: no memory */
void byre__rpc_arena_free(byre__rpc_arena_t *arena);

/* Context handles: the library above translates. A handle travels as two words. */
typedef struct byre__rpc_wire_context {
    uint64_t serial; /* 0: NULL */
    uint64_t owner;  /* rank and server that it belongs to */
} byre__rpc_wire_context_t;
typedef struct byre__rpc_context_hooks {
    /* Client pointer <-> wire words at the client; server pointer <-> wire words at the server. */
    int (*to_wire)(const byre_rpc_type_t *type, const void *handle,
                   byre__rpc_wire_context_t *wire_out);
    int (*from_wire)(const byre_rpc_type_t *type, const byre__rpc_wire_context_t *wire,
                     void **handle_out);
} byre__rpc_context_hooks_t;
/* Of this thread; client and server sides set their own around packing and unpacking. */
extern _Thread_local const byre__rpc_context_hooks_t *byre__rpc_context_hooks;

#endif
