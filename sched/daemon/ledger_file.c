/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_file.c - the ledger's file: created whole, locked, and checked before anything of it is believed.
 *
 *  1. A new file gets its name when it is complete and on disk. So an empty ledger.db, or a log without
 *     its file, is always damage and never a new ledger.
 *  2. A file that is refused is left as it was, its log too: nothing is checkpointed.
 */
#include "ledger_core.h"

#include <byre_errors.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

typedef struct opening {
    char path[LEDGER_PATH]; /* DIR/ledger.db */
    char *error;            /* [256] */
} opening_t;

__attribute__((format(printf, 3, 4))) static int refuse(opening_t *opening, int error,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(opening->error, 256, format, args);
    va_end(args);
    return error;
}

static int damaged(opening_t *opening, const char *how)
{
    return refuse(opening, BYRE_EPROTO,
                  "the ledger is damaged (%s); it was left as it is. Put a copy back, or move "
                  "it away to begin anew without its jobs: %s",
                  how, opening->path);
}

/* What SQLite says, in our terms. */
static int refused_by_sqlite(opening_t *opening, sqlite3 *handle, int result)
{
    int number = handle != NULL ? sqlite3_system_errno(handle) : 0;
    const char *why = handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(result);
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(opening, why);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return refuse(opening, BYRE_EBUSY, "another process uses %s: end it, and try again",
                      opening->path);
    case SQLITE_NOMEM:
        return refuse(opening, BYRE_ENOMEM, "no memory to open %s", opening->path);
    default:
        return refuse(opening, BYRE_ESYSTEM, "cannot use %s: %s%s%s", opening->path, why,
                      number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
    }
}

/* ---- lock ------------------------------------------------------------------------------------------- */

static int lock_directory(opening_t *opening, const char *dir, int *lock_out)
{
    char path[LEDGER_PATH + 16];
    (void)snprintf(path, sizeof path, "%s/ledger.lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(opening, BYRE_ESYSTEM, "cannot write in the state directory: %s: %s", path,
                      strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno == EWOULDBLOCK ? BYRE_EBUSY : BYRE_ESYSTEM;
        close(fd);
        if (error == BYRE_EBUSY)
            return refuse(opening, error, "another daemon has the ledger: %s", opening->path);
        return refuse(opening, error, "cannot lock %s: %s", path, strerror(errno));
    }
    *lock_out = fd;
    return BYRE_OK;
}

/* ---- a new file ------------------------------------------------------------------------------------- */

static int execute(sqlite3 *handle, const char *text)
{
    return sqlite3_exec(handle, text, NULL, NULL, NULL);
}

/* An empty ledger under a name that nobody looks at. */
static int write_new(opening_t *opening, const char *path)
{
    char text[128];
    ledger_db_t db = { 0 };
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return refuse(opening, BYRE_ESYSTEM, "cannot create %s: %s", path, strerror(errno));
    close(fd);
    int result =
        sqlite3_open_v2(path, &db.handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK)
        result = execute(db.handle, "PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL");
    if (result == SQLITE_OK) result = execute(db.handle, "BEGIN");
    if (result == SQLITE_OK) result = execute(db.handle, ledger_schema);
    if (result == SQLITE_OK) result = ledger_limit_write(&db, 1);
    (void)snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                   LEDGER_APPLICATION, LEDGER_VERSION);
    if (result == SQLITE_OK) result = execute(db.handle, text);
    if (result == SQLITE_OK)
        result = sqlite3_wal_checkpoint_v2(db.handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    int error = BYRE_OK;
    if (result != SQLITE_OK) error = refused_by_sqlite(opening, db.handle, result);
    ledger_db_close(&db);
    return error;
}

static void remove_with_log(const char *path)
{
    static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
    char name[LEDGER_PATH + 32];
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, tails[i]);
        (void)unlink(name);
    }
}

static int sync_directory(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    int failed = fsync(fd);
    close(fd);
    return failed;
}

/* Invariant 1. */
static int create(opening_t *opening, const char *dir)
{
    char path[LEDGER_PATH + 16];
    (void)snprintf(path, sizeof path, "%s.new", opening->path);
    remove_with_log(path); /* of somebody who came no further */
    int error = write_new(opening, path);
    if (error == BYRE_OK && (rename(path, opening->path) != 0 || sync_directory(dir) != 0))
        error =
            refuse(opening, BYRE_ESYSTEM, "cannot create %s: %s", opening->path, strerror(errno));
    if (error != BYRE_OK) remove_with_log(path);
    return error;
}

static int create_if_missing(opening_t *opening, const char *dir)
{
    char log[LEDGER_PATH + 16];
    struct stat status;
    (void)snprintf(log, sizeof log, "%s-wal", opening->path);
    if (stat(opening->path, &status) == 0)
        return status.st_size > 0 ? BYRE_OK : damaged(opening, "the file is empty");
    if (errno != ENOENT)
        return refuse(opening, BYRE_ESYSTEM, "cannot look at %s: %s", opening->path,
                      strerror(errno));
    if (stat(log, &status) == 0 && status.st_size > 0)
        return damaged(opening, "its log is there, and ledger.db itself is missing");
    return create(opening, dir);
}

/* ---- checks ----------------------------------------------------------------------------------------- */

/* A number that a pragma tells. */
static int ask_number(sqlite3 *handle, const char *text, int *value_out)
{
    sqlite3_stmt *question = NULL;
    int result = sqlite3_prepare_v2(handle, text, -1, &question, NULL);
    if (result == SQLITE_OK && (result = sqlite3_step(question)) == SQLITE_ROW) {
        *value_out = sqlite3_column_int(question, 0);
        result = SQLITE_OK;
    }
    (void)sqlite3_finalize(question);
    return result;
}

static int check_version(opening_t *opening, sqlite3 *handle)
{
    int application = 0, version = 0;
    int result = ask_number(handle, "PRAGMA application_id", &application);
    if (result == SQLITE_OK) result = ask_number(handle, "PRAGMA user_version", &version);
    if (result != SQLITE_OK) return refused_by_sqlite(opening, handle, result);
    if (application != LEDGER_APPLICATION)
        return refuse(opening, BYRE_EPROTO,
                      "this is not a ledger of Byre (application id %d); it was left as it is. "
                      "Move it away: %s",
                      application, opening->path);
    if (version != LEDGER_VERSION)
        return refuse(opening, BYRE_EPROTO,
                      "the ledger is of version %d, this program reads version %d; it was left as "
                      "it is. Use the Byre that wrote it, or move it away: %s",
                      version, LEDGER_VERSION, opening->path);
    return BYRE_OK;
}

/* SQLite's own check of its pages and indexes. */
static int check_structure(opening_t *opening, sqlite3 *handle)
{
    sqlite3_stmt *question = NULL;
    int error = BYRE_OK,
        result = sqlite3_prepare_v2(handle, "PRAGMA integrity_check(1)", -1, &question, NULL);
    if (result == SQLITE_OK) result = sqlite3_step(question);
    if (result != SQLITE_ROW) {
        error = refused_by_sqlite(opening, handle, result);
    } else {
        char said[96];
        const unsigned char *text = sqlite3_column_text(question, 0);
        (void)snprintf(said, sizeof said, "%s", text != NULL ? (const char *)text : "?");
        for (char *line; (line = strchr(said, '\n')) != NULL;) *line = ' ';
        if (strcmp(said, "ok") != 0) error = damaged(opening, said);
    }
    (void)sqlite3_finalize(question);
    return error;
}

/* Invariant 5 of the ledger, for a table. */
static int check_rows(opening_t *opening, ledger_db_t *db, bool guest)
{
    ledger_job_t job;
    char how[BYRE__JOB_ID + 64];
    int result, error = BYRE_OK;
    sqlite3_stmt *cursor = ledger_statement(db, guest ? LEDGER_EACH_GUEST : LEDGER_EACH_HOME);
    if (cursor == NULL) return refused_by_sqlite(opening, db->handle, SQLITE_ERROR);
    while ((result = sqlite3_step(cursor)) == SQLITE_ROW) {
        if (ledger_row_read(cursor, guest, &job)) continue;
        (void)snprintf(how, sizeof how, "the row of job %.47s.%llu has a wrong checksum",
                       job.id.home, (unsigned long long)job.id.number);
        error = damaged(opening, how);
        break;
    }
    if (error == BYRE_OK && result != SQLITE_DONE)
        error = refused_by_sqlite(opening, db->handle, result);
    (void)sqlite3_reset(cursor);
    return error;
}

static int check_contexts(opening_t *opening, ledger_db_t *db)
{
    byre__context_key_t key;
    const void *packed;
    size_t bytes;
    int result, error = BYRE_OK, missing = 0;
    sqlite3_stmt *cursor = ledger_statement(db, LEDGER_EACH_CONTEXT);
    if (cursor == NULL) return refused_by_sqlite(opening, db->handle, SQLITE_ERROR);
    while (error == BYRE_OK && (result = sqlite3_step(cursor)) == SQLITE_ROW)
        if (!ledger_context_read(cursor, &key, &packed, &bytes))
            error = damaged(opening,
                            "a context (directory and environment of jobs) has a wrong checksum");
    if (error == BYRE_OK && result != SQLITE_DONE)
        error = refused_by_sqlite(opening, db->handle, result);
    (void)sqlite3_reset(cursor);
    if (error != BYRE_OK) return error;
    result = ask_number(db->handle,
                        "SELECT count(*) FROM (SELECT context_a, context_b FROM homes UNION "
                        "SELECT context_a, context_b FROM guests EXCEPT SELECT a, b FROM contexts)",
                        &missing);
    if (result != SQLITE_OK) return refused_by_sqlite(opening, db->handle, result);
    if (missing > 0) return damaged(opening, "a context that jobs name is missing");
    return BYRE_OK;
}

static int check(opening_t *opening, ledger_db_t *db)
{
    int error = check_version(opening, db->handle);
    if (error == BYRE_OK) error = check_structure(opening, db->handle);
    if (error == BYRE_OK) error = check_rows(opening, db, false);
    if (error == BYRE_OK) error = check_rows(opening, db, true);
    if (error == BYRE_OK) error = check_contexts(opening, db);
    if (error == BYRE_OK && ledger_limit_read(db) == 0)
        error = damaged(opening, "the number of the next job has a wrong checksum");
    return error;
}

/* ---- opening ---------------------------------------------------------------------------------------- */

static int connect_to(opening_t *opening, ledger_db_t *db)
{
    int result = sqlite3_open_v2(opening->path, &db->handle,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result != SQLITE_OK) return refused_by_sqlite(opening, db->handle, result);
    (void)sqlite3_extended_result_codes(db->handle, 1);
    (void)sqlite3_busy_timeout(db->handle, BUSY_MS);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            NULL); /* invariant 2 */
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (sqlite3_db_readonly(db->handle, "main") == 1)
        return refuse(opening, BYRE_ESYSTEM, "cannot write to %s: no permission", opening->path);
    return BYRE_OK;
}

static int tune(opening_t *opening, sqlite3 *handle)
{
    /* The writer checkpoints by itself, when it has time: ledger_writer.c. */
    int result = execute(handle, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                                 "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA synchronous=NORMAL");
    if (result != SQLITE_OK) return refused_by_sqlite(opening, handle, result);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return BYRE_OK;
}

/* Can it be written? What a header forbids, or the disk, is better known now than at the first job. */
static int try_to_write(opening_t *opening, ledger_db_t *db)
{
    int result = execute(db->handle, "BEGIN IMMEDIATE");
    sqlite3_stmt *mark = ledger_statement(db, LEDGER_MARK);
    if (result == SQLITE_OK)
        result = mark != NULL ? ledger_run(mark) : sqlite3_extended_errcode(db->handle);
    if (result == SQLITE_OK) result = execute(db->handle, "COMMIT");
    return result == SQLITE_OK ? BYRE_OK : refused_by_sqlite(opening, db->handle, result);
}

int ledger_file_open(const char *dir, ledger_db_t *writer, ledger_db_t *reader, int *lock_out,
                     char error_out[static 256])
{
    opening_t opening = { .error = error_out };
    error_out[0] = '\0';
    if (snprintf(opening.path, sizeof opening.path, "%s/ledger.db", dir) >=
        (int)sizeof opening.path)
        return refuse(&opening, BYRE_ESYSTEM, "the name of the state directory is too long");
    int error = lock_directory(&opening, dir, lock_out);
    if (error != BYRE_OK) return error;
    error = create_if_missing(&opening, dir);
    if (error == BYRE_OK) error = connect_to(&opening, writer);
    if (error == BYRE_OK) error = check(&opening, writer);
    if (error == BYRE_OK) error = connect_to(&opening, reader);
    if (error == BYRE_OK) error = tune(&opening, writer->handle);
    if (error == BYRE_OK) error = tune(&opening, reader->handle);
    if (error == BYRE_OK) error = try_to_write(&opening, writer);
    if (error == BYRE_OK) return BYRE_OK;
    ledger_db_close(reader);
    ledger_db_close(writer);
    close(*lock_out);
    *lock_out = -1;
    return error;
}
