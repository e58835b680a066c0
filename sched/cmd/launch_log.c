/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * launch_log.c - mpirun.log for the reader of a failed start.
 *
 * The log has what daemons say, among what Open MPI says: when a daemon has ended, it may say the same hundreds of
 * times. So the daemons' own lines come first, all that there is room for, then the last of the others, each once.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sched/cmd/launch.h"
#include "sched/state.h"

enum { LINES = 16, WIDE = 400 };

typedef struct lines {
    char text[LINES][WIDE];
    unsigned count; /* of all that came; the last LINES are kept, n at n % LINES */
} lines_t;

static bool has(const lines_t *lines, const char *line)
{
    for (unsigned i = 0; i < lines->count && i < LINES; i++) {
        if (strcmp(lines->text[i], line) == 0) return true;
    }
    return false;
}

static void add(lines_t *lines, const char *line)
{
    if (!has(lines, line)) strcpy(lines->text[lines->count++ % LINES], line);
}

static void print(const lines_t *lines)
{
    for (unsigned i = lines->count > LINES ? lines->count - LINES : 0; i < lines->count; i++)
        fprintf(stderr, "    %s", lines->text[i % LINES]);
}

static void read_log(const char *path, lines_t *daemons, lines_t *others)
{
    FILE *file = fopen(path, "re");
    char line[WIDE];
    bool whole = true; /* the line before was read to its end */

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        bool first = whole;
        size_t length = strcspn(line, "\n");

        whole = line[length] == '\n';
        if (!first || line[strspn(line, "-\n ")] == '\0') continue; /* rules and empty lines */
        strcpy(line + (length < WIDE - 2 ? length : WIDE - 2), "\n");
        add(strncmp(line, "byred: ", 7) == 0 ? daemons : others, line);
    }
    if (file != NULL) fclose(file);
}

void launch_show_log(const char *dir, unsigned complaints)
{
    static const struct timespec nap = { 0, 50000000 };
    enum { LOOKS = 40 };
    char path[BYRE__STATE_PATH + 16];
    static lines_t daemons, others;

    snprintf(path, sizeof path, "%s/mpirun.log", dir);
    for (int look = 0; look < LOOKS; look++) {
        daemons.count = others.count = 0;
        read_log(path, &daemons, &others);
        if (daemons.count >= complaints) break;
        (void)nanosleep(&nap, NULL);
    }
    print(&daemons);
    print(&others);
    fprintf(stderr, "(more in %s and byred.log beside it)\n", path);
}
