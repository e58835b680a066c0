/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger_row.c - rows and contexts to and from SQLite, with their checksums. Interface and invariants: ledger_core.h.
 *
 * All columns are in one order everywhere: in the tables, in the statements that write, and in those that read.
 */
#include "ledger_core.h"

#include <stdio.h>
#include <string.h>

enum column {
    NUMBER,
    HOME,
    CONTEXT_A,
    CONTEXT_B,
    SUBMITTED,
    FIXED_SUM,
    STATE, /* from here: what changes */
    ATTEMPT,
    NODE,
    NODE_BOOT,
    CPU_LIST,
    PID,
    STARTED,
    END_KIND,
    END_CODE,
    END_USER,
    END_SYSTEM,
    END_RSS,
    END_STARTED,
    END_ENDED,
    END_OUT,
    END_ERR,
    END_DETAIL,
    SUM,
    SPEC, /* last: SQLite reads no further than it must */
    COLUMNS
};

#define VARIABLE                                                                                \
    "state, attempt, node, node_boot, cpu_list, pid, started_ms, end_kind, end_code, user_us, " \
    "system_us, max_rss_kb, end_started_ms, ended_ms, out_bytes, err_bytes, detail, sum"
#define ALL "number, home, context_a, context_b, submitted_ms, fixed_sum, " VARIABLE ", spec"
#define TYPES                                                                              \
    "home TEXT NOT NULL, context_a INTEGER NOT NULL, context_b INTEGER NOT NULL, "         \
    "submitted_ms INTEGER NOT NULL, fixed_sum INTEGER NOT NULL, state INTEGER NOT NULL, "  \
    "attempt INTEGER NOT NULL, node TEXT NOT NULL, node_boot INTEGER NOT NULL, "           \
    "cpu_list TEXT NOT NULL, pid INTEGER NOT NULL, started_ms INTEGER NOT NULL, end_kind " \
    "INTEGER, "                                                                            \
    "end_code INTEGER, user_us INTEGER, system_us INTEGER, max_rss_kb INTEGER, "           \
    "end_started_ms INTEGER, ended_ms INTEGER, out_bytes INTEGER, err_bytes INTEGER, "     \
    "detail TEXT, sum INTEGER NOT NULL, spec BLOB NOT NULL"

/* state 3 is BYRE__JOB_ENDED. */
_Static_assert(BYRE__JOB_ENDED == 3, "the schema and the statements say 3");
const char ledger_schema[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL, sum INTEGER) WITHOUT ROWID;"
    "INSERT INTO meta VALUES ('mark', 0, NULL);"
    "CREATE TABLE contexts (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL,"
    "  sum INTEGER NOT NULL, packed BLOB NOT NULL, UNIQUE (a, b));"
    "CREATE TABLE homes (number INTEGER PRIMARY KEY, " TYPES ");"
    "CREATE INDEX ended ON homes (number) WHERE state = 3;"
    "CREATE TABLE guests (number INTEGER NOT NULL, " TYPES ", UNIQUE (home, number));";

#define UPDATE                                                                                     \
    "state=?7, attempt=?8, node=?9, node_boot=?10, cpu_list=?11, pid=?12, started_ms=?13, "        \
    "end_kind=?14, end_code=?15, user_us=?16, system_us=?17, max_rss_kb=?18, end_started_ms=?19, " \
    "ended_ms=?20, out_bytes=?21, err_bytes=?22, detail=?23, sum=?24 WHERE number=?1 AND home=?2"
#define VALUES                                                                                 \
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22," \
    "?23,?24,?25)"

static const char *const texts[LEDGER_STATEMENTS] = {
    [LEDGER_PUT_CONTEXT] =
        "INSERT OR IGNORE INTO contexts (a, b, sum, packed) VALUES (?1, ?2, ?3, ?4)",
    [LEDGER_HAS_CONTEXT] = "SELECT 1 FROM contexts WHERE a=?1 AND b=?2",
    [LEDGER_GET_CONTEXT] = "SELECT a, b, sum, packed FROM contexts WHERE a=?1 AND b=?2",
    [LEDGER_EACH_CONTEXT] = "SELECT a, b, sum, packed FROM contexts",
    [LEDGER_INSERT_HOME] = "INSERT INTO homes (" ALL ")" VALUES,
    [LEDGER_INSERT_GUEST] = "INSERT OR REPLACE INTO guests (" ALL ")" VALUES,
    [LEDGER_UPDATE_HOME] = "UPDATE homes SET " UPDATE,
    [LEDGER_UPDATE_GUEST] = "UPDATE guests SET " UPDATE,
    [LEDGER_DELETE_HOME] = "DELETE FROM homes WHERE number=?1 AND home=?2",
    [LEDGER_DELETE_GUEST] = "DELETE FROM guests WHERE number=?1 AND home=?2",
    [LEDGER_GET_HOME] = "SELECT " ALL " FROM homes WHERE number=?1 AND home=?2",
    [LEDGER_GET_GUEST] = "SELECT " ALL " FROM guests WHERE number=?1 AND home=?2",
    [LEDGER_EACH_OPEN] = "SELECT " ALL " FROM homes WHERE state<>3 ORDER BY number",
    [LEDGER_EACH_GUEST] = "SELECT " ALL " FROM guests ORDER BY home, number",
    [LEDGER_EACH_HOME] = "SELECT " ALL " FROM homes",
    [LEDGER_EACH_ENDED] = "SELECT " ALL " FROM homes WHERE state=3 AND number BETWEEN ?1 AND ?2 "
                          "ORDER BY number DESC LIMIT ?3",
    [LEDGER_PRUNE_LIMIT] =
        "SELECT number FROM homes WHERE state=3 ORDER BY number DESC LIMIT 1 OFFSET ?1",
    [LEDGER_PRUNE_LIST] = "SELECT number, home FROM homes WHERE state=3 AND number<=?1",
    [LEDGER_PRUNE] = "DELETE FROM homes WHERE state=3 AND number<=?1",
    [LEDGER_PRUNE_CONTEXTS] =
        "DELETE FROM contexts WHERE (a, b) NOT IN (SELECT context_a, context_b FROM homes "
        "UNION SELECT context_a, context_b FROM guests)",
    [LEDGER_SET_LIMIT] = "INSERT OR REPLACE INTO meta VALUES ('limit', ?1, ?2)",
    [LEDGER_GET_LIMIT] = "SELECT value, sum FROM meta WHERE name='limit'",
    [LEDGER_MARK] = "UPDATE meta SET value=value+1 WHERE name='mark'",
};

sqlite3_stmt *ledger_statement(ledger_db_t *db, ledger_statement_t which)
{
    sqlite3_stmt **statement = &db->statements[which];
    if (*statement == NULL)
        (void)sqlite3_prepare_v3(db->handle, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                                 NULL);
    return *statement;
}

void ledger_db_close(ledger_db_t *db)
{
    for (int i = 0; i < LEDGER_STATEMENTS; i++) (void)sqlite3_finalize(db->statements[i]);
    (void)sqlite3_close(db->handle);
    *db = (ledger_db_t){ 0 };
}

int ledger_run(sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement); /* SQLITE_OK, or what step came to */
}

/* ---- checksums -------------------------------------------------------------------------------------- */

#define START 0xcbf29ce484222325u
/* FNV-1a: one byte that is different always makes another sum, for each step can be undone. */
static uint64_t sum_bytes(uint64_t sum, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++) sum = (sum ^ at[i]) * 0x100000001b3u;
    return sum;
}

static uint64_t sum_number(uint64_t sum, uint64_t number)
{
    return sum_bytes(sum, &number, sizeof number); /* a ledger stays on one kind of machine */
}

static uint64_t sum_text(uint64_t sum, const char *text)
{
    return sum_bytes(sum, text, strlen(text) + 1);
}

static uint64_t sum_id(const byre__job_id_t *id)
{
    return sum_text(sum_number(START, id->number), id->home);
}

static uint64_t sum_fixed(const ledger_job_t *job)
{
    uint64_t sum = sum_id(&job->id);
    sum = sum_number(sum, job->context.a);
    sum = sum_number(sum, job->context.b);
    sum = sum_number(sum, job->submitted_ms);
    return sum_bytes(sum, job->spec, job->spec_bytes);
}

static uint64_t sum_variable(const ledger_job_t *job)
{
    const byre__end_t *end = &job->end;
    uint64_t sum = sum_id(&job->id);
    sum = sum_number(sum, job->state);
    sum = sum_number(sum, job->attempt);
    sum = sum_text(sum, job->node);
    sum = sum_number(sum, job->node_boot);
    sum = sum_text(sum, job->cpu_list);
    sum = sum_number(sum, (uint64_t)job->pid);
    sum = sum_number(sum, job->started_ms);
    if (job->state != BYRE__JOB_ENDED) return sum;
    sum = sum_number(sum, end->kind);
    sum = sum_number(sum, (uint64_t)(int64_t)end->code);
    const uint64_t numbers[] = { end->user_us,  end->system_us, end->max_rss_kb, end->started_ms,
                                 end->ended_ms, end->out_bytes, end->err_bytes };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sum = sum_number(sum, numbers[i]);
    return sum_text(sum, end->detail);
}

static uint64_t sum_context(byre__context_key_t key, const void *packed, size_t bytes)
{
    uint64_t sum = sum_number(sum_number(START, key.a), key.b);
    return sum_bytes(sum, packed, bytes);
}

/* ---- writing ---------------------------------------------------------------------------------------- */

static void bind_number(sqlite3_stmt *to, enum column column, uint64_t value)
{
    (void)sqlite3_bind_int64(to, (int)column + 1, (sqlite3_int64)value);
}

static void bind_text(sqlite3_stmt *to, enum column column, const char *text)
{
    (void)sqlite3_bind_text(to, (int)column + 1, text, -1, SQLITE_STATIC);
}

static void bind_id(sqlite3_stmt *to, const byre__job_id_t *id)
{
    bind_number(to, NUMBER, id->number);
    bind_text(to, HOME, id->home);
}

static void bind_end(sqlite3_stmt *to, const ledger_job_t *job)
{
    const byre__end_t *end = &job->end;
    if (job->state != BYRE__JOB_ENDED) {
        for (int column = END_KIND; column <= END_DETAIL; column++)
            (void)sqlite3_bind_null(to, column + 1);
        return;
    }
    bind_number(to, END_KIND, end->kind);
    bind_number(to, END_CODE, (uint64_t)(int64_t)end->code);
    bind_number(to, END_USER, end->user_us);
    bind_number(to, END_SYSTEM, end->system_us);
    bind_number(to, END_RSS, end->max_rss_kb);
    bind_number(to, END_STARTED, end->started_ms);
    bind_number(to, END_ENDED, end->ended_ms);
    bind_number(to, END_OUT, end->out_bytes);
    bind_number(to, END_ERR, end->err_bytes);
    bind_text(to, END_DETAIL, end->detail);
}

static void bind_variable(sqlite3_stmt *to, const ledger_job_t *job)
{
    bind_number(to, STATE, job->state);
    bind_number(to, ATTEMPT, job->attempt);
    bind_text(to, NODE, job->node);
    bind_number(to, NODE_BOOT, job->node_boot);
    bind_text(to, CPU_LIST, job->cpu_list);
    bind_number(to, PID, (uint64_t)job->pid);
    bind_number(to, STARTED, job->started_ms);
    bind_end(to, job);
    bind_number(to, SUM, sum_variable(job));
}

int ledger_row_insert(ledger_db_t *db, const ledger_job_t *job)
{
    sqlite3_stmt *to = ledger_statement(db, job->guest ? LEDGER_INSERT_GUEST : LEDGER_INSERT_HOME);
    if (to == NULL) return sqlite3_extended_errcode(db->handle);
    bind_id(to, &job->id);
    bind_number(to, CONTEXT_A, job->context.a);
    bind_number(to, CONTEXT_B, job->context.b);
    bind_number(to, SUBMITTED, job->submitted_ms);
    bind_number(to, FIXED_SUM, sum_fixed(job));
    bind_variable(to, job);
    const void *spec = job->spec_bytes > 0 ? job->spec : "";
    (void)sqlite3_bind_blob64(to, SPEC + 1, spec, job->spec_bytes, SQLITE_STATIC);
    return ledger_run(to);
}

int ledger_row_update(ledger_db_t *db, const ledger_job_t *job)
{
    sqlite3_stmt *to = ledger_statement(db, job->guest ? LEDGER_UPDATE_GUEST : LEDGER_UPDATE_HOME);
    if (to == NULL) return sqlite3_extended_errcode(db->handle);
    bind_id(to, &job->id);
    bind_variable(to, job);
    return ledger_run(to);
}

int ledger_row_delete(ledger_db_t *db, const byre__job_id_t *id, bool guest)
{
    sqlite3_stmt *to = ledger_statement(db, guest ? LEDGER_DELETE_GUEST : LEDGER_DELETE_HOME);
    if (to == NULL) return sqlite3_extended_errcode(db->handle);
    bind_id(to, id);
    return ledger_run(to);
}

int ledger_context_insert(ledger_db_t *db, byre__context_key_t key, const void *packed,
                          size_t bytes)
{
    sqlite3_stmt *to = ledger_statement(db, LEDGER_PUT_CONTEXT);
    if (to == NULL) return sqlite3_extended_errcode(db->handle);
    (void)sqlite3_bind_int64(to, 1, (sqlite3_int64)key.a);
    (void)sqlite3_bind_int64(to, 2, (sqlite3_int64)key.b);
    (void)sqlite3_bind_int64(to, 3, (sqlite3_int64)sum_context(key, packed, bytes));
    (void)sqlite3_bind_blob64(to, 4, bytes > 0 ? packed : "", bytes, SQLITE_STATIC);
    return ledger_run(to);
}

int ledger_limit_write(ledger_db_t *db, uint64_t limit)
{
    sqlite3_stmt *to = ledger_statement(db, LEDGER_SET_LIMIT);
    if (to == NULL) return sqlite3_extended_errcode(db->handle);
    (void)sqlite3_bind_int64(to, 1, (sqlite3_int64)limit);
    (void)sqlite3_bind_int64(to, 2, (sqlite3_int64)sum_number(START, limit));
    return ledger_run(to);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static uint64_t number_at(sqlite3_stmt *from, enum column column)
{
    return (uint64_t)sqlite3_column_int64(from, (int)column);
}

/* false: it does not fit, or there is a zero byte inside: nobody wrote that. */
static bool text_at(sqlite3_stmt *from, enum column column, char *text_out, size_t room)
{
    const unsigned char *text = sqlite3_column_text(from, (int)column);
    size_t bytes = (size_t)sqlite3_column_bytes(from, (int)column);
    text_out[0] = '\0';
    if (text == NULL) return false;
    size_t fits = bytes < room ? bytes : room - 1;
    memcpy(text_out, text, fits);
    text_out[fits] = '\0';
    return fits == bytes && strlen(text_out) == bytes;
}

static bool read_end(sqlite3_stmt *from, byre__end_t *end)
{
    end->kind = (uint8_t)number_at(from, END_KIND);
    end->code = (int32_t)number_at(from, END_CODE);
    end->user_us = number_at(from, END_USER);
    end->system_us = number_at(from, END_SYSTEM);
    end->max_rss_kb = number_at(from, END_RSS);
    end->started_ms = number_at(from, END_STARTED);
    end->ended_ms = number_at(from, END_ENDED);
    end->out_bytes = number_at(from, END_OUT);
    end->err_bytes = number_at(from, END_ERR);
    return text_at(from, END_DETAIL, end->detail, sizeof end->detail);
}

bool ledger_row_read(sqlite3_stmt *from, bool guest, ledger_job_t *job)
{
    memset(job, 0, sizeof *job);
    job->guest = guest;
    job->id.number = number_at(from, NUMBER);
    bool right = text_at(from, HOME, job->id.home, sizeof job->id.home);
    job->context = (byre__context_key_t){ number_at(from, CONTEXT_A), number_at(from, CONTEXT_B) };
    job->submitted_ms = number_at(from, SUBMITTED);
    job->state = (uint8_t)number_at(from, STATE);
    job->attempt = (uint32_t)number_at(from, ATTEMPT);
    right = text_at(from, NODE, job->node, sizeof job->node) && right;
    job->node_boot = number_at(from, NODE_BOOT);
    right = text_at(from, CPU_LIST, job->cpu_list, sizeof job->cpu_list) && right;
    job->pid = (int64_t)number_at(from, PID);
    job->started_ms = number_at(from, STARTED);
    if (job->state == BYRE__JOB_ENDED) right = read_end(from, &job->end) && right;
    job->spec = sqlite3_column_blob(from, SPEC);
    job->spec_bytes = (size_t)sqlite3_column_bytes(from, SPEC);
    if (job->spec == NULL) job->spec = "", job->spec_bytes = 0;
    return right && sum_fixed(job) == number_at(from, FIXED_SUM) &&
           sum_variable(job) == number_at(from, SUM);
}

bool ledger_context_read(sqlite3_stmt *from, byre__context_key_t *key_out, const void **packed_out,
                         size_t *bytes_out)
{
    key_out->a = (uint64_t)sqlite3_column_int64(from, 0);
    key_out->b = (uint64_t)sqlite3_column_int64(from, 1);
    *packed_out = sqlite3_column_blob(from, 3);
    *bytes_out = (size_t)sqlite3_column_bytes(from, 3);
    if (*packed_out == NULL) *packed_out = "", *bytes_out = 0;
    return sum_context(*key_out, *packed_out, *bytes_out) ==
           (uint64_t)sqlite3_column_int64(from, 2);
}

uint64_t ledger_limit_read(ledger_db_t *db)
{
    uint64_t limit = 0;
    sqlite3_stmt *from = ledger_statement(db, LEDGER_GET_LIMIT);
    if (from != NULL && sqlite3_step(from) == SQLITE_ROW) {
        limit = (uint64_t)sqlite3_column_int64(from, 0);
        if (sum_number(START, limit) != (uint64_t)sqlite3_column_int64(from, 1)) limit = 0;
    }
    if (from != NULL) (void)sqlite3_reset(from);
    return limit;
}
