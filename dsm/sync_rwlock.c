/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader-writer lock: a queue at the home in which those who have the lock stand in front. A reader is
 * admitted when only readers stand before it, a writer when nobody does. Nobody passes anybody, so neither
 * readers nor writers starve (the fair lock of Mellor-Crummey and Scott 1991b, with a queue at the home).
 *
 * A dead reader has changed nothing, and is taken out. A dead writer leaves the lock lost.
 */
#include "sync.h"

typedef struct rwlock {
    byre__sync_object_t base;
    byre__sync_queue_t queue;
    bool lost;
} rwlock_t;

/* ---- home ------------------------------------------------------------------------------------- */

static bool writes(const byre__sync_node_t *node)
{
    return node->mode == BYRE__OP_WRITE;
}

static void admit(rwlock_t *lock)
{
    for (byre__sync_node_t *node = lock->queue.first; node != NULL; node = node->next) {
        if (writes(node) && node != lock->queue.first) return;
        if (!node->granted) {
            node->granted = true;
            byre__sync_grant(node, BYRE_OK);
        }
        if (writes(node)) return;
    }
}

/* Would somebody who comes now be admitted? */
static bool is_open(const rwlock_t *lock, int mode)
{
    const byre__sync_node_t *last = byre__sync_last(&lock->queue);
    return last == NULL || (mode == BYRE__OP_READ && last->granted && !writes(last));
}

static void enter(rwlock_t *lock, int source, uint64_t token, int mode, bool waits)
{
    byre__sync_node_t *node = NULL;
    int error = lock->lost ? BYRE_EPEER : !waits && !is_open(lock, mode) ? BYRE_EAGAIN : BYRE_OK;
    if (error == BYRE_OK && (node = byre__sync_push(&lock->queue, source, token)) == NULL)
        error = BYRE_ENOMEM;
    if (error != BYRE_OK) {
        byre__sync_answer(source, token, error, 0);
        return;
    }
    node->mode = mode;
    admit(lock);
}

static void leave(rwlock_t *lock, int source, uint64_t token)
{
    byre__sync_node_t **at = &lock->queue.first;
    while (*at != NULL && ((*at)->rank != source || (*at)->token != token)) at = &(*at)->next;
    if (*at == NULL) return;
    byre__sync_remove(&lock->queue, at);
    admit(lock);
}

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    rwlock_t *lock = (rwlock_t *)object;
    switch (request->op) {
    case BYRE__OP_READ:
    case BYRE__OP_WRITE:
        enter(lock, source, request->token, (int)request->op, true);
        break;
    case BYRE__OP_TRYREAD:
        enter(lock, source, request->token, BYRE__OP_READ, false);
        break;
    case BYRE__OP_TRYWRITE:
        enter(lock, source, request->token, BYRE__OP_WRITE, false);
        break;
    case BYRE__OP_LEAVE:
        leave(lock, source, request->token);
        break;
    default:
        byre__sync_answer(source, request->token, BYRE_EPROTO, 0);
    }
}

static void peer_gone(byre__sync_object_t *object, int rank)
{
    rwlock_t *lock = (rwlock_t *)object;
    const byre__sync_node_t *first = lock->queue.first;
    if (first == NULL) return;
    if (first->rank == rank && writes(first)) {
        lock->lost = true;
        for (const byre__sync_node_t *node = first->next; node != NULL; node = node->next)
            byre__sync_grant(node, BYRE_EPEER);
        byre__sync_clear(&lock->queue);
        return;
    }
    byre__sync_remove_rank(&lock->queue, rank);
    admit(lock);
}

static bool busy(const byre__sync_object_t *object)
{
    return ((const rwlock_t *)object)->queue.first != NULL;
}

static void clear(byre__sync_object_t *object)
{
    byre__sync_clear(&((rwlock_t *)object)->queue);
}

const byre__sync_class_t byre__sync_rwlock_class = {
    .bytes = sizeof(rwlock_t),
    .handle = handle,
    .peer_gone = peer_gone,
    .busy = busy,
    .clear = clear,
};

/* ---- the public face ------------------------------------------------------------------------ */

static const uint64_t *id_of(const byre_dsm_rwlock_t *lock)
{
    return lock != NULL ? &lock->id : NULL;
}

int byre_dsm_rwlock_create(int home, byre_dsm_rwlock_t *lock_out)
{
    return byre__sync_create(BYRE__SYNC_RWLOCK, home, 0, lock_out != NULL ? &lock_out->id : NULL);
}

int byre_dsm_rwlock_destroy(const byre_dsm_rwlock_t *lock)
{
    return byre__sync_destroy(id_of(lock), BYRE__SYNC_RWLOCK);
}

int byre_dsm_rwlock_read(const byre_dsm_rwlock_t *lock)
{
    return byre__sync_acquire(id_of(lock), BYRE__SYNC_RWLOCK, BYRE__OP_READ);
}

int byre_dsm_rwlock_tryread(const byre_dsm_rwlock_t *lock)
{
    return byre__sync_acquire(id_of(lock), BYRE__SYNC_RWLOCK, BYRE__OP_TRYREAD);
}

int byre_dsm_rwlock_write(const byre_dsm_rwlock_t *lock)
{
    return byre__sync_acquire(id_of(lock), BYRE__SYNC_RWLOCK, BYRE__OP_WRITE);
}

int byre_dsm_rwlock_trywrite(const byre_dsm_rwlock_t *lock)
{
    return byre__sync_acquire(id_of(lock), BYRE__SYNC_RWLOCK, BYRE__OP_TRYWRITE);
}

int byre_dsm_rwlock_unlock(const byre_dsm_rwlock_t *lock)
{
    uint64_t id;
    int home, error = byre__sync_enter(id_of(lock), BYRE__SYNC_RWLOCK, &id, &home);
    if (error != BYRE_OK) return error;
    byre__sync_slot_t *slot = byre__sync_held(id);
    if (slot == NULL) return BYRE_ERIGHT;
    byre__sync_request_t request = { .id = id,
                                     .token = byre__sync_slot_token(slot),
                                     .op = BYRE__OP_LEAVE };
    byre__sync_unhold(slot);
    (void)byre__sync_slot_end(slot);
    return byre__sync_ask(home, &request);
}
