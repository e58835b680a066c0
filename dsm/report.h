/* SPDX-License-Identifier: BSD-3-Clause */
/* BYRE_DSM_REPORT: which units bounce between ranks, and which lines of the program make them. Described
 * in report.c. */
#ifndef BYRE__DSM_REPORT_H
#define BYRE__DSM_REPORT_H

#include "source.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is a report wanted? Ask before byre__dsm_report_fault. */
extern bool byre__dsm_report_on;

/* For the start of a part (part.h): collective, the wish of any rank counts for all. BYRE_ENOMEM;
 * BYRE_EMPI. */
int byre__dsm_report_start(void);
void byre__dsm_report_stop(void);

/* A region has been made, or the heap's. Its number is the same on all ranks, not 0, and will not be that
 * of another one. */
void byre__dsm_report_region(uint32_t region, const char *name, const void *base,
                             size_t unit_bytes);

/* A thread at `ip` touched byte `offset` of a unit that was elsewhere. Async-signal-safe, any thread. */
void byre__dsm_report_fault(uint32_t region, size_t unit, size_t offset, bool write,
                            const void *ip);

/* For the finish of a part: collective, blocks. Rank 0 prints. Does nothing if no report is wanted. */
void byre__dsm_report_finish(void);

/* ---- between the files of the report ------------------------------------------------------------- */

enum { BYRE__REPORT_SITES = 4, BYRE__REPORT_TOP = 1000 };

/* One place in the program that faulted on a unit. */
typedef struct byre__report_site {
    uint64_t ip;     /* on its rank; 0: none, and none behind */
    uint64_t offset; /* in the unit, that it touched first */
    uint32_t reads, writes;
} byre__report_site_t;

/* A unit on one rank; travels. Sites in the order in which they came; faults of more sites are counted in
 * reads and writes only. */
typedef struct byre__report_record {
    uint64_t unit;
    uint32_t region;
    uint32_t reads, writes;
    uint32_t unused;
    byre__report_site_t sites[BYRE__REPORT_SITES];
} byre__report_record_t;

typedef struct byre__report_region {
    uint32_t number;
    char name[40];
    uintptr_t base;
    size_t unit_bytes; /* 0: nobody said what it is like */
} byre__report_region_t;

/* The units of this rank with the most faults, BYRE__REPORT_TOP at most; to be freed. NULL: no memory. */
byre__report_record_t *byre__dsm_report_top(size_t *count_out);
byre__report_region_t byre__dsm_report_find(uint32_t region);

/* report_send.c, for start and stop. */
int byre__dsm_report_listen(void); /* BYRE_ENOMEM */
void byre__dsm_report_deafen(void);

/* report_merge.c: a unit on one rank, and what its sites are called; all of a unit stand together. */
typedef struct byre__report_line {
    byre__report_record_t record;
    int rank;
    byre__source_text_t texts[BYRE__REPORT_SITES];
} byre__report_line_t;

/* Sorts: what belongs to one unit, the units with the most faults first, in each the ranks
 * with the most first; keeps what is worth printing. Returns how many lines. */
size_t byre__dsm_report_merge(byre__report_line_t *lines, size_t count);

/* The report, one write to stderr. */
void byre__dsm_report_print(const byre__report_line_t *lines, size_t count);

#endif
