/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ledger.h - the jobs that this node answers for, on disk (SQLite, WAL).
 *
 * Two kinds of rows. *Home* rows: jobs accepted here; the truth about them. *Guest* rows: jobs of other homes
 * that this node was permitted to start; kept until their home has acknowledged their end.
 *
 * A thread of the ledger's own writes. Changes go to it in order, many in one transaction. A change is *durable*
 * once it would survive the loss of power (synchronous=FULL); ledger_sync's callback says so. The daemon
 * keeps the jobs in memory and reads the ledger only at its start, and for the history of ended jobs.
 *
 * Who may call: the daemon's main thread, except where said. Callbacks run there, in ledger_reap.
 */
#ifndef BYRE__SCHED_LEDGER_H
#define BYRE__SCHED_LEDGER_H

#include "runtime/machine.h"
#include "sched/job.h"

typedef struct ledger ledger_t;

/* One row, whole. Texts are borrowed during calls. */
typedef struct ledger_job {
    byre__job_id_t id;
    uint8_t guest;    /* 0: home row */
    uint8_t state;    /* enum byre__job_state */
    uint32_t attempt; /* the latest permission to start; 0: none yet */
    char node
        [BYRE__NODE_NAME]; /* where that was given to, or where it queues; "" here or undecided */
    uint64_t
        node_boot; /* which life of that node (ms since 1970 at which its keeper began); 0 unknown */
    byre__context_key_t context;
    const void *spec; /* packed */
    size_t spec_bytes;
    char cpu_list[BYRE__CPU_LIST];
    int64_t pid;
    uint64_t submitted_ms, started_ms;
    byre__end_t end; /* when ENDED */
} ledger_job_t;

/* Open or create DIR/ledger.db. BYRE_OK; BYRE_EPROTO: it is damaged (integrity check) or of another version, and
 * error_out says which and what to do (the damaged file is left alone); BYRE_EBUSY: another daemon has it;
 * BYRE_ESYSTEM: the disk. */
int ledger_open(const char *dir, ledger_t **ledger_out, char error_out[static 256]);
/* Writes what is left, and calls the callbacks that are left. */
void ledger_close(ledger_t *ledger);

/* Readable when ledger_reap has something to do. */
int ledger_fd(const ledger_t *ledger);
void ledger_reap(ledger_t *ledger);
/* 0, or why nothing can be written (disk full, I/O error): a line for the log and for clients.
 * The daemon then accepts nothing, and starts nothing that must be durable. As of the latest ledger_reap.
 * Syncs fail while it lasts, but what was queued stays queued, and is written when the disk has room again: whoever
 * refuses a job for it deletes the job too. After a failed fsync it stays for good. */
const char *ledger_trouble(const ledger_t *ledger);

/* Numbers for new jobs: never given twice, also after a crash (a block is reserved durably). 0: trouble. */
uint64_t ledger_take_numbers(ledger_t *ledger, uint64_t count);

/* Changes; queued, never block. BYRE_OK or BYRE_ENOMEM. What is borrowed is copied.
 * Put a job's context before each insert: that costs nothing when it is there, and a prune in between may have
 * removed it. A job whose context is missing is a trouble that stays. */
int ledger_put_context(ledger_t *ledger, byre__context_key_t key, const void *packed, size_t bytes);
/* A guest row replaces that of an earlier attempt. The number of a home row must be new. */
int ledger_insert(ledger_t *ledger, const ledger_job_t *job);
/* All but id, guest, context, spec, submitted. */
int ledger_update(ledger_t *ledger, const ledger_job_t *job);
int ledger_delete(ledger_t *ledger, const byre__job_id_t *id, bool guest);
/* Call fn(arg, BYRE_OK or BYRE_ESYSTEM) once everything before this call is on disk: durable, or (lazy)
 * just written. Lazy ones wait up to 50 ms for company. */
int ledger_sync(ledger_t *ledger, bool durable, void (*fn)(void *arg, int error), void *arg);
/* Queued changes that are not written. */
size_t ledger_backlog(const ledger_t *ledger);

/* ---- reading ---- */

/* Readers: BYRE_OK; BYRE_EPROTO: damaged, the log names the row; BYRE_ESYSTEM, BYRE_ENOMEM. They see what was
 * queued before, and wait until that is written. */
/* At the start: every row that is not ENDED, and guest rows. fn gets borrowed data. */
int ledger_each_open(ledger_t *ledger, void (*fn)(void *arg, const ledger_job_t *job), void *arg);
/* A context; malloc'ed packed bytes. BYRE_ENOTFOUND. */
int ledger_get_context(ledger_t *ledger, byre__context_key_t key, void **packed_out,
                       size_t *bytes_out);
/* Ended home rows, the newest first, `at_most', with numbers in [first, last]. */
int ledger_each_ended(ledger_t *ledger, uint64_t first, uint64_t last, uint32_t at_most,
                      void (*fn)(void *arg, const ledger_job_t *job), void *arg);
/* One row. BYRE_ENOTFOUND. */
int ledger_get(ledger_t *ledger, const byre__job_id_t *id, bool guest,
               void (*fn)(void *arg, const ledger_job_t *job), void *arg);
/* Keep the `keep' newest ended rows, and the contexts somebody uses. Queued like a change. Calls drop for
 * the id of each row removed (in ledger_reap), so that its output can go. */
int ledger_prune(ledger_t *ledger, uint64_t keep, void (*drop)(void *arg, const byre__job_id_t *id),
                 void *arg);

#endif
