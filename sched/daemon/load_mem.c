/* SPDX-License-Identifier: BSD-3-Clause */
/* load_mem.c - memory: of the machine, and of the cgroups around us, whichever leaves less.
 *
 * What a cgroup uses holds page cache too. The part that was not used lately (inactive_file) goes as soon as
 * somebody needs the room, so it counts as free, as MemAvailable does for the machine.
 */
#include "sched/daemon/load_inside.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct names {
    const char *mount, *limit, *usage, *inactive;
} names_t;

static const names_t v2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file" };
static const names_t v1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                            "memory.usage_in_bytes", "total_inactive_file" };

/* ---- files -------------------------------------------------------------------------------------- */

/* "max" and no file at all are no number. */
static bool read_number(const byre__meter_t *meter, const char *dir, const char *name,
                        uint64_t *value_out)
{
    char path[PATH_MAX];
    FILE *file;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = byre__load_open(meter, path);
    if (!file) return false;
    ok = fscanf(file, "%" SCNu64, value_out) == 1;
    fclose(file);
    return ok;
}

/* The number behind a word at the start of a line: "MemTotal:  24684544 kB", "inactive_file 4096". */
static uint64_t read_word(const byre__meter_t *meter, const char *path, const char *word)
{
    FILE *file = byre__load_open(meter, path);
    size_t length = strlen(word);
    uint64_t value = 0;
    char line[256];

    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, word, length) == 0 && (line[length] == ':' || line[length] == ' ')) {
            value = strtoull(line + length + 1, NULL, 10);
            break;
        }
    }
    fclose(file);
    return value;
}

/* ---- cgroups ------------------------------------------------------------------------------------ */

static void apply_limit(const byre__meter_t *meter, const char *dir, const names_t *names,
                        byre__load_t *load)
{
    char stat[PATH_MAX];
    uint64_t limit, usage, unused, left;

    if (!read_number(meter, dir, names->limit, &limit) ||
        !read_number(meter, dir, names->usage, &usage)) {
        return;
    }
    snprintf(stat, sizeof stat, "%s/memory.stat", dir);
    unused = read_word(meter, stat, names->inactive);
    usage -= unused < usage ? unused : usage;
    left = usage < limit ? limit - usage : 0;
    /* "None" is a huge number in v1, and changes neither. */
    if (limit < load->mem_bytes) load->mem_bytes = limit;
    if (left < load->mem_free_bytes) load->mem_free_bytes = left;
}

/* From our cgroup up to the mount point. In a container the path may name a cgroup that is not to be seen from
 * inside: then its visible ancestors, at least the root, answer. */
static void apply_limits(const byre__meter_t *meter, const char *group, const names_t *names,
                         byre__load_t *load)
{
    char dir[400];
    size_t root = strlen(names->mount);
    char *slash;

    if ((size_t)snprintf(dir, sizeof dir, "%s%s", names->mount, group) >= sizeof dir) return;
    do {
        slash = strrchr(dir + root, '/');
        apply_limit(meter, dir, names, load);
        if (slash) *slash = '\0';
    } while (slash);
}

/* "4:memory:/group" is v1, "0::/group" v2. */
static void apply_cgroups(const byre__meter_t *meter, byre__load_t *load)
{
    FILE *file = byre__load_open(meter, "/proc/self/cgroup");
    char line[512];

    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        const char *controllers = strchr(line, ':');
        const char *group = controllers ? strchr(controllers + 1, ':') : NULL;

        line[strcspn(line, "\n")] = '\0';
        if (!group) continue;
        if (group == controllers + 1) {
            apply_limits(meter, group + 1, &v2, load);
        } else if (strncmp(controllers, ":memory:", 8) == 0) {
            apply_limits(meter, group + 1, &v1, load);
        }
    }
    fclose(file);
}

void byre__load_mem(const byre__meter_t *meter, byre__load_t *load_out)
{
    load_out->mem_bytes = 1024 * read_word(meter, "/proc/meminfo", "MemTotal");
    load_out->mem_free_bytes = 1024 * read_word(meter, "/proc/meminfo", "MemAvailable");
    apply_cgroups(meter, load_out);
}
