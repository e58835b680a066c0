/* SPDX-License-Identifier: BSD-3-Clause */
/* load_owner.c - is somebody using this machine by hand?
 *
 * Who is logged in is known to utmp and to logind; either may be missing, both may know the same terminal. When a
 * terminal was last typed at, the kernel keeps as the time of its last read. Only terminals of logins count: a job
 * of ours may have a terminal too. Sessions without a terminal (ssh HOST COMMAND, as mpirun uses it) do not count.
 *
 * A graphical session reads no terminal: logind is asked whether it is idle (load_idle.c). One that is not in front
 * on its seat is not used by anybody.
 */
#include "sched/daemon/load_inside.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <utmpx.h>
#include <utmp.h>

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* "pts/3", "tty1"; INFINITY: there is no such terminal. */
static double terminal_idle(const byre__meter_t *meter, const char *line)
{
    char path[512];
    struct stat about;
    double idle;

    if (line[0] == '\0' || strstr(line, "..")) return INFINITY;
    snprintf(path, sizeof path, "%s/dev/%s", meter->root, line);
    if (stat(path, &about) != 0) return INFINITY;
    idle = now_s() - ((double)about.st_atim.tv_sec + (double)about.st_atim.tv_nsec * 1e-9);
    return idle > 0 ? idle : 0;
}

static bool is_alive(const byre__meter_t *meter, long pid)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%ld", pid);
    return pid > 0 && byre__load_exists(meter, path);
}

/* ---- utmp --------------------------------------------------------------------------------------- */

/* Records of dead processes stay when a program has been killed. */
static double utmp_idle(const byre__meter_t *meter)
{
    FILE *file = byre__load_open(meter, "/run/utmp");
    double least = INFINITY;
    struct utmp record;

    if (!file) file = byre__load_open(meter, "/var/run/utmp");
    if (!file) return INFINITY;
    while (fread(&record, sizeof record, 1, file) == 1) {
        char line[UT_LINESIZE + 1] = "";

        if (record.ut_type != USER_PROCESS || !is_alive(meter, record.ut_pid)) continue;
        memcpy(line, record.ut_line, UT_LINESIZE);
        least = fmin(least, terminal_idle(meter, line));
    }
    fclose(file);
    return least;
}

/* ---- logind ------------------------------------------------------------------------------------- */

typedef struct session {
    char class[24], state[24], type[24], tty[64];
    bool active;
    long leader;
} session_t;

static void read_line(const char *line, session_t *session)
{
    int number;

    /* Not for parsing by others, says logind's manual; but sd_login reads the same lines. */
    if (sscanf(line, "CLASS=%23s", session->class) == 1) return;
    if (sscanf(line, "STATE=%23s", session->state) == 1) return;
    if (sscanf(line, "TYPE=%23s", session->type) == 1) return;
    if (sscanf(line, "TTY=%63s", session->tty) == 1) return;
    if (sscanf(line, "LEADER=%ld", &session->leader) == 1) return;
    if (sscanf(line, "ACTIVE=%d", &number) == 1) session->active = number != 0;
}

static bool is_graphical(const session_t *session)
{
    return strcmp(session->type, "x11") == 0 || strcmp(session->type, "wayland") == 0 ||
           strcmp(session->type, "mir") == 0;
}

static double session_idle(byre__meter_t *meter, const char *id, double uptime_s)
{
    session_t session = { .class = "user" };
    char path[320], line[256];
    const char *tty = session.tty;
    FILE *file;

    snprintf(path, sizeof path, "/run/systemd/sessions/%s", id);
    file = byre__load_open(meter, path);
    if (!file) return INFINITY;
    while (fgets(line, sizeof line, file)) read_line(line, &session);
    fclose(file);
    /* Not the login screen, not what is going, and not what logind has not noticed to be gone. */
    if (strncmp(session.class, "user", 4) != 0 || strcmp(session.state, "closing") == 0 ||
        !is_alive(meter, session.leader)) {
        return INFINITY;
    }
    if (is_graphical(&session)) {
        return session.active ? byre__load_session_idle(meter, id, uptime_s) : INFINITY;
    }
    if (strncmp(tty, "/dev/", 5) == 0) tty += 5;
    return terminal_idle(meter, tty);
}

static double logind_idle(byre__meter_t *meter, double uptime_s)
{
    const struct dirent *entry;
    double least = INFINITY;
    char path[256];
    DIR *dir;

    snprintf(path, sizeof path, "%s/run/systemd/sessions", meter->root);
    dir = opendir(path);
    if (!dir) return INFINITY;
    while ((entry = readdir(dir)) != NULL) {
        /* ID.ref is a pipe: opening it would block. Ids are letters and digits. */
        if (strchr(entry->d_name, '.')) continue;
        least = fmin(least, session_idle(meter, entry->d_name, uptime_s));
    }
    closedir(dir);
    return least;
}

double byre__load_owner_idle(byre__meter_t *meter, double uptime_s)
{
    return fmin(utmp_idle(meter), logind_idle(meter, uptime_s));
}
