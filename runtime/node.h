/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The node map, and what ranks of one node share: a table of who sleeps, bells, and lanes.
 *
 * A rank that is about to sleep raises a flag in node-shared memory, then looks for messages once
 * more; whoever sends it something looks at the flag afterwards, and rings its bell, an eventfd that
 * was handed over at the start. So that one of the two sees the other, both need a full barrier in
 * between. A sender would pay for its own with each message: so a sleeper, who has time, asks the kernel for
 * one on all processors that run a rank (membarrier), and the sender of a message does without.
 *
 * Nothing here has a name in the file system: the memory is a memfd, and it and the bells travel over
 * abstract sockets.
 */
#ifndef BYRE__NODE_H
#define BYRE__NODE_H

#include "counters.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a sleeper wants to be woken for. */
enum { BYRE__WAKE_AM = 1, BYRE__WAKE_MSG = 2 };

/* One cache line per local rank. Written by its rank, read by its neighbours. */
typedef struct byre__slot {
    _Alignas(64) _Atomic uint32_t service; /* BYRE__WAKE_*: the service thread sleeps deeply */
    _Atomic uint32_t waiter;               /* BYRE__WAKE_*: a waiting thread sleeps in the engine */
    int32_t pid;
} byre__slot_t;

typedef struct byre__peer_node {
    byre__slot_t *slot; /* of a rank on this node, else NULL */
    int bell;           /* its eventfd, or -1 */
    int pidfd;          /* readable when it is dead, or -1 */
    int node;
    int on_machine; /* counted within the machine, of which its node may be a part */
} byre__peer_node_t;

enum { BYRE__ADDRESSES = 8 }; /* of a node that are known; more do no harm */

typedef struct byre__node_map {
    int rank, size;
    int node, nodes;
    int local_ranks;                               /* on this node, this one included */
    byre__peer_node_t *peers;                      /* [size] */
    char (*names)[64];                             /* [nodes] */
    struct in6_addr (*addresses)[BYRE__ADDRESSES]; /* [nodes] */
    int bell;                                      /* own */
    byre__slot_t *slots;                           /* [local_ranks], shared */
    byre__slot_t *mine;
    unsigned char *lanes; /* [local_ranks][local_ranks], shared, behind the slots: see lane.h */
    size_t shared_bytes;
    bool fences; /* no membarrier: senders of messages need a barrier of their own */
} byre__node_map_t;

extern byre__node_map_t byre__nodes;

int byre__node_init(int rank, int size); /* collective */
void byre__node_fini(void);

/* The lane between two ranks of this node. */
struct byre__lane *byre__node_lane(int from, int to);

/* An IPv4 or IPv6 address as IPv6 writes it; false for others. */
bool byre__address_of(const struct sockaddr *name, struct in6_addr *address_out);

void byre__bell_ring(int fd);

static inline void byre__wake_if(const byre__peer_node_t *peer, uint32_t what)
{
    uint32_t asleep = atomic_load_explicit(&peer->slot->service, memory_order_relaxed) |
                      atomic_load_explicit(&peer->slot->waiter, memory_order_relaxed);
    if (__builtin_expect((asleep & what) != 0, 0)) {
        byre__count(bells_rung);
        byre__bell_ring(peer->bell);
    }
}

/* After an active message was sent to a rank of this node: wake it if it sleeps. */
static inline void byre__wake_for_am(int rank)
{
    const byre__peer_node_t *peer = &byre__nodes.peers[rank];
    if (peer->slot == NULL) return;
    atomic_thread_fence(memory_order_seq_cst);
    byre__wake_if(peer, BYRE__WAKE_AM);
}

/* After a message was sent to a rank. */
static inline void byre__wake_for_message(int rank)
{
    const byre__peer_node_t *peer = &byre__nodes.peers[rank];
    if (peer->slot == NULL) return;
    if (__builtin_expect(byre__nodes.fences, 0)) atomic_thread_fence(memory_order_seq_cst);
    atomic_signal_fence(memory_order_seq_cst);
    byre__wake_if(peer, BYRE__WAKE_MSG);
}

/* The sleeper's barrier: between raising its flag with BYRE__WAKE_MSG and the last look. */
void byre__wake_barrier(void);

#endif
