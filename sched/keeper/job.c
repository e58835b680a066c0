/* SPDX-License-Identifier: BSD-3-Clause */
/* job.c - the jobs by id and by process, and how one ends: the edges of the drawing in keeper.h. */
#include "sched/keeper/keeper.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* ---- the table ------------------------------------------------------------------------------------ */

bool keeper_id_is_sound(const byre__job_id_t *id)
{
    if (id->number == 0 || id->home[0] == '\0' || id->home[0] == '.') return false;
    for (const char *c = id->home; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr("._-", *c) == NULL) return false;
    return true;
}

static keeper_job_t **by_id(keeper_t *k, const byre__job_id_t *id)
{
    uint64_t h = id->number;
    for (const char *c = id->home; *c != '\0'; c++) h = h * 31 + (unsigned char)*c;
    return &k->by_id[h % KEEPER_BUCKETS];
}

static keeper_job_t **by_pid(keeper_t *k, pid_t pid)
{
    return &k->by_pid[(unsigned)pid % KEEPER_BUCKETS];
}

keeper_job_t *keeper_job_find(keeper_t *k, const byre__job_id_t *id, uint32_t attempt)
{
    keeper_job_t *job = *by_id(k, id);
    while (job != NULL && (job->attempt != attempt || !byre__job_id_equal(&job->id, id)))
        job = job->next_by_id;
    return job;
}

keeper_job_t *keeper_job_latest(keeper_t *k, const byre__job_id_t *id)
{
    keeper_job_t *latest = NULL;
    for (keeper_job_t *job = *by_id(k, id); job != NULL; job = job->next_by_id)
        if (byre__job_id_equal(&job->id, id) && (latest == NULL || job->attempt > latest->attempt))
            latest = job;
    return latest;
}

keeper_job_t *keeper_job_by_pid(keeper_t *k, pid_t pid)
{
    keeper_job_t *job = *by_pid(k, pid);
    while (job != NULL && job->pid != pid) job = job->next_by_pid;
    return job;
}

static void watch_init(keeper_watch_t *watch, keeper_job_t *job, int what)
{
    watch->what = what;
    watch->fd = -1;
    watch->job = job;
}

keeper_job_t *keeper_job_create(keeper_t *k, const byre__job_id_t *id, uint32_t attempt)
{
    keeper_job_t *job = calloc(1, sizeof *job), **bucket = by_id(k, id);
    if (job == NULL) return NULL;
    job->id = *id;
    job->attempt = attempt;
    job->group = -1;
    watch_init(&job->in.watch, job, KEEPER_STDIN);
    for (int i = 0; i < 2; i++) {
        watch_init(&job->out[i].watch, job, KEEPER_OUT);
        job->out[i].stream = (uint8_t)(i + 1);
        job->out[i].file = -1;
    }
    job->next_by_id = *bucket;
    *bucket = job;
    job->next = k->jobs;
    job->link = &k->jobs;
    if (job->next != NULL) job->next->link = &job->next;
    k->jobs = job;
    k->count++;
    k->unended++;
    return job;
}

void keeper_job_set_pid(keeper_t *k, keeper_job_t *job, pid_t pid)
{
    keeper_job_t **bucket = by_pid(k, pid);
    job->pid = pid;
    job->next_by_pid = *bucket;
    *bucket = job;
}

static void drop_pid(keeper_t *k, keeper_job_t *job)
{
    keeper_job_t **at = by_pid(k, job->pid);
    while (*at != job) at = &(*at)->next_by_pid;
    *at = job->next_by_pid;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void ended(keeper_t *k, keeper_job_t *job)
{
    job->end.ended_ms = keeper_date_ms();
    job->state = KEEPER_ENDED;
    k->unended--;
    k->attention |= k->strays;
    keeper_tmp_drop(k, job);
    keeper_journal_end(k, job);
    keeper_say_ended(k, job);
}

void keeper_job_failed(keeper_t *k, keeper_job_t *job, uint8_t kind, int code, const char *detail)
{
    job->end.kind = kind;
    job->end.code = code;
    snprintf(job->end.detail, sizeof job->end.detail, "%s", detail);
    keeper_spool_sizes(k, job);
    job->reaped = job->clean = true;
    ended(k, job);
}

static uint64_t microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

void keeper_job_reaped(keeper_t *k, keeper_job_t *job, int status, const struct rusage *usage)
{
    byre__end_t *end = &job->end;
    if (WIFSIGNALED(status)) {
        end->kind = BYRE__END_SIGNAL;
        end->code = WTERMSIG(status);
        snprintf(end->detail, sizeof end->detail, "%s%s", strsignal(end->code),
                 WCOREDUMP(status) ? " (core dumped)" : "");
    } else {
        end->kind = BYRE__END_EXITED;
        end->code = WEXITSTATUS(status);
    }
    end->user_us = microseconds(&usage->ru_utime);
    end->system_us = microseconds(&usage->ru_stime);
    end->max_rss_kb = (uint64_t)usage->ru_maxrss;
    drop_pid(k, job);
    job->reaped = true;
    job->state = KEEPER_LEAVING;
    job->kill_at_ms = 0;
    job->next_leaver = k->leavers;
    k->leavers = job;
}

/* The client of a job that was killed may be the one who cannot take its output any more. */
static bool drained(keeper_t *k, keeper_job_t *job)
{
    if (!(job->flags & BYRE__JOB_STREAMS) || keeper_stream_drain(k, job)) return true;
    if (job->killed && job->kill_at_ms == 0) {
        job->kill_at_ms = keeper_clock_ms() + KEEPER_GRACE_MS;
        k->attention = true;
    }
    return false;
}

void keeper_job_settle(keeper_t *k, keeper_job_t *job)
{
    if (job->state != KEEPER_LEAVING || !job->clean || !drained(k, job)) return;
    if (job->group >= 0 && (job->frozen || job->give_up_at_ms != 0))
        keeper_group_freeze(k, job->group, false);
    if (job->group >= 0) keeper_group_give(k, job->group);
    job->group = -1;
    keeper_spool_sizes(k, job);
    ended(k, job);
}

void keeper_job_forget(keeper_t *k, keeper_job_t *job, bool output_too)
{
    keeper_job_t **at = by_id(k, &job->id);
    const keeper_job_t *latest = keeper_job_latest(k, &job->id);
    keeper_stream_close(k, job);
    if (output_too && latest != NULL && latest == job) keeper_spool_remove(k, job);
    while (*at != NULL && *at != job) at = &(*at)->next_by_id;
    if (*at != NULL) *at = job->next_by_id;
    *job->link = job->next;
    if (job->next != NULL) job->next->link = job->link;
    job->next = k->dead;
    k->dead = job;
    k->count--;
    keeper_journal_forget(k, job);
}

void keeper_job_bury(keeper_t *k)
{
    while (k->dead != NULL) {
        keeper_job_t *job = k->dead;
        k->dead = job->next;
        free(job);
    }
}
