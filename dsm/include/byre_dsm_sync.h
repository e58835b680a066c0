/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_dsm_sync.h
 * Synchronisation across ranks: locks, barriers, condition variables and the like.
 *
 * An object is a number that any rank may copy, send, keep in shared memory, and use; what there is to
 * know of it is at its *home* rank (of a barrier: at every rank), and comes into being at first use. So
 * making one takes no message. There are two ways to have one:
 *
 *   byre_dsm_lock_t jobs = BYRE_DSM_LOCK(3);   a name: the same object on all ranks, with home 3 modulo
 *                                              the number of ranks
 *   byre_dsm_lock_create(home, &lock);         a fresh one, which is then given to the others
 *
 * All calls may be made by several threads of a rank at once, and wait without keeping the others from
 * working. The object that a call is given is read once, before anything else happens.
 *
 * When a rank fails: an object with its home there gives BYRE_EPEER, now and later, also to those who wait.
 * A lock that the rank held is lost, which gives BYRE_EPEER too: what it protected may be half changed; to
 * destroy a lost lock makes it usable again. A barrier takes all ranks and gives BYRE_EPEER. Whatever does
 * not need the rank goes on. The program's memory is ordered by each call as by its counterpart in one
 * process: under the protocols of byre_dsm.h nothing more is needed for that.
 */
#ifndef BYRE_DSM_SYNC_H
#define BYRE_DSM_SYNC_H

#include <byre_errors.h>
#include <byre_runtime.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define BYRE__DSM_OBJECT(type, bits, n) (type{ (bits) | (uint64_t)1 << 59 | (uint32_t)(n) })
#else
#define BYRE__DSM_OBJECT(type, bits, n) ((type){ (bits) | (uint64_t)1 << 59 | (uint32_t)(n) })
#endif
#define BYRE__DSM_NAMED(type, kind, n) BYRE__DSM_OBJECT(type, (uint64_t)(kind) << 60, n)

/* ---- locks -------------------------------------------------------------------------------- */

/** A lock: one thread of all ranks has it. Who wants it gets it in the order in which the home hears of
 *  it. Plain data; all zero is none. */
typedef struct byre_dsm_lock {
    uint64_t id;
} byre_dsm_lock_t;

/** The lock of this number, 0 ... 2^32 - 1. An expression, of which the address may be taken. */
#define BYRE_DSM_LOCK(n) BYRE__DSM_NAMED(byre_dsm_lock_t, 1, n)

/**
 * Make a lock that there was not before. Sends nothing.
 * @param home      the rank that puts requests in order: best the one that uses it most; BYRE_ANY: this
 * @param lock_out  the lock, free
 * @return   BYRE_OK; BYRE_EINVAL NULL; BYRE_ERANK home; BYRE_ENOMEM this rank has made 2^24 objects;
 *           BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_lock_create(int home, byre_dsm_lock_t *lock_out);

/**
 * Forget a lock that nobody uses any more: its home frees what it knows. A named one is as new at its
 * next use, also one that was lost. Blocks for a round trip.
 * @param lock  the lock
 * @return   BYRE_OK; BYRE_EBUSY somebody has it or waits for it, or its last holder's message is still on
 *           its way; BYRE_EPEER; BYRE_EINVAL; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_lock_destroy(const byre_dsm_lock_t *lock);

/**
 * Take a lock. Blocks until this thread has it. A free lock takes one round trip to its home; one that is
 * handed over takes one message from who had it to who gets it (Mellor-Crummey and Scott 1991, with the
 * tail of the queue at the home).
 * @param lock  the lock
 * @return   BYRE_OK; BYRE_EBUSY this thread has it; BYRE_EPEER the home has failed, or a rank that had
 *           the lock; BYRE_EINVAL not a lock; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_lock(const byre_dsm_lock_t *lock);

/**
 * Take a lock if nobody has it. Blocks for a round trip.
 * @param lock  the lock
 * @return   BYRE_OK; BYRE_EAGAIN somebody has it, or the home has not yet heard that it is free; else as
 *           byre_dsm_lock
 * @threads  any
 */
int byre_dsm_trylock(const byre_dsm_lock_t *lock);

/**
 * Give a lock back. Does not wait for anything.
 * @param lock  a lock that this thread has
 * @return   BYRE_OK; BYRE_ERIGHT this thread does not have it; BYRE_EPEER it is given back, but its home
 *           has failed; BYRE_EINVAL; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  the one that took it
 */
int byre_dsm_unlock(const byre_dsm_lock_t *lock);

/* ---- barriers ----------------------------------------------------------------------------- */

/** Who tells whom; Mellor-Crummey and Scott (1991) compare them. */
typedef enum byre_dsm_barrier_kind {
    BYRE_DSM_BARRIER_DEFAULT = 0, /**< chosen by the number of ranks */
    BYRE_DSM_BARRIER_CENTRAL,     /**< all tell one, one tells all */
    BYRE_DSM_BARRIER_TREE,        /**< the same along a tree (Yew, Tzeng and Lawrie 1987) */
    BYRE_DSM_BARRIER_TOURNAMENT, /**< in pairs, the winner goes on (Hensgen, Finkel, Manber 1988) */
    BYRE_DSM_BARRIER_DISSEMINATION /**< all tell one at distance 1, 2, 4 ... (ibid.) */
} byre_dsm_barrier_kind_t;

#define BYRE_DSM_BARRIER_THREADS_MAX 65535 /**< most threads of a rank in one barrier */

/** A barrier: nobody leaves before all have come. All ranks take part, each with the same number of
 *  threads. It may be used again at once. Plain data. */
typedef struct byre_dsm_barrier {
    uint64_t id;
} byre_dsm_barrier_t;

/** The barrier of this number, 0 ... 2^32 - 2, of the default kind, for one thread of each rank. */
#define BYRE_DSM_BARRIER(n) BYRE_DSM_BARRIER_OF(n, BYRE_DSM_BARRIER_DEFAULT, 1)
/** The barrier of this number, kind and number of threads: another one than those of the same number but
 *  another kind or number of threads. */
#define BYRE_DSM_BARRIER_OF(n, kind, threads) \
    BYRE__DSM_OBJECT(byre_dsm_barrier_t,      \
                     (uint64_t)7 << 60 | (uint64_t)(kind) << 56 | (uint64_t)(threads) << 40, n)

/**
 * Make a barrier that there was not before. Sends nothing.
 * @param kind         who tells whom
 * @param threads      how many threads of each rank take part, 1 ... BYRE_DSM_BARRIER_THREADS_MAX
 * @param barrier_out  the barrier
 * @return   BYRE_OK; BYRE_EINVAL NULL, or no such kind; BYRE_ERANGE threads; BYRE_ENOMEM this rank has made
 *           2^24 objects; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_barrier_create(byre_dsm_barrier_kind_t kind, int threads,
                            byre_dsm_barrier_t *barrier_out);

/**
 * Forget a barrier on this rank. Each rank does it for itself, after its last use. A named one may be used
 * again when all ranks have done it. Does not wait.
 * @param barrier  the barrier
 * @return   BYRE_OK; BYRE_EBUSY a thread of this rank is in it; BYRE_EINVAL; BYRE_ESTATE; BYRE_ECONTEXT
 *           from a handler
 * @threads  any
 */
int byre_dsm_barrier_destroy(const byre_dsm_barrier_t *barrier);

/**
 * Wait until all threads of all ranks that take part have come here. Blocks. Threads of a rank combine
 * before it speaks to others.
 * @param barrier  the barrier
 * @return   BYRE_OK; BYRE_EPEER a rank has failed or left (one that fails in the middle may leave some ranks
 *           with BYRE_OK and others with BYRE_EPEER); BYRE_EBUSY more threads of this rank than take part;
 *           BYRE_EINVAL not a barrier; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any, as many of each rank as take part
 */
int byre_dsm_barrier(const byre_dsm_barrier_t *barrier);

/**
 * Wait until one thread of each rank has come here: a barrier of the default kind that always exists.
 * @return   as byre_dsm_barrier
 * @threads  one of each rank at a time
 */
int byre_dsm_barrier_all(void);

#ifdef __cplusplus
}
#endif
#endif
