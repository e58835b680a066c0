/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_writer.c - the thread that makes transactions of the queue. Interface and invariants: ledger_core.h.
 *
 *   idle -> (a change) company -> (50 ms, or somebody in a hurry) transaction -> done, or trouble
 *   trouble -> (a second) transaction, again with the same changes
 *
 * In trouble whoever syncs is told at once that it cannot be. A full disk passes when there is room again; after
 * a failed fsync nobody knows what the disk has, so that is for good: changes are dropped from then on.
 */
#include "ledger_core.h"

#include "runtime/log.h"
#include <byre_errors.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum {
    COMPANY_NS = 50000000,
    RETRY_NS = 1000000000,
    MOST_CHANGES = 4096, /* in a transaction: who is in a hurry waits for one at most */
    CHECKPOINT_PAGES =
        1000, /* in the log, and then the writer does it when it has nothing else to do, */
    CHECKPOINT_NOW = 8000 /* or in any case */
};

typedef struct batch {
    ledger_list_t list;
    size_t changes;
    uint64_t limit; /* of numbers, when it is in here */
    bool durable;
    char why[LEDGER_TROUBLE]; /* it failed */
    bool hopeless;
} batch_t;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- one transaction --------------------------------------------------------------------------------- */

static int execute(ledger_t *ledger, const char *text)
{
    return sqlite3_exec(ledger->writer.handle, text, NULL, NULL, NULL);
}

/* Invariant 6: SQLITE_OK, or SQLITE_CONSTRAINT. Jobs that come together mostly share one. */
static int check_context(ledger_t *ledger, byre__context_key_t key)
{
    if (ledger->checked && key.a == ledger->context.a && key.b == ledger->context.b)
        return SQLITE_OK;
    sqlite3_stmt *question = ledger_statement(&ledger->writer, LEDGER_HAS_CONTEXT);
    if (question == NULL) return sqlite3_extended_errcode(ledger->writer.handle);
    (void)sqlite3_bind_int64(question, 1, (sqlite3_int64)key.a);
    (void)sqlite3_bind_int64(question, 2, (sqlite3_int64)key.b);
    int found = sqlite3_step(question);
    int result = sqlite3_reset(question);
    if (result != SQLITE_OK) return result;
    ledger->checked = found == SQLITE_ROW;
    ledger->context = key;
    return found == SQLITE_ROW ? SQLITE_OK : SQLITE_CONSTRAINT;
}

/* The ids that go, for those who keep something by them. */
static int list_dropped(ledger_t *ledger, ledger_change_t *prune, sqlite3_int64 newest)
{
    size_t room = 0;
    sqlite3_stmt *cursor = ledger_statement(&ledger->writer, LEDGER_PRUNE_LIST);
    if (cursor == NULL) return sqlite3_extended_errcode(ledger->writer.handle);
    (void)sqlite3_bind_int64(cursor, 1, newest);
    while (sqlite3_step(cursor) == SQLITE_ROW) {
        if (prune->of.prune.count == room) {
            room = room == 0 ? 64 : 2 * room;
            byre__job_id_t *more = realloc(prune->of.prune.dropped, room * sizeof *more);
            if (more == NULL) {
                (void)sqlite3_reset(cursor);
                return SQLITE_NOMEM;
            }
            prune->of.prune.dropped = more;
        }
        byre__job_id_t *id = &prune->of.prune.dropped[prune->of.prune.count++];
        id->number = (uint64_t)sqlite3_column_int64(cursor, 0);
        (void)snprintf(id->home, sizeof id->home, "%s",
                       (const char *)sqlite3_column_text(cursor, 1));
    }
    return sqlite3_reset(cursor);
}

static int prune_rows(ledger_t *ledger, ledger_change_t *prune)
{
    uint64_t keep = prune->of.prune.keep < INT64_MAX ? prune->of.prune.keep : INT64_MAX;
    sqlite3_stmt *question = ledger_statement(&ledger->writer, LEDGER_PRUNE_LIMIT);
    if (question == NULL) return sqlite3_extended_errcode(ledger->writer.handle);
    (void)sqlite3_bind_int64(question, 1, (sqlite3_int64)keep);
    bool some = sqlite3_step(question) == SQLITE_ROW;
    sqlite3_int64 newest = some ? sqlite3_column_int64(question, 0) : 0;
    int result = sqlite3_reset(question);
    if (result != SQLITE_OK || !some) return result;
    result = list_dropped(ledger, prune, newest);
    if (result != SQLITE_OK) return result;
    sqlite3_stmt *statement = ledger_statement(&ledger->writer, LEDGER_PRUNE);
    if (statement == NULL) return sqlite3_extended_errcode(ledger->writer.handle);
    (void)sqlite3_bind_int64(statement, 1, newest);
    return ledger_run(statement);
}

static int prune(ledger_t *ledger, ledger_change_t *change)
{
    int result = prune_rows(ledger, change);
    if (result != SQLITE_OK) return result;
    ledger->checked = false;
    sqlite3_stmt *statement = ledger_statement(&ledger->writer, LEDGER_PRUNE_CONTEXTS);
    if (statement == NULL) return sqlite3_extended_errcode(ledger->writer.handle);
    return ledger_run(statement);
}

static int apply(ledger_t *ledger, ledger_change_t *change)
{
    ledger_db_t *db = &ledger->writer;
    const ledger_job_t *job = &change->of.job;
    int result;
    switch (change->kind) {
    case LEDGER_CHANGE_CONTEXT:
        return ledger_context_insert(db, change->of.context.key, change->data,
                                     change->of.context.bytes);
    case LEDGER_CHANGE_INSERT:
        result = check_context(ledger, job->context);
        return result != SQLITE_OK ? result : ledger_row_insert(db, job);
    case LEDGER_CHANGE_UPDATE:
        return ledger_row_update(db, job);
    case LEDGER_CHANGE_DELETE:
        return ledger_row_delete(db, &job->id, change->guest);
    case LEDGER_CHANGE_LIMIT:
        return ledger_limit_write(db, change->of.limit);
    case LEDGER_CHANGE_PRUNE:
        return prune(ledger, change);
    case LEDGER_CHANGE_SYNC:
        break;
    }
    return SQLITE_OK;
}

/* Will the same be right when it is tried again? */
static bool may_pass(int result, int number)
{
    if (number == ENOSPC || number == EDQUOT || number == EFBIG) return true;
    switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
        return true;
    default:
        return result == SQLITE_IOERR_WRITE;
    }
}

/* What went wrong, while SQLite still knows. */
static void explain(ledger_t *ledger, batch_t *batch, int result, const ledger_change_t *at)
{
    int number = sqlite3_system_errno(ledger->writer.handle);
    batch->hopeless = !may_pass(result, number);
    if ((result & 0xff) == SQLITE_CONSTRAINT && at != NULL) {
        const byre__job_id_t *id = &at->of.job.id;
        (void)snprintf(
            batch->why, sizeof batch->why,
            "job %s.%llu cannot be written: its context is missing, or its number is taken",
            id->home, (unsigned long long)id->number);
        return;
    }
    bool told = number != 0 && ((result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_FULL);
    (void)snprintf(batch->why, sizeof batch->why, "the ledger cannot be written: %s%s%s. %s",
                   sqlite3_errmsg(ledger->writer.handle), told ? ": " : "",
                   told ? strerror(number) : "",
                   batch->hopeless ? "Repair the disk, and start the daemon again"
                                   : "Make room on its disk; it tries again every second");
}

/* Invariant 3: SQLite syncs the log when a commit has written to it. */
static int begin(ledger_t *ledger, bool durable)
{
    int result = execute(ledger, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (result == SQLITE_OK) result = execute(ledger, "BEGIN IMMEDIATE");
    if (result != SQLITE_OK || !durable || !ledger->unsynced) return result;
    sqlite3_stmt *mark = ledger_statement(&ledger->writer, LEDGER_MARK);
    return mark != NULL ? ledger_run(mark) : sqlite3_extended_errcode(ledger->writer.handle);
}

static void undo(ledger_t *ledger, batch_t *batch)
{
    if (sqlite3_get_autocommit(ledger->writer.handle) == 0) (void)execute(ledger, "ROLLBACK");
    ledger->checked = false;
    for (ledger_change_t *at = batch->list.first; at != NULL; at = at->next) {
        if (at->kind != LEDGER_CHANGE_PRUNE) continue;
        free(at->of.prune.dropped);
        at->of.prune.dropped = NULL;
        at->of.prune.count = 0;
    }
}

static bool write_batch(ledger_t *ledger, batch_t *batch)
{
    if (batch->changes == 0 && !(batch->durable && ledger->unsynced)) return true;
    ledger_change_t *at = NULL;
    int result = begin(ledger, batch->durable);
    for (at = batch->list.first; result == SQLITE_OK && at != NULL; at = at->next)
        if ((result = apply(ledger, at)) != SQLITE_OK) break;
    if (result == SQLITE_OK) result = execute(ledger, "COMMIT");
    if (result == SQLITE_OK) {
        ledger->unsynced = !batch->durable;
        return true;
    }
    explain(ledger, batch, result, at);
    undo(ledger, batch);
    return false;
}

/* ---- the log back into the file ---------------------------------------------------------------------- */

static int note_pages(void *arg, sqlite3 *handle, const char *name, int pages)
{
    (void)handle, (void)name;
    *(int *)arg = pages;
    return SQLITE_OK;
}

/* What it cannot do stays in the log, so only a disk that fails to sync is a trouble. */
static void checkpoint(ledger_t *ledger, batch_t *batch)
{
    int result = sqlite3_wal_checkpoint_v2(ledger->writer.handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                           NULL, NULL);
    if (result != SQLITE_IOERR_FSYNC && (result & 0xff) != SQLITE_CORRUPT) return;
    explain(ledger, batch, result, NULL);
    batch->hopeless = true;
}

/* ---- the queue; under the lock ----------------------------------------------------------------------- */

static void wait_until(ledger_t *ledger, uint64_t ns)
{
    struct timespec limit = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    (void)pthread_cond_timedwait(&ledger->work, &ledger->lock, &limit);
}

static void take_batch(ledger_t *ledger, batch_t *batch)
{
    memset(batch, 0, sizeof *batch);
    ledger_list_init(&batch->list);
    while (ledger->queue.first != NULL && batch->changes < MOST_CHANGES) {
        ledger_change_t *change = ledger_list_pop(&ledger->queue);
        if (change->kind == LEDGER_CHANGE_SYNC) {
            batch->durable = batch->durable || change->durable;
        } else {
            batch->changes++;
        }
        if (change->kind == LEDGER_CHANGE_LIMIT) {
            batch->limit = change->of.limit;
            batch->durable = true;
        }
        ledger_list_append(&batch->list, change);
    }
    ledger->hurry = ledger->queue.first != NULL;
}

static void hand_back(ledger_t *ledger, ledger_change_t *change, int error)
{
    change->error = error;
    ledger_list_append(&ledger->done, change);
}

/* Invariant 2. */
static void answer_syncs(ledger_t *ledger, ledger_list_t *list)
{
    ledger_list_t rest;
    ledger_list_init(&rest);
    while (list->first != NULL) {
        ledger_change_t *change = ledger_list_pop(list);
        if (change->kind == LEDGER_CHANGE_SYNC)
            hand_back(ledger, change, BYRE_ESYSTEM);
        else
            ledger_list_append(&rest, change);
    }
    ledger_list_splice(list, &rest);
}

static void drop_queue(ledger_t *ledger)
{
    answer_syncs(ledger, &ledger->queue);
    while (ledger->queue.first != NULL) ledger_change_free(ledger_list_pop(&ledger->queue));
    ledger->queued = 0;
}

static void batch_written(ledger_t *ledger, batch_t *batch)
{
    ledger->queued -= batch->changes;
    ledger->last_written += batch->changes;
    if (batch->limit != 0) ledger->limit = batch->limit;
    ledger->trouble_new[0] = '\0';
    while (batch->list.first != NULL) {
        ledger_change_t *change = ledger_list_pop(&batch->list);
        if (change->kind == LEDGER_CHANGE_SYNC || change->kind == LEDGER_CHANGE_PRUNE)
            hand_back(ledger, change, BYRE_OK);
        else
            ledger_change_free(change);
    }
}

static void batch_failed(ledger_t *ledger, batch_t *batch)
{
    if (ledger->trouble_new[0] == '\0') byre__error("%s", batch->why);
    memcpy(ledger->trouble_new, batch->why, sizeof ledger->trouble_new);
    ledger->hopeless = batch->hopeless;
    answer_syncs(ledger, &batch->list);
    ledger_list_splice(&batch->list, &ledger->queue);
    ledger_list_splice(&ledger->queue, &batch->list);
}

/* The main thread sleeps on the descriptor, or waits for the queue to be written. */
static void tell_main(ledger_t *ledger, bool news)
{
    if (news || ledger->done.first != NULL) (void)eventfd_write(ledger->event_fd, 1);
    pthread_cond_broadcast(&ledger->written);
}

/* Wait until there is a reason to write. false: the end. */
static bool wait_for_work(ledger_t *ledger)
{
    while (ledger->queue.first == NULL && !ledger->stop) {
        ledger->idle = true;
        (void)pthread_cond_wait(&ledger->work, &ledger->lock);
    }
    ledger->idle = false;
    while (ledger->queue.first != NULL && !ledger->hurry && !ledger->stop &&
           ledger->queued < MOST_CHANGES) {
        uint64_t until = ledger->oldest_ns + COMPANY_NS;
        if (now_ns() >= until) break;
        wait_until(ledger, until);
    }
    return ledger->queue.first != NULL || !ledger->stop;
}

/* In trouble: until it is time to try again. */
static void sit_out(ledger_t *ledger, uint64_t until)
{
    while (!ledger->stop && now_ns() < until) {
        bool told = ledger->queue.first != NULL;
        answer_syncs(ledger, &ledger->queue);
        if (told) tell_main(ledger, false);
        ledger->idle = true;
        wait_until(ledger, until);
        ledger->idle = false;
    }
}

static void make_transaction(ledger_t *ledger, int *pages)
{
    batch_t batch;
    take_batch(ledger, &batch);
    bool was_in_trouble = ledger->trouble_new[0] != '\0';
    pthread_mutex_unlock(&ledger->lock);
    bool right = write_batch(ledger, &batch);
    pthread_mutex_lock(&ledger->lock);
    if (right)
        batch_written(ledger, &batch);
    else
        batch_failed(ledger, &batch);
    tell_main(ledger, was_in_trouble == right);
    bool quiet = ledger->queue.first == NULL;
    if (!right || *pages < (quiet ? CHECKPOINT_PAGES : CHECKPOINT_NOW)) return;
    *pages = 0;
    pthread_mutex_unlock(&ledger->lock);
    checkpoint(ledger, &batch);
    pthread_mutex_lock(&ledger->lock);
    if (!batch.hopeless) return;
    batch_failed(ledger, &batch);
    tell_main(ledger, true);
}

void *ledger_writer(void *arg)
{
    ledger_t *ledger = arg;
    int pages = 0;
    (void)sqlite3_wal_hook(ledger->writer.handle, note_pages, &pages);
    pthread_mutex_lock(&ledger->lock);
    while (wait_for_work(ledger)) {
        bool last = ledger->stop;
        if (!ledger->hopeless) {
            make_transaction(ledger, &pages);
        }
        if (ledger->hopeless) {
            drop_queue(ledger);
            tell_main(ledger, false);
        } else if (ledger->trouble_new[0] != '\0') {
            if (last) ledger->hopeless = true; /* one last try it was */
            sit_out(ledger, now_ns() + RETRY_NS);
        }
    }
    pthread_mutex_unlock(&ledger->lock);
    return NULL;
}
