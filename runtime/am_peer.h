/* SPDX-License-Identifier: BSD-3-Clause */
/* What am.c, am_send.c, am_recv.c and am_ring.c share: the state of active messages per peer. See am.c. */
#ifndef BYRE__AM_PEER_H
#define BYRE__AM_PEER_H

#include "am_core.h"
#include "lane.h"
#include "transport.h"
#include <pthread.h>
#include <stdatomic.h>

/* Header, payload, number (am_ring.c); there is room for a number that is aligned. */
enum {
    BYRE__AM_FRAME = sizeof(byre__am_wire_t) + BYRE__AM_ROOM + BYRE__AM_ALIGN,
    BYRE__AM_TAG = 0
};
_Static_assert(sizeof(byre__am_wire_t) % BYRE__AM_ALIGN == 0, "inline payloads are aligned");
_Static_assert(BYRE__AM_FRAME % BYRE__AM_ALIGN == 0, "so are frames in a row");

/* With so much behind the header a frame may need both ends to move (rendezvous). */
enum { BYRE__AM_LARGE = 4000 };

/* Where the bulk payload lies in the frame, counted from the inline payload; and what is behind the
 * header, altogether. */
static inline size_t byre__am_along_at(size_t bytes)
{
    return (bytes + BYRE__AM_ALIGN - 1) / BYRE__AM_ALIGN * BYRE__AM_ALIGN;
}
static inline size_t byre__am_body(const byre__am_wire_t *wire)
{
    size_t along = byre__bulk_along(wire);
    return along > 0 ? byre__am_along_at(wire->bytes) + along : wire->bytes;
}

/* A message on its way out: its frame, and the bulk payload that follows it. */
typedef struct byre__outgoing {
    struct byre__outgoing *next;
    int rank;
    bool frame_busy, bulk_busy;
    byre__treq_t frame_req, bulk_req;
    const void *bulk;
    byre__am_done_fn done;
    void *arg;
    _Alignas(BYRE__AM_ALIGN) unsigned char frame[BYRE__AM_FRAME];
} byre__outgoing_t;

/* A message that waits: for its bulk payload, or behind one that does. */
typedef struct byre__incoming {
    struct byre__incoming *next;
    byre__treq_t req;
    bool begun;     /* the place was asked for */
    bool receiving; /* the bulk receive is posted */
    void *place;
    bool own_place; /* malloc'ed here, freed after the handler */
    byre_am_t am;
    byre__am_wire_t wire;
    _Alignas(BYRE__AM_ALIGN) unsigned char data[]; /* byre__am_body() of it */
} byre__incoming_t;

typedef struct byre__am_peer {
    pthread_mutex_t lock;
    /* sending: under lock, but for the counts */
    byre__outgoing_t *queue, **queue_end; /* wait for room */
    _Atomic int queued;                   /* how many do, or are leaving the queue */
    byre__lane_out_t lane_out;            /* lane NULL: on another node */
    _Atomic uint32_t sent;                /* messages that took a credit */
    _Atomic uint32_t allowed;             /* how many may have; written by the driver */
    _Atomic uint32_t bulk_tag;
    _Atomic uint32_t launched; /* messages that MPI was given: the next one's number */
    /* receiving: the driver's */
    byre__lane_in_t lane_in;
    _Atomic uint32_t consumed; /* theirs that were handled here */
    _Atomic uint32_t told;     /* what they were last told of it */
    uint32_t arrived;          /* messages by MPI that were handled, those without credit too */
    byre__incoming_t *stalled, **stalled_end;
} byre__am_peer_t;

extern byre__am_peer_t *byre__am_peers; /* [size] */
extern int byre__am_credits;            /* of the job */
extern int *byre__am_locals;            /* ranks of this node */
extern int byre__am_local_count;

static inline bool byre__am_is_local(const byre__am_peer_t *peer)
{
    return peer->lane_out.lane != NULL;
}

typedef struct byre__am_handler {
    _Atomic(byre_am_fn) fn;
    byre_am_place_fn place;
    void *arg;
} byre__am_handler_t;
extern byre__am_handler_t byre__am_handlers[BYRE__AM_LAST + 1];

/* am_send.c */
extern _Atomic int byre__am_under_way; /* sends that MPI has not completed */
extern _Atomic int byre__am_queues;    /* messages that wait for room, or for credits */
int byre__am_poll_under_way(void);     /* driver only, as all of these */
int byre__am_drain(byre__am_peer_t *peer);
int byre__am_drain_queues(void);
void byre__am_send_gone(int rank); /* drops and tells whatever is meant for it */
void byre__am_send_fini(void);

/* am_recv.c */
int byre__am_recv_init(void);
void byre__am_recv_gone(int rank);
/* A message has come by MPI: header and payload are so many bytes. */
void byre__am_arrived(int source, const byre__am_wire_t *wire, size_t bytes);

/* am_ring.c */
int byre__am_ring_init(void);
void byre__am_ring_fini(void);
int byre__am_ring_poll(
    void); /* at most one message a turn: what it brings may be what the driver waits for */

#endif
