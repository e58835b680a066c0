/* SPDX-License-Identifier: BSD-3-Clause */
/* peer_core.h - what the files of peer.h share: the wire format, the inbox, the settings. */
#ifndef BYRE__SCHED_PEER_CORE_H
#define BYRE__SCHED_PEER_CORE_H

#include "peer.h"

#include "runtime/am.h"

enum { PEER_AM = BYRE__AM_PARTS + 80 };

/* In front of each part of a frame. Ranks of a job are of one architecture. */
typedef struct peer_head {
    uint16_t type;
    uint16_t zero;
    uint32_t tag;
    uint32_t bytes; /* of the whole frame, without heads */
    uint32_t at;    /* where in it this part belongs */
} peer_head_t;

enum {
    PEER_INLINE = BYRE_AM_INLINE - (int)sizeof(peer_head_t), /* a part */
    PEER_SPLIT = 2 * PEER_INLINE                             /* the longest that comes in parts */
};

/* ---- peer_inbox.c ------------------------------------------------------------------------------------ */

/* Room for a frame's bytes, on its way into the inbox; NULL: no memory. */
unsigned char *peer_inbox_room(int from, const peer_head_t *head);
/* It is complete. */
void peer_inbox_add(unsigned char *room);
bool peer_inbox_take(peer_frame_t *frame_out);
int peer_inbox_fd(void);
void peer_inbox_fini(void);

/* ---- peer_settings.c ---------------------------------------------------------------------------------- */

/* How a daemon wants the runtime: where the user has not said otherwise. Before byre_init. */
void peer_settings(void);

#endif
