/* SPDX-License-Identifier: BSD-3-Clause */
/* ledger.c - changes into the queue, numbers, and what the main thread hears back. Interface: ledger.h; the
 * invariants: ledger_core.h. */
#include "ledger_core.h"

#include <byre_errors.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK = 1024
}; /* numbers that are reserved at a time: so many are lost at most by a crash, twice */
#define MOST_NUMBERS ((uint64_t)1 << 40)

/* ---- lists ------------------------------------------------------------------------------------------ */

void ledger_list_init(ledger_list_t *list)
{
    list->first = NULL;
    list->end = &list->first;
}

void ledger_list_append(ledger_list_t *list, ledger_change_t *change)
{
    change->next = NULL;
    *list->end = change;
    list->end = &change->next;
}

void ledger_list_splice(ledger_list_t *list, ledger_list_t *tail)
{
    if (tail->first == NULL) return;
    *list->end = tail->first;
    list->end = tail->end;
    ledger_list_init(tail);
}

ledger_change_t *ledger_list_pop(ledger_list_t *list)
{
    ledger_change_t *change = list->first;
    list->first = change->next;
    if (list->first == NULL) list->end = &list->first;
    return change;
}

void ledger_change_free(ledger_change_t *change)
{
    if (change->kind == LEDGER_CHANGE_PRUNE) free(change->of.prune.dropped);
    free(change);
}

/* ---- into the queue --------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static ledger_change_t *make_change(ledger_change_kind_t kind, const void *data, size_t bytes)
{
    ledger_change_t *change = malloc(sizeof *change + bytes);
    if (change == NULL) return NULL;
    memset(change, 0, sizeof *change);
    change->kind = kind;
    if (bytes > 0) memcpy(change->data, data, bytes);
    return change;
}

static void queue_change(ledger_t *ledger, ledger_change_t *change, bool hurry)
{
    uint64_t now = now_ns();
    pthread_mutex_lock(&ledger->lock);
    bool wake = ledger->idle || (hurry && !ledger->hurry);
    if (ledger->queue.first == NULL) ledger->oldest_ns = now;
    if (change->kind != LEDGER_CHANGE_SYNC) {
        ledger->queued++;
        ledger->last_queued++;
    }
    ledger->hurry = ledger->hurry || hurry;
    ledger_list_append(&ledger->queue, change);
    pthread_mutex_unlock(&ledger->lock);
    if (wake) (void)pthread_cond_signal(&ledger->work);
}

int ledger_insert(ledger_t *ledger, const ledger_job_t *job)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_INSERT, job->spec, job->spec_bytes);
    if (change == NULL) return BYRE_ENOMEM;
    change->of.job = *job;
    change->of.job.spec = change->data;
    queue_change(ledger, change, false);
    return BYRE_OK;
}

int ledger_update(ledger_t *ledger, const ledger_job_t *job)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_UPDATE, NULL, 0);
    if (change == NULL) return BYRE_ENOMEM;
    change->of.job = *job;
    change->of.job.spec = NULL;
    change->of.job.spec_bytes = 0;
    queue_change(ledger, change, false);
    return BYRE_OK;
}

int ledger_delete(ledger_t *ledger, const byre__job_id_t *id, bool guest)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_DELETE, NULL, 0);
    if (change == NULL) return BYRE_ENOMEM;
    change->of.job.id = *id;
    change->guest = guest;
    queue_change(ledger, change, false);
    return BYRE_OK;
}

int ledger_sync(ledger_t *ledger, bool durable, void (*fn)(void *arg, int error), void *arg)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_SYNC, NULL, 0);
    if (change == NULL) return BYRE_ENOMEM;
    change->durable = durable;
    change->of.sync.fn = fn;
    change->of.sync.arg = arg;
    queue_change(ledger, change, durable);
    return BYRE_OK;
}

size_t ledger_backlog(const ledger_t *ledger)
{
    ledger_t *l =
        (ledger_t *)(uintptr_t)ledger; /* const for the caller: only its lock is touched */
    pthread_mutex_lock(&l->lock);
    size_t queued = l->queued;
    pthread_mutex_unlock(&l->lock);
    return queued;
}

/* ---- contexts: each is queued once, until a prune may have removed it ------------------------------------ */

static bool is_zero(byre__context_key_t key)
{
    return key.a == 0 && key.b == 0;
}

/* Where it is, or where it goes. There is always a free place. */
static byre__context_key_t *place_of(byre__context_key_t *keys, size_t room,
                                     byre__context_key_t key)
{
    size_t at = (size_t)(key.a ^ key.b) & (room - 1);
    while (!is_zero(keys[at]) && (keys[at].a != key.a || keys[at].b != key.b))
        at = (at + 1) & (room - 1);
    return &keys[at];
}

static bool grow_known(ledger_t *ledger)
{
    size_t room = ledger->known_room == 0 ? 64 : 2 * ledger->known_room;
    byre__context_key_t *keys = calloc(room, sizeof *keys);
    if (keys == NULL) return false;
    for (size_t i = 0; i < ledger->known_room; i++)
        if (!is_zero(ledger->known[i])) *place_of(keys, room, ledger->known[i]) = ledger->known[i];
    free(ledger->known);
    ledger->known = keys;
    ledger->known_room = room;
    return true;
}

static void forget_contexts(ledger_t *ledger)
{
    free(ledger->known);
    ledger->known = NULL;
    ledger->known_room = ledger->known_count = 0;
}

int ledger_put_context(ledger_t *ledger, byre__context_key_t key, const void *packed, size_t bytes)
{
    if (2 * ledger->known_count >= ledger->known_room && !grow_known(ledger)) return BYRE_ENOMEM;
    byre__context_key_t *place = place_of(ledger->known, ledger->known_room, key);
    if (!is_zero(*place)) return BYRE_OK;
    ledger_change_t *change = make_change(LEDGER_CHANGE_CONTEXT, packed, bytes);
    if (change == NULL) return BYRE_ENOMEM;
    change->of.context.key = key;
    change->of.context.bytes = bytes;
    queue_change(ledger, change, false);
    *place = key;
    if (!is_zero(key)) ledger->known_count++;
    return BYRE_OK;
}

int ledger_prune(ledger_t *ledger, uint64_t keep, void (*drop)(void *arg, const byre__job_id_t *id),
                 void *arg)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_PRUNE, NULL, 0);
    if (change == NULL) return BYRE_ENOMEM;
    change->of.prune.keep = keep;
    change->of.prune.drop = drop;
    change->of.prune.arg = arg;
    queue_change(ledger, change, false);
    forget_contexts(ledger);
    return BYRE_OK;
}

/* ---- waiting ----------------------------------------------------------------------------------------- */

/* Under the lock. */
static void hurry(ledger_t *ledger)
{
    ledger->hurry = true;
    (void)pthread_cond_signal(&ledger->work);
}

bool ledger_flush(ledger_t *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    uint64_t last = ledger->last_queued;
    if (ledger->last_written < last) hurry(ledger);
    while (ledger->last_written < last && ledger->trouble_new[0] == '\0')
        (void)pthread_cond_wait(&ledger->written, &ledger->lock);
    bool written = ledger->last_written >= last;
    pthread_mutex_unlock(&ledger->lock);
    return written;
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

static bool ask_for_numbers(ledger_t *ledger, uint64_t limit, bool now)
{
    ledger_change_t *change = make_change(LEDGER_CHANGE_LIMIT, NULL, 0);
    if (change == NULL) return false;
    change->of.limit = limit;
    ledger->asked = limit;
    queue_change(ledger, change, now);
    return true;
}

/* Invariant 4. */
static bool wait_for_numbers(ledger_t *ledger, uint64_t limit)
{
    pthread_mutex_lock(&ledger->lock);
    if (ledger->limit < limit && ledger->queued > 0) hurry(ledger);
    while (ledger->limit < limit && ledger->trouble_new[0] == '\0')
        (void)pthread_cond_wait(&ledger->written, &ledger->lock);
    bool enough = ledger->limit >= limit;
    pthread_mutex_unlock(&ledger->lock);
    return enough;
}

uint64_t ledger_take_numbers(ledger_t *ledger, uint64_t count)
{
    uint64_t first = ledger->next, limit = first + count;
    if (count == 0 || count > MOST_NUMBERS) return 0;
    if (ledger->asked < limit && !ask_for_numbers(ledger, limit + BLOCK, true)) return 0;
    if (!wait_for_numbers(ledger, limit)) return 0;
    ledger->next = limit;
    /* Before they run out, so that nobody has to wait. */
    if (ledger->asked - limit < BLOCK / 2) (void)ask_for_numbers(ledger, limit + BLOCK, false);
    return first;
}

/* ---- what the main thread hears back ------------------------------------------------------------------ */

int ledger_fd(const ledger_t *ledger)
{
    return ledger->event_fd;
}

const char *ledger_trouble(const ledger_t *ledger)
{
    return ledger->trouble[0] != '\0' ? ledger->trouble : NULL;
}

static void tell(ledger_change_t *change)
{
    if (change->kind == LEDGER_CHANGE_SYNC) {
        change->of.sync.fn(change->of.sync.arg, change->error);
    } else if (change->of.prune.drop != NULL) {
        for (size_t i = 0; i < change->of.prune.count; i++)
            change->of.prune.drop(change->of.prune.arg, &change->of.prune.dropped[i]);
    }
}

void ledger_reap(ledger_t *ledger)
{
    eventfd_t count;
    ledger_list_t done;
    ledger_list_init(&done);
    (void)eventfd_read(ledger->event_fd,
                       &count); /* before the list: what comes later rings again */
    pthread_mutex_lock(&ledger->lock);
    ledger_list_splice(&done, &ledger->done);
    memcpy(ledger->trouble, ledger->trouble_new, sizeof ledger->trouble);
    pthread_mutex_unlock(&ledger->lock);
    while (done.first != NULL) {
        ledger_change_t *change = ledger_list_pop(&done);
        tell(change);
        ledger_change_free(change);
    }
}

/* ---- open and close ---------------------------------------------------------------------------------- */

static void init_locks(ledger_t *ledger)
{
    pthread_condattr_t attributes;
    pthread_mutex_init(&ledger->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->work, &attributes);
    pthread_cond_init(&ledger->written, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void fini_locks(ledger_t *ledger)
{
    pthread_cond_destroy(&ledger->written);
    pthread_cond_destroy(&ledger->work);
    pthread_mutex_destroy(&ledger->lock);
}

/* Signals are the main thread's. */
static int start_writer(ledger_t *ledger)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&ledger->thread, NULL, ledger_writer, ledger);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0) (void)pthread_setname_np(ledger->thread, "byre-ledger");
    return failed;
}

int ledger_open(const char *dir, ledger_t **ledger_out, char error_out[static 256])
{
    ledger_t *ledger = calloc(1, sizeof *ledger);
    error_out[0] = '\0';
    if (ledger == NULL) return BYRE_ENOMEM;
    ledger_list_init(&ledger->queue);
    ledger_list_init(&ledger->done);
    init_locks(ledger);
    ledger->unsynced = true; /* whoever had it before us may have been killed */
    int error =
        ledger_file_open(dir, &ledger->writer, &ledger->reader, &ledger->lock_fd, error_out);
    if (error != BYRE_OK) goto undo_locks;
    ledger->next = ledger->asked = ledger->limit = ledger_limit_read(&ledger->reader);
    ledger->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int failed = ledger->event_fd < 0 ? errno : start_writer(ledger);
    if (failed != 0) {
        (void)snprintf(error_out, 256, "cannot begin to write the ledger: %s", strerror(failed));
        error = BYRE_ESYSTEM;
        goto undo_file;
    }
    *ledger_out = ledger;
    return BYRE_OK;
undo_file:
    if (ledger->event_fd >= 0) close(ledger->event_fd);
    ledger_db_close(&ledger->reader);
    ledger_db_close(&ledger->writer);
    close(ledger->lock_fd);
undo_locks:
    fini_locks(ledger);
    free(ledger);
    return error;
}

void ledger_close(ledger_t *ledger)
{
    /* The numbers that nobody got can be given by the next daemon. */
    if (ledger->asked != ledger->next) (void)ask_for_numbers(ledger, ledger->next, true);
    pthread_mutex_lock(&ledger->lock);
    ledger->stop = true;
    pthread_mutex_unlock(&ledger->lock);
    (void)pthread_cond_signal(&ledger->work);
    (void)pthread_join(ledger->thread, NULL);
    ledger_reap(ledger);
    ledger_db_close(&ledger->reader);
    ledger_db_close(&ledger->writer); /* the last one: the log goes back into the file */
    close(ledger->event_fd);
    close(ledger->lock_fd);
    forget_contexts(ledger);
    fini_locks(ledger);
    free(ledger);
}
