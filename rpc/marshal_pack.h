/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing values and objects: what calls and replies share. Described in marshal_pack.c. */
#ifndef BYRE__RPC_MARSHAL_PACK_H
#define BYRE__RPC_MARSHAL_PACK_H

#include "graph.h"
#include "graph_roots.h"
#include "marshal_wire.h"

typedef struct byre__rpc_packer {
    byre__rpc_out_t out;
    const void *frame;
    byre__rpc_graph_t *graph; /* NULL: no pointers but [ref] parameters */
    byre__rpc_roots_t *roots; /* second writing, P4; NULL: first */
    uint32_t before;          /* ids below are of the call: a reply has met them */
    uint32_t guess;           /* P5 */
    size_t flex_room;         /* for the last field of the object being written */
} byre__rpc_packer_t;

int byre__rpc_pack_head(byre__rpc_packer_t *packer, unsigned char what);
int byre__rpc_pack_value(byre__rpc_packer_t *packer, const byre_rpc_type_t *type, const void *place,
                         const void *container);

/* What a pointer leads to: how many. With `whole`, a string takes all that its bound allows. */
int byre__rpc_extent(const byre_rpc_type_t *via, const void *place, const void *container,
                     bool whole, size_t *count_out);
/* Of memory that may not be read: the room that the declaration says. */
int byre__rpc_extent_declared(const byre_rpc_type_t *via, const void *container, size_t *count_out);

/* Refer to an object; it joins the queue if it is new. */
int byre__rpc_pack_reference(byre__rpc_packer_t *packer, const byre_rpc_type_t *via,
                             const void *place, size_t count, const byre__rpc_owner_t *owner,
                             uint32_t *id_out);
/* Write an object where it stands in the table; or any one. */
int byre__rpc_pack_object(byre__rpc_packer_t *packer, const byre__rpc_object_t *object,
                          const void *container);
/* Write the objects from `*next` on, also those that join the queue meanwhile. */
int byre__rpc_pack_queue(byre__rpc_packer_t *packer, uint32_t *next);
/* The container of an object's pointer. */
const void *byre__rpc_pack_container(const byre__rpc_packer_t *packer, uint32_t id);

#endif
