/* SPDX-License-Identifier: BSD-3-Clause */
/* run.c - `byre run': options, submission, and the exit status; see run.h. */
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES_MAX = 10000 };

typedef struct request {
    needs_t needs;
    uint32_t copies;
    bool label, tty, no_tty;
    char **argv;
    char directory[256];
} request_t;

/* ---- submission ------------------------------------------------------------------------------------------- */

static void pack_jobs(const request_t *request, const run_t *run, byre__pack_t *ask)
{
    uint32_t flags = BYRE__JOB_ATTACHED | BYRE__JOB_STREAMS | (run->tty ? BYRE__JOB_PTY : 0);
    uint32_t rows = 0, cols = 0;

    if (run->tty) run_tty_size(&rows, &cols);
    for (uint32_t i = 0; i < run->count; i++) {
        byre__spec_t spec = needs_spec(&request->needs, flags, request->argv);
        char index[32];
        char *env[] = { index, NULL };

        snprintf(index, sizeof index, "BYRE_INDEX=%u", i);
        if (request->copies > 0) spec.env = env;
        spec.rows = (uint16_t)rows;
        spec.cols = (uint16_t)cols;
        byre__pack_spec(ask, &spec);
    }
}

static int submit(const request_t *request, run_t *run)
{
    byre__pack_t ask = { 0 };
    byre__unpack_t say;
    uint32_t context;
    int error = byre__client_context(run->sched, &context);

    if (error != BYRE_OK) return error;
    byre__pack_u32(&ask, context);
    byre__pack_u32(&ask, run->count);
    pack_jobs(request, run, &ask);
    error = byre__client_ask(run->sched, BYRE__ASK_SUBMIT, &ask, &run->tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK)
        error = byre__client_expect(run->sched, run->tag, BYRE__SAY_ACCEPTED, &say);
    if (error != BYRE_OK) return error;
    byre__unpack_job_id(&say, &run->first);
    if (byre__unpack_u32(&say) != run->count || !byre__unpack_done(&say))
        return byre__client_broken(run->sched, BYRE_EPROTO);
    /* One can read what is typed here. */
    for (uint32_t i = 1; i < run->count; i++) run_tell(run, BYRE__ASK_STDIN_END, i, NULL, 0);
    return BYRE_OK;
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

/* What a shell would say of it, and with which status it would go on. */
static int tell_end(const request_t *request, const run_job_t *job)
{
    char text[512];

    text_never_ran(&job->end, job->node, request->argv[0], request->directory, text);
    if (text[0] != '\0') byre__cmd_fail(&run_command, "%s", text);
    return byre__end_status(&job->end);
}

static int conclude(const request_t *request, const run_t *run)
{
    const byre__end_t *end = &run->jobs[0].end;
    int worst = 0;

    for (uint32_t i = 0; i < run->count; i++) {
        int status = tell_end(request, &run->jobs[i]);

        if (status > worst) worst = status;
    }
    if (run->count == 1 && (end->kind == BYRE__END_SIGNAL || end->kind == BYRE__END_CANCELLED))
        return run_signal_die(end->code);
    return worst;
}

static void tell_lost(const run_t *run)
{
    char id[BYRE__JOB_ID], last[32] = "";

    byre__job_id_format(&run->first, id);
    if (run->count > 1)
        snprintf(last, sizeof last, "..%llu",
                 (unsigned long long)run->first.number + run->count - 1);
    byre__cmd_fail(
        &run_command,
        "%s. %s%s %s on without it: after `byre up' has brought it back, `byre wait %s%s' has "
        "the exit status, and `byre log %s' what was written from now on",
        byre_sched_explain(run->sched), id, last, run->count > 1 ? "go" : "goes", id, last, id);
}

static int follow(const request_t *request, run_t *run)
{
    int error;

    if (run->tty) run_tty_raw();
    error = run_loop(run);
    run_tty_restore();
    switch (error) {
    case BYRE_OK:
        return conclude(request, run);
    case BYRE_ECANCELED:
        byre_sched_close(run->sched); /* which kills the jobs */
        run->sched = NULL;
        return run_signal_die(2);
    case BYRE_EPEER:
        tell_lost(run);
        return RUN_FAILED;
    default:
        share_failed(&run_command, run->sched);
        return RUN_FAILED;
    }
}

static int run_all(const request_t *request, run_t *run)
{
    int error;

    run->jobs = calloc(run->count, sizeof *run->jobs);
    if (run->jobs == NULL || !run_signal_open(run)) {
        byre__cmd_fail(&run_command, "%s", run->jobs == NULL ? "out of memory" : strerror(errno));
        return RUN_FAILED;
    }
    error = submit(request, run);
    if (error == BYRE_OK) return follow(request, run);
    share_failed(&run_command, run->sched);
    if (error == BYRE_EPEER)
        fputs("Jobs of `byre run' are killed when their client goes: `byre ps' tells, after `byre "
              "up'.\n",
              stderr);
    return RUN_FAILED;
}

/* ---- command line -------------------------------------------------------------------------------------------- */

static int take_option(void *arg, int option)
{
    request_t *request = arg;
    int number = 0, status;

    switch (option) {
    case 'n':
        status = options_number(&run_command, "-n", 1, COPIES_MAX, &number);
        request->copies = (uint32_t)number;
        return status;
    case 'l':
        request->label = true;
        return BYRE__CMD_OK;
    case 't':
    case 'T':
        request->tty = option == 't';
        request->no_tty = option == 'T';
        return BYRE__CMD_OK;
    default:
        return needs_take(&run_command, &request->needs, option);
    }
}

static const struct option table[] = { NEEDS_OPTIONS,
                                       { "label", no_argument, NULL, 'l' },
                                       { "tty", no_argument, NULL, 't' },
                                       { "no-tty", no_argument, NULL, 'T' },
                                       { NULL, 0, NULL, 0 } };
static const options_t options = { "+:n:ltT", table, take_option, false };

static int read_options(int argc, char **argv, request_t *request)
{
    int status = options_read(&run_command, &options, argc, argv, request);

    if (status != BYRE__CMD_OK) return status;
    if (optind == argc) return byre__cmd_misuse(&run_command, "wants a command to run");
    if (request->tty && request->copies > 1)
        return byre__cmd_misuse(&run_command, "-t is for one job, not for -n %u", request->copies);
    request->argv = argv + optind;
    return BYRE__CMD_OK;
}

static int run(int argc, char **argv)
{
    request_t request = { 0 };
    run_t state = { .room = RUN_WINDOW, .signals = -1 };
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    state.sched = share_connect(&run_command, request.needs.pool);
    if (state.sched == NULL) return RUN_FAILED;
    state.count = state.left = request.copies ? request.copies : 1;
    state.label = request.label && state.count > 1;
    state.tty = request.tty || (!request.no_tty && state.count == 1 && isatty(STDIN_FILENO) &&
                                isatty(STDOUT_FILENO));
    /* Now: it may be gone, or renamed, when it is to be named. */
    if (getcwd(request.directory, sizeof request.directory) == NULL)
        strcpy(request.directory, "this directory");
    status = run_all(&request, &state);
    byre_sched_close(state.sched);
    run_out_fini(&state);
    free(state.jobs);
    return status;
}

byre__cmd_t run_command = {
    .name = "run",
    .synopsis = "[-n K] [--label] [-t | -T] [OPTION...] [--] COMMAND [ARGUMENT...]",
    .summary = "a command on a node where there is room, as if it ran here",
    .details =
        "  -n K              K copies, each with its number (0, 1 ...) in $BYRE_INDEX; the first "
        "has\n"
        "                    the standard input, the lines of their output are mixed\n"
        "  -l, --label       with -n: each line begins with the number and the node\n"
        "  -t, --tty         with a terminal of its own; so it is by itself when standard input "
        "and\n"
        "                    output are terminals, unless there is -T, --no-tty\n" NEEDS_HELP "\n"
        "The command has this environment, directory, umask and these limits; standard input, "
        "output\n"
        "and error pass through byte by byte; Ctrl-C and other signals reach all its processes; "
        "when\n"
        "this client ends, so do they. The exit status is the command's, 127 if the node has no "
        "such\n"
        "program, 126 if it could not be started; killed by a signal, byre run dies of it too. "
        "125:\n"
        "Byre failed, and says why.\n\n"
        "examples: byre run hostname; byre run -n 4 --label hostname; tar c . | byre run gzip "
        ">x.tgz;\n"
        "          byre run --node n2 -t htop; byre run --mem 4G make -j4\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&run_command);
}
