/* SPDX-License-Identifier: BSD-3-Clause */
/* Active messages on their way out. The rules are in am.c. */
#include "am_peer.h"

#include "counters.h"
#include "detector.h"
#include "fault.h"
#include "node.h"
#include "progress.h"
#include "recycle.h"
#include "service.h"
#include <stdlib.h>
#include <string.h>

enum { POOL_CACHE = 32 };

static struct {
    pthread_mutex_t lock;
    byre__outgoing_t *list;
} under_way = { .lock = PTHREAD_MUTEX_INITIALIZER };
_Atomic int byre__am_under_way, byre__am_queues;

static void *create_outgoing(void)
{
    return aligned_alloc(64, (sizeof(byre__outgoing_t) + 63) / 64 * 64);
}

static byre__recycler_t pool = BYRE__RECYCLER(POOL_CACHE, 4 * POOL_CACHE, create_outgoing, free);
static _Thread_local byre__recycled_t own_pool;

static void put_outgoing(byre__outgoing_t *out)
{
    byre__recycle_put(&pool, &own_pool, out);
}

void byre__am_send_fini(void)
{
    byre__recycle_fini(&pool, &own_pool);
}

/* ---- what a message looks like ------------------------------------------------------------- */

/* Does the bulk payload travel with the message? */
static bool goes_along(const byre__am_peer_t *peer, size_t bytes, size_t bulk_bytes)
{
    if (byre__am_is_local(peer)) return bulk_bytes <= BYRE__LANE_BULK;
    return bulk_bytes <= BYRE__AM_ROOM && byre__am_along_at(bytes) + bulk_bytes <= BYRE__AM_ROOM;
}

static byre__am_wire_t make_wire(const byre__am_send_t *send)
{
    byre__am_wire_t wire = { .id = (uint8_t)send->id,
                             .flags = send->flags,
                             .bytes = (uint16_t)send->bytes,
                             .call = send->call };
    if (send->bulk_bytes > 0) {
        byre__am_peer_t *peer = &byre__am_peers[send->rank];
        uint32_t tag = atomic_fetch_add(&peer->bulk_tag, 1);
        wire.flags |= BYRE__AM_BULKY;
        wire.call = byre__bulk_word(send->bulk_bytes, tag);
        if (goes_along(peer, send->bytes, send->bulk_bytes)) wire.flags |= BYRE__AM_ALONG;
    }
    return wire;
}

static byre__outgoing_t *get_outgoing(const byre__am_send_t *send, const byre__am_wire_t *wire)
{
    byre__outgoing_t *out = byre__recycle_get(&pool, &own_pool);
    if (out == NULL) return NULL;
    out->rank = send->rank;
    out->bulk = send->bulk;
    out->done = send->done;
    out->arg = send->arg;
    out->frame_busy = out->bulk_busy = false;
    memcpy(out->frame, wire, sizeof *wire);
    if (send->bytes > 0) memcpy(out->frame + sizeof *wire, send->data, send->bytes);
    return out;
}

/* The bulk payload, if it travels in the frame: it is the sender's again. */
static void load_bulk(byre__outgoing_t *out, const byre__am_wire_t *wire)
{
    size_t along = byre__bulk_along(wire);
    if (along == 0) return;
    memcpy(out->frame + sizeof *wire + byre__am_along_at(wire->bytes), out->bulk, along);
    out->bulk = NULL;
    out->done = NULL;
}

static void tell(byre__am_done_fn done, int error, void *arg)
{
    if (done == NULL) return;
    byre__handler_enter();
    done(error, arg);
    byre__handler_leave();
}

static void finish(byre__outgoing_t *out, int error)
{
    byre__am_done_fn done = out->done;
    void *arg = out->arg;
    put_outgoing(out);
    tell(done, error, arg);
}

/* ---- handing over --------------------------------------------------------------------------- */

/* Is it complete? Not more than one thread asks. */
static bool outgoing_done(byre__outgoing_t *out)
{
    if (out->frame_busy && byre__transport->test(&out->frame_req, NULL)) out->frame_busy = false;
    if (out->bulk_busy && byre__transport->test(&out->bulk_req, NULL)) out->bulk_busy = false;
    return !out->frame_busy && !out->bulk_busy;
}

/* A payload that goes by MPI, in a message of its own. */
static void launch_bulk(byre__outgoing_t *out, const byre__am_wire_t *wire)
{
    if (!byre__bulk_follows(wire)) return;
    if (byre__transport->isend(BYRE__CHANNEL_BULK, out->rank, byre__bulk_tag(wire), out->bulk,
                               byre__bulk_bytes(wire), false, &out->bulk_req) == BYRE_OK)
        out->bulk_busy = out->bulk_req.handle != NULL;
}

/* Hand it to MPI. It has its credit. */
static void launch_remote(byre__am_peer_t *peer, byre__outgoing_t *out)
{
    byre__am_wire_t *wire = (byre__am_wire_t *)out->frame;
    wire->consumed = atomic_load_explicit(&peer->consumed, memory_order_relaxed);
    atomic_store_explicit(&peer->told, wire->consumed, memory_order_relaxed);
    size_t bytes = sizeof *wire + byre__am_body(wire);
    uint32_t number = atomic_fetch_add_explicit(&peer->launched, 1, memory_order_relaxed);
    memcpy(out->frame + bytes, &number, sizeof number);
    bytes += sizeof number;
    if (byre__transport->isend(BYRE__CHANNEL_AM, out->rank, BYRE__AM_TAG, out->frame, bytes, false,
                               &out->frame_req) == BYRE_OK)
        out->frame_busy = out->frame_req.handle != NULL;
    launch_bulk(out, wire);
}

/* Is there something large under way, which MPI may have to move on while nobody sends? */
static bool is_unannounced(const byre__outgoing_t *out)
{
    const byre__am_wire_t *wire = (const byre__am_wire_t *)out->frame;
    return out->bulk_busy || (out->frame_busy && byre__am_body(wire) >= BYRE__AM_LARGE);
}

/* A peer that is gone by now will not be abandoned again: that is done here. Invariant 3. */
static void keep_under_way(byre__outgoing_t *out)
{
    pthread_mutex_lock(&under_way.lock);
    bool gone = byre__peer_absent(out->rank);
    if (!gone) {
        out->next = under_way.list;
        under_way.list = out;
        atomic_fetch_add(&byre__am_under_way, 1);
        if (is_unannounced(out)) atomic_fetch_add(&byre__engine_unannounced, 1);
    }
    pthread_mutex_unlock(&under_way.lock);
    if (gone) tell(out->done, BYRE_EPEER, out->arg);
}

/* It has left: is there anything to wait for? */
static void keep_or_finish(byre__outgoing_t *out)
{
    byre__count(am_sent);
    byre__wake_for_am(out->rank);
    if (out->frame_busy || out->bulk_busy) {
        bool unannounced = is_unannounced(out);
        keep_under_way(out); /* may be gone after this */
        if (unannounced) byre__service_rouse();
    } else
        finish(out, BYRE_OK);
}

static bool has_credit(byre__am_peer_t *peer)
{
    return (int32_t)(atomic_load_explicit(&peer->allowed, memory_order_relaxed) -
                     atomic_load_explicit(&peer->sent, memory_order_relaxed)) > 0;
}

/* More threads than credits may try at once: who finds that it took too many gives it back. */
static bool take_credit(byre__am_peer_t *peer)
{
    if (!has_credit(peer)) return false;
    uint32_t before = atomic_fetch_add_explicit(&peer->sent, 1, memory_order_relaxed);
    if ((int32_t)(atomic_load_explicit(&peer->allowed, memory_order_relaxed) - before) > 0)
        return true;
    atomic_fetch_sub_explicit(&peer->sent, 1, memory_order_relaxed);
    return false;
}

/* Under the lock. */
static void append(byre__am_peer_t *peer, byre__outgoing_t *out)
{
    out->next = NULL;
    *peer->queue_end = out;
    peer->queue_end = &out->next;
    atomic_fetch_add(&peer->queued, 1);
    atomic_fetch_add(&byre__am_queues, 1);
}

/* Under the lock, with a queue that is not empty. */
static byre__outgoing_t *pop(byre__am_peer_t *peer)
{
    byre__outgoing_t *out = peer->queue;
    peer->queue = out->next;
    if (peer->queue == NULL) peer->queue_end = &peer->queue;
    return out;
}

/* ---- submitting ----------------------------------------------------------------------------- */

static int submit_remote(byre__am_peer_t *peer, const byre__am_send_t *send)
{
    byre__am_wire_t wire = make_wire(send);
    byre__outgoing_t *out = get_outgoing(send, &wire);
    if (out == NULL) return BYRE_ENOMEM;
    load_bulk(out, &wire);
    if ((send->flags & BYRE__AM_FREE) ||
        (atomic_load_explicit(&peer->queued, memory_order_acquire) == 0 && take_credit(peer))) {
        launch_remote(peer, out);
        keep_or_finish(out);
    } else {
        pthread_mutex_lock(&peer->lock);
        bool gone = byre__peer_absent(send->rank);
        if (!gone && !send->at_once) append(peer, out);
        pthread_mutex_unlock(&peer->lock);
        if (gone || send->at_once) {
            put_outgoing(out);
            return gone ? BYRE_EPEER : BYRE_EAGAIN;
        }
        /* The driver may have got credits before it could see the queue: none may come any more. */
        atomic_thread_fence(memory_order_seq_cst);
        if (has_credit(peer)) byre__progress_kick();
    }
    if (byre__bulk_along(&wire) > 0) tell(send->done, BYRE_OK, send->arg); /* invariant 3 */
    return BYRE_OK;
}

/* A message and its bulk payload, if that goes by MPI, need an object that lives until both are through:
 * `out` is NULL for all others, and for those that shall wait if there is no room. */
static int submit_local(byre__am_peer_t *peer, const byre__am_send_t *send)
{
    byre__am_wire_t wire = make_wire(send);
    size_t along = byre__bulk_along(&wire);
    byre__outgoing_t *out = NULL;
    if (byre__bulk_follows(&wire) && (out = get_outgoing(send, &wire)) == NULL) return BYRE_ENOMEM;
    for (;;) {
        byre__inside_enter(); /* the lane is filled under the lock: a fault there must not drive */
        pthread_mutex_lock(&peer->lock);
        bool put = (peer->queue == NULL || (send->flags & BYRE__AM_FREE)) &&
                   byre__lane_put(&peer->lane_out, &wire, send->data, send->bulk, along);
        bool gone = !put && byre__peer_absent(send->rank), refused = gone || send->at_once;
        if (!put && out != NULL && !refused) append(peer, out);
        pthread_mutex_unlock(&peer->lock);
        byre__inside_leave();
        if (put) break;
        if (refused) {
            if (out != NULL) put_outgoing(out);
            return gone ? BYRE_EPEER : BYRE_EAGAIN;
        }
        if (out != NULL) return BYRE_OK;
        if ((out = get_outgoing(send, &wire)) == NULL) return BYRE_ENOMEM;
    }
    if (out != NULL) {
        launch_bulk(out, &wire);
        keep_or_finish(out);
        return BYRE_OK;
    }
    byre__count(am_sent);
    byre__wake_for_am(send->rank);
    tell(send->done, BYRE_OK, send->arg);
    return BYRE_OK;
}

int byre__am_submit(const byre__am_send_t *send)
{
    byre__am_peer_t *peer = &byre__am_peers[send->rank];
    if (byre__peer_absent(send->rank)) return BYRE_EPEER;
    return byre__am_is_local(peer) ? submit_local(peer, send) : submit_remote(peer, send);
}

void byre__am_signal(int rank, int id)
{
    byre__am_send_t send = { .rank = rank, .id = id, .flags = BYRE__AM_FREE };
    (void)byre__am_submit(&send);
}

/* ---- what waits for room -------------------------------------------------------------------- */

/* The oldest message of the queue, if there is room for it; a lane has taken its part then. */
static byre__outgoing_t *next_with_room(byre__am_peer_t *peer)
{
    byre__outgoing_t *out = NULL;
    bool local = byre__am_is_local(peer);
    if (!local && !take_credit(peer)) return NULL;
    pthread_mutex_lock(&peer->lock);
    if (peer->queue != NULL) {
        const byre__am_wire_t *wire = (const byre__am_wire_t *)peer->queue->frame;
        if (!local || byre__lane_put(&peer->lane_out, wire, wire + 1, peer->queue->bulk,
                                     byre__bulk_along(wire)))
            out = pop(peer);
    }
    pthread_mutex_unlock(&peer->lock);
    if (out == NULL && !local) atomic_fetch_sub(&peer->sent, 1); /* another's drain is at it */
    return out;
}

/* Send what waits for room, in order. Invariant 1. */
int byre__am_drain(byre__am_peer_t *peer)
{
    int sent = 0;
    while (atomic_load_explicit(&peer->queued, memory_order_acquire) > 0) {
        byre__outgoing_t *out = next_with_room(peer);
        if (out == NULL) break;
        if (byre__am_is_local(peer)) {
            launch_bulk(out, (const byre__am_wire_t *)out->frame);
        } else {
            launch_remote(peer, out);
        }
        atomic_fetch_sub(&byre__am_queues, 1);
        atomic_fetch_sub(&peer->queued, 1);
        keep_or_finish(out);
        sent++;
    }
    return sent;
}

int byre__am_drain_queues(void)
{
    int sent = 0;
    for (int r = 0; r < byre__nodes.size; r++) sent += byre__am_drain(&byre__am_peers[r]);
    return sent;
}

/* ---- what MPI has -------------------------------------------------------------------------- */

/* Complete what is under way. Only the driver tests and removes; others only add at the head. */
int byre__am_poll_under_way(void)
{
    byre__outgoing_t *ended = NULL;
    int count = 0;
    pthread_mutex_lock(&under_way.lock);
    for (byre__outgoing_t **at = &under_way.list; *at != NULL;) {
        byre__outgoing_t *out = *at;
        bool unannounced = is_unannounced(out);
        if (!outgoing_done(out)) {
            if (unannounced && !is_unannounced(out)) atomic_fetch_sub(&byre__engine_unannounced, 1);
            at = &out->next;
            continue;
        }
        *at = out->next;
        atomic_fetch_sub(&byre__am_under_way, 1);
        if (unannounced) atomic_fetch_sub(&byre__engine_unannounced, 1);
        out->next = ended;
        ended = out;
        count++;
    }
    pthread_mutex_unlock(&under_way.lock);
    while (ended != NULL) {
        byre__outgoing_t *next = ended->next;
        finish(ended, BYRE_OK);
        ended = next;
    }
    return count;
}

/* ---- waiting for room, peers that go --------------------------------------------------------- */

static bool has_room(byre__am_peer_t *peer)
{
    if (atomic_load_explicit(&peer->queued, memory_order_relaxed) > 0) return false;
    if (!byre__am_is_local(peer)) return has_credit(peer);
    pthread_mutex_lock(&peer->lock);
    bool room = byre__lane_has_room(&peer->lane_out);
    pthread_mutex_unlock(&peer->lock);
    return room;
}

static bool may_send(void *arg)
{
    int rank = *(int *)arg;
    return byre__peer_absent(rank) || has_room(&byre__am_peers[rank]);
}

int byre__am_submit_patiently(byre__am_send_t *send, uint64_t deadline_ns)
{
    int error;
    send->at_once = true;
    while (__builtin_expect((error = byre__am_submit(send)) == BYRE_EAGAIN, 0)) {
        byre__count(am_stalled);
        if (!byre__wait_until(may_send, &send->rank, deadline_ns)) return BYRE_ETIMEOUT;
    }
    return error;
}

bool byre__am_drained(void)
{
    for (int r = 0; r < byre__nodes.size; r++)
        if (!byre__peer_absent(r) && atomic_load(&byre__am_peers[r].queued) > 0) return false;
    return atomic_load(&byre__am_under_way) == 0;
}

/* What MPI still holds is left to it (invariant 2): only `done` is called, and it is forgotten. */
static void abandon_under_way(int rank)
{
    byre__outgoing_t *gone = NULL;
    pthread_mutex_lock(&under_way.lock);
    for (byre__outgoing_t **at = &under_way.list; *at != NULL;) {
        byre__outgoing_t *out = *at;
        if (out->rank != rank) {
            at = &out->next;
            continue;
        }
        *at = out->next;
        atomic_fetch_sub(&byre__am_under_way, 1);
        if (is_unannounced(out)) atomic_fetch_sub(&byre__engine_unannounced, 1);
        out->next = gone;
        gone = out;
    }
    pthread_mutex_unlock(&under_way.lock);
    while (gone != NULL) {
        byre__outgoing_t *next = gone->next;
        tell(gone->done, BYRE_EPEER, gone->arg);
        gone = next; /* not freed: MPI may read it as long as the process lives */
    }
}

void byre__am_send_gone(int rank)
{
    byre__am_peer_t *peer = &byre__am_peers[rank];
    pthread_mutex_lock(&peer->lock);
    byre__outgoing_t *queue = peer->queue;
    int count = 0;
    for (byre__outgoing_t *out = queue; out != NULL; out = out->next) count++;
    peer->queue = NULL;
    peer->queue_end = &peer->queue;
    atomic_fetch_sub(&peer->queued, count);
    atomic_fetch_sub(&byre__am_queues, count);
    pthread_mutex_unlock(&peer->lock);
    while (queue != NULL) {
        byre__outgoing_t *next = queue->next;
        finish(queue, BYRE_EPEER);
        queue = next;
    }
    abandon_under_way(rank);
}
