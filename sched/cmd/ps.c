/* SPDX-License-Identifier: BSD-3-Clause */
/* ps.c - `byre ps': the jobs of the pool that this node answers for. */
#include "share.h"

#include <stdlib.h>
#include <string.h>

static byre__cmd_t command;

enum { WHAT_OPEN = 1, WHAT_ENDED = 2 };

typedef struct request {
    asked_t asked;
    bool all;
    int state; /* enum byre__job_state; -1: any */
    uint32_t limit;
} request_t;

typedef struct show {
    const request_t *request;
    table_t table;
    uint64_t now_ms, shown;
} show_t;

static double run_ms(const byre__row_t *row, uint64_t now_ms)
{
    uint64_t from = row->started_ms, to = now_ms;

    if (row->state == BYRE__JOB_ENDED) {
        if (row->end.started_ms > 0) from = row->end.started_ms;
        to = row->end.ended_ms;
    }
    return from > 0 && to > from ? (double)(to - from) : 0;
}

static void row_text(show_t *show, const byre__row_t *row)
{
    char text[TEXT_END], id[BYRE__JOB_ID], where[BYRE__NODE_NAME + 72];
    table_t *table = &show->table;
    bool ended = row->state == BYRE__JOB_ENDED;

    snprintf(where, sizeof where, "%s%s%s", row->node[0] ? row->node : "-",
             row->cpu_list[0] ? ":" : "", row->cpu_list);
    table_cell(table, "%s", byre__job_id_format(&row->id, id));
    table_cell(table, "%s", byre__job_state_name(row->state));
    table_cell(table, "%s", ended ? text_end(&row->end, text) : "-");
    table_cell(table, "%s", where);
    table_cell(table, "%s", text_time((double)show->now_ms - (double)row->submitted_ms, text));
    table_cell(table, "%s", row->started_ms > 0 ? text_time(run_ms(row, show->now_ms), text) : "-");
    table_cell(table, "%s", row->name);
    table_cell(table, "%s", row->command);
}

static void json_text(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    text_json(stdout, text);
}

static void row_json(show_t *show, const byre__row_t *row)
{
    char id[BYRE__JOB_ID];

    fputs(show->shown == 0 ? "\n  {\"id\": " : ",\n  {\"id\": ", stdout);
    text_json(stdout, byre__job_id_format(&row->id, id));
    printf(", \"state\": \"%s\"", byre__job_state_name(row->state));
    json_text("node", row->node);
    json_text("processors", row->cpu_list);
    json_text("name", row->name);
    json_text("command", row->command);
    printf(", \"pid\": %lld, \"attempt\": %u, \"cpus\": %u, \"mem_bytes\": %llu",
           (long long)row->pid, row->attempt, row->cpus, (unsigned long long)row->mem);
    printf(", \"restartable\": %s, \"own_tmp\": %s, \"submitted_ms\": %llu",
           row->flags & BYRE__JOB_RESTARTABLE ? "true" : "false",
           row->flags & BYRE__JOB_OWN_TMP ? "true" : "false",
           (unsigned long long)row->submitted_ms);
    if (row->state == BYRE__JOB_ENDED) {
        fputs(", ", stdout);
        text_json_end(stdout, &row->end);
    } else {
        printf(", \"started_ms\": %llu", (unsigned long long)row->started_ms);
    }
    fputs("}", stdout);
}

static bool take(void *arg, byre__unpack_t *say)
{
    show_t *show = arg;
    byre__row_t row;

    byre__unpack_row(say, &row);
    if (say->failed) return true;
    if (show->request->state >= 0 && row.state != show->request->state) return true;
    if (show->request->asked.json)
        row_json(show, &row);
    else
        row_text(show, &row);
    show->shown++;
    return true;
}

static int list(byre_sched_t *sched, const request_t *request, const ids_range_t *ranges,
                size_t count)
{
    static const char *const heads[] = { "ID",   "STATE", "END",  "WHERE",
                                         ">AGE", ">RAN",  "NAME", "COMMAND" };
    show_t show = { .request = request, .now_ms = text_now_ms() };
    byre__pack_t ask = { 0 };
    bool ended = request->all || count > 0 || request->state == BYRE__JOB_ENDED;
    int error;

    byre__pack_u8(&ask, (uint8_t)(WHAT_OPEN | (ended ? WHAT_ENDED : 0)));
    byre__pack_u32(&ask, request->limit);
    ids_pack(&ask, ranges, count);
    table_begin(&show.table, heads, 8);
    if (request->asked.json) fputs("[", stdout);
    error = share_ask_list(sched, BYRE__ASK_LIST, &ask, BYRE__SAY_ROW, take, &show, NULL);
    byre__pack_fini(&ask);
    if (request->asked.json)
        puts(show.shown > 0 ? "\n]" : "]");
    else
        table_end(&show.table, stdout);
    if (error == BYRE_OK && !request->asked.json && show.shown == 0 && !ended)
        fputs("no job is waiting or running (`byre ps -a' shows those that have ended)\n", stderr);
    if (error == BYRE_OK && count > 0 && show.shown == 0 && request->state < 0) {
        fputs("byre ps: there is no such job (any more)\n", stderr);
        return BYRE__CMD_FAILED;
    }
    return error == BYRE_OK ? BYRE__CMD_OK : share_failed(&command, sched);
}

static int take_state(const char *text, int *state_out)
{
    for (int state = BYRE__JOB_QUEUED; state <= BYRE__JOB_ENDED; state++) {
        if (strcmp(text, byre__job_state_name((uint8_t)state)) == 0) {
            *state_out = state;
            return BYRE__CMD_OK;
        }
    }
    return byre__cmd_misuse(&command, "--state wants queued, running, away or ended, not `%s'",
                            text);
}

static int take_option(void *arg, int option)
{
    request_t *request = arg;
    int number;

    switch (option) {
    case 'a':
        request->all = true;
        return BYRE__CMD_OK;
    case 's':
        return take_state(optarg, &request->state);
    case 'l':
        number = byre__cmd_number(optarg);
        if (number < 1) return byre__cmd_misuse(&command, "--limit wants a number from 1");
        request->limit = (uint32_t)number;
        return BYRE__CMD_OK;
    default:
        return options_asked(&request->asked, option);
    }
}

static const struct option table[] = {
    POOL_OPTION,
    JSON_OPTION,
    { "all", no_argument, NULL, 'a' },
    { "state", required_argument, NULL, 's' },
    { "limit", required_argument, NULL, 'l' },
    { NULL, 0, NULL, 0 },
};
static const options_t options = { ":a", table, take_option, false };

static int run(int argc, char **argv)
{
    request_t request = { .state = -1, .limit = 10000 };
    ids_range_t *ranges = NULL;
    byre_sched_t *sched;
    int status = options_read(&command, &options, argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(&command, request.asked.pool);
    if (sched == NULL) return BYRE__CMD_FAILED;
    status = ids_read(&command, sched->node, argv + optind, argc - optind, &ranges);
    if (status == BYRE__CMD_OK) status = list(sched, &request, ranges, (size_t)(argc - optind));
    free(ranges);
    byre_sched_close(sched);
    return status;
}

static byre__cmd_t command = {
    .name = "ps",
    .synopsis = "[-a] [--state S] [--limit N] [--json] [--pool P] [ID...]",
    .summary = "the jobs that wait or run, and those that have ended",
    .details = "  -a, --all   also jobs that have ended, the newest first\n"
               "  --state S   only these: queued, running, away or ended\n"
               "  --limit N   at most so many; without it 10000\n"
               "  --json      a JSON array with an object for each job\n"
               "  --pool P    the pool; without it $BYRE_POOL, or `pool'\n"
               "  ID          these jobs, ended or not: n1.17, or n1.17..99; a bare 17 is a job of "
               "this node\n\n"
               "A job's id is the node where it was submitted, and a number. It is `away' while "
               "the node it\n"
               "runs on cannot be reached. WHERE is its node, and the processors it was bound to. "
               "END is its\n"
               "exit status, or why it has none.\n\n"
               "examples: byre ps -a --limit 20; byre ps --state running; byre ps 17..99\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
