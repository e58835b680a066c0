/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGPIPE comes to the thread that wrote. If that thread is inside MPI (byre__inside) the signal is
 * dropped, and MPI sees EPIPE; else it does what it would have done without us. A program that
 * handles or ignores SIGPIPE itself is left alone.
 */
#include "sigpipe.h"

#include "fault.h"
#include <byre_errors.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static bool ours;

static void on_sigpipe(int signal_number)
{
    if (byre__inside > 0) return;
    /* Blocked while we are here: it is delivered, with the default action, when we return. */
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

int byre__sigpipe_init(void)
{
    struct sigaction before, action = { .sa_handler = on_sigpipe, .sa_flags = SA_RESTART };
    ours = false;
    if (sigaction(SIGPIPE, NULL, &before) != 0) return BYRE_ESYSTEM;
    if ((before.sa_flags & SA_SIGINFO) || before.sa_handler != SIG_DFL) return BYRE_OK;
    if (sigaction(SIGPIPE, &action, NULL) != 0) return BYRE_ESYSTEM;
    ours = true;
    return BYRE_OK;
}

void byre__sigpipe_fini(void)
{
    struct sigaction now;
    if (ours && sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == on_sigpipe)
        (void)signal(SIGPIPE, SIG_DFL);
    ours = false;
}
