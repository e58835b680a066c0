/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Active messages over the transport.
 *
 * Receiving: a ring of receives from any source is posted ahead; MPI matches them in the order in
 * which they were posted, so only the oldest need be tested. Sending: header and payload leave in
 * one message from a pooled buffer. A bulk payload follows on a channel of its own under a tag that
 * the header names; its receive is posted straight into the place that the handler's `place` gave.
 *
 * Flow control: a sender may have BYRE_AM_CREDITS messages under way to a peer. The peer gives
 * credits back with whatever it sends, or in a message of their own when half of them are owed. So
 * the unexpected messages of a rank stay bounded. Credits, heartbeats and the like need none, which
 * is why credits always come back: a handler never waits, it queues (queue of the peer, in order).
 *
 * Invariants
 *  1. Per pair, messages are handled in the order sent: a thread's message is queued behind those
 *     that wait for credits (`queued` counts a message until it has been handed to MPI), and what
 *     arrives behind a bulk payload under way waits for it (`stalled`).
 *  2. Buffers given to MPI stay until it is done with them: the pool's until `test` says so, for a
 *     dead peer for ever (MPI never completes them; they are few).
 *  3. `done` of a bulk send is called exactly once: at completion or when the peer is gone.
 *
 * Locks: peer.lock guards its queue; under_way.lock the list of sends under way. Leaves, none held across an upcall. The ring and `stalled` are the driver's.
 */
#include "am_core.h"

#include "counters.h"
#include "detector.h"
#include "env.h"
#include "log.h"
#include "node.h"
#include "progress.h"
#include "recycle.h"
#include "transport.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 64, FRAME = sizeof(byre__am_wire_t) + BYRE_AM_INLINE, TAG = 0, POOL_CACHE = 32 };

/* A message on its way out: its frame, and the bulk payload behind it. */
struct outgoing {
    struct outgoing *next;
    int rank;
    bool frame_busy, bulk_busy;
    byre__treq_t frame_req, bulk_req;
    const void *bulk;
    byre__am_done_fn done;
    void *arg;
    _Alignas(16) unsigned char frame[FRAME];
};

/* A bulk payload on its way in; also a message that waits behind one. */
struct incoming {
    struct incoming *next;
    byre__treq_t req;
    bool begun;     /* the place was asked for */
    bool receiving; /* the bulk receive is posted */
    void *place;
    bool own_place; /* malloc'ed here, freed after the handler */
    byre_am_t am;
    byre__am_wire_t wire;
    _Alignas(16) unsigned char data[];
};

struct peer {
    _Atomic uint32_t sent;     /* messages that took a credit */
    _Atomic uint32_t allowed;  /* how many may have; written by the driver */
    _Atomic uint32_t consumed; /* theirs that were handled here; written by the driver */
    _Atomic uint32_t told;     /* what they were last told of it */
    _Atomic int queued;
    pthread_mutex_t lock;
    struct outgoing *queue, **queue_end; /* wait for credits */
    _Atomic uint32_t bulk_tag;
    struct incoming *stalled, **stalled_end; /* first: bulk under way; then what came behind it */
};

struct handler {
    _Atomic(byre_am_fn) fn;
    byre_am_place_fn place;
    void *arg;
};

static struct {
    struct peer *peers;
    int credits; /* of the job */
    unsigned char *frames;
    byre__treq_t ring[RING];
    bool posted[RING];
    unsigned head, tail; /* slots head ... tail - 1 are posted; the numbers only grow */
    struct handler handlers[BYRE__AM_LAST + 1];
    pthread_mutex_t register_lock;
    int stalled_peers; /* how many peers have `stalled` */
} am = { .register_lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
    pthread_mutex_t lock;
    struct outgoing *list;
    _Atomic int count;
} under_way = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *create_outgoing(void)
{
    return aligned_alloc(64, (sizeof(struct outgoing) + 63) / 64 * 64);
}

static byre__recycler_t pool = BYRE__RECYCLER(POOL_CACHE, 4 * POOL_CACHE, create_outgoing, free);
static _Thread_local byre__recycled_t own_pool;

static void put_outgoing(struct outgoing *out)
{
    byre__recycle_put(&pool, &own_pool, out);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void fill(struct outgoing *out, const byre__am_send_t *send)
{
    byre__am_wire_t wire = { .id = (uint8_t)send->id,
                             .flags = send->flags,
                             .bytes = (uint16_t)send->bytes,
                             .call = send->call };
    if (send->bulk_bytes > 0) {
        uint32_t tag = atomic_fetch_add(&am.peers[send->rank].bulk_tag, 1);
        wire.flags |= BYRE__AM_BULKY;
        wire.call = byre__bulk_word(send->bulk_bytes, tag);
    }
    out->rank = send->rank;
    out->bulk = send->bulk;
    out->done = send->done;
    out->arg = send->arg;
    out->frame_busy = out->bulk_busy = false;
    memcpy(out->frame, &wire, sizeof wire);
    if (send->bytes > 0) memcpy(out->frame + sizeof wire, send->data, send->bytes);
}

static void finish(struct outgoing *out, int error)
{
    byre__am_done_fn done = out->done;
    void *arg = out->arg;
    put_outgoing(out);
    if (done == NULL) return;
    byre__handler_enter();
    done(error, arg);
    byre__handler_leave();
}

/* Is it complete? Not more than one thread asks. */
static bool outgoing_done(struct outgoing *out)
{
    if (out->frame_busy && byre__transport->test(&out->frame_req, NULL)) out->frame_busy = false;
    if (out->bulk_busy && byre__transport->test(&out->bulk_req, NULL)) out->bulk_busy = false;
    return !out->frame_busy && !out->bulk_busy;
}

/* Hand it to MPI. It has its credit. Returns true when it is complete already. */
static bool launch(struct outgoing *out)
{
    byre__am_wire_t *wire = (byre__am_wire_t *)out->frame;
    struct peer *peer = &am.peers[out->rank];
    wire->consumed = atomic_load_explicit(&peer->consumed, memory_order_relaxed);
    atomic_store_explicit(&peer->told, wire->consumed, memory_order_relaxed);
    size_t bytes = sizeof *wire + wire->bytes;
    if (byre__transport->isend(BYRE__CHANNEL_AM, out->rank, TAG, out->frame, bytes, false,
                               &out->frame_req) == BYRE_OK)
        out->frame_busy = out->frame_req.handle != NULL;
    if ((wire->flags & BYRE__AM_BULKY) &&
        byre__transport->isend(BYRE__CHANNEL_BULK, out->rank, byre__bulk_tag(wire), out->bulk,
                               byre__bulk_bytes(wire), false, &out->bulk_req) == BYRE_OK)
        out->bulk_busy = out->bulk_req.handle != NULL;
    byre__count(am_sent);
    byre__wake_peer(out->rank, BYRE__WAKE_AM);
    return !out->frame_busy && !out->bulk_busy;
}

/* A peer that is gone by now will not be abandoned again: that is done here. Invariant 3. */
static void keep_under_way(struct outgoing *out)
{
    pthread_mutex_lock(&under_way.lock);
    bool gone = byre__peer_absent(out->rank);
    if (!gone) {
        out->next = under_way.list;
        under_way.list = out;
        atomic_fetch_add(&under_way.count, 1);
        if (out->bulk_busy) atomic_fetch_add(&byre__engine_unannounced, 1);
    }
    pthread_mutex_unlock(&under_way.lock);
    if (gone && out->done != NULL) out->done(BYRE_EPEER, out->arg);
}

static void launch_and_keep(struct outgoing *out)
{
    if (launch(out))
        finish(out, BYRE_OK);
    else
        keep_under_way(out);
}

static bool has_credit(struct peer *peer)
{
    return (int32_t)(atomic_load_explicit(&peer->allowed, memory_order_relaxed) -
                     atomic_load_explicit(&peer->sent, memory_order_relaxed)) > 0;
}

/* More threads than credits may try at once: who finds that it took too many gives it back. */
static bool take_credit(struct peer *peer)
{
    if (!has_credit(peer)) return false;
    uint32_t before = atomic_fetch_add_explicit(&peer->sent, 1, memory_order_relaxed);
    if ((int32_t)(atomic_load_explicit(&peer->allowed, memory_order_relaxed) - before) > 0)
        return true;
    atomic_fetch_sub_explicit(&peer->sent, 1, memory_order_relaxed);
    return false;
}

static bool enqueue(struct peer *peer, struct outgoing *out)
{
    pthread_mutex_lock(&peer->lock);
    bool gone = byre__peer_absent(out->rank);
    if (!gone) {
        out->next = NULL;
        *peer->queue_end = out;
        peer->queue_end = &out->next;
        atomic_fetch_add(&peer->queued, 1);
    }
    pthread_mutex_unlock(&peer->lock);
    return !gone;
}

int byre__am_submit(const byre__am_send_t *send)
{
    struct peer *peer = &am.peers[send->rank];
    if (byre__peer_absent(send->rank)) return BYRE_EPEER;
    struct outgoing *out = byre__recycle_get(&pool, &own_pool);
    if (out == NULL) return BYRE_ENOMEM;
    fill(out, send);
    bool at_once =
        (send->flags & BYRE__AM_FREE) ||
        (atomic_load_explicit(&peer->queued, memory_order_acquire) == 0 && take_credit(peer));
    if (at_once) {
        launch_and_keep(out);
    } else if (!enqueue(peer, out)) {
        put_outgoing(out);
        return BYRE_EPEER;
    }
    return BYRE_OK;
}

void byre__am_signal(int rank, int id)
{
    byre__am_send_t send = { .rank = rank, .id = id, .flags = BYRE__AM_FREE };
    (void)byre__am_submit(&send);
}

/* Send what waits for credits, in order. Invariant 1. */
static int drain_queue(struct peer *peer)
{
    int sent = 0;
    while (atomic_load_explicit(&peer->queued, memory_order_acquire) > 0 && take_credit(peer)) {
        pthread_mutex_lock(&peer->lock);
        struct outgoing *out = peer->queue;
        if (out != NULL) {
            peer->queue = out->next;
            if (peer->queue == NULL) peer->queue_end = &peer->queue;
        }
        pthread_mutex_unlock(&peer->lock);
        if (out == NULL) { /* counted, but not there: another's drain is at it */
            atomic_fetch_sub(&peer->sent, 1);
            break;
        }
        bool complete = launch(out);
        atomic_fetch_sub(&peer->queued, 1);
        if (complete)
            finish(out, BYRE_OK);
        else
            keep_under_way(out);
        sent++;
    }
    return sent;
}

/* Complete what is under way. Only the driver tests and removes; others only add at the head. */
static int poll_under_way(void)
{
    struct outgoing *ended = NULL;
    int count = 0;
    pthread_mutex_lock(&under_way.lock);
    for (struct outgoing **at = &under_way.list; *at != NULL;) {
        struct outgoing *out = *at;
        bool bulk = out->bulk_busy;
        if (!outgoing_done(out)) {
            if (bulk && !out->bulk_busy) atomic_fetch_sub(&byre__engine_unannounced, 1);
            at = &out->next;
            continue;
        }
        *at = out->next;
        atomic_fetch_sub(&under_way.count, 1);
        if (bulk) atomic_fetch_sub(&byre__engine_unannounced, 1);
        out->next = ended;
        ended = out;
        count++;
    }
    pthread_mutex_unlock(&under_way.lock);
    while (ended != NULL) {
        struct outgoing *next = ended->next;
        finish(ended, BYRE_OK);
        ended = next;
    }
    return count;
}

/* ---- receiving ---------------------------------------------------------------------------- */

static void post(unsigned slot)
{
    am.posted[slot] =
        byre__transport->irecv(BYRE__CHANNEL_AM, BYRE__ANY_SOURCE, TAG,
                               am.frames + (size_t)slot * FRAME, FRAME, &am.ring[slot]) == BYRE_OK;
}

/* A message was handled, and its sender may send another one: the next message to it says so, or one
 * of its own when half of the credits are due. */
static void give_credit(int rank)
{
    struct peer *peer = &am.peers[rank];
    uint32_t consumed = atomic_load_explicit(&peer->consumed, memory_order_relaxed) + 1;
    atomic_store_explicit(&peer->consumed, consumed, memory_order_relaxed);
    if (consumed - atomic_load_explicit(&peer->told, memory_order_relaxed) >=
        (uint32_t)am.credits / 2)
        byre__am_signal(rank, BYRE__AM_CREDIT);
}

/* Counts only grow, but messages of several threads may overtake each other. */
static void get_credits(struct peer *peer, uint32_t consumed)
{
    uint32_t allowed = consumed + (uint32_t)am.credits;
    uint32_t known = atomic_load_explicit(&peer->allowed, memory_order_relaxed);
    if ((int32_t)(allowed - known) <= 0) return;
    atomic_store_explicit(&peer->allowed, allowed, memory_order_relaxed);
    if (atomic_load_explicit(&peer->queued, memory_order_relaxed) > 0) (void)drain_queue(peer);
}

/* Run the handler. A request that nobody handles is answered, a message is counted. */
static void handle(const byre_am_t *message, const byre__am_wire_t *wire)
{
    struct handler *handler = &am.handlers[wire->id];
    byre_am_fn fn = atomic_load_explicit(&handler->fn, memory_order_acquire);
    byre__count(am_received);
    if (__builtin_expect(fn == NULL, 0)) {
        byre__count(am_unknown);
        byre__error("an active message from rank %d has id %u, for which there is no handler",
                    message->source, (unsigned)wire->id);
        if (message->call != 0) {
            byre__am_send_t no = { .rank = message->source,
                                   .id = BYRE__AM_REPLY,
                                   .call = message->call,
                                   .flags = BYRE__AM_NOBODY };
            (void)byre__am_submit(&no);
        }
        return;
    }
    byre__handler_enter();
    fn(message, handler->arg);
    byre__handler_leave();
}

static void dispatch(int source, const byre__am_wire_t *wire, const void *data, void *bulk)
{
    if (wire->id == BYRE__AM_REPLY) {
        byre__call_reply(wire->call, source, wire->flags & BYRE__AM_NOBODY, data, wire->bytes);
        return;
    }
    byre_am_t message = { .source = source,
                          .data = data,
                          .bytes = wire->bytes,
                          .bulk = bulk,
                          .bulk_bytes = byre__bulk_bytes(wire),
                          .call = (wire->flags & BYRE__AM_REQUEST) ? wire->call : 0 };
    handle(&message, wire);
}

static void *ask_place(struct incoming *in)
{
    struct handler *handler = &am.handlers[in->wire.id];
    bool known = handler->fn != NULL;
    if (known && handler->place != NULL) {
        byre__handler_enter();
        void *place = handler->place(&in->am, handler->arg);
        byre__handler_leave();
        if (place != NULL) return place;
    }
    in->own_place = true;
    return malloc(in->am.bulk_bytes);
}

/* Post the receive for the payload; a refused one is received too, and thrown away. */
static void begin_bulk(struct incoming *in)
{
    in->begun = true;
    in->am.bulk = NULL;
    struct handler *handler = &am.handlers[in->wire.id];
    void *place = ask_place(in);
    bool wanted = !in->own_place || handler->place == NULL;
    in->place = place;
    if (wanted) in->am.bulk = place;
    in->receiving = place != NULL && byre__transport->irecv(BYRE__CHANNEL_BULK, in->am.source,
                                                            byre__bulk_tag(&in->wire), place,
                                                            in->am.bulk_bytes, &in->req) == BYRE_OK;
    if (!in->receiving) {
        byre__error("no memory for %zu bytes from rank %d: they are refused", in->am.bulk_bytes,
                    in->am.source);
        in->am.bulk = NULL;
    }
    atomic_fetch_add(&byre__engine_unannounced, 1);
}

static void stall(struct peer *peer, int source, const byre__am_wire_t *wire, const void *data)
{
    struct incoming *in = malloc(sizeof *in + wire->bytes);
    BYRE__ASSERT(in != NULL); /* dropping it would break the order that everyone relies on */
    *in = (struct incoming){ .wire = *wire };
    memcpy(in->data, data, wire->bytes);
    in->am = (byre_am_t){ .source = source,
                          .data = in->data,
                          .bytes = wire->bytes,
                          .bulk_bytes = byre__bulk_bytes(wire),
                          .call = (wire->flags & BYRE__AM_REQUEST) ? wire->call : 0 };
    if (peer->stalled == NULL) {
        am.stalled_peers++;
        peer->stalled_end = &peer->stalled;
        if (wire->flags & BYRE__AM_BULKY) begin_bulk(in);
    }
    *peer->stalled_end = in;
    peer->stalled_end = &in->next;
}

static struct incoming *pop_stalled(struct peer *peer)
{
    struct incoming *in = peer->stalled;
    peer->stalled = in->next;
    if (peer->stalled == NULL) {
        peer->stalled_end = &peer->stalled;
        am.stalled_peers--;
    }
    return in;
}

/* Move on with what arrives behind a bulk payload. */
static int poll_stalled(struct peer *peer)
{
    int handled = 0;
    while (peer->stalled != NULL) {
        struct incoming *in = peer->stalled;
        bool bulk = in->wire.flags & BYRE__AM_BULKY;
        byre__tstatus_t status = { 0 };
        if (bulk && in->receiving && !byre__transport->test(&in->req, &status)) break;
        if (status.error != BYRE_OK) { /* its sender is gone: the detector will say so */
            in->receiving = false;
            in->am.bulk = NULL;
        }
        if (bulk) atomic_fetch_sub(&byre__engine_unannounced, 1);
        (void)pop_stalled(peer); /* before the handler, which may find the peer dead */
        dispatch(in->am.source, &in->wire, in->data, in->am.bulk);
        if (in->own_place) free(in->place);
        give_credit(in->am.source);
        free(in);
        struct incoming *next = peer->stalled;
        if (next != NULL && (next->wire.flags & BYRE__AM_BULKY)) begin_bulk(next);
        handled++;
    }
    return handled;
}

static void arrived(int source, const byre__am_wire_t *wire, size_t bytes)
{
    struct peer *peer = &am.peers[source];
    if (bytes < sizeof *wire || bytes != sizeof *wire + wire->bytes) {
        byre__error("an active message from rank %d is damaged: %zu bytes; dropped", source, bytes);
        return;
    }
    if (byre__peer_absent(source)) return; /* death is final */
    byre__detector_heard(source);
    get_credits(peer, wire->consumed);
    if (wire->flags & BYRE__AM_FREE) {
        if (wire->id != BYRE__AM_CREDIT) dispatch(source, wire, wire + 1, NULL);
        return;
    }
    if (peer->stalled != NULL || (wire->flags & BYRE__AM_BULKY)) {
        stall(peer, source, wire, wire + 1);
        return;
    }
    dispatch(source, wire, wire + 1, NULL);
    give_credit(source);
}

/* Receives are posted again while there is nothing else to do, or when half of the ring is used up:
 * so that an answer does not wait for it. */
static void post_again(void)
{
    while (am.tail != am.head + RING) {
        post(am.tail % RING);
        if (!am.posted[am.tail % RING]) return;
        am.tail++;
    }
}

/* At most one message a turn: what it brings may be what the driver waits for. */
static int poll_ring(void)
{
    byre__tstatus_t status;
    unsigned slot = am.head % RING;
    if (am.tail == am.head || !byre__transport->test(&am.ring[slot], &status)) {
        if (__builtin_expect(am.tail != am.head + RING, 0)) post_again();
        return 0;
    }
    am.posted[slot] = false;
    am.head++;
    if (status.error == BYRE_OK)
        arrived(status.source, (const byre__am_wire_t *)(am.frames + (size_t)slot * FRAME),
                status.bytes);
    if (am.tail - am.head < RING / 2) post_again();
    return 1;
}

int byre__am_poll(void)
{
    int happened = poll_ring();
    if (__builtin_expect(atomic_load_explicit(&under_way.count, memory_order_relaxed) != 0, 0))
        happened += poll_under_way();
    if (__builtin_expect(am.stalled_peers != 0, 0))
        for (int r = 0; r < byre__nodes.size; r++) happened += poll_stalled(&am.peers[r]);
    return happened;
}

/* ---- waiting for credits, peers that go ----------------------------------------------------- */

static bool may_send(void *arg)
{
    int rank = *(int *)arg;
    struct peer *peer = &am.peers[rank];
    return byre__peer_absent(rank) ||
           (has_credit(peer) && atomic_load_explicit(&peer->queued, memory_order_relaxed) == 0);
}

int byre__am_wait_credit(int rank)
{
    if (__builtin_expect(!may_send(&rank), 0)) {
        byre__count(am_stalled);
        (void)byre__wait_until(may_send, &rank, 0);
    }
    return byre__peer_absent(rank) ? BYRE_EPEER : BYRE_OK;
}

bool byre__am_drained(void)
{
    for (int r = 0; r < byre__nodes.size; r++)
        if (!byre__peer_absent(r) && atomic_load(&am.peers[r].queued) > 0) return false;
    return atomic_load(&under_way.count) == 0;
}

/* What MPI still holds is left to it (invariant 2): only `done` is called, and it is forgotten. */
static void abandon_under_way(int rank)
{
    struct outgoing *gone = NULL;
    pthread_mutex_lock(&under_way.lock);
    for (struct outgoing **at = &under_way.list; *at != NULL;) {
        struct outgoing *out = *at;
        if (out->rank != rank) {
            at = &out->next;
            continue;
        }
        *at = out->next;
        atomic_fetch_sub(&under_way.count, 1);
        if (out->bulk_busy) atomic_fetch_sub(&byre__engine_unannounced, 1);
        out->next = gone;
        gone = out;
    }
    pthread_mutex_unlock(&under_way.lock);
    while (gone != NULL) {
        struct outgoing *next = gone->next;
        if (gone->done != NULL) gone->done(BYRE_EPEER, gone->arg);
        gone = next; /* not freed: MPI may read it as long as the process lives */
    }
}

void byre__am_peer_gone(int rank)
{
    struct peer *peer = &am.peers[rank];
    pthread_mutex_lock(&peer->lock);
    struct outgoing *queue = peer->queue;
    peer->queue = NULL;
    peer->queue_end = &peer->queue;
    atomic_store(&peer->queued, 0);
    pthread_mutex_unlock(&peer->lock);
    byre__handler_enter();
    while (queue != NULL) {
        struct outgoing *next = queue->next;
        finish(queue, BYRE_EPEER);
        queue = next;
    }
    abandon_under_way(rank);
    byre__handler_leave();
    while (peer->stalled != NULL) {
        if (peer->stalled->receiving) byre__transport->cancel(&peer->stalled->req);
        if (peer->stalled->begun) atomic_fetch_sub(&byre__engine_unannounced, 1);
        free(pop_stalled(peer));
    }
}

/* ---- registration, start and finish --------------------------------------------------------- */

int byre__am_register(int id, byre_am_fn fn, byre_am_place_fn place, void *arg)
{
    struct handler *handler = &am.handlers[id];
    int error = BYRE_OK;
    pthread_mutex_lock(&am.register_lock);
    if (fn != NULL && handler->fn != NULL) error = BYRE_EEXIST;
    if (fn == NULL && handler->fn == NULL) error = BYRE_ENOTFOUND;
    if (error == BYRE_OK) {
        if (fn != NULL) handler->place = place, handler->arg = arg;
        atomic_store_explicit(&handler->fn, fn, memory_order_release);
    }
    pthread_mutex_unlock(&am.register_lock);
    return error;
}

int byre__am_init(void)
{
    size_t size = (size_t)byre__nodes.size;
    int credits = byre__env_int(BYRE__ENV_AM_CREDITS);
    /* Both ends count credits, so the job uses rank 0's number. */
    int *all = malloc(size * sizeof *all);
    am.peers = calloc(size, sizeof *am.peers);
    am.frames = aligned_alloc(64, (size_t)RING * FRAME);
    int error = BYRE_ENOMEM;
    if (all != NULL) error = byre__transport->allgather(&credits, all, sizeof credits);
    if (all == NULL || am.peers == NULL || am.frames == NULL || error != BYRE_OK) {
        free(all);
        free(am.peers);
        free(am.frames);
        am.peers = NULL;
        am.frames = NULL;
        return error == BYRE_OK ? BYRE_ENOMEM : error;
    }
    am.credits = all[0] < 2 ? 2 : all[0] > 30000 ? 30000 : all[0];
    free(all);
    for (size_t r = 0; r < size; r++) {
        struct peer *peer = &am.peers[r];
        atomic_store(&peer->allowed, (uint32_t)am.credits);
        pthread_mutex_init(&peer->lock, NULL);
        peer->queue_end = &peer->queue;
        peer->stalled_end = &peer->stalled;
    }
    memset(am.handlers, 0, sizeof am.handlers);
    am.head = am.tail = 0;
    am.stalled_peers = 0;
    memset(am.posted, 0, sizeof am.posted);
    post_again();
    return BYRE_OK;
}

void byre__am_fini(void)
{
    if (am.peers == NULL) return;
    for (unsigned slot = 0; slot < RING; slot++) {
        if (!am.posted[slot]) continue;
        byre__transport->cancel(&am.ring[slot]);
        (void)byre__transport->test(&am.ring[slot], NULL);
    }
    free(am.peers);
    free(am.frames);
    am.peers = NULL;
    am.frames = NULL;
    byre__recycle_fini(&pool, &own_pool);
}
