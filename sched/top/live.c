/* SPDX-License-Identifier: BSD-3-Clause */
/* live.c - the loop of `byre top' with a terminal: keys in, pictures out, and the pool in between; see top.h. */
#include <signal.h>

#include "draw.h"
#include "screen.h"
#include "sched/cmd/share.h"
#include "top.h"

static bool show(top_t *top, frame_t *frame)
{
    int rows, cols;

    screen_size(&rows, &cols);
    if (frame->lines == NULL || frame->rows != rows || frame->cols != cols) {
        frame_fini(frame);
        if (!frame_init(frame, rows, cols, screen_utf8())) return false;
    }
    top->model.now_ms = text_now_ms();
    if (!draw(frame, &top->view, &top->model)) return false;
    screen_show(frame);
    return true;
}

/* false: quit. */
static bool act(top_t *top, view_action_t action)
{
    switch (action.act) {
    case ACT_QUIT:
        return false;
    case ACT_REDRAW:
        screen_redraw();
        break;
    case ACT_KILL:
        pool_kill(&top->pool, &top->view.job, action.signal);
        break;
    case ACT_LOG:
        pool_log_begin(&top->pool);
        break;
    case ACT_LOG_STOP:
        pool_log_end(&top->pool);
        break;
    case ACT_NOW:
        pool_now(&top->pool);
        break;
    case ACT_INTERVAL:
        pool_hurry(&top->pool);
        break;
    case ACT_NONE:
        break;
    }
    return true;
}

static bool take_keys(top_t *top)
{
    int key;

    while ((key = screen_key()) >= 0) {
        if (key > 0 && !act(top, view_key(&top->view, &top->model, key))) return false;
    }
    return true;
}

/* BYRE_OK: asked to quit. */
static int watch(top_t *top)
{
    frame_t frame = { 0 };
    int got = 0, error = BYRE_OK;

    while (screen_signal() == 0) {
        int wait_ms;

        pool_tick(&top->pool);
        if (!show(top, &frame)) {
            error = BYRE_ENOMEM;
            break;
        }
        wait_ms = pool_wait_ms(&top->pool);
        /* The clock and the times of jobs go on. */
        got = screen_wait(pool_fd(&top->pool), wait_ms < 1000 ? wait_ms : 1000);
        /* Keys first: they mean what was seen when they were pressed. */
        if ((got & SCREEN_LOST) || ((got & SCREEN_KEY) && !take_keys(top))) break;
        if (got & SCREEN_FD) pool_take(&top->pool);
    }
    frame_fini(&frame);
    return error;
}

static void complain(const char *why)
{
    byre__cmd_fail(&top_command, "%s", why);
}

int top_live(top_t *top)
{
    int error;

    if (!screen_open(complain)) return BYRE__CMD_FAILED;
    error = watch(top);
    screen_close();
    if (screen_signal() != 0) {
        sigset_t all;

        /* As if it had not been caught: who waits for us sees why. */
        signal(screen_signal(), SIG_DFL);
        sigemptyset(&all);
        raise(screen_signal());
        sigprocmask(SIG_SETMASK, &all, NULL);
    }
    return error == BYRE_OK ? BYRE__CMD_OK
                            : byre__cmd_fail(&top_command, "%s", byre_strerror(error));
}
