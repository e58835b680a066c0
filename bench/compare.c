/* SPDX-License-Identifier: BSD-3-Clause */
/* compare: two files of --json lines, matched by what was measured. Ratios are compared, never
 * absolute figures: those belong to a machine and an hour. Lines that are no rows are passed over,
 * so that a baseline may begin with the machine's description. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char key[192];
    double ratio;
    bool more_is_better;
};

struct entries {
    struct entry *entry;
    size_t count, room;
};

/* The text after "name": up to the comma or brace that ends it, without quotes. */
static bool field(const char *line, const char *name, char *text, size_t room)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, "\"%s\":", name);
    const char *at = strstr(line, pattern);
    if (!at) return false;
    at += strlen(pattern);
    at += strspn(at, " ");
    bool quoted = *at == '"';
    at += quoted;
    snprintf(text, room, "%.*s", (int)strcspn(at, quoted ? "\"\n" : ",} \n"), at);
    return true;
}

static bool parse(const char *line, struct entry *entry)
{
    char bench[48], variant[32], ranks[12], transport[16], size[24], ratio[32], unit[16];
    char *end;

    if (!field(line, "bench", bench, sizeof bench) ||
        !field(line, "variant", variant, sizeof variant) ||
        !field(line, "ranks", ranks, sizeof ranks) ||
        !field(line, "transport", transport, sizeof transport) ||
        !field(line, "ratio", ratio, sizeof ratio) || !field(line, "unit", unit, sizeof unit))
        return false;
    if (!field(line, "bytes", size, sizeof size) && !field(line, "n", size, sizeof size))
        return false;
    snprintf(entry->key, sizeof entry->key, "%-20s %-12s %3s %-8s %8s", bench, variant, ranks,
             transport, size);
    entry->ratio = strtod(ratio, &end);
    entry->more_is_better = strstr(unit, "/s") != NULL;
    return end != ratio;
}

static bool append(struct entries *entries, const struct entry *entry)
{
    if (entries->count == entries->room) {
        size_t room = entries->room ? 2 * entries->room : 256;
        struct entry *grown = realloc(entries->entry, room * sizeof *grown);
        if (!grown) return false;
        entries->entry = grown;
        entries->room = room;
    }
    entries->entry[entries->count++] = *entry;
    return true;
}

static int load(const char *name, struct entries *entries)
{
    char *line = NULL;
    size_t room = 0;
    struct entry entry;
    FILE *file = fopen(name, "re");

    if (!file) return options_complain("%s: %s", name, strerror(errno));
    while (getline(&line, &room, file) > 0)
        if (parse(line, &entry) && !append(entries, &entry)) break;
    free(line);
    fclose(file);
    if (!entries->count) return options_complain("%s has no line of byre-bench --json", name);
    return 0;
}

static const struct entry *find(const struct entries *entries, const char *key)
{
    for (size_t i = 0; i < entries->count; i++)
        if (!strcmp(entries->entry[i].key, key)) return &entries->entry[i];
    return NULL;
}

/* Percent by which `now` is worse than `was`; negative: better. */
static double worse(const struct entry *was, const struct entry *is)
{
    double change = 100 * (is->ratio / was->ratio - 1);
    return was->more_is_better ? -change : change;
}

static int print_changes(const struct entries *base, const struct entries *result, double limit)
{
    int failures = 0, alone = 0;

    printf("# %-18s %-12s %3s %-8s %8s %9s %9s %8s\n", "bench", "variant", "n", "through", "size",
           "baseline", "result", "worse");
    for (size_t i = 0; i < result->count; i++) {
        const struct entry *is = &result->entry[i], *was = find(base, is->key);
        if (!was || !(was->ratio > 0)) {
            alone++;
            continue;
        }
        double percent = worse(was, is);
        bool failed = limit >= 0 && percent > limit;
        failures += failed;
        printf("%s %9.3f %9.3f %+7.1f%%%s\n", is->key, was->ratio, is->ratio, percent,
               failed ? "  <" : "");
    }
    if (alone) printf("# %d results have no baseline\n", alone);
    if (failures) printf("# %d ratios are worse by more than %g%%\n", failures, limit);
    return failures ? 1 : 0;
}

int compare_files(const char *base_name, const char *result_name, double fail_percent)
{
    struct entries base = { 0 }, result = { 0 };
    int status = load(base_name, &base);

    if (!status) status = load(result_name, &result);
    if (!status) status = print_changes(&base, &result, fail_percent);
    free(base.entry);
    free(result.entry);
    return status;
}
