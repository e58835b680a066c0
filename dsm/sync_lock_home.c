/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue lock at its home: the order of those who have it and want it. Described in sync_lock.c.
 *
 * Invariants
 *  1. The first of the queue has the lock, or gets it by a GRANT that is under way, or has released it
 *     by a RELEASE that is under way.
 *  2. Each one but the first is known to its predecessor by a FORWARD, unless a rank has died.
 *  3. A RELEASE may overtake that of the predecessor, who handed over without asking: it is kept in the
 *     queue (`released`) until the predecessor's comes.
 */
#include "sync.h"

#include "node.h"

typedef struct lock {
    byre__sync_object_t base;
    byre__sync_queue_t queue;
    bool lost; /* its holder died */
} lock_t;

static void grant_first(lock_t *lock)
{
    byre__sync_node_t *first = lock->queue.first;
    if (first == NULL) return;
    first->granted_by = BYRE_ANY;
    byre__sync_grant(first, BYRE_OK);
}

/* Whoever has it by now keeps it: for a thread that has its GRANT this one is too late. */
static void lose(lock_t *lock)
{
    lock->lost = true;
    for (const byre__sync_node_t *node = lock->queue.first; node != NULL; node = node->next)
        byre__sync_grant(node, BYRE_EPEER);
    byre__sync_clear(&lock->queue);
}

/* Take those out who have come and gone, and see who is next. */
static void settle(lock_t *lock)
{
    while (lock->queue.first != NULL && lock->queue.first->released) {
        byre__sync_node_t gone = *lock->queue.first;
        byre__sync_remove(&lock->queue, &lock->queue.first);
        byre__sync_node_t *first = lock->queue.first;
        if (gone.to_token == 0) {
            grant_first(lock);
        } else if (first != NULL && first->rank == gone.to_rank && first->token == gone.to_token) {
            first->granted_by = gone.rank;
        } else { /* the heir died, perhaps with the lock */
            lose(lock);
        }
    }
}

static void acquire(lock_t *lock, int rank, uint64_t token)
{
    const byre__sync_node_t *last = byre__sync_last(&lock->queue);
    if (byre__sync_push(&lock->queue, rank, token) == NULL) {
        byre__sync_answer(rank, token, BYRE_ENOMEM, 0);
    } else if (last == NULL) {
        grant_first(lock);
    } else if (!last->released) {
        byre__sync_forward_t forward = { .token = last->token,
                                         .next_rank = rank,
                                         .next_token = token };
        if (last->rank == byre__nodes.rank)
            byre__sync_slot_forward(&forward);
        else
            (void)byre__sync_post(last->rank, BYRE__SYNC_FORWARD, &forward, sizeof forward);
    }
}

static void release(lock_t *lock, int rank, const byre__sync_request_t *request)
{
    byre__sync_node_t *node = lock->queue.first;
    while (node != NULL && (node->rank != rank || node->token != request->token)) node = node->next;
    if (node == NULL) return; /* of before the lock was lost */
    node->released = true;
    node->to_rank = request->rank;
    node->to_token = request->a;
    settle(lock);
}

static uint64_t count(const lock_t *lock)
{
    uint64_t nodes = 0;
    for (const byre__sync_node_t *node = lock->queue.first; node != NULL; node = node->next)
        nodes++;
    return nodes;
}

static void handle(byre__sync_object_t *object, int source, const byre__sync_request_t *request)
{
    lock_t *lock = (lock_t *)object;
    switch (request->op) {
    case BYRE__OP_ACQUIRE:
    case BYRE__OP_TRY:
        if (lock->lost)
            byre__sync_answer(source, request->token, BYRE_EPEER, 0);
        else if (request->op == BYRE__OP_TRY && lock->queue.first != NULL)
            byre__sync_answer(source, request->token, BYRE_EAGAIN, 0);
        else
            acquire(lock, source, request->token);
        break;
    case BYRE__OP_RELEASE:
        release(lock, source, request);
        break;
    case BYRE__OP_COUNT:
        byre__sync_answer(source, request->token, BYRE_OK, count(lock));
        break;
    default:
        byre__sync_answer(source, request->token, BYRE_EPROTO, 0);
    }
}

/* A dead first has the lock, unless its successor's RELEASE shows that it had handed over. */
static void peer_gone(byre__sync_object_t *object, int rank)
{
    lock_t *lock = (lock_t *)object;
    byre__sync_node_t *first;
    while ((first = lock->queue.first) != NULL && first->rank == rank) {
        if (first->next == NULL || !first->next->released) {
            lose(lock);
            return;
        }
        byre__sync_remove(&lock->queue, &lock->queue.first);
        settle(lock);
    }
    if (first == NULL) return;
    for (byre__sync_node_t **at = &first->next; *at != NULL;) {
        if ((*at)->rank == rank && !(*at)->released)
            byre__sync_remove(&lock->queue, at);
        else
            at = &(*at)->next;
    }
    /* The GRANT of a dead rank may not have arrived; a second one does no harm. */
    if (first->granted_by == rank) grant_first(lock);
}

static bool busy(const byre__sync_object_t *object)
{
    return ((const lock_t *)object)->queue.first != NULL;
}

static void clear(byre__sync_object_t *object)
{
    byre__sync_clear(&((lock_t *)object)->queue);
}

const byre__sync_class_t byre__sync_lock_class = {
    .bytes = sizeof(lock_t),
    .handle = handle,
    .peer_gone = peer_gone,
    .busy = busy,
    .clear = clear,
};
