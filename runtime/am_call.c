/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests and replies, and the public face of active messages.
 *
 * A request waits in a slot of a table; its number, which the reply brings back, holds the slot's
 * generation, so that a reply that comes too late finds nobody. A slot's state:
 *
 *   FREE --begin--> WAITING --byre__call_reply--> FILLING --> DONE --end--> FREE
 *                      |                                                      ^
 *                      +--- give_up (deadline, dead peer) --------------------+
 *
 * Invariant: `reply` is written only in FILLING, and the caller leaves only from DONE or by moving
 * WAITING to FREE itself, so nobody writes into a buffer whose owner has gone.
 */
#include "am_core.h"
#include "detector.h"
#include "node.h"
#include "paged.h"
#include "progress.h"
#include "recycle.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64, CHUNKS = 1024 };

enum state { FREE, WAITING, FILLING, DONE };

struct slot {
    struct slot *next_free; /* the recycler's */
    _Atomic uint64_t tag;   /* generation << 2 | state */
    uint32_t index;
    _Atomic int rank;
    int error;
    void *reply;
    size_t room, bytes;
};

static struct {
    pthread_mutex_t lock; /* guards count and the filling of chunks */
    struct slot *_Atomic chunks[CHUNKS];
    int count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct slot *slot_of(uint64_t call)
{
    uint32_t index = (uint32_t)(call & (CHUNK * CHUNKS - 1));
    struct slot *chunk = atomic_load_explicit(&table.chunks[index / CHUNK], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[index % CHUNK];
}

/* The table only grows: a slot that is not in use is in the recycler. */
static void *create(void)
{
    struct slot *slot = NULL;
    pthread_mutex_lock(&table.lock);
    int chunk = table.count / CHUNK;
    if (chunk < CHUNKS && table.chunks[chunk] == NULL)
        atomic_store_explicit(&table.chunks[chunk], calloc(CHUNK, sizeof *slot),
                              memory_order_release);
    if (chunk < CHUNKS && table.chunks[chunk] != NULL) {
        slot = &table.chunks[chunk][table.count % CHUNK];
        slot->index = (uint32_t)table.count++;
        atomic_store(&slot->tag, 1u << 2 | FREE);
    }
    pthread_mutex_unlock(&table.lock);
    return slot;
}

static void destroy(void *slot)
{
    (void)slot;
}

static byre__recycler_t slots = BYRE__RECYCLER(16, INT_MAX, create, destroy);
static _Thread_local byre__recycled_t own;

static struct slot *begin(int rank, void *reply, size_t room)
{
    struct slot *slot = byre__recycle_get(&slots, &own);
    if (slot == NULL) return NULL;
    slot->rank = rank;
    slot->reply = reply;
    slot->room = room;
    slot->bytes = 0;
    slot->error = BYRE_OK;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    atomic_store_explicit(&slot->tag, tag + WAITING - FREE, memory_order_release);
    return slot;
}

static uint64_t call_of(const struct slot *slot)
{
    return (atomic_load_explicit(&slot->tag, memory_order_relaxed) >> 2) * (CHUNK * CHUNKS) +
           slot->index;
}

static void end(struct slot *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->tag, memory_order_relaxed) >> 2;
    atomic_store_explicit(&slot->tag, (generation + 1) << 2 | FREE, memory_order_release);
    byre__recycle_put(&slots, &own, slot);
}

static enum state state_of(const struct slot *slot)
{
    return (enum state)(atomic_load_explicit(&slot->tag, memory_order_acquire) & 3);
}

void byre__call_reply(uint64_t call, int source, bool nobody, const void *data, size_t bytes)
{
    struct slot *slot = slot_of(call);
    uint64_t generation = call / (CHUNK * CHUNKS);
    uint64_t waiting = generation << 2 | WAITING;
    if (slot == NULL || atomic_load_explicit(&slot->tag, memory_order_acquire) != waiting ||
        slot->rank != source ||
        !atomic_compare_exchange_strong(&slot->tag, &waiting, generation << 2 | FILLING))
        return; /* nobody waits for it any longer */
    slot->bytes = bytes;
    slot->error = nobody ? BYRE_ENOTFOUND : BYRE_OK;
    if (bytes > slot->room) {
        slot->error = BYRE_ETRUNC;
        bytes = slot->room;
    }
    if (bytes > 0) memcpy(slot->reply, data, bytes);
    atomic_store_explicit(&slot->tag, generation << 2 | DONE, memory_order_release);
}

static bool answered(void *arg)
{
    const struct slot *slot = arg;
    return state_of(slot) == DONE || byre__peer_absent(slot->rank);
}

static bool filled(void *arg)
{
    return state_of(arg) == DONE;
}

/* The wait ended without an answer: leave, unless one comes this moment. */
static bool give_up(struct slot *slot)
{
    uint64_t tag = atomic_load(&slot->tag);
    if ((tag & 3) == WAITING &&
        atomic_compare_exchange_strong(&slot->tag, &tag, (tag & ~(uint64_t)3) | FREE))
        return true;
    (void)byre__wait_moving(filled, slot);
    return false;
}

int byre__am_request(int rank, int id, const void *data, size_t bytes, void *reply, size_t room,
                     size_t *bytes_out, int timeout_ms)
{
    uint64_t deadline = timeout_ms < 0 ? 0 : byre__now_ns() + (uint64_t)timeout_ms * 1000000u + 1;
    struct slot *slot = begin(rank, reply, room);
    if (slot == NULL) return BYRE_ENOMEM;
    byre__am_send_t send = { .rank = rank,
                             .id = id,
                             .data = data,
                             .bytes = bytes,
                             .call = call_of(slot),
                             .flags = BYRE__AM_REQUEST };
    int error = byre__am_submit_patiently(&send, deadline);
    if (error == BYRE_OK) {
        bool ended = byre__wait_until(answered, slot, deadline);
        if (state_of(slot) != DONE && give_up(slot)) error = ended ? BYRE_EPEER : BYRE_ETIMEOUT;
        if (error == BYRE_OK) {
            error = slot->error;
            if (bytes_out != NULL && (error == BYRE_OK || error == BYRE_ETRUNC))
                *bytes_out = slot->bytes;
        }
    }
    end(slot);
    return error;
}

int byre__call_init(void)
{
    return BYRE_OK;
}

void byre__call_fini(void)
{
    byre__recycle_fini(&slots, &own);
    for (int i = 0; i < CHUNKS && table.chunks[i] != NULL; i++) {
        free(table.chunks[i]);
        table.chunks[i] = NULL;
    }
    table.count = 0;
}

/* ---- the public face ------------------------------------------------------------------------ */

static int check(int rank, int id, int ids, const void *data, size_t bytes)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (rank < 0 || rank >= byre__nodes.size) return BYRE_ERANK;
    if (id < 0 || id >= ids || bytes > BYRE_AM_INLINE) return BYRE_ERANGE;
    if (data == NULL && bytes > 0) return BYRE_EINVAL;
    return BYRE_OK;
}

int byre_am_register(int id, byre_am_fn fn, byre_am_place_fn place, void *arg)
{
    int error = check(0, id, BYRE_AM_IDS, NULL, 0);
    return error != BYRE_OK ? error : byre__am_register(id, fn, place, arg);
}

struct bulk {
    _Atomic int over; /* 0, or 1 with error written */
    int error;
};

static void bulk_done(int error, void *arg)
{
    struct bulk *bulk = arg;
    bulk->error = error;
    atomic_store_explicit(&bulk->over, 1, memory_order_release);
}

static bool bulk_over(void *arg)
{
    return atomic_load_explicit(&((struct bulk *)arg)->over, memory_order_acquire) != 0;
}

/* Inline payload in shared memory (paged.h): a copy in `frame`. */
static const void *ordinary(const void *data, size_t bytes, unsigned char *frame)
{
    if (!byre__is_paged(data, bytes)) return data;
    memcpy(frame, data, bytes);
    return frame;
}

static __attribute__((noinline)) int send_paged(int rank, int id, const void *data, size_t bytes,
                                                const void *bulk, size_t bulk_bytes)
{
    unsigned char frame[BYRE_AM_INLINE];
    void *copy = NULL;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (byre__peer_absent(rank)) return BYRE_EPEER;
    if (byre__is_paged(bulk, bulk_bytes)) {
        copy = byre__paged_copy(bulk, bulk_bytes);
        if (copy == NULL) return BYRE_ENOMEM;
        bulk = copy;
    }
    int error = byre_am_send(rank, id, ordinary(data, bytes, frame), bytes, bulk, bulk_bytes);
    if (error != BYRE_EPEER) free(copy); /* MPI may still read it: am.c, invariant 2 */
    return error;
}

int byre_am_send(int rank, int id, const void *data, size_t bytes, const void *bulk,
                 size_t bulk_bytes)
{
    int error = check(rank, id, BYRE_AM_IDS, data, bytes);
    if (error != BYRE_OK) return error;
    if (bulk == NULL && bulk_bytes > 0) return BYRE_EINVAL;
    bool waits = !byre__in_handler();
    if (!waits && bulk_bytes > 0) return BYRE_ECONTEXT;
    if (byre__is_paged(data, bytes) || byre__is_paged(bulk, bulk_bytes))
        return send_paged(rank, id, data, bytes, bulk, bulk_bytes);
    struct bulk state = { 0 };
    byre__am_send_t send = {
        .rank = rank, .id = id, .data = data, .bytes = bytes, .bulk = bulk, .bulk_bytes = bulk_bytes
    };
    if (bulk_bytes > 0) send.done = bulk_done, send.arg = &state;
    error = waits ? byre__am_submit_patiently(&send, 0) : byre__am_submit(&send);
    if (error != BYRE_OK || bulk_bytes == 0) return error;
    (void)byre__wait_until(bulk_over, &state, 0);
    return state.error;
}

int byre__am_post(int rank, int id, const void *data, size_t bytes, const void *bulk,
                  size_t bulk_bytes, byre__am_done_fn done, void *arg)
{
    int error = check(rank, id, BYRE__AM_LAST + 1, data, bytes);
    if (error != BYRE_OK) return error;
    byre__am_send_t send = { .rank = rank,
                             .id = id,
                             .data = data,
                             .bytes = bytes,
                             .bulk = bulk,
                             .bulk_bytes = bulk_bytes,
                             .done = done,
                             .arg = arg };
    return byre__am_submit(&send);
}

/* The engine writes the reply, so not into shared memory. It is never longer than a frame. */
static __attribute__((noinline)) int request_paged(int rank, int id, const void *data, size_t bytes,
                                                   void *reply, size_t room, size_t *bytes_out)
{
    unsigned char frame[BYRE_AM_INLINE], answer[BYRE_AM_INLINE];
    size_t got = 0, fits = room < sizeof answer ? room : sizeof answer;
    int error = byre_am_request(rank, id, ordinary(data, bytes, frame), bytes, answer, fits, &got);
    if (error != BYRE_OK && error != BYRE_ETRUNC) return error;
    if (got > 0 && fits > 0) memcpy(reply, answer, got < fits ? got : fits);
    if (bytes_out != NULL) *bytes_out = got;
    return error;
}

int byre_am_request(int rank, int id, const void *data, size_t bytes, void *reply, size_t room,
                    size_t *bytes_out)
{
    int error = check(rank, id, BYRE_AM_IDS, data, bytes);
    if (error != BYRE_OK) return error;
    if (reply == NULL && room > 0) return BYRE_EINVAL;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (byre__is_paged(data, bytes) || byre__is_paged(reply, room))
        return request_paged(rank, id, data, bytes, reply, room, bytes_out);
    return byre__am_request(rank, id, data, bytes, reply, room, bytes_out, -1);
}

static __attribute__((noinline)) int reply_paged(const byre_am_t *am, const void *data,
                                                 size_t bytes)
{
    unsigned char frame[BYRE_AM_INLINE];
    if (byre__in_handler()) return BYRE_ECONTEXT;
    return byre_am_reply(am, ordinary(data, bytes, frame), bytes);
}

int byre_am_reply(const byre_am_t *am, const void *data, size_t bytes)
{
    if (am == NULL || am->call == 0) return BYRE_EINVAL;
    int error = check(am->source, 0, 1, data, bytes);
    if (error != BYRE_OK) return error;
    if (byre__is_paged(data, bytes)) return reply_paged(am, data, bytes);
    byre__am_send_t send = {
        .rank = am->source, .id = BYRE__AM_REPLY, .data = data, .bytes = bytes, .call = am->call
    };
    return byre__am_submit(&send);
}
