/* SPDX-License-Identifier: BSD-3-Clause */
/* words.c - see words.h. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

static size_t count_of(char *const *argv)
{
    size_t n = 0;

    while (argv[n] != NULL) n++;
    return n;
}

/* Bytes of a word once it is filled in, with its end. */
static size_t filled_bytes(const char *word, size_t with_bytes, bool *used)
{
    size_t bytes = strlen(word) + 1;

    for (const char *at = word; (at = strstr(at, "{}")) != NULL; at += 2) {
        bytes += with_bytes - 2;
        *used = true;
    }
    return bytes;
}

static char *fill(char *to, const char *word, const char *with, size_t with_bytes)
{
    const char *at;

    while ((at = strstr(word, "{}")) != NULL) {
        memcpy(to, word, (size_t)(at - word));
        to += at - word;
        memcpy(to, with, with_bytes);
        to += with_bytes;
        word = at + 2;
    }
    strcpy(to, word);
    return to + strlen(word) + 1;
}

char **words_fill(char *const *argv, const char *with, bool *used_out)
{
    size_t n = count_of(argv), with_bytes = strlen(with), bytes = 0;
    bool used = false;
    char **words, *at;

    for (size_t i = 0; i < n; i++) bytes += filled_bytes(argv[i], with_bytes, &used);
    words = malloc((n + 1) * sizeof *words + bytes);
    if (words == NULL) return NULL;
    at = (char *)(words + n + 1);
    for (size_t i = 0; i < n; i++) {
        words[i] = at;
        at = fill(at, argv[i], with, with_bytes);
    }
    words[n] = NULL;
    if (used_out != NULL) *used_out = used;
    return words;
}

char **words_append(char *const *argv, char *const *more, size_t count)
{
    size_t n = count_of(argv), bytes = 0;
    char **words, *at;

    for (size_t i = 0; i < n + count; i++) bytes += strlen(i < n ? argv[i] : more[i - n]) + 1;
    words = malloc((n + count + 1) * sizeof *words + bytes);
    if (words == NULL) return NULL;
    at = (char *)(words + n + count + 1);
    for (size_t i = 0; i < n + count; i++) {
        words[i] = strcpy(at, i < n ? argv[i] : more[i - n]);
        at += strlen(at) + 1;
    }
    words[n + count] = NULL;
    return words;
}

/* Names of what a shell does itself and no program does: `cd x' alone would find nothing to run. */
static bool is_shells_own(const char *word, size_t bytes)
{
    static const char *const own[] = { ".",        "alias",  "bg",     "cd",    "command", "eval",
                                       "exec",     "exit",   "export", "fg",    "jobs",    "read",
                                       "readonly", "return", "set",    "shift", "source",  "times",
                                       "trap",     "type",   "ulimit", "umask", "unset",   "wait",
                                       "if",       "for",    "while",  "until", "case",    ":",
                                       "!",        "time" };

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strlen(own[i]) == bytes && memcmp(own[i], word, bytes) == 0) return true;
    }
    return false;
}

/* Would a shell do anything but split it at the blanks? An = in the first word would be an assignment. */
static bool needs_shell(const char *line)
{
    size_t blank = strspn(line, " \t"), first = strcspn(line + blank, " \t");

    return strpbrk(line, "|&;<>()$`\\\"'*?[#~{}!\n") != NULL || first == 0 ||
           memchr(line + blank, '=', first) != NULL || is_shells_own(line + blank, first);
}

char **words_of_line(const char *line)
{
    size_t bytes = strlen(line) + 1, room = bytes / 2 + 2, n = 0;
    static char shell[] = "sh", dash_c[] = "-c";
    char **words, *at, *next;

    if (room < 4) room = 4;
    words = malloc(room * sizeof *words + bytes);
    if (words == NULL) return NULL;
    at = memcpy(words + room, line, bytes);
    if (needs_shell(line)) {
        words[n++] = shell;
        words[n++] = dash_c;
        words[n++] = at;
    } else {
        for (char *word = strtok_r(at, " \t", &next); word; word = strtok_r(NULL, " \t", &next))
            words[n++] = word;
    }
    words[n] = NULL;
    return words;
}
