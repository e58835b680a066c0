/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_core.h - what the files of the ledger share.
 *
 *   ledger.c         changes into the queue, numbers, what the main thread hears back
 *   ledger_writer.c  the thread that makes transactions of the queue
 *   ledger_read.c    what the main thread reads
 *   ledger_file.c    the file: created whole, locked, checked
 *   ledger_row.c     rows and contexts to and from SQLite, with their checksums
 *
 * Invariants
 *  1. The writer thread has a connection of its own, and the main thread one to read: nobody waits for
 *     another one's statement.
 *  2. Changes are written in the order in which they were queued. A transaction that fails leaves its changes
 *     at the head of the queue; what waited for them is told at once.
 *  3. A callback that says `durable' is called after an fsync of the log that came after the last of its changes.
 *  4. A number is given out when a limit above it is on disk (durable).
 *  5. A row is believed only if both its checksums are right: that of what never changes (id, context, spec,
 *     time of submission), and that of the rest.
 *  6. A row's context is in the file before the row is.
 */
#ifndef BYRE__SCHED_LEDGER_CORE_H
#define BYRE__SCHED_LEDGER_CORE_H

#include "ledger.h"

#include <pthread.h>
#include <sqlite3.h>

enum { LEDGER_VERSION = 1, LEDGER_APPLICATION = 0x42795265 /* ByRe */ };
enum { LEDGER_TROUBLE = 256, LEDGER_PATH = 4096 };

/* ---- ledger_row.c ------------------------------------------------------------------------------------ */

typedef enum ledger_statement {
    LEDGER_PUT_CONTEXT,
    LEDGER_HAS_CONTEXT,
    LEDGER_GET_CONTEXT,
    LEDGER_INSERT_HOME,
    LEDGER_INSERT_GUEST,
    LEDGER_UPDATE_HOME,
    LEDGER_UPDATE_GUEST,
    LEDGER_DELETE_HOME,
    LEDGER_DELETE_GUEST,
    LEDGER_GET_HOME,
    LEDGER_GET_GUEST,
    LEDGER_EACH_OPEN,
    LEDGER_EACH_GUEST,
    LEDGER_EACH_ENDED,
    LEDGER_EACH_HOME,
    LEDGER_EACH_CONTEXT,
    LEDGER_PRUNE_LIMIT, /* the newest number that goes */
    LEDGER_PRUNE_LIST,
    LEDGER_PRUNE,
    LEDGER_PRUNE_CONTEXTS,
    LEDGER_SET_LIMIT,
    LEDGER_GET_LIMIT,
    LEDGER_MARK, /* something to commit, so that there is something to sync */
    LEDGER_STATEMENTS
} ledger_statement_t;

typedef struct ledger_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[LEDGER_STATEMENTS]; /* prepared when first used */
} ledger_db_t;

/* Ready to bind and step; NULL: sqlite3_errmsg says why. */
sqlite3_stmt *ledger_statement(ledger_db_t *db, ledger_statement_t which);
void ledger_db_close(ledger_db_t *db);
/* Run it, which gives no rows. An SQLite result, SQLITE_OK. */
int ledger_run(sqlite3_stmt *statement);

int ledger_row_insert(ledger_db_t *db, const ledger_job_t *job);
int ledger_row_update(ledger_db_t *db, const ledger_job_t *job);
int ledger_row_delete(ledger_db_t *db, const byre__job_id_t *id, bool guest);
int ledger_context_insert(ledger_db_t *db, byre__context_key_t key, const void *packed,
                          size_t bytes);
int ledger_limit_write(ledger_db_t *db, uint64_t limit);
uint64_t ledger_limit_read(ledger_db_t *db); /* 0: damaged */
/* The row under a cursor; false: its checksums are wrong, and only the id is filled in, as far as it is known. */
bool ledger_row_read(sqlite3_stmt *cursor, bool guest, ledger_job_t *job_out);
/* A context under a cursor of GET_CONTEXT or EACH_CONTEXT. */
bool ledger_context_read(sqlite3_stmt *cursor, byre__context_key_t *key_out,
                         const void **packed_out, size_t *bytes_out);

extern const char ledger_schema[];

/* ---- ledger_file.c ----------------------------------------------------------------------------------- */

/* The lock, the file, both connections, checked. As ledger_open. */
int ledger_file_open(const char *dir, ledger_db_t *writer, ledger_db_t *reader, int *lock_out,
                     char error_out[static 256]);

/* ---- changes ----------------------------------------------------------------------------------------- */

typedef enum ledger_change_kind {
    LEDGER_CHANGE_CONTEXT,
    LEDGER_CHANGE_INSERT,
    LEDGER_CHANGE_UPDATE,
    LEDGER_CHANGE_DELETE,
    LEDGER_CHANGE_LIMIT, /* of numbers */
    LEDGER_CHANGE_PRUNE,
    LEDGER_CHANGE_SYNC /* changes nothing */
} ledger_change_kind_t;

/* In the queue; prunes and syncs go on to the list of what is done. */
typedef struct ledger_change {
    struct ledger_change *next;
    ledger_change_kind_t kind;
    bool durable; /* SYNC */
    bool guest;   /* DELETE */
    int error;    /* SYNC, when done */
    union {
        ledger_job_t job; /* INSERT, UPDATE: the spec is in `data'. DELETE: the id */
        struct {
            byre__context_key_t key;
            size_t bytes; /* in `data' */
        } context;
        uint64_t limit;
        struct {
            void (*fn)(void *arg, int error);
            void *arg;
        } sync;
        struct {
            uint64_t keep;
            void (*drop)(void *arg, const byre__job_id_t *id);
            void *arg;
            byre__job_id_t *dropped; /* when done; malloc'ed */
            size_t count;
        } prune;
    } of;
    unsigned char data[];
} ledger_change_t;

typedef struct ledger_list {
    ledger_change_t *first, **end;
} ledger_list_t;

void ledger_list_init(ledger_list_t *list);
void ledger_list_append(ledger_list_t *list, ledger_change_t *change);
void ledger_list_splice(ledger_list_t *list, ledger_list_t *tail); /* and empties it */
ledger_change_t *ledger_list_pop(ledger_list_t *list);
void ledger_change_free(ledger_change_t *change);

struct ledger {
    /* ---- fixed ---- */
    int lock_fd, event_fd;
    pthread_t thread;
    ledger_db_t writer; /* the writer thread's */
    pthread_mutex_t lock;
    pthread_cond_t work, written;

    /* ---- guarded by lock ---- */
    ledger_list_t queue;
    size_t queued;      /* changes in the queue and in the transaction under way */
    uint64_t oldest_ns; /* when the queue got its first entry */
    bool hurry;         /* somebody waits: do not wait for company */
    bool idle;          /* the writer waits for work */
    bool stop;
    ledger_list_t done;
    uint64_t last_queued;  /* ordinal of the latest change; */
    uint64_t last_written; /* and of the latest that is in the file */
    uint64_t limit;        /* numbers below it may be given (invariant 4) */
    char trouble_new[LEDGER_TROUBLE];
    bool hopeless; /* not to be tried again */

    /* ---- the writer's ---- */
    bool unsynced; /* the file has lazy changes that no fsync has followed */
    bool checked;  /* `context' is in the file */
    byre__context_key_t context;

    /* ---- the main thread's ---- */
    ledger_db_t reader;
    uint64_t next, asked; /* number; limit asked for */
    char trouble[LEDGER_TROUBLE];
    byre__context_key_t
        *known; /* contexts that are queued or written; open addressing, key 0: free */
    size_t known_room, known_count;
};

/* ledger.c, for the readers: wait until all that was queued is written. false: it cannot be. */
bool ledger_flush(ledger_t *ledger);
/* ledger_writer.c */
void *ledger_writer(void *arg); /* ledger_t */

#endif
