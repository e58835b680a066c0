/* SPDX-License-Identifier: BSD-3-Clause */
/* run_tty.c - the terminal of `byre run'; see run.h. */
#include "run.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static bool raw; /* and `before' is what to go back to */

void run_tty_size(uint32_t *rows_out, uint32_t *cols_out)
{
    struct winsize size = { 0 };

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0)
        (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *rows_out = size.ws_row ? size.ws_row : 24;
    *cols_out = size.ws_col ? size.ws_col : 80;
}

void run_tty_raw(void)
{
    static bool registered;
    struct termios now;

    if (raw || tcgetattr(STDIN_FILENO, &now) != 0) return;
    if (run_tty_is_others()) return; /* started in the background: it is somebody else's now */
    before = now;
    cfmakeraw(&now);
    if (!registered) atexit(run_tty_restore);
    registered = true;
    raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &now) == 0;
}

void run_tty_restore(void)
{
    if (raw) (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    raw = false;
}

bool run_tty_is_others(void)
{
    pid_t front = tcgetpgrp(STDIN_FILENO);

    return front > 0 && front != getpgrp();
}
