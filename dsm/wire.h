/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of the coherence protocol (docs/dsm.md). */
#ifndef BYRE__DSM_WIRE_H
#define BYRE__DSM_WIRE_H

#include "ids.h"
#include <stdint.h>

enum byre__dsm_id {
    DSM_REQUEST = BYRE__DSM_COHERENCE, /* requester -> manager */
    DSM_FORWARD,                       /* manager -> owner */
    DSM_DATA,                          /* owner -> requester, the units as bulk payload */
    DSM_GRANT,                         /* manager -> requester: it has the bytes, or all are zero */
    DSM_INVALIDATE,                    /* manager -> reader */
    DSM_ACK,                           /* reader -> requester */
    DSM_CONFIRM,                       /* requester -> manager */
    DSM_REFUSED,                       /* manager -> requester: a wish that cannot be met now */
    DSM_LOST,                          /* manager -> requester: `peer` had it, and is dead */
    DSM_AGREE,                         /* a collective call: agree.c */
    DSM_IDS_END
};

/* About `count` units from `first`. It fits in a cell of a lane. FORWARD, DATA and GRANT of a write are
 * followed by the ranks K that must acknowledge: one bit a rank, in words of 64. */
typedef struct dsm_msg {
    uint32_t region;
    uint8_t kind; /* enum dsm_access: read or write */
    uint8_t hops; /* messages on the critical path so far, this one included: invariant 4 */
    uint16_t flags;
    uint64_t first;
    uint32_t count;
    int32_t requester;
    int32_t peer; /* FORWARD, DATA, GRANT: who awaits the CONFIRM; LOST: who is dead */
    uint32_t unused;
} dsm_msg_t;

enum {
    DSM_WISH = 1,   /* REQUEST: the first unit is a wish too, like those behind it */
    DSM_HAVE = 2,   /* REQUEST: the requester has copies to read */
    DSM_OWN = 4,    /* DATA, GRANT, dynamic manager: the requester is the owner now */
    DSM_FAILED = 8, /* LOST: to be answered by CONFIRM. CONFIRM: after LOST, nothing has come */
    DSM_CLOSED = 16 /* FORWARD, DATA, GRANT: no CONFIRM is awaited: manager.c */
};

_Static_assert(sizeof(dsm_msg_t) == 32, "fits in a cell");
_Static_assert((int)DSM_IDS_END <= (int)BYRE__AM_DSM_FREE, "ids do not overlap");

#endif
