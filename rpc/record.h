/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records: objects that are structs of numbers and plain pointers, and come by the thousand. What is to be done with
 * one is worked out once for a message. Described in record.c.
 */
#ifndef BYRE__RPC_RECORD_H
#define BYRE__RPC_RECORD_H

#include "marshal_types.h"

#include <stdint.h>

typedef enum byre__rpc_move {
    BYRE__RPC_MOVE_8,
    BYRE__RPC_MOVE_BYTES,
    BYRE__RPC_FOLLOW /* a pointer: a reference of 4 bytes in the message */
} byre__rpc_move_t;

typedef struct byre__rpc_step {
    byre__rpc_move_t move;
    uint32_t offset; /* in the object */
    uint32_t bytes;
    uint32_t mask; /* the alignment in the message, less 1 */
    /* Of FOLLOW: */
    const byre_rpc_type_t *via;
    uint32_t size, least; /* of what it leads to: in memory, in a message */
    bool never_null, contains;
} byre__rpc_step_t;

enum { BYRE__RPC_STEPS = 12, BYRE__RPC_RECORDS = 4, BYRE__RPC_RECORDS_FROM = 8 };

typedef struct byre__rpc_record {
    const byre_rpc_type_t *via; /* pointer type of the objects */
    uint32_t count;             /* steps; 0: they are no records */
    uint32_t least, most;       /* bytes that one takes in a message, at least and with all gaps */
    byre__rpc_step_t steps[BYRE__RPC_STEPS];
} byre__rpc_record_t;

/* The kinds of records that a message has, as they are met. */
typedef struct byre__rpc_records {
    uint32_t count, early; /* so many objects yet, until it is worth while */
    byre__rpc_record_t kinds[BYRE__RPC_RECORDS];
} byre__rpc_records_t;

static inline void byre__rpc_records_init(byre__rpc_records_t *records)
{
    records->count = 0;
    records->early = BYRE__RPC_RECORDS_FROM;
}

/* For objects of `via`; NULL: they are no records, or too few. */
const byre__rpc_record_t *byre__rpc_record_slowly(byre__rpc_records_t *records,
                                                  const byre_rpc_type_t *via);
static inline const byre__rpc_record_t *byre__rpc_record_of(byre__rpc_records_t *records,
                                                            const byre_rpc_type_t *via)
{
    if (records->early > 0) {
        records->early--;
        return NULL;
    }
    for (uint32_t i = 0; i < records->count; i++)
        if (records->kinds[i].via == via)
            return records->kinds[i].count > 0 ? &records->kinds[i] : NULL;
    return byre__rpc_record_slowly(records, via);
}

/* ---- the loops: record_pack.c, record_unpack.c ------------------------------------------------- */

struct byre__rpc_packer;
struct byre__rpc_unpacker;

enum { BYRE__RPC_AHEAD = 6 }; /* objects, whose memory is asked for before it is their turn */

/* Each goes on from object `*next` as long as objects are such records and there is room, or enough of the message:
 * up to `end`. The rest, maybe all of it, is for the general functions. Not for swapped or ranged messages. */

/* Write them. `queue`: also those that join it meanwhile. */
int byre__rpc_pack_records(struct byre__rpc_packer *packer, const byre__rpc_record_t *record,
                           uint32_t *next, uint32_t end, bool queue);
/* Read those of a call. */
int byre__rpc_unpack_records(struct byre__rpc_unpacker *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next);
/* Of a reply: check what there is for the call's objects; store it in them. */
void byre__rpc_check_records(struct byre__rpc_unpacker *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next, uint32_t end);
void byre__rpc_store_records(struct byre__rpc_unpacker *unpacker, const byre__rpc_record_t *record,
                             uint32_t *next, uint32_t end);

#endif
