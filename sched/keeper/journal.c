/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * journal.c - DIR/ends: what the next keeper has to know if this one is killed.
 *
 * 1. Records of one size are appended: a job starts, has ended, is forgotten.
 * 2. A record is whole if its sum is right. One at the end that is not (the keeper was killed while it wrote)
 *    is dropped; one in the middle is dropped with a word in the log.
 * 3. The file is empty when no job is remembered; it is written anew when most of it is forgotten.
 * It is not synced: what a power failure takes, it takes with the jobs themselves.
 */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STARTS = 1, ENDED, FORGOTTEN };
enum { COMPACT_FROM = 1 << 20 };

typedef struct record {
    uint32_t what, attempt;
    uint64_t number;
    char home[BYRE__NODE_NAME];
    int64_t pid;
    uint64_t user_us, system_us, max_rss_kb, started_ms, ended_ms, out_bytes, err_bytes;
    uint32_t flags;
    int32_t code;
    uint32_t kind, zero;
    char detail[128];
    uint64_t sum; /* of all before it */
} record_t;

static uint64_t sum_of(const record_t *record)
{
    const uint8_t *at = (const uint8_t *)record;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < offsetof(record_t, sum); i++) h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void fill(record_t *record, uint32_t what, const keeper_job_t *job)
{
    const byre__end_t *end = &job->end;
    *record = (record_t){ .what = what,
                          .attempt = job->attempt,
                          .number = job->id.number,
                          .pid = job->pid,
                          .user_us = end->user_us,
                          .system_us = end->system_us,
                          .max_rss_kb = end->max_rss_kb,
                          .started_ms = end->started_ms,
                          .ended_ms = end->ended_ms,
                          .out_bytes = end->out_bytes,
                          .err_bytes = end->err_bytes,
                          .flags = job->flags,
                          .code = end->code,
                          .kind = end->kind };
    memcpy(record->home, job->id.home, sizeof record->home);
    memcpy(record->detail, end->detail, sizeof record->detail);
    record->sum = sum_of(record);
}

/* ---- writing ----------------------------------------------------------------------------------------- */

/* 0 or an errno; half a record does not stay. */
static int append(keeper_t *k, uint32_t what, const keeper_job_t *job)
{
    record_t record;
    if (k->journal < 0) return 0; /* it is being read */
    fill(&record, what, job);
    ssize_t n = write(k->journal, &record, sizeof record);
    if (n == (ssize_t)sizeof record) {
        k->journal_bytes += sizeof record;
        return 0;
    }
    int error = n < 0 ? errno : ENOSPC;
    keeper_log("ends: cannot be written: %s", strerror(error));
    if (n > 0 && ftruncate(k->journal, (off_t)k->journal_bytes) != 0)
        keeper_log("ends: cannot be shortened: %s", strerror(errno));
    return error;
}

static int open_journal(keeper_t *k, const char *name, int more)
{
    return openat(k->dir, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | more, 0600);
}

/* A new file with what is remembered takes the place of the old one. */
static int compact(keeper_t *k)
{
    int old = k->journal, fd = open_journal(k, "ends.new", O_TRUNC), error = fd < 0 ? errno : 0;
    uint64_t old_bytes = k->journal_bytes;
    k->journal = fd;
    k->journal_bytes = 0;
    for (keeper_job_t *job = k->jobs; job != NULL && error == 0; job = job->next)
        error = append(k, job->state == KEEPER_ENDED ? ENDED : STARTS, job);
    if (error == 0 && renameat(k->dir, "ends.new", k->dir, "ends") != 0) error = errno;
    if (error == 0) {
        if (old >= 0) close(old);
        return 0;
    }
    keeper_log("ends: cannot be written anew: %s", strerror(error));
    if (fd >= 0) close(fd);
    unlinkat(k->dir, "ends.new", 0);
    k->journal = old;
    k->journal_bytes = old_bytes;
    return error;
}

int keeper_journal_start(keeper_t *k, const keeper_job_t *job)
{
    return append(k, STARTS, job);
}

void keeper_journal_end(keeper_t *k, const keeper_job_t *job)
{
    (void)append(k, ENDED, job);
}

void keeper_journal_forget(keeper_t *k, const keeper_job_t *job)
{
    if (k->journal < 0) return;
    if (k->count == 0 && ftruncate(k->journal, 0) == 0) {
        k->journal_bytes = 0;
        return;
    }
    (void)append(k, FORGOTTEN, job);
    if (k->journal_bytes > COMPACT_FROM && k->journal_bytes > 4 * k->count * sizeof(record_t))
        (void)compact(k);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static void take_end(keeper_t *k, keeper_job_t *job, const record_t *record)
{
    byre__end_t *end = &job->end;
    end->kind = (uint8_t)record->kind;
    end->code = record->code;
    end->user_us = record->user_us;
    end->system_us = record->system_us;
    end->max_rss_kb = record->max_rss_kb;
    end->started_ms = record->started_ms;
    end->ended_ms = record->ended_ms;
    end->out_bytes = record->out_bytes;
    end->err_bytes = record->err_bytes;
    memcpy(end->detail, record->detail, sizeof end->detail);
    end->detail[sizeof end->detail - 1] = '\0';
    job->reaped = job->clean = true;
    if (job->state != KEEPER_ENDED) k->unended--;
    job->state = KEEPER_ENDED;
}

static int take(keeper_t *k, const record_t *record)
{
    byre__job_id_t id = { .number = record->number };
    memcpy(id.home, record->home, sizeof id.home);
    id.home[sizeof id.home - 1] = '\0';
    keeper_job_t *job = keeper_job_find(k, &id, record->attempt);
    if (record->what == FORGOTTEN) {
        if (job != NULL && job->state == KEEPER_ENDED) keeper_job_forget(k, job, false);
        return BYRE_OK;
    }
    if (job == NULL) job = keeper_job_create(k, &id, record->attempt);
    if (job == NULL) return BYRE_ENOMEM;
    job->flags = record->flags;
    job->pid = (pid_t)record->pid;
    job->end.started_ms = record->started_ms;
    if (record->what == ENDED) take_end(k, job, record);
    return BYRE_OK;
}

static int read_all(keeper_t *k, int fd)
{
    struct stat status;
    record_t record;
    if (fstat(fd, &status) != 0) return BYRE_ESYSTEM;
    for (off_t at = 0; at < status.st_size; at += (off_t)sizeof record) {
        ssize_t n = pread(fd, &record, sizeof record, at);
        if (n < 0) return BYRE_ESYSTEM;
        bool whole = n == (ssize_t)sizeof record && record.sum == sum_of(&record);
        if (!whole || record.what < STARTS || record.what > FORGOTTEN) {
            keeper_log("ends: the record at byte %lld is not whole: dropped", (long long)at);
            continue;
        }
        int error = take(k, &record);
        if (error != BYRE_OK) return error;
    }
    return BYRE_OK;
}

int keeper_journal_open(keeper_t *k)
{
    k->journal = -1;
    int fd = open_journal(k, "ends", 0);
    if (fd < 0) return BYRE_ESYSTEM;
    int error = read_all(k, fd);
    close(fd);
    if (error != BYRE_OK) return error;
    keeper_job_bury(k);
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next)
        if (job->state != KEEPER_ENDED)
            keeper_job_failed(k, job, BYRE__END_LOST, 0, "the keeper of its node was killed");
    errno = compact(k);
    return errno == 0 ? BYRE_OK : BYRE_ESYSTEM;
}
