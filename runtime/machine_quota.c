/* SPDX-License-Identifier: BSD-3-Clause */
/* machine_quota.c - how much processor time the cgroups leave this process.
 *
 * A container on a machine of 64 processors may be allowed to use all of them, for two processors' worth
 * of time. hwloc does not look; a runtime that spins on 64 would be stopped most of the time.
 * Interface: byre__machine_quota in machine.h. Both versions of cgroups: v2 has cpu.max ("200000 100000"
 * or "max 100000"), v1 has cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
 */
#include "runtime/machine.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* First line of a file; false if it cannot be read. */
static bool read_line(const char *path, char *line_out, int room)
{
    FILE *file = fopen(path, "re");
    bool ok;

    if (!file) {
        return false;
    }
    ok = fgets(line_out, room, file) != NULL;
    fclose(file);
    return ok;
}

static double quota_v2(const char *dir)
{
    char path[PATH_MAX + 32], line[64];
    double quota, period;

    snprintf(path, sizeof path, "%s/cpu.max", dir);
    if (read_line(path, line, sizeof line) && sscanf(line, "%lf %lf", &quota, &period) == 2 &&
        period > 0) {
        return quota / period;
    }
    return 0;
}

static double quota_v1(const char *dir)
{
    char path[PATH_MAX + 32], line[64];
    double quota, period;

    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lf", &quota) != 1 || quota <= 0) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lf", &period) != 1 || period <= 0) {
        return 0;
    }
    return quota / period;
}

/* The tightest quota from a cgroup up to the mount point. In a container the path may name a cgroup that
 * cannot be seen from inside: then its visible ancestors, at least the root, answer. */
static double tightest(const char *mount, const char *group, double (*quota_of)(const char *dir))
{
    char dir[PATH_MAX];
    size_t root = strlen(mount);
    double least = 0;

    if ((size_t)snprintf(dir, sizeof dir, "%s%s", mount, group) >= sizeof dir) {
        return 0;
    }
    for (;;) {
        double quota = quota_of(dir);
        char *slash;

        if (quota > 0 && (least == 0 || quota < least)) {
            least = quota;
        }
        slash = strrchr(dir + root, '/');
        if (!slash) {
            return least;
        }
        *slash = '\0';
    }
}

/* Is "cpu" among the controllers of a line of /proc/self/cgroup, as in "4:cpu,cpuacct:/group"? */
static bool has_cpu(const char *controllers, const char *end)
{
    while (controllers < end) {
        size_t length = strcspn(controllers, ",:");

        if (length == 3 && memcmp(controllers, "cpu", 3) == 0) {
            return true;
        }
        controllers += length + 1;
    }
    return false;
}

double byre__machine_quota(void)
{
    char line[PATH_MAX + 64];
    double quota = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");

    if (!file) {
        return 0;
    }
    while (quota == 0 && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (!group) {
            continue;
        }
        if (group == controllers + 1) {
            quota = tightest("/sys/fs/cgroup", group + 1, quota_v2);
        } else if (has_cpu(controllers + 1, group)) {
            quota = tightest("/sys/fs/cgroup/cpu", group + 1, quota_v1);
        }
    }
    fclose(file);
    return quota;
}
