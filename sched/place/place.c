/* SPDX-License-Identifier: BSD-3-Clause */
/* place.c - the books of placing: who has which processors and how much memory. Keeps I3, I4 and I5 (see
 * place_inside.h). Everything that can fail comes before the first change, so that a call does all or nothing.
 */
#include "sched/place/place_inside.h"

#include <stdlib.h>
#include <string.h>

#include <byre_errors.h>

enum { FAR_BEHIND = 256 };

/* ---- create, destroy ---------------------------------------------------------------------------- */

void byre__placer_destroy(byre__placer_t *placer)
{
    if (!placer) return;
    byre__place_table_fini(&placer->jobs, (void (*)(place_link_t *))free);
    byre__place_table_fini(&placer->keys, byre__place_key_destroy);
    free(placer->slot);
    free(placer->cpu);
    free(placer->domain);
    free(placer->node);
    free(placer->may);
    free(placer->cost);
    free(placer->lack);
    free(placer->queue);
    free(placer->homes);
    free(placer->room);
    free(placer->chosen);
    free(placer->sorted);
    free(placer);
}

static int make_scratch(byre__placer_t *placer)
{
    placer->may = calloc(placer->slots, sizeof *placer->may);
    placer->cost = calloc(placer->slots, sizeof *placer->cost);
    placer->lack = calloc(placer->slots, sizeof *placer->lack);
    placer->queue = calloc(placer->slots, sizeof *placer->queue);
    placer->room = calloc((size_t)placer->domains, sizeof *placer->room);
    placer->homes = calloc((size_t)placer->domains, sizeof *placer->homes);
    placer->chosen = calloc(placer->slots, sizeof *placer->chosen);
    placer->sorted = calloc(placer->slots, sizeof *placer->sorted);
    return placer->may && placer->cost && placer->lack && placer->queue && placer->room &&
                   placer->homes && placer->chosen && placer->sorted
               ? BYRE_OK
               : BYRE_ENOMEM;
}

static int fill_in(byre__placer_t *placer, const byre__cpuset_t *allowed,
                   const byre__place_config_t *config)
{
    int status = byre__place_tree(placer, allowed);

    if (status != BYRE_OK) return status;
    if (placer->slots == 0 || (config->bind && config->slots > placer->slots)) return BYRE_EINVAL;
    placer->limit = config->slots > 0 ? config->slots : placer->slots;
    placer->mem = config->mem;
    for (uint32_t i = 0; config->mem == 0 && i < placer->nodes; i++) {
        placer->mem += placer->node[i].mem;
    }
    return make_scratch(placer);
}

int byre__placer_create(struct hwloc_topology *topology, const byre__cpuset_t *allowed,
                        const byre__place_config_t *config, byre__placer_t **placer_out)
{
    const place_policy_t *policy = byre__place_policy(config->policy);
    byre__placer_t *placer;
    int status;

    if (!policy) return BYRE_EINVAL;
    placer = calloc(1, sizeof *placer);
    if (!placer) return BYRE_ENOMEM;
    placer->topology = topology;
    placer->policy = policy;
    placer->smt = config->smt;
    placer->bind = config->bind;
    status = fill_in(placer, allowed, config);
    if (status != BYRE_OK) {
        byre__placer_destroy(placer);
        return status;
    }
    *placer_out = placer;
    return BYRE_OK;
}

/* ---- jobs --------------------------------------------------------------------------------------- */

static place_job_t *find_job(const byre__placer_t *placer, uint64_t number)
{
    uint64_t hash = byre__place_hash(&number, sizeof number);
    place_link_t *link = NULL;

    while ((link = byre__place_table_find(&placer->jobs, hash, link)) != NULL) {
        if (((place_job_t *)link)->job == number) return (place_job_t *)link;
    }
    return NULL;
}

static bool has_key(const byre__placer_t *placer, const byre__place_request_t *request)
{
    return placer->bind && placer->policy->remembers && request->affinity &&
           request->affinity[0] != '\0';
}

/* A job with the slots of chosen[], in the table; it counts for nothing yet. */
static place_job_t *add_job(byre__placer_t *placer, const byre__place_request_t *request)
{
    uint32_t count = placer->chosen_count;
    place_job_t *job = calloc(1, sizeof *job + count * sizeof job->slot[0]);

    if (!job) return NULL;
    job->job = request->job;
    job->cpus = request->cpus;
    job->mem = request->mem;
    job->count = count;
    if (count > 0) memcpy(job->slot, placer->chosen, count * sizeof job->slot[0]);
    if (has_key(placer, request)) {
        job->key = byre__place_key_get(placer, request->affinity);
        if (!job->key) goto undo_job;
    }
    if (!byre__place_table_add(&placer->jobs, &job->link,
                               byre__place_hash(&job->job, sizeof job->job))) {
        goto undo_job;
    }
    if (job->key) job->key->users++;
    return job;

undo_job:
    free(job);
    return NULL;
}

static void remove_job(byre__placer_t *placer, place_job_t *job)
{
    if (job->key) job->key->users--;
    byre__place_table_remove(&placer->jobs, &job->link);
    free(job);
}

/* ---- waiting jobs ------------------------------------------------------------------------------- */

static void add_waiting(byre__placer_t *placer, place_job_t *job)
{
    job->waiting = true;
    job->ahead = placer->last_waiting;
    *(job->ahead ? &job->ahead->behind : &placer->first_waiting) = job;
    placer->last_waiting = job;
    for (uint32_t i = 0; i < job->count; i++) placer->slot[job->slot[i]].waiting++;
}

static void remove_waiting(byre__placer_t *placer, place_job_t *job)
{
    *(job->ahead ? &job->ahead->behind : &placer->first_waiting) = job->behind;
    *(job->behind ? &job->behind->ahead : &placer->last_waiting) = job->ahead;
    for (uint32_t i = 0; i < job->count; i++) placer->slot[job->slot[i]].waiting--;
    remove_job(placer, job);
}

/* Into queue[]: who comes before this job (NULL: one that has just come)? Walks along those ahead, so that to
 * offer from the head costs little; far behind, all that wait are as good an answer. */
static void count_queue(byre__placer_t *placer, const place_job_t *job)
{
    const place_job_t *at = job ? placer->first_waiting : NULL;

    memset(placer->queue, 0, placer->slots * sizeof *placer->queue);
    for (int walked = 0; at && at != job && walked < FAR_BEHIND; at = at->behind, walked++) {
        for (uint32_t i = 0; i < at->count; i++) placer->queue[at->slot[i]]++;
    }
    if (job && at == job) return;
    for (uint32_t i = 0; i < placer->slots; i++) placer->queue[i] = placer->slot[i].waiting;
}

/* ---- memory nodes ------------------------------------------------------------------------------- */

/* The memory nodes of the job's processors that are allowed, as places in placer->node. */
static byre__cpuset_t nodes_of(const byre__placer_t *placer, const place_job_t *job)
{
    byre__cpuset_t set = { { 0 } };

    for (uint32_t n = 0; n < placer->nodes; n++) {
        for (uint32_t i = 0; i < job->count && !byre__cpuset_has(&set, (int)n); i++) {
            if (hwloc_bitmap_isset(placer->slot[job->slot[i]].obj->nodeset,
                                   placer->node[n].os_index)) {
                byre__cpuset_add(&set, (int)n);
            }
        }
    }
    return set;
}

/* Each of the nodes gives the same share of what the job says it needs. If one has not so much left, the
 * job may have memory anywhere: bound to full nodes it would be killed while others are empty. */
static void charge_nodes(byre__placer_t *placer, place_job_t *job, byre__cpuset_t *nodes_io)
{
    uint64_t count = (uint64_t)byre__cpuset_count(nodes_io), share;

    if (count == 0 || job->mem == 0) return;
    share = (job->mem + count - 1) / count;
    for (uint32_t n = 0; n < placer->nodes; n++) {
        const node_t *node = &placer->node[n];

        if (byre__cpuset_has(nodes_io, (int)n) &&
            (node->used > node->mem || share > node->mem - node->used)) {
            *nodes_io = (byre__cpuset_t){ { 0 } };
            return;
        }
    }
    for (uint32_t n = 0; n < placer->nodes; n++) {
        if (byre__cpuset_has(nodes_io, (int)n)) placer->node[n].used += share;
    }
    job->share = share;
}

static void credit_nodes(byre__placer_t *placer, const place_job_t *job)
{
    byre__cpuset_t nodes = nodes_of(placer, job);

    for (uint32_t n = 0; n < placer->nodes; n++) {
        if (byre__cpuset_has(&nodes, (int)n)) placer->node[n].used -= job->share;
    }
}

/* ---- what is told ------------------------------------------------------------------------------- */

/* Whole, or nothing: part of a list would be other processors. */
static void print_set(const byre__cpuset_t *set, char text_out[BYRE__CPU_LIST])
{
    char text[BYRE__CPU_LIST + 16];

    byre__cpuset_format(set, text, sizeof text);
    if (strlen(text) >= BYRE__CPU_LIST) text[0] = '\0';
    memcpy(text_out, text, strlen(text) + 1);
}

static void print_cpus(const byre__placer_t *placer, const uint16_t *slot, uint32_t count,
                       char text_out[BYRE__CPU_LIST])
{
    byre__cpuset_t set = { { 0 } };

    for (uint32_t i = 0; i < count; i++) {
        const slot_t *one = &placer->slot[slot[i]];

        for (uint32_t k = 0; k < one->cpus; k++) {
            byre__cpuset_add(&set, (int)placer->cpu[one->cpu + k]);
        }
    }
    print_set(&set, text_out);
}

static void print_nodes(const byre__placer_t *placer, const byre__cpuset_t *nodes,
                        char text_out[BYRE__CPU_LIST])
{
    byre__cpuset_t set = { { 0 } };

    for (uint32_t n = 0; n < placer->nodes; n++) {
        if (byre__cpuset_has(nodes, (int)n)) byre__cpuset_add(&set, (int)placer->node[n].os_index);
    }
    print_set(&set, text_out);
}

static void describe(const byre__placer_t *placer, const place_job_t *job,
                     const byre__cpuset_t *nodes, byre__placement_t *placement_out)
{
    *placement_out = (byre__placement_t){ .package = -1, .numa = -1, .l3 = -1 };
    if (job->count == 0) return;
    print_cpus(placer, job->slot, job->count, placement_out->cpus);
    print_nodes(placer, nodes, placement_out->nodes);
    placement_out->package = placer->slot[job->slot[0]].package;
    placement_out->numa = placer->slot[job->slot[0]].numa;
    placement_out->l3 = placer->slot[job->slot[0]].l3;
    for (uint32_t i = 1; i < job->count; i++) {
        const slot_t *slot = &placer->slot[job->slot[i]];

        if (slot->package != placement_out->package) placement_out->package = -1;
        if (slot->numa != placement_out->numa) placement_out->numa = -1;
        if (slot->l3 != placement_out->l3) placement_out->l3 = -1;
    }
}

/* ---- take --------------------------------------------------------------------------------------- */

bool byre__placer_fits(const byre__placer_t *placer, uint32_t cpus, uint64_t mem)
{
    return cpus <= placer->limit && mem <= placer->mem;
}

static bool has_room(const byre__placer_t *placer, const byre__place_request_t *request)
{
    return placer->used <= placer->limit && request->cpus <= placer->limit - placer->used &&
           placer->mem_used <= placer->mem && request->mem <= placer->mem - placer->mem_used;
}

/* Which slots have the memory that the job needs too far away? */
static void find_lack(byre__placer_t *placer, uint64_t mem)
{
    for (uint32_t i = 0; i < placer->slots; i++) {
        int n = placer->slot[i].node;

        placer->lack[i] = mem > 0 && n >= 0 &&
                          (placer->node[n].used > placer->node[n].mem ||
                           mem > placer->node[n].mem - placer->node[n].used);
    }
}

/* Into chosen[]; see place_policy.pick. */
static int pick(byre__placer_t *placer, const byre__place_request_t *request,
                const place_job_t *before)
{
    const place_key_t *key = NULL;
    bool room = has_room(placer, request);
    int status;

    placer->chosen_count = 0;
    if (!placer->bind) return room ? BYRE_OK : BYRE_EAGAIN;
    if (has_key(placer, request)) key = byre__place_key_find(placer, request->affinity);
    find_lack(placer, request->mem);
    if (placer->policy->queues) count_queue(placer, before);
    status = placer->policy->pick(placer, request->cpus, key);
    if (status != BYRE_OK || room) return status;
    placer->chosen_count = 0;
    return BYRE_EAGAIN;
}

/* The job's slots and memory are its own from now on. */
static byre__cpuset_t begin(byre__placer_t *placer, place_job_t *job)
{
    byre__cpuset_t nodes = nodes_of(placer, job);

    placer->used += job->cpus;
    placer->mem_used += job->mem;
    charge_nodes(placer, job, &nodes);
    for (uint32_t i = 0; i < job->count; i++) {
        placer->slot[job->slot[i]].holders++;
        placer->slot[job->slot[i]].started++;
    }
    if (job->key) byre__place_key_began(placer, job->key, job->slot, job->count);
    return nodes;
}

static int check(const byre__placer_t *placer, const byre__place_request_t *request,
                 const place_job_t *before)
{
    if (request->job == 0 || request->cpus == 0) return BYRE_EINVAL;
    if (before && !before->waiting) return BYRE_EEXIST;
    return byre__placer_fits(placer, request->cpus, request->mem) ? BYRE_OK : BYRE_ERANGE;
}

int byre__placer_take(byre__placer_t *placer, const byre__place_request_t *request,
                      byre__placement_t *placement_out, char wait_out[BYRE__CPU_LIST])
{
    place_job_t *before = find_job(placer, request->job), *job;
    int status = check(placer, request, before);
    byre__cpuset_t nodes;

    if (status != BYRE_OK) return status;
    status = pick(placer, request, before);
    if (status == BYRE_EAGAIN && wait_out) {
        print_cpus(placer, placer->chosen, placer->chosen_count, wait_out);
    }
    if (status != BYRE_OK) return status;
    job = add_job(placer, request);
    if (!job) return BYRE_ENOMEM;
    if (before) remove_waiting(placer, before);
    nodes = begin(placer, job);
    describe(placer, job, &nodes, placement_out);
    return BYRE_OK;
}

/* ---- retake, give ------------------------------------------------------------------------------- */

static bool overlaps(const byre__placer_t *placer, const slot_t *slot, const byre__cpuset_t *set)
{
    for (uint32_t k = 0; k < slot->cpus; k++) {
        if (byre__cpuset_has(set, (int)placer->cpu[slot->cpu + k])) return true;
    }
    return false;
}

int byre__placer_retake(byre__placer_t *placer, const byre__place_request_t *request,
                        const char *cpus)
{
    byre__cpuset_t set = { { 0 } };
    place_job_t *job;

    if (request->job == 0 || request->cpus == 0) return BYRE_EINVAL;
    if (cpus[0] != '\0' && byre__cpuset_parse(cpus, &set) < 0) return BYRE_EINVAL;
    job = find_job(placer, request->job);
    if (job && !job->waiting) return BYRE_EEXIST;
    byre__placer_unexpect(placer, request->job);
    placer->chosen_count = 0;
    for (uint32_t i = 0; placer->bind && i < placer->slots; i++) {
        if (overlaps(placer, &placer->slot[i], &set)) {
            placer->chosen[placer->chosen_count++] = (uint16_t)i;
        }
    }
    job = add_job(placer, request);
    if (!job) return BYRE_ENOMEM;
    begin(placer, job);
    return BYRE_OK;
}

void byre__placer_give(byre__placer_t *placer, uint64_t number)
{
    place_job_t *job = find_job(placer, number);

    if (!job || job->waiting) return;
    placer->used -= job->cpus;
    placer->mem_used -= job->mem;
    if (job->share > 0) credit_nodes(placer, job);
    for (uint32_t i = 0; i < job->count; i++) placer->slot[job->slot[i]].holders--;
    if (job->key) byre__place_key_ended(placer, job->key, job->slot, job->count);
    remove_job(placer, job);
}

/* ---- expect ------------------------------------------------------------------------------------- */

void byre__placer_expect(byre__placer_t *placer, const byre__place_request_t *request)
{
    place_job_t *job;

    if (!placer->bind || !placer->policy->queues || find_job(placer, request->job) ||
        check(placer, request, NULL) != BYRE_OK) {
        return;
    }
    count_queue(placer, NULL);
    byre__place_foresee(placer, request->cpus,
                        has_key(placer, request) ? byre__place_key_find(placer, request->affinity)
                                                 : NULL);
    job = add_job(placer, request);
    if (job)
        add_waiting(placer, job); /* else its place in the queue is not known, and nothing worse */
}

void byre__placer_unexpect(byre__placer_t *placer, uint64_t number)
{
    place_job_t *job = find_job(placer, number);

    if (job && job->waiting) remove_waiting(placer, job);
}

/* ---- figures ------------------------------------------------------------------------------------ */

uint32_t byre__placer_slots(const byre__placer_t *placer)
{
    return placer->limit;
}

uint32_t byre__placer_used(const byre__placer_t *placer)
{
    return placer->used;
}

uint64_t byre__placer_mem(const byre__placer_t *placer)
{
    return placer->mem;
}

uint64_t byre__placer_mem_used(const byre__placer_t *placer)
{
    return placer->mem_used;
}
