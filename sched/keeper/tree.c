/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.c - which processes belong to which job.
 *
 * The keeper is the reaper of its descendants (PR_SET_CHILD_SUBREAPER): whatever a job's process does, it stays
 * below the keeper, and when its parent ends it becomes our direct child, an orphan. So:
 * 1. A process belongs to the job that its topmost ancestor below the keeper belongs to.
 * 2. That ancestor is a job's main process, or an orphan. An orphan belongs to the job that its environment
 *    names, else to the job in whose session it is.
 * 3. The child that removes files (own_tmp.c) is nobody's, and is not seen here.
 * An orphan that has left the session and cleared its environment is nobody's, unless its cgroup says so
 * (group.c); it is killed when no job is left.
 */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENVIRONMENT_MOST = 4 << 20 };

/* ---- /proc -------------------------------------------------------------------------------------------- */

/* The whole file, with a zero byte behind it; NULL: gone, forbidden or no memory. */
static char *read_file(const char *path, size_t *bytes_out)
{
    size_t room = 4096, bytes = 0;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    for (ssize_t n = 1; n > 0 && room <= ENVIRONMENT_MOST; room *= 2) {
        char *more = realloc(text, room);
        if (more == NULL) break;
        text = more;
        while (bytes < room - 1 && (n = read(fd, text + bytes, room - 1 - bytes)) > 0)
            bytes += (size_t)n;
    }
    close(fd);
    if (text != NULL) text[bytes] = '\0';
    *bytes_out = bytes;
    return text;
}

static const char *variable(const char *environ_text, size_t bytes, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = environ_text; at < environ_text + bytes; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0) return at + length;
    return NULL;
}

/* The attempt, if it is a process of a keeper of this directory; NULL otherwise. */
static const char *our_attempt(const keeper_t *k, const char *text, size_t bytes)
{
    const char *value = variable(text, bytes, "BYRE_KEEPER=");
    size_t length = strlen(k->identity);
    if (value == NULL || strncmp(value, k->identity, length) != 0 || value[length] != '/')
        return NULL;
    return value + length + 1;
}

static keeper_job_t *job_by_environment(keeper_t *k, pid_t pid)
{
    char path[64];
    size_t bytes;
    byre__job_id_t id;
    keeper_job_t *job = NULL;
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    char *text = read_file(path, &bytes);
    if (text == NULL) return NULL;
    const char *attempt = our_attempt(k, text, bytes);
    const char *name = variable(text, bytes, "BYRE_JOB=");
    if (attempt != NULL && name != NULL && byre__job_id_parse(name, "", &id))
        job = keeper_job_find(k, &id, (uint32_t)strtoul(attempt, NULL, 10));
    free(text);
    return job;
}

/* A session's number is that of the main process, and stays taken as long as anybody is in the session. */
static keeper_job_t *job_by_session(keeper_t *k, pid_t session)
{
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next)
        if (job->pid == session && job->state != KEEPER_ENDED) return job;
    return NULL;
}

static keeper_job_t *job_of_orphan(keeper_t *k, pid_t pid, pid_t session)
{
    keeper_job_t *job = job_by_environment(k, pid);
    if (job == NULL || job->state == KEEPER_ENDED) job = job_by_session(k, session);
    return job;
}

/* false: gone, or a zombie, which nobody can do anything to. */
static bool read_stat(pid_t pid, keeper_process_t *process_out)
{
    char path[64], text[512], state;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return false;
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the name before it may be anything */
    *process_out = (keeper_process_t){ .pid = pid };
    return at != NULL &&
           sscanf(at + 1, " %c %d %d %d", &state, &process_out->parent, &process_out->group,
                  &process_out->session) == 4 &&
           state != 'Z' && state != 'X';
}

/* ---- the scan -------------------------------------------------------------------------------------------- */

static bool add(keeper_t *k, const keeper_process_t *process)
{
    if (k->process_count == k->process_room) {
        size_t room = k->process_room == 0 ? 512 : 2 * k->process_room;
        keeper_process_t *more = realloc(k->processes, room * sizeof *more);
        if (more == NULL) return false;
        k->processes = more;
        k->process_room = room;
    }
    k->processes[k->process_count++] = *process;
    return true;
}

static int by_number(const void *a, const void *b)
{
    const keeper_process_t *p = a, *q = b;
    return p->pid < q->pid ? -1 : p->pid > q->pid;
}

static int read_processes(keeper_t *k)
{
    DIR *proc = opendir("/proc");
    int result = BYRE_OK;
    if (proc == NULL) return BYRE_ESYSTEM;
    k->process_count = 0;
    for (struct dirent *entry; result == BYRE_OK && (entry = readdir(proc)) != NULL;) {
        keeper_process_t process;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid != k->self && pid != k->remover && read_stat(pid, &process) && !add(k, &process))
            result = BYRE_ENOMEM;
    }
    closedir(proc);
    if (k->process_count > 0)
        qsort(k->processes, k->process_count, sizeof *k->processes, by_number);
    return result;
}

static keeper_process_t *find(keeper_t *k, pid_t pid)
{
    keeper_process_t key = { .pid = pid };
    if (k->process_count == 0) return NULL;
    return bsearch(&key, k->processes, k->process_count, sizeof key, by_number);
}

static keeper_job_t *job_of_top(keeper_t *k, const keeper_process_t *top)
{
    if (top->parent != k->self) return NULL; /* not below us */
    keeper_job_t *job = keeper_job_by_pid(k, top->pid);
    return job != NULL ? job : job_of_orphan(k, top->pid, top->session);
}

/* Up to somebody whose job is known, or to the top; then all on the way have that job. The scan is no
 * snapshot: VISITING stops at a circle that numbers used again could make. */
static void resolve(keeper_t *k, keeper_process_t *process)
{
    keeper_process_t *top = process, *parent;
    while (top->known == KEEPER_UNKNOWN) {
        top->known = KEEPER_VISITING;
        parent = top->parent == k->self ? NULL : find(k, top->parent);
        if (parent == NULL || parent->known == KEEPER_VISITING) {
            top->job = job_of_top(k, top);
            top->known = KEEPER_KNOWN;
        } else {
            top = parent;
        }
    }
    for (keeper_process_t *at = process; at->known == KEEPER_VISITING;) {
        at->known = KEEPER_KNOWN;
        at->job = top->job;
        at = find(k, at->parent);
        if (at == NULL) break;
    }
}

int keeper_tree_scan(keeper_t *k)
{
    int error = read_processes(k);
    for (size_t i = 0; i < k->process_count; i++) resolve(k, &k->processes[i]);
    return error;
}

/* ---- orphans, quickly -------------------------------------------------------------------------------------- */

/* Calls `each' for each orphan; stops when it returns true. Without the kernel's list of children: true. */
static bool each_orphan(keeper_t *k, bool (*each)(keeper_t *k, pid_t pid))
{
    char text[8192];
    off_t at = 0;
    pid_t pid = 0;
    if (k->children < 0) return true;
    for (ssize_t n; (n = pread(k->children, text, sizeof text, at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            if (pid > 0 && pid != k->remover && keeper_job_by_pid(k, pid) == NULL && each(k, pid))
                return true;
            pid = 0;
        }
    return false;
}

static bool any(keeper_t *k, pid_t pid)
{
    (void)k;
    keeper_process_t process;
    return read_stat(pid, &process); /* not a zombie that has yet to be reaped */
}

bool keeper_tree_has_orphans(keeper_t *k)
{
    return each_orphan(k, any);
}

static bool kill_if_doomed(keeper_t *k, pid_t pid)
{
    keeper_process_t process;
    if (!read_stat(pid, &process)) return false;
    const keeper_job_t *job = job_of_orphan(k, pid, process.session);
    if (job != NULL ? job->killing : k->unended == 0) kill(pid, SIGKILL);
    return false;
}

void keeper_tree_kill_orphans(keeper_t *k)
{
    (void)each_orphan(k, kill_if_doomed);
}

/* ---- what an earlier keeper left ------------------------------------------------------------------------------ */

static bool is_old(keeper_t *k, pid_t pid)
{
    char path[64];
    size_t bytes;
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    char *text = read_file(path, &bytes);
    bool old = text != NULL && our_attempt(k, text, bytes) != NULL;
    free(text);
    return old;
}

/* Those that carry our mark, and what descends from them. Children come later in the list than their
 * parents, but for numbers that started again: then the next pass finds them. */
size_t keeper_tree_kill_old(keeper_t *k)
{
    size_t count = 0;
    if (read_processes(k) != BYRE_OK) keeper_log("/proc cannot be read: %s", strerror(errno));
    for (size_t i = 0; i < k->process_count; i++) {
        keeper_process_t *process = &k->processes[i], *parent = find(k, process->parent);
        bool old = parent != NULL && parent->known == KEEPER_KNOWN;
        if (!old && !is_old(k, process->pid)) continue;
        process->known = KEEPER_KNOWN;
        count++;
        kill(process->pid, SIGKILL);
    }
    return count;
}
