/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * launch.h - mpirun and the daemons under it, as processes of this machine: started, found again, ended.
 *
 * In the pool's directory (state.h): mpirun.log what mpirun says; mpirun.pid its process id and when that process
 * began, so that another process of the same number is not taken for it; up.hosts the nodes of the pool as byre up
 * was told, until byre down: after a crash byre up needs no options.
 */
#ifndef BYRE__SCHED_CMD_LAUNCH_H
#define BYRE__SCHED_CMD_LAUNCH_H

#include <sys/types.h>

#include "share.h"

/* Where byred is, by its absolute path. false: nowhere. */
bool launch_find_byred(char *path_out, size_t room);

/* Start it, detached from this terminal. A child of this process that ends when it does, or -1 with errno. */
pid_t launch_start(const char *dir, char *const *argv);
/* What that child does: it is mpirun's parent, and ends with it and with its status. guard.c */
int guard_run(const char *dir, pid_t mpirun);
/* mpirun of this pool on this machine, or 0. */
pid_t launch_running(const char *dir);
/* What daemons complained of, and the last lines of mpirun.log, indented, to stderr. First waits a moment until so many
 * have complained: their words come by mpirun, and may be behind what other daemons know. launch_log.c */
void launch_show_log(const char *dir, unsigned complaints);

/* Is the process there? A child of ours that has ended is reaped and is not. */
bool launch_is_there(pid_t pid);
/* Wait until it is gone: true, or false after so long. */
bool launch_await_end(pid_t pid, int timeout_ms);
/* Ask it to end, then make it. What had to be done is said on stderr. */
void launch_make_end(const byre__cmd_t *cmd, const char *what, pid_t pid);
/* Daemons of this pool on this machine, whoever started them: up to `most'. */
int launch_daemons(const char *pool, pid_t *pids_out, int most);

/* End the pool: with `kill' its jobs too. *found_out: there was anything. BYRE__CMD_OK or _FAILED. */
int launch_down(const byre__cmd_t *cmd, const char *pool, const char *dir, bool kill,
                bool *found_out);

/* ---- hosts.c ---- */
/* "a,b:2" or a hostfile: is this machine among them? 1, 0, or -1 with errno (the file). */
int hosts_include_this(const char *list, const char *file);

#endif
