/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The application view: what it permits, as protection changes of the kernel. This file is the engine
 * under the protocols: nothing else knows of mprotect.
 *
 * What a unit's view permits (`mapped`) is at most what this rank may do (`access`), and may be less: the
 * next touch opens it, without a message. That is the way out when the kernel has no mappings left
 * (vm.max_map_count): each pair of neighbours with different protection takes one. They are counted
 * (`splits`), and before the kernel would refuse, the whole region is closed, which makes it one mapping
 * again; it opens again as it is touched. If that does not help because other regions have the mappings,
 * those are closed too: else a region with room for one unit could never serve an instruction that needs
 * two (invariant 4).
 */
#include "region.h"

#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPARE = 2000 }; /* mappings left to the rest of the process */

long byre__dsm_view_budget; /* splits that all regions together may have; tests lower it */
static _Atomic long splits_of_all;
static _Atomic bool told;

static long read_number(const char *file)
{
    long number = -1;
    FILE *in = fopen(file, "re");
    if (in == NULL) return -1;
    if (fscanf(in, "%ld", &number) != 1) number = -1; /* NOLINT(cert-err34-c) */
    fclose(in);
    return number;
}

static long count_mappings(void)
{
    long lines = 0;
    FILE *in = fopen("/proc/self/maps", "re");
    if (in == NULL) return 0;
    for (int c; (c = getc(in)) != EOF;) lines += c == '\n';
    fclose(in);
    return lines;
}

void byre__dsm_view_start(void)
{
    long most = read_number("/proc/sys/vm/max_map_count");
    if (most < 0) most = 65530;
    byre__dsm_view_budget = most - count_mappings() - SPARE;
    if (byre__dsm_view_budget < 16) byre__dsm_view_budget = 16;
    atomic_store(&splits_of_all, 0);
    atomic_store(&told, false);
}

/* May one more unit be opened? It differs from both of its neighbours. */
static bool is_short(void)
{
    return atomic_load_explicit(&splits_of_all, memory_order_relaxed) + 2 > byre__dsm_view_budget;
}

static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };

static bool protect(dsm_region_t *region, size_t first, size_t count, enum dsm_access access)
{
    region->stats.protections++;
    return mprotect(region->app + first * region->unit_bytes, count * region->unit_bytes,
                    protections[access]) == 0;
}

/* Neighbours [from, to) and the ones behind them that differ. */
static size_t splits_in(const dsm_region_t *region, size_t from, size_t to)
{
    size_t splits = 0;
    for (size_t i = from; i < to && i + 1 < region->units; i++)
        splits += region->unit[i].mapped != region->unit[i + 1].mapped;
    return splits;
}

static void note(dsm_region_t *region, size_t first, size_t count, enum dsm_access access)
{
    size_t from = first > 0 ? first - 1 : 0, to = first + count;
    size_t before = splits_in(region, from, to);
    for (size_t i = first; i < to; i++) region->unit[i].mapped = (uint8_t)access;
    size_t after = splits_in(region, from, to);
    region->splits += after - before;
    atomic_fetch_add_explicit(&splits_of_all, (long)after - (long)before, memory_order_relaxed);
}

static void tell(void)
{
    if (atomic_exchange(&told, true)) return;
    byre__dsm_say(
        "shared memory is used in such small pieces that the kernel's mappings run out: views "
        "are closed and opened again, which costs time. Remedy: sysctl -w "
        "vm.max_map_count=1000000, or regions with larger units (attr.unit_pages)");
}

/* Close what is not pinned: runs between pins, which are few, and what nobody has touched, which is closed and
 * whose entries in the table take no memory yet. */
static void close_region(dsm_region_t *region)
{
    region->stats.flushes++;
    for (size_t i = 0; (i = byre__dsm_next_touched(region, i)) < region->units;) {
        size_t end = i;
        while (end < region->units && region->touched[end / DSM_CHUNK] &&
               region->unit[end].pins == 0)
            end++;
        if (end > i && protect(region, i, end - i, DSM_NONE)) note(region, i, end - i, DSM_NONE);
        i = end + 1;
    }
}

/* The lock of another region is only tried, so there is no order of locks to break: who has it now will soon
 * have finished, and the next flush finds it free. */
static void close_others(const dsm_region_t *region, bool all)
{
    for (int i = 0; i < DSM_REGIONS && (all || is_short()); i++) {
        dsm_region_t *other = &byre__dsm_regions[i];
        if (other == region || other->id == 0 || !byre__dsm_trylock(other)) continue;
        if (other->id != 0 && other->splits > 0) close_region(other);
        byre__dsm_unlock(other);
    }
}

static void flush(dsm_region_t *region, bool all)
{
    tell();
    close_region(region);
    close_others(region, all);
}

void byre__dsm_view(dsm_region_t *region, size_t first, size_t count, enum dsm_access access)
{
    bool all = true;
    for (size_t i = first; i < first + count && all; i++) all = region->unit[i].mapped == access;
    if (all) return;
    if (__builtin_expect(is_short() && region->splits > 0, 0)) flush(region, false);
    if (__builtin_expect(!protect(region, first, count, access), 0)) {
        flush(region, true);
        if (!protect(region, first, count, access)) {
            byre__dsm_say(
                "the kernel refuses to change the protection of shared memory (errno %d): the "
                "program cannot go on. If it is ENOMEM: sysctl -w "
                "vm.max_map_count=1000000, or larger units (attr.unit_pages)",
                errno);
            abort();
        }
    }
    note(region, first, count, access);
}

void byre__dsm_view_forget(dsm_region_t *region)
{
    atomic_fetch_sub(&splits_of_all, (long)region->splits);
    region->splits = 0;
}
