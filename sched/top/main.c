/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - `byre top': a pool, live.
 *
 *   pool.c   asks the daemon, without ever waiting for it      ->  model.c  what is known
 *   keys.c   what a key does                                   ->  view.c   what is looked at
 *   draw*.c  both to lines (frame.c)                           ->  screen.c the terminal
 *
 * Two loops: one with a terminal, and one (--once, --json) without.
 */
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "draw.h"
#include "json.h"
#include "pool.h"
#include "screen.h"
#include "sched/cmd/share.h"

static byre__cmd_t command;

typedef struct request {
    const char *pool;
    bool once, json;
    int interval_ms;
    int count; /* of JSON lines; 0: without end */
} request_t;

/* Large: the tail of a log lies in it. */
static view_t view;
static model_t model;
static pool_t pool;

/* ---- with a terminal --------------------------------------------------------------------------------- */

static bool show(frame_t *frame)
{
    int rows, cols;

    screen_size(&rows, &cols);
    if (frame->lines == NULL || frame->rows != rows || frame->cols != cols) {
        frame_fini(frame);
        if (!frame_init(frame, rows, cols, screen_utf8())) return false;
    }
    model.now_ms = text_now_ms();
    if (!draw(frame, &view, &model)) return false;
    screen_show(frame);
    return true;
}

/* false: quit. */
static bool act(view_action_t action)
{
    switch (action.act) {
    case ACT_QUIT:
        return false;
    case ACT_REDRAW:
        screen_redraw();
        break;
    case ACT_KILL:
        pool_kill(&pool, &view.job, action.signal);
        break;
    case ACT_LOG:
        pool_log_begin(&pool);
        break;
    case ACT_LOG_STOP:
        pool_log_end(&pool);
        break;
    case ACT_NOW:
        pool_now(&pool);
        break;
    case ACT_INTERVAL:
        pool_hurry(&pool);
        break;
    case ACT_NONE:
        break;
    }
    return true;
}

static bool take_keys(void)
{
    int key;

    while ((key = screen_key()) >= 0) {
        if (key > 0 && !act(view_key(&view, &model, key))) return false;
    }
    return true;
}

/* BYRE_OK: asked to quit. */
static int watch(void)
{
    frame_t frame = { 0 };
    int got = 0, error = BYRE_OK;

    while (screen_signal() == 0) {
        int wait_ms;

        pool_tick(&pool);
        if (!show(&frame)) {
            error = BYRE_ENOMEM;
            break;
        }
        wait_ms = pool_wait_ms(&pool);
        /* The clock and the times of jobs go on. */
        got = screen_wait(pool_fd(&pool), wait_ms < 1000 ? wait_ms : 1000);
        /* Keys first: they mean what was seen when they were pressed. */
        if ((got & SCREEN_LOST) || ((got & SCREEN_KEY) && !take_keys())) break;
        if (got & SCREEN_FD) pool_take(&pool);
    }
    frame_fini(&frame);
    return error;
}

static void complain(const char *why)
{
    byre__cmd_fail(&command, "%s", why);
}

static int live(void)
{
    int error;

    if (!screen_open(complain)) return BYRE__CMD_FAILED;
    error = watch();
    screen_close();
    if (screen_signal() != 0) {
        sigset_t all;

        /* As if it had not been caught: who waits for us sees why. */
        signal(screen_signal(), SIG_DFL);
        sigemptyset(&all);
        raise(screen_signal());
        sigprocmask(SIG_SETMASK, &all, NULL);
    }
    return error == BYRE_OK ? BYRE__CMD_OK : byre__cmd_fail(&command, "%s", byre_strerror(error));
}

/* ---- without ----------------------------------------------------------------------------------------- */

/* Until there is a round more, or no daemon. */
static void await_round(void)
{
    unsigned before = pool.rounds;

    do {
        struct pollfd ready = { .fd = pool_fd(&pool), .events = POLLIN };

        pool_tick(&pool);
        ready.fd = pool_fd(&pool);
        if (ready.fd < 0) return;
        if (poll(&ready, 1, pool_wait_ms(&pool)) > 0) pool_take(&pool);
    } while (pool.rounds == before);
}

/* A question that was not answered: then something is missing in what is printed. */
static bool said_so(void)
{
    bool is_alert = view.note_is_alert;

    if (is_alert) byre__cmd_fail(&command, "%s", view.note);
    view.note_is_alert = false;
    return is_alert;
}

static int columns_of_output(void)
{
    const char *text = getenv("COLUMNS");
    int cols = text != NULL ? byre__cmd_number(text) : -1;
    struct winsize size;

    if (cols > 0) return cols;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

static int once(void)
{
    frame_t frame;
    bool done;

    await_round();
    if (!model.up) return byre__cmd_fail(&command, "%s", model.why);
    done = frame_init(&frame, draw_plain_rows(&model), columns_of_output(), screen_utf8());
    done = done && draw_plain(&frame, &view, &model);
    for (int i = 0; done && i < frame.used; i++) puts(frame.lines[i].text);
    frame_fini(&frame);
    if (!done) return byre__cmd_fail(&command, "%s", byre_strerror(BYRE_ENOMEM));
    return said_so() ? BYRE__CMD_FAILED : BYRE__CMD_OK;
}

static int lines_of_json(const request_t *request)
{
    for (int i = 0; request->count == 0 || i < request->count; i++) {
        await_round();
        model.now_ms = text_now_ms();
        json_write(stdout, &model);
        (void)said_so();
        if (fflush(stdout) != 0) break; /* main says so */
        if (!model.up && (request->count == 0 || i + 1 < request->count))
            (void)poll(NULL, 0, pool_wait_ms(&pool));
    }
    return BYRE__CMD_OK;
}

/* ---- command ----------------------------------------------------------------------------------------- */

static int take_interval(const char *text, int *ms_out)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0.1) || seconds > 86400)
        return byre__cmd_misuse(&command, "-d wants seconds, from 0.1, not `%s'", text);
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
            if (request->count < 1) return byre__cmd_misuse(&command, "-n wants a number from 1");
        } else if (option == ':') {
            return byre__cmd_misuse(&command, "%s wants a value", argv[optind - 1]);
        } else {
            return byre__cmd_misuse(&command, "unknown option %s", argv[optind - 1]);
        }
    }
    if (optind < argc)
        return byre__cmd_misuse(&command, "takes no argument, but there is `%s'", argv[optind]);
    if (request->count > 0 && !request->json) return byre__cmd_misuse(&command, "-n is for --json");
    if (request->once && request->json) request->count = 1;
    return BYRE__CMD_OK;
}

static int run(int argc, char **argv)
{
    request_t request = { .interval_ms = 1000 };
    int status = read_options(argc, argv, &request);

    if (status != BYRE__CMD_OK) return status;
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    signal(SIGPIPE,
           SIG_IGN); /* a daemon that goes away is no reason to end; nor is our reader silently */
    view_init(&view, request.interval_ms);
    pool_init(&pool, request.pool, &model, &view);
    if (pool_open(&pool) != BYRE_OK)
        status = byre__cmd_fail(&command, "%s", model.why);
    else if (request.json)
        status = lines_of_json(&request);
    else
        status = request.once ? once() : live();
    pool_fini(&pool);
    view_fini(&view);
    model_fini(&model);
    return status;
}

static byre__cmd_t command = {
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
    byre__cmd_register(&command);
}
