/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - `byre top': options, and which loop; see top.h. */
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "top.h"

typedef struct request {
    const char *pool;
    bool once, json;
    int interval_ms;
    int count; /* of JSON lines; 0: without end */
} request_t;

static int take_interval(const char *text, int *ms_out)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.1) || seconds > 86400)
        return byre__cmd_misuse(&top_command, "-d wants seconds, from 0.1, not `%s'", text);
    *ms_out = (int)lrint(seconds * 1e3);
    return BYRE__CMD_OK;
}

static int read_options(int argc, char **argv, request_t *request)
{
    static const struct option options[] = {
        { "once", no_argument, NULL, 'o' },        { "json", no_argument, NULL, 'j' },
        { "delay", required_argument, NULL, 'd' }, { "count", required_argument, NULL, 'n' },
        { "pool", required_argument, NULL, 'p' },  { NULL, 0, NULL, 0 },
    };
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, ":d:n:", options, NULL)) != -1) {
        if (option == 'o') {
            request->once = true;
        } else if (option == 'j') {
            request->json = true;
        } else if (option == 'p') {
            request->pool = optarg;
        } else if (option == 'd') {
            if (take_interval(optarg, &request->interval_ms) != BYRE__CMD_OK)
                return BYRE__CMD_USAGE;
        } else if (option == 'n') {
            request->count = byre__cmd_number(optarg);
            if (request->count < 1)
                return byre__cmd_misuse(&top_command, "-n wants a number from 1");
        } else if (option == ':') {
            return byre__cmd_misuse(&top_command, "%s wants a value", argv[optind - 1]);
        } else {
            return byre__cmd_misuse(&top_command, "unknown option %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return byre__cmd_misuse(&top_command, "takes no argument, but there is `%s'", argv[optind]);
    if (request->count > 0 && !request->json)
        return byre__cmd_misuse(&top_command, "-n is for --json");
    if (request->once && request->json) request->count = 1;
    return BYRE__CMD_OK;
}

static int run(int argc, char **argv)
{
    static top_t top;
    request_t request = { .interval_ms = 1000 };
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    signal(SIGPIPE,
           SIG_IGN); /* a daemon that goes away is no reason to end; nor is our reader silently */
    view_init(&top.view, request.interval_ms);
    pool_init(&top.pool, request.pool, &top.model, &top.view);
    if (pool_open(&top.pool) != BYRE_OK)
        status = byre__cmd_fail(&top_command, "%s", top.model.why);
    else if (request.json)
        status = top_json(&top, request.count);
    else
        status = request.once ? top_once(&top) : top_live(&top);
    pool_fini(&top.pool);
    view_fini(&top.view);
    model_fini(&top.model);
    return status;
}

byre__cmd_t top_command = {
    .name = "top",
    .synopsis = "[-d SECONDS] [--once | --json [-n COUNT]] [--pool P]",
    .summary = "the pool, live: its nodes, how busy they are, and its jobs",
    .details = "  -d SECONDS  how often the daemon is asked, from 0.1; without it 1\n"
               "  --once      print all nodes and jobs once, and end\n"
               "  --json      print a JSON object each time, on a line of its own\n"
               "  -n COUNT    with --json: so many, and end\n"
               "  --pool P    the pool; without it $BYRE_POOL, or `pool'\n\n"
               "Keys: arrows select a job, Tab changes to the nodes and back, k sends a signal (it "
               "asks),\n"
               "l shows what the job has written, n only jobs on one node, f only running, waiting "
               "or ended\n"
               "ones, s sorts, h tells of all keys, q quits.\n\n"
               "When the daemon of this node goes away it says so, keeps what it knew, and tries "
               "again.\n\n"
               "examples: byre top; byre top -d 5; byre top --once; byre top --json | jq .queued\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&top_command);
}
