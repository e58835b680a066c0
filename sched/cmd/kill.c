/* SPDX-License-Identifier: BSD-3-Clause */
/* kill.c - `byre kill': a signal to all processes of jobs. */
#include "share.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static byre__cmd_t command;

typedef struct request {
    bool json;
    const char *pool;
    int signal, words; /* words: argv[words] is the first id */
} request_t;

static int send(byre_sched_t *sched, const request_t *request, const ids_range_t *ranges,
                size_t count)
{
    byre__pack_t ask = { 0 };
    byre__unpack_t say;
    uint64_t reached;
    uint32_t tag;
    int error;

    byre__pack_u32(&ask, (uint32_t)request->signal);
    ids_pack(&ask, ranges, count);
    error = byre__client_ask(sched, BYRE__ASK_KILL, &ask, &tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK) error = byre__client_expect(sched, tag, BYRE__SAY_KILLED, &say);
    if (error != BYRE_OK) return share_failed(&command, sched);
    reached = byre__unpack_u64(&say);
    if (!byre__unpack_done(&say)) {
        byre__client_broken(sched, BYRE_EPROTO);
        return share_failed(&command, sched);
    }
    if (request->json)
        printf("{\"signal\": %d, \"jobs\": %" PRIu64 "}\n", request->signal, reached);
    if (reached > 0) return BYRE__CMD_OK;
    return byre__cmd_fail(&command, count == 1 && ranges[0].count == 1
                                        ? "there is no such job, or it has ended"
                                        : "there are no such jobs, or they have ended");
}

static int list_signals(void)
{
    for (int i = 1; i < SIGRTMIN; i++) {
        if (sigabbrev_np(i) != NULL) printf("%2d  %-8s %s\n", i, sigabbrev_np(i), sigdescr_np(i));
    }
    return BYRE__CMD_OK;
}

static int take_signal(const char *text, request_t *request)
{
    request->signal = text_parse_signal(text);
    if (request->signal >= 0) return BYRE__CMD_OK;
    return byre__cmd_misuse(&command, "`%s' is no signal (`byre kill -l' lists them)", text);
}

/* By hand: -9 and -KILL are not what getopt is made for. -1: done, with *status_out. */
static int read_options(int argc, char **argv, request_t *request)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        const char *word = argv[i];

        if (strcmp(word, "--") == 0) {
            i++;
            break;
        } else if (strcmp(word, "--json") == 0) {
            request->json = true;
        } else if (strcmp(word, "--pool") == 0 || strcmp(word, "-s") == 0 ||
                   strcmp(word, "--signal") == 0) {
            if (++i == argc) return byre__cmd_misuse(&command, "%s wants a value", word);
            if (word[2] == 'p')
                request->pool = argv[i];
            else if (take_signal(argv[i], request) != BYRE__CMD_OK)
                return BYRE__CMD_USAGE;
        } else if (strncmp(word, "--pool=", 7) == 0) {
            request->pool = word + 7;
        } else if (strncmp(word, "--signal=", 9) == 0) {
            if (take_signal(word + 9, request) != BYRE__CMD_OK) return BYRE__CMD_USAGE;
        } else if (word[1] == '-') {
            return byre__cmd_misuse(&command, "unknown option %s", word);
        } else if (take_signal(word + 1, request) != BYRE__CMD_OK) {
            return BYRE__CMD_USAGE;
        }
    }
    request->words = i;
    if (i == argc) return byre__cmd_misuse(&command, "wants the ids of jobs");
    return BYRE__CMD_OK;
}

static int run(int argc, char **argv)
{
    request_t request = { .signal = SIGTERM };
    ids_range_t *ranges = NULL;
    byre_sched_t *sched;
    int status;

    if (argc == 2 && (strcmp(argv[1], "-l") == 0 || strcmp(argv[1], "--list") == 0))
        return list_signals();
    status = read_options(argc, argv, &request);
    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(&command, request.pool);
    if (sched == NULL) return BYRE__CMD_FAILED;
    status = ids_read(&command, sched->node, argv + request.words, argc - request.words, &ranges);
    if (status == BYRE__CMD_OK)
        status = send(sched, &request, ranges, (size_t)(argc - request.words));
    free(ranges);
    byre_sched_close(sched);
    return status;
}

static byre__cmd_t command = {
    .name = "kill",
    .synopsis = "[-SIGNAL | -s SIGNAL] [--json] [--pool P] ID...",
    .summary = "a signal to all processes of jobs, wherever they are",
    .details = "  -SIGNAL, -s SIGNAL  a name or number: -9, -KILL, -s USR1; without it TERM. -0 "
               "only looks\n"
               "                      whether there is such a job\n"
               "  -l                  the names of the signals\n"
               "  --json              one JSON object: how many jobs got it\n"
               "  --pool P            the pool; without it $BYRE_POOL, or `pool'\n"
               "  ID                  n1.17, or many as n1.17..1016\n\n"
               "A job that waits is cancelled by TERM, KILL, INT, HUP and QUIT. The exit status is "
               "0 if some\n"
               "job was there.\n\n"
               "examples: byre kill n1.17; byre kill -KILL 17..1016; byre kill -s STOP n2.3\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
