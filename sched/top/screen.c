/* SPDX-License-Identifier: BSD-3-Clause */
/* screen.c - ncurses; see screen.h. */
#include "screen.h"

#include <errno.h>
#include <langinfo.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "view.h"

#undef lines /* term.h takes common words */

/* For handlers, hence global: what a crash must write, and whether it must. */
static volatile sig_atomic_t is_open, ending;
static struct termios before;
static char leave[256];
static sigset_t while_waiting;

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

enum {
    COUNT_ENDS = sizeof ends / sizeof ends[0],
    COUNT_CRASHES = sizeof crashes / sizeof crashes[0]
};

static void on_end(int number)
{
    ending = number;
}

/* Neither ncurses nor stdio may be called here. */
static void on_crash(int number)
{
    if (is_open) {
        ssize_t ignored = write(STDOUT_FILENO, leave, strlen(leave));

        (void)ignored;
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    }
    raise(number); /* as it was before: SA_RESETHAND */
}

static void catch_signals(void)
{
    struct sigaction end = { .sa_handler = on_end };
    struct sigaction crash = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };
    sigset_t blocked;

    sigemptyset(&blocked);
    for (int i = 0; i < COUNT_ENDS; i++) {
        struct sigaction old;

        /* What nohup or a script has set to be ignored stays so. */
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
        sigaddset(&blocked, ends[i]);
        sigaction(ends[i], &end, NULL);
    }
    for (int i = 0; i < COUNT_CRASHES; i++) sigaction(crashes[i], &crash, NULL);
    sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
    for (int i = 0; i < COUNT_ENDS; i++) {
        if (sigismember(&blocked, ends[i])) sigdelset(&while_waiting, ends[i]);
    }
}

/* What leaves the full screen, without the padding that only tputs knows. */
static void remember_leave(void)
{
    static const char *const names[] = { "sgr0", "rmkx", "cnorm", "rmcup" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *text = tigetstr(names[i]);

        if (text == NULL || text == (char *)-1 || strchr(text, '$') != NULL) continue;
        strncat(leave, text, sizeof leave - strlen(leave) - 1);
    }
    strncat(leave, "\r\n", sizeof leave - strlen(leave) - 1);
}

/* Terminals that do not do as they are told send the arrows of the other mode. */
static void know_both_modes(void)
{
    static const struct {
        char end;
        int key;
    } arrows[] = { { 'A', KEY_UP }, { 'B', KEY_DOWN }, { 'H', KEY_HOME }, { 'F', KEY_END } };

    for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++) {
        define_key((char[]){ 27, '[', arrows[i].end, '\0' }, arrows[i].key);
        define_key((char[]){ 27, 'O', arrows[i].end, '\0' }, arrows[i].key);
    }
}

bool screen_open(void (*say)(const char *why))
{
    const char *term = getenv("TERM");
    char why[256];
    int error;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        say("needs a terminal; without one use --once or --json");
        return false;
    }
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK || tigetstr("cup") == NULL) {
        snprintf(why, sizeof why,
                 "cannot draw on a terminal of type `%s': set TERM to what it is (xterm, linux, "
                 "...), or "
                 "use --once",
                 term ? term : "");
        say(why);
        return false;
    }
    tcgetattr(STDIN_FILENO, &before);
    remember_leave();
    catch_signals();
    set_escdelay(50);
    initscr(); /* ends the program when it fails: setupterm has made sure that it does not */
    is_open = 1;
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    know_both_modes();
    curs_set(0);
    if (has_colors() && start_color() == OK) {
        use_default_colors();
        init_pair(1, COLOR_RED, -1);
    }
    return true;
}

void screen_close(void)
{
    if (!is_open) return;
    endwin();
    is_open = 0;
}

void screen_size(int *rows_out, int *cols_out)
{
    getmaxyx(stdscr, *rows_out, *cols_out);
}

bool screen_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static attr_t attributes(frame_look_t look)
{
    switch (look) {
    case FRAME_TITLE:
        return A_REVERSE;
    case FRAME_HEADS:
        return A_BOLD | A_UNDERLINE;
    case FRAME_SELECTED:
        return A_REVERSE | A_BOLD;
    case FRAME_DIM:
        return A_DIM;
    case FRAME_ALERT:
        return A_BOLD;
    case FRAME_PLAIN:
        break;
    }
    return A_NORMAL;
}

void screen_show(const frame_t *frame)
{
    erase();
    for (int i = 0; i < frame->used; i++) {
        const frame_line_t *line = &frame->lines[i];

        mvaddstr(i, 0, line->text);
        mvchgat(i, 0, -1, attributes(line->look), line->look == FRAME_ALERT && has_colors() ? 1 : 0,
                NULL);
    }
    refresh();
}

void screen_redraw(void)
{
    clearok(curscr, TRUE);
}

int screen_wait(int fd, int timeout_ms)
{
    struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                             { .fd = fd, .events = POLLIN } };
    struct timespec limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };
    int got = 0;

    if (ppoll(fds, 2, &limit, &while_waiting) < 0)
        return errno == EINTR ? SCREEN_KEY : SCREEN_LOST; /* perhaps a new size: that is a key */
    if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) got |= SCREEN_LOST;
    if (fds[0].revents & POLLIN) got |= SCREEN_KEY;
    if (fds[1].revents != 0) got |= SCREEN_FD;
    return got;
}

int screen_key(void)
{
    int key = getch();

    switch (key) {
    case ERR:
        return -1;
    case KEY_UP:
        return VIEW_UP;
    case KEY_DOWN:
        return VIEW_DOWN;
    case KEY_PPAGE:
        return VIEW_PAGE_UP;
    case KEY_NPAGE:
        return VIEW_PAGE_DOWN;
    case KEY_HOME:
        return VIEW_HOME;
    case KEY_END:
        return VIEW_END;
    case KEY_ENTER:
    case '\r':
    case '\n':
        return VIEW_ENTER;
    case KEY_RESIZE:
        return 0;
    case 27:
        return VIEW_ESCAPE;
    default:
        return key < 256 ? key : 0;
    }
}

int screen_signal(void)
{
    return ending;
}
