/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines to stderr, asked for with BYRE_LOG. An error is logged once, by the first who knows. */
#ifndef BYRE__LOG_H
#define BYRE__LOG_H

enum byre__log_level { BYRE__LOG_OFF, BYRE__LOG_ERROR, BYRE__LOG_INFO, BYRE__LOG_DEBUG };

extern enum byre__log_level byre__log_level;

void byre__log_init(void); /* reads BYRE_LOG */
void byre__log_rank(int rank);
void byre__log_write(enum byre__log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A broken internal invariant: say so whatever BYRE_LOG is, and abort. */
_Noreturn void byre__panic(const char *file, int line, const char *what);

#define byre__log(level, ...)                                                                     \
    do {                                                                                          \
        if (__builtin_expect((level) <= byre__log_level, 0)) byre__log_write(level, __VA_ARGS__); \
    } while (0)
#define byre__error(...) byre__log(BYRE__LOG_ERROR, __VA_ARGS__)
#define byre__info(...) byre__log(BYRE__LOG_INFO, __VA_ARGS__)
#define byre__debug(...) byre__log(BYRE__LOG_DEBUG, __VA_ARGS__)
#define BYRE__ASSERT(x) ((x) ? (void)0 : byre__panic(__FILE__, __LINE__, #x))

#endif
