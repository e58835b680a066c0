/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.c - a cgroup of version 2 for each running job, where the system lets us make some: whatever a
 * process does, it stays in it, and it can be stopped as a whole.
 *
 *   OUR-OWN-CGROUP/byre-keeper-IDENTITY/N
 *
 * 1. A cgroup is made once and used for one job after the other: it is given back only when it is empty.
 * 2. The directory byre-keeper-IDENTITY is locked as long as its keeper lives. A keeper that begins removes those
 *    of keepers that do not, be they ours or others'.
 * 3. All are killed by freezing the cgroup, so that none is born meanwhile, and killing each. Not by cgroup.kill:
 *    some kernels (seen with 6.18) then kill also whoever is born into that cgroup from another one, ever after.
 * 4. Nothing depends on cgroups: after the first refusal there are none.
 */
#include "sched/keeper/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FREE_MOST = 128 }; /* above it, a cgroup that is given back is removed */

static const char prefix[] = "byre-keeper-";

/* ---- where -------------------------------------------------------------------------------------------- */

/* The mount point of version 2. */
static bool mount_point(char *path_out, size_t room)
{
    static const char *const usual[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s/cgroup.controllers", usual[i]);
        if (access(file, F_OK) != 0) continue;
        snprintf(path_out, room, "%s", usual[i]);
        return true;
    }
    return false;
}

/* The cgroup that we are in, as a directory; -1: none, or it cannot be seen from here. */
static int own_group(void)
{
    char line[PATH_MAX], mount[64], path[PATH_MAX + 64];
    int fd = -1;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL) return -1;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::/", 4) != 0 || !mount_point(mount, sizeof mount)) continue;
        snprintf(path, sizeof path, "%s%s", mount, line + 3);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    fclose(file);
    return fd;
}

static bool write_file(int dir, const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n > 0;
}

static bool is_empty(int dir)
{
    char text[256];
    int fd = openat(dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "populated 1") == NULL;
}

/* ---- of keepers that are no more ---------------------------------------------------------------------------- */

static void remove_children(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (list == NULL) return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            unlinkat(dir, entry->d_name, AT_REMOVEDIR);
    closedir(list);
}

/* Its processes have been looked after: keeper_tree_kill_old; what is in it yet belongs to nobody. */
static void sweep_one(int parent, const char *name, bool ours)
{
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) return;
    if (flock(dir, LOCK_EX | LOCK_NB) == 0) {
        if (ours) write_file(dir, "cgroup.kill", "1");
        for (int i = 0; ours && i < 200 && !is_empty(dir); i++) usleep(5000);
        if (is_empty(dir)) {
            remove_children(dir);
            unlinkat(parent, name, AT_REMOVEDIR);
        }
    }
    close(dir);
}

static void sweep(int parent, const char *our_name)
{
    int copy = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy < 0 ? NULL : fdopendir(copy);
    if (list == NULL) return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;)
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0)
            sweep_one(parent, entry->d_name, strcmp(entry->d_name, our_name) == 0);
    closedir(list);
}

/* ---- ours ---------------------------------------------------------------------------------------------------- */

static void probe(keeper_t *k)
{
    int slot = keeper_group_take(k);
    if (slot < 0) return;
    int error = keeper_spawn_probe(k, slot);
    keeper_group_give(k, slot);
    if (error != 0) keeper_group_off(k, error);
}

/* Locked, and still there: between the two another keeper that begins may take it for an old one's. */
static int open_root(int parent, const char *name)
{
    struct stat ours, there;
    for (int i = 0; i < 20; i++) {
        if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return -1;
        int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &ours) == 0 &&
            fstatat(parent, name, &there, 0) == 0 && ours.st_ino == there.st_ino)
            return fd;
        if (fd >= 0) close(fd);
        usleep(5000);
    }
    return -1;
}

void keeper_group_init(keeper_t *k)
{
    k->group_root = -1;
    int parent = own_group();
    if (parent < 0) return;
    snprintf(k->group_name, sizeof k->group_name, "%s%s", prefix, k->identity);
    sweep(parent, k->group_name);
    k->group_root = open_root(parent, k->group_name);
    close(parent);
    if (k->group_root >= 0) probe(k);
}

/* The root of all may be another name space's by now: whatever we made is removed through its parent. */
void keeper_group_fini(keeper_t *k)
{
    if (k->group_root < 0) return;
    remove_children(k->group_root);
    int parent = openat(k->group_root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
        unlinkat(parent, k->group_name, AT_REMOVEDIR);
        close(parent);
    }
    close(k->group_root);
    k->group_root = -1;
}

static bool grow(keeper_t *k)
{
    size_t count = k->group_count + 1;
    int *groups = realloc(k->groups, count * sizeof *groups);
    if (groups != NULL) k->groups = groups;
    uint32_t *list = realloc(k->groups_free, count * sizeof *list);
    if (list != NULL) k->groups_free = list;
    return groups != NULL && list != NULL;
}

/* A directory for a slot that has none. */
static bool make(keeper_t *k, uint32_t slot)
{
    char name[16];
    snprintf(name, sizeof name, "%u", slot);
    if (mkdirat(k->group_root, name, 0700) != 0 && errno != EEXIST) return false;
    k->groups[slot] = openat(k->group_root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return k->groups[slot] >= 0;
}

int keeper_group_take(keeper_t *k)
{
    uint32_t slot;
    if (k->group_root < 0) return -1;
    if (k->group_free_count > 0) {
        slot = k->groups_free[--k->group_free_count];
        if (k->groups[slot] >= 0) return (int)slot;
    } else {
        if (!grow(k)) return -1;
        slot = k->group_count++;
    }
    k->groups[slot] = -1;
    if (make(k, slot)) return (int)slot;
    k->groups_free[k->group_free_count++] = slot;
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) keeper_group_off(k, errno);
    return -1;
}

/* With a process that cannot be killed in it, it is not used again. Slots with a directory are taken first:
 * they lie on top. */
void keeper_group_give(keeper_t *k, int slot)
{
    char name[16];
    if (!is_empty(k->groups[slot])) {
        close(k->groups[slot]);
        k->groups[slot] = -1;
        return;
    }
    if (k->group_root >= 0 && k->group_free_count < FREE_MOST) {
        k->groups_free[k->group_free_count++] = (uint32_t)slot;
        return;
    }
    close(k->groups[slot]);
    k->groups[slot] = -1;
    snprintf(name, sizeof name, "%d", slot);
    if (k->group_root >= 0) unlinkat(k->group_root, name, AT_REMOVEDIR);
    k->groups_free[k->group_free_count++] = k->groups_free[0];
    k->groups_free[0] = (uint32_t)slot;
}

/* Jobs that have a cgroup keep it. */
void keeper_group_off(keeper_t *k, int error)
{
    keeper_log("no cgroups for jobs: %s; they are found by their descent instead", strerror(error));
    while (k->group_free_count > 0) {
        uint32_t slot = k->groups_free[--k->group_free_count];
        if (k->groups[slot] >= 0) close(k->groups[slot]);
        k->groups[slot] = -1;
    }
    keeper_group_fini(k);
}

/* ---- what is in one ---------------------------------------------------------------------------------------------- */

bool keeper_group_is_empty(keeper_t *k, int slot)
{
    return is_empty(k->groups[slot]);
}

static void kill_one(pid_t pid, void *arg)
{
    (void)arg;
    if (pid > 0) kill(pid, SIGKILL);
}

/* The killed ones end although they are frozen. */
void keeper_group_kill(keeper_t *k, int slot)
{
    write_file(k->groups[slot], "cgroup.freeze", "1");
    keeper_group_each(k, slot, kill_one, NULL);
}

bool keeper_group_freeze(keeper_t *k, int slot, bool on)
{
    return write_file(k->groups[slot], "cgroup.freeze", on ? "1" : "0");
}

void keeper_group_each(keeper_t *k, int slot, void (*each)(pid_t pid, void *arg), void *arg)
{
    int fd = openat(k->groups[slot], "cgroup.procs", O_RDONLY | O_CLOEXEC), pid;
    FILE *list = fd < 0 ? NULL : fdopen(fd, "r");
    if (list == NULL) {
        if (fd >= 0) close(fd);
        return;
    }
    while (fscanf(list, "%d", &pid) == 1) each(pid, arg);
    fclose(list);
}
