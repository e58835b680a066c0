/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer.c - frames between daemons: who is where, and sending. What comes in: peer_inbox.c. Interface: peer.h.
 *
 * A frame is one active message when it fits into one, or two when it fits into these; a longer one is a head
 * with a bulk payload. Active messages of a pair are handled in the order sent, bulk or not, so there is
 * nothing to sort (am.c, invariant 1).
 *
 * Invariants
 *  1. Handlers are registered while the runtime starts, before any rank can send; so no frame comes too early.
 *  2. Backlog counts a frame from peer_send until the transport has taken all of it.
 *  3. Names are those that the runtime exchanged, up to the first dot: every rank has the same list, and
 *     peer_open fails everywhere or nowhere.
 */
#include "peer_core.h"

#include "runtime/am.h"
#include "runtime/log.h"
#include "sched/frame.h"
#include <byre_runtime.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct peer {
    char name[BYRE__NODE_NAME];
    _Atomic size_t backlog;
    bool gone; /* the main thread has been told */
} peer_t;

static struct {
    peer_t *peers;
    int self, count;
    uint64_t messages, bytes; /* sent */
} net;

/* ---- who is where ---------------------------------------------------------------------------------- */

static int copy_name(int rank, char error_out[static 256])
{
    const char *name = byre_node_name(byre_node_of(rank));
    size_t bytes = strcspn(name, ".");
    if (bytes > 0 && bytes < BYRE__NODE_NAME && memchr(name, '/', bytes) == NULL) {
        memcpy(net.peers[rank].name, name, bytes);
        return BYRE_OK;
    }
    (void)snprintf(
        error_out, 256,
        "\"%.64s\" cannot be the name of a node: it takes 1 to %d letters, without a slash, up to "
        "the first dot. Set the host's name, or BYRE_NODE_NAME",
        name, BYRE__NODE_NAME - 1);
    return BYRE_EINVAL;
}

static int learn_names(char error_out[static 256])
{
    for (int rank = 0; rank < net.count; rank++) {
        int error = copy_name(rank, error_out);
        if (error != BYRE_OK) return error;
        int other = peer_find(net.peers[rank].name);
        if (other == rank) continue;
        (void)snprintf(error_out, 256,
                       "%s \"%s\": there is to be one daemon a node, and each node needs a name of "
                       "its own (ranks %d and %d)",
                       byre_node_of(rank) == byre_node_of(other) ? "two daemons on node"
                                                                 : "two nodes are called",
                       net.peers[rank].name, other, rank);
        return BYRE_EEXIST;
    }
    return BYRE_OK;
}

int peer_open(char error_out[static 256])
{
    error_out[0] = '\0';
    peer_settings();
    int error = byre_init();
    if (error != BYRE_OK) {
        (void)snprintf(error_out, 256,
                       "the daemons cannot be connected: %s (BYRE_LOG=error says more)",
                       byre_strerror(error));
        return error;
    }
    net.self = byre_rank();
    net.count = byre_size();
    net.messages = net.bytes = 0;
    net.peers = calloc((size_t)net.count, sizeof *net.peers);
    error = net.peers != NULL ? learn_names(error_out) : BYRE_ENOMEM;
    if (error != BYRE_OK) peer_close();
    return error;
}

void peer_close(void)
{
    (void)byre_finalize();
    free(net.peers);
    net.peers = NULL;
    net.count = 0;
    peer_inbox_fini();
}

int peer_self(void)
{
    return net.self;
}

int peer_count(void)
{
    return net.count;
}

const char *peer_name(int rank)
{
    return net.peers[rank].name;
}

int peer_find(const char *name)
{
    for (int rank = 0; rank < net.count; rank++)
        if (strcmp(net.peers[rank].name, name) == 0) return rank;
    return -1;
}

bool peer_alive(int rank)
{
    return !net.peers[rank].gone;
}

/* ---- sending ---------------------------------------------------------------------------------------- */

/* What has been given to the transport; frees itself when that is through. */
typedef struct parcel {
    int rank;
    size_t bytes; /* in the backlog */
    unsigned char data[];
} parcel_t;

/* On the engine, or inside peer_send. What was meant for a dead peer may be in MPI's hands for ever: it is
 * not freed. */
static void left(int error, void *arg)
{
    parcel_t *parcel = arg;
    atomic_fetch_sub(&net.peers[parcel->rank].backlog, parcel->bytes);
    if (error == BYRE_OK) free(parcel);
}

static int post(parcel_t *parcel, const void *data, size_t bytes, size_t bulk_bytes)
{
    int rank = parcel->rank;
    atomic_fetch_add(&net.peers[rank].backlog, parcel->bytes);
    const void *bulk = bulk_bytes > 0 ? parcel->data : NULL;
    size_t counted = parcel->bytes;
    int error = byre__am_post(rank, PEER_AM, data, bytes, bulk, bulk_bytes, left, parcel);
    if (error == BYRE_OK) return BYRE_OK;
    atomic_fetch_sub(&net.peers[rank].backlog, counted);
    free(parcel);
    return error;
}

static parcel_t *make_parcel(int rank, size_t counted, size_t room)
{
    parcel_t *parcel = malloc(sizeof *parcel + room);
    if (parcel == NULL) return NULL;
    parcel->rank = rank;
    parcel->bytes = counted;
    return parcel;
}

/* The body of a frame: what is packed, and what is behind it. */
typedef struct body {
    const void *packed, *data;
    size_t packed_bytes, data_bytes;
} body_t;

/* Copy [from, from + bytes) of it. */
static void copy_body(const body_t *body, size_t from, unsigned char *to, size_t bytes)
{
    size_t first = 0;
    if (from < body->packed_bytes) {
        first = body->packed_bytes - from < bytes ? body->packed_bytes - from : bytes;
        memcpy(to, (const unsigned char *)body->packed + from, first);
    }
    if (bytes > first)
        memcpy(to + first, (const unsigned char *)body->data + (from + first - body->packed_bytes),
               bytes - first);
}

static int send_inline(int rank, const peer_head_t *head, const body_t *body)
{
    unsigned char message[BYRE_AM_INLINE];
    peer_head_t part = *head;
    do {
        size_t rest = head->bytes - part.at, bytes = rest < PEER_INLINE ? rest : PEER_INLINE;
        memcpy(message, &part, sizeof part);
        copy_body(body, part.at, message + sizeof part, bytes);
        parcel_t *parcel = make_parcel(rank, sizeof part + bytes, 0);
        int error = parcel != NULL ? post(parcel, message, sizeof part + bytes, 0) : BYRE_ENOMEM;
        if (error != BYRE_OK) return error; /* half a frame is dropped there */
        part.at += (uint32_t)bytes;
    } while (part.at < head->bytes);
    return BYRE_OK;
}

static int send_bulk(int rank, const peer_head_t *head, const body_t *body)
{
    parcel_t *parcel = make_parcel(rank, sizeof *head + head->bytes, head->bytes);
    if (parcel == NULL) return BYRE_ENOMEM;
    copy_body(body, 0, parcel->data, head->bytes);
    return post(parcel, head, sizeof *head, head->bytes);
}

int peer_send(int rank, uint16_t type, uint32_t tag, const byre__pack_t *payload, const void *data,
              size_t bytes)
{
    body_t body = { .data = data, .data_bytes = bytes };
    if (payload != NULL) {
        if (payload->failed) return BYRE_ENOMEM;
        body.packed = payload->data;
        body.packed_bytes = payload->bytes;
    }
    if (body.packed_bytes > BYRE__FRAME_MAX || bytes > BYRE__FRAME_MAX - body.packed_bytes)
        return BYRE_ERANGE;
    BYRE__ASSERT(type != 0 && type != PEER_GONE);
    if (net.peers[rank].gone) return BYRE_EPEER;
    size_t all = body.packed_bytes + bytes;
    peer_head_t head = { .type = type, .tag = tag, .bytes = (uint32_t)all };
    int error;
    if (rank == net.self) {
        unsigned char *room = peer_inbox_room(rank, &head);
        if (room != NULL) copy_body(&body, 0, room, all);
        error = room != NULL ? BYRE_OK : BYRE_ENOMEM;
        if (room != NULL) peer_inbox_add(room);
    } else {
        error = all <= PEER_SPLIT ? send_inline(rank, &head, &body) : send_bulk(rank, &head, &body);
    }
    if (error != BYRE_OK) return error;
    net.messages++;
    net.bytes += sizeof head + all;
    return BYRE_OK;
}

size_t peer_backlog(int rank)
{
    return atomic_load(&net.peers[rank].backlog);
}

void peer_traffic(uint64_t *messages_out, uint64_t *bytes_out)
{
    *messages_out = net.messages;
    *bytes_out = net.bytes;
}

/* ---- receiving --------------------------------------------------------------------------------------- */

int peer_fd(void)
{
    return peer_inbox_fd();
}

bool peer_next(peer_frame_t *frame_out)
{
    if (!peer_inbox_take(frame_out)) return false;
    if (frame_out->type == PEER_GONE) net.peers[frame_out->from].gone = true;
    return true;
}
