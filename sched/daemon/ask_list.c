/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ask_list.c - byre ps: rows of all homes, one home after the other, in pages.
 *
 * A page is put together at once, so it is short. Where the next one begins travels with the question: first
 * the jobs that have not ended, from number `next_open' on, then the ended ones, downwards from `last_ended'.
 */
#include <stdlib.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/members.h"
#include "sched/daemon/wire.h"

enum { PAGE = 256, LIST_OPEN = 1, LIST_ENDED = 2 };

/* ---- who asks ------------------------------------------------------------------------------------ */

static bool concerned(const ask_t *ask, int rank)
{
    return member_up(rank) &&
           (ask->range_count == 0 || ask_ranges_of(ask->ranges, ask->range_count, rank) > 0);
}

static bool next_home(ask_t *ask)
{
    do {
        ask->rank++;
    } while (ask->rank < members_count() && !concerned(ask, ask->rank));
    ask->next_open = (ask->what & LIST_OPEN) ? 1 : 0;
    ask->last_ended = (ask->what & LIST_ENDED) ? INT64_MAX : 0;
    return ask->rank < members_count();
}

void ask_list_next(ask_t *ask)
{
    byre__pack_t pack = { 0 };

    if (byre__stream_backlog(&ask->client->stream) >= CLIENT_FILL) {
        ask->paused = true;
        return;
    }
    ask->paused = false;
    if (ask->left == 0 || (ask->next_open == 0 && ask->last_ended == 0 && !next_home(ask))) {
        client_say(ask->client, BYRE__SAY_DONE, ask->tag, NULL);
        ask_end(ask);
        return;
    }
    byre__pack_u8(&pack, ask->what);
    byre__pack_u32(&pack, ask->left < PAGE ? ask->left : PAGE);
    byre__pack_u64(&pack, ask->next_open);
    byre__pack_u64(&pack, ask->last_ended);
    ask_pack_ranges(&pack, ask->ranges, ask->range_count, ask->rank);
    ask->waiting[ask->rank] = 1;
    ask->pending = 1;
    wire_send(ask->rank, WIRE_LIST, ask->number, &pack);
    byre__pack_fini(&pack);
}

/* ---- who answers --------------------------------------------------------------------------------- */

typedef struct page {
    int to;
    uint32_t tag, most, seen; /* seen: rows looked at, whether they were wanted or not */
    uint64_t next_open, last_ended;
    uint64_t first, last; /* what the ranges span */
    const range_t *ranges;
    uint32_t count;
} page_t;

static void span(page_t *page)
{
    page->first = page->count == 0 ? 1 : UINT64_MAX;
    page->last = page->count == 0 ? INT64_MAX : 0;
    for (uint32_t i = 0; i < page->count; i++) {
        const range_t *range = &page->ranges[i];

        page->first = range->first < page->first ? range->first : page->first;
        if (range->count > 0 && range->first + range->count - 1 > page->last) {
            page->last = range->first + range->count - 1;
        }
    }
}

static bool wanted(const page_t *page, uint64_t number)
{
    return page->count == 0 || ask_ranges_have(page->ranges, page->count, number);
}

static void say_row(const page_t *page, const byre__row_t *row)
{
    byre__pack_t pack = { 0 };

    byre__pack_row(&pack, row);
    wire_send(page->to, WIRE_SAY + BYRE__SAY_ROW, page->tag, &pack);
    byre__pack_fini(&pack);
}

static void page_of_open(page_t *page)
{
    uint64_t from = page->next_open > page->first ? page->next_open : page->first;
    job_t *job = jobs_home_from(NULL, from);
    byre__row_t row;

    for (; job != NULL && job->number <= page->last && page->seen < page->most;
         job = job->newer, page->seen++) {
        if (wanted(page, job->number) && job_is_open(job)) {
            job_row(job, &row);
            say_row(page, &row);
        }
    }
    page->next_open = job != NULL && job->number <= page->last ? job->number : 0;
}

static void ended_row(void *arg, const ledger_job_t *job)
{
    page_t *page = arg;
    byre__row_t row;

    page->seen++;
    page->last_ended = job->id.number - 1;
    if (wanted(page, job->id.number)) {
        job_row_of_ledger(job, &row);
        say_row(page, &row);
    }
}

static void page_of_ended(page_t *page)
{
    uint64_t last = page->last_ended < page->last ? page->last_ended : page->last;

    if (last < page->first ||
        ledger_each_ended(byred.ledger, page->first, last, page->most, ended_row, page) < 0 ||
        page->seen < page->most) {
        page->last_ended = 0;
    }
}

void serve_list(int from, uint32_t tag, byre__unpack_t *payload)
{
    page_t page = { .to = from, .tag = tag };
    char unknown[BYRE__NODE_NAME];
    range_t *ranges = NULL;
    byre__pack_t pack = { 0 };

    (void)byre__unpack_u8(payload);
    page.most = byre__unpack_u32(payload);
    page.next_open = byre__unpack_u64(payload);
    page.last_ended = byre__unpack_u64(payload);
    if (ask_unpack_ranges(payload, &ranges, &page.count, unknown) == 0) {
        page.ranges = ranges;
        span(&page);
        if (page.next_open != 0) {
            page_of_open(&page);
        } else {
            page_of_ended(&page);
        }
    } else {
        page.next_open = page.last_ended = 0;
    }
    byre__pack_u64(&pack, page.next_open);
    byre__pack_u64(&pack, page.last_ended);
    wire_send(from, WIRE_SAY + BYRE__SAY_DONE, tag, &pack);
    byre__pack_fini(&pack);
    free(ranges);
}
