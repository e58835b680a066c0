/* SPDX-License-Identifier: BSD-3-Clause */
/* print.c - `byre top' without a terminal: a table, or lines of JSON, on the standard output; see top.h. */
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "draw.h"
#include "json.h"
#include "screen.h"
#include "sched/cmd/share.h"
#include "top.h"

/* Until there is a round more, or no daemon. */
static void await_round(top_t *top)
{
    unsigned before = top->pool.rounds;

    do {
        struct pollfd ready = { .fd = pool_fd(&top->pool), .events = POLLIN };

        pool_tick(&top->pool);
        ready.fd = pool_fd(&top->pool);
        if (ready.fd < 0) return;
        if (poll(&ready, 1, pool_wait_ms(&top->pool)) > 0) pool_take(&top->pool);
    } while (top->pool.rounds == before);
}

/* A question that was not answered: then something is missing in what is printed. */
static bool said_so(top_t *top)
{
    bool is_alert = top->view.note_is_alert;

    if (is_alert) byre__cmd_fail(&top_command, "%s", top->view.note);
    top->view.note_is_alert = false;
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

int top_once(top_t *top)
{
    frame_t frame;
    bool done;

    await_round(top);
    if (!top->model.up) return byre__cmd_fail(&top_command, "%s", top->model.why);
    done = frame_init(&frame, draw_plain_rows(&top->model), columns_of_output(), screen_utf8());
    done = done && draw_plain(&frame, &top->view, &top->model);
    for (int i = 0; done && i < frame.used; i++) puts(frame.lines[i].text);
    frame_fini(&frame);
    if (!done) return byre__cmd_fail(&top_command, "%s", byre_strerror(BYRE_ENOMEM));
    return said_so(top) ? BYRE__CMD_FAILED : BYRE__CMD_OK;
}

int top_json(top_t *top, int count)
{
    for (int i = 0; count == 0 || i < count; i++) {
        await_round(top);
        top->model.now_ms = text_now_ms();
        json_write(stdout, &top->model);
        (void)said_so(top);
        if (fflush(stdout) != 0) break; /* main says so */
        if (!top->model.up && (count == 0 || i + 1 < count))
            (void)poll(NULL, 0, pool_wait_ms(&top->pool));
    }
    return BYRE__CMD_OK;
}
