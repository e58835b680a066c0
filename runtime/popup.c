/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool of recycled threads, for work that may block.
 *
 * A worker that runs out of jobs lays itself on top of the pile of idle workers and sleeps on a
 * semaphore of its own; a job that comes takes the worker on top, whose stack and caches are the
 * warmest. Nothing is allocated for a job or a worker: a job brings its own link, a worker lives on
 * the stack of its thread.
 *
 *   submit --idle worker: take_idle--> handed to it
 *     |----fewer than max: add_worker--> waits; the new thread takes the first that waits
 *     `----otherwise--> waits; a worker that ends its job takes the first that waits
 *
 * Invariants
 *  1. Jobs begin in the order in which they were submitted.
 *  2. When jobs wait, no worker is idle: a worker lies down only when nothing waits, and a job
 *     waits only when nobody is idle. Hence no wake-up is lost.
 *  3. At most `max` threads exist, and none is created once the pool is stopping.
 *  4. A job is the submitter's again as soon as it runs: the pool does not touch it afterwards.
 *
 * pool.lock guards everything but a worker's semaphore. It is a leaf, and not held while a job runs.
 */
#include "popup.h"

#include "counters.h"
#include "log.h"
#include <byre_errors.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct worker {
    struct worker *below;     /* in the pile of idle ones */
    byre__popup_job_t *given; /* what it was woken for; NULL: to end */
    sem_t wake;
};

static struct {
    pthread_mutex_t lock;
    pthread_t *threads; /* [max], `count` of them created */
    int count, max;
    struct worker *idle; /* the top of the pile */
    byre__popup_job_t *first, **end;
    bool stopping;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The first job that waits, or NULL. */
static byre__popup_job_t *take_job(void)
{
    byre__popup_job_t *job = pool.first;
    if (job == NULL) return NULL;
    pool.first = job->next;
    if (pool.first == NULL) pool.end = &pool.first;
    return job;
}

static void add_job(byre__popup_job_t *job)
{
    job->next = NULL;
    *pool.end = job;
    pool.end = &job->next;
}

/* The worker that went idle last, or NULL. */
static struct worker *take_idle(void)
{
    struct worker *worker = pool.idle;
    if (worker != NULL) pool.idle = worker->below;
    return worker;
}

/* The next job of this worker; waits for one. NULL: the pool ends. Called and left with the lock. */
static byre__popup_job_t *next_job(struct worker *self)
{
    byre__popup_job_t *job = take_job();
    if (job != NULL || pool.stopping) return job;
    self->below = pool.idle;
    pool.idle = self;
    pthread_mutex_unlock(&pool.lock);
    while (sem_wait(&self->wake) != 0) {
        /* EINTR: a synchronous signal's handler, or a debugger */
    }
    pthread_mutex_lock(&pool.lock);
    return self->given;
}

static void *work(void *arg)
{
    (void)arg;
    struct worker self = { .below = NULL };
    sem_init(&self.wake, 0, 0);
    (void)pthread_setname_np(pthread_self(), "byre-popup");
    pthread_mutex_lock(&pool.lock);
    for (byre__popup_job_t *job; (job = next_job(&self)) != NULL;) {
        byre__count(popups);
        pthread_mutex_unlock(&pool.lock);
        job->run(job);
        pthread_mutex_lock(&pool.lock);
    }
    pthread_mutex_unlock(&pool.lock);
    sem_destroy(&self.wake);
    return NULL;
}

/* Signals are for the application's threads; a fault is for the thread that caused it. */
static void block_signals(sigset_t *old_out)
{
    static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(&blocked, synchronous[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, old_out);
}

/* One more thread, if there may be one; it finds its job by itself. With the lock. */
static void add_worker(void)
{
    if (pool.count == pool.max || pool.stopping) return;
    sigset_t old;
    block_signals(&old);
    int error = pthread_create(&pool.threads[pool.count], NULL, work, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0) {
        pool.count++;
        byre__count(popup_threads);
    } else {
        byre__info("no further pop-up thread (errno %d): %d go on", error, pool.count);
    }
}

void byre__popup_submit(byre__popup_job_t *job)
{
    pthread_mutex_lock(&pool.lock);
    struct worker *worker = take_idle();
    if (worker != NULL) {
        worker->given = job;
    } else {
        add_job(job);
        add_worker();
    }
    pthread_mutex_unlock(&pool.lock);
    if (worker != NULL) sem_post(&worker->wake);
}

int byre__popup_init(int max_threads)
{
    if (max_threads < 1) return BYRE_EINVAL;
    pool.threads = malloc((size_t)max_threads * sizeof *pool.threads);
    if (pool.threads == NULL) return BYRE_ENOMEM;
    pool.max = max_threads;
    pool.count = 0;
    pool.idle = NULL;
    pool.first = NULL;
    pool.end = &pool.first;
    pool.stopping = false;
    return BYRE_OK;
}

/* Jobs are left over only when no thread could be created at all: the caller runs them. */
static void run_leftovers(void)
{
    for (byre__popup_job_t *job; (job = take_job()) != NULL;) {
        byre__count(popups);
        job->run(job);
    }
}

void byre__popup_fini(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    struct worker *idle = pool.idle;
    pool.idle = NULL;
    while (idle != NULL) {
        struct worker *below = idle->below; /* idle is gone once it is woken */
        idle->given = NULL;
        sem_post(&idle->wake);
        idle = below;
    }
    int count = pool.count;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < count; i++) pthread_join(pool.threads[i], NULL);
    run_leftovers();
    free(pool.threads);
    pool.threads = NULL;
    pool.max = pool.count = 0;
}
