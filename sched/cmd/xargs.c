/* SPDX-License-Identifier: BSD-3-Clause */
/* xargs.c - `byre xargs': options, and the loop; see xargs.h. */
#include "xargs.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the loop ------------------------------------------------------------------------------------------------- */

static int take_frames(xargs_t *x)
{
    byre__frame_t frame;
    byre__unpack_t say;
    int got, error = byre__stream_fill(&x->sched->stream);

    while ((got = byre__stream_next(&x->sched->stream, &frame, &say)) == 1) {
        int wrong = flight_take(x, &frame, &say);

        if (wrong == BYRE_ENOTFOUND) wrong = emit_take(x, &frame, &say);
        if (wrong != BYRE_OK && wrong != BYRE_ENOTFOUND) return wrong;
    }
    if (got < 0) error = got;
    return error == BYRE_OK || error == BYRE_EAGAIN ? BYRE_OK
                                                    : byre__client_broken(x->sched, error);
}

static double fraction_done(const xargs_t *x)
{
    if (x->input.ended && input_over(&x->input) && x->seq > 0)
        return (double)x->done / (double)x->seq;
    if (x->input.bytes > 0 && x->seq > 0)
        return (double)x->input.taken / (double)x->input.bytes * (double)x->done / (double)x->seq;
    return -1;
}

static bool is_over(const xargs_t *x)
{
    bool no_more = x->halted || (input_over(&x->input) && x->again == NULL);

    bool shown = x->show == NULL || x->show->state == XARGS_FLYING;

    /* Those that are under way are killed when the connection ends. */
    if (x->halted && x->request->halt == HALT_NOW) return shown;
    /* Halted, some kept in order may never land: those before them have been shown. */
    return no_more && x->flying == 0 && shown;
}

/* One round: what came, what goes. Everything is put first and written at once. */
static int round_of(xargs_t *x)
{
    int error = emit_ask(x);

    if (error == BYRE_OK) error = emit_show(x);
    if (error == BYRE_OK) error = flight_submit(x); /* last: what was shown has made room */
    if (error == BYRE_OK && byre__stream_flush(&x->sched->stream) != BYRE_OK) {
        error = take_frames(x);
        if (error == BYRE_OK) error = byre__client_broken(x->sched, BYRE_EPEER);
    }
    return error;
}

static bool wants_input(const xargs_t *x)
{
    return x->input.hungry && !x->input.ended && !x->halted && x->flying < x->window;
}

static int loop(xargs_t *x)
{
    int error = round_of(x);

    while (error == BYRE_OK && !is_over(x)) {
        short backlog = byre__stream_backlog(&x->sched->stream) > 0 ? POLLOUT : 0;
        struct pollfd at[2] = { { x->sched->stream.fd, POLLIN | backlog, 0 },
                                { wants_input(x) ? x->input.fd : -1, POLLIN, 0 } };

        if (x->show == NULL || x->show->state != XARGS_TELLING || x->flying > 0)
            progress_draw(&x->progress, x->done, x->failed, x->flying, fraction_done(x));
        if (poll(at, 2, x->progress.on ? 200 : -1) < 0 && errno != EINTR)
            return byre__client_fail(x->sched, BYRE_ESYSTEM, "poll: %s", strerror(errno));
        if (at[1].revents) input_read(&x->input);
        if (at[0].revents & ~POLLOUT) error = take_frames(x);
        if (error == BYRE_OK) error = round_of(x);
    }
    return error;
}

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
    if (error == BYRE_OK) error = loop(&x);
    status = conclude(&x, error);
    flight_fini(&x);
    emit_fini(&x);
    input_close(&x.input);
    return status;
}

/* ---- command line -------------------------------------------------------------------------------------------- */

static int take_number(const char *what, const char *text, int least, int most, int *number_out)
{
    int number = byre__cmd_number(text);

    if (number < least || number > most)
        return byre__cmd_misuse(&xargs_command, "%s wants a number from %d to %d, not `%s'", what,
                                least, most, text);
    *number_out = number;
    return BYRE__CMD_OK;
}

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

static int take_option(xargs_request_t *request, int option, char **argv)
{
    switch (option) {
    case 'P':
        return take_number("-P", optarg, 1, XARGS_WINDOW_MAX, &request->jobs);
    case 'n':
        return take_number("-n", optarg, 1, 100000, &request->items);
    case 'r':
        return take_number("--retries", optarg, 0, 1000, &request->retries);
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
        return share_bad_option(&xargs_command, option, argv);
    }
    return BYRE__CMD_OK;
}

static int read_options(int argc, char **argv, xargs_request_t *request)
{
    static const struct option options[] = {
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
    int option, status;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:P:0n:kvq", options, NULL)) != -1) {
        status = needs_take(&xargs_command, &request->needs, option, optarg);
        if (status == -1) status = take_option(request, option, argv);
        if (status != BYRE__CMD_OK) return status;
    }
    request->argv = argv + optind;
    if (request->items > 0 && optind == argc)
        return byre__cmd_misuse(&xargs_command,
                                "-n is for a command that gets the items as arguments");
    return BYRE__CMD_OK;
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
