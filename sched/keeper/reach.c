/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reach.c - what is done to all processes of a job: signals, the end, a pause, other processors.
 *
 * 1. Requests are noted, and done together once a round: one look at /proc serves all jobs.
 * 2. A signal goes to process groups, not to processes: the kernel gives it to all members at once, also to
 *    one that is being forked. Every group of a job is the job's alone, since it began with a session.
 * 3. SIGKILL is repeated until nothing is left. A cgroup kills all at once; without one, each pass first kills
 *    the orphans, of which the kernel has a short list, so that what forks and ends again and again is met.
 */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PASS_MS = 5, FREEZE_PASSES = 10 };

/* ---- whom ------------------------------------------------------------------------------------------- */

static int compare_pids(const void *a, const void *b)
{
    const keeper_process_t *p = a, *q = b;
    return p->pid < q->pid ? -1 : p->pid > q->pid;
}

typedef struct member_arg {
    keeper_t *k;
    keeper_job_t *job;
} member_arg_t;

static void take_member(pid_t pid, void *arg)
{
    member_arg_t *member = arg;
    keeper_t *k = member->k;
    keeper_process_t key = { .pid = pid }, *at = k->process_count == 0
                                                     ? NULL
                                                     : bsearch(&key, k->processes, k->process_count,
                                                               sizeof key, compare_pids);
    if (at != NULL && at->job == NULL) at->job = member->job;
}

/* The cgroup knows those who have left no other trace. */
static void scan(keeper_t *k)
{
    if (keeper_tree_scan(k) != BYRE_OK) keeper_log("/proc cannot be read: %s", strerror(errno));
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        member_arg_t arg = { k, job };
        job->seen = false;
        job->seen_sum = 0;
        if (job->state != KEEPER_ENDED && job->group >= 0 && (job->signal_count != 0 || job->killing))
            keeper_group_each(k, job->group, take_member, &arg);
    }
}

/* Is this the first process of its group in the scan? */
static bool leads(const keeper_t *k, size_t i)
{
    const keeper_process_t *process = &k->processes[i];
    for (size_t j = 0; j < i; j++)
        if (k->processes[j].group == process->group) return false;
    return true;
}

/* One of ours may be between clone and setsid only while we stand still. */
static bool send_group(const keeper_process_t *process, int number)
{
    if (process->group <= 1) return kill(process->pid, number) == 0;
    return kill(-process->group, number) == 0;
}

/* ---- signals ------------------------------------------------------------------------------------------- */

static void deliver(keeper_t *k)
{
    for (size_t i = 0; i < k->process_count; i++) {
        const keeper_process_t *process = &k->processes[i];
        if (process->job == NULL || process->job->signal_count == 0 || !leads(k, i)) continue;
        for (unsigned s = 0; s < process->job->signal_count; s++)
            send_group(process, process->job->signals[s]);
    }
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) job->signal_count = 0;
}

static void want(keeper_t *k, keeper_job_t *job, int number)
{
    if (job->signal_count == KEEPER_SIGNALS_MOST) {
        scan(k);
        deliver(k);
    }
    job->signals[job->signal_count++] = (uint8_t)number;
    k->attention = true;
}

/* What a terminal would send goes to whom the terminal would send it. */
static bool by_terminal(keeper_job_t *job, int number)
{
    if (!(job->flags & BYRE__JOB_PTY) || job->out[0].watch.fd < 0) return false;
    if (number != SIGINT && number != SIGQUIT && number != SIGTSTP) return false;
    pid_t group = tcgetpgrp(job->out[0].watch.fd);
    return group > 1 && kill(-group, number) == 0;
}

void keeper_reach_signal(keeper_t *k, keeper_job_t *job, int number)
{
    if (job->state != KEEPER_RUNNING || by_terminal(job, number)) return;
    want(k, job, number);
}

/* ---- the end --------------------------------------------------------------------------------------------- */

static void begin_killing(keeper_t *k, keeper_job_t *job)
{
    job->killing = true;
    job->kill_at_ms = 0;
    job->give_up_at_ms = keeper_clock_ms() + KEEPER_GIVE_UP_MS;
    k->attention = true;
}

void keeper_reach_kill(keeper_t *k, keeper_job_t *job, uint32_t grace_ms)
{
    if (job->state == KEEPER_ENDED) return;
    job->killed = true;
    if (job->state == KEEPER_LEAVING) {
        keeper_job_settle(k, job);
        return;
    }
    if (job->frozen) keeper_reach_freeze(k, job, false);
    if (grace_ms == 0) {
        begin_killing(k, job);
        return;
    }
    uint64_t at = keeper_clock_ms() + grace_ms;
    if (job->kill_at_ms == 0 || at < job->kill_at_ms) job->kill_at_ms = at;
    keeper_reach_signal(k, job, SIGTERM);
    want(k, job, SIGCONT); /* one that is stopped shall notice; it comes after TERM */
}

void keeper_reach_leavers(keeper_t *k)
{
    if (k->leavers == NULL) return;
    bool orphans = keeper_tree_has_orphans(k);
    k->strays |= orphans;
    while (k->leavers != NULL) {
        keeper_job_t *job = k->leavers;
        k->leavers = job->next_leaver;
        if (orphans || (job->group >= 0 && !keeper_group_is_empty(k, job->group))) {
            if (!job->killing) begin_killing(k, job);
        } else {
            job->clean = true;
            job->killing = false;
            keeper_job_settle(k, job);
        }
    }
}

static void kill_groups(keeper_t *k)
{
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        if (!job->killing || job->group < 0 || job->state == KEEPER_ENDED) continue;
        if (keeper_group_is_empty(k, job->group)) continue;
        job->seen = true;
        keeper_group_kill(k, job->group);
    }
    for (size_t i = 0; i < k->process_count; i++) {
        keeper_process_t *process = &k->processes[i];
        /* Those that we may not kill (sudo) are not ours to wait for. */
        if (process->job == NULL || !process->job->killing) continue;
        if (!send_group(process, SIGKILL)) continue;
        process->job->seen = true;
        process->job->seen_sum += (uint64_t)process->pid * UINT64_C(0x9e3779b97f4a7c15);
    }
}

/* Those who are not there any more, or others: then it is worth going on. */
static void note_progress(keeper_job_t *job, uint64_t now_ms)
{
    if (job->seen_sum != job->last_sum) job->give_up_at_ms = now_ms + KEEPER_GIVE_UP_MS;
    job->last_sum = job->seen_sum;
}

/* Has this pass found it gone? */
static void check_killed(keeper_t *k, keeper_job_t *job, uint64_t now_ms)
{
    note_progress(job, now_ms);
    bool late = now_ms >= job->give_up_at_ms;
    if (late && job->seen && job->reaped) {
        k->strays = true; /* they may have its files open */
        keeper_log("job %s.%llu: processes of it cannot be killed; it ends without them",
                   job->id.home, (unsigned long long)job->id.number);
    }
    if (!job->reaped || (job->seen && !late)) {
        if (k->next_at_ms > now_ms + PASS_MS) k->next_at_ms = now_ms + PASS_MS;
        keeper_reach_hurry(k, true);
        return;
    }
    job->killing = false;
    job->clean = true;
    keeper_job_settle(k, job);
}

/* Jobs inherit a priority: none is started while it is high. */
void keeper_reach_hurry(keeper_t *k, bool on)
{
    if (k->urgent == on) return;
    k->urgent = setpriority(PRIO_PROCESS, 0, on ? -20 : 0) == 0 && on;
}

/* Whose time has come? Is anybody to be looked for? */
static bool due(keeper_t *k, uint64_t now_ms)
{
    bool anybody = false;
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        if (job->state == KEEPER_ENDED) continue;
        if (job->kill_at_ms != 0 && now_ms >= job->kill_at_ms) {
            job->kill_at_ms = 0;
            if (job->state == KEEPER_RUNNING)
                begin_killing(k, job);
            else
                keeper_spool_begin(k, job);
        }
        anybody |= job->killing || job->signal_count != 0;
    }
    return anybody;
}

void keeper_reach_round(keeper_t *k)
{
    uint64_t now_ms = keeper_clock_ms();
    if (!k->attention && now_ms < k->next_at_ms) return;
    k->next_at_ms = UINT64_MAX;
    if (!due(k, now_ms)) {
        keeper_reach_hurry(k, false);
    } else {
        keeper_tree_kill_orphans(k);
        scan(k);
        deliver(k);
        kill_groups(k);
    }
    k->attention = false;
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        if (job->state == KEEPER_ENDED) continue;
        if (job->killing) check_killed(k, job, now_ms);
        if (job->kill_at_ms != 0 && job->kill_at_ms < k->next_at_ms)
            k->next_at_ms = job->kill_at_ms;
    }
    if (k->strays && k->unended == 0) {
        keeper_tree_kill_orphans(k);
        k->strays = keeper_tree_has_orphans(k);
        if (k->strays && k->next_at_ms > now_ms + PASS_MS) k->next_at_ms = now_ms + PASS_MS;
    }
}

/* ---- pause, and other processors ------------------------------------------------------------------------- */

/* Until a pass finds no more processes than the one before: none has been forked meanwhile. */
static void stop_or_go(keeper_t *k, keeper_job_t *job, int number)
{
    size_t before = SIZE_MAX;
    for (int pass = 0; pass < FREEZE_PASSES; pass++) {
        size_t count = 0;
        scan(k);
        for (size_t i = 0; i < k->process_count; i++) {
            if (k->processes[i].job != job) continue;
            count++;
            if (leads(k, i)) send_group(&k->processes[i], number);
        }
        if (count == before || number == SIGCONT) return;
        before = count;
    }
}

void keeper_reach_freeze(keeper_t *k, keeper_job_t *job, bool on)
{
    if (job->state != KEEPER_RUNNING || job->frozen == on) return;
    job->frozen = on;
    if (job->group < 0 || !keeper_group_freeze(k, job->group, on))
        stop_or_go(k, job, on ? SIGSTOP : SIGCONT);
}

static void bind_threads(pid_t pid, const unsigned long *cpus)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread > 0) (void)syscall(SYS_sched_setaffinity, thread, KEEPER_CPUS / 8, cpus);
    }
    closedir(tasks);
}

/* Twice: what was forked by one that had not been bound yet is found the second time. */
void keeper_reach_bind(keeper_t *k, keeper_job_t *job, const unsigned long *cpus)
{
    for (int pass = 0; pass < 2; pass++) {
        scan(k);
        for (size_t i = 0; i < k->process_count; i++)
            if (k->processes[i].job == job) bind_threads(k->processes[i].pid, cpus);
    }
}
