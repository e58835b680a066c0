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

#include "node.h"
#include "progress.h"

int byre__sync_lock(uint64_t id, int home)
{
    return byre__sync_take(id, home, BYRE__OP_ACQUIRE);
}

/* A thread of this rank may be driving the engine, or be parked. */
static void hand_over_here(uint64_t token)
{
    bool driving = byre__drive_try();
    byre__sync_slot_grant(token, BYRE_OK);
    if (driving)
        byre__drive_end();
    else
        byre__progress_kick();
}

static int hand_over(const byre__sync_next_t *next)
{
    byre__sync_grant_t grant = { .token = next->token, .error = BYRE_OK };
    if (next->rank != byre__nodes.rank)
        return byre__sync_post(next->rank, BYRE__SYNC_GRANT, &grant, sizeof grant);
    hand_over_here(next->token);
    return BYRE_OK;
}

/* An heir that is known to be dead gets nothing: the home knows who comes after it. */
int byre__sync_unlock(byre__sync_slot_t *slot)
{
    byre__sync_request_t request = { .id = slot->id,
                                     .token = byre__sync_slot_token(slot),
                                     .op = BYRE__OP_RELEASE };
    int home = slot->home;
    byre__sync_unhold(slot);
    byre__sync_next_t next = byre__sync_slot_end(slot);
    if (next.token != 0 && hand_over(&next) == BYRE_OK)
        request.a = next.token, request.rank = next.rank;
    return byre__sync_ask(home, &request);
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

int byre_dsm_lock(const byre_dsm_lock_t *lock)
{
    return byre__sync_acquire(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK, BYRE__OP_ACQUIRE);
}

int byre_dsm_trylock(const byre_dsm_lock_t *lock)
{
    return byre__sync_acquire(lock != NULL ? &lock->id : NULL, BYRE__SYNC_LOCK, BYRE__OP_TRY);
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
