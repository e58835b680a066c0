/* SPDX-License-Identifier: BSD-3-Clause */
/* launch.c - see launch.h. */
#include "launch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched/state.h"

enum { LOOK_MS = 20, TERM_MS = 3000, KILL_MS = 3000 };

bool launch_find_byred(char *path_out, size_t room)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[n > 0 ? n : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
        if ((size_t)snprintf(path_out, room, "%s/byred", self) < room &&
            access(path_out, X_OK) == 0)
            return true;
    }
    return (size_t)snprintf(path_out, room, "%s/byred", BYRE_BINDIR) < room &&
           access(path_out, X_OK) == 0;
}

/* ---- processes ----------------------------------------------------------------------------------------- */

/* When it began, in the kernel's ticks; 0: there is none, or it has ended and is not reaped. */
static unsigned long long began(pid_t pid)
{
    char path[64], text[1024], *at;
    unsigned long long ticks = 0;
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) return 0;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    at = strrchr(text, ')'); /* the name before it may have blanks */
    if (at == NULL || at[1] == '\0' || at[2] == 'Z') return 0;
    if (sscanf(at + 2,
               "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return 0;
    return ticks;
}

bool launch_is_there(pid_t pid)
{
    (void)waitpid(pid, NULL, WNOHANG);
    return began(pid) != 0;
}

bool launch_await_end(pid_t pid, int timeout_ms)
{
    static const struct timespec nap = { 0, LOOK_MS * 1000000L };

    for (int waited = 0; launch_is_there(pid); waited += LOOK_MS) {
        if (waited >= timeout_ms) return false;
        (void)nanosleep(&nap, NULL);
    }
    return true;
}

void launch_make_end(const byre__cmd_t *cmd, const char *what, pid_t pid)
{
    (void)kill(pid, SIGTERM);
    (void)kill(pid, SIGCONT);
    if (launch_await_end(pid, TERM_MS)) {
        byre__cmd_fail(cmd, "%s (process %d) did not end by itself: asked it to", what, (int)pid);
        return;
    }
    (void)kill(pid, SIGKILL);
    (void)launch_await_end(pid, KILL_MS);
    byre__cmd_fail(cmd, "%s (process %d) did not end when asked to: killed it", what, (int)pid);
}

/* A variable of another process; "" when it has none. */
static void variable_of(pid_t pid, const char *name, char *value_out, size_t room)
{
    char path[64], *line = NULL;
    size_t size = 0, length = strlen(name);
    FILE *file;

    value_out[0] = '\0';
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) return;
    while (getdelim(&line, &size, '\0', file) > 0) {
        if (strncmp(line, name, length) == 0 && line[length] == '=')
            snprintf(value_out, room, "%s", line + length + 1);
    }
    free(line);
    fclose(file);
}

/* Is its command line that of a byred of this pool? */
static bool is_daemon(pid_t pid, const char *pool)
{
    char path[64], *word = NULL, before[16] = "", state[BYRE__STATE_PATH];
    const char *ours = getenv("BYRE_STATE");
    size_t size = 0;
    bool first = true, named = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) return false;
    while (getdelim(&word, &size, '\0', file) > 0) {
        const char *slash = strrchr(word, '/');

        if (first && strcmp(slash ? slash + 1 : word, "byred") != 0) break;
        first = false;
        named |= strcmp(before, "--pool") == 0 && strcmp(word, pool) == 0;
        snprintf(before, sizeof before, "%s", word);
    }
    free(word);
    fclose(file);
    if (!named) return false;
    variable_of(pid, "BYRE_STATE", state, sizeof state);
    return strcmp(state, ours != NULL ? ours : "") == 0;
}

int launch_daemons(const char *pool, pid_t *pids_out, int most)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    if (proc == NULL) return 0;
    while (n < most && (entry = readdir(proc)) != NULL) {
        struct stat st;
        pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? (pid_t)atoi(entry->d_name) : 0;

        if (pid <= 0 || fstatat(dirfd(proc), entry->d_name, &st, 0) != 0) continue;
        if (st.st_uid == geteuid() && began(pid) != 0 && is_daemon(pid, pool)) pids_out[n++] = pid;
    }
    closedir(proc);
    return n;
}

/* ---- mpirun ------------------------------------------------------------------------------------------------ */

static void note_pid(const char *dir, pid_t pid)
{
    char path[BYRE__STATE_PATH + 16];
    FILE *file;

    snprintf(path, sizeof path, "%s/mpirun.pid", dir);
    file = fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%d %llu\n", (int)pid, began(pid));
    fclose(file);
}

pid_t launch_running(const char *dir)
{
    char path[BYRE__STATE_PATH + 16];
    unsigned long long ticks = 0;
    int pid = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/mpirun.pid", dir);
    file = fopen(path, "re");
    if (file == NULL) return 0;
    if (fscanf(file, "%d %llu", &pid, &ticks) != 2) pid = 0;
    fclose(file);
    return pid > 0 && ticks != 0 && began(pid) == ticks ? pid : 0;
}

/* What an MPI job or a lab's run around us has set is not for the daemons: they belong to neither. */
static bool is_of_others(const char *variable)
{
    return byre__context_is_foreign(variable) || strncmp(variable, "BYRE_LAB_RUN=", 13) == 0 ||
           strncmp(variable, "BYRE_JOB=", 9) == 0;
}

static void unset_of_others(const char *prefix)
{
    char name[256];

    for (char **at = environ; *at != NULL;) {
        size_t length = strcspn(*at, "=");

        if (strncmp(*at, prefix, strlen(prefix)) == 0 && length < sizeof name &&
            is_of_others(*at)) {
            memcpy(name, *at, length);
            name[length] = '\0';
            if (unsetenv(name) == 0) continue; /* the next one has come to its place */
        }
        at++;
    }
}

static void clean_environment(void)
{
    unset_of_others("OMPI_MCA_"); /* first: by the others it is known that mpirun has set these */
    unset_of_others("");
    if (geteuid() == 0) {
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
        (void)setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    }
}

/* In the child: a session of its own, nothing of the terminal, and mpirun below it. */
static _Noreturn void become_guard(const char *dir, char *const *argv, int log)
{
    int null = open("/dev/null", O_RDONLY);
    pid_t mpirun;

    (void)setsid();
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    clean_environment();
    mpirun = fork();
    if (mpirun == 0) {
        execvp(argv[0], argv);
        dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    if (mpirun < 0) {
        dprintf(STDERR_FILENO, "fork: %s\n", strerror(errno));
        _exit(127);
    }
    note_pid(dir, mpirun);
    _exit(guard_run(dir, mpirun));
}

pid_t launch_start(const char *dir, char *const *argv)
{
    char path[BYRE__STATE_PATH + 16];
    int log;
    pid_t pid;

    snprintf(path, sizeof path, "%s/mpirun.log", dir);
    log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return -1;
    pid = fork();
    if (pid == 0) become_guard(dir, argv, log);
    close(log);
    return pid;
}
