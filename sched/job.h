/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * job.h - what a job is: its name, what to run (context and spec), how it went (end), where it stands.
 *
 * A job is accepted by one daemon, its *home*, whose ledger answers for it until its end. Its id is the
 * home's node name, a dot, and a number that counts up and is never used again: n1.17. Each start, or
 * permission to start, is an *attempt* with a number of its own: only the latest counts.
 */
#ifndef BYRE__SCHED_JOB_H
#define BYRE__SCHED_JOB_H

#include "pack.h"
#include <sys/resource.h>

#define BYRE__NODE_NAME 48 /* room for a node's name: the host's, up to the first dot */
#define BYRE__JOB_ID 72    /* room for an id as text */
#define BYRE__RLIMITS 16   /* RLIMIT_* 0..15 */

typedef struct byre__job_id {
    char home[BYRE__NODE_NAME];
    uint64_t number; /* from 1 */
} byre__job_id_t;

char *byre__job_id_format(const byre__job_id_t *id, char text_out[static BYRE__JOB_ID]);
/* "n1.17", or "17" with default_home. false: it is none. */
bool byre__job_id_parse(const char *text, const char *default_home, byre__job_id_t *id_out);
bool byre__job_id_equal(const byre__job_id_t *a, const byre__job_id_t *b);
void byre__pack_job_id(byre__pack_t *pack, const byre__job_id_t *id);
void byre__unpack_job_id(byre__unpack_t *unpack, byre__job_id_t *id_out);

/* ---- context: what many jobs of a client have in common --------------------------------------------- */

typedef struct byre__context {
    char *cwd;
    char **env; /* the caller's, without anything of an MPI around it (byre__context_clean) */
    uint32_t umask;
    uint64_t soft[BYRE__RLIMITS], hard[BYRE__RLIMITS]; /* UINT64_MAX: unlimited */
} byre__context_t;

/* Name of a context: a 128-bit hash of its packed form. */
typedef struct byre__context_key {
    uint64_t a, b;
} byre__context_key_t;

/* Of the calling process. BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM (no working directory). */
int byre__context_capture(byre__context_t *context_out);
void byre__context_fini(byre__context_t *context);
/* Is this variable ("NAME=...") one that would lead an MPI program to think it belongs to a job around it?
 * OMPI_* PMIX_* ORTE* PMI_* IPATH* and such; OMPI_MCA_* stay unless mpirun set them, and
 * OMPI_ALLOW_RUN_AS_ROOT* stay. */
bool byre__context_is_foreign(const char *variable);
void byre__pack_context(byre__pack_t *pack, const byre__context_t *context);
void byre__unpack_context(byre__unpack_t *unpack,
                          byre__context_t *context_out); /* then byre__unpack_done */
byre__context_key_t byre__context_key(const void *packed, size_t bytes);

/* ---- spec: what one job is ------------------------------------------------------------------------- */

enum {
    BYRE__JOB_ATTACHED = 1,    /* byre run, byre xargs: killed when its client goes away */
    BYRE__JOB_RESTARTABLE = 2, /* may run twice: started again elsewhere when its node is lost */
    BYRE__JOB_STREAMS = 4, /* byre run: stdin, stdout, stderr are pipes to the client; else stdin is
                                  /dev/null and the others are files of the keeper (byre log) */
    BYRE__JOB_PTY = 8,     /* with STREAMS: a terminal, of which stdout and stderr are one stream */
    BYRE__JOB_OWN_TMP = 16 /* TMPDIR is a directory of its own, removed when it has ended */
};

typedef struct byre__spec {
    uint32_t flags;
    char **argv; /* at least one */
    char **env;  /* more variables, "NAME=value", over those of the context; NULL: none */
    char *name;  /* of the job, for people; "" : argv[0] */
    char *node;  /* where it must run; "": anywhere */
    char *
        affinity; /* jobs of one key go to the same node, and the same processors, where possible; "" */
    uint32_t cpus;       /* processors it needs, from 1 */
    uint64_t mem;        /* bytes it needs, 0: not said */
    uint16_t rows, cols; /* of the terminal */
} byre__spec_t;

void byre__spec_fini(byre__spec_t *spec);
void byre__pack_spec(byre__pack_t *pack, const byre__spec_t *spec);
/* Then byre__unpack_done. Also fails on argv without a word and on cpus 0. */
void byre__unpack_spec(byre__unpack_t *unpack, byre__spec_t *spec_out);

/* ---- how it went ------------------------------------------------------------------------------------ */

enum byre__end_kind {
    BYRE__END_EXITED,    /* code: exit status */
    BYRE__END_SIGNAL,    /* code: signal */
    BYRE__END_NO_CWD,    /* never ran: code is the errno of chdir */
    BYRE__END_NO_EXEC,   /* never ran: code is the errno of execve */
    BYRE__END_NO_START,  /* never ran: code is the errno of fork or of what belongs to it */
    BYRE__END_LOST,      /* its node was lost; it may or may not have run. code 0 */
    BYRE__END_CANCELLED, /* ended by kill before it began; code: the signal */
    BYRE__END_IMPOSSIBLE /* no node can ever run it (cpus, mem, node). code 0 */
};

typedef struct byre__end {
    uint8_t kind; /* enum byre__end_kind */
    int32_t code;
    uint64_t user_us, system_us, max_rss_kb; /* of the job and the descendants it waited for */
    uint64_t started_ms, ended_ms;           /* since 1970 */
    uint64_t out_bytes, err_bytes;           /* what it wrote */
    char detail
        [128]; /* one line for a person, without node or program: "No such file or directory" */
} byre__end_t;

void byre__pack_end(byre__pack_t *pack, const byre__end_t *end);
void byre__unpack_end(byre__unpack_t *unpack, byre__end_t *end_out);
/* The exit status a shell would have: code, 128 + signal, 127 (no program), 126 (no right, no directory, no
 * start), 125 lost or impossible. */
int byre__end_status(const byre__end_t *end);

/* ---- where it stands -------------------------------------------------------------------------------- */

enum byre__job_state {
    BYRE__JOB_QUEUED, /* at its home, or handed to `node' whose queue it is in; not begun */
    BYRE__JOB_STARTED, /* may be running on `node': from the permission to start until its end is known */
    BYRE__JOB_AWAY, /* started, and `node' cannot be reached; decided when that comes back */
    BYRE__JOB_ENDED
};
const char *byre__job_state_name(uint8_t state); /* queued, running, away, ended */

/* A row of ps: all that a client is told of a job. */
typedef struct byre__row {
    byre__job_id_t id;
    uint8_t state;
    uint32_t flags, attempt, cpus;
    uint64_t mem;
    char node[BYRE__NODE_NAME];        /* where it is; "" while undecided */
    char cpu_list[64];                 /* "0-3": where on the node; "" not bound or not begun */
    char name[64];                     /* cut off */
    char command[128];                 /* argv with blanks, cut off */
    int64_t pid;                       /* on its node; 0: none */
    uint64_t submitted_ms, started_ms; /* 0: not yet */
    byre__end_t end;                   /* when ENDED */
} byre__row_t;

void byre__pack_row(byre__pack_t *pack, const byre__row_t *row);
void byre__unpack_row(byre__unpack_t *unpack, byre__row_t *row_out);

#endif
