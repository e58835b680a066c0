/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper.h - byred-keeper: holds all jobs of a node, outside mpirun's tree of processes.
 *
 * One thread, one epoll loop. All else is a child process or a file.
 *
 *            START                 main process reaped              nothing left, output told
 *   (none) --------> RUNNING -----------------------------> LEAVING --------------------------> ENDED --> (none)
 *     |    keeper_spawn           keeper_job_reaped                  keeper_job_settle            ^   FORGET
 *     +-------------------------------------------------------------------------------------------+
 *                                   could not be started; lost with an earlier keeper
 *
 * 1. A job is in the journal before its process exists, and its end before ENDED is said: a keeper that is
 *    killed leaves behind what the next one needs to tell how each of its jobs went.
 * 2. A job ends with its main process. What that leaves behind is killed before ENDED.
 * 3. ENDED comes after the last OUTPUT.
 * 4. Memory is bounded: per stream of a job KEEPER_WINDOW bytes, for the connection KEEPER_BACKLOG and one
 *    frame. A job whose output nobody takes is blocked by its pipe.
 * 5. Bytes that were read from a job are kept until a window says that the client has taken them; when the
 *    daemon goes, they go to the spool file first. So none is lost, and at most KEEPER_WINDOW of a stream are both
 *    there and at the client.
 * 6. Nothing that a daemon sends ends a job but KILL, SIGNAL and QUIT: a bad frame ends the connection.
 * 7. What a job leaves behind in the directory that it was given (OWN_TMP) is removed by a child: own_tmp.c.
 * 8. All descriptors are close-on-exec; all signals are blocked, none is ignored: a child has nothing to undo.
 */
#ifndef BYRE__SCHED_KEEPER_H
#define BYRE__SCHED_KEEPER_H

#include "sched/frame.h"
#include "sched/job.h"
#include "sched/talk.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/types.h>

enum {
    KEEPER_WINDOW = 64 << 10, /* bytes of a stream at the beginning: talk.h */
    KEEPER_BACKLOG =
        512 << 10, /* above it no more output is read, and above four times as much no frame */
    KEEPER_GRACE_MS = 2000,    /* from TERM to KILL when the keeper itself is told to end */
    KEEPER_GIVE_UP_MS = 10000, /* so long an end waits for the same processes, killed, to go */
    KEEPER_SIGNALS_MOST = 8,   /* of a job in a round: more than that cost a look at /proc */
    KEEPER_BUCKETS = 16384,
    KEEPER_IDENTITY = 40,            /* room for the value that BYRE_KEEPER begins with */
    KEEPER_TMP_ROOM = PATH_MAX + 16, /* for TMPDIR=... */
    KEEPER_ENTRY = NAME_MAX + 1      /* for the name of any file */
};

typedef struct keeper keeper_t;
typedef struct keeper_job keeper_job_t;
typedef struct keeper_context keeper_context_t;

/* What epoll gives back. */
typedef struct keeper_watch {
    enum { KEEPER_LISTEN, KEEPER_DAEMON, KEEPER_SIGNALS, KEEPER_STDIN, KEEPER_OUT } what;
    int fd;          /* -1: none */
    uint32_t events; /* 0: not with epoll now, since a hangup would be told for ever */
    keeper_job_t *job;
} keeper_watch_t;

/* stdout or stderr of a job with STREAMS. */
typedef struct keeper_out {
    keeper_watch_t watch;
    uint8_t stream;   /* 1 or 2 */
    int file;         /* of the spool once the daemon has gone; -1 */
    uint8_t *recent;  /* ring of KEEPER_WINDOW bytes: what was told last (invariant 5) */
    uint64_t read;    /* bytes so far */
    uint64_t granted; /* bytes that the client says it has taken */
} keeper_out_t;

/* stdin of a job with STREAMS. */
typedef struct keeper_in {
    keeper_watch_t watch;
    uint8_t *waiting; /* ring of KEEPER_WINDOW bytes */
    uint64_t put, taken;
    uint32_t owed;  /* taken, and not yet told as ROOM */
    bool ending;    /* close it when all has been taken */
    bool line_open; /* the last byte that went in was not the end of a line */
} keeper_in_t;

struct keeper_job {
    byre__job_id_t id;
    uint32_t attempt, flags;
    enum { KEEPER_RUNNING, KEEPER_LEAVING, KEEPER_ENDED } state;
    pid_t pid;     /* of the main process; its session and, at first, its group have this number */
    bool reaped;   /* pid is no longer its */
    bool spooling; /* STREAMS, and the daemon has gone: output goes to files from now on */
    bool frozen;
    bool clean;   /* nothing of it is left */
    bool killed;  /* by us: its end does not wait long for a client that takes no output */
    bool own_tmp; /* it has a directory in DIR/tmp */
    char cpu_list[256];
    int group; /* cgroup: a slot of k->groups, or -1 */
    uint8_t signals[KEEPER_SIGNALS_MOST],
        signal_count;  /* to send in the next round, in this order */
    bool killing;      /* SIGKILL until nothing is left */
    bool seen;         /* by this round's scan */
    uint64_t seen_sum; /* of the numbers of its processes */
    uint64_t last_sum; /* the same in the pass before */
    uint64_t kill_at_ms,
        give_up_at_ms; /* monotonic; 0: not set. LEAVING: when output is no longer waited for */
    byre__end_t end;
    keeper_in_t in;
    keeper_out_t out[2];
    keeper_job_t *next_by_id, *next_by_pid;
    keeper_job_t *next, **link; /* list of all, or of those to be freed */
    keeper_job_t *next_leaver;
};

/* A process that descends from this keeper. */
typedef struct keeper_process {
    pid_t pid, parent, group, session;
    keeper_job_t *job; /* NULL: nobody's that we know */
    enum { KEEPER_UNKNOWN, KEEPER_VISITING, KEEPER_KNOWN } known;
} keeper_process_t;

struct keeper {
    int dir, spool, null, reserve, epoll;
    char identity[KEEPER_IDENTITY]; /* of DIR: the same for each keeper of it */
    pid_t self;
    uint64_t began_ms;
    bool quitting; /* end when there is nothing to do */
    bool leaving;  /* SIGTERM: end when no job is left */

    keeper_watch_t listen, signals, daemon;
    byre__stream_t stream; /* of the daemon; fd -1: none */
    bool broken;           /* it is to be closed at the end of the round */
    bool held;             /* output is held back by the backlog */
    bool more;             /* frames have come that have not been looked at: read no more */
    byre__pack_t pack;     /* scratch for one frame */
    uint8_t *chunk;        /* scratch: KEEPER_WINDOW bytes */

    keeper_context_t *contexts;
    size_t contexts_bytes;

    keeper_job_t *by_id[KEEPER_BUCKETS], *by_pid[KEEPER_BUCKETS];
    keeper_job_t *jobs,
        *dead; /* dead: freed at the end of the round, since epoll may still name them */
    size_t count, unended;

    unsigned spares; /* empty files in the spool */

    pid_t remover;         /* removes what ended jobs left in DIR/tmp; 0: nobody does */
    bool refuse;           /* there may be some that the remover does not know of */
    unsigned thrown;       /* for its names */
    uint64_t remove_at_ms; /* monotonic: not before */

    int journal;
    uint64_t journal_bytes;

    int children;          /* /proc/self/task/TID/children, or -1 */
    keeper_job_t *leavers; /* reaped in this round */
    bool attention;        /* there may be something to do for keeper_reach_round */
    bool strays;           /* there are, or were, orphans */
    bool urgent;           /* we have a better priority than others, until the next start */
    uint64_t next_at_ms;   /* when there will be something; monotonic */
    keeper_process_t *processes;
    size_t process_count, process_room;

    int group_root; /* cgroup v2 of our own, or -1; groups.c */
    char group_name[KEEPER_IDENTITY + 16];
    int *groups; /* directories by slot */
    uint32_t *groups_free;
    uint32_t group_count, group_free_count;

    uint64_t own_soft[BYRE__RLIMITS], own_hard[BYRE__RLIMITS]; /* what a child inherits */
};

/* ---- main.c, loop.c ------------------------------------------------------------------------------- */

void keeper_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t keeper_clock_ms(void); /* monotonic */
uint64_t keeper_date_ms(void);  /* since 1970 */
/* Want `events' of watch->fd: 0 takes it from epoll. */
void keeper_watch(keeper_t *k, keeper_watch_t *watch, uint32_t events);
int keeper_run(keeper_t *k); /* until the end; exit status */

/* ---- start.c: a process of its own ----------------------------------------------------------------- */

/* Become a daemon. Returns in the daemon, with a descriptor for keeper_start_tell; the caller's process exits
 * with what is told. */
int keeper_start_daemon(void);
/* An empty text: it runs. Otherwise a line for the caller, who exits with 1. */
void keeper_start_tell(int fd, const char *text);
/* Lock DIR: 1 ours, 0 another keeper runs here (and listens by now), -1 with errno. */
int keeper_start_lock(int dir);
/* The lock says from now on that this keeper listens. */
void keeper_start_ready(void);
/* Of what this process was born with nothing shall reach a job. */
void keeper_start_neutral(keeper_t *k);

/* ---- talk.c: the daemon ----------------------------------------------------------------------------- */

void keeper_talk_accept(keeper_t *k);
void keeper_talk_event(keeper_t *k, uint32_t events);
/* Frames that are there already, a few at a time: true if there may be more. */
bool keeper_talk_frames(keeper_t *k);
/* At the end of a round: write, and close what is broken. */
void keeper_talk_flush(keeper_t *k);
void keeper_talk_lost(keeper_t *k);

/* ---- say.c: what the daemon is told ------------------------------------------------------------------ */

void keeper_say_state(keeper_t *k);
void keeper_say_started(keeper_t *k, const keeper_job_t *job);
void keeper_say_ended(keeper_t *k, const keeper_job_t *job);
void keeper_say_output(keeper_t *k, const keeper_job_t *job, uint8_t stream, const void *data,
                       size_t bytes);
void keeper_say_room(keeper_t *k, const keeper_job_t *job, uint32_t bytes);

/* ---- context.c ---------------------------------------------------------------------------------------- */

struct keeper_context {
    byre__context_key_t key;
    byre__context_t context; /* without BYRE_JOB and BYRE_KEEPER */
    size_t bytes, variables;
    keeper_context_t *next;
};

/* BYRE_OK, BYRE_ENOMEM, BYRE_EPROTO. The same key again changes nothing. */
int keeper_context_put(keeper_t *k, byre__context_key_t key, byre__unpack_t *payload);
keeper_context_t *keeper_context_find(keeper_t *k, byre__context_key_t key);
void keeper_context_free(keeper_t *k, byre__context_key_t key);
void keeper_context_free_all(keeper_t *k);

/* ---- job.c: the table, and how a job ends ---------------------------------------------------------------- */

/* Can it be a file's name, and an id? */
bool keeper_id_is_sound(const byre__job_id_t *id);
keeper_job_t *keeper_job_find(keeper_t *k, const byre__job_id_t *id, uint32_t attempt);
keeper_job_t *keeper_job_latest(keeper_t *k, const byre__job_id_t *id);
keeper_job_t *keeper_job_by_pid(keeper_t *k, pid_t pid);
/* NULL: no memory. */
keeper_job_t *keeper_job_create(keeper_t *k, const byre__job_id_t *id, uint32_t attempt);
void keeper_job_set_pid(keeper_t *k, keeper_job_t *job, pid_t pid);
/* It never ran. */
void keeper_job_failed(keeper_t *k, keeper_job_t *job, uint8_t kind, int code, const char *detail);
/* Its main process is no more. */
void keeper_job_reaped(keeper_t *k, keeper_job_t *job, int status, const struct rusage *usage);
/* End it, if all is done. */
void keeper_job_settle(keeper_t *k, keeper_job_t *job);
void keeper_job_forget(keeper_t *k, keeper_job_t *job, bool output_too);
void keeper_job_bury(keeper_t *k); /* free the dead */
void keeper_spool_name(const keeper_job_t *job, int stream, char name_out[static BYRE__JOB_ID + 8]);

/* ---- spawn.c, child.c ---------------------------------------------------------------------------------- */

typedef struct keeper_order {
    byre__spec_t spec;
    keeper_context_t *context;
    char cpu_list[256], node_list[256];
    char **extra; /* NAME=value, NULL at the end */
} keeper_order_t;

/* Start it: STARTED or an end. */
void keeper_spawn(keeper_t *k, keeper_job_t *job, keeper_order_t *order);

/* May a child be born into this cgroup, and live? 0 or an errno. */
int keeper_spawn_probe(keeper_t *k, int slot);

/* "0-3,8" as bits. false: not a list, or beyond the room. */
bool keeper_list_parse(const char *text, unsigned long *bits_out, size_t bits);

enum { KEEPER_CPUS = 8192, KEEPER_NODES = 1024, KEEPER_WORD = 8 * sizeof(unsigned long) };
enum { KEEPER_STAGE_OK, KEEPER_STAGE_SET_UP, KEEPER_STAGE_CWD, KEEPER_STAGE_EXEC };

/* All that the child looks at; it writes only `stage', `error' and argv[-1], argv[0]. */
typedef struct keeper_child {
    char **argv; /* with one unused word before it */
    char **env;
    const char *path, *cwd;
    uint32_t umask;
    int fd[3]; /* -1: the spool file of this name */
    const char *spool_name[3];
    int spool;
    bool pty, probe;
    bool limited[BYRE__RLIMITS];
    struct rlimit limit[BYRE__RLIMITS];
    rlim_t most[BYRE__RLIMITS]; /* what the keeper may give */
    bool bind_cpus, bind_nodes;
    unsigned long cpus[KEEPER_CPUS / KEEPER_WORD], nodes[KEEPER_NODES / KEEPER_WORD];
    volatile int stage, error;
} keeper_child_t;

_Noreturn void keeper_child_run(keeper_child_t *child);

/* ---- stream.c: stdin, stdout, stderr of jobs with STREAMS ---------------------------------------------------- */

/* Make them: `theirs' are the child's ends. 0 or an errno. */
int keeper_stream_open(keeper_t *k, keeper_job_t *job, const byre__spec_t *spec, int theirs[3]);
void keeper_stream_begin(keeper_t *k, keeper_job_t *job); /* the child runs */
void keeper_stream_close(keeper_t *k, keeper_job_t *job); /* it never ran, or is forgotten */
void keeper_stream_readable(keeper_t *k, keeper_job_t *job, keeper_out_t *out);
void keeper_stream_writable(keeper_t *k, keeper_job_t *job);
/* false: more than ROOM allowed. */
bool keeper_stream_stdin(keeper_t *k, keeper_job_t *job, const uint8_t *data, size_t bytes);
void keeper_stream_stdin_end(keeper_t *k, keeper_job_t *job);
void keeper_stream_window(keeper_t *k, keeper_job_t *job, uint8_t stream, uint32_t bytes);
void keeper_stream_resize(keeper_job_t *job, uint32_t rows, uint32_t cols);
/* Nobody can write any more: take what is there. true: all of it has been taken, and they are closed. */
bool keeper_stream_drain(keeper_t *k, keeper_job_t *job);
void keeper_stream_release(keeper_t *k); /* the backlog has gone: go on reading */

/* ---- spool.c: when nobody takes the output ------------------------------------------------------------------- */

void keeper_spool_begin(keeper_t *k, keeper_job_t *job); /* the daemon has gone */
void keeper_spool_write(keeper_t *k, keeper_job_t *job, keeper_out_t *out, const void *data,
                        size_t bytes);
void keeper_spool_prepare(keeper_t *k, keeper_job_t *job); /* before a start without STREAMS */
void keeper_spool_tidy(keeper_t *k);                       /* no spares */
void keeper_spool_sizes(keeper_t *k, keeper_job_t *job);   /* into its end; empty files go */
void keeper_spool_remove(keeper_t *k, const keeper_job_t *job);

/* ---- own_tmp.c: a directory of a job's own; remove.c -------------------------------------------------------------- */

/* What an earlier keeper left in DIR/tmp is to be removed. Before any job is started. */
void keeper_tmp_begin(keeper_t *k);
void keeper_tmp_end(keeper_t *k);
/* Make the directory of a job with OWN_TMP: 0 or an errno. variable_out: TMPDIR=... */
int keeper_tmp_make(keeper_t *k, keeper_job_t *job, char variable_out[static KEEPER_TMP_ROOM]);
/* The job has ended: another name for its directory, if it has one; it is removed later. */
void keeper_tmp_drop(keeper_t *k, keeper_job_t *job);
/* Once a round: start who removes, if there is something, and nobody does. */
void keeper_tmp_round(keeper_t *k);
/* Was it who removes? */
bool keeper_tmp_reaped(keeper_t *k, pid_t pid, int status);

/* Remove what has this name in `dir', with all that is in it: 0, or the errno of what could not be, of which
 * entry_out is the name. May take long. */
int keeper_remove(int dir, const char *name, char entry_out[static KEEPER_ENTRY]);

/* ---- tree.c: all processes of a job; reach.c: what is done to them ----------------------------------------------- */

/* Look at all processes: k->processes, with the job of each. BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM. */
int keeper_tree_scan(keeper_t *k);
/* Direct children that are no job's main process: the usual answer is no, and cheap. */
bool keeper_tree_has_orphans(keeper_t *k);
/* SIGKILL orphans of jobs that are being killed: fast, before they can fork on. */
void keeper_tree_kill_orphans(keeper_t *k);
/* Kill what an earlier keeper of this directory left: number of processes that could not be killed. */
size_t keeper_tree_kill_old(keeper_t *k);

void keeper_reach_signal(keeper_t *k, keeper_job_t *job, int number);
void keeper_reach_kill(keeper_t *k, keeper_job_t *job, uint32_t grace_ms);
void keeper_reach_freeze(keeper_t *k, keeper_job_t *job, bool on);
void keeper_reach_bind(keeper_t *k, keeper_job_t *job, const unsigned long *cpus);
/* What is being killed may be many, and want all processors: a better priority for us, where we may. */
void keeper_reach_hurry(keeper_t *k, bool on);
/* After main processes have been reaped: which of their jobs have left something behind? */
void keeper_reach_leavers(keeper_t *k);
/* Do what is pending; k->next_at_ms says when it has to be called again. */
void keeper_reach_round(keeper_t *k);

/* ---- group.c: a cgroup (version 2) for each job, where we may have some ------------------------------------------ */

void keeper_group_init(keeper_t *k);
void keeper_group_fini(keeper_t *k);
int keeper_group_take(keeper_t *k);            /* a slot, or -1 */
void keeper_group_give(keeper_t *k, int slot); /* empty again */
void keeper_group_off(keeper_t *k, int error); /* the kernel does not let us */
bool keeper_group_is_empty(keeper_t *k, int slot);
void keeper_group_kill(keeper_t *k, int slot);
bool keeper_group_freeze(keeper_t *k, int slot, bool on);
/* Calls `each' for each process in it. */
void keeper_group_each(keeper_t *k, int slot, void (*each)(pid_t pid, void *arg), void *arg);

/* ---- journal.c ------------------------------------------------------------------------------------------------- */

/* Read what an earlier keeper left: ended jobs, and lost ones. BYRE_OK, BYRE_ENOMEM, BYRE_ESYSTEM. */
int keeper_journal_open(keeper_t *k);
/* 0, or the errno for which the job must not start. */
int keeper_journal_start(keeper_t *k, const keeper_job_t *job);
void keeper_journal_end(keeper_t *k, const keeper_job_t *job);
void keeper_journal_forget(keeper_t *k, const keeper_job_t *job);

#endif
