/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_sched.h
 * Placement of ordinary commands on the nodes of a pool: what the commands `byre run', `byre submit' and their
 * like do, for programs. A program talks to the daemon of its own node (byre_sched_open), which `byre up' has
 * started; it need not be a job of mpirun, and neither byre_init nor MPI are involved.
 *
 * Everything here blocks until the daemon has answered. Calls on one connection are made by one thread at a
 * time; connections are independent. Nothing here is for signal handlers. See byre(1), byred(8).
 */
#ifndef BYRE_SCHED_H
#define BYRE_SCHED_H

#include <byre_errors.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A connection to the daemon of this node. */
typedef struct byre_sched byre_sched_t;

/** What to run. All zero but `argv' is a job of one processor anywhere. */
typedef struct byre_sched_job {
    char *const
        *argv; /**< program and arguments, ended by NULL; found by PATH on the node it runs on */
    const char *name; /**< for people; NULL: the program's */
    const char *node; /**< the only node it may run on; NULL: any */
    const char
        *affinity;      /**< jobs of one key go where the last of them ran, where possible; NULL */
    unsigned cpus;      /**< processors it needs; 0: 1 */
    uint64_t mem_bytes; /**< memory it needs; 0: not said */
    int restartable;    /**< nonzero: it may be run again, elsewhere, when its node is lost */
    int own_tmp; /**< nonzero: TMPDIR is a directory of its own where it runs, removed when it has ended */
} byre_sched_job_t;

/** How a job went. */
typedef struct byre_sched_end {
    int status; /**< as a shell has it: exit status, 128 + signal, 127 not found, 126 not startable, 125 lost */
    int lost;      /**< nonzero: its node was lost, it may have run in part */
    int signal;    /**< the signal that ended it, or 0 */
    char node[64]; /**< where it ran; "" nowhere */
    double run_s;  /**< from start to end, seconds */
    double cpu_s;  /**< user and system time of it and its children, seconds */
} byre_sched_end_t;

#define BYRE_SCHED_ID 72 /**< room for a job's id as text, "n1.17" */

/**
 * Connect to the daemon of this node.
 * @param pool  the pool's name as in `byre up --name'; NULL: $BYRE_POOL, or "pool"
 * @param sched_out  the caller's, for byre_sched_close
 * @return BYRE_OK; BYRE_ENOTFOUND: no such pool is up on this node; BYRE_ERIGHT: it belongs to another user;
 *         BYRE_EPROTO: daemon and library are of different versions; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESYSTEM
 * @threads any
 */
int byre_sched_open(const char *pool, byre_sched_t **sched_out);

/** End the connection. Jobs go on. @param sched may be NULL @threads the connection's */
void byre_sched_close(byre_sched_t *sched);

/**
 * Submit `count' jobs that run the same things as this process would: its environment, directory, umask and
 * resource limits. They are on the disk of this node when the call returns, and run whatever happens to the caller.
 * @param jobs  array of `count', borrowed during the call
 * @param id_out  room for BYRE_SCHED_ID bytes: the id of the first; those of the others count up from it
 * @return BYRE_OK; BYRE_EINVAL: no argv, or an unknown node; BYRE_ERANGE: more than a pool can ever hold or
 *         a node can ever give; BYRE_EPEER: the daemon ended, and it is not known whether they were
 *         accepted (byre ps says); BYRE_ENOMEM; BYRE_ESYSTEM: the daemon's disk
 * @threads the connection's
 */
int byre_sched_submit(byre_sched_t *sched, const byre_sched_job_t *jobs, size_t count,
                      char id_out[BYRE_SCHED_ID]);

/**
 * Wait for the end of a job.
 * @param id  as from byre_sched_submit; a bare number is a job of this node
 * @param timeout_ms  -1: for ever; 0: only look. To look again and again, use 0: a wait that timed out is
 *                    remembered by the daemon until the job ends or the connection does
 * @param end_out  how it went
 * @return BYRE_OK; BYRE_ETIMEOUT: it has not ended; BYRE_ENOTFOUND: no such job (any more); BYRE_EPEER: the
 *         daemon ended, the job goes on; BYRE_EINVAL: not an id
 * @threads the connection's
 */
int byre_sched_wait(byre_sched_t *sched, const char *id, int timeout_ms, byre_sched_end_t *end_out);

/**
 * Send a signal to all processes of a job; a job that has not begun is cancelled by one that would end it.
 * @param id  as for byre_sched_wait
 * @param signal  0: only look whether it is there
 * @return BYRE_OK; BYRE_ENOTFOUND: no such job, or ended; BYRE_EPEER: the daemon ended; BYRE_EINVAL
 * @threads the connection's
 */
int byre_sched_kill(byre_sched_t *sched, const char *id, int signal);

/**
 * What the last failed call on this connection was about, for a person.
 * @return a text, never NULL, valid until the next call on the connection
 * @threads the connection's
 */
const char *byre_sched_explain(const byre_sched_t *sched);

#ifdef __cplusplus
}
#endif
#endif
