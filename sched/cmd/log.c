/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - `byre log': what a job has written.
 *
 * The daemon sends no more than the window allows; it is opened again by what has been written to our stdout.
 * With --both two questions are under way at once.
 */
#include "share.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

static byre__cmd_t command;

typedef struct request {
    asked_t asked; /* without json */
    bool follow, err, both;
    long long from; /* bytes to skip */
} request_t;

typedef struct reading {
    byre_sched_t *sched;
    byre__job_id_t id;
    uint32_t tag[2]; /* of stdout, stderr; 0: not asked, or done */
} reading_t;

static int ask(reading_t *r, const request_t *request, int stream)
{
    byre__pack_t pack = { 0 };
    int error;

    byre__pack_job_id(&pack, &r->id);
    byre__pack_u8(&pack, (uint8_t)stream);
    byre__pack_u64(&pack, (uint64_t)request->from);
    byre__pack_u8(&pack, request->follow);
    error = byre__client_ask(r->sched, BYRE__ASK_LOG, &pack, &r->tag[stream - 1]);
    byre__pack_fini(&pack);
    return error;
}

static int grant(reading_t *r, int stream, size_t bytes)
{
    byre__pack_t pack = { 0 };
    int error;

    byre__pack_job_id(&pack, &r->id);
    byre__pack_u8(&pack, (uint8_t)stream);
    byre__pack_u32(&pack, (uint32_t)bytes);
    error = byre__stream_put(&r->sched->stream, BYRE__ASK_WINDOW, r->tag[stream - 1], &pack);
    byre__pack_fini(&pack);
    if (error == BYRE_OK) error = byre__stream_drain(&r->sched->stream);
    return error == BYRE_OK ? error : byre__client_broken(r->sched, error);
}

/* A piece: to stdout, or to stderr where both were asked for. BYRE_ECLOSED: nobody reads it. */
static int show(reading_t *r, const request_t *request, int stream, byre__unpack_t *say)
{
    byre__job_id_t id;
    size_t bytes;

    byre__unpack_job_id(say, &id);
    if (byre__unpack_u8(say) != stream || say->failed)
        return byre__client_broken(r->sched, BYRE_EPROTO);
    bytes = (size_t)(say->end - say->at);
    if (!output_write_all(request->both && stream == 2 ? STDERR_FILENO : STDOUT_FILENO, say->at,
                          bytes))
        return BYRE_ECLOSED;
    return grant(r, stream, bytes);
}

static int read_all(reading_t *r, const request_t *request)
{
    byre__frame_t frame;
    byre__unpack_t say;
    int error = BYRE_OK;

    while (r->tag[0] != 0 || r->tag[1] != 0) {
        int got = byre__stream_await(&r->sched->stream, &frame, &say, -1), stream;

        if (got < 0) return byre__client_broken(r->sched, got);
        if (frame.tag == 0 || (frame.tag != r->tag[0] && frame.tag != r->tag[1])) continue;
        stream = frame.tag == r->tag[0] ? 1 : 2;
        if (frame.type == BYRE__SAY_ERROR) return byre__client_error(r->sched, &say);
        if (frame.type == BYRE__SAY_DONE)
            r->tag[stream - 1] = 0;
        else if (frame.type == BYRE__SAY_OUTPUT)
            error = show(r, request, stream, &say);
        else
            error = byre__client_broken(r->sched, BYRE_EPROTO);
        if (error != BYRE_OK) return error;
    }
    return BYRE_OK;
}

static int log_of(byre_sched_t *sched, const request_t *request, const char *word)
{
    reading_t r = { .sched = sched };
    int error = BYRE_OK;

    if (!byre__job_id_parse(word, sched->node, &r.id))
        return byre__cmd_misuse(&command, "`%s' is no job's id: they look like %s.17", word,
                                sched->node);
    if (!request->err || request->both) error = ask(&r, request, 1);
    if (error == BYRE_OK && (request->err || request->both)) error = ask(&r, request, 2);
    if (error == BYRE_OK) error = read_all(&r, request);
    if (error == BYRE_ECLOSED) return BYRE__CMD_FAILED;
    return error == BYRE_OK ? BYRE__CMD_OK : share_failed(&command, sched);
}

static int take_option(void *arg, int option)
{
    request_t *request = arg;
    char *end;

    switch (option) {
    case 'f':
        request->follow = true;
        return BYRE__CMD_OK;
    case 'e':
        request->err = true;
        return BYRE__CMD_OK;
    case 'b':
        request->both = true;
        return BYRE__CMD_OK;
    case 'o':
        request->from = strtoll(optarg, &end, 10);
        if (end == optarg || *end != '\0' || request->from < 0)
            return byre__cmd_misuse(&command, "--from wants a number of bytes, not `%s'", optarg);
        return BYRE__CMD_OK;
    default:
        return options_asked(&request->asked, option);
    }
}

static const struct option table[] = {
    POOL_OPTION,
    { "follow", no_argument, NULL, 'f' },
    { "stderr", no_argument, NULL, 'e' },
    { "both", no_argument, NULL, 'b' },
    { "from", required_argument, NULL, 'o' },
    { NULL, 0, NULL, 0 },
};
static const options_t options = { ":f", table, take_option, false };

static int read_options(int argc, char **argv, request_t *request)
{
    int status = options_read(&command, &options, argc, argv, request);

    if (status == BYRE__CMD_OK && argc - optind != 1)
        return byre__cmd_misuse(&command, "wants the id of one job");
    return status;
}

static int run(int argc, char **argv)
{
    request_t request = { 0 };
    byre_sched_t *sched;
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(&command, request.asked.pool);
    if (sched == NULL) return BYRE__CMD_FAILED;
    status = log_of(sched, &request, argv[optind]);
    byre_sched_close(sched);
    return status;
}

static byre__cmd_t command = {
    .name = "log",
    .synopsis = "[-f] [--stderr | --both] [--from BYTES] [--pool P] ID",
    .summary = "what a job has written",
    .details = "  -f, --follow  go on until the job ends\n"
               "  --stderr      its standard error, instead of its standard output\n"
               "  --both        both, each to the stream of the same name\n"
               "  --from BYTES  without so much of the beginning\n"
               "  --pool P      the pool; without it $BYRE_POOL, or `pool'\n"
               "  ID            n1.17; a bare number is a job of this node\n\n"
               "Jobs of `byre submit' write to files on their node, which are kept as long as "
               "`byre ps -a'\n"
               "knows the job. What `byre run' started writes to its terminal, and has no log.\n\n"
               "examples: byre log n1.17; byre log -f --both 17; byre log 17 | tail\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
