/* SPDX-License-Identifier: BSD-3-Clause */
/* ledger_read.c - what the main thread reads, over a connection of its own. Interface: ledger.h. Readers see
 * what was queued before: they have it written first, if it can be. */
#include "ledger_core.h"

#include "runtime/log.h"
#include <byre_errors.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef void (*row_fn)(void *arg, const ledger_job_t *job);

static sqlite3_int64 clip(uint64_t number)
{
    return number < INT64_MAX ? (sqlite3_int64)number : INT64_MAX;
}

static int refused(ledger_t *ledger, int result)
{
    byre__error("the ledger cannot be read: %s", sqlite3_errmsg(ledger->reader.handle));
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return BYRE_EPROTO;
    case SQLITE_NOMEM:
        return BYRE_ENOMEM;
    default:
        return BYRE_ESYSTEM;
    }
}

/* The cursor is bound; its rows. The number of rows, or an error. */
static int read_rows(ledger_t *ledger, sqlite3_stmt *cursor, bool guest, row_fn fn, void *arg)
{
    ledger_job_t job;
    int result, rows = 0;
    bool right = true;
    while (right && (result = sqlite3_step(cursor)) == SQLITE_ROW) {
        right = ledger_row_read(cursor, guest, &job);
        if (right) fn(arg, &job);
        rows++;
    }
    int error = rows;
    if (!right) {
        byre__error("the ledger's row of job %s.%llu is damaged: its checksum is wrong",
                    job.id.home, (unsigned long long)job.id.number);
        error = BYRE_EPROTO;
    } else if (result != SQLITE_DONE) {
        error = refused(ledger, result);
    }
    (void)sqlite3_reset(cursor);
    return error;
}

int ledger_each_open(ledger_t *ledger, row_fn fn, void *arg)
{
    static const ledger_statement_t which[] = { LEDGER_EACH_OPEN, LEDGER_EACH_GUEST };
    (void)ledger_flush(ledger);
    for (int guest = 0; guest < 2; guest++) {
        sqlite3_stmt *cursor = ledger_statement(&ledger->reader, which[guest]);
        if (cursor == NULL) return refused(ledger, SQLITE_ERROR);
        int rows = read_rows(ledger, cursor, guest == 1, fn, arg);
        if (rows < 0) return rows;
    }
    return BYRE_OK;
}

int ledger_each_ended(ledger_t *ledger, uint64_t first, uint64_t last, uint32_t at_most, row_fn fn,
                      void *arg)
{
    (void)ledger_flush(ledger);
    sqlite3_stmt *cursor = ledger_statement(&ledger->reader, LEDGER_EACH_ENDED);
    if (cursor == NULL) return refused(ledger, SQLITE_ERROR);
    (void)sqlite3_bind_int64(cursor, 1, clip(first));
    (void)sqlite3_bind_int64(cursor, 2, clip(last));
    (void)sqlite3_bind_int64(cursor, 3, at_most);
    int rows = read_rows(ledger, cursor, false, fn, arg);
    return rows < 0 ? rows : BYRE_OK;
}

int ledger_get(ledger_t *ledger, const byre__job_id_t *id, bool guest, row_fn fn, void *arg)
{
    (void)ledger_flush(ledger);
    sqlite3_stmt *cursor =
        ledger_statement(&ledger->reader, guest ? LEDGER_GET_GUEST : LEDGER_GET_HOME);
    if (cursor == NULL) return refused(ledger, SQLITE_ERROR);
    (void)sqlite3_bind_int64(cursor, 1, clip(id->number));
    (void)sqlite3_bind_text(cursor, 2, id->home, -1, SQLITE_STATIC);
    int rows = read_rows(ledger, cursor, guest, fn, arg);
    return rows < 0 ? rows : rows == 0 ? BYRE_ENOTFOUND : BYRE_OK;
}

int ledger_get_context(ledger_t *ledger, byre__context_key_t key, void **packed_out,
                       size_t *bytes_out)
{
    (void)ledger_flush(ledger);
    sqlite3_stmt *cursor = ledger_statement(&ledger->reader, LEDGER_GET_CONTEXT);
    if (cursor == NULL) return refused(ledger, SQLITE_ERROR);
    (void)sqlite3_bind_int64(cursor, 1, (sqlite3_int64)key.a);
    (void)sqlite3_bind_int64(cursor, 2, (sqlite3_int64)key.b);
    int error = BYRE_OK, result = sqlite3_step(cursor);
    if (result == SQLITE_DONE) error = BYRE_ENOTFOUND;
    if (result != SQLITE_ROW && result != SQLITE_DONE) error = refused(ledger, result);
    if (result == SQLITE_ROW) {
        const void *packed;
        byre__context_key_t found;
        void *copy = NULL;
        if (!ledger_context_read(cursor, &found, &packed, bytes_out)) {
            byre__error("a context in the ledger is damaged: its checksum is wrong");
            error = BYRE_EPROTO;
        } else if ((copy = malloc(*bytes_out + 1)) == NULL) {
            error = BYRE_ENOMEM;
        } else {
            memcpy(copy, packed, *bytes_out);
            *packed_out = copy;
        }
    }
    (void)sqlite3_reset(cursor);
    return error;
}
