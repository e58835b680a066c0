/* SPDX-License-Identifier: BSD-3-Clause */
/* Active messages on their way in. The rules are in am.c. Everything here is the driver's. */
#include "am_peer.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum {
    TURN_IDLE = 16, /* a turn in which nothing happened counts as many that were busy */
    TURNS_REMOTE = 4 * TURN_IDLE, /* between two looks into MPI: with other nodes, and without */
    TURNS_ALONE = 16 * TURN_IDLE,
    EAGER =
        256 /* looks after one that found something, in every turn: an answer is followed by a question */
};

static int stalled_peers; /* how many peers have `stalled` */
static unsigned turns, turns_between, eager;

/* ---- credits, handlers -------------------------------------------------------------------------- */

/* A message was handled, and its sender may send another one: the next message to it says so, or one
 * of its own when half of the credits are due. */
static void give_credit(int rank)
{
    byre__am_peer_t *peer = &byre__am_peers[rank];
    uint32_t consumed = atomic_load_explicit(&peer->consumed, memory_order_relaxed) + 1;
    atomic_store_explicit(&peer->consumed, consumed, memory_order_relaxed);
    if (consumed - atomic_load_explicit(&peer->told, memory_order_relaxed) >=
        (uint32_t)byre__am_credits / 2)
        byre__am_signal(rank, BYRE__AM_CREDIT);
}

/* Counts only grow, but messages of several threads may overtake each other. */
static void get_credits(byre__am_peer_t *peer, uint32_t consumed)
{
    uint32_t allowed = consumed + (uint32_t)byre__am_credits;
    uint32_t known = atomic_load_explicit(&peer->allowed, memory_order_relaxed);
    if ((int32_t)(allowed - known) <= 0) return;
    atomic_store_explicit(&peer->allowed, allowed, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* as in submit_remote */
    if (atomic_load_explicit(&peer->queued, memory_order_relaxed) > 0) (void)byre__am_drain(peer);
}

/* Run the handler. A request that nobody handles is answered, a message is counted. */
static void handle(const byre_am_t *message, const byre__am_wire_t *wire)
{
    byre__am_handler_t *handler = &byre__am_handlers[wire->id];
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

static byre_am_t make_am(int source, const byre__am_wire_t *wire, const void *data)
{
    return (byre_am_t){ .source = source,
                        .data = data,
                        .bytes = wire->bytes,
                        .bulk_bytes = byre__bulk_bytes(wire),
                        .call = (wire->flags & BYRE__AM_REQUEST) ? wire->call : 0 };
}

static void dispatch(int source, const byre__am_wire_t *wire, const void *data, void *bulk)
{
    if (wire->id == BYRE__AM_REPLY) {
        byre__call_reply(wire->call, source, wire->flags & BYRE__AM_NOBODY, data, wire->bytes);
        return;
    }
    byre_am_t message = make_am(source, wire, data);
    message.bulk = bulk;
    handle(&message, wire);
}

/* ---- bulk payloads ------------------------------------------------------------------------------ */

static void *ask_place(byre__incoming_t *in)
{
    byre__am_handler_t *handler = &byre__am_handlers[in->wire.id];
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

/* A bulk payload that came along: into its place, or handed over where it is. */
static void *unload(byre_am_t *message, const byre__am_handler_t *handler, const void *bulk)
{
    if (handler->fn == NULL || handler->place == NULL) return (void *)(uintptr_t)bulk;
    byre__handler_enter();
    void *place = handler->place(message, handler->arg);
    byre__handler_leave();
    if (place != NULL) memcpy(place, bulk, message->bulk_bytes);
    return place;
}

/* A message that waits for nothing: its bulk payload, if there is one, came along. */
static void deliver(int source, const byre__am_wire_t *wire, const void *data, const void *bulk)
{
    if (!(wire->flags & BYRE__AM_BULKY)) {
        dispatch(source, wire, data, NULL);
        return;
    }
    byre_am_t am = make_am(source, wire, data);
    am.bulk = unload(&am, &byre__am_handlers[wire->id], bulk);
    handle(&am, wire);
}

static const void *along_in_frame(const byre__am_wire_t *wire, const void *data)
{
    return (const char *)data + byre__am_along_at(wire->bytes);
}

/* Post the receive for the payload; a refused one is received too, and thrown away. */
static void begin_bulk(byre__incoming_t *in)
{
    in->begun = true;
    in->am.bulk = NULL;
    byre__am_handler_t *handler = &byre__am_handlers[in->wire.id];
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

static void stall(byre__am_peer_t *peer, int source, const byre__am_wire_t *wire, const void *data)
{
    size_t body = byre__am_body(wire);
    byre__incoming_t *in = malloc(sizeof *in + body);
    BYRE__ASSERT(in != NULL); /* dropping it would break the order that everyone relies on */
    *in = (byre__incoming_t){ .wire = *wire };
    memcpy(in->data, data, body);
    in->am = make_am(source, wire, in->data);
    if (peer->stalled == NULL) {
        stalled_peers++;
        peer->stalled_end = &peer->stalled;
        if (byre__bulk_follows(wire)) begin_bulk(in);
    }
    *peer->stalled_end = in;
    peer->stalled_end = &in->next;
}

static byre__incoming_t *pop_stalled(byre__am_peer_t *peer)
{
    byre__incoming_t *in = peer->stalled;
    peer->stalled = in->next;
    if (peer->stalled == NULL) {
        peer->stalled_end = &peer->stalled;
        stalled_peers--;
    }
    return in;
}

/* Move on with what arrives behind a bulk payload. */
static int poll_stalled(byre__am_peer_t *peer)
{
    int handled = 0;
    while (peer->stalled != NULL) {
        byre__incoming_t *in = peer->stalled;
        bool bulk = byre__bulk_follows(&in->wire);
        byre__tstatus_t status = { 0 };
        if (bulk && in->receiving && !byre__transport->test(&in->req, &status)) break;
        if (status.error != BYRE_OK) { /* its sender is gone: the detector will say so */
            in->receiving = false;
            in->am.bulk = NULL;
        }
        if (bulk) atomic_fetch_sub(&byre__engine_unannounced, 1);
        (void)pop_stalled(peer); /* before the handler, which may find the peer dead */
        if (bulk)
            dispatch(in->am.source, &in->wire, in->data, in->am.bulk);
        else
            deliver(in->am.source, &in->wire, in->data, along_in_frame(&in->wire, in->data));
        if (in->own_place) free(in->place);
        if (!byre__am_is_local(peer)) give_credit(in->am.source);
        free(in);
        byre__incoming_t *next = peer->stalled;
        if (next != NULL && byre__bulk_follows(&next->wire)) begin_bulk(next);
        handled++;
    }
    return handled;
}

void byre__am_arrived(int source, const byre__am_wire_t *wire, size_t bytes)
{
    byre__am_peer_t *peer = &byre__am_peers[source];
    if (bytes < sizeof *wire || wire->bytes > BYRE_AM_INLINE ||
        bytes != sizeof *wire + byre__am_body(wire)) {
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
    if (peer->stalled != NULL || byre__bulk_follows(wire)) {
        stall(peer, source, wire, wire + 1);
        return;
    }
    deliver(source, wire, wire + 1, along_in_frame(wire, wire + 1));
    give_credit(source);
}

/* ---- lanes ------------------------------------------------------------------------------------ */

static void from_lane(byre__am_peer_t *peer, int source, const byre__lane_message_t *message)
{
    const byre__am_wire_t *wire = message->wire;
    if (byre__peer_absent(source)) return; /* death is final */
    byre__detector_heard(source);
    if (byre__bulk_follows(wire))
        stall(peer, source, wire, message->data);
    else
        deliver(source, wire, message->data, message->bulk);
}

/* At most one message of each lane a turn. Behind a bulk payload under way the others wait where they
 * are (invariant 1). */
static int poll_lanes(void)
{
    int happened = 0;
    for (int i = 0; i < byre__am_local_count; i++) {
        int source = byre__am_locals[i];
        byre__am_peer_t *peer = &byre__am_peers[source];
        byre__lane_message_t message;
        if (peer->stalled != NULL || !byre__lane_get(&peer->lane_in, &message)) continue;
        from_lane(peer, source, &message);
        if (byre__lane_drop(&peer->lane_in)) byre__wake_for_am(source);
        happened++;
    }
    return happened;
}

/* ---- one turn ----------------------------------------------------------------------------------- */

int byre__am_poll(bool thorough)
{
    int happened = poll_lanes();
    if (__builtin_expect(atomic_load_explicit(&byre__am_queues, memory_order_relaxed) != 0, 0))
        happened += byre__am_drain_queues();
    turns += happened == 0 ? TURN_IDLE : 1;
    if (thorough || eager > 0 || turns >= turns_between) {
        turns = 0;
        int came = byre__am_ring_poll();
        eager = came > 0 ? EAGER : eager > 0 ? eager - 1 : 0;
        happened += came;
    }
    if (__builtin_expect(atomic_load_explicit(&byre__am_under_way, memory_order_relaxed) != 0, 0))
        happened += byre__am_poll_under_way();
    if (__builtin_expect(stalled_peers != 0, 0))
        for (int r = 0; r < byre__nodes.size; r++) happened += poll_stalled(&byre__am_peers[r]);
    return happened;
}

/* ---- start, finish, peers that go ---------------------------------------------------------------- */

int byre__am_recv_init(void)
{
    stalled_peers = 0;
    turns_between = byre__am_local_count < byre__nodes.size ? TURNS_REMOTE : TURNS_ALONE;
    return byre__am_ring_init();
}

void byre__am_recv_gone(int rank)
{
    byre__am_peer_t *peer = &byre__am_peers[rank];
    while (peer->stalled != NULL) {
        if (peer->stalled->receiving) byre__transport->cancel(&peer->stalled->req);
        if (peer->stalled->begun) atomic_fetch_sub(&byre__engine_unannounced, 1);
        free(pop_stalled(peer));
    }
}
