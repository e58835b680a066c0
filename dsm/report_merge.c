/* SPDX-License-Identifier: BSD-3-Clause */
/* The report on rank 0: which units, in which order, and how it reads. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_UNITS = 20, MOST_RANKS = 8 }; /* that are printed; of a unit */

static uint64_t faults(const byre__report_line_t *line)
{
    return (uint64_t)line->record.reads + line->record.writes;
}

static bool same_unit(const byre__report_line_t *a, const byre__report_line_t *b)
{
    return a->record.region == b->record.region && a->record.unit == b->record.unit;
}

/* ---- which ------------------------------------------------------------------------------------- */

static int by_unit(const void *a, const void *b)
{
    const byre__report_line_t *x = a, *y = b;

    if (x->record.region != y->record.region) return x->record.region < y->record.region ? -1 : 1;
    if (x->record.unit != y->record.unit) return x->record.unit < y->record.unit ? -1 : 1;
    if (faults(x) != faults(y)) return faults(x) > faults(y) ? -1 : 1;
    return x->rank - y->rank;
}

typedef struct unit {
    const byre__report_line_t *lines;
    size_t count;
    uint64_t reads, writes;
} unit_t;

/* The lines from the first that are of one unit. */
static unit_t unit_at(const byre__report_line_t *lines, size_t count)
{
    unit_t unit = { .lines = lines };

    while (unit.count < count && same_unit(lines, &lines[unit.count])) {
        unit.reads += lines[unit.count].record.reads;
        unit.writes += lines[unit.count].record.writes;
        unit.count++;
    }
    return unit;
}

static int most_first(const void *a, const void *b)
{
    const unit_t *x = a, *y = b;
    uint64_t of_x = x->reads + x->writes, of_y = y->reads + y->writes;

    if (of_x != of_y) return of_x > of_y ? -1 : 1;
    return by_unit(x->lines, y->lines);
}

/* A unit that each rank fetched once did not bounce; nor did one that a single rank touched. */
static bool bounced(const unit_t *unit)
{
    return unit->count > 1 && unit->reads + unit->writes > unit->count;
}

size_t byre__dsm_report_merge(byre__report_line_t *lines, size_t count)
{
    byre__report_line_t *sorted = malloc(count * sizeof *sorted + 1);
    unit_t *units = malloc(count * sizeof *units + 1);
    size_t n = 0, kept = 0;

    if (sorted && units) {
        memcpy(sorted, lines, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, by_unit);
        for (size_t i = 0; i < count;) {
            units[n] = unit_at(&sorted[i], count - i);
            i += units[n].count;
            n += bounced(&units[n]);
        }
        qsort(units, n, sizeof *units, most_first);
        for (size_t u = 0; u < n && u < MOST_UNITS; u++) {
            memcpy(&lines[kept], units[u].lines, units[u].count * sizeof *lines);
            kept += units[u].count;
        }
    }
    free(units);
    free(sorted);
    return kept;
}

/* ---- how it reads ------------------------------------------------------------------------------ */

static void print_faults(FILE *out, uint64_t reads, uint64_t writes)
{
    const char *between = reads > 0 && writes > 0 ? ", " : "";

    if (reads > 0) fprintf(out, "%" PRIu64 " read%s", reads, reads > 1 ? "s" : "");
    fputs(between, out);
    if (writes > 0) fprintf(out, "%" PRIu64 " write%s", writes, writes > 1 ? "s" : "");
}

/* Do two ranks know a common place in the unit? Faults say where the first touch of each visit was, and
 * these eight bytes are what is known of. */
static bool meet(const byre__report_record_t *a, const byre__report_record_t *b)
{
    for (int i = 0; i < BYRE__REPORT_SITES && a->sites[i].ip != 0; i++)
        for (int k = 0; k < BYRE__REPORT_SITES && b->sites[k].ip != 0; k++)
            if (a->sites[i].offset / 8 == b->sites[k].offset / 8) return true;
    return false;
}

static bool looks_false(const unit_t *unit)
{
    if (unit->writes == 0) return false;
    for (size_t i = 0; i < unit->count; i++)
        for (size_t k = 0; k < i; k++)
            if (meet(&unit->lines[i].record, &unit->lines[k].record)) return false;
    return true;
}

static void print_place(FILE *out, const byre__report_record_t *record)
{
    byre__report_region_t region = byre__dsm_report_find(record->region);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = region.unit_bytes / page;

    if (region.name[0] != '\0')
        fputs(region.name, out);
    else
        fprintf(out, "region %u", region.number);
    if (pages == 0)
        fprintf(out, ", unit %" PRIu64, record->unit);
    else if (pages == 1)
        fprintf(out, ", page %" PRIu64, record->unit);
    else
        fprintf(out, ", pages %" PRIu64 "-%" PRIu64, record->unit * pages,
                (record->unit + 1) * pages - 1);
    if (pages > 0) fprintf(out, ", at 0x%" PRIxPTR, region.base + record->unit * region.unit_bytes);
}

static void print_rank(FILE *out, const byre__report_line_t *line)
{
    fprintf(out, "byre:        rank %d: ", line->rank);
    print_faults(out, line->record.reads, line->record.writes);
    fputc('\n', out);
    for (int s = 0; s < BYRE__REPORT_SITES; s++) {
        const byre__report_site_t *site = &line->record.sites[s];
        if (site->ip == 0) break;
        const char *text = line->texts[s].text[0] != '\0' ? line->texts[s].text : "?";
        fprintf(out, "byre:            +%" PRIu64 "  %s: ", site->offset, text);
        print_faults(out, site->reads, site->writes);
        fputc('\n', out);
    }
}

static void print_unit(FILE *out, const unit_t *unit, size_t number)
{
    fprintf(out, "byre: %3zu. ", number);
    print_place(out, &unit->lines[0].record);
    fprintf(out, ": %" PRIu64 " faults: ", unit->reads + unit->writes);
    print_faults(out, unit->reads, unit->writes);
    fputs(looks_false(unit) ? "; each rank at a place of its own: false sharing?\n" : "\n", out);
    for (size_t i = 0; i < unit->count && i < MOST_RANKS; i++) print_rank(out, &unit->lines[i]);
    if (unit->count > MOST_RANKS)
        fprintf(out, "byre:        and %zu more ranks\n", unit->count - MOST_RANKS);
}

void byre__dsm_report_print(const byre__report_line_t *lines, size_t count)
{
    char *text = NULL;
    size_t bytes = 0, number = 0;
    FILE *out = open_memstream(&text, &bytes);

    if (!out) return;
    if (count == 0)
        fputs("byre: shared memory: no unit went back and forth between ranks\n", out);
    else
        fputs(
            "byre: shared memory: the units that went back and forth between ranks most; +N is the "
            "byte that was touched first\n",
            out);
    for (size_t i = 0; i < count;) {
        unit_t unit = unit_at(&lines[i], count - i);
        print_unit(out, &unit, ++number);
        i += unit.count;
    }
    if (fclose(out) == 0)
        for (size_t put = 0; put < bytes;) {
            ssize_t more = write(STDERR_FILENO, text + put, bytes - put);
            if (more <= 0) break;
            put += (size_t)more;
        }
    free(text);
}
