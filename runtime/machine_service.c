/* SPDX-License-Identifier: BSD-3-Clause */
/* machine_service.c - where the service thread hurts least.
 *
 * Interface: machine.h. The service thread takes a processor from a computing rank whenever it runs
 * on one; on a processor that nobody computes on it costs nothing but cache traffic. It touches what the
 * rank touches (messages, pages), so it should share the rank's L3 cache, at least its memory. A
 * hyperthread of a core that computes is spare only in name, but still better than the rank's own.
 */
#include "runtime/machine.h"

#include <string.h>

const char *byre__service_choice_text(byre__service_choice_t choice)
{
    switch (choice) {
    case BYRE__SERVICE_SPARE_L3:
        return "idle core, same L3";
    case BYRE__SERVICE_SPARE_NUMA:
        return "idle core, same NUMA node";
    case BYRE__SERVICE_SPARE_SIBLING:
        return "idle hyperthread, same NUMA node";
    case BYRE__SERVICE_UNBOUND:
        return "no processor to spare: where the rank runs";
    }
    return "?";
}

typedef struct {
    byre__cpuset_t l3s, numas; /* sets of L3 caches and NUMA nodes, not of processors */
    byre__cpuset_t busy_cores; /* cores on which some rank computes */
    byre__cpuset_t busy;       /* processors in some rank's set */
} surroundings_t;

static void look_around(const byre__cpuset_t *ranks, int count, int self, surroundings_t *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < count; i++) {
        for (size_t word = 0; word < sizeof s->busy.word / sizeof s->busy.word[0]; word++) {
            s->busy.word[word] |= ranks[i].word[word];
        }
    }
    for (int cpu = 0; cpu < BYRE__CPUSET_MAX; cpu++) {
        byre__place_t place;

        if (!byre__cpuset_has(&s->busy, cpu) || byre__machine_place_of(cpu, &place) < 0) {
            continue;
        }
        byre__cpuset_add(&s->busy_cores, place.core);
        if (byre__cpuset_has(&ranks[self], cpu)) {
            byre__cpuset_add(&s->l3s, place.l3);
            byre__cpuset_add(&s->numas, place.numa);
        }
    }
}

/* The best that a spare processor can be called; BYRE__SERVICE_UNBOUND: not spare, or too far away. */
static byre__service_choice_t judge(const surroundings_t *s, int cpu)
{
    byre__place_t place;

    if (byre__cpuset_has(&s->busy, cpu) || byre__machine_place_of(cpu, &place) < 0 ||
        !byre__cpuset_has(&s->numas, place.numa)) {
        return BYRE__SERVICE_UNBOUND;
    }
    if (byre__cpuset_has(&s->busy_cores, place.core)) {
        return BYRE__SERVICE_SPARE_SIBLING;
    }
    return byre__cpuset_has(&s->l3s, place.l3) ? BYRE__SERVICE_SPARE_L3 : BYRE__SERVICE_SPARE_NUMA;
}

byre__service_choice_t byre__machine_choose_service_cpus(const byre__cpuset_t *ranks, int count,
                                                         int self, const byre__cpuset_t *outer,
                                                         byre__cpuset_t *cpus_out)
{
    byre__service_choice_t best = BYRE__SERVICE_UNBOUND;
    surroundings_t s;

    look_around(ranks, count, self, &s);
    *cpus_out = ranks[self];
    for (int cpu = 0; cpu < BYRE__CPUSET_MAX; cpu++) {
        byre__service_choice_t choice;

        if (!byre__cpuset_has(outer, cpu)) {
            continue;
        }
        choice = judge(&s, cpu);
        if (choice < best) {
            best = choice;
            memset(cpus_out, 0, sizeof *cpus_out);
        }
        if (choice == best && best != BYRE__SERVICE_UNBOUND) {
            byre__cpuset_add(cpus_out, cpu);
        }
    }
    return best;
}
