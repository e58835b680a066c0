/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Active messages: over lanes to ranks of this node, over the transport to the others.
 *
 * Transport, receiving: a ring of receives from any source is posted ahead; MPI matches them in the
 * order in which they were posted, so only the oldest need be tested (am_ring.c; what if its sender
 * dies). Sending: header and payload
 * leave in one message from a pooled buffer.
 *
 * A bulk payload either comes along (BYRE__AM_ALONG) or follows. It comes along when it is small: in
 * the lane, or in the frame behind the inline payload, where there is room for a page; it is copied
 * then, by the sender and by the receiver (or handed over where it lies). Else it follows by MPI, also
 * within the node, on a channel of its own under a tag that the header names; its receive is posted
 * straight into the place that the handler's `place` gave.
 *
 * Flow control: a lane has room or not. On the transport a sender may have BYRE_AM_CREDITS messages
 * under way to a peer. The peer gives credits back with whatever it sends, or in a message of their
 * own when half of them are owed. So the unexpected messages of a rank stay bounded. Credits,
 * heartbeats and the like need none, which is why credits always come back. A handler never waits
 * for room: it queues (queue of the peer, in order).
 *
 * Invariants
 *  1. Per pair, messages are handled in the order sent: a thread's message is queued behind those
 *     that wait for room (`queued` counts a message until it has left), and what arrives behind a
 *     bulk payload that follows waits for it (`stalled`, with whatever came along; in a lane it waits
 *     where it is). Its place is asked for when all before it have been handled.
 *  2. Buffers given to MPI stay until it is done with them: the pool's until `test` says so, for a
 *     dead peer for ever (MPI never completes them; they are few).
 *  3. `done` of a bulk send is called exactly once: when the payload has been copied to come along, at
 *     completion, or when the peer is gone. Who copies into a frame takes `done` out of it.
 *  4. The length of what arrives is what its header says, or it is dropped.
 *
 * Locks: peer.lock guards its queue and our end of the lane to it; under_way.lock the list of sends
 * under way. Leaves, none held across an upcall. The ring, the incoming lanes and `stalled` are the
 * driver's.
 */
#include "am_peer.h"

#include "env.h"
#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

byre__am_peer_t *byre__am_peers;
int byre__am_credits;
int *byre__am_locals;
int byre__am_local_count;
byre__am_handler_t byre__am_handlers[BYRE__AM_LAST + 1];

static pthread_mutex_t register_lock = PTHREAD_MUTEX_INITIALIZER; /* guards byre__am_handlers */

int byre__am_register(int id, byre_am_fn fn, byre_am_place_fn place, void *arg)
{
    byre__am_handler_t *handler = &byre__am_handlers[id];
    int error = BYRE_OK;
    pthread_mutex_lock(&register_lock);
    if (fn != NULL && handler->fn != NULL) error = BYRE_EEXIST;
    if (fn == NULL && handler->fn == NULL) error = BYRE_ENOTFOUND;
    if (error == BYRE_OK) {
        if (fn != NULL) handler->place = place, handler->arg = arg;
        atomic_store_explicit(&handler->fn, fn, memory_order_release);
    }
    pthread_mutex_unlock(&register_lock);
    return error;
}

void byre__am_peer_gone(int rank)
{
    byre__handler_enter();
    byre__am_send_gone(rank);
    byre__handler_leave();
    byre__am_recv_gone(rank);
}

/* ---- start and finish ----------------------------------------------------------------------- */

/* Both ends count credits, so the job uses rank 0's number. */
static int agree_on_credits(void)
{
    int credits = byre__env_int(BYRE__ENV_AM_CREDITS);
    int *all = malloc((size_t)byre__nodes.size * sizeof *all);
    if (all == NULL) return BYRE_ENOMEM;
    int error = byre__transport->allgather(&credits, all, sizeof credits);
    if (error == BYRE_OK) byre__am_credits = all[0] < 2 ? 2 : all[0] > 30000 ? 30000 : all[0];
    free(all);
    return error;
}

static void open_peer(int rank)
{
    byre__am_peer_t *peer = &byre__am_peers[rank];
    atomic_store(&peer->allowed, (uint32_t)byre__am_credits);
    pthread_mutex_init(&peer->lock, NULL);
    peer->queue_end = &peer->queue;
    peer->stalled_end = &peer->stalled;
    if (byre__nodes.peers[rank].slot == NULL) return;
    int self = byre__nodes.rank;
    byre__lane_open_out(&peer->lane_out, byre__node_lane(self, rank), byre__am_credits);
    byre__lane_open_in(&peer->lane_in, byre__node_lane(rank, self), byre__am_credits);
    byre__am_locals[byre__am_local_count++] = rank;
}

static void forget(void)
{
    free(byre__am_peers);
    free(byre__am_locals);
    byre__am_peers = NULL;
    byre__am_locals = NULL;
    byre__am_local_count = 0;
}

int byre__am_init(void)
{
    size_t size = (size_t)byre__nodes.size;
    int error = agree_on_credits();
    if (error != BYRE_OK) return error;
    byre__am_peers = calloc(size, sizeof *byre__am_peers);
    byre__am_locals = calloc((size_t)byre__nodes.local_ranks, sizeof *byre__am_locals);
    error = BYRE_ENOMEM;
    if (byre__am_peers == NULL || byre__am_locals == NULL) goto undo;
    for (int r = 0; r < byre__nodes.size; r++) open_peer(r);
    memset(byre__am_handlers, 0, sizeof byre__am_handlers);
    error = byre__am_recv_init();
    if (error == BYRE_OK) return BYRE_OK;
undo:
    forget();
    return error;
}

void byre__am_fini(void)
{
    if (byre__am_peers == NULL) return;
    byre__am_ring_fini();
    byre__am_send_fini();
    forget();
}
