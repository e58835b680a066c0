/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots: where a reply finds the call that waits for it. A call is named by its slot's index and generation,
 * which grows with each call, so that the server sees in it which of a slot's calls is the latest
 * (filter.c), and a reply that comes too late finds nobody.
 *
 *   FREE --begin--> WAITING --reply comes--> FILLING --> OVER --end--> FREE of the next generation
 *                      |                        ^
 *                      `--fail (deadline, cancel, dead server)
 *
 * Invariants
 *  1. Error, reply and the like are written in FILLING only, by the one who changed WAITING to it; the call
 *     reads them in OVER, and leaves from there. So nobody writes to memory whose owner has gone.
 *  2. FILLING ends: at once, or with the bulk payload that is on its way, or with the rank that sends it.
 */
#include "calls.h"

#include "progress.h"
#include "recycle.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64, CHUNKS = 1024, SLOTS = CHUNK * CHUNKS };
enum state { FREE, WAITING, FILLING, OVER };

static struct {
    pthread_mutex_t lock; /* guards the filling of chunks */
    byre__rpc_slot_t *_Atomic chunks[CHUNKS];
    _Atomic uint32_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static byre__rpc_slot_t *slot_at(uint32_t index)
{
    byre__rpc_slot_t *chunk =
        atomic_load_explicit(&table.chunks[index / CHUNK], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[index % CHUNK];
}

/* The table only grows. Generations begin with 1, so that no call is 0. */
static void *create(void)
{
    byre__rpc_slot_t *slot = NULL;
    pthread_mutex_lock(&table.lock);
    uint32_t count = atomic_load(&table.count), chunk = count / CHUNK;
    if (chunk < CHUNKS && table.chunks[chunk] == NULL)
        atomic_store_explicit(&table.chunks[chunk], calloc(CHUNK, sizeof *slot),
                              memory_order_release);
    if (chunk < CHUNKS && table.chunks[chunk] != NULL) {
        slot = &table.chunks[chunk][count % CHUNK];
        slot->index = count;
        atomic_store(&slot->tag, 1u << 2 | FREE);
        atomic_store(&table.count, count + 1);
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

/* ---- the call's side ------------------------------------------------------------------------------ */

byre__rpc_slot_t *byre__rpc_slot_begin(int rank, void *reply, size_t room, void *bulk,
                                       size_t bulk_bytes)
{
    byre__rpc_slot_t *slot = byre__recycle_get(&slots, &own);
    if (slot == NULL) return NULL;
    atomic_store_explicit(&slot->rank, rank, memory_order_relaxed);
    atomic_store_explicit(&slot->thread, 0, memory_order_relaxed);
    slot->reply = reply != NULL ? reply : slot->small;
    slot->room = reply != NULL ? room : sizeof slot->small;
    slot->bytes = 0;
    slot->heap = slot->incoming = false;
    slot->bulk = bulk;
    slot->bulk_bytes = bulk_bytes;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    atomic_store_explicit(&slot->tag, tag + WAITING - FREE, memory_order_release);
    return slot;
}

uint64_t byre__rpc_slot_call(const byre__rpc_slot_t *slot)
{
    return (atomic_load_explicit(&slot->tag, memory_order_relaxed) >> 2) * SLOTS + slot->index;
}

bool byre__rpc_slot_over(const byre__rpc_slot_t *slot)
{
    return (atomic_load_explicit(&slot->tag, memory_order_acquire) & 3) == OVER;
}

void byre__rpc_slot_end(byre__rpc_slot_t *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->tag, memory_order_relaxed) >> 2;
    atomic_store_explicit(&slot->tag, (generation + 1) << 2 | FREE, memory_order_release);
    byre__recycle_put(&slots, &own, slot);
}

/* ---- WAITING to FILLING, FILLING to OVER --------------------------------------------------------------- */

static bool begin_filling(byre__rpc_slot_t *slot, uint64_t call)
{
    uint64_t waiting = (call / SLOTS) << 2 | WAITING;
    return atomic_load_explicit(&slot->tag, memory_order_relaxed) == waiting &&
           atomic_compare_exchange_strong_explicit(&slot->tag, &waiting,
                                                   waiting - WAITING + FILLING,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void end_filling(byre__rpc_slot_t *slot)
{
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    atomic_store_explicit(&slot->tag, tag - FILLING + OVER, memory_order_release);
}

static void fill_with_error(byre__rpc_slot_t *slot, int error)
{
    slot->error = error;
    slot->flags = BYRE__RPC_RAN; /* for all we know */
    slot->closed = 0;
    slot->bytes = 0;
    end_filling(slot);
}

bool byre__rpc_slot_fail(byre__rpc_slot_t *slot, uint64_t call, int error)
{
    if (!begin_filling(slot, call)) return false;
    fill_with_error(slot, error);
    return true;
}

bool byre__rpc_slot_fail_thread(uintptr_t thread, int error)
{
    uint32_t count = atomic_load(&table.count);
    for (uint32_t i = 0; i < count; i++) {
        byre__rpc_slot_t *slot = slot_at(i);
        uint64_t tag = atomic_load(&slot->tag);
        if ((tag & 3) != WAITING || atomic_load(&slot->thread) != thread) continue;
        if (byre__rpc_slot_fail(slot, (tag >> 2) * SLOTS + i, error)) return true;
    }
    return false;
}

/* ---- replies ------------------------------------------------------------------------------------------- */

/* The slot that a reply is for, if it is one of this generation's. */
static byre__rpc_slot_t *addressee(const byre_am_t *am, byre__rpc_wire_reply_t *reply_out)
{
    if (am->bytes < sizeof *reply_out) return NULL;
    memcpy(reply_out, am->data, sizeof *reply_out);
    byre__rpc_slot_t *slot = slot_at((uint32_t)(reply_out->call % SLOTS));
    if (slot == NULL) return NULL;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    bool now = tag >> 2 == reply_out->call / SLOTS &&
               atomic_load_explicit(&slot->rank, memory_order_relaxed) == am->source;
    return now ? slot : NULL;
}

/* Room for the reply: the call's, or our own. */
static bool find_room(byre__rpc_slot_t *slot, size_t bytes)
{
    if (bytes > slot->room) {
        unsigned char *room = malloc(bytes);
        if (room == NULL) return false;
        slot->reply = room;
        slot->heap = true;
    }
    slot->bytes = bytes;
    return true;
}

/* An array that travels apart, to the caller's; its head is inline. */
static void *room_for_bulk(byre__rpc_slot_t *slot, const byre_am_t *am, bool apart)
{
    if (!apart) return find_room(slot, am->bulk_bytes) ? slot->reply : NULL;
    bool fits = slot->bulk != NULL && slot->bulk_bytes == am->bulk_bytes;
    return fits ? slot->bulk : NULL;
}

static void *place(const byre_am_t *am, void *arg)
{
    byre__rpc_wire_reply_t reply;
    byre__rpc_slot_t *slot = addressee(am, &reply);
    (void)arg;
    if (slot == NULL || !begin_filling(slot, reply.call)) return NULL;
    void *room = room_for_bulk(slot, am, reply.flags & BYRE__RPC_APART);
    slot->incoming = room != NULL;
    if (room == NULL) fill_with_error(slot, BYRE_EPROTO);
    return room;
}

static void on_reply(const byre_am_t *am, void *arg)
{
    byre__rpc_wire_reply_t reply = { 0 };
    byre__rpc_slot_t *slot = addressee(am, &reply);
    (void)arg;
    if (reply.flags & BYRE__RPC_KEPT) /* whoever waits or does not: there is no need to keep it */
        (void)byre__rpc_send(am->source, BYRE__AM_RPC_TAKEN, &reply.call, sizeof reply.call, NULL,
                             0, NULL, NULL, BYRE__RPC_QUEUE);
    if (slot == NULL) return;
    if (am->bulk_bytes > 0) {
        if (!slot->incoming) return; /* it was refused */
        slot->incoming = false;
        if (am->bulk == NULL) { /* its sender is going */
            fill_with_error(slot, BYRE_EPEER);
            return;
        }
    } else if (!begin_filling(slot, reply.call)) {
        return;
    }
    if (am->bulk_bytes == 0 || (reply.flags & BYRE__RPC_APART)) {
        size_t bytes = am->bytes - sizeof reply;
        if (!find_room(slot, bytes)) {
            fill_with_error(slot, BYRE_ENOMEM);
            return;
        }
        if (bytes > 0) memcpy(slot->reply, (const char *)am->data + sizeof reply, bytes);
    }
    slot->error = reply.error;
    slot->flags = reply.flags;
    slot->closed = reply.closed;
    end_filling(slot);
}

/* A payload that was on its way will not come. MPI may still write to its place, which is left alone. */
void byre__rpc_slots_peer_gone(int rank)
{
    uint32_t count = atomic_load(&table.count);
    for (uint32_t i = 0; i < count; i++) {
        byre__rpc_slot_t *slot = slot_at(i);
        if (atomic_load(&slot->rank) != rank || (atomic_load(&slot->tag) & 3) != FILLING) continue;
        if (!slot->incoming) continue; /* somebody else ends it this moment */
        slot->incoming = slot->heap = false;
        fill_with_error(slot, BYRE_EPEER);
    }
}

int byre__rpc_slots_start(void)
{
    return byre__am_register(BYRE__AM_RPC_REPLY, on_reply, place, NULL);
}

void byre__rpc_slots_stop(void)
{
    byre__recycle_fini(&slots, &own);
    for (int i = 0; i < CHUNKS && table.chunks[i] != NULL; i++) {
        free(table.chunks[i]);
        table.chunks[i] = NULL;
    }
    atomic_store(&table.count, 0);
}
