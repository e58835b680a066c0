/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd.h - what the subcommands of `byre' share.
 *
 * A subcommand is a function that gets its own argv (argv[0] is its name) and returns the exit status:
 * 0 done, 1 failed, 2 the command line is wrong. It writes results to stdout, complaints to stderr.
 *
 * `byre' itself links no MPI, whose libraries take as long to load as many a command to run: a command that
 * needs MPI is a program of its own (byre-topo), with main in single.c.
 */
#ifndef BYRE__CMD_H
#define BYRE__CMD_H

#include <stdio.h>

enum { BYRE__CMD_OK = 0, BYRE__CMD_FAILED = 1, BYRE__CMD_USAGE = 2 };

typedef struct byre__cmd {
    const char *name;
    const char *synopsis; /* what follows `byre NAME' */
    const char *summary;  /* one line */
    const char *details;  /* options, line by line, each line ended */
    int (*run)(int argc, char **argv);
    struct byre__cmd *next; /* the list's */
} byre__cmd_t;

/* From a constructor: a command is there by being linked in. */
void byre__cmd_register(byre__cmd_t *cmd);
/* By name; follow `next'. */
const byre__cmd_t *byre__cmd_first(void);

/* "byre NAME: ..." to stderr; returns BYRE__CMD_FAILED. */
int byre__cmd_fail(const byre__cmd_t *cmd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same, and where to find help; returns BYRE__CMD_USAGE. */
int byre__cmd_misuse(const byre__cmd_t *cmd, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The help of one command, as `byre help NAME' prints it. */
void byre__cmd_help(const byre__cmd_t *cmd, FILE *out);

/* A JSON string with its quotes. */
void byre__json_string(FILE *out, const char *text);

/* The text of a decimal integer (0 .. INT_MAX), or -1 if it is none. */
int byre__cmd_number(const char *text);

/* Subcommands that are programs of their own: byre-NAME (cmd_external.c). */
void byre__external_list(FILE *out);
void byre__external_each(void (*use)(const char *name, void *arg), void *arg);

/* Replaces this process by byre-NAME; returns only if there is none. */
void byre__external_exec(const char *name, char **argv);

#endif
