/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c - byred.log: one line a fact, with the time; flushed at once. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sched/daemon/daemon.h"

static FILE *log_file;

void byred_copy(char *to, size_t room, const char *from)
{
    size_t length = strnlen(from, room - 1);

    memcpy(to, from, length);
    to[length] = '\0';
}

bool byred_log_open(const char *path)
{
    FILE *file = fopen(path, "ae");

    if (file == NULL) {
        return false;
    }
    setvbuf(file, NULL, _IOLBF, 4096);
    log_file = file;
    return true;
}

void byred_log(const char *format, ...)
{
    FILE *to = log_file != NULL ? log_file : stderr;
    struct timespec now;
    struct tm local;
    char when[32];
    va_list args;
    int error = errno; /* for %m */

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&now.tv_sec, &local));
    fprintf(to, "%s.%03ld ", when, now.tv_nsec / 1000000);
    errno = error;
    va_start(args, format);
    vfprintf(to, format, args);
    va_end(args);
    fputc('\n', to);
}

void byred_complain(const char *node, const char *text)
{
    byred_log("%s", text);
    fprintf(stderr, "byred: %s%s%s\n", node, node[0] != '\0' ? ": " : "", text);
    fflush(stderr);
}
