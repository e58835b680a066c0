/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who faulted on what, and where in the program: a table that the fault handler counts in.
 *
 * Invariants
 *  T1  The table is one mapping, made at the start; the handler only finds its place there and adds. It
 *      takes no lock, so it may be interrupted by itself and runs on all threads at once.
 *  T2  A key and an instruction pointer are written once, from 0, by whoever claims the place. So a unit
 *      has one entry, and looking for it ends at the first empty place.
 *  T3  What finds no place within a few steps is counted nowhere. There is room for a million units.
 *
 * Neighbours are neighbours in the table, too, in groups: the table takes memory for what it holds.
 */
#include "report.h"

#include "env.h"
#include "node.h"
#include "transport.h"

#include <byre_errors.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    GROUPS = 1 << 14,
    GROUP_UNITS = 64,
    ENTRIES = GROUPS * GROUP_UNITS,
    STEPS = 64,     /* T3 */
    REGIONS = 1024, /* whose names are known, of those that a job makes */
    UNIT_BITS = 32  /* of a key; the others are the region */
};

typedef struct site {
    _Atomic uint64_t ip; /* 0: free */
    _Atomic uint64_t offset;
    _Atomic uint32_t reads, writes;
} site_t;

typedef struct entry {
    _Atomic uint64_t key; /* 0: free */
    _Atomic uint32_t reads, writes;
    site_t sites[BYRE__REPORT_SITES];
} entry_t;

bool byre__dsm_report_on;

static struct table {
    entry_t entries[GROUPS][GROUP_UNITS];
    byre__report_region_t regions[REGIONS];
    uint32_t count;
} * table;

int byre__dsm_report_start(void)
{
    int wish = byre__env_bool(BYRE__ENV_DSM_REPORT), wished = 0;
    int *wishes = malloc((size_t)byre__nodes.size * sizeof *wishes);

    if (!wishes) return BYRE_ENOMEM;
    int error = byre__transport->allgather(&wish, wishes, sizeof wish);
    for (int r = 0; r < byre__nodes.size && error == BYRE_OK; r++) wished |= wishes[r];
    free(wishes);
    if (error != BYRE_OK || !wished) return error;
    error = byre__dsm_report_listen();
    if (error != BYRE_OK) return error;
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        table = NULL;
        byre__dsm_report_deafen();
        return BYRE_ENOMEM;
    }
    byre__dsm_report_on = true;
    return BYRE_OK;
}

void byre__dsm_report_stop(void)
{
    if (!byre__dsm_report_on) return;
    byre__dsm_report_on = false;
    byre__dsm_report_deafen();
    munmap(table, sizeof *table);
    table = NULL;
}

/* ---- regions ----------------------------------------------------------------------------------- */

void byre__dsm_report_region(uint32_t region, const char *name, const void *base, size_t unit_bytes)
{
    if (!byre__dsm_report_on || table->count == REGIONS) return;
    byre__report_region_t *new = &table->regions[table->count++];
    new->number = region;
    new->base = (uintptr_t)base;
    new->unit_bytes = unit_bytes;
    (void)snprintf(new->name, sizeof new->name, "%s", name ? name : "");
}

byre__report_region_t byre__dsm_report_find(uint32_t region)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->regions[i].number == region) return table->regions[i];
    return (byre__report_region_t){ .number = region };
}

/* ---- faults ------------------------------------------------------------------------------------ */

/* T2: is the place ours, or has it become so? */
static bool claim(_Atomic uint64_t *place, uint64_t value)
{
    uint64_t found = atomic_load_explicit(place, memory_order_acquire);

    if (found == 0 && atomic_compare_exchange_strong(place, &found, value)) return true;
    return found == value;
}

static entry_t *find_entry(uint64_t key)
{
    uint64_t hash = (key / GROUP_UNITS * 0x9e3779b97f4a7c15u) >> 32;

    for (unsigned i = 0; i < STEPS; i++) {
        entry_t *entry = &table->entries[(hash + i) % GROUPS][key % GROUP_UNITS];
        if (claim(&entry->key, key)) return entry;
    }
    return NULL;
}

static void count(_Atomic uint32_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* What offset a site touches first: 0 is also what nobody has written, and then it is right, too. */
static void note_first(site_t *site, size_t offset)
{
    bool first = atomic_load(&site->reads) == 0 && atomic_load(&site->writes) == 0;

    if (first) atomic_store_explicit(&site->offset, offset, memory_order_relaxed);
}

void byre__dsm_report_fault(uint32_t region, size_t unit, size_t offset, bool write, const void *ip)
{
    uint64_t key = (uint64_t)region << UNIT_BITS | unit;
    uint64_t at = ip ? (uintptr_t)ip : 1;
    entry_t *entry = find_entry(key);

    if (!entry) return;
    count(write ? &entry->writes : &entry->reads);
    for (int i = 0; i < BYRE__REPORT_SITES; i++) {
        site_t *site = &entry->sites[i];
        if (!claim(&site->ip, at)) continue;
        note_first(site, offset);
        count(write ? &site->writes : &site->reads);
        return;
    }
}

/* ---- the most ---------------------------------------------------------------------------------- */

static byre__report_record_t read_entry(entry_t *entry)
{
    uint64_t key = atomic_load(&entry->key);
    byre__report_record_t record = { .region = (uint32_t)(key >> UNIT_BITS),
                                     .unit = key & (((uint64_t)1 << UNIT_BITS) - 1),
                                     .reads = atomic_load(&entry->reads),
                                     .writes = atomic_load(&entry->writes) };

    for (int i = 0; i < BYRE__REPORT_SITES; i++) {
        site_t *site = &entry->sites[i];
        record.sites[i] = (byre__report_site_t){ .ip = atomic_load(&site->ip),
                                                 .offset = atomic_load(&site->offset),
                                                 .reads = atomic_load(&site->reads),
                                                 .writes = atomic_load(&site->writes) };
    }
    return record;
}

static uint64_t faults(const byre__report_record_t *record)
{
    return (uint64_t)record->reads + record->writes;
}

static int most_first(const void *a, const void *b)
{
    const byre__report_record_t *x = a, *y = b;

    if (faults(x) != faults(y)) return faults(x) > faults(y) ? -1 : 1;
    if (x->region != y->region) return x->region < y->region ? -1 : 1;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

byre__report_record_t *byre__dsm_report_top(size_t *count_out)
{
    entry_t *entries = table->entries[0];
    size_t used = 0, i = 0;

    for (size_t e = 0; e < ENTRIES; e++) used += atomic_load(&entries[e].key) != 0;
    byre__report_record_t *records = malloc(used * sizeof *records + 1);
    if (!records) return NULL;
    for (size_t e = 0; e < ENTRIES && i < used; e++)
        if (atomic_load(&entries[e].key) != 0) records[i++] = read_entry(&entries[e]);
    qsort(records, i, sizeof *records, most_first);
    *count_out = i < BYRE__REPORT_TOP ? i : BYRE__REPORT_TOP;
    return records;
}
