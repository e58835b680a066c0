/* SPDX-License-Identifier: BSD-3-Clause */
/* machine_cpuset.c - sets of processors: counting, text, and the kernel's view of a thread.
 *
 * Interface: machine.h. The kernel is asked with the raw system call: glibc's cpu_set_t ends at 1024
 * processors, and sched_getaffinity refuses a set smaller than the machine could have.
 */
#include "runtime/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <byre_errors.h>

enum { WORDS = BYRE__CPUSET_MAX / 64 };

int byre__cpuset_count(const byre__cpuset_t *set)
{
    int count = 0;

    for (int i = 0; i < WORDS; i++) {
        count += __builtin_popcountll(set->word[i]);
    }
    return count;
}

bool byre__cpuset_equal(const byre__cpuset_t *a, const byre__cpuset_t *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

char *byre__cpuset_format(const byre__cpuset_t *set, char *text_out, size_t room_bytes)
{
    size_t used = 0;

    if (room_bytes > 0) {
        text_out[0] = '\0';
    }
    for (int first = 0; first < BYRE__CPUSET_MAX && used < room_bytes; first++) {
        int last = first;

        if (set->word[first / 64] == 0) {
            first |= 63; /* most of a set is empty */
            continue;
        }
        if (!byre__cpuset_has(set, first)) {
            continue;
        }
        while (byre__cpuset_has(set, last + 1)) {
            last++;
        }
        used +=
            (size_t)snprintf(text_out + used, room_bytes - used, used > 0 ? ",%d" : "%d", first);
        if (last > first && used < room_bytes) {
            used += (size_t)snprintf(text_out + used, room_bytes - used, "-%d", last);
        }
        first = last;
    }
    return text_out;
}

/* A number below BYRE__CPUSET_MAX, or -1; moves *at behind it. */
static int read_cpu(const char **at)
{
    int cpu = 0;

    if (**at < '0' || **at > '9') {
        return -1;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        cpu = cpu * 10 + (**at - '0');
        if (cpu >= BYRE__CPUSET_MAX) {
            return -1;
        }
    }
    return cpu;
}

int byre__cpuset_parse(const char *text, byre__cpuset_t *set_out)
{
    byre__cpuset_t set = { { 0 } };
    const char *at = text;

    for (;;) {
        int first = read_cpu(&at), last = first;

        if (first >= 0 && *at == '-') {
            at++;
            last = read_cpu(&at);
        }
        if (first < 0 || last < first) {
            return BYRE_EINVAL;
        }
        for (int cpu = first; cpu <= last; cpu++) {
            byre__cpuset_add(&set, cpu);
        }
        if (*at == '\0') {
            *set_out = set;
            return 0;
        }
        if (*at++ != ',') {
            return BYRE_EINVAL;
        }
    }
}

int byre__cpuset_of_thread(pid_t tid, byre__cpuset_t *set_out)
{
    byre__cpuset_t set = { { 0 } };

    if (syscall(SYS_sched_getaffinity, tid, sizeof set.word, set.word) < 0) {
        return BYRE_ESYSTEM;
    }
    *set_out = set;
    return 0;
}

int byre__machine_bind_self(const byre__cpuset_t *cpus)
{
    byre__cpuset_t now;

    if (byre__cpuset_count(cpus) == 0) {
        return BYRE_EINVAL;
    }
    if (syscall(SYS_sched_setaffinity, 0, sizeof cpus->word, cpus->word) < 0 ||
        byre__cpuset_of_thread(0, &now) < 0) {
        return BYRE_ESYSTEM;
    }
    if (!byre__cpuset_equal(cpus, &now)) {
        errno = EPERM; /* the kernel does not say: a cpuset cgroup or an absent processor */
        return BYRE_ESYSTEM;
    }
    return 0;
}
