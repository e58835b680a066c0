/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: one-way channels for active messages between two ranks of a node, in the memory that they
 * share. Described in lane.c.
 */
#ifndef BYRE__LANE_H
#define BYRE__LANE_H

#include "am_core.h"

typedef struct byre__lane byre__lane_t; /* shared; zeroed memory is an empty lane */

/* Bulk payloads up to here travel in the lane: two copies cost less than a system call. */
enum { BYRE__LANE_BULK = 16384 };

typedef struct byre__lane_out { /* the sender's end; guarded by its peer's lock */
    byre__lane_t *lane;
    uint32_t limit; /* most messages under way */
    uint32_t head, bytes;
    uint32_t freed_cells, freed_bytes; /* as last seen */
} byre__lane_out_t;

typedef struct byre__lane_in { /* the receiver's end; the driver's */
    byre__lane_t *lane;
    uint32_t tail, bytes;
    uint32_t batch; /* messages after which the sender is told of the room */
    uint32_t told_cells, told_bytes;
} byre__lane_in_t;

typedef struct byre__lane_message {
    const byre__am_wire_t *wire;
    const void *data, *bulk;
} byre__lane_message_t;

size_t byre__lane_bytes(void);
void byre__lane_open_out(byre__lane_out_t *out, byre__lane_t *lane, int credits);
void byre__lane_open_in(byre__lane_in_t *in, byre__lane_t *lane, int credits);

/* Put a message into the lane. False: no room; the receiver then wakes this rank when there is. */
bool byre__lane_put(byre__lane_out_t *out, const byre__am_wire_t *wire, const void *data,
                    const void *bulk, size_t bulk_bytes);
/* Would a message without bulk find room? False as above. */
bool byre__lane_has_room(byre__lane_out_t *out);

/* Borrow the oldest message until byre__lane_drop. False: the lane is empty. */
bool byre__lane_get(const byre__lane_in_t *in, byre__lane_message_t *message_out);
/* True: the sender waits for the room, so wake it. */
bool byre__lane_drop(byre__lane_in_t *in);

#endif
