/* SPDX-License-Identifier: BSD-3-Clause */
/* external.c - subcommands that are programs of their own: `byre X' runs byre-X.
 *
 * They are looked for in this order: $BYRE_LIBEXEC, the directory of `byre' itself (byre-bench), scripts/
 * of the source tree if `byre' lies in its bin/, and where `make install' puts them. Never in PATH: what
 * `byre X' does shall not depend on the directory in which it is typed.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/cmd/cmd.h"

#ifndef BYRE_LIBEXECDIR
#define BYRE_LIBEXECDIR "/usr/local/libexec/byre"
#endif

enum { PLACES = 4 };

/* The directory of this program into `dir', with `tail' behind it; "" if it cannot be found out. */
static void beside(char *dir, size_t room, const char *tail)
{
    ssize_t length = readlink("/proc/self/exe", dir, room - 1);
    char *slash;

    dir[length > 0 ? length : 0] = '\0';
    slash = strrchr(dir, '/');
    if (!slash || (size_t)(slash - dir) + strlen(tail) >= room) {
        dir[0] = '\0';
        return;
    }
    strcpy(slash, tail);
}

/* The i-th place to look in; "" for none. */
static const char *place(int i, char *dir, size_t room)
{
    const char *libexec;

    switch (i) {
    case 0:
        libexec = getenv("BYRE_LIBEXEC");
        return libexec ? libexec : "";
    case 1:
        beside(dir, room, "");
        return dir;
    case 2:
        beside(dir, room, "/../scripts");
        return dir;
    default:
        return BYRE_LIBEXECDIR;
    }
}

static int find(const char *name, char *path, size_t room)
{
    char dir[PATH_MAX];

    /* A name with a slash would lead out of the places. */
    if (strchr(name, '/') || name[0] == '\0') {
        return 0;
    }
    for (int i = 0; i < PLACES; i++) {
        const char *where = place(i, dir, sizeof dir);

        if (where[0] != '\0' && (size_t)snprintf(path, room, "%s/byre-%s", where, name) < room &&
            access(path, X_OK) == 0) {
            return 1;
        }
    }
    return 0;
}

void byre__external_exec(const char *name, char **argv)
{
    char path[PATH_MAX + 64];

    if (find(name, path, sizeof path)) {
        argv[0] = path;
        execv(path, argv);
        perror(path);
        exit(BYRE__CMD_FAILED);
    }
}

static void each_in(const char *where, void (*use)(const char *name, void *arg), void *arg)
{
    DIR *dir = opendir(where);
    struct dirent *entry;

    if (!dir) {
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        /* A dot is no part of a command's name: byre-rpc.in, byre-x.sh~ are not commands. */
        if (strncmp(entry->d_name, "byre-", 5) == 0 && !strpbrk(entry->d_name, ".~")) {
            use(entry->d_name + 5, arg);
        }
    }
    closedir(dir);
}

void byre__external_each(void (*use)(const char *name, void *arg), void *arg)
{
    char dir[PATH_MAX];

    for (int i = 0; i < PLACES; i++) {
        const char *where = place(i, dir, sizeof dir);

        if (where[0] != '\0') {
            each_in(where, use, arg);
        }
    }
}

typedef struct {
    char names[64][32];
    int count;
} names_t;

/* Two places may have the same command: keep one. */
static void collect(const char *name, void *arg)
{
    names_t *n = arg;

    for (int i = 0; i < n->count; i++) {
        if (strcmp(n->names[i], name) == 0) {
            return;
        }
    }
    if (n->count < 64 && strlen(name) < sizeof n->names[0]) {
        strcpy(n->names[n->count++], name);
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

void byre__external_list(FILE *out)
{
    names_t names = { .count = 0 };

    byre__external_each(collect, &names);
    qsort(names.names, (size_t)names.count, sizeof names.names[0], compare);
    for (int i = 0; i < names.count; i++) {
        fprintf(out, "%s  %s\n",
                i == 0 ? "\nCommands of their own (byre help COMMAND tells more):\n" : "",
                names.names[i]);
    }
}
