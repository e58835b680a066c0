/* SPDX-License-Identifier: BSD-3-Clause */
/* topo_service.c - finds the service thread of this process, by its name, in /proc. */
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cmd/topo.h"

#define SERVICE_THREAD "byre-service" /* as the runtime names it */

const char *byre__policy_name(int policy)
{
    switch (policy & ~SCHED_RESET_ON_FORK) {
    case SCHED_OTHER:
        return "other";
    case SCHED_BATCH:
        return "batch";
    case SCHED_IDLE:
        return "idle";
    case SCHED_FIFO:
        return "fifo";
    case SCHED_RR:
        return "rr";
    default:
        return "unknown";
    }
}

/* A file of a thread of this process; false if it is not there. */
static bool read_task(const char *tid, const char *file, char *text_out, size_t room)
{
    char path[64];
    FILE *in;
    size_t length;

    if ((size_t)snprintf(path, sizeof path, "/proc/self/task/%s/%s", tid, file) >= sizeof path ||
        !(in = fopen(path, "re"))) {
        return false;
    }
    length = fread(text_out, 1, room - 1, in);
    text_out[length] = '\0';
    fclose(in);
    return length > 0;
}

/* Field 39 of stat: the processor last run on. Fields are counted behind the name in brackets, which
 * may contain anything; the first there is field 3. */
static int last_cpu(const char *tid)
{
    char text[1024], *at;

    if (!read_task(tid, "stat", text, sizeof text) || !(at = strrchr(text, ')'))) {
        return -1;
    }
    for (int field = 2; field < 39 && at; field++) {
        at = strchr(at + 1, ' ');
    }
    return at ? atoi(at) : -1;
}

static void describe(const char *tid, byre__seat_t *seat)
{
    struct sched_param param = { 0 };
    int number = atoi(tid);

    seat->has_service = byre__cpuset_of_thread(number, &seat->service) == 0;
    seat->service_cpu = last_cpu(tid);
    seat->policy = sched_getscheduler(number);
    if (sched_getparam(number, &param) == 0) {
        seat->priority = param.sched_priority;
    }
}

void byre__seat_find_service(byre__seat_t *seat)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    char name[32];

    if (!dir) {
        return;
    }
    while ((entry = readdir(dir)) != NULL && !seat->has_service) {
        if (entry->d_name[0] != '.' && read_task(entry->d_name, "comm", name, sizeof name) &&
            strcmp(name, SERVICE_THREAD "\n") == 0) {
            describe(entry->d_name, seat);
        }
    }
    closedir(dir);
}
