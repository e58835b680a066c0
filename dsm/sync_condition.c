/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Condition variables, with the semantics of Mesa (Lampson and Redell 1980). Who waits stands in the home's
 * queue before it gives the lock back: so whoever has the lock afterwards, and signals, finds it there.
 */
#include "sync.h"

typedef struct condition {
    byre__sync_object_t base;
    byre__sync_queue_t queue;
} condition_t;

/* ---- home ------------------------------------------------------------------------------------- */

static void wake(condition_t *condition, bool all)
{
    while (condition->queue.first != NULL) {
        byre__sync_grant(condition->queue.first, BYRE_OK);
        byre__sync_remove(&condition->queue, &condition->queue.first);
        if (!all) return;
    }
}

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    condition_t *condition = (condition_t *)object;
    int error = BYRE_OK;
    switch (request->op) {
    case BYRE__OP_ENQUEUE:
        if (byre__sync_push(&condition->queue, source, request->a) == NULL) error = BYRE_ENOMEM;
        break;
    case BYRE__OP_SIGNAL:
    case BYRE__OP_BROADCAST:
        wake(condition, request->op == BYRE__OP_BROADCAST);
        break;
    default:
        error = BYRE_EPROTO;
    }
    byre__sync_answer(source, request->token, error, 0);
}

static void peer_gone(byre__sync_object_t *object, int rank)
{
    byre__sync_remove_rank(&((condition_t *)object)->queue, rank);
}

static bool busy(const byre__sync_object_t *object)
{
    return ((const condition_t *)object)->queue.first != NULL;
}

static void clear(byre__sync_object_t *object)
{
    byre__sync_clear(&((condition_t *)object)->queue);
}

const byre__sync_class_t byre__sync_condition_class = {
    .bytes = sizeof(condition_t),
    .handle = handle,
    .peer_gone = peer_gone,
    .busy = busy,
    .clear = clear,
};

/* ---- the public face ------------------------------------------------------------------------ */

static const uint64_t *id_of(const byre_dsm_condition_t *condition)
{
    return condition != NULL ? &condition->id : NULL;
}

int byre_dsm_condition_create(int home, byre_dsm_condition_t *condition_out)
{
    return byre__sync_create(BYRE__SYNC_CONDITION, home, 0,
                             condition_out != NULL ? &condition_out->id : NULL);
}

int byre_dsm_condition_destroy(const byre_dsm_condition_t *condition)
{
    return byre__sync_destroy(id_of(condition), BYRE__SYNC_CONDITION);
}

/* In the queue, without the lock, and with it again. */
static int wait_without(byre__sync_slot_t *slot, byre__sync_slot_t *lock_slot)
{
    uint64_t lock = lock_slot->id;
    int home = lock_slot->home;
    int error = byre__sync_call(slot->id, slot->home, BYRE__OP_ENQUEUE, byre__sync_slot_token(slot),
                                0, NULL);
    if (error != BYRE_OK) return error;
    (void)byre__sync_unlock(
        lock_slot); /* if the lock's home is gone, taking it again will say so */
    error = byre__sync_slot_wait(slot);
    int relock = byre__sync_lock(lock, home);
    return relock != BYRE_OK ? relock : error;
}

int byre_dsm_condition_wait(const byre_dsm_condition_t *condition, const byre_dsm_lock_t *lock)
{
    uint64_t id, lock_id;
    int home, lock_home;
    int error = byre__sync_enter(id_of(condition), BYRE__SYNC_CONDITION, &id, &home);
    if (error == BYRE_OK)
        error = byre__sync_enter(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK, &lock_id,
                                 &lock_home);
    if (error != BYRE_OK) return error;
    byre__sync_slot_t *lock_slot = byre__sync_held(lock_id);
    if (lock_slot == NULL) return BYRE_ERIGHT;
    byre__sync_slot_t *slot = byre__sync_slot_begin(id, home);
    if (slot == NULL) return BYRE_ENOMEM;
    error = wait_without(slot, lock_slot);
    (void)byre__sync_slot_end(slot);
    return error;
}

int byre_dsm_condition_signal(const byre_dsm_condition_t *condition)
{
    return byre__sync_simple(id_of(condition), BYRE__SYNC_CONDITION, BYRE__OP_SIGNAL, 0, 0, NULL);
}

int byre_dsm_condition_broadcast(const byre_dsm_condition_t *condition)
{
    return byre__sync_simple(id_of(condition), BYRE__SYNC_CONDITION, BYRE__OP_BROADCAST, 0, 0,
                             NULL);
}
