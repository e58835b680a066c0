/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue lock, its user's side. The queue is that of Mellor-Crummey and Scott (1991), with the swap of
 * the tail made by messages: the home appends, and tells the predecessor who its successor is.
 *
 *     A               home               B                      A hands over to B:
 *     |   ACQUIRE      |                 |                      one message
 *     |--------------->|    ACQUIRE      |
 *     |<-----GRANT-----|<----------------|
 *     |<---FORWARD(B)--|                 |
 *     |  ... unlock ...|                 |
 *     |---------------- GRANT ---------->|
 *     |--RELEASE(to B)>|                 |
 *
 * A RELEASE without a successor lets the home grant the next one itself; a FORWARD that comes after it
 * finds nobody. So a lock that nobody else wants takes one round trip, and giving it back one message that
 * nobody waits for.
 *
 * When a rank dies, its waiting threads leave the queue. If it had the lock, the lock is lost. The home
 * cannot always tell whether a dead heir had got it; then it is lost as well.
 */
#include "sync.h"

#include "detector.h"

static int tell(uint64_t id, int home, byre__sync_op_t op, uint64_t token,
                const byre__sync_next_t *next)
{
    byre__sync_request_t request = { .id = id, .op = op, .a = token };
    if (next != NULL) request.b = next->token, request.rank = next->rank;
    return byre__sync_post(home, BYRE__SYNC_TELL, &request, sizeof request);
}

static int acquire(uint64_t id, int home, byre__sync_op_t op)
{
    if (byre__sync_held(id) != NULL) return BYRE_EBUSY;
    byre__sync_slot_t *slot = byre__sync_slot_begin(id, home);
    if (slot == NULL) return BYRE_ENOMEM;
    int error = tell(id, home, op, byre__sync_slot_token(slot), NULL);
    if (error == BYRE_OK) error = byre__sync_slot_wait(slot);
    if (error == BYRE_OK)
        byre__sync_hold(slot);
    else
        (void)byre__sync_slot_end(slot);
    return error;
}

int byre__sync_lock(uint64_t id, int home)
{
    return acquire(id, home, BYRE__OP_ACQUIRE);
}

int byre__sync_unlock(byre__sync_slot_t *slot)
{
    uint64_t id = slot->id, token = byre__sync_slot_token(slot);
    int home = slot->home;
    byre__sync_unhold(slot);
    byre__sync_next_t next = byre__sync_slot_end(slot);
    if (next.token != 0) {
        byre__sync_grant_t grant = { .token = next.token, .error = BYRE_OK };
        if (byre__sync_post(next.rank, BYRE__SYNC_GRANT, &grant, sizeof grant) != BYRE_OK)
            next.token = 0; /* it is dead: the home knows who comes after it */
    }
    return tell(id, home, BYRE__OP_RELEASE, token, &next);
}

/* ---- the public face ------------------------------------------------------------------------ */

int byre_dsm_lock_create(int home, byre_dsm_lock_t *lock_out)
{
    return byre__sync_create(BYRE__SYNC_LOCK, home, 0, lock_out != NULL ? &lock_out->id : NULL);
}

int byre_dsm_lock_destroy(const byre_dsm_lock_t *lock)
{
    return byre__sync_destroy(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK);
}

static int enter_and_acquire(const byre_dsm_lock_t *lock, byre__sync_op_t op)
{
    uint64_t id;
    int home,
        error = byre__sync_enter(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK, &id, &home);
    return error != BYRE_OK ? error : acquire(id, home, op);
}

int byre_dsm_lock(const byre_dsm_lock_t *lock)
{
    return enter_and_acquire(lock, BYRE__OP_ACQUIRE);
}

int byre_dsm_trylock(const byre_dsm_lock_t *lock)
{
    return enter_and_acquire(lock, BYRE__OP_TRY);
}

int byre_dsm_unlock(const byre_dsm_lock_t *lock)
{
    uint64_t id;
    int home,
        error = byre__sync_enter(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK, &id, &home);
    if (error != BYRE_OK) return error;
    byre__sync_slot_t *slot = byre__sync_held(id);
    return slot != NULL ? byre__sync_unlock(slot) : BYRE_ERIGHT;
}
