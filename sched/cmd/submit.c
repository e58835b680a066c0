/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * submit.c - `byre submit': jobs for later, on the disk when it returns.
 *
 * An array goes in batches, each accepted as a whole. Ids of one batch follow each other; those of two may not,
 * when somebody else submits in between: ranges are printed as they are.
 */
#include "share.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

static byre__cmd_t command;

enum { BATCH = 2000, BATCH_BYTES = 4 << 20 };

typedef struct request {
    needs_t needs;
    bool json;
    uint64_t *indices; /* NULL: one job, no array */
    size_t count;
    char **argv;
} request_t;

typedef struct accepted {
    const request_t *request;
    ids_range_t last; /* not printed yet */
    uint64_t total;
    bool unsure; /* the daemon ended */
} accepted_t;

static void print_range(const accepted_t *a)
{
    char id[BYRE__JOB_ID];
    uint64_t end = a->last.first.number + a->last.count - 1;

    if (a->last.count == 0) return;
    byre__job_id_format(&a->last.first, id);
    if (a->request->json) {
        fputs("{\"first\": ", stdout);
        text_json(stdout, id);
        printf(", \"home\": ");
        text_json(stdout, a->last.first.home);
        printf(", \"number\": %" PRIu64 ", \"count\": %" PRIu64 "}\n", a->last.first.number,
               a->last.count);
    } else if (a->last.count == 1) {
        puts(id);
    } else {
        printf("%s..%" PRIu64 "\n", id, end);
    }
}

static void add_range(accepted_t *a, const byre__job_id_t *first, uint64_t count)
{
    a->total += count;
    if (a->last.count > 0 && first->number == a->last.first.number + a->last.count) {
        a->last.count += count;
        return;
    }
    print_range(a);
    a->last = (ids_range_t){ *first, count };
}

/* ---- packing ----------------------------------------------------------------------------------------- */

static bool pack_one(byre__pack_t *pack, const request_t *request, uint64_t index)
{
    char number[24], variable[48];
    char *env[] = { variable, NULL };
    char **argv;
    byre__spec_t spec;

    snprintf(number, sizeof number, "%" PRIu64, index);
    snprintf(variable, sizeof variable, "BYRE_INDEX=%s", number);
    argv = words_fill(request->argv, number, NULL);
    if (argv == NULL) return false;
    spec = needs_spec(&request->needs, 0, argv);
    spec.env = env;
    byre__pack_spec(pack, &spec);
    free(argv);
    return !pack->failed;
}

/* As many as go into one batch, from indices[at]; how many. 0: no memory. */
static uint32_t pack_batch(byre__pack_t *specs, const request_t *request, size_t at)
{
    uint32_t n = 0;

    byre__pack_clear(specs);
    if (request->indices == NULL) {
        byre__spec_t spec = needs_spec(&request->needs, 0, request->argv);

        byre__pack_spec(specs, &spec);
        return specs->failed ? 0 : 1;
    }
    while (n < BATCH && at + n < request->count && specs->bytes < BATCH_BYTES) {
        if (!pack_one(specs, request, request->indices[at + n])) return 0;
        n++;
    }
    return n;
}

static int send_batch(byre_sched_t *sched, uint32_t context, const byre__pack_t *specs,
                      uint32_t count, byre__job_id_t *first_out)
{
    byre__pack_t ask = { 0 };
    byre__unpack_t say;
    uint32_t tag;
    int error;

    byre__pack_u32(&ask, context);
    byre__pack_u32(&ask, count);
    byre__pack_raw(&ask, specs->data, specs->bytes);
    error = byre__client_ask(sched, BYRE__ASK_SUBMIT, &ask, &tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK) error = byre__client_expect(sched, tag, BYRE__SAY_ACCEPTED, &say);
    if (error != BYRE_OK) return error;
    byre__unpack_job_id(&say, first_out);
    if (byre__unpack_u32(&say) != count || !byre__unpack_done(&say))
        return byre__client_broken(sched, BYRE_EPROTO);
    return BYRE_OK;
}

static int submit(byre_sched_t *sched, accepted_t *accepted)
{
    const request_t *request = accepted->request;
    byre__pack_t specs = { 0 };
    byre__job_id_t first;
    uint32_t context;
    int error = byre__client_context(sched, &context);

    for (size_t at = 0; error == BYRE_OK && at < request->count;) {
        uint32_t n = pack_batch(&specs, request, at);

        error = n == 0 ? byre__client_broken(sched, BYRE_ENOMEM)
                       : send_batch(sched, context, &specs, n, &first);
        if (error == BYRE_OK) add_range(accepted, &first, n);
        at += n;
    }
    accepted->unsure = error == BYRE_EPEER;
    byre__pack_fini(&specs);
    print_range(accepted);
    return error;
}

/* ---- command line --------------------------------------------------------------------------------------- */

static int take_array(request_t *request, const char *text)
{
    char why[160];

    free(request->indices);
    request->indices = ids_indices(text, &request->count, why);
    if (request->indices == NULL) return byre__cmd_misuse(&command, "--array %s", why);
    return BYRE__CMD_OK;
}

static int take_option(void *arg, int option)
{
    request_t *request = arg;

    switch (option) {
    case 'a':
        return take_array(request, optarg);
    case 'j':
        request->json = true;
        return BYRE__CMD_OK;
    default:
        return needs_take(&command, &request->needs, option);
    }
}

static const struct option table[] = { NEEDS_OPTIONS,
                                       { "array", required_argument, NULL, 'a' },
                                       { "json", no_argument, NULL, 'j' },
                                       { NULL, 0, NULL, 0 } };
static const options_t options = { "+:", table, take_option, false };

static int read_options(int argc, char **argv, request_t *request)
{
    int status = options_read(&command, &options, argc, argv, request);

    if (status == BYRE__CMD_OK && optind == argc)
        return byre__cmd_misuse(&command, "wants a command to run");
    request->argv = argv + optind;
    return status;
}

static int run(int argc, char **argv)
{
    request_t request = { .count = 1 };
    accepted_t accepted = { .request = &request };
    byre_sched_t *sched = NULL;
    int status = read_options(argc, argv, &request);

    if (status == BYRE__CMD_OK) {
        sched = share_connect(&command, request.needs.pool);
        if (sched == NULL) status = BYRE__CMD_FAILED;
    }
    if (sched != NULL && submit(sched, &accepted) != BYRE_OK) {
        status = share_failed(&command, sched);
        if (request.count > 1 && accepted.total > 0)
            byre__cmd_fail(&command, "%" PRIu64 " of %zu jobs were accepted before", accepted.total,
                           request.count);
        if (accepted.unsure)
            fputs("What was on its way when the daemon ended may have been accepted: `byre ps' "
                  "tells, "
                  "after the next `byre up'.\n",
                  stderr);
    }
    byre_sched_close(sched);
    free(request.indices);
    return status;
}

static byre__cmd_t command = {
    .name = "submit",
    .synopsis = "[OPTION...] [--array LIST] [--] COMMAND [ARGUMENT...]",
    .summary = "a job for when there is room for it; prints its id",
    .details = NEEDS_HELP
    "  --array LIST      a job for each number: 0-999, 0-99:10, 1,5,7-9. It has the number in\n"
    "                    $BYRE_INDEX, and {} in its arguments is replaced by it\n"
    "  --json            one JSON object a line\n\n"
    "The jobs are on the disk of this node when the command returns, and run whatever happens to\n"
    "your terminal, to daemons or to nodes: in this directory, with this environment, umask and\n"
    "limits, and with no standard input. `byre log ID' shows what they write, `byre wait ID' has\n"
    "their exit status.\n\n"
    "examples: byre submit make -C src; byre submit --array 0-999 ./step --seed {};\n"
    "          byre wait $(byre submit --mem 2G --restartable ./long)\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
