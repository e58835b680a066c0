/* SPDX-License-Identifier: BSD-3-Clause */
/* wait.c - `byre wait': until jobs have ended; exit status: theirs. */
#include "share.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static byre__cmd_t command;

enum {
    TIMED_OUT = 124, /* as timeout(1) has it */
    TROUBLES_SHOWN = 10
};

typedef struct request {
    asked_t asked;
    bool all, verbose;
    int timeout_ms; /* negative: none */
} request_t;

typedef struct waiting {
    const request_t *request;
    uint64_t ended, troubled; /* of these: without an exit status of their own */
    int worst;
} waiting_t;

static void say_end(const waiting_t *w, const byre__job_id_t *id, const char *node,
                    const byre__end_t *end)
{
    char name[BYRE__JOB_ID], text[TEXT_END];

    byre__job_id_format(id, name);
    if (w->request->asked.json) {
        fputs("{\"id\": ", stdout);
        text_json(stdout, name);
        fputs(", \"node\": ", stdout);
        text_json(stdout, node);
        fputs(", ", stdout);
        text_json_end(stdout, end);
        puts("}");
        fflush(stdout);
    } else if (w->request->verbose) {
        printf("%s  %s  %s\n", name, node[0] ? node : "-", text_end(end, text));
        fflush(stdout);
    }
}

/* The exit status alone does not tell why a job has none of its own. */
static void say_trouble(waiting_t *w, const byre__job_id_t *id, const char *node,
                        const byre__end_t *end)
{
    char name[BYRE__JOB_ID], text[TEXT_END];

    if (end->kind == BYRE__END_EXITED || end->kind == BYRE__END_SIGNAL ||
        end->kind == BYRE__END_CANCELLED || w->request->asked.json || w->request->verbose)
        return;
    if (w->troubled++ < TROUBLES_SHOWN)
        byre__cmd_fail(&command, "%s%s%s: %s", byre__job_id_format(id, name), node[0] ? " on " : "",
                       node, text_end(end, text));
}

static bool take(waiting_t *w, byre__unpack_t *say)
{
    char node[BYRE__NODE_NAME];
    byre__job_id_t id;
    byre__end_t end;

    byre__unpack_job_id(say, &id);
    byre__unpack_text_into(say, node, sizeof node);
    byre__unpack_end(say, &end);
    if (!byre__unpack_done(say)) return false;
    w->ended++;
    if (byre__end_status(&end) > w->worst) w->worst = byre__end_status(&end);
    say_end(w, &id, node, &end);
    say_trouble(w, &id, node, &end);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until DONE, or the time is up. */
static int wait_for(byre_sched_t *sched, waiting_t *w, const ids_range_t *ranges, size_t count)
{
    int timeout_ms = w->request->timeout_ms;
    int64_t end = now_ms() + timeout_ms;
    byre__pack_t ask = { 0 };
    byre__frame_t frame;
    byre__unpack_t say;
    uint32_t tag;
    int error;

    ids_pack(&ask, ranges, count);
    error = byre__client_ask(sched, BYRE__ASK_WAIT, &ask, &tag);
    byre__pack_fini(&ask);
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : end - now_ms();

        if (timeout_ms >= 0 && left < 0) left = 0;
        if (error == BYRE_OK) error = byre__client_answer(sched, tag, (int)left, &frame, &say);
        if (error != BYRE_OK || frame.type == BYRE__SAY_DONE) return error;
        if (frame.type != BYRE__SAY_ENDED || !take(w, &say))
            return byre__client_broken(sched, BYRE_EPROTO);
    }
}

static int conclude(byre_sched_t *sched, const waiting_t *w, int error, uint64_t wanted)
{
    if (w->troubled > TROUBLES_SHOWN)
        byre__cmd_fail(&command, "and %" PRIu64 " more: `byre ps -a' tells",
                       w->troubled - TROUBLES_SHOWN);
    if (error == BYRE_ETIMEOUT) {
        byre__cmd_fail(&command, "the time is up: %" PRIu64 " of %" PRIu64 " jobs %s ended",
                       w->ended, wanted, w->ended == 1 ? "has" : "have");
        return TIMED_OUT;
    }
    if (error == BYRE_EPEER) {
        byre__cmd_fail(&command, "%s. Jobs go on: wait again, after `byre up' if it is gone",
                       byre_sched_explain(sched));
        return 125;
    }
    if (error != BYRE_OK) return share_failed(&command, sched);
    if (w->ended == 0 && wanted > 0)
        return byre__cmd_fail(&command, "there is no such job (any more)");
    if (w->ended < wanted)
        byre__cmd_fail(&command, "%" PRIu64 " of these jobs are not known (any more)",
                       wanted - w->ended);
    return w->worst;
}

/* ---- what to wait for -------------------------------------------------------------------------------- */

typedef struct open_jobs {
    ids_range_t *ranges;
    size_t count, room;
} open_jobs_t;

static bool take_row(void *arg, byre__unpack_t *say)
{
    open_jobs_t *jobs = arg;
    byre__row_t row;

    byre__unpack_row(say, &row);
    if (say->failed) return true;
    if (jobs->count == jobs->room) {
        size_t room = jobs->room ? 2 * jobs->room : 64;
        ids_range_t *ranges = realloc(jobs->ranges, room * sizeof *ranges);

        if (ranges == NULL) return false;
        jobs->ranges = ranges;
        jobs->room = room;
    }
    jobs->ranges[jobs->count++] = (ids_range_t){ row.id, 1 };
    return true;
}

/* All that have not ended now: later ones are not waited for. */
static int find_open(byre_sched_t *sched, open_jobs_t *jobs)
{
    byre__pack_t ask = { 0 };
    int error;

    byre__pack_u8(&ask, 1);
    byre__pack_u32(&ask, UINT32_MAX);
    byre__pack_u32(&ask, 0);
    error = share_ask_list(sched, BYRE__ASK_LIST, &ask, BYRE__SAY_ROW, take_row, jobs, NULL);
    byre__pack_fini(&ask);
    return error == BYRE_ECANCELED ? byre__client_broken(sched, BYRE_ENOMEM) : error;
}

static int wait_all(byre_sched_t *sched, const request_t *request)
{
    open_jobs_t jobs = { 0 };
    waiting_t w = { .request = request };
    int error = find_open(sched, &jobs), status = BYRE__CMD_OK;
    size_t ranges = ids_merge(jobs.ranges, jobs.count);

    if (error == BYRE_OK && jobs.count > 0) error = wait_for(sched, &w, jobs.ranges, ranges);
    if (error != BYRE_OK || jobs.count > 0) status = conclude(sched, &w, error, jobs.count);
    free(jobs.ranges);
    return status;
}

static int wait_these(byre_sched_t *sched, const request_t *request, char **words, int count)
{
    waiting_t w = { .request = request };
    ids_range_t *ranges;
    uint64_t wanted = 0;
    size_t merged;
    int status = ids_read(&command, sched->node, words, count, &ranges);

    if (status != BYRE__CMD_OK) return status;
    merged = ids_merge(ranges, (size_t)count);
    for (size_t i = 0; i < merged; i++) wanted += ranges[i].count;
    status = conclude(sched, &w, wait_for(sched, &w, ranges, merged), wanted);
    free(ranges);
    return status;
}

/* ---- command line ------------------------------------------------------------------------------------ */

static int take_option(void *arg, int option)
{
    request_t *request = arg;
    double seconds;
    int status;

    switch (option) {
    case 'a':
        request->all = true;
        return BYRE__CMD_OK;
    case 'v':
        request->verbose = true;
        return BYRE__CMD_OK;
    case 't':
        status = options_seconds(&command, "--timeout", 0, 2e6, &seconds);
        if (status == BYRE__CMD_OK) request->timeout_ms = (int)(1e3 * seconds);
        return status;
    default:
        return options_asked(&request->asked, option);
    }
}

static const struct option table[] = {
    POOL_OPTION,
    JSON_OPTION,
    { "all", no_argument, NULL, 'a' },
    { "timeout", required_argument, NULL, 't' },
    { "verbose", no_argument, NULL, 'v' },
    { NULL, 0, NULL, 0 },
};
static const options_t options = { ":av", table, take_option, false };

static int read_options(int argc, char **argv, request_t *request)
{
    int status = options_read(&command, &options, argc, argv, request);

    if (status == BYRE__CMD_OK && request->all != (optind == argc))
        return byre__cmd_misuse(&command, request->all ? "--all and ids exclude each other"
                                                       : "wants the ids of jobs, or --all");
    return status;
}

static int run(int argc, char **argv)
{
    request_t request = { .timeout_ms = -1 };
    byre_sched_t *sched;
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(&command, request.asked.pool);
    if (sched == NULL) return BYRE__CMD_FAILED;
    status = request.all ? wait_all(sched, &request)
                         : wait_these(sched, &request, argv + optind, argc - optind);
    byre_sched_close(sched);
    return status;
}

static byre__cmd_t command = {
    .name = "wait",
    .synopsis = "[--timeout S] [-v] [--json] [--pool P] ID... | --all",
    .summary = "until jobs have ended; the exit status is theirs",
    .details = "  ID           n1.17, or many as n1.17..1016; a bare number is a job of this node\n"
               "  -a, --all    all jobs that wait or run now\n"
               "  --timeout S  for so many seconds; then the exit status is 124\n"
               "  -v           a line for each job as it ends: id, node, exit status\n"
               "  --json       the same, one JSON object a line\n"
               "  --pool P     the pool; without it $BYRE_POOL, or `pool'\n\n"
               "The exit status is the job's, as a shell has it: 128 + N after signal N, 127 if "
               "there was no\n"
               "such program, 126 if it could not be started, 125 if it was lost. Of several jobs "
               "the highest.\n\n"
               "examples: byre wait $(byre submit make); byre wait --all --timeout 60 -v\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
