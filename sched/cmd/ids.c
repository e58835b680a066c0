/* SPDX-License-Identifier: BSD-3-Clause */
/* ids.c - jobs as people name them: n1.17, 17, n1.17..1016; and the indices of an array. */
#include "share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool ids_parse(const char *text, const char *home, ids_range_t *range_out)
{
    const char *dots = strstr(text, "..");
    byre__job_id_t last;
    char first[BYRE__JOB_ID];

    if (dots == NULL) {
        range_out->count = 1;
        return byre__job_id_parse(text, home, &range_out->first);
    }
    if ((size_t)(dots - text) >= sizeof first) return false;
    memcpy(first, text, (size_t)(dots - text));
    first[dots - text] = '\0';
    if (!byre__job_id_parse(first, home, &range_out->first)) return false;
    if (!byre__job_id_parse(dots + 2, range_out->first.home, &last)) return false;
    if (strcmp(last.home, range_out->first.home) != 0) return false;
    if (last.number < range_out->first.number) return false;
    range_out->count = last.number - range_out->first.number + 1;
    return true;
}

int ids_read(const byre__cmd_t *cmd, const char *home, char **words, int count,
             ids_range_t **ranges_out)
{
    ids_range_t *ranges = calloc((size_t)count + 1, sizeof *ranges);

    if (ranges == NULL) return byre__cmd_fail(cmd, "out of memory");
    for (int i = 0; i < count; i++) {
        if (ids_parse(words[i], home, &ranges[i])) continue;
        free(ranges);
        return byre__cmd_misuse(cmd,
                                "`%s' is no job's id: they look like %s.17, many like %s.17..99",
                                words[i], home, home);
    }
    *ranges_out = ranges;
    return BYRE__CMD_OK;
}

static int in_order(const void *a, const void *b)
{
    const ids_range_t *x = a, *y = b;
    int homes = strcmp(x->first.home, y->first.home);

    return homes != 0 ? homes :
                        (x->first.number > y->first.number) - (x->first.number < y->first.number);
}

size_t ids_merge(ids_range_t *ranges, size_t count)
{
    size_t kept = 0;

    qsort(ranges, count, sizeof *ranges, in_order);
    for (size_t i = 0; i < count; i++) {
        ids_range_t *last = kept > 0 ? &ranges[kept - 1] : NULL;
        uint64_t number = ranges[i].first.number, end = number + ranges[i].count;

        if (last == NULL || strcmp(last->first.home, ranges[i].first.home) != 0 ||
            last->first.number + last->count < number)
            ranges[kept++] = ranges[i];
        else if (last->first.number + last->count < end)
            last->count = end - last->first.number;
    }
    return kept;
}

void ids_pack(byre__pack_t *pack, const ids_range_t *ranges, size_t count)
{
    byre__pack_u32(pack, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        byre__pack_job_id(pack, &ranges[i].first);
        byre__pack_u64(pack, ranges[i].count);
    }
}

/* ---- indices of an array ------------------------------------------------------------------------------- */

enum { INDICES_MAX = 1000000 };

typedef struct indices {
    uint64_t *values;
    size_t count;
} indices_t;

static bool number(const char **at, uint64_t *value_out)
{
    char *end;

    if (**at < '0' || **at > '9') return false;
    errno = 0;
    *value_out = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* "7" or "0-999" or "0-999:10", up to a comma or the end. */
static bool take_part(indices_t *all, const char **at, const char **why_out)
{
    uint64_t first, last, step = 1;
    uint64_t *values;

    *why_out = "a list of numbers and ranges is wanted, as 0-999, 0-99:10 or 1,5,7-9";
    if (!number(at, &first)) return false;
    last = first;
    if (**at == '-') {
        (*at)++;
        if (!number(at, &last)) return false;
        if (**at == ':') {
            (*at)++;
            if (!number(at, &step) || step == 0) return false;
        }
    }
    if (**at != ',' && **at != '\0') return false;
    *why_out = "its end comes before its beginning";
    if (last < first) return false;
    *why_out = "an array has at most 1000000 jobs";
    if ((last - first) / step >= INDICES_MAX - all->count) return false;
    *why_out = "out of memory";
    values = realloc(all->values, (all->count + (last - first) / step + 1) * sizeof *values);
    if (values == NULL) return false;
    all->values = values;
    for (uint64_t n = (last - first) / step + 1; n > 0; n--, first += step)
        values[all->count++] = first;
    return true;
}

uint64_t *ids_indices(const char *text, size_t *count_out, char why_out[static 160])
{
    indices_t all = { NULL, 0 };
    const char *at = text, *why;

    while (take_part(&all, &at, &why)) {
        if (*at == '\0') {
            *count_out = all.count;
            return all.values;
        }
        at++;
    }
    snprintf(why_out, 160, "`%.40s': %s", text, why);
    free(all.values);
    return NULL;
}
