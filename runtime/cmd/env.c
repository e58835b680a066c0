/* SPDX-License-Identifier: BSD-3-Clause */
/* env.c - `byre env': the environment variables, `byre env --counters': the counters. */
#include "runtime/env.h"

#include <getopt.h>
#include <string.h>

#include "runtime/cmd/cmd.h"
#include "runtime/counters.h"

static byre__cmd_t command;

enum { INDENT = 4, WIDTH = 78 };

/* Text, indented, broken between words. */
static void print_wrapped(const char *text)
{
    int column = 0;

    while (*text) {
        int word = (int)strcspn(text, " ");

        if (column > 0 && column + 1 + word > WIDTH) {
            putchar('\n');
            column = 0;
        }
        column +=
            column == 0 ? printf("%*s%.*s", INDENT, "", word, text) : printf(" %.*s", word, text);
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_text(const byre__env_var_t *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = byre__env_get(table[i].name);

        printf("%s%s=%s", i > 0 ? "\n" : "", table[i].name, value ? value : table[i].def);
        printf("    (%s; default %s%s)\n", table[i].type, table[i].def[0] ? table[i].def : "empty",
               value ? "; set" : "");
        print_wrapped(table[i].meaning);
    }
}

static void print_field(const char *name, const char *value, const char *after)
{
    printf("\"%s\": ", name);
    if (value) {
        byre__json_string(stdout, value);
    } else {
        fputs("null", stdout);
    }
    fputs(after, stdout);
}

static void print_json(const byre__env_var_t *table, size_t count)
{
    puts("[");
    for (size_t i = 0; i < count; i++) {
        fputs("  {", stdout);
        print_field("name", table[i].name, ", ");
        print_field("type", table[i].type, ", ");
        print_field("default", table[i].def, ", ");
        print_field("value", byre__env_get(table[i].name), ",\n   ");
        print_field("meaning", table[i].meaning, i + 1 < count ? "},\n" : "}\n");
    }
    puts("]");
}

static void print_counters(int json)
{
    size_t count;
    const byre__counter_desc_t *table = byre__counter_table(&count);

    for (size_t i = 0; i < count; i++) {
        if (!json) {
            printf("%-18s %s\n", table[i].name, table[i].meaning);
            continue;
        }
        fputs(i == 0 ? "[\n  {" : "  {", stdout);
        print_field("name", table[i].name, ", ");
        print_field("meaning", table[i].meaning, i + 1 < count ? "},\n" : "}\n]\n");
    }
}

static int run(int argc, char **argv)
{
    static const struct option options[] = { { "json", no_argument, NULL, 'j' },
                                             { "counters", no_argument, NULL, 'c' },
                                             { NULL, 0, NULL, 0 } };
    int json = 0, counters = 0, option;
    size_t count;
    const byre__env_var_t *table;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?') {
            return byre__cmd_misuse(&command, "unknown option %s", argv[optind - 1]);
        }
        json |= option == 'j';
        counters |= option == 'c';
    }
    if (optind < argc) {
        return byre__cmd_misuse(&command, "takes no argument, but there is `%s'", argv[optind]);
    }
    if (counters) {
        print_counters(json);
        return BYRE__CMD_OK;
    }
    table = byre__env_table(&count);
    if (json) {
        print_json(table, count);
    } else {
        print_text(table, count);
    }
    return BYRE__CMD_OK;
}

static byre__cmd_t command = {
    .name = "env",
    .synopsis = "[--json] [--counters]",
    .summary = "the environment variables that Byre reads, and their values now",
    .details = "  --json      as JSON; the value is null if the variable is not set\n"
               "  --counters  the counters that byre_counter_get reads, instead\n",
    .run = run,
};

__attribute__((constructor)) static void add(void)
{
    byre__cmd_register(&command);
}
