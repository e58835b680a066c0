/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads for procedures that may block. Servers share them; each has a bound of its own, and a queue.
 *
 * A thread that runs out of calls lays itself on the pile of idle ones, and *watches* for a moment before it
 * sleeps: if nobody drives the engine it does so itself, so that the next call arrives on the very thread that
 * will run it, and nothing is handed over (leader and followers: Schmidt et al. 2000). If somebody does, it
 * looks for what it is given as long as cores are to spare. Waking it from sleep costs more than most calls.
 *
 *   submit --below the bound, nobody on the way--> given to an idle thread: the one that drives, else the
 *     |                                            top of the pile; else to a new one
 *     `--otherwise--> waits; for a thread that ends a call of this server, or for the one that is on the way
 *
 * A thread that was woken, or created, is *on the way* until it begins. Then it first passes on: it starts a thread
 * for the next call that waits, if the bound allows. So the engine wakes one thread for a burst of calls, and the
 * threads wake one another as long as that is faster than to work the calls off.
 *
 * Invariants
 *  1. A server's `active` threads are those that run its procedures but for those that wait in calls of their
 *     own. It does not exceed the bound when a call begins. So nested calls find a thread, however deep.
 *  2. When calls of a server wait, `active` is at its bound, and whoever lowers it takes the next; or a thread is
 *     on the way (`waking`).
 *  3. A thread on the pile is taken off it by the one who gives it a call, or by itself to end.
 *
 * byre__rpc_serving guards the pile, the queues and the counts.
 */
#include "calls.h"

#include "counters.h"
#include "log.h"
#include "progress.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

pthread_mutex_t byre__rpc_serving = PTHREAD_MUTEX_INITIALIZER;

enum { WATCH_NS = 50000, WATCH_SPARE_NS = 200000, LOOKS_PER_CLOCK = 32 };

/* A worker's word: it spins on it, then sleeps. */
enum { NOTHING, GIVEN, ASLEEP };

struct worker {           /* its thread's */
    struct worker *below; /* in the pile */
    byre__rpc_job_t *job; /* given; NULL: to end */
    _Atomic uint32_t word;
};

static struct {
    struct worker *idle;
    _Atomic bool watched; /* a worker drives, or tries to */
    pthread_t *threads;   /* all that were created */
    unsigned count, room;
    bool stopping;
} pool;

static _Thread_local struct worker own;
static _Thread_local struct worker *self; /* own, of a worker; else NULL */

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    (void)syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

/* ---- the queue of a server: with the lock -------------------------------------------------------------- */

byre__rpc_job_t *byre__rpc_queue_take(byre_rpc_server_t server)
{
    byre__rpc_job_t *job = server->first;
    if (job == NULL) return NULL;
    server->first = job->next;
    if (server->first == NULL) server->end = &server->first;
    atomic_fetch_sub(&server->waiting, 1);
    return job;
}

bool byre__rpc_queue_add(byre_rpc_server_t server, byre__rpc_job_t *job, unsigned more)
{
    if (atomic_load(&server->waiting) >= server->attr.queue + more) return false;
    job->next = NULL;
    *server->end = job;
    server->end = &job->next;
    atomic_fetch_add(&server->waiting, 1);
    return true;
}

byre__rpc_job_t *byre__rpc_queue_remove(byre_rpc_server_t server, int client, uint64_t call)
{
    byre__rpc_job_t *job = NULL;
    pthread_mutex_lock(&byre__rpc_serving);
    for (byre__rpc_job_t **at = &server->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->client != client || (*at)->call != call) continue;
        job = *at;
        *at = job->next;
        if (job->next == NULL) server->end = at;
        atomic_fetch_sub(&server->waiting, 1);
        break;
    }
    pthread_mutex_unlock(&byre__rpc_serving);
    return job;
}

/* ---- giving ------------------------------------------------------------------------------------------------ */

/* With the lock. The thread that drives, if it is idle, else the one that went idle last; or NULL. */
static struct worker *take_idle(void)
{
    struct worker **at = &pool.idle;
    if (self != NULL)
        while (*at != NULL && *at != self) at = &(*at)->below;
    if (*at == NULL) at = &pool.idle;
    struct worker *worker = *at;
    if (worker != NULL) *at = worker->below;
    return worker;
}

/* Without the lock: the worker is off the pile, and may be gone after this. */
static void give(struct worker *worker, byre__rpc_job_t *job)
{
    worker->job = job;
    if (worker == self) {
        atomic_store_explicit(&worker->word, GIVEN, memory_order_relaxed);
    } else if (atomic_exchange(&worker->word, GIVEN) == ASLEEP) {
        futex(&worker->word, FUTEX_WAKE_PRIVATE, 1);
        if (byre__in_handler()) byre__engine_woke = true;
    }
}

static void *work(void *first);

static bool room_for_thread(void)
{
    if (pool.count < pool.room) return true;
    unsigned room = pool.room == 0 ? 16 : 2 * pool.room;
    pthread_t *threads = realloc(pool.threads, room * sizeof *threads);
    if (threads == NULL) return false;
    pool.threads = threads;
    pool.room = room;
    return true;
}

/* Signals are for the application's threads; a fault is for the thread that caused it. */
static int create_thread(byre__rpc_job_t *job)
{
    static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t blocked, old;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(&blocked, synchronous[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    pthread_mutex_lock(&byre__rpc_serving);
    int error =
        room_for_thread() ? pthread_create(&pool.threads[pool.count], NULL, work, job) : ENOMEM;
    if (error == 0) {
        pool.count++;
        byre__count(rpc_threads);
    }
    pthread_mutex_unlock(&byre__rpc_serving);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0) return BYRE_OK;
    byre__info("no further thread for remote procedure calls (errno %d): %u go on", error,
               pool.count);
    return BYRE_EAGAIN;
}

/* A thread for a call that counts as active already. Without the lock. */
static int start(struct worker *worker, byre__rpc_job_t *job)
{
    if (worker == NULL) return create_thread(job);
    give(worker, job);
    return BYRE_OK;
}

/* With the lock. */
static void count_begin(byre_rpc_server_t server)
{
    server->active++;
    atomic_fetch_add(&server->running, 1);
}

static void count_end(byre_rpc_server_t server)
{
    server->active--;
    atomic_fetch_sub(&server->running, 1);
}

/* It could not be started. */
static void uncount(byre_rpc_server_t server)
{
    pthread_mutex_lock(&byre__rpc_serving);
    count_end(server);
    server->waking = false;
    pthread_mutex_unlock(&byre__rpc_serving);
}

int byre__rpc_pool_submit(byre__rpc_job_t *job)
{
    byre_rpc_server_t server = job->server;
    struct worker *worker = NULL;
    int error = BYRE_OK;
    job->passes_on = false;
    pthread_mutex_lock(&byre__rpc_serving);
    unsigned room =
        server->active < server->attr.threads ? server->attr.threads - server->active : 0;
    bool now = room > 0 && !server->waking && !pool.stopping;
    if (now) {
        count_begin(server);
        worker = take_idle();
        job->passes_on = server->waking = worker == NULL || worker != self;
    } else if (!byre__rpc_queue_add(server, job, room)) {
        error = BYRE_EAGAIN;
    }
    pthread_mutex_unlock(&byre__rpc_serving);
    if (!now) return error;
    error = start(worker, job);
    if (error != BYRE_OK) uncount(server);
    return error;
}

/* With the lock: the next call that waits, if a thread may be woken for it. */
static byre__rpc_job_t *take_next(byre_rpc_server_t server, struct worker **worker_out)
{
    if (server->waking || server->active >= server->attr.threads) return NULL;
    byre__rpc_job_t *job = byre__rpc_queue_take(server);
    if (job == NULL) return NULL;
    count_begin(server);
    *worker_out = take_idle();
    job->passes_on = server->waking = true;
    return job;
}

enum event { BLOCKS, ARRIVES };

/* The calling thread, which has a call of the server, lets others go on. */
static void start_next(byre_rpc_server_t server, enum event event)
{
    struct worker *worker = NULL;
    pthread_mutex_lock(&byre__rpc_serving);
    if (event == BLOCKS)
        server->active--;
    else
        server->waking = false;
    byre__rpc_job_t *job = take_next(server, &worker);
    pthread_mutex_unlock(&byre__rpc_serving);
    while (job != NULL && start(worker, job) != BYRE_OK) {
        uncount(server);
        byre__rpc_job_refuse(job, BYRE_EAGAIN);
        pthread_mutex_lock(&byre__rpc_serving);
        job = take_next(server, &worker);
        pthread_mutex_unlock(&byre__rpc_serving);
    }
}

/* ---- waiting in a call: invariant 1 ---------------------------------------------------------------------------- */

void byre__rpc_pool_block(byre_rpc_server_t server)
{
    start_next(server, BLOCKS);
}

void byre__rpc_pool_unblock(byre_rpc_server_t server)
{
    pthread_mutex_lock(&byre__rpc_serving);
    server->active++;
    pthread_mutex_unlock(&byre__rpc_serving);
}

/* ---- a worker ------------------------------------------------------------------------------------------------- */

static bool is_given(void *arg)
{
    return atomic_load_explicit(&((struct worker *)arg)->word, memory_order_acquire) == GIVEN;
}

/* Look for a moment. Not when threads have to share cores: others need this one. */
static bool watch(struct worker *worker)
{
    bool alone = false;
    if (byre__cores_short) return is_given(worker);
    uint64_t until = byre__now_ns() + (byre__cores_spare ? WATCH_SPARE_NS : WATCH_NS);
    if (atomic_compare_exchange_strong(&pool.watched, &alone, true)) {
        bool given = false;
        if (byre__drive_try()) { /* else whoever drives would have us spin beside it */
            byre__drive_end();
            given = byre__wait_until(is_given, worker, until);
        }
        atomic_store(&pool.watched, false);
        if (given) return true;
    }
    while (byre__cores_spare && byre__now_ns() < until) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++)
            if (is_given(worker)) return true;
        (void)sched_yield(); /* the answer's reader may be on this core */
    }
    return is_given(worker);
}

/* The next call; NULL: end. With the lock, and left with it. */
static byre__rpc_job_t *next_job(struct worker *worker)
{
    if (pool.stopping) return NULL;
    worker->below = pool.idle;
    pool.idle = worker;
    atomic_store_explicit(&worker->word, NOTHING, memory_order_relaxed);
    pthread_mutex_unlock(&byre__rpc_serving);
    if (!watch(worker)) {
        uint32_t nothing = NOTHING;
        if (atomic_compare_exchange_strong(&worker->word, &nothing, ASLEEP))
            while (!is_given(worker)) futex(&worker->word, FUTEX_WAIT_PRIVATE, ASLEEP);
    }
    pthread_mutex_lock(&byre__rpc_serving);
    return worker->job;
}

static void *work(void *first)
{
    byre__rpc_job_t *job = first;
    self = &own;
    (void)pthread_setname_np(pthread_self(), "byre-rpc");
    while (job != NULL) {
        byre_rpc_server_t server = job->server;
        if (job->passes_on) start_next(server, ARRIVES);
        byre__rpc_job_run(job, true);
        pthread_mutex_lock(&byre__rpc_serving);
        count_end(server);
        job = server->active < server->attr.threads ? byre__rpc_queue_take(server) : NULL;
        if (job != NULL)
            count_begin(server);
        else
            job = next_job(self);
        pthread_mutex_unlock(&byre__rpc_serving);
    }
    return NULL;
}

/* ---- the end: no call is running ------------------------------------------------------------------------------- */

void byre__rpc_pool_stop(void)
{
    pthread_mutex_lock(&byre__rpc_serving);
    pool.stopping = true;
    while (pool.idle != NULL) {
        struct worker *worker = pool.idle;
        pool.idle = worker->below;
        give(worker, NULL);
    }
    pthread_mutex_unlock(&byre__rpc_serving);
    for (unsigned i = 0; i < pool.count; i++) pthread_join(pool.threads[i], NULL);
    free(pool.threads);
    pool.threads = NULL;
    pool.count = pool.room = 0;
}
