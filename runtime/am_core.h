/* SPDX-License-Identifier: BSD-3-Clause */
/* Active messages inside the runtime: wire format, and what the engine calls. See am.c. */
#ifndef BYRE__AM_CORE_H
#define BYRE__AM_CORE_H

#include "am.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What travels, followed by the inline payload. Ranks of a job are of one architecture. */
typedef struct byre__am_wire {
    uint8_t id;
    uint8_t flags;
    uint16_t bytes;    /* inline payload */
    uint32_t consumed; /* how many of the receiver's messages the sender has handled */
    uint64_t call;     /* request: answer to this; reply: answer for this; bulk: length and tag */
} byre__am_wire_t;

enum {
    BYRE__AM_FREE = 1,    /* took no credit */
    BYRE__AM_REQUEST = 2, /* the sender waits for an answer */
    BYRE__AM_BULKY = 4,   /* there is a bulk payload */
    BYRE__AM_NOBODY = 8,  /* a reply: there is no handler */
    BYRE__AM_ALONG = 16   /* the bulk payload comes along: in the lane, or in the frame */
};

/* Inline and bulk payload in the frame of a message to another node: a page and what is said of it
 * leave as one MPI message. */
enum { BYRE__AM_ROOM = BYRE_AM_INLINE + 256, BYRE__AM_ALIGN = 16 };

/* Of a message with bulk, which is never a request: its length and the tag that it comes under. */
#define BYRE__BULK_TAG_BITS 14
static inline uint64_t byre__bulk_word(uint64_t bytes, uint32_t tag)
{
    return bytes << BYRE__BULK_TAG_BITS | (tag & ((1u << BYRE__BULK_TAG_BITS) - 1));
}
static inline size_t byre__bulk_bytes(const byre__am_wire_t *wire)
{
    return (wire->flags & BYRE__AM_BULKY) ? (size_t)(wire->call >> BYRE__BULK_TAG_BITS) : 0;
}
/* Those that come along with the message; does the payload follow on its own channel? */
static inline size_t byre__bulk_along(const byre__am_wire_t *wire)
{
    return (wire->flags & BYRE__AM_ALONG) ? byre__bulk_bytes(wire) : 0;
}
static inline bool byre__bulk_follows(const byre__am_wire_t *wire)
{
    return (wire->flags & (BYRE__AM_BULKY | BYRE__AM_ALONG)) == BYRE__AM_BULKY;
}
static inline int byre__bulk_tag(const byre__am_wire_t *wire)
{
    return (int)(wire->call & ((1u << BYRE__BULK_TAG_BITS) - 1));
}

typedef struct byre__am_send {
    int rank;
    int id;
    const void *data;
    size_t bytes;
    const void *bulk;
    size_t bulk_bytes;
    uint64_t call;
    uint8_t flags;
    bool at_once; /* BYRE_EAGAIN when there is no room, instead of queueing */
    byre__am_done_fn done;
    void *arg;
} byre__am_send_t;

int byre__am_init(void);
/* Give up the receives. After this nothing arrives. */
void byre__am_fini(void);

/* Driver only. Handle what has arrived, move what is under way. Returns how much happened. MPI, which
 * is dear to ask, is asked every few turns, or when `thorough`. */
int byre__am_poll(bool thorough);

/* Driver only, now and then: get past receives that a dying rank has begun to fill (am_ring.c). Is there something
 * to be handled now? */
int byre__am_ring_unblock(void);

/* Send or queue, never block. */
int byre__am_submit(const byre__am_send_t *send);
/* Wait until there is room, and send; BYRE_ETIMEOUT after the deadline (0: none). Not from handlers. */
int byre__am_submit_patiently(byre__am_send_t *send, uint64_t deadline_ns);
/* A message without payload that needs no credit: heartbeats and the like. */
void byre__am_signal(int rank, int id);
/* Is nothing under way to living peers? */
bool byre__am_drained(void);

/* The detector says that a peer is gone: drop what was meant for it. Driver only. */
void byre__am_peer_gone(int rank);
/* The detector hears of every message. */
void byre__detector_heard(int rank);

/* am_call.c */
int byre__call_init(void);
void byre__call_fini(void);
void byre__call_reply(uint64_t call, int source, bool nobody, const void *data, size_t bytes);

/* barrier.c */
int byre__barrier_init(void);

#endif
