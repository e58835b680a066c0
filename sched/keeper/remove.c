/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remove.c - a directory goes, with all that is in it, whoever made it and whatever for.
 *
 * 1. No link is followed: what is not a directory is unlinked, and directories are opened with O_NOFOLLOW.
 * 2. No mount is entered, not even one of the same file system: only what rmdir(2) refuses as not empty is
 *    looked into, and it refuses a place where something is mounted as busy.
 * 3. Descriptors and stack are bounded: a directory more than DEPTH_MOST levels down is moved up to the top
 *    first. Each look removes what it can; they go on until one changes nothing.
 * 4. A directory that forbids its owner to read or write it is permitted first.
 */
#include "sched/keeper/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MOST = 32 };

typedef struct removal {
    int top;              /* the directory that is to go */
    unsigned long done;   /* what has been removed or moved: is it worth another look? */
    unsigned long number; /* for new names in it */
    int error;            /* of what could not be removed in the last look; 0 */
    char *name;           /* of that */
} removal_t;

static void look(removal_t *r, int dir, unsigned depth);

static void note(removal_t *r, const char *name, int error)
{
    if (error == ENOENT || r->error != 0) return;
    r->error = error;
    snprintf(r->name, KEEPER_ENTRY, "%s", name);
}

/* The mode of a directory is asked for only by those to whom it means something: not root. */
static int open_it(int dir, const char *name)
{
    enum { HOW = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    struct stat status;
    int fd = openat(dir, name, HOW);
    if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = openat(dir, name, HOW);
    if (fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0700) != 0700)
        (void)fchmod(fd, 0700);
    return fd;
}

/* Another parent is a change of the directory itself: its own mode may forbid that, too. */
static bool move_up(removal_t *r, int dir, const char *name)
{
    bool permitted = false;
    for (;;) {
        char fresh[32];
        snprintf(fresh, sizeof fresh, "%lu", r->number++);
        if (renameat(dir, name, r->top, fresh) == 0) return true;
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) continue; /* taken */
        if (errno != EACCES || permitted) return false;
        permitted = true;
        if (fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) != 0) return false;
    }
}

/* A directory that is not empty. */
static void descend(removal_t *r, int dir, const char *name, unsigned depth)
{
    if (depth == DEPTH_MOST) {
        if (move_up(r, dir, name))
            r->done++;
        else
            note(r, name, errno);
        return;
    }
    int fd = open_it(dir, name);
    if (fd < 0) {
        note(r, name, errno);
        return;
    }
    look(r, fd, depth + 1);
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
        r->done++;
    else
        note(r, name, errno);
}

static void remove_one(removal_t *r, int dir, const char *name, unsigned depth)
{
    if (unlinkat(dir, name, 0) == 0 ||
        (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)) {
        r->done++;
        return;
    }
    if (errno == ENOTEMPTY || errno == EEXIST)
        descend(r, dir, name, depth);
    else
        note(r, name, errno);
}

/* Takes `dir', and closes it. */
static void look(removal_t *r, int dir, unsigned depth)
{
    DIR *list = fdopendir(dir);
    unsigned long before;
    if (list == NULL) {
        note(r, ".", errno);
        close(dir);
        return;
    }
    do {
        before = r->done;
        if (depth == 0) r->error = 0;
        rewinddir(list);
        for (struct dirent *entry; (entry = readdir(list)) != NULL;)
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                remove_one(r, dir, entry->d_name, depth);
    } while (r->done != before);
    closedir(list);
}

int keeper_remove(int dir, const char *name, char entry_out[static KEEPER_ENTRY])
{
    removal_t r = { .name = entry_out };
    snprintf(entry_out, KEEPER_ENTRY, "%s", name);
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR) return errno;
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0) return 0;
    if (errno != ENOTEMPTY && errno != EEXIST) return errno;
    int top = open_it(dir, name);
    if (top < 0) return errno;
    r.top = top;
    look(&r, top, 0);
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0) return 0;
    return r.error != 0 ? r.error : errno;
}
