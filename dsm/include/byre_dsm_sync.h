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

/* ---- reader-writer locks ---------------------------------------------------------------------- */

/** A lock that one writer has, or any number of readers. Nobody passes anybody who came before, so
 *  neither kind starves. Plain data. */
typedef struct byre_dsm_rwlock {
    uint64_t id;
} byre_dsm_rwlock_t;

/** The reader-writer lock of this number. */
#define BYRE_DSM_RWLOCK(n) BYRE__DSM_NAMED(byre_dsm_rwlock_t, 2, n)

/**
 * Make a reader-writer lock that there was not before. Parameters, errors and threads as
 * byre_dsm_lock_create.
 * @return   as byre_dsm_lock_create
 * @threads  any
 */
int byre_dsm_rwlock_create(int home, byre_dsm_rwlock_t *lock_out);

/**
 * Forget a reader-writer lock that nobody uses any more. Errors as byre_dsm_lock_destroy.
 * @return   as byre_dsm_lock_destroy
 * @threads  any
 */
int byre_dsm_rwlock_destroy(const byre_dsm_rwlock_t *lock);

/**
 * Take it to read. Blocks while a writer has it or came before: a round trip to its home if it is free for
 * readers. (The fair lock of Mellor-Crummey and Scott 1991, with a queue at the home.)
 * @param lock  the lock
 * @return   BYRE_OK; BYRE_EBUSY this thread has it, to read or to write; BYRE_EPEER the home has failed, or
 *           a rank that had it to write; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_rwlock_read(const byre_dsm_rwlock_t *lock);

/**
 * Take it to write. Blocks while anybody has it or came before.
 * @param lock  the lock
 * @return   as byre_dsm_rwlock_read
 * @threads  any
 */
int byre_dsm_rwlock_write(const byre_dsm_rwlock_t *lock);

/**
 * Take it to read if it is free for readers and nobody waits. Blocks for a round trip.
 * @param lock  the lock
 * @return   BYRE_EAGAIN it is not; else as byre_dsm_rwlock_read
 * @threads  any
 */
int byre_dsm_rwlock_tryread(const byre_dsm_rwlock_t *lock);

/**
 * Take it to write if nobody has it. Blocks for a round trip.
 * @param lock  the lock
 * @return   BYRE_EAGAIN somebody has it; else as byre_dsm_rwlock_read
 * @threads  any
 */
int byre_dsm_rwlock_trywrite(const byre_dsm_rwlock_t *lock);

/**
 * Give it back, be it to read or to write. Does not wait for anything.
 * @param lock  a lock that this thread has
 * @return   as byre_dsm_unlock
 * @threads  the one that took it
 */
int byre_dsm_rwlock_unlock(const byre_dsm_rwlock_t *lock);

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

/* ---- condition variables ------------------------------------------------------------------ */

/** Where threads that have a lock wait until what it protects has changed. Plain data. */
typedef struct byre_dsm_condition {
    uint64_t id;
} byre_dsm_condition_t;

/** The condition variable of this number. */
#define BYRE_DSM_CONDITION(n) BYRE__DSM_NAMED(byre_dsm_condition_t, 3, n)

/**
 * Make a condition variable that there was not before. Parameters, errors and threads as
 * byre_dsm_lock_create.
 * @return   as byre_dsm_lock_create
 * @threads  any
 */
int byre_dsm_condition_create(int home, byre_dsm_condition_t *condition_out);

/**
 * Forget a condition variable that nobody uses any more. Errors as byre_dsm_lock_destroy.
 * @return   as byre_dsm_lock_destroy
 * @threads  any
 */
int byre_dsm_condition_destroy(const byre_dsm_condition_t *condition);

/**
 * Wait for a signal. The lock is given back meanwhile, and taken again before the return; a signal by
 * whoever has the lock after that is not missed. What was waited for may have gone again by then: look, and
 * wait again, in a loop (Lampson and Redell 1980). Blocks.
 * @param condition  the condition variable
 * @param lock       a lock that this thread has; the same for all who wait at the same time
 * @return   BYRE_OK; BYRE_ERIGHT this thread does not have the lock; BYRE_EPEER the home of the condition
 *           variable has failed (the lock is held), or the lock is lost or its home has failed (it is not:
 *           byre_dsm_unlock gives BYRE_ERIGHT); BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from
 *           a handler
 * @threads  the one that has the lock
 */
int byre_dsm_condition_wait(const byre_dsm_condition_t *condition, const byre_dsm_lock_t *lock);

/**
 * Wake the thread that waits longest, if there is one. Blocks for a round trip. A signal may be lost with a
 * rank that fails when it has just been woken: where ranks may fail, broadcast.
 * @param condition  the condition variable
 * @return   BYRE_OK; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any, with the lock or without
 */
int byre_dsm_condition_signal(const byre_dsm_condition_t *condition);

/**
 * Wake all threads that wait. Blocks for a round trip.
 * @param condition  the condition variable
 * @return   as byre_dsm_condition_signal
 * @threads  any, with the lock or without
 */
int byre_dsm_condition_broadcast(const byre_dsm_condition_t *condition);

/* ---- semaphores --------------------------------------------------------------------------- */

/** A number that is never negative: who would make it so waits (Dijkstra 1965). Plain data. */
typedef struct byre_dsm_semaphore {
    uint64_t id;
} byre_dsm_semaphore_t;

/** The semaphore of this number. Its value is 0 at first. */
#define BYRE_DSM_SEMAPHORE(n) BYRE__DSM_NAMED(byre_dsm_semaphore_t, 4, n)

/**
 * Make a semaphore that there was not before. Blocks for a round trip to its home unless the value is 0.
 * @param home           as byre_dsm_lock_create
 * @param value          its value at first
 * @param semaphore_out  the semaphore
 * @return   as byre_dsm_lock_create; BYRE_EPEER the home has failed
 * @threads  any
 */
int byre_dsm_semaphore_create(int home, uint32_t value, byre_dsm_semaphore_t *semaphore_out);

/**
 * Forget a semaphore that nobody uses any more: its value is 0 at its next use. Errors as
 * byre_dsm_lock_destroy.
 * @return   as byre_dsm_lock_destroy
 * @threads  any
 */
int byre_dsm_semaphore_destroy(const byre_dsm_semaphore_t *semaphore);

/**
 * Take one off the value. Blocks while it is 0; those who wait are served in order. What a rank took that
 * fails is not given back.
 * @param semaphore  the semaphore
 * @return   BYRE_OK; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_semaphore_wait(const byre_dsm_semaphore_t *semaphore);

/**
 * Take one off the value unless it is 0. Blocks for a round trip.
 * @param semaphore  the semaphore
 * @return   BYRE_EAGAIN it is 0; else as byre_dsm_semaphore_wait
 * @threads  any
 */
int byre_dsm_semaphore_trywait(const byre_dsm_semaphore_t *semaphore);

/**
 * Add one to the value, or let the one go on that waits longest. Blocks for a round trip.
 * @param semaphore  the semaphore
 * @return   BYRE_ERANGE the value is 2^32 - 1; else as byre_dsm_semaphore_wait
 * @threads  any
 */
int byre_dsm_semaphore_post(const byre_dsm_semaphore_t *semaphore);

/* ---- events ------------------------------------------------------------------------------- */

/** Something that has happened, or has not: stays so until it is reset. Plain data. */
typedef struct byre_dsm_event {
    uint64_t id;
} byre_dsm_event_t;

/** The event of this number. It has not happened at first. */
#define BYRE_DSM_EVENT(n) BYRE__DSM_NAMED(byre_dsm_event_t, 5, n)

/**
 * Make an event that there was not before. Parameters, errors and threads as byre_dsm_lock_create.
 * @return   as byre_dsm_lock_create
 * @threads  any
 */
int byre_dsm_event_create(int home, byre_dsm_event_t *event_out);

/**
 * Forget an event that nobody uses any more. Errors as byre_dsm_lock_destroy.
 * @return   as byre_dsm_lock_destroy
 * @threads  any
 */
int byre_dsm_event_destroy(const byre_dsm_event_t *event);

/**
 * It has happened: who waits goes on, who comes does not wait. Blocks for a round trip.
 * @param event  the event
 * @return   BYRE_OK; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_event_set(const byre_dsm_event_t *event);

/**
 * It has not happened any more. Blocks for a round trip.
 * @param event  the event
 * @return   as byre_dsm_event_set
 * @threads  any
 */
int byre_dsm_event_reset(const byre_dsm_event_t *event);

/**
 * Wait until it has happened. Blocks, for a round trip at least.
 * @param event  the event
 * @return   as byre_dsm_event_set
 * @threads  any
 */
int byre_dsm_event_wait(const byre_dsm_event_t *event);

/**
 * Ask whether it has happened. Blocks for a round trip.
 * @param event  the event
 * @return   BYRE_OK it has; BYRE_EAGAIN it has not; else as byre_dsm_event_set
 * @threads  any
 */
int byre_dsm_event_test(const byre_dsm_event_t *event);

/* ---- counters ----------------------------------------------------------------------------- */

/** A 64-bit number at its home, where operations are done one after the other. An operation costs one
 *  round trip wherever it comes from. C11 atomics on shared memory do the same by moving the page to where
 *  they are, which is better for what one rank uses many times in a row. Plain data. */
typedef struct byre_dsm_counter {
    uint64_t id;
} byre_dsm_counter_t;

/** The counter of this number. Its value is 0 at first. */
#define BYRE_DSM_COUNTER(n) BYRE__DSM_NAMED(byre_dsm_counter_t, 6, n)

/**
 * Make a counter that there was not before. Blocks for a round trip to its home unless the value is 0.
 * @param home         as byre_dsm_lock_create
 * @param value        its value at first
 * @param counter_out  the counter
 * @return   as byre_dsm_lock_create; BYRE_EPEER the home has failed
 * @threads  any
 */
int byre_dsm_counter_create(int home, int64_t value, byre_dsm_counter_t *counter_out);

/**
 * Forget a counter: its value is 0 at its next use. Errors as byre_dsm_lock_destroy.
 * @return   as byre_dsm_lock_destroy
 * @threads  any
 */
int byre_dsm_counter_destroy(const byre_dsm_counter_t *counter);

/**
 * Add to it. It wraps round. Blocks for a round trip.
 * @param counter  the counter
 * @param delta    what to add
 * @param old_out  its value before, or NULL
 * @return   BYRE_OK; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_dsm_counter_add(const byre_dsm_counter_t *counter, int64_t delta, int64_t *old_out);

/**
 * Give it another value. Blocks for a round trip.
 * @param counter  the counter
 * @param value    the new value
 * @param old_out  the one before, or NULL
 * @return   as byre_dsm_counter_add
 * @threads  any
 */
int byre_dsm_counter_swap(const byre_dsm_counter_t *counter, int64_t value, int64_t *old_out);

/**
 * Give it another value if it has the expected one. Blocks for a round trip.
 * @param counter   the counter
 * @param expected  the value that it must have
 * @param value     the new value
 * @param old_out   the one before, or NULL; equal to `expected` if it was changed
 * @return   as byre_dsm_counter_add, also when it was not changed
 * @threads  any
 */
int byre_dsm_counter_compare_swap(const byre_dsm_counter_t *counter, int64_t expected,
                                  int64_t value, int64_t *old_out);

/**
 * Read it. Blocks for a round trip.
 * @param counter    the counter
 * @param value_out  its value
 * @return   as byre_dsm_counter_add
 * @threads  any
 */
int byre_dsm_counter_load(const byre_dsm_counter_t *counter, int64_t *value_out);

/**
 * Write it. Blocks for a round trip.
 * @param counter  the counter
 * @param value    the new value
 * @return   as byre_dsm_counter_add
 * @threads  any
 */
int byre_dsm_counter_store(const byre_dsm_counter_t *counter, int64_t value);

#ifdef __cplusplus
}
#endif
#endif
