/* SPDX-License-Identifier: BSD-3-Clause */
/* words.h - the words of a command line: {} filled in, lines taken apart. */
#ifndef BYRE__SCHED_CMD_WORDS_H
#define BYRE__SCHED_CMD_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* A copy of argv with {} replaced by `with' wherever it stands, in one block: free() it. NULL: no memory.
 * *used_out (may be NULL): was there a {}? */
char **words_fill(char *const *argv, const char *with, bool *used_out);

/* argv and `more' behind it, in one block. */
char **words_append(char *const *argv, char *const *more, size_t count);

/* A command line as words: by itself if it has nothing for a shell to do, else "sh", "-c", line. One block. */
char **words_of_line(const char *line);

#endif
