/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.h - the jobs that this daemon knows: those whose home it is, and guests (jobs of other homes that were sent
 * here). One table, by id.
 *
 * The life of a job at its home; [L] is a change of the ledger, [D] one that must be durable before the next step
 * (a detached job's; of attached ones the row is written without waiting, when they start).
 *
 *      submit [D]            policy: send
 *   ------------> ARRIVING ---------------> THERE <------------+ WIRE_RETURN, or its node is gone:
 *                    |  ^ policy: run         |                 | back to ARRIVING
 *                    v  |                     | WIRE_WANT
 *                 DECIDING ---> WAITING       | attempt+1 [D], then WIRE_GRANT
 *                    (HELD: pinned  | fits:   v
 *                    to a node that | attempt+1 [D]
 *                    is not up)     v         ELSEWHERE ---- node gone ----> AWAY
 *                                SYNCING          |       restartable:        | byre up: SYNC_ROW, SYNC_END
 *                                   | KEEP_START  |       ARRIVING [D]        | tell what is true
 *                                   v             |                           |
 *                                RUNNING          | WIRE_ENDED                |
 *                                   | KEPT_ENDED  |                           |
 *                                   v             v                           |
 *                                 ENDED [L,D] <-------------------------------+
 *                                   | on disk: KEEP_FORGET here, or WIRE_ACK there
 *                                   v
 *                                 (out of the table; the ledger has the row)
 *
 * and of a guest:
 *
 *   WIRE_JOB -> WAITING -> ASKING (WANT sent, processors held) -- WIRE_GRANT: row [L] --> RUNNING
 *      -> ENDED (row [L], WIRE_ENDED sent) -- WIRE_ACK: row deleted [L], then KEEP_FORGET --> (gone)
 *
 * Invariants
 *   J1 A keeper is told to start a job only after its home has written the attempt (durably, if it is
 *      detached): what a ledger calls queued has never begun under any later attempt than the row's.
 *   J2 A keeper is told to forget an end only when a ledger has it: a keeper of the same life that does not
 *      know a started attempt has never been told to start it, and the job may be queued again. This holds for
 *      homes' rows only: a guest's row may outlive the keeper's memory, and never makes a job start.
 *   J3 A home grants a job to at most one node per attempt; only the latest attempt's end counts.
 *   J4 An end reported twice, or for an older attempt, changes nothing and is acknowledged.
 *   J5 Only home jobs are sent on; a guest stays, or goes back.
 */
#ifndef BYRED_JOBS_H
#define BYRED_JOBS_H

#include "sched/daemon/daemon.h"
#include "sched/daemon/context.h"

enum job_stage {
    STAGE_ARRIVING,  /* home: the policy has not been asked; in the list of arrivals */
    STAGE_DECIDING,  /* home: the policy has it */
    STAGE_HELD,      /* home: for a node that is not up */
    STAGE_WAITING,   /* in this node's queue */
    STAGE_THERE,     /* home: in another node's queue */
    STAGE_ASKING,    /* guest: processors are held, its home has been asked */
    STAGE_SYNCING,   /* permitted; that is being written */
    STAGE_RUNNING,   /* the keeper of this node has been told to start it */
    STAGE_ELSEWHERE, /* home: permitted on another node */
    STAGE_AWAY,      /* home: so, and the node is gone */
    STAGE_ENDED      /* its end is being recorded (home) or acknowledged (guest) */
};

enum job_bits {
    JOB_DROPPED = 1,   /* ended while the policy had it: what that decides does not matter */
    JOB_KILLED = 2,    /* somebody wants it to end: not to be started again */
    JOB_IN_LEDGER = 4, /* there is a row */
    JOB_EVICTED = 8,   /* killed here because the owner came back */
    JOB_GONE = 16,     /* out of the table; memory held by somebody */
    JOB_AGAIN = 32,    /* HELD until it is written that its last attempt is over */
    JOB_EXPECTED = 64, /* the placer counts it as waiting here */
    JOB_PLACED = 128,  /* the placer has given it processors */
    JOB_TOUCHED = 256, /* input was given or output taken: cannot begin again unnoticed */
    JOB_TOLD = 512     /* watch_ended has been called: who asks later reads the ledger */
};

typedef struct client client_t;

/* What a job has from the permission to start until its end. */
typedef struct run {
    uint64_t boot; /* the life of the node that it was given to */
    uint64_t started_ms;
    int64_t pid;      /* 0: not started, as far as known */
    uint64_t signals; /* bit s-1: to be delivered once the keeper has been told to start it */
    bool sent;  /* KEEP_START has gone to a keeper of life `boot'; at a home: GRANT to the node */
    bool known; /* recovery: its keeper has it */
    char cpus[BYRE__CPU_LIST], nodes[BYRE__CPU_LIST];
} run_t;

/* What an attached job has: its client, at its home; input that waits for its start, anywhere. */
typedef struct live {
    struct job *job;
    client_t *client; /* NULL: at an executing node, or gone */
    uint32_t tag;
    struct live *prev, *next; /* of the client's jobs */
    byre__pack_t input; /* came before the job could take it; at most 64 KiB of an honest client */
    bool input_end;
    uint32_t window[3];  /* granted beyond the first, before the start */
    uint16_t rows, cols; /* a size that came before the start; 0 */
} live_t;

typedef struct job {
    struct job *chain;         /* jobs.c */
    struct job *prev, *next;   /* arrivals or queue */
    struct job *older, *newer; /* of this home, by number */
    uint64_t number;
    int16_t home, node,
        pin;            /* of members.h; node: where it waits or runs, pin: where it must; -1 */
    uint8_t stage;      /* enum job_stage */
    uint16_t bits;      /* enum job_bits */
    uint16_t overtaken; /* queue.c */
    uint16_t holds;
    uint32_t flags, attempt, cpus, spec_bytes;
    uint64_t mem, submitted_ms;
    context_t *context; /* NULL: a guest of an earlier daemon, which never starts again */
    char *affinity;     /* NULL: none */
    uint8_t *spec;      /* packed */
    run_t *run;
    live_t *live;
    byre__end_t *end;
} job_t;

bool jobs_open(void);
uint32_t jobs_home_count(void); /* not ended */
size_t jobs_bytes(void);        /* of the commands of all in the table */
uint32_t jobs_running(void);    /* on this node */

job_t *job_find(int home, uint64_t number);
job_t *job_find_id(const byre__job_id_t *id);
/* A job from its packed spec, in the table. NULL: no memory, a bad spec, or it is there already. */
job_t *job_create(int home, uint64_t number, context_t *context, const void *spec, size_t bytes);
/* Out of the table and out of every list; the memory goes with the last hold. */
void job_remove(job_t *job);
void job_hold(job_t *job);
void job_release(job_t *job);

static inline bool job_is(const job_t *job, uint32_t flag)
{
    return (job->flags & flag) != 0;
}
bool job_is_home(const job_t *job);
bool job_is_open(const job_t *job);               /* not ended */
bool job_begun(const job_t *job);                 /* permitted, not ended */
void job_stage(job_t *job, enum job_stage stage); /* counts */
bool job_is_deserted(const job_t *job);           /* attached, and nobody is there */
bool job_may_restart(const job_t *job);

byre__job_id_t job_id(const job_t *job);
const char *job_name(const job_t *job); /* the id as text, until the next call but seven */
uint8_t job_state(const job_t *job);    /* enum byre__job_state */
run_t *job_run(job_t *job);             /* there, or made; NULL: no memory */
live_t *job_live(job_t *job);
void job_live_end(job_t *job);
void job_row(const job_t *job, byre__row_t *row_out);
/* From a ledger row; spec is unpacked for its name and command. */
void job_row_of_ledger(const ledger_job_t *from, byre__row_t *row_out);
void job_to_ledger(const job_t *job, ledger_job_t *to_out);

/* Jobs of this home in the order of their numbers: the first with a number from `number' on, or NULL. `at': one
 * before it, from where the walk goes on, or NULL. */
job_t *jobs_home_from(job_t *at, uint64_t number);
job_t *jobs_home_newest(void);
job_t *
jobs_first(void); /* any, for walks over all: the order is none; jobs_next survives no removal */
job_t *jobs_next(const job_t *job);
/* fn for all, which may remove the one it is given. */
void jobs_each(void (*fn)(job_t *job, void *arg), void *arg);

/* Intrusive lists by prev and next. */
typedef struct job_list {
    job_t *first, *last;
    uint32_t count;
} job_list_t;
void job_list_append(job_list_t *list, job_t *job);
void job_list_prepend(job_list_t *list, job_t *job);
void job_list_insert(job_list_t *list, job_t *job); /* before the first with a greater number */
void job_list_remove(job_list_t *list, job_t *job);

#endif
