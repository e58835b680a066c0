/* SPDX-License-Identifier: BSD-3-Clause */
#include "log.h"

#include "env.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum byre__log_level byre__log_level = BYRE__LOG_OFF;
static int log_rank = -1;

void byre__log_init(void)
{
    static const char *const names[] = { "off", "error", "info", "debug" };
    const char *wanted = byre__env_string(BYRE__ENV_LOG);
    for (int level = BYRE__LOG_OFF; level <= BYRE__LOG_DEBUG; level++)
        if (strcmp(wanted, names[level]) == 0) byre__log_level = (enum byre__log_level)level;
}

void byre__log_rank(int rank)
{
    log_rank = rank;
}

/* One write(2) a line, so that the lines of several ranks do not mix. */
static void put(const char *format, va_list args)
{
    char line[512], host[65] = "?";
    (void)gethostname(host, sizeof host - 1);
    int used = snprintf(line, sizeof line, "byre: rank %d on %s: ", log_rank, host);
    int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, args);
    size_t end = (size_t)used + (more > 0 ? (size_t)more : 0);
    if (end > sizeof line - 2) end = sizeof line - 2;
    line[end] = '\n';
    if (write(STDERR_FILENO, line, end + 1) < 0) return;
}

void byre__log_write(enum byre__log_level level, const char *format, ...)
{
    (void)level;
    va_list args;
    va_start(args, format);
    put(format, args);
    va_end(args);
}

static void panic_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void panic_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(format, args);
    va_end(args);
}

_Noreturn void byre__panic(const char *file, int line, const char *what)
{
    panic_line("%s:%d: broken invariant: %s", file, line, what);
    abort();
}
