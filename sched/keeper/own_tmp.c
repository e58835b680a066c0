/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * own_tmp.c - a directory of a job's own for its files (OWN_TMP): DIR/tmp/ID.ATTEMPT, which is its TMPDIR.
 *
 * 1. A name in DIR/tmp is that of a job that has not ended; or, with a dot before it, refuse; or, with a plus,
 *    refuse that could not be removed, which the next keeper will try again. No id begins with either.
 * 2. When a job has ended (its last process is gone) its directory becomes refuse, by a change of its name:
 *    that is all that the keeper itself does, and it does it before the end is told.
 * 3. A child removes refuse, one child at a time, and dies with the keeper. What becomes refuse while it works is
 *    left to the next one.
 * 4. A keeper that begins has no jobs, and the processes of the last one's are dead: all there is is refuse.
 * 5. The child is no job's process: tree.c does not see it.
 */
#include "sched/keeper/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AGAIN_MS = 1000, TMP_FD = 3 };

static int open_tmp(const keeper_t *k)
{
    return openat(k->dir, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void name_of(const keeper_job_t *job, char name_out[static BYRE__JOB_ID + 16])
{
    char id[BYRE__JOB_ID];
    snprintf(name_out, BYRE__JOB_ID + 16, "%s.%u", byre__job_id_format(&job->id, id), job->attempt);
}

/* A job may have made anything there, so its name may be anything that printf and a terminal do not like. */
static void complain(const char *name, const char *entry, int error)
{
    char shown[KEEPER_ENTRY];
    snprintf(shown, sizeof shown, "%s", entry);
    for (char *c = shown; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    keeper_log("tmp/%s: %s: %s; the next keeper will try to remove it", name, shown,
               strerror(error));
}

/* ---- refuse ------------------------------------------------------------------------------------------- */

/* 0 or an errno. */
static int throw_away(keeper_t *k, int tmp, const char *name)
{
    for (;;) {
        char refuse[NAME_MAX + 1];
        snprintf(refuse, sizeof refuse, ".%u-%.200s", k->thrown++, name);
        if (renameat(tmp, name, tmp, refuse) == 0) {
            k->refuse = true;
            return 0;
        }
        bool taken = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR || errno == EISDIR;
        if (!taken) return errno;
    }
}

void keeper_tmp_begin(keeper_t *k)
{
    int tmp = open_tmp(k);
    DIR *list = tmp < 0 ? NULL : fdopendir(tmp);
    if (list == NULL) {
        if (errno != ENOENT) keeper_log("tmp: what is left of earlier jobs: %s", strerror(errno));
        if (tmp >= 0) close(tmp);
        return;
    }
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        int error = name[0] == '.' ? 0 : throw_away(k, tmp, name);
        if (error != 0) complain(name, "what is left of an earlier job", error);
        k->refuse = true;
    }
    closedir(list);
}

void keeper_tmp_end(keeper_t *k)
{
    unlinkat(k->dir, "tmp", AT_REMOVEDIR); /* unless there is something in it */
}

/* ---- a job's ------------------------------------------------------------------------------------------ */

/* TMPDIR: where it is now, by no link. */
static int say_where(int tmp, const char *name, char variable_out[static KEEPER_TMP_ROOM])
{
    static const char variable[] = "TMPDIR=";
    char link[64], *path = variable_out + sizeof variable - 1;
    memcpy(variable_out, variable, sizeof variable);
    snprintf(link, sizeof link, "/proc/self/fd/%d", tmp);
    ssize_t n = readlink(link, path, PATH_MAX);
    if (n < 0) return errno;
    if ((size_t)n + 1 + strlen(name) >= PATH_MAX) return ENAMETOOLONG;
    path[n] = '/';
    strcpy(path + n + 1, name);
    return 0;
}

static int make(keeper_t *k, int tmp, const char *name)
{
    if (mkdirat(tmp, name, 0700) == 0) return 0;
    if (errno != EEXIST) return errno;
    int error = throw_away(k, tmp, name); /* nobody's that runs: this attempt begins only now */
    if (error != 0) return error;
    return mkdirat(tmp, name, 0700) == 0 ? 0 : errno;
}

int keeper_tmp_make(keeper_t *k, keeper_job_t *job, char variable_out[static KEEPER_TMP_ROOM])
{
    char name[BYRE__JOB_ID + 16];
    name_of(job, name);
    if (mkdirat(k->dir, "tmp", 0700) != 0 && errno != EEXIST) return errno;
    int tmp = open_tmp(k);
    if (tmp < 0) return errno;
    int error = make(k, tmp, name);
    job->own_tmp = error == 0;
    if (error == 0) error = say_where(tmp, name, variable_out);
    close(tmp);
    return error;
}

void keeper_tmp_drop(keeper_t *k, keeper_job_t *job)
{
    char name[BYRE__JOB_ID + 16];
    if (!job->own_tmp) return;
    job->own_tmp = false;
    name_of(job, name);
    int tmp = open_tmp(k), error = tmp < 0 ? errno : throw_away(k, tmp, name);
    if (error != 0 && error != ENOENT) complain(name, "the job has ended", error);
    if (tmp >= 0) close(tmp);
}

/* ---- the child that removes --------------------------------------------------------------------------- */

static bool remove_it(int tmp, const char *name)
{
    char entry[KEEPER_ENTRY], kept[NAME_MAX + 2];
    int error = keeper_remove(tmp, name, entry);
    if (error == 0) return true;
    complain(name, entry, error);
    snprintf(kept, sizeof kept, "+%s", name + 1);
    if (renameat(tmp, name, tmp, kept) != 0) keeper_log("tmp/%s: %s", name, strerror(errno));
    return false;
}

/* The lock and the sockets are the keeper's: this process goes on as if it had never had them. */
_Noreturn static void remover(int tmp, pid_t keeper)
{
    bool all = true, some = true;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL) != 0 || getppid() != keeper) _exit(1);
    (void)prctl(PR_SET_NAME, "byred-remove");
    (void)setpriority(PRIO_PROCESS, 0, 0);
    if (tmp != TMP_FD) dup3(tmp, TMP_FD, O_CLOEXEC);
    (void)close_range(TMP_FD + 1, ~0U, 0);
    DIR *list = fdopendir(TMP_FD);
    while (list != NULL && some) {
        some = false;
        rewinddir(list);
        for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
            const char *name = entry->d_name;
            if (name[0] != '.' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            if (remove_it(TMP_FD, name))
                some = true;
            else
                all = false;
        }
    }
    _exit(list != NULL && all ? 0 : 1);
}

void keeper_tmp_round(keeper_t *k)
{
    uint64_t now_ms = keeper_clock_ms();
    if (!k->refuse || k->remover > 0 || now_ms < k->remove_at_ms) return;
    int tmp = open_tmp(k);
    pid_t self = k->self, pid = tmp < 0 ? -1 : fork();
    if (pid == 0) remover(tmp, self);
    if (pid < 0) {
        keeper_log("tmp: what ended jobs left cannot be removed now: %s", strerror(errno));
        k->remove_at_ms = now_ms + AGAIN_MS;
        /* Whom we would wait for with nothing else to do; the next keeper removes it. */
        if (tmp < 0 || k->leaving || k->quitting) k->refuse = false;
    } else {
        k->remover = pid;
        k->refuse = false;
    }
    if (tmp >= 0) close(tmp);
}

bool keeper_tmp_reaped(keeper_t *k, pid_t pid, int status)
{
    if (k->remover <= 0 || pid != k->remover) return false;
    k->remover = 0;
    if (WIFSIGNALED(status))
        keeper_log("tmp: who removes what ended jobs left was killed by signal %d",
                   WTERMSIG(status));
    return true;
}
