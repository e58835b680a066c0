/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots: where GRANT and FORWARD find a thread that waits for a lock or a condition, or holds a lock.
 *
 *   FREE --begin--> WAITING --GRANT, error in it--> GRANTED --end--> FREE of the next generation
 *                      |                                               ^
 *                      +--------- the home is gone --------------------+
 *
 * FORWARD may come in WAITING and in GRANTED; it sets NEXT. All of it is in one word, the tag:
 *
 *   63..12 generation     11..4 error of GRANT, negated     2 NEXT     1..0 state
 *
 * Invariants
 *  1. The engine changes a tag from the generation that the message names, or not at all; the owner
 *     leaves by changing the generation. So a message that comes too late changes nothing.
 *  2. next_rank and next_token are written on the engine, before NEXT is set, and read by the owner
 *     after it has seen NEXT in its own generation. So is value, of a slot for which one GRANT comes.
 */
#include "sync.h"

#include "detector.h"
#include "log.h"
#include "progress.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64, CHUNKS = 1024, SLOTS = CHUNK * CHUNKS };
enum { FREE, WAITING, GRANTED, STATES = 3, NEXT = 4, ERROR_SHIFT = 4, GENERATION_SHIFT = 12 };

static struct {
    pthread_mutex_t lock; /* guards count and the filling of chunks */
    byre__sync_slot_t *_Atomic chunks[CHUNKS];
    uint32_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- which there are --------------------------------------------------------------------------- */

/* Generations begin with 1, so that no token is 0. */
static void *create(void)
{
    byre__sync_slot_t *slot = NULL;
    pthread_mutex_lock(&table.lock);
    uint32_t chunk = table.count / CHUNK;
    if (chunk < CHUNKS && table.chunks[chunk] == NULL)
        atomic_store_explicit(&table.chunks[chunk], calloc(CHUNK, sizeof *slot),
                              memory_order_release);
    if (chunk < CHUNKS && table.chunks[chunk] != NULL) {
        slot = &table.chunks[chunk][table.count % CHUNK];
        slot->index = table.count++;
        atomic_store(&slot->tag, UINT64_C(1) << GENERATION_SHIFT | FREE);
    }
    pthread_mutex_unlock(&table.lock);
    return slot;
}

static void destroy(void *slot)
{
    (void)slot;
}

static byre__recycler_t slots = BYRE__RECYCLER(8, INT_MAX, create, destroy);
static _Thread_local byre__recycled_t own;
static _Thread_local byre__sync_slot_t *held;

void byre__sync_slots_stop(void)
{
    byre__recycle_fini(&slots, &own);
    for (int i = 0; i < CHUNKS && table.chunks[i] != NULL; i++) {
        free(table.chunks[i]);
        table.chunks[i] = NULL;
    }
    table.count = 0;
    held = NULL;
}

static byre__sync_slot_t *slot_of(uint64_t token)
{
    uint32_t index = (uint32_t)(token % SLOTS);
    byre__sync_slot_t *chunk =
        atomic_load_explicit(&table.chunks[index / CHUNK], memory_order_acquire);
    return chunk == NULL ? NULL : &chunk[index % CHUNK];
}

uint64_t byre__sync_slot_token(const byre__sync_slot_t *slot)
{
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    return (tag >> GENERATION_SHIFT) * SLOTS + slot->index;
}

/* ---- the thread's side ------------------------------------------------------------------------- */

byre__sync_slot_t *byre__sync_slot_begin(uint64_t id, int home)
{
    byre__sync_slot_t *slot = byre__recycle_get(&slots, &own);
    if (slot == NULL) return NULL;
    slot->id = id;
    slot->home = home;
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed);
    atomic_store_explicit(&slot->tag, tag + WAITING - FREE, memory_order_release);
    return slot;
}

static bool over(void *arg)
{
    byre__sync_slot_t *slot = arg;
    return (atomic_load_explicit(&slot->tag, memory_order_acquire) & STATES) == GRANTED ||
           byre__peer_absent(slot->home);
}

int byre__sync_slot_wait(byre__sync_slot_t *slot)
{
    (void)byre__wait_until(over, slot, 0);
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_acquire);
    if ((tag & STATES) != GRANTED) return BYRE_EPEER;
    return -(int)(tag >> ERROR_SHIFT & 0xff);
}

byre__sync_next_t byre__sync_slot_end(byre__sync_slot_t *slot)
{
    uint64_t tag = atomic_load_explicit(&slot->tag, memory_order_relaxed), next;
    do next = ((tag >> GENERATION_SHIFT) + 1) << GENERATION_SHIFT | FREE;
    while (!atomic_compare_exchange_weak_explicit(&slot->tag, &tag, next, memory_order_acq_rel,
                                                  memory_order_acquire));
    byre__sync_next_t heir = { .rank = -1 };
    if (tag & NEXT) heir = (byre__sync_next_t){ slot->next_token, slot->next_rank };
    byre__recycle_put(&slots, &own, slot);
    return heir;
}

/* ---- what a thread holds ------------------------------------------------------------------------ */

void byre__sync_hold(byre__sync_slot_t *slot)
{
    slot->next_held = held;
    held = slot;
}

byre__sync_slot_t *byre__sync_held(uint64_t id)
{
    byre__sync_slot_t *slot = held;
    while (slot != NULL && slot->id != id) slot = slot->next_held;
    return slot;
}

void byre__sync_unhold(byre__sync_slot_t *slot)
{
    byre__sync_slot_t **at = &held;
    while (*at != slot) at = &(*at)->next_held;
    *at = slot->next_held;
}

int byre__sync_take(uint64_t id, int home, byre__sync_op_t op)
{
    if (byre__sync_held(id) != NULL) return BYRE_EBUSY;
    byre__sync_slot_t *slot = byre__sync_slot_begin(id, home);
    if (slot == NULL) return BYRE_ENOMEM;
    byre__sync_request_t request = { .id = id, .token = byre__sync_slot_token(slot), .op = op };
    int error = byre__sync_ask(home, &request);
    if (error == BYRE_OK) error = byre__sync_slot_wait(slot);
    if (error == BYRE_OK)
        byre__sync_hold(slot);
    else
        (void)byre__sync_slot_end(slot);
    return error;
}

int byre__sync_acquire(const uint64_t *object, byre__sync_kind_t kind, byre__sync_op_t op)
{
    uint64_t id;
    int home, error = byre__sync_enter(object, kind, &id, &home);
    return error != BYRE_OK ? error : byre__sync_take(id, home, op);
}

/* ---- the engine's side ---------------------------------------------------------------------------- */

/* The slot that a token names, if it is still of that generation; its tag. */
static byre__sync_slot_t *find(uint64_t token, uint64_t *tag_out)
{
    byre__sync_slot_t *slot = slot_of(token);
    if (slot == NULL) return NULL;
    *tag_out = atomic_load_explicit(&slot->tag, memory_order_acquire);
    return *tag_out >> GENERATION_SHIFT == token / SLOTS ? slot : NULL;
}

/* The tag may change meanwhile: by FORWARD, or because somebody else grants it. */
static void grant(byre__sync_slot_t *slot, uint64_t tag, int error)
{
    uint64_t generation = tag >> GENERATION_SHIFT, granted;
    do {
        if ((tag & STATES) != WAITING || tag >> GENERATION_SHIFT != generation) return;
        granted = tag + GRANTED - WAITING + ((uint64_t)(-error & 0xff) << ERROR_SHIFT);
    } while (!atomic_compare_exchange_weak(&slot->tag, &tag, granted));
}

void byre__sync_slot_grant(uint64_t token, int error)
{
    uint64_t tag;
    byre__sync_slot_t *slot = find(token, &tag);
    if (slot != NULL) grant(slot, tag, error);
}

void byre__sync_slot_answer(uint64_t token, int error, uint64_t value)
{
    uint64_t tag;
    byre__sync_slot_t *slot = find(token, &tag);
    if (slot == NULL || (tag & STATES) != WAITING) return;
    slot->value = value;
    grant(slot, tag, error);
}

void byre__sync_on_grant(const byre_am_t *am, void *arg)
{
    byre__sync_grant_t message;
    (void)arg;
    if (am->bytes < sizeof message) return;
    memcpy(&message, am->data, sizeof message);
    byre__sync_slot_answer(message.token, message.error, message.value);
}

/* Invariant 2. If the owner has gone meanwhile, the tag does not change and nobody reads this. */
void byre__sync_slot_forward(const byre__sync_forward_t *forward)
{
    uint64_t tag, generation = forward->token / SLOTS;
    byre__sync_slot_t *slot = find(forward->token, &tag);
    if (slot == NULL) return;
    slot->next_rank = forward->next_rank;
    slot->next_token = forward->next_token;
    do {
        if ((tag & STATES) == FREE || tag >> GENERATION_SHIFT != generation) return;
    } while (!atomic_compare_exchange_weak(&slot->tag, &tag, tag | NEXT));
}

void byre__sync_on_forward(const byre_am_t *am, void *arg)
{
    byre__sync_forward_t forward;
    (void)arg;
    if (am->bytes < sizeof forward) return;
    memcpy(&forward, am->data, sizeof forward);
    byre__sync_slot_forward(&forward);
}
