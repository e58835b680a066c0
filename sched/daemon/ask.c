/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ask.c - questions of clients that the pool answers: each is put to the daemons that know (this one too, in the
 * same way), and what they say is passed on to the client.
 *
 * Invariants
 *   A1 An ask ends once: with DONE, KILLED or ERROR to its client, or with the client.
 *   A2 A daemon that is gone has answered: `waiting' is cleared in ask_member_gone, and its name told.
 *   A3 Rows wait for the client to read (ask_pump), output for its window: memory stays bounded.
 */
#include <byre_errors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/members.h"
#include "sched/daemon/wire.h"

static ask_t *asks;
static uint32_t numbers;

/* ---- ranges of jobs ------------------------------------------------------------------------------ */

static int by_home_and_number(const void *a, const void *b)
{
    const range_t *x = a, *y = b;

    return x->home != y->home   ? (x->home > y->home) - (x->home < y->home)
           : x->first != y->first ? (x->first > y->first) - (x->first < y->first)
                                  : 0;
}

/* In order, and no job twice: how many are left. */
static uint32_t merge(range_t *ranges, uint32_t count)
{
    uint32_t kept = 0;

    qsort(ranges, count, sizeof *ranges, by_home_and_number);
    for (uint32_t i = 0; i < count; i++) {
        range_t *last = kept > 0 ? &ranges[kept - 1] : NULL;
        uint64_t end = ranges[i].first + ranges[i].count;

        if (last == NULL || last->home != ranges[i].home || last->first + last->count < ranges[i].first) {
            ranges[kept++] = ranges[i];
        } else if (last->first + last->count < end) {
            last->count = end - last->first;
        }
    }
    return kept;
}

bool ask_ranges_have(const range_t *ranges, uint32_t count, uint64_t number)
{
    uint32_t low = 0, high = count; /* ranges[0 .. low) begin at or below number, ranges[high ..) above it */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (ranges[middle].first <= number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && number - ranges[low - 1].first < ranges[low - 1].count;
}

int ask_unpack_ranges(byre__unpack_t *payload, range_t **ranges_out, uint32_t *count_out,
                      char unknown_out[static BYRE__NODE_NAME])
{
    uint32_t count = byre__unpack_u32(payload);
    range_t *ranges;

    unknown_out[0] = '\0';
    if (payload->failed || count > (size_t)(payload->end - payload->at) / 20) {
        return BYRE_EPROTO; /* an id and a number have 20 bytes at least */
    }
    ranges = calloc(count + 1, sizeof *ranges);
    if (ranges == NULL) {
        return BYRE_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        byre__job_id_t id;

        byre__unpack_job_id(payload, &id);
        ranges[i] = (range_t){ member_find(id.home), id.number, byre__unpack_u64(payload) };
        if (payload->failed || ranges[i].first == 0 || ranges[i].count == 0 ||
            ranges[i].count > (uint64_t)INT64_MAX - ranges[i].first) {
            free(ranges);
            return BYRE_EPROTO;
        }
        if (ranges[i].home < 0) {
            memcpy(unknown_out, id.home, sizeof id.home);
            free(ranges);
            return BYRE_ENOTFOUND;
        }
    }
    *ranges_out = ranges;
    *count_out = merge(ranges, count);
    return BYRE_OK;
}

uint32_t ask_ranges_of(const range_t *ranges, uint32_t count, int home)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        n += ranges[i].home == home;
    }
    return n;
}

void ask_pack_ranges(byre__pack_t *pack, const range_t *ranges, uint32_t count, int home)
{
    byre__pack_u32(pack, ask_ranges_of(ranges, count, home));
    for (uint32_t i = 0; i < count; i++) {
        byre__job_id_t id = { .number = ranges[i].first };

        if (ranges[i].home == home) {
            snprintf(id.home, sizeof id.home, "%s", member_name(home));
            byre__pack_job_id(pack, &id);
            byre__pack_u64(pack, ranges[i].count);
        }
    }
}

/* ---- the list of asks ---------------------------------------------------------------------------- */

static ask_t *find(uint32_t number)
{
    ask_t *ask = asks;

    while (ask != NULL && ask->number != number) {
        ask = ask->next;
    }
    return ask;
}

static ask_t *create(client_t *client, uint16_t kind, uint32_t tag)
{
    ask_t *ask = calloc(1, sizeof *ask);

    if (ask == NULL || (ask->waiting = calloc((size_t)members_count(), 1)) == NULL) {
        free(ask);
        return NULL;
    }
    ask->client = client;
    ask->kind = kind;
    ask->tag = tag;
    ask->number = ++numbers != 0 ? numbers : ++numbers;
    ask->source = -1;
    ask->next = asks;
    if (asks != NULL) {
        asks->prev = ask;
    }
    asks = ask;
    return ask;
}

void ask_end(ask_t *ask)
{
    *(ask->prev != NULL ? &ask->prev->next : &asks) = ask->next;
    if (ask->next != NULL) {
        ask->next->prev = ask->prev;
    }
    free(ask->waiting);
    free(ask->ranges);
    free(ask);
}

/* Nobody is interested any more: those who keep something for it shall know. */
static void abandon(ask_t *ask)
{
    for (int rank = 0; rank < members_count(); rank++) {
        if (!member_up(rank)) {
            continue;
        }
        if (ask->kind == BYRE__ASK_WAIT && ask->waiting[rank]) {
            wire_send(rank, WIRE_UNWATCH, ask->number, NULL);
        } else if (ask->kind == BYRE__ASK_LOG) { /* whoever serves it, or is about to */
            wire_send(rank, WIRE_LOG_CLOSE, ask->number, NULL);
        }
    }
    ask_end(ask);
}

static void put_to(ask_t *ask, int rank, enum wire type, const byre__pack_t *pack)
{
    ask->waiting[rank] = 1;
    ask->pending++;
    wire_send(rank, type, ask->number, pack);
}

static void note_missing(ask_t *ask, int index)
{
    size_t at = strlen(ask->missing);

    snprintf(ask->missing + at, sizeof ask->missing - at, "%s%s", at > 0 ? ", " : "",
             member_name(index));
}

/* The homes of the ranges that cannot be asked: noted, each once. */
static void note_absent_homes(ask_t *ask)
{
    for (uint32_t i = 0; i < ask->range_count; i++) {
        int home = ask->ranges[i].home;

        if (!member_up(home) && (i == 0 || ask->ranges[i - 1].home != home)) {
            note_missing(ask, home);
        }
    }
}

/* ---- the kinds ----------------------------------------------------------------------------------- */

static void finish(ask_t *ask)
{
    byre__pack_t pack = { 0 };

    if (ask->missing[0] != '\0' && ask->kind != BYRE__ASK_NODES && ask->kind != BYRE__ASK_LIST &&
        (ask->kind != BYRE__ASK_KILL || ask->killed == 0)) {
        client_error(ask->client, ask->tag, BYRE_EPEER,
                     "these nodes are not up, and the jobs are theirs: %s. The jobs are not lost: "
                     "start the nodes, then `byre up', and ask again",
                     ask->missing);
    } else if (ask->kind == BYRE__ASK_KILL) {
        byre__pack_u64(&pack, ask->killed);
        client_say(ask->client, BYRE__SAY_KILLED, ask->tag, &pack);
    } else {
        client_say(ask->client, BYRE__SAY_DONE, ask->tag, NULL);
    }
    byre__pack_fini(&pack);
    ask_end(ask);
}

static void begin_nodes(ask_t *ask)
{
    ask_nodes_missing(ask);
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_up(rank)) {
            put_to(ask, rank, WIRE_NODES, NULL);
        }
    }
}

/* Those homes that are up get their ranges. */
static void begin_ranges(ask_t *ask, enum wire type, uint32_t signal)
{
    note_absent_homes(ask);
    for (int rank = 0; rank < members_count(); rank++) {
        byre__pack_t pack = { 0 };

        if (!member_up(rank) || ask_ranges_of(ask->ranges, ask->range_count, rank) == 0) {
            continue;
        }
        if (type == WIRE_KILLS) {
            byre__pack_u32(&pack, signal);
        }
        ask_pack_ranges(&pack, ask->ranges, ask->range_count, rank);
        put_to(ask, rank, type, &pack);
        byre__pack_fini(&pack);
    }
    if (ask->pending == 0) {
        finish(ask);
    }
}

static void begin_log(ask_t *ask, byre__unpack_t *payload)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id;
    uint8_t stream, follow;
    uint64_t offset;
    int home;

    byre__unpack_job_id(payload, &id);
    stream = byre__unpack_u8(payload);
    offset = byre__unpack_u64(payload);
    follow = byre__unpack_u8(payload);
    home = member_find(id.home);
    if (!byre__unpack_done(payload) || stream < 1 || stream > 2) {
        client_error(ask->client, ask->tag, BYRE_EPROTO, "this is no question for a log");
        ask_end(ask);
        return;
    }
    if (!member_up(home)) {
        client_error(ask->client, ask->tag, home < 0 ? BYRE_ENOTFOUND : BYRE_EPEER,
                     home < 0 ? "there is no node %s in this pool"
                              : "node %s, whose job this is, is not up",
                     id.home);
        ask_end(ask);
        return;
    }
    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, stream);
    byre__pack_u64(&pack, offset);
    byre__pack_u8(&pack, follow);
    byre__pack_u32(&pack, (uint32_t)members_self());
    byre__pack_u32(&pack, ask->number);
    put_to(ask, home, WIRE_LOG, &pack);
    byre__pack_fini(&pack);
}

static bool take_ranges(ask_t *ask, byre__unpack_t *payload)
{
    char unknown[BYRE__NODE_NAME];
    int error = ask_unpack_ranges(payload, &ask->ranges, &ask->range_count, unknown);

    if (error == BYRE_OK && byre__unpack_done(payload)) {
        return true;
    }
    if (error == BYRE_ENOTFOUND) {
        client_error(ask->client, ask->tag, error,
                     "there is no node %s in this pool; `byre nodes' lists them", unknown);
    } else {
        client_error(ask->client, ask->tag, error == BYRE_OK ? BYRE_EPROTO : error,
                     "the list of jobs cannot be read");
    }
    ask_end(ask);
    return false;
}

void ask_begin(client_t *client, uint16_t kind, uint32_t tag, byre__unpack_t *payload)
{
    ask_t *ask = create(client, kind, tag);
    uint32_t signal;

    if (ask == NULL) {
        client_error(client, tag, BYRE_ENOMEM, "this node's daemon is out of memory");
        return;
    }
    switch (kind) {
    case BYRE__ASK_NODES:
        begin_nodes(ask);
        break;
    case BYRE__ASK_LOG:
        begin_log(ask, payload);
        break;
    case BYRE__ASK_KILL:
        signal = byre__unpack_u32(payload);
        if (take_ranges(ask, payload)) {
            begin_ranges(ask, WIRE_KILLS, signal);
        }
        break;
    case BYRE__ASK_WAIT:
        if (take_ranges(ask, payload)) {
            begin_ranges(ask, WIRE_WATCH, 0);
        }
        break;
    default: /* BYRE__ASK_LIST */
        ask->what = byre__unpack_u8(payload);
        ask->left = byre__unpack_u32(payload);
        if (ask->left == 0) {
            ask->left = UINT32_MAX;
        }
        if (take_ranges(ask, payload)) {
            ask->rank = -1;
            ask_list_next(ask);
        }
    }
}

/* ---- answers ------------------------------------------------------------------------------------- */

static void pass_on(ask_t *ask, uint16_t say, const byre__unpack_t *payload)
{
    client_say_with(ask->client, say, ask->tag, NULL, payload->at,
                    (size_t)(payload->end - payload->at));
}

static void answered(ask_t *ask, int from)
{
    if (ask->waiting[from]) {
        ask->waiting[from] = 0;
        if (--ask->pending == 0) {
            finish(ask);
        }
    }
}

static void log_answer(ask_t *ask, int from, uint16_t say, const byre__unpack_t *payload)
{
    ask->source = from;
    pass_on(ask, say, payload);
    if (say != BYRE__SAY_OUTPUT) {
        ask_end(ask);
    }
}

static void list_answer(ask_t *ask, uint16_t say, byre__unpack_t *payload)
{
    if (say == BYRE__SAY_ROW) {
        if (ask->left > 0) {
            ask->left--;
            pass_on(ask, say, payload);
        }
        return;
    }
    ask->waiting[ask->rank] = 0;
    ask->pending = 0;
    ask->next_open = byre__unpack_u64(payload);
    ask->last_ended = byre__unpack_u64(payload);
    ask_list_next(ask);
}

void ask_answer(int from, uint32_t number, uint16_t say, byre__unpack_t *payload)
{
    ask_t *ask = find(number);

    if (ask == NULL) {
        return; /* its client has gone */
    }
    if (ask->kind == BYRE__ASK_LOG) {
        log_answer(ask, from, say, payload);
    } else if (say == BYRE__SAY_ERROR) {
        pass_on(ask, say, payload);
        abandon(ask);
    } else if (ask->kind == BYRE__ASK_LIST) {
        list_answer(ask, say, payload);
    } else if (say == BYRE__SAY_KILLED) {
        ask->killed += byre__unpack_u64(payload);
        answered(ask, from);
    } else if (say == BYRE__SAY_DONE) {
        answered(ask, from);
    } else {
        pass_on(ask, say, payload);
        if (say == BYRE__SAY_NODE) {
            answered(ask, from);
        }
    }
}

static void gone(ask_t *ask, int rank)
{
    if (ask->kind == BYRE__ASK_LOG && (ask->source == rank || ask->waiting[rank])) {
        client_error(ask->client, ask->tag, BYRE_EPEER,
                     "node %s is gone; the output that it has is there again after `byre up'",
                     member_name(rank));
        ask_end(ask);
    } else if (ask->kind == BYRE__ASK_LIST && ask->waiting[rank]) {
        ask->waiting[rank] = 0;
        ask->pending = 0;
        ask->next_open = ask->last_ended = 0;
        ask_list_next(ask);
    } else if (ask->waiting[rank]) {
        note_missing(ask, rank);
        answered(ask, rank);
    }
}

void ask_member_gone(int rank)
{
    for (ask_t *ask = asks, *next; ask != NULL; ask = next) {
        next = ask->next;
        gone(ask, rank);
    }
}

/* ---- the client ---------------------------------------------------------------------------------- */

void ask_pump(client_t *client)
{
    for (ask_t *ask = asks, *next; ask != NULL; ask = next) {
        next = ask->next;
        if (ask->client == client && ask->paused) {
            ask_list_next(ask);
        }
    }
}

void ask_client_gone(client_t *client)
{
    for (ask_t *ask = asks, *next; ask != NULL; ask = next) {
        next = ask->next;
        if (ask->client == client) {
            abandon(ask);
        }
    }
}

static ask_t *find_log(const client_t *client, uint32_t tag)
{
    for (ask_t *ask = asks; ask != NULL; ask = ask->next) {
        if (ask->client == client && ask->tag == tag && ask->kind == BYRE__ASK_LOG) {
            return ask;
        }
    }
    return NULL;
}

bool ask_has_log(client_t *client, uint32_t tag)
{
    return find_log(client, tag) != NULL;
}

/* id, stream, bytes. It answers output, so it is known who serves. */
void ask_window(client_t *client, byre__unpack_t *payload, uint32_t tag)
{
    ask_t *ask = find_log(client, tag);
    byre__pack_t pack = { 0 };
    byre__job_id_t id;

    byre__unpack_job_id(payload, &id);
    (void)byre__unpack_u8(payload);
    byre__pack_u32(&pack, byre__unpack_u32(payload));
    if (ask != NULL && !payload->failed && ask->source >= 0) {
        wire_send(ask->source, WIRE_LOG_WINDOW, ask->number, &pack);
    }
    byre__pack_fini(&pack);
}
