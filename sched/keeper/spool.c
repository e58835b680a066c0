/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spool.c - the files that jobs write to when nobody else takes it: spool/ID.out, spool/ID.err.
 *
 * Jobs without STREAMS write there by themselves. For a job with STREAMS the keeper does, from the moment at
 * which the daemon goes: first what the client has not confirmed, then all that comes (keeper.h, 5).
 * A file belongs to the latest attempt of its job.
 *
 * Most jobs write nothing, and file systems are slow to make and remove files (ext4 does not soon use an inode
 * again). So a file that stayed empty becomes a spare, .spare-N, and another job's file by a change of its name;
 * unless there may be processes left that have it open.
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARES_MOST = 256 };

void keeper_spool_name(const keeper_job_t *job, int stream, char name_out[static BYRE__JOB_ID + 8])
{
    char id[BYRE__JOB_ID];
    snprintf(name_out, BYRE__JOB_ID + 8, "%s.%s", byre__job_id_format(&job->id, id),
             stream == 1 ? "out" : "err");
}

static void complain(const keeper_job_t *job, const keeper_out_t *out, const char *what)
{
    char name[BYRE__JOB_ID + 8];
    keeper_spool_name(job, out->stream, name);
    keeper_log("spool/%s: %s: %s; what job writes from here on is lost", name, what,
               strerror(errno));
}

void keeper_spool_write(keeper_t *k, keeper_job_t *job, keeper_out_t *out, const void *data,
                        size_t bytes)
{
    const char *at = data;
    if (out->file == -1) {
        char name[BYRE__JOB_ID + 8];
        keeper_spool_name(job, out->stream, name);
        out->file =
            openat(k->spool, name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (out->file < 0) {
            complain(job, out, "cannot be opened");
            out->file = -2; /* said once; the job must not be blocked by it */
        }
    }
    while (bytes > 0 && out->file >= 0) {
        ssize_t n = write(out->file, at, bytes);
        if (n >= 0) {
            at += n;
            bytes -= (size_t)n;
        } else if (errno != EINTR) {
            complain(job, out, "cannot be written");
            close(out->file);
            out->file = -2;
        }
    }
}

/* Bytes from..read of the ring. */
static void save_recent(keeper_t *k, keeper_job_t *job, keeper_out_t *out)
{
    uint64_t from = out->granted < out->read ? out->granted : out->read;
    while (out->recent != NULL && from < out->read) {
        size_t at = (size_t)(from % KEEPER_WINDOW), bytes = (size_t)(out->read - from);
        if (bytes > KEEPER_WINDOW - at) bytes = KEEPER_WINDOW - at;
        keeper_spool_write(k, job, out, out->recent + at, bytes);
        from += bytes;
    }
    out->granted = out->read;
}

void keeper_spool_begin(keeper_t *k, keeper_job_t *job)
{
    if (job->spooling || !(job->flags & BYRE__JOB_STREAMS)) return;
    job->spooling = true;
    for (int i = 0; i < 2; i++) save_recent(k, job, &job->out[i]);
    if (job->state == KEEPER_ENDED) {
        keeper_stream_close(k, job);
        return;
    }
    keeper_stream_stdin_end(k, job);
    for (int i = 0; i < 2; i++)
        if (job->out[i].watch.fd >= 0) keeper_watch(k, &job->out[i].watch, EPOLLIN);
    keeper_job_settle(k, job);
}

/* ---- files of jobs without STREAMS -------------------------------------------------------------------- */

static void spare_name(unsigned number, char name_out[static 24])
{
    snprintf(name_out, 24, ".spare-%u", number);
}

void keeper_spool_prepare(keeper_t *k, keeper_job_t *job)
{
    for (int i = 1; i <= 2; i++) {
        char name[BYRE__JOB_ID + 8], spare[24];
        keeper_spool_name(job, i, name);
        if (k->spares > 0) {
            spare_name(--k->spares, spare);
            if (renameat(k->spool, spare, k->spool, name) == 0) continue;
        }
        unlinkat(k->spool, name, 0); /* an earlier attempt may still have it open */
    }
}

static void drop_empty(keeper_t *k, const char *name)
{
    char spare[24];
    if (k->spares < SPARES_MOST && !k->strays) {
        spare_name(k->spares, spare);
        if (renameat(k->spool, name, k->spool, spare) == 0) {
            k->spares++;
            return;
        }
    }
    unlinkat(k->spool, name, 0);
}

void keeper_spool_tidy(keeper_t *k)
{
    char spare[24];
    for (unsigned i = 0; i < SPARES_MOST; i++) {
        spare_name(i, spare);
        if (unlinkat(k->spool, spare, 0) != 0) break; /* there are no gaps */
    }
    k->spares = 0;
}

void keeper_spool_sizes(keeper_t *k, keeper_job_t *job)
{
    if (job->flags & BYRE__JOB_STREAMS) {
        job->end.out_bytes = job->out[0].read;
        job->end.err_bytes = job->out[1].read;
        return;
    }
    if (keeper_job_latest(k, &job->id) != job) return;
    for (int i = 1; i <= 2; i++) {
        char name[BYRE__JOB_ID + 8];
        struct stat status;
        keeper_spool_name(job, i, name);
        if (fstatat(k->spool, name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        *(i == 1 ? &job->end.out_bytes : &job->end.err_bytes) = (uint64_t)status.st_size;
        if (status.st_size == 0) drop_empty(k, name);
    }
}

void keeper_spool_remove(keeper_t *k, const keeper_job_t *job)
{
    for (int i = 1; i <= 2; i++) {
        char name[BYRE__JOB_ID + 8];
        keeper_spool_name(job, i, name);
        unlinkat(k->spool, name, 0);
    }
}
