/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Barriers. Each rank has a state for each barrier, made by whatever comes first: a thread of its own, or
 * a message of another rank. The threads of a rank combine first; the last to come starts the rank's plan
 * (barrier_plan.c), and from then on whoever sees that a step may be taken takes it: that thread, or the
 * handler of the message that was waited for. So nobody has to wake up in the middle of a barrier.
 *
 * Invariants
 *  1. `started` - `completed` is 0 or 1, and 1 while the plan runs.
 *  2. A rank runs ahead of another by at most one barrier, and what it says is counted meanwhile.
 *  3. A plan of the g-th barrier waits until a place has been told g times its count; all of this is
 *     modulo 2^32.
 *
 * barriers.lock guards all states, is a leaf but for the locks of sending, and is not held while waiting.
 */
#include "barrier_plan.h"
#include "sync.h"

#include "detector.h"
#include "log.h"
#include "node.h"
#include "progress.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 64 };

typedef struct tell { /* may be followed by a payload */
    uint64_t id;
    uint32_t place;
    uint32_t unused;
} tell_t;

typedef struct barrier {
    struct barrier *next;
    uint64_t id;
    byre__barrier_plan_t *plan;
    int step;                   /* to be taken next, while the plan runs */
    uint32_t threads;           /* of this rank, that take part */
    uint32_t arrived;           /* of them */
    uint32_t started;           /* how many barriers there were, the one that runs included */
    _Atomic uint32_t completed; /* how many there were */
    _Atomic int inside;         /* threads in byre_dsm_barrier */
    uint32_t told[BYRE__BARRIER_PLACES];
} barrier_t;

static struct {
    pthread_mutex_t lock;
    barrier_t *latest; /* looked up */
    barrier_t *buckets[BUCKETS];
} barriers = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- which there are, under the lock ------------------------------------------------------------ */

static barrier_t **bucket_of(uint64_t id)
{
    return &barriers.buckets[(id ^ id >> 24) % BUCKETS];
}

static barrier_t *make(uint64_t id)
{
    int size = byre__nodes.size;
    uint32_t root = id & BYRE__SYNC_NAMED ? (uint32_t)id : (uint32_t)(id >> 24) & 0xffff;
    barrier_t *barrier = calloc(1, sizeof *barrier);
    if (barrier == NULL) return NULL;
    barrier->id = id;
    barrier->threads = byre__sync_field(id);
    barrier->plan = byre__barrier_plan((byre_dsm_barrier_kind_t)(id >> 56 & 7), byre__nodes.rank,
                                       size, (int)(root % (uint32_t)size));
    if (barrier->plan == NULL) {
        free(barrier);
        return NULL;
    }
    barrier->next = *bucket_of(id);
    *bucket_of(id) = barrier;
    return barrier;
}

static barrier_t *find(uint64_t id)
{
    if (barriers.latest != NULL && barriers.latest->id == id) return barriers.latest;
    barrier_t *barrier = *bucket_of(id);
    while (barrier != NULL && barrier->id != id) barrier = barrier->next;
    if (barrier != NULL) barriers.latest = barrier;
    return barrier;
}

static barrier_t *find_or_make(uint64_t id)
{
    barrier_t *barrier = find(id);
    return barrier != NULL ? barrier : make(id);
}

static void destroy(barrier_t *barrier)
{
    barrier_t **at = bucket_of(barrier->id);
    while (*at != barrier) at = &(*at)->next;
    *at = barrier->next;
    if (barriers.latest == barrier) barriers.latest = NULL;
    free(barrier->plan);
    free(barrier);
}

void byre__sync_barriers_stop(void)
{
    for (int i = 0; i < BUCKETS; i++)
        while (barriers.buckets[i] != NULL) destroy(barriers.buckets[i]);
}

/* ---- steps, under the lock ---------------------------------------------------------------------- */

/* Invariant 3. */
static bool may_take(const barrier_t *barrier, const byre__barrier_step_t *step)
{
    return (int32_t)(barrier->told[step->place] - barrier->started * step->count) >= 0;
}

/* Take the steps that can be taken. Is the barrier over? */
static bool advance(barrier_t *barrier)
{
    const byre__barrier_plan_t *plan = barrier->plan;
    for (; barrier->step < plan->steps; barrier->step++) {
        const byre__barrier_step_t *step = &plan->step[barrier->step];
        if (step->tell >= 0) {
            tell_t message = { .id = barrier->id, .place = step->place };
            (void)byre__sync_post(step->tell, BYRE__SYNC_BARRIER, &message, sizeof message);
        } else if (!may_take(barrier, step)) {
            return false;
        }
    }
    atomic_store_explicit(&barrier->completed, barrier->started, memory_order_release);
    return true;
}

static bool runs(const barrier_t *barrier)
{
    return atomic_load_explicit(&barrier->completed, memory_order_relaxed) != barrier->started;
}

void byre__sync_on_barrier(const byre_am_t *am, void *arg)
{
    tell_t message;
    (void)arg;
    if (am->bytes < sizeof message) return;
    memcpy(&message, am->data, sizeof message);
    if (message.place >= BYRE__BARRIER_PLACES) return;
    pthread_mutex_lock(&barriers.lock);
    barrier_t *barrier = find_or_make(message.id);
    BYRE__ASSERT(barrier != NULL); /* sync.h, invariant 4 */
    barrier->told[message.place]++;
    if (runs(barrier)) (void)advance(barrier);
    pthread_mutex_unlock(&barriers.lock);
}

/* ---- the calling thread's side ------------------------------------------------------------------- */

struct visit {
    barrier_t *barrier;
    uint32_t number; /* of the barrier that this thread is in */
};

static bool is_over(const struct visit *visit)
{
    return (int32_t)(atomic_load_explicit(&visit->barrier->completed, memory_order_acquire) -
                     visit->number) >= 0;
}

/* A barrier takes everybody. */
static bool over(void *arg)
{
    return is_over(arg) || atomic_load_explicit(&byre__absent, memory_order_relaxed) > 0;
}

/* Under the lock. Tells whether this thread has to wake others of its rank. */
static int arrive(barrier_t *barrier, struct visit *visit, bool *wakes_out)
{
    if (runs(barrier)) return BYRE_EBUSY; /* more threads than take part */
    *visit = (struct visit){ .barrier = barrier, .number = barrier->started + 1 };
    atomic_fetch_add_explicit(&barrier->inside, 1, memory_order_relaxed);
    if (++barrier->arrived == barrier->threads) {
        barrier->arrived = 0;
        barrier->started++;
        barrier->step = 0;
        *wakes_out = advance(barrier) && barrier->threads > 1;
    }
    return BYRE_OK;
}

static int pass(uint64_t id)
{
    struct visit visit = { 0 };
    bool wakes = false;
    if (atomic_load_explicit(&byre__absent, memory_order_relaxed) > 0) return BYRE_EPEER;
    pthread_mutex_lock(&barriers.lock);
    barrier_t *barrier = find_or_make(id);
    int error = barrier != NULL ? arrive(barrier, &visit, &wakes) : BYRE_ENOMEM;
    pthread_mutex_unlock(&barriers.lock);
    if (error != BYRE_OK) return error;
    if (wakes) byre__progress_kick();
    (void)byre__wait_until(over, &visit, 0);
    error = is_over(&visit) ? BYRE_OK : BYRE_EPEER;
    atomic_fetch_sub_explicit(&barrier->inside, 1, memory_order_release);
    return error;
}

/* ---- the public face ------------------------------------------------------------------------ */

static int enter(const byre_dsm_barrier_t *barrier, uint64_t *id_out)
{
    int error = byre__sync_check();
    if (error != BYRE_OK) return error;
    if (barrier == NULL) return BYRE_EINVAL;
    uint64_t id = *(const volatile uint64_t *)&barrier->id;
    if (byre__sync_kind(id) != BYRE__SYNC_BARRIERS || byre__sync_field(id) == 0) return BYRE_EINVAL;
    if ((id >> 56 & 7) > BYRE_DSM_BARRIER_DISSEMINATION) return BYRE_EINVAL;
    *id_out = id;
    return BYRE_OK;
}

int byre_dsm_barrier_create(byre_dsm_barrier_kind_t kind, int threads,
                            byre_dsm_barrier_t *barrier_out)
{
    uint64_t id;
    int error = byre__sync_check();
    if (error != BYRE_OK) return error;
    if (barrier_out == NULL || (unsigned)kind > BYRE_DSM_BARRIER_DISSEMINATION) return BYRE_EINVAL;
    if (threads < 1 || threads > BYRE_DSM_BARRIER_THREADS_MAX) return BYRE_ERANGE;
    error = byre__sync_new_id(BYRE__SYNC_BARRIERS,
                              (uint64_t)kind << 56 | (uint64_t)(unsigned)threads << 40, &id);
    if (error == BYRE_OK) barrier_out->id = id;
    return error;
}

int byre_dsm_barrier_destroy(const byre_dsm_barrier_t *barrier)
{
    uint64_t id;
    int error = enter(barrier, &id);
    if (error != BYRE_OK) return error;
    pthread_mutex_lock(&barriers.lock);
    barrier_t *found = find(id);
    if (found != NULL && atomic_load_explicit(&found->inside, memory_order_acquire) > 0)
        error = BYRE_EBUSY;
    else if (found != NULL)
        destroy(found);
    pthread_mutex_unlock(&barriers.lock);
    return error;
}

int byre_dsm_barrier(const byre_dsm_barrier_t *barrier)
{
    uint64_t id;
    int error = enter(barrier, &id);
    return error != BYRE_OK ? error : pass(id);
}

int byre_dsm_barrier_all(void)
{
    int error = byre__sync_check();
    return error != BYRE_OK ? error : pass(BYRE_DSM_BARRIER(UINT32_MAX).id);
}
