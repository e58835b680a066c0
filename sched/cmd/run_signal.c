/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run_signal.c - signals that reach `byre run' go to its jobs, and it dies as they do.
 *
 * What was ignored when it began stays ignored, and is not sent on: nohup(1) and `trap "" INT' mean it.
 */
#include "run.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool run_signal_open(run_t *run)
{
    static const int sent_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
                                   SIGUSR2, SIGALRM, SIGTSTP, SIGURG,  SIGIO };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof sent_on / sizeof sent_on[0]; i++) {
        if (!is_ignored(sent_on[i])) sigaddset(&set, sent_on[i]);
    }
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++) {
        if (!is_ignored(i)) sigaddset(&set, i);
    }
    sigaddset(&set, SIGCONT);
    if (run->tty) sigaddset(&set, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return false;
    (void)signal(SIGPIPE, SIG_IGN); /* an EPIPE tells it where it happened */
    run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return run->signals >= 0;
}

static void tell_all(run_t *run, uint16_t type, const uint32_t *numbers, int count)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (!run->jobs[i].ended) run_tell(run, type, i, numbers, count);
    }
}

static void resize(run_t *run)
{
    uint32_t size[2];

    run_tty_size(&size[0], &size[1]);
    tell_all(run, BYRE__ASK_RESIZE, size, 2);
}

/* As a program that runs here would: the jobs stop, then we do. SIGCONT, which ends it, is sent on in turn. */
static void stop(run_t *run)
{
    (void)byre__stream_drain(&run->sched->stream);
    run_tty_restore();
    (void)kill(getpid(), SIGSTOP);
    if (run->tty) {
        run_tty_raw();
        resize(run);
    }
}

/* Three times in a second is more than a wish to the job: whoever types it wants to get away. */
static bool insists(run_t *run)
{
    struct timespec now;
    uint64_t ms;
    bool third;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    third = run->interrupts[0] > 0 && ms - run->interrupts[0] < 1000;
    run->interrupts[0] = run->interrupts[1];
    run->interrupts[1] = ms;
    return third;
}

bool run_signal_take(run_t *run)
{
    struct signalfd_siginfo info;

    while (read(run->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        uint32_t number = info.ssi_signo;

        if (number == SIGWINCH) {
            resize(run);
            continue;
        }
        if (number == SIGINT && insists(run)) return false;
        tell_all(run, BYRE__ASK_SIGNAL, &number, 1);
        if (number == SIGTSTP) stop(run);
    }
    return true;
}

int run_signal_die(int number)
{
    sigset_t set;

    /* It was not this process that went wrong: no core of it. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    sigemptyset(&set);
    sigaddset(&set, number);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 128 + number;
}
