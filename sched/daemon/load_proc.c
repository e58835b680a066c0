/* SPDX-License-Identifier: BSD-3-Clause */
/* load_proc.c - the processes that /proc shows.
 *
 * The time of a process is counted with that of the children it has waited for: when a process ends, its time goes
 * to its parent's and the sum stays. So the sum over all processes grows by what was used, also by processes that
 * lived between two readings only. It shrinks when somebody from outside waits for a process (a shell in a
 * container), or nobody does (SIGCHLD ignored): then one reading says too little, and the next ones are right.
 */
#include "sched/daemon/load_inside.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <byre_errors.h>

/* Of a stat file: behind the name, which is in parentheses and may hold anything. */
static const char *read_stat(int proc, const char *path, char *text, size_t room)
{
    int file = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t length;
    const char *end;

    if (file < 0) return NULL;
    length = read(file, text, room - 1);
    close(file);
    if (length <= 0) return NULL; /* it has ended meanwhile */
    text[length] = '\0';
    end = strrchr(text, ')');
    return end && end[1] == ' ' ? end + 2 : NULL;
}

static unsigned count_runnable(int proc, const char *pid)
{
    char path[64], text[1024];
    const struct dirent *entry;
    unsigned count = 0;
    int dir;
    DIR *tasks;

    snprintf(path, sizeof path, "%.20s/task", pid);
    dir = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tasks = dir < 0 ? NULL : fdopendir(dir);
    if (!tasks) {
        if (dir >= 0) close(dir);
        return 0;
    }
    while ((entry = readdir(tasks)) != NULL) {
        const char *state;

        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        snprintf(path, sizeof path, "%.20s/task/%.20s/stat", pid, entry->d_name);
        state = read_stat(proc, path, text, sizeof text);
        count += state && *state == 'R';
    }
    closedir(tasks);
    return count;
}

static bool read_process(int proc, const char *pid, load_process_t *process_out)
{
    unsigned long long own[2], children[2];
    char path[32], text[1024], state;
    long threads;
    const char *stat;

    snprintf(path, sizeof path, "%.20s/stat", pid);
    stat = read_stat(proc, path, text, sizeof text);
    if (!stat ||
        sscanf(stat, "%c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %llu %llu %*s %*s %ld",
               &state, &process_out->parent, &own[0], &own[1], &children[0], &children[1],
               &threads) != 7) {
        return false;
    }
    process_out->pid = atoi(pid);
    process_out->cpu_s =
        (double)(own[0] + own[1] + children[0] + children[1]) / (double)sysconf(_SC_CLK_TCK);
    process_out->runnable = threads > 1 ? count_runnable(proc, pid) : state == 'R';
    return true;
}

static bool is_ours(int proc, const char *pid)
{
    struct stat about;

    return fstatat(proc, pid, &about, 0) == 0 && about.st_uid == geteuid();
}

int byre__load_processes(const byre__meter_t *meter, bool ours,
                         void (*fn)(void *arg, const load_process_t *process), void *arg)
{
    char path[256];
    const struct dirent *entry;
    load_process_t process;
    DIR *proc;

    snprintf(path, sizeof path, "%s/proc", meter->root);
    proc = opendir(path);
    if (!proc) return BYRE_ESYSTEM;
    while ((entry = readdir(proc)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0]) &&
            (!ours || is_ours(dirfd(proc), entry->d_name)) &&
            read_process(dirfd(proc), entry->d_name, &process)) {
            fn(arg, &process);
        }
    }
    closedir(proc);
    return BYRE_OK;
}

/* ---- a tree of processes ------------------------------------------------------------------------ */

typedef struct forest {
    load_process_t *process;
    bool *inside;
    size_t count, room;
    bool failed;
} forest_t;

static void plant(void *arg, const load_process_t *process)
{
    forest_t *forest = arg;

    if (forest->count == forest->room) {
        size_t room = forest->room ? 2 * forest->room : 256;
        load_process_t *more = realloc(forest->process, room * sizeof *more);

        if (!more) {
            forest->failed = true;
            return;
        }
        forest->process = more;
        forest->room = room;
    }
    forest->process[forest->count++] = *process;
}

static bool has_parent_inside(const forest_t *forest, pid_t parent)
{
    for (size_t i = 0; i < forest->count; i++) {
        if (forest->inside[i] && forest->process[i].pid == parent) return true;
    }
    return false;
}

/* Generation after generation; few are deep. */
static void mark_descendants(forest_t *forest)
{
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < forest->count; i++) {
            if (!forest->inside[i] && has_parent_inside(forest, forest->process[i].parent)) {
                forest->inside[i] = more = true;
            }
        }
    }
}

int byre__meter_tree(byre__meter_t *meter, const pid_t *root, size_t count, double *cpu_s_out)
{
    forest_t forest = { 0 };
    int status = byre__load_processes(meter, false, plant, &forest);
    double sum = 0;

    if (status == BYRE_OK) {
        forest.inside = calloc(forest.count + 1, sizeof *forest.inside);
        if (forest.failed || !forest.inside) status = BYRE_ENOMEM;
    }
    if (status == BYRE_OK) {
        for (size_t i = 0; i < forest.count; i++) {
            for (size_t k = 0; k < count; k++) {
                forest.inside[i] = forest.inside[i] || forest.process[i].pid == root[k];
            }
        }
        mark_descendants(&forest);
        for (size_t i = 0; i < forest.count; i++) {
            sum += forest.inside[i] ? forest.process[i].cpu_s : 0;
        }
        *cpu_s_out = sum;
    }
    free(forest.inside);
    free(forest.process);
    return status;
}
