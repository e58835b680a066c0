/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * share.h - what the commands that talk to a pool share: the connection, options and job ids on the command line,
 * and how things are written for people.
 */
#ifndef BYRE__SCHED_CMD_SHARE_H
#define BYRE__SCHED_CMD_SHARE_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "runtime/cmd/cmd.h"
#include "sched/client.h"
#include "sched/node.h"

/* ---- the connection (share.c) ------------------------------------------------------------------------ */

/* Or NULL, after a complaint. `pool': as --pool says, or NULL. */
byre_sched_t *share_connect(const byre__cmd_t *cmd, const char *pool);
/* "byre CMD: what the last failed call was about"; returns BYRE__CMD_FAILED. */
int share_failed(const byre__cmd_t *cmd, const byre_sched_t *sched);

/* Ask, and give every answer of type `each' to `take' until DONE. A `take' that returns false stops it
 * (BYRE_ECANCELED). What follows DONE in its payload is the caller's: *done_out (may be NULL). */
typedef bool share_take_fn(void *arg, byre__unpack_t *say);
int share_ask_list(byre_sched_t *sched, uint16_t type, const byre__pack_t *ask, uint16_t each,
                   share_take_fn *take, void *arg, byre__unpack_t *done_out);

/* All nodes: malloc'ed. */
int share_nodes(byre_sched_t *sched, byre__node_row_t **rows_out, size_t *count_out);

/* ---- options on the command line (options.c) ------------------------------------------------------------ */

/* Take an option, of which the value is in optarg. BYRE__CMD_OK; the exit status, after a complaint; or
 * OPTIONS_UNKNOWN: it is none of these. */
typedef int options_take_fn(void *request, int option);
enum { OPTIONS_UNKNOWN = -1 };

typedef struct options {
    const char *letters; /* as getopt_long has them: ":...", or "+:..." before a job's own */
    const struct option *table;
    options_take_fn *take;
    bool alone; /* there is no argument behind them */
} options_t;

/* All of them, until one is wrong: BYRE__CMD_OK, or the exit status after a complaint. The first argument behind them
 * is argv[optind]. */
int options_read(const byre__cmd_t *cmd, const options_t *options, int argc, char **argv,
                 void *request);

/* What nearly every question to a pool can be told. */
typedef struct asked {
    const char *pool; /* NULL: not said */
    bool json;
} asked_t;

enum { ASKED_POOL = 0x100, ASKED_JSON };
/* For the table of a command that has them. */
/* clang-format off */
#define POOL_OPTION { "pool", required_argument, NULL, ASKED_POOL }
#define JSON_OPTION { "json", no_argument, NULL, ASKED_JSON }
/* clang-format on */
options_take_fn options_asked; /* into an asked_t */

/* Values; `what' is the option as it was typed. They are written only if they are right. */
int options_number(const byre__cmd_t *cmd, const char *what, int least, int most, int *number_out);
int options_seconds(const byre__cmd_t *cmd, const char *what, double least, double below,
                    double *seconds_out);

/* ---- jobs on the command line (ids.c) ------------------------------------------------------------------ */

typedef struct ids_range {
    byre__job_id_t first;
    uint64_t count;
} ids_range_t;

/* "n1.17", "17", "n1.17..1016", "n1.17..n1.1016". */
bool ids_parse(const char *text, const char *home, ids_range_t *range_out);
/* All words. BYRE__CMD_OK and a malloc'ed array, or the exit status after a complaint. */
int ids_read(const byre__cmd_t *cmd, const char *home, char **words, int count,
             ids_range_t **ranges_out);
/* u32 count, ranges: as talk.h has them. */
/* In order, each job once: how many ranges are left. */
size_t ids_merge(ids_range_t *ranges, size_t count);
void ids_pack(byre__pack_t *pack, const ids_range_t *ranges, size_t count);
/* "0-999", "0-99:10", "1,5,7-9": indices of an array. malloc'ed; NULL after writing why to why_out. */
uint64_t *ids_indices(const char *text, size_t *count_out, char why_out[static 160]);

/* ---- what a job needs (needs.c) ------------------------------------------------------------------------- */

typedef struct needs {
    const char *pool, *node, *affinity, *name;
    uint32_t cpus;
    uint64_t mem;
    bool restartable, own_tmp;
} needs_t;

enum {
    NEEDS_NODE = 0x200,
    NEEDS_CPUS,
    NEEDS_MEM,
    NEEDS_AFFINITY,
    NEEDS_RESTARTABLE,
    NEEDS_OWN_TMP,
    NEEDS_NAME
};
/* For a command's table of long options, and its help. */
/* clang-format off */
#define NEEDS_OPTIONS                                        \
    POOL_OPTION,                                             \
    { "node", required_argument, NULL, NEEDS_NODE },         \
    { "cpus", required_argument, NULL, NEEDS_CPUS },         \
    { "mem", required_argument, NULL, NEEDS_MEM },           \
    { "affinity-key", required_argument, NULL, NEEDS_AFFINITY }, \
    { "restartable", no_argument, NULL, NEEDS_RESTARTABLE }, \
    { "own-tmp", no_argument, NULL, NEEDS_OWN_TMP },         \
    { "name", required_argument, NULL, NEEDS_NAME }
#define NEEDS_HELP                                                                            \
    "  --node N          run on this node and no other (`byre nodes' lists them)\n"           \
    "  --cpus C          processors that it needs; without it 1\n"                            \
    "  --mem M           memory that it needs, as 512M or 2G: it goes where so much is left\n" \
    "  --affinity-key K  jobs of one key go where the last of them ran: its data are warm\n"  \
    "  --restartable     it may run twice: start it again elsewhere when its node is lost\n"  \
    "  --own-tmp         $TMPDIR is an empty directory of its own, removed when it has ended\n" \
    "  --name NAME       what `byre ps' calls it\n"                                           \
    "  --pool P          the pool; without it $BYRE_POOL, or `pool'\n"
/* clang-format on */

/* Take one of these, as an options_take_fn does. */
int needs_take(const byre__cmd_t *cmd, needs_t *needs, int option);
/* A spec that borrows everything. */
byre__spec_t needs_spec(const needs_t *needs, uint32_t flags, char **argv);

/* ---- for people (text.c, table.c) ------------------------------------------------------------------------ */

enum { TEXT_SHORT = 24, TEXT_END = 200 };

/* Bytes as 1.5G; a time in ms as 0.2s, 3m05s, 2h03m, 4d07h. */
char *text_bytes(double bytes, char text_out[static TEXT_SHORT]);
char *text_time(double ms, char text_out[static TEXT_SHORT]);
/* "512M" -> bytes; 0: that is none. */
uint64_t text_parse_bytes(const char *text);
/* "KILL", "SIGKILL", "kill", "9"; -1: there is none. */
int text_parse_signal(const char *text);
/* "KILL" */
const char *text_signal(int number, char text_out[static TEXT_SHORT]);
/* "0", "7", "signal KILL", "lost with its node", "n3: no such program": how a job went, in a word or two. */
char *text_end(const byre__end_t *end, char text_out[static TEXT_END]);
/* The line a shell would say of a job that never ran, with the node: "n3: foo: command not found". ""
 * when it ran. */
char *text_never_ran(const byre__end_t *end, const char *node, const char *program,
                     const char *directory, char text_out[static 512]);
/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
void text_json(FILE *out, const char *text);
/* A JSON object's members for a job's end: "status": 0, "signal": null ... without braces. */
void text_json_end(FILE *out, const byre__end_t *end);
uint64_t text_now_ms(void); /* since 1970 */

/* A table: every cell is kept until the end, then the columns are made as wide as they must be. */
typedef struct table {
    const char *const *heads; /* "name", or ">name" for a column whose cells stand to the right */
    int columns;
    char **cells;
    size_t count, room;
    bool failed;
} table_t;

void table_begin(table_t *table, const char *const *heads, int columns);
void table_cell(table_t *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes it; on a terminal no line is longer than that is wide. Frees it. */
void table_end(table_t *table, FILE *out);

#endif
