/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large frames. Memory that a rank has never had takes the kernel a fault and a cleared page for each page of
 * it, which costs more than to receive the bytes. Where a long stretch is asked for, the frames of a block of
 * 2 MiB are made at once, as one large page: MADV_COLLAPSE of the service view, which copies the few pages
 * that are there already. The views are protected in units as before; only the frames behind them are large.
 *
 *   byre__dsm_large_within   blocks that a request covers whole
 *   byre__dsm_large_ahead    a stream that is long: the block that it has come to, if nobody has made that;
 *                            and those behind it, shared with a pop-up thread where it has a core
 *
 *   untried --> made (or refused)                     of a block: region->large
 *      |           ^   ^
 *      |           |   | the pop-up thread begins
 *      `-----> handed over --> the stream comes sooner, and makes it itself
 *
 * Invariants
 *  1. What the application and the engine see of a frame does not depend on it. The kernel copies a page only
 *     while nobody can use it, and gives up (EAGAIN) if somebody does at that moment, say to receive into it. So
 *     it may be done at any time, also without the region's lock; what cannot be had is done without.
 *  2. A block is tried once only. Where the kernel knows no such thing, all of this does nothing.
 *  3. The pop-up thread touches the views of a region only while `ahead.running` says so, and then they stay
 *     mapped: byre__dsm_large_forget waits for that, which is a call of the kernel. It does not wait for a job
 *     that has not begun; that finds nothing to do.
 *
 * ahead.lock is a leaf, below the region's.
 */
#include "region.h"

#include "env.h"
#include "popup.h"
#include <errno.h>
#include <sched.h>

enum {
    CERTAIN = 8,  /* a stream is long when its window is at least that part of a block */
    PATIENCE = 4, /* refusals in a row, before it is given up for good */
    FARTHEST = 3  /* blocks that are made ahead of a stream */
};

static bool wanted;
static _Atomic int refusals;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t over; /* `running` has become NULL */
    byre__popup_job_t job;
    bool submitted;        /* `job` is the pool's */
    bool has_core;         /* it does not run instead of whoever handed it over */
    dsm_region_t *region;  /* what it shall do; NULL: nothing */
    dsm_region_t *running; /* what it does */
    size_t block;
} ahead = { .lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER };

static bool has_core(void)
{
    cpu_set_t set;
    return !byre__cores_short && sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 1;
}

void byre__dsm_large_start(void)
{
    wanted = byre__env_bool(BYRE__ENV_DSM_LARGE_FRAMES) && byre__dsm_frames_can_join();
    ahead.has_core = has_core();
    atomic_store(&refusals, 0);
}

static bool is_hopeless(void)
{
    return !wanted || atomic_load_explicit(&refusals, memory_order_relaxed) >= PATIENCE;
}

static bool join(const dsm_region_t *region, size_t block)
{
    size_t offset = block * DSM_LARGE_BYTES;
    int error = byre__dsm_frames_join(region->app + offset, region->service + offset);
    if (error == 0)
        atomic_store_explicit(&refusals, 0, memory_order_relaxed);
    else if (error != EAGAIN) /* no such call, or no memory in one piece */
        atomic_fetch_add_explicit(&refusals, error == EINVAL ? PATIENCE : 1, memory_order_relaxed);
    return error == 0;
}

/* ---- on a pop-up thread ------------------------------------------------------------------- */

static void run(byre__popup_job_t *job)
{
    (void)job;
    pthread_mutex_lock(&ahead.lock);
    ahead.running = ahead.region;
    ahead.region = NULL;
    if (ahead.running != NULL) {
        pthread_mutex_unlock(&ahead.lock);
        bool made = join(ahead.running, ahead.block);
        byre__dsm_lock(ahead.running);
        ahead.running->stats.large_frames += made;
        byre__dsm_unlock(ahead.running);
        pthread_mutex_lock(&ahead.lock);
        ahead.running = NULL;
        pthread_cond_broadcast(&ahead.over);
    }
    ahead.submitted = false;
    pthread_mutex_unlock(&ahead.lock);
}

/* If the thread is busy with another one, this will be made when the stream has come to it. */
static void hand_over(dsm_region_t *region, size_t block)
{
    pthread_mutex_lock(&ahead.lock);
    bool free = !ahead.submitted;
    if (free) {
        ahead.job.run = run;
        ahead.submitted = true;
        ahead.region = region;
        ahead.block = block;
        region->large[block] = 1;
    }
    pthread_mutex_unlock(&ahead.lock);
    if (free) byre__popup_submit(&ahead.job);
}

static bool is_being_made(const dsm_region_t *region, size_t block)
{
    pthread_mutex_lock(&ahead.lock);
    bool is = ahead.running == region && ahead.block == block;
    pthread_mutex_unlock(&ahead.lock);
    return is;
}

/* Is it still to be done, by whoever asks? */
static bool take_back(const dsm_region_t *region, size_t block)
{
    pthread_mutex_lock(&ahead.lock);
    bool waits = ahead.region == region && ahead.block == block;
    if (waits) ahead.region = NULL;
    pthread_mutex_unlock(&ahead.lock);
    return waits;
}

void byre__dsm_large_forget(const dsm_region_t *region)
{
    pthread_mutex_lock(&ahead.lock);
    if (ahead.region == region) ahead.region = NULL;
    while (ahead.running == region) pthread_cond_wait(&ahead.over, &ahead.lock);
    pthread_mutex_unlock(&ahead.lock);
}

/* ---- what is asked for, under the lock, which guards region->large ------------------------- */

static void make(dsm_region_t *region, size_t block)
{
    if (region->large[block] && !take_back(region, block)) return;
    region->large[block] = 1;
    region->stats.large_frames += join(region, block);
}

static bool is_within(const dsm_region_t *region, size_t block)
{
    return block < region->bytes / DSM_LARGE_BYTES;
}

void byre__dsm_large_within(dsm_region_t *region, size_t first, size_t count)
{
    size_t from = first * region->unit_bytes, to = from + count * region->unit_bytes;
    if (to - from < DSM_LARGE_BYTES || is_hopeless()) return;
    for (size_t block = (from + DSM_LARGE_BYTES - 1) / DSM_LARGE_BYTES;
         (block + 1) * DSM_LARGE_BYTES <= to; block++)
        make(region, block);
}

/* The first block behind `block` that nobody has tried, not farther than FARTHEST; else SIZE_MAX. */
static size_t next_untried(const dsm_region_t *region, size_t block, int step)
{
    for (int i = 0; i < FARTHEST; i++) {
        block += (size_t)step;
        if (!is_within(region, block)) break;
        if (!region->large[block]) return block;
    }
    return SIZE_MAX;
}

/* The stream and the pop-up thread share the work: while that is busy with the block that the stream has come
 * to, there is nothing to receive into, so the stream makes one farther on. */
void byre__dsm_large_ahead(dsm_region_t *region, size_t unit, size_t window, int step)
{
    size_t block = unit * region->unit_bytes / DSM_LARGE_BYTES;
    if (window * region->unit_bytes < DSM_LARGE_BYTES / CERTAIN || is_hopeless()) return;
    size_t next = ahead.has_core ? next_untried(region, block, step) : SIZE_MAX;
    if (next != SIZE_MAX) hand_over(region, next);
    if (is_being_made(region, block)) block = next_untried(region, block, step);
    if (block != SIZE_MAX && is_within(region, block)) make(region, block);
}
