/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the command `byre': finds the subcommand and runs it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cmd/cmd.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

static const byre__cmd_t *find(const char *name)
{
    for (const byre__cmd_t *cmd = byre__cmd_first(); cmd; cmd = cmd->next) {
        if (strcmp(cmd->name, name) == 0) {
            return cmd;
        }
    }
    return NULL;
}

/* ---- did you mean ----------------------------------------------------------------------------- */

typedef struct {
    const char *typed;
    char best[64];
    int distance;
} suggestion_t;

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edits that turn one word into the other; a swap of neighbours is one (Damerau, Levenshtein). */
static int edits(const char *a, const char *b)
{
    enum { MOST = 32 };
    int cost[MOST + 1][MOST + 1], m = (int)strlen(a), n = (int)strlen(b);

    if (m > MOST || n > MOST) {
        return MOST;
    }
    for (int i = 0; i <= m; i++) {
        for (int j = 0; j <= n; j++) {
            if (i == 0 || j == 0) {
                cost[i][j] = i + j;
                continue;
            }
            cost[i][j] = least(least(cost[i - 1][j], cost[i][j - 1]) + 1,
                               cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
            }
        }
    }
    return cost[m][n];
}

static void consider(const char *name, void *arg)
{
    suggestion_t *s = arg;
    int distance = edits(s->typed, name);

    if (distance < s->distance && strlen(name) < sizeof s->best) {
        s->distance = distance;
        strcpy(s->best, name);
    }
}

static int unknown(const char *name)
{
    suggestion_t s = { .typed = name, .distance = 3 };

    for (const byre__cmd_t *cmd = byre__cmd_first(); cmd; cmd = cmd->next) {
        consider(cmd->name, &s);
    }
    consider("help", &s);
    byre__external_each(consider, &s);
    fprintf(stderr, "byre: there is no command `%s'.", name);
    if (s.best[0] != '\0') {
        fprintf(stderr, " Did you mean `%s'?", s.best);
    }
    fprintf(stderr, "\n`byre help' lists the commands.\n");
    return BYRE__CMD_USAGE;
}

/* ---- help and dispatch ------------------------------------------------------------------------ */

static int overview(FILE *out)
{
    fputs("usage: byre COMMAND [ARGUMENT...]\n"
          "       byre help [COMMAND]\n"
          "       byre --version\n\n"
          "Byre makes one multicomputer of many Linux machines.\n\n",
          out);
    for (const byre__cmd_t *cmd = byre__cmd_first(); cmd; cmd = cmd->next) {
        fprintf(out, "  %-10s %s\n", cmd->name, cmd->summary);
    }
    byre__external_list(out);
    return BYRE__CMD_OK;
}

static int help(const char *name)
{
    const byre__cmd_t *cmd = find(name);
    char option[] = "--help", *argv[] = { NULL, option, NULL };

    if (cmd) {
        byre__cmd_help(cmd, stdout);
        return BYRE__CMD_OK;
    }
    if (strcmp(name, "help") == 0) {
        return overview(stdout);
    }
    byre__external_exec(name, argv);
    return unknown(name);
}

static int dispatch(int argc, char **argv)
{
    const byre__cmd_t *cmd = find(argv[0]);

    if (!cmd) {
        byre__external_exec(argv[0], argv);
        return unknown(argv[0]);
    }
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        byre__cmd_help(cmd, stdout);
        return BYRE__CMD_OK;
    }
    return cmd->run(argc, argv);
}

/* A full disk or a closed pipe is a failure, even if every call before it looked fine. */
static int flushed(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "byre: cannot write the output: %s\n", strerror(errno));
        return BYRE__CMD_FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        overview(stderr);
        return BYRE__CMD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("byre " PACKAGE_VERSION);
        return flushed(BYRE__CMD_OK);
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        return flushed(argc > 2 ? help(argv[2]) : overview(stdout));
    }
    if (argv[1][0] == '-') {
        fprintf(stderr, "byre: unknown option %s\n`byre help' lists the commands.\n", argv[1]);
        return BYRE__CMD_USAGE;
    }
    return flushed(dispatch(argc - 1, argv + 1));
}
