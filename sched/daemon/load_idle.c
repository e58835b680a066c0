/* SPDX-License-Identifier: BSD-3-Clause */
/* load_idle.c - asks logind whether a graphical session is idle.
 *
 * The desktop tells logind, and logind only speaks D-Bus: loginctl is run for it, at most every ASK_S seconds, and
 * never waited for. Its answer, some words, is picked up by a later reading. Without an answer (no loginctl, no
 * D-Bus, a desktop that tells nothing) a session that is in front counts as in use.
 */
#include "sched/daemon/load_inside.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ASK_S 10.0
#define GIVE_UP_S 30.0

extern char **environ;

/* ---- asking ------------------------------------------------------------------------------------- */

static pid_t start_loginctl(const byre__meter_t *meter, const char *session, int output)
{
    char program[256], name[64];
    char *argv[] = { (char *)"loginctl",
                     (char *)"show-session",
                     name,
                     (char *)"--property=IdleHint",
                     (char *)"--property=IdleSinceHint",
                     NULL };
    posix_spawn_file_actions_t actions;
    pid_t child = 0;

    snprintf(program, sizeof program, "%s/usr/bin/loginctl", meter->root);
    snprintf(name, sizeof name, "%s", session);
    if (posix_spawn_file_actions_init(&actions) != 0) return 0;
    if (posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_adddup2(&actions, output, 1) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) != 0 ||
        posix_spawn(&child, program, &actions, NULL, argv, environ) != 0) {
        child = 0;
    }
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static void ask(byre__meter_t *meter, const char *session, double uptime_s)
{
    load_idle_t *idle = &meter->idle;
    int ends[2];

    idle->asked_at_s = uptime_s;
    if (strcmp(idle->session, session) != 0) idle->known = false;
    snprintf(idle->session, sizeof idle->session, "%s", session);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    idle->length = 0;
    idle->child = start_loginctl(meter, session, ends[1]);
    close(ends[1]);
    idle->pipe = ends[0];
    if (idle->child == 0) {
        close(ends[0]);
        idle->known = false;
    }
}

/* ---- the answer --------------------------------------------------------------------------------- */

/* "IdleHint=yes", "IdleSinceHint=1700000000000000" in microseconds since 1970. */
static void understand(load_idle_t *idle)
{
    const char *since = strstr(idle->text, "IdleSinceHint=");

    idle->known = strstr(idle->text, "IdleHint=") != NULL;
    idle->idle_since_s = 0;
    if (strstr(idle->text, "IdleHint=yes") && since) {
        idle->idle_since_s = (double)strtoull(since + strlen("IdleSinceHint="), NULL, 10) * 1e-6;
    }
}

static void end(load_idle_t *idle)
{
    close(idle->pipe);
    kill(idle->child, SIGKILL);
    waitpid(idle->child, NULL, 0);
    idle->child = 0;
}

/* What there is of it; when it is whole, the answer counts. */
static void listen_to(load_idle_t *idle, double uptime_s)
{
    ssize_t length;

    if (idle->child == 0) return;
    do {
        length = read(idle->pipe, idle->text + idle->length, sizeof idle->text - 1 - idle->length);
        if (length > 0) idle->length += (size_t)length;
    } while (length > 0);
    idle->text[idle->length] = '\0';
    if (length == 0) {
        understand(idle);
        end(idle);
    } else if (uptime_s - idle->asked_at_s > GIVE_UP_S) {
        idle->known = false;
        end(idle);
    }
}

double byre__load_session_idle(byre__meter_t *meter, const char *session, double uptime_s)
{
    load_idle_t *idle = &meter->idle;
    double seconds;

    listen_to(idle, uptime_s);
    if (idle->child == 0 &&
        (strcmp(idle->session, session) != 0 || uptime_s - idle->asked_at_s >= ASK_S)) {
        ask(meter, session, uptime_s);
    }
    if (!idle->known || strcmp(idle->session, session) != 0 || idle->idle_since_s <= 0) return 0;
    seconds = (double)time(NULL) - idle->idle_since_s;
    return seconds > 0 ? seconds : 0;
}

void byre__load_idle_fini(load_idle_t *idle)
{
    if (idle->child != 0) end(idle);
}
