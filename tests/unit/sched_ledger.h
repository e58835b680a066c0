/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the ledger share: a directory, jobs whose every field says who they are, and waiting. */
#ifndef SCHED_LEDGER_TEST_H
#define SCHED_LEDGER_TEST_H

#include "sched/daemon/ledger.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[256];

static inline void in_dir(const char *name, char path_out[static 320])
{
    (void)snprintf(path_out, 320, "%s/%s", dir, name);
}

static inline void make_dir(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/ledger.XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline void empty_dir(void)
{
    char path[320];
    DIR *files = opendir(dir);
    ck_assert_ptr_nonnull(files);
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        if (file->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%.60s", dir, file->d_name);
        ck_assert_int_eq(unlink(path), 0);
    }
    closedir(files);
}

static inline void remove_dir(void)
{
    empty_dir();
    ck_assert_int_eq(rmdir(dir), 0);
}

static inline ledger_t *open_ledger(void)
{
    ledger_t *ledger = NULL;
    char error[256];
    int result = ledger_open(dir, &ledger, error);
    ck_assert_msg(result == BYRE_OK, "%s: %s", byre_error_name(result), error);
    ck_assert_str_eq(error, "");
    return ledger;
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

typedef struct answer {
    int count, error;
} answer_t;

static inline void note_answer(void *arg, int error)
{
    answer_t *answer = arg;
    answer->count++;
    answer->error = error;
}

/* The test's time limit is the only one. */
static inline void reap_once(ledger_t *ledger)
{
    struct pollfd ready = { .fd = ledger_fd(ledger), .events = POLLIN };
    ck_assert_int_eq(poll(&ready, 1, -1), 1);
    ledger_reap(ledger);
}

static inline int sync_now(ledger_t *ledger, bool durable)
{
    answer_t answer = { 0, 1 };
    ck_assert_int_eq(ledger_sync(ledger, durable, note_answer, &answer), BYRE_OK);
    while (answer.count == 0) reap_once(ledger);
    ck_assert_int_eq(answer.count, 1);
    return answer.error;
}

/* ---- jobs -------------------------------------------------------------------------------------------- */

static const byre__context_key_t some_context = { 0x8000000000000001u, 77 };

static inline void put_context(ledger_t *ledger)
{
    ck_assert_int_eq(ledger_put_context(ledger, some_context, "a context", 9), BYRE_OK);
}

static char spec_room[256];

/* As it is when it has just been accepted. */
static inline ledger_job_t make_job(uint64_t number)
{
    ledger_job_t job = { .id = { "n1", number },
                         .state = BYRE__JOB_QUEUED,
                         .context = some_context,
                         .spec = spec_room,
                         .submitted_ms = 1700000000000u + number };
    job.spec_bytes = (size_t)snprintf(spec_room, sizeof spec_room,
                                      "spec of job %llu, the same in "
                                      "every byte when it is read again",
                                      (unsigned long long)number);
    return job;
}

/* As it is in the end: all fields differ from zero and from one another. */
static inline void end_job(ledger_job_t *job)
{
    uint64_t n = job->id.number;
    job->state = BYRE__JOB_ENDED;
    job->attempt = (uint32_t)n + 3;
    (void)snprintf(job->node, sizeof job->node, "node%llu", (unsigned long long)n % 7);
    (void)snprintf(job->cpu_list, sizeof job->cpu_list, "%llu-%llu", (unsigned long long)n % 5,
                   (unsigned long long)n % 5 + 1);
    job->node_boot = UINT64_MAX - n;
    job->pid = (int64_t)n + 1000;
    job->started_ms = 1700000001000u + n;
    job->end = (byre__end_t){ .kind = BYRE__END_SIGNAL,
                              .code = -9,
                              .user_us = n + 10,
                              .system_us = n + 20,
                              .max_rss_kb = n + 30,
                              .started_ms = n + 40,
                              .ended_ms = n + 50,
                              .out_bytes = n + 60,
                              .err_bytes = n + 70 };
    (void)snprintf(job->end.detail, sizeof job->end.detail, "killed, %llu", (unsigned long long)n);
}

static inline void check_same(const ledger_job_t *a, const ledger_job_t *b)
{
    const byre__end_t *x = &a->end, *y = &b->end;
    ck_assert_str_eq(a->id.home, b->id.home);
    ck_assert_uint_eq(a->id.number, b->id.number);
    ck_assert_uint_eq(a->guest, b->guest);
    ck_assert_uint_eq(a->state, b->state);
    ck_assert_uint_eq(a->attempt, b->attempt);
    ck_assert_str_eq(a->node, b->node);
    ck_assert_uint_eq(a->node_boot, b->node_boot);
    ck_assert(a->context.a == b->context.a && a->context.b == b->context.b);
    ck_assert_uint_eq(a->spec_bytes, b->spec_bytes);
    ck_assert(memcmp(a->spec, b->spec, a->spec_bytes) == 0);
    ck_assert_str_eq(a->cpu_list, b->cpu_list);
    ck_assert_int_eq(a->pid, b->pid);
    ck_assert_uint_eq(a->submitted_ms, b->submitted_ms);
    ck_assert_uint_eq(a->started_ms, b->started_ms);
    ck_assert_uint_eq(x->kind, y->kind);
    ck_assert_int_eq(x->code, y->code);
    ck_assert(x->user_us == y->user_us && x->system_us == y->system_us);
    ck_assert(x->max_rss_kb == y->max_rss_kb && x->started_ms == y->started_ms);
    ck_assert(x->ended_ms == y->ended_ms && x->out_bytes == y->out_bytes);
    ck_assert_uint_eq(x->err_bytes, y->err_bytes);
    ck_assert_str_eq(x->detail, y->detail);
}

/* The jobs of this file in the state of make_job, home rows 1 to `count'. */
static inline void insert_jobs(ledger_t *ledger, uint64_t first, uint64_t count)
{
    for (uint64_t n = first; n < first + count; n++) {
        ledger_job_t job = make_job(n);
        put_context(ledger);
        ck_assert_int_eq(ledger_insert(ledger, &job), BYRE_OK);
    }
}

static inline void count_row(void *arg, const ledger_job_t *job)
{
    (void)job;
    ++*(uint64_t *)arg;
}

static inline uint64_t count_open(ledger_t *ledger)
{
    uint64_t count = 0;
    ck_assert_int_eq(ledger_each_open(ledger, count_row, &count), BYRE_OK);
    return count;
}

#endif
