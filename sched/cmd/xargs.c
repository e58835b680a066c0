/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs.c - `byre xargs': options, the window, and the exit status; see xargs.h. */
#include "xargs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- before and after ------------------------------------------------------------------------------------------ */

/* Twice the slots: while one job of a slot runs, the next is there. */
static int set_window(xargs_t *x)
{
    byre__node_row_t *rows;
    size_t count;
    uint64_t slots = 0;
    int error;

    x->window = (uint32_t)x->request->jobs;
    if (x->window > 0) return BYRE_OK;
    error = share_nodes(x->sched, &rows, &count);
    if (error != BYRE_OK) return error;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].state != BYRE__NODE_GONE) slots += rows[i].slots;
    }
    free(rows);
    x->window = slots == 0                     ? 2
                : slots > XARGS_WINDOW_MAX / 2 ? XARGS_WINDOW_MAX
                                               : (uint32_t)(2 * slots);
    return BYRE_OK;
}

static void summary(const xargs_t *x)
{
    double seconds = progress_seconds(&x->progress);

    if (x->request->quiet || !(x->request->verbose || isatty(STDERR_FILENO))) return;
    fprintf(stderr, "byre xargs: %llu job%s in %.1f s (%.0f/s), %llu failed%s\n",
            (unsigned long long)x->done, x->done == 1 ? "" : "s", seconds,
            seconds > 0 ? (double)x->done / seconds : 0, (unsigned long long)x->failed,
            x->halted ? "; halted after the first of them" : "");
}

static int conclude(xargs_t *x, int error)
{
    progress_clear(&x->progress);
    fflush(stdout);
    if (error == BYRE_EPEER) {
        byre__cmd_fail(
            &xargs_command,
            "%s: %llu jobs were done, %u were under way. After `byre up' give me the rest",
            byre_sched_explain(x->sched), (unsigned long long)x->done, x->flying);
    } else if (error != BYRE_OK) {
        share_failed(&xargs_command, x->sched);
    } else if (x->input.failed) {
        byre__cmd_fail(&xargs_command,
                       "the input ends with an error: a line is longer than 8 MiB, or it "
                       "cannot be read");
    }
    summary(x);
    if (error != BYRE_OK || x->input.failed) return XARGS_FAILED;
    return x->failed > XARGS_MOST ? XARGS_MOST : (int)x->failed;
}

static int run_all(const xargs_request_t *request, byre_sched_t *sched)
{
    xargs_t x = { .request = request, .sched = sched, .show_end = NULL };
    int error, status;

    x.show_end = &x.show;
    x.again_end = &x.again;
    if (!input_open(&x.input, request->input, request->separator)) {
        byre__cmd_fail(&xargs_command, "%s: %s", request->input, strerror(errno));
        return XARGS_FAILED;
    }
    error = set_window(&x);
    if (error == BYRE_OK) error = byre__client_context(sched, &x.context);
    progress_begin(&x.progress, !request->quiet);
    if (error == BYRE_OK) error = xargs_loop(&x);
    status = conclude(&x, error);
    flight_fini(&x);
    emit_fini(&x);
    input_close(&x.input);
    return status;
}

/* ---- command line -------------------------------------------------------------------------------------------- */

static int take_halt(xargs_request_t *request, const char *text)
{
    static const char *const names[] = { "never", "soon", "now" };

    for (int i = HALT_NEVER; i <= HALT_NOW; i++) {
        if (strcmp(text, names[i]) == 0) {
            request->halt = (enum xargs_halt)i;
            return BYRE__CMD_OK;
        }
    }
    return byre__cmd_misuse(&xargs_command, "--halt wants never, soon or now, not `%s'", text);
}

static int take_option(void *arg, int option)
{
    xargs_request_t *request = arg;

    switch (option) {
    case 'P':
        return options_number(&xargs_command, "-P", 1, XARGS_WINDOW_MAX, &request->jobs);
    case 'n':
        return options_number(&xargs_command, "-n", 1, 100000, &request->items);
    case 'r':
        return options_number(&xargs_command, "--retries", 0, 1000, &request->retries);
    case 'h':
        return take_halt(request, optarg);
    case '0':
        request->separator = '\0';
        break;
    case 'i':
        request->input = optarg;
        break;
    case 'k':
        request->keep_order = true;
        break;
    case 'R':
        request->results = optarg;
        break;
    case 'j':
        request->json = true;
        break;
    case 'v':
        request->verbose = true;
        break;
    case 'q':
        request->quiet = true;
        break;
    default:
        return needs_take(&xargs_command, &request->needs, option);
    }
    return BYRE__CMD_OK;
}

static const struct option table[] = {
    NEEDS_OPTIONS,
    { "jobs", required_argument, NULL, 'P' },
    { "null", no_argument, NULL, '0' },
    { "max-args", required_argument, NULL, 'n' },
    { "input", required_argument, NULL, 'i' },
    { "keep-order", no_argument, NULL, 'k' },
    { "halt", required_argument, NULL, 'h' },
    { "results", required_argument, NULL, 'R' },
    { "retries", required_argument, NULL, 'r' },
    { "json", no_argument, NULL, 'j' },
    { "verbose", no_argument, NULL, 'v' },
    { "quiet", no_argument, NULL, 'q' },
    { NULL, 0, NULL, 0 },
};
static const options_t options = { "+:P:0n:kvq", table, take_option, false };

static int read_options(int argc, char **argv, xargs_request_t *request)
{
    int status = options_read(&xargs_command, &options, argc, argv, request);

    if (status == BYRE__CMD_OK && request->items > 0 && optind == argc)
        return byre__cmd_misuse(&xargs_command,
                                "-n is for a command that gets the items as arguments");
    request->argv = argv + optind;
    return status;
}

static int run(int argc, char **argv)
{
    xargs_request_t request = { .separator = '\n' };
    byre_sched_t *sched;
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    sched = share_connect(&xargs_command, request.needs.pool);
    if (sched == NULL) return XARGS_FAILED;
    status = run_all(&request, sched);
    byre_sched_close(sched);
    return status;
}

byre__cmd_t xargs_command = {
    .name = "xargs",
    .synopsis = "[-P N] [-0] [-n MAX] [-k] [OPTION...] [COMMAND [ARGUMENT...]]",
    .summary = "a job for each line of the input, many at once",
    .details =
        "Without COMMAND each line is a command: run directly if it is words and blanks only, else "
        "by\n"
        "`sh -c'. With COMMAND each line replaces {} in its arguments, or comes behind them.\n\n"
        "  -P N, --jobs N    at most N jobs under way; without it twice the slots of the pool\n"
        "  -0, --null        items end with a zero byte, not with a line\n"
        "  -n MAX            up to MAX items behind COMMAND for one job\n"
        "  --input FILE      read this instead of the standard input\n"
        "  -k, --keep-order  show what jobs write in the order of the input, not as they end\n"
        "  --halt WHEN       after the first job that fails: never stop, stop soon (those under "
        "way\n"
        "                    end), or now (they are killed)\n"
        "  --retries N       run a job that fails up to N times more\n"
        "  --results DIR     also write DIR/1/stdout, DIR/1/stderr, DIR/1/status, DIR/2/ ...\n"
        "  --json            one JSON object a line for each job, and not what it writes\n"
        "  -v, --verbose     say how each job failed, and at the end how many and how fast\n"
        "  -q, --quiet       no progress bar, no summary\n" NEEDS_HELP "\n"
        "What a job writes is shown when it has ended, without that of others in between. "
        "$BYRE_INDEX is\n"
        "the job's number from 0. When this client ends, its jobs are killed. The exit status is "
        "the\n"
        "number of jobs that failed, 101 if that is more; 125: Byre failed, and says why.\n\n"
        "examples: ls *.wav | byre xargs lame --quiet; byre xargs <commands.txt;\n"
        "          find . -name '*.png' -print0 | byre xargs -0 -n 20 optipng;\n"
        "          seq 1000 | byre xargs -k --halt soon ./step --seed {}\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&xargs_command);
}
