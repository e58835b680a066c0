/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd.c - what the subcommands share; see cmd.h. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cmd/cmd.h"

/* ---- the list of commands ---------------------------------------------------------------------- */

static byre__cmd_t *commands;

void byre__cmd_register(byre__cmd_t *cmd)
{
    byre__cmd_t **at = &commands;

    while (*at && strcmp((*at)->name, cmd->name) < 0) {
        at = &(*at)->next;
    }
    cmd->next = *at;
    *at = cmd;
}

const byre__cmd_t *byre__cmd_first(void)
{
    return commands;
}

/* ---- messages, numbers, JSON --------------------------------------------------------------------- */

int byre__cmd_fail(const byre__cmd_t *cmd, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "byre %s: ", cmd->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return BYRE__CMD_FAILED;
}

int byre__cmd_misuse(const byre__cmd_t *cmd, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "byre %s: ", cmd->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry `byre help %s'.\n", cmd->name);
    return BYRE__CMD_USAGE;
}

void byre__cmd_help(const byre__cmd_t *cmd, FILE *out)
{
    fprintf(out, "usage: byre %s %s\n\n%s\n\n%s", cmd->name, cmd->synopsis, cmd->summary,
            cmd->details);
}

void byre__json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", (unsigned)c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

int byre__cmd_number(const char *text)
{
    char *end;
    long number;

    if (*text < '0' || *text > '9') {
        return -1;
    }
    errno = 0;
    number = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' && number <= INT_MAX ? (int)number : -1;
}
