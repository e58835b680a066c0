/* SPDX-License-Identifier: BSD-3-Clause */
/* init.c - usage: init LOADAVG [COMMAND...]: process 1 of a node of the lab.
 *
 * Buries orphans; keeps COMMAND, the node's sshd, running; and writes the node's load averages to the
 * file LOADAVG, in the format of /proc/loadavg, because the kernel counts those of all namespaces
 * together. Sleeps in between: an idle node wakes up once every five seconds.
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_S = 5, RESTART_S = 1 }; /* five seconds: as the kernel does it */

typedef struct {
    int running, all,
        last; /* threads that run or wait for a disk, all threads, the newest process */
} census_t;

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- load ------------------------------------------------------------------------------------- */

/* The letter of its state: behind the name, which is in parentheses and may hold any character. */
static char state_of(const char *process, const char *thread)
{
    char path[600], text[512];
    const char *end;
    ssize_t length = 0;
    int file;

    snprintf(path, sizeof path, "/proc/%s/task/%s/stat", process, thread);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        length = read(file, text, sizeof text - 1);
        close(file);
    }
    text[length > 0 ? length : 0] = '\0';
    end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : '?';
}

static void count_threads(const char *process, census_t *census)
{
    char path[300];
    const struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%s/task", process);
    tasks = opendir(path);
    if (!tasks) {
        return; /* it has just ended */
    }
    while ((entry = readdir(tasks)) != NULL) {
        if (entry->d_name[0] != '.') {
            char state = state_of(process, entry->d_name);

            census->all++;
            census->running += state == 'R' || state == 'D';
        }
    }
    closedir(tasks);
}

static census_t count_all(void)
{
    census_t census = { 0, 0, 1 };
    const struct dirent *entry;
    DIR *proc = opendir("/proc");

    if (!proc) {
        return census;
    }
    while ((entry = readdir(proc)) != NULL) {
        int process = atoi(entry->d_name);

        if (process > 1) { /* this one is busy only with counting */
            count_threads(entry->d_name, &census);
            census.last = process > census.last ? process : census.last;
        }
    }
    closedir(proc);
    return census;
}

/* Exponentially damped averages over one, five and fifteen minutes. */
static void write_load(int file, double seconds)
{
    static const double minutes[3] = { 1, 5, 15 };
    static double load[3];
    census_t census = count_all();
    char text[128];
    int length;

    for (int i = 0; i < 3; i++) {
        load[i] += (census.running - load[i]) * (1 - exp(-seconds / (60 * minutes[i])));
    }
    length = snprintf(text, sizeof text, "%.2f %.2f %.2f %d/%d %d\n", load[0], load[1], load[2],
                      census.running > 0 ? census.running : 1, census.all, census.last);
    if (pwrite(file, text, (size_t)length, 0) == length && ftruncate(file, length)) {
        perror("init: load averages");
    }
}

/* ---- processes -------------------------------------------------------------------------------- */

static pid_t start(char **command)
{
    pid_t child = fork();

    if (child == 0) {
        sigset_t none;

        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setsid();
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    return child;
}

/* True if `service' is among those that have ended. */
static bool bury(pid_t service)
{
    bool ended = false;
    pid_t child;

    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        ended = ended || child == service;
    }
    return ended;
}

static void pause_for(double seconds)
{
    struct timespec time;
    sigset_t child;

    seconds = seconds > 0 ? seconds : 0;
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &time);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

int main(int argc, char **argv)
{
    char **command = argv + 2;
    double counted = now_s(), restart = argc > 2 ? 0 : INFINITY;
    pid_t service = -1;
    sigset_t child;
    int file;

    if (argc < 2 || (file = open(argv[1], O_WRONLY | O_CLOEXEC)) < 0) {
        fputs("usage: init LOADAVG [COMMAND...]\n", stderr);
        return 2;
    }
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL); /* sigtimedwait takes it */
    for (;;) {
        double now = now_s();

        if (now >= restart) {
            service = start(command);
            restart = INFINITY;
        }
        if (now >= counted + PERIOD_S) {
            write_load(file, now - counted);
            counted = now;
        }
        pause_for(least(counted + PERIOD_S, restart) - now_s());
        if (bury(service)) {
            restart = now_s() + RESTART_S;
        }
    }
}
