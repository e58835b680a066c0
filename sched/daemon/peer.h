/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.h - daemons to one another: frames over active messages, handed to the daemon's main thread.
 *
 * Frames of a pair arrive in the order in which they were sent, or the peer is gone. Sending never blocks.
 * The engine's handlers only copy a frame into the inbox and write its eventfd; all the rest happens on the main
 * thread, which alone calls what is here.
 */
#ifndef BYRE__SCHED_PEER_H
#define BYRE__SCHED_PEER_H

#include "sched/job.h"

typedef struct peer_frame {
    uint16_t type; /* the daemon's own numbers from 1, or PEER_GONE */
    uint32_t tag;
    int from; /* rank */
    byre__unpack_t payload;
} peer_frame_t;

enum {
    PEER_GONE = 0xffff
}; /* the last frame from a rank: it failed, was cut off, or left; no payload */

/* byre_init, and who is where. Collective. Ranks of one node: an error (BYRE_EEXIST), as are nodes of one name.
 * error_out: a line for a person. */
int peer_open(char error_out[static 256]);
/* byre_finalize; not collective when somebody is gone. */
void peer_close(void);

int peer_self(void);
int peer_count(void);
const char *peer_name(int rank); /* the node's */
int peer_find(const char *name); /* rank, or -1 */
bool peer_alive(int rank);

/* payload (may be NULL) and data behind it, both copied: free at once. BYRE_OK, BYRE_EPEER: gone;
 * BYRE_ENOMEM; BYRE_ERANGE: longer than BYRE__FRAME_MAX. To oneself too. */
int peer_send(int rank, uint16_t type, uint32_t tag, const byre__pack_t *payload, const void *data,
              size_t bytes);
/* Bytes accepted by peer_send that have not left. Whoever sends bulk looks first. */
size_t peer_backlog(int rank);

int peer_fd(void);                       /* readable when there is a frame */
bool peer_next(peer_frame_t *frame_out); /* false: none. The payload stays until the next call */

void peer_traffic(uint64_t *messages_out, uint64_t *bytes_out); /* sent, since peer_open */

#endif
