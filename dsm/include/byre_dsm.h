/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_dsm.h
 * Distributed shared memory: the same address on every rank.
 *
 * A *region* is made by all ranks together (byre_dsm_alloc); a *unit* of it, one or more pages, is what
 * moves between ranks when somebody touches it. A shared heap (byre_dsm_malloc) lies in a region of its
 * own. Plain loads and stores are all that is needed; under the protocols here a program sees sequential
 * consistency: all ranks see all writes in one order. Synchronisation (<byre_dsm_sync.h>) is needed
 * where a program on one machine would need it too. byre_dsm(7) teaches the model and its limits.
 *
 * A touch of memory that is elsewhere takes microseconds and happens in a SIGSEGV handler on the
 * touching thread: so not from handlers of active messages (the program ends with a message), and not
 * inside a system call, which gives EFAULT: see byre_dsm_pin. Byre's own calls take buffers in shared
 * memory as they are.
 */
#ifndef BYRE_DSM_H
#define BYRE_DSM_H

#include <byre_dsm_sync.h>
#include <byre_errors.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- regions ------------------------------------------------------------------------------ */

/** How copies are kept coherent. */
typedef enum byre_dsm_protocol {
    BYRE_DSM_INVALIDATE =
        0,            /**< many readers or one writer; a write first invalidates all copies */
    BYRE_DSM_MIGRATE, /**< one copy, which moves to whoever touches it */
    BYRE_DSM_CONSTANT /**< as INVALIDATE until byre_dsm_publish, read-only afterwards */
} byre_dsm_protocol_t;

/** Who knows where a unit is, and puts requests for it in order (Li and Hudak 1989). */
typedef enum byre_dsm_manager {
    BYRE_DSM_MANAGER_DEFAULT = 0, /**< FIXED */
    BYRE_DSM_MANAGER_FIXED,       /**< the unit's home */
    BYRE_DSM_MANAGER_CENTRAL,     /**< one rank for the whole region: home_rank */
    BYRE_DSM_MANAGER_DYNAMIC      /**< the owner, found along a chain of probable owners */
} byre_dsm_manager_t;

/** Which rank is the home of a unit. */
typedef enum byre_dsm_home {
    BYRE_DSM_HOME_BLOCK = 0, /**< the region is cut into one piece for each rank, in order */
    BYRE_DSM_HOME_CYCLIC,    /**< units go round the ranks */
    BYRE_DSM_HOME_FIRST_TOUCH, /**< as CYCLIC: for data that its first user keeps. (Under every placement
                                    a unit belongs to the rank that touches it first.) */
    BYRE_DSM_HOME_RANK         /**< home_rank */
} byre_dsm_home_t;

#define BYRE_DSM_UNIT_PAGES_MAX 64 /**< most pages in a unit */

/** What a region is like. All zero is a good default. Equal on all ranks. */
typedef struct byre_dsm_attr {
    byre_dsm_protocol_t protocol;
    byre_dsm_manager_t manager;
    byre_dsm_home_t home;
    int home_rank;         /**< for BYRE_DSM_HOME_RANK and BYRE_DSM_MANAGER_CENTRAL */
    unsigned unit_pages;   /**< 1 ... BYRE_DSM_UNIT_PAGES_MAX, a power of two; 0 is 1 */
    unsigned hold_us;      /**< a unit stays at least so long where it has arrived */
    unsigned freeze_after; /**< a unit that was taken away so often, each time within defrost_us of
                                its arrival, is frozen: it stays for defrost_us; 0: never */
    unsigned defrost_us;   /**< see freeze_after; 0 is 1000 */
    const char *name;      /**< for messages and reports, or NULL; copied; may differ */
} byre_dsm_attr_t;

/**
 * Make a region: `bytes` bytes of zeros at one address on all ranks. Takes address space for all of it,
 * and memory for what is in use. Collective: all ranks, with equal arguments, in the same order. Blocks.
 * @param bytes     its length, at least 1; rounded up to whole units
 * @param attr      what it is like, or NULL for the default
 * @param addr_out  where it is, aligned to its unit
 * @return   BYRE_OK on all ranks, or an error on all: BYRE_EINVAL arguments differ or make no sense;
 *           BYRE_ERANK home_rank; BYRE_ENOMEM no address space or memory, or 1023
 *           regions; BYRE_EPEER a rank has failed;
 *           BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  one thread of a rank at a time, outside handlers
 */
int byre_dsm_alloc(size_t bytes, const byre_dsm_attr_t *attr, void **addr_out);

/**
 * Give shared memory back. A region: collective, blocks until all ranks have called it; its memory is
 * gone then on all ranks. A block of byre_dsm_malloc: by any one rank, does not block.
 * @param addr  what byre_dsm_alloc or byre_dsm_malloc gave; NULL does nothing
 * @return   BYRE_OK; BYRE_EINVAL no such region or block; BYRE_EBUSY some of the region is pinned here;
 *           BYRE_EPEER a rank has failed: a region is gone on this rank all the same, and its memory is
 *           given back when Byre ends, because survivors may still need it; BYRE_ENOMEM no memory to tell a
 *           block's rank; BYRE_ESTATE;
 *           BYRE_ECONTEXT a region from a handler
 * @threads  any for blocks; for regions as byre_dsm_alloc
 */
int byre_dsm_free(void *addr);

/**
 * Make a region of protocol BYRE_DSM_CONSTANT read-only. Its copies are never invalidated any more, so
 * each rank fetches a unit once. A write to it is a SIGSEGV like a write to a string literal.
 * Collective. Blocks.
 * @param addr  the region
 * @return   BYRE_OK; BYRE_EINVAL no such region, or of another protocol, or published before;
 *           BYRE_EPEER; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  one thread of a rank at a time, outside handlers
 */
int byre_dsm_publish(void *addr);

/* ---- heap --------------------------------------------------------------------------------- */

/**
 * Take a block from the shared heap: memory at the same address for all ranks, so that pointers to it
 * may be stored in shared memory. Its contents are undefined. Blocks of different ranks never share a unit;
 * protocol BYRE_DSM_INVALIDATE, unit one page. Local, does not block.
 * @param bytes  its length; 0 gives a block too
 * @return   the block, aligned to 16 bytes, to be given to byre_dsm_free by any rank; NULL when the heap
 *           of this rank is exhausted, or outside byre_init ... byre_finalize
 * @threads  any, also handlers
 */
void *byre_dsm_malloc(size_t bytes);

/* ---- hints, pins -------------------------------------------------------------------------- */

/**
 * Begin to fetch what will be needed soon. Does not wait; what somebody else is changing at the moment
 * is left out. Touching the memory later is right whatever came of it.
 * @param addr, bytes  some of one region or of the heap
 * @param write        nonzero: fetch to write
 * @return   BYRE_OK; BYRE_EINVAL not within one region; BYRE_ESTATE
 * @threads  any, not from handlers
 */
int byre_dsm_prefetch(const void *addr, size_t bytes, int write);

/**
 * Fetch memory and keep it here until byre_dsm_unpin, so that it can be given to system calls, devices or
 * an MPI that knows nothing of Byre. Others who want to write it wait meanwhile, and with a pin to write
 * those who want to read it too: unpin soon, and wait for nobody in between. Pins count. Blocks.
 * @param addr, bytes  some of one region or of the heap
 * @param write        nonzero: it will be written (read(2), MPI_Recv)
 * @return   BYRE_OK; BYRE_EINVAL not within one region, or write to a published one; BYRE_EPEER a rank
 *           that has some of it has failed; BYRE_EBUSY pinned more often than can be counted; BYRE_ESTATE;
 *           BYRE_ECONTEXT from a handler. After an error nothing is pinned.
 * @threads  any, not from handlers
 */
int byre_dsm_pin(const void *addr, size_t bytes, int write);

/**
 * Take a pin back.
 * @param addr, bytes  as given to byre_dsm_pin
 * @return   BYRE_OK; BYRE_EINVAL not within one region, or some of it is not pinned; BYRE_ESTATE
 * @threads  any, not from handlers
 */
int byre_dsm_unpin(const void *addr, size_t bytes);

/**
 * Does memory lie in shared memory, all or some of it?
 * @param addr, bytes  any memory
 * @return   1 some of it lies among regions or in the heap; 0 none, or bytes is 0, or outside byre_init
 *           ... byre_finalize
 * @threads  any, also handlers and signal handlers
 */
int byre_dsm_contains(const void *addr, size_t bytes);

/* ---- what happens ------------------------------------------------------------------------- */

/** What this rank did since the region was made. */
typedef struct byre_dsm_stats {
    uint64_t read_faults;   /**< reads of units that were not here; first touches too */
    uint64_t write_faults;  /**< writes to units that were not here; first touches too */
    uint64_t upgrades;      /**< writes to units of which there was a copy to read */
    uint64_t other_faults;  /**< touches of units that were under way or here: fetched ahead, asked
                                 for by another thread, or with a view that had been closed */
    uint64_t prefetched;    /**< units that were fetched ahead */
    uint64_t messages_out;  /**< sent for coherence, data included */
    uint64_t messages_in;   /**< received */
    uint64_t bytes_out;     /**< of units sent */
    uint64_t bytes_in;      /**< of units received */
    uint64_t invalidations; /**< copies that were taken away */
    uint64_t downgrades;   /**< units that others wanted to read and that could be written before */
    uint64_t held;         /**< requests that waited for a hold time, a pin or a waiting thread */
    uint64_t frozen;       /**< times a unit was frozen */
    uint64_t flushes;      /**< times a view was closed as a whole, because mappings ran out */
    uint64_t protections;  /**< protection changes asked of the kernel */
    uint64_t large_frames; /**< pieces of 2 MiB of which this rank's memory is one large page */
} byre_dsm_stats_t;

/**
 * Counters of this rank.
 * @param addr       the region that holds it, or NULL for all regions and the heap together
 * @param stats_out  the counters
 * @return   BYRE_OK; BYRE_EINVAL no such region; BYRE_ESTATE
 * @threads  any
 */
int byre_dsm_stats(const void *addr, byre_dsm_stats_t *stats_out);

/** Memory that cannot be had because a rank has failed. */
typedef struct byre_dsm_lost {
    void *addr;         /**< the byte that was touched */
    const char *region; /**< name of its region, or "" */
    void *start;        /**< of the region */
    size_t page;        /**< page of the region, from 0 */
    int rank;           /**< the rank that has failed */
} byre_dsm_lost_t;

/** Called on the touching thread, in its SIGSEGV handler. Nothing is held: it may siglongjmp to where the
 *  program can go on. When it returns, the program ends with a message. */
typedef void (*byre_dsm_lost_fn)(const byre_dsm_lost_t *lost, void *arg);

/**
 * Say what happens when a touch needs a rank that has failed. Without this, a message is printed that
 * names region, page and rank, and the program ends.
 * @param fn   the callback, or NULL for the default
 * @param arg  passed to it
 * @return   BYRE_OK; BYRE_ESTATE
 * @threads  any
 */
int byre_dsm_on_lost(byre_dsm_lost_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
