/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The report's way to rank 0, at the end of a job.
 *
 *     rank r               rank 0
 *       |  RECORDS           |
 *       |------------------->|  merges those of all ranks, keeps what it will print
 *       |  ASK(pointers)     |
 *       |<-------------------|
 *       |  TEXTS             |  only ranks that were asked for any
 *       |------------------->|  prints
 *
 * An instruction pointer says something to its own rank only (programs are loaded at random addresses,
 * and need not be the same), hence the second question; it is only of what will be printed. A rank that
 * has failed is not waited for.
 */
#include "report.h"

#include "am.h"
#include "detector.h"
#include "ids.h"
#include "node.h"
#include "progress.h"
#include "source.h"

#include <byre_errors.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { RECORDS, TEXTS, KINDS };

typedef struct parcel {
    void *data; /* allocated; NULL: nothing, or no memory */
    size_t bytes;
    _Atomic bool here;
} parcel_t;

static parcel_t *inbox[KINDS]; /* [rank], of rank 0 */
static parcel_t question;      /* of the others: instruction pointers */

static size_t ranks(void)
{
    return (size_t)byre__nodes.size;
}

/* ---- on the engine ----------------------------------------------------------------------------- */

static parcel_t *parcel_of(const byre_am_t *am)
{
    uint32_t kind;

    memcpy(&kind, am->data, sizeof kind);
    return &inbox[kind][am->source];
}

static void *place_parcel(const byre_am_t *am, void *arg)
{
    (void)arg;
    return parcel_of(am)->data = malloc(am->bulk_bytes);
}

static void handle_parcel(const byre_am_t *am, void *arg)
{
    parcel_t *parcel = parcel_of(am);

    (void)arg;
    parcel->bytes = am->bulk ? am->bulk_bytes : 0;
    atomic_store(&parcel->here, true);
}

static void handle_ask(const byre_am_t *am, void *arg)
{
    (void)arg;
    question.data = am->bytes > 0 ? malloc(am->bytes) : NULL;
    question.bytes = question.data ? am->bytes : 0;
    if (question.data) memcpy(question.data, am->data, am->bytes);
    atomic_store(&question.here, true);
}

int byre__dsm_report_listen(void)
{
    for (int kind = 0; kind < KINDS; kind++) inbox[kind] = calloc(ranks(), sizeof *inbox[kind]);
    int error = inbox[RECORDS] && inbox[TEXTS] ? BYRE_OK : BYRE_ENOMEM;
    if (!error) error = byre__am_register(BYRE__AM_DSM_REPORT, handle_parcel, place_parcel, NULL);
    if (!error) error = byre__am_register(BYRE__AM_DSM_REPORT_ASK, handle_ask, NULL, NULL);
    if (error) byre__dsm_report_deafen();
    return error;
}

/* Into what has not come whole, from a rank that has failed, MPI may still write. */
static void free_inbox(enum kind kind)
{
    for (size_t r = 0; inbox[kind] && r < ranks(); r++)
        if (atomic_load(&inbox[kind][r].here)) free(inbox[kind][r].data);
    free(inbox[kind]);
    inbox[kind] = NULL;
}

void byre__dsm_report_deafen(void)
{
    (void)byre__am_register(BYRE__AM_DSM_REPORT, NULL, NULL, NULL);
    (void)byre__am_register(BYRE__AM_DSM_REPORT_ASK, NULL, NULL, NULL);
    free_inbox(RECORDS);
    free_inbox(TEXTS);
    free(question.data);
    question = (parcel_t){ .data = NULL };
}

/* ---- waiting ----------------------------------------------------------------------------------- */

/* Of each rank that is there, or of those that were asked for texts. */
static bool have_all(enum kind kind, const size_t *asked)
{
    for (size_t r = 1; r < ranks(); r++)
        if ((!asked || asked[r] > 0) && !atomic_load(&inbox[kind][r].here) &&
            !byre__peer_absent((int)r))
            return false;
    return true;
}

static bool have_records(void *arg)
{
    (void)arg;
    return have_all(RECORDS, NULL);
}

static bool have_texts(void *arg)
{
    return have_all(TEXTS, arg);
}

static bool have_question(void *arg)
{
    (void)arg;
    return atomic_load(&question.here) || byre__peer_absent(0);
}

static bool is_set(void *flag)
{
    return atomic_load((_Atomic bool *)flag);
}

typedef struct sending {
    int error;
    _Atomic bool over;
} sending_t;

static void sent(int error, void *arg)
{
    sending_t *sending = arg;

    sending->error = error;
    atomic_store(&sending->over, true);
}

/* Takes the data, which is NULL if there was no memory for it. Of what goes to a rank that has failed,
 * MPI may still read: it stays. */
static void send_parcel(enum kind kind, void *data, size_t bytes)
{
    uint32_t word = kind;
    sending_t sending = { .error = BYRE_ENOMEM };

    if (data && bytes > 0)
        sending.error =
            byre__am_post(0, BYRE__AM_DSM_REPORT, &word, sizeof word, data, bytes, sent, &sending);
    if (sending.error) /* say at least that nothing comes */
        (void)byre__am_post(0, BYRE__AM_DSM_REPORT, &word, sizeof word, NULL, 0, NULL, NULL);
    else
        (void)byre__wait_until(is_set, &sending.over, 0);
    if (!sending.error || !sending.over) free(data);
}

/* ---- texts ------------------------------------------------------------------------------------- */

typedef struct search {
    const uint64_t *ips;
    size_t count;
    byre__source_text_t *texts;
    _Atomic bool over;
} search_t;

static void *search(void *arg)
{
    search_t *work = arg;

    byre__source_find(work->ips, work->count, work->texts);
    atomic_store(&work->over, true);
    byre__progress_kick();
    return NULL;
}

/* On a thread of its own, so that this rank answers others meanwhile. NULL: no memory. */
static byre__source_text_t *find_texts(const uint64_t *ips, size_t count)
{
    search_t work = { .ips = ips, .count = count, .texts = calloc(count + 1, sizeof *work.texts) };
    pthread_t thread;

    if (!work.texts) return NULL;
    if (pthread_create(&thread, NULL, search, &work) != 0) {
        byre__source_find(ips, count, work.texts);
        return work.texts;
    }
    (void)byre__wait_until(is_set, &work.over, 0);
    pthread_join(thread, NULL);
    return work.texts;
}

static void answer(void)
{
    size_t count = question.bytes / sizeof(uint64_t);

    if (count == 0) return;
    byre__source_text_t *texts = find_texts(question.data, count);
    send_parcel(TEXTS, texts, count * sizeof *texts);
}

/* ---- rank 0 ------------------------------------------------------------------------------------ */

/* Bytes of what has come whole. */
static size_t bytes_of(enum kind kind, size_t rank)
{
    const parcel_t *parcel = &inbox[kind][rank];

    return atomic_load(&parcel->here) ? parcel->bytes : 0;
}

static size_t records_of(size_t rank)
{
    return bytes_of(RECORDS, rank) / sizeof(byre__report_record_t);
}

/* All records of all ranks. NULL: none, or no memory. */
static byre__report_line_t *unpack(size_t *count_out)
{
    size_t count = 0, i = 0;

    for (size_t r = 0; r < ranks(); r++) count += records_of(r);
    byre__report_line_t *lines = calloc(count + 1, sizeof *lines);
    for (size_t r = 0; lines && r < ranks(); r++) {
        const byre__report_record_t *records = inbox[RECORDS][r].data;
        for (size_t k = 0; k < records_of(r); k++)
            lines[i++] = (byre__report_line_t){ .record = records[k], .rank = (int)r };
    }
    *count_out = i;
    return lines;
}

/* The pointers of one rank in the order of the lines, and how many. */
static size_t pointers_of(int rank, const byre__report_line_t *lines, size_t count, uint64_t *ips)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        for (int s = 0; s < BYRE__REPORT_SITES && lines[i].rank == rank; s++)
            if (lines[i].record.sites[s].ip != 0) ips[n++] = lines[i].record.sites[s].ip;
    return n;
}

static void write_texts(int rank, byre__report_line_t *lines, size_t count,
                        const byre__source_text_t *texts, size_t known)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        for (int s = 0; s < BYRE__REPORT_SITES && lines[i].rank == rank; s++)
            if (lines[i].record.sites[s].ip != 0 && n < known) lines[i].texts[s] = texts[n++];
}

static void collect_texts(byre__report_line_t *lines, size_t count, size_t *asked)
{
    /* Room for all: the lines have at most MOST_UNITS units (report_merge.c), each once a rank. */
    uint64_t ips[BYRE_AM_INLINE / sizeof(uint64_t)];

    for (size_t r = 1; r < ranks(); r++) {
        asked[r] = pointers_of((int)r, lines, count, ips);
        (void)byre__am_post((int)r, BYRE__AM_DSM_REPORT_ASK, ips, asked[r] * sizeof ips[0], NULL, 0,
                            NULL, NULL);
    }
    size_t own = pointers_of(0, lines, count, ips);
    byre__source_text_t *texts = find_texts(ips, own);
    if (texts) write_texts(0, lines, count, texts, own);
    free(texts);
    (void)byre__wait_until(have_texts, asked, 0);
    for (size_t r = 1; r < ranks(); r++)
        write_texts((int)r, lines, count, inbox[TEXTS][r].data,
                    bytes_of(TEXTS, r) / sizeof(byre__source_text_t));
}

static void gather(byre__report_record_t *own, size_t own_count)
{
    size_t count = 0, *asked = calloc(ranks(), sizeof *asked);

    inbox[RECORDS][0].data = own;
    inbox[RECORDS][0].bytes = own_count * sizeof *own;
    atomic_store(&inbox[RECORDS][0].here, true);
    (void)byre__wait_until(have_records, NULL, 0);
    byre__report_line_t *lines = asked ? unpack(&count) : NULL;
    if (lines) {
        count = byre__dsm_report_merge(lines, count);
        collect_texts(lines, count, asked);
        byre__dsm_report_print(lines, count);
    } else { /* others wait for a question */
        for (size_t r = 1; r < ranks(); r++)
            (void)byre__am_post((int)r, BYRE__AM_DSM_REPORT_ASK, NULL, 0, NULL, 0, NULL, NULL);
    }
    free(lines);
    free(asked);
}

void byre__dsm_report_finish(void)
{
    if (!byre__dsm_report_on) return;
    size_t count = 0;
    byre__report_record_t *records = byre__dsm_report_top(&count);

    if (byre__nodes.rank == 0) {
        gather(records, count);
    } else {
        send_parcel(RECORDS, records, count * sizeof *records);
        (void)byre__wait_until(have_question, NULL, 0);
        if (atomic_load(&question.here)) answer();
    }
}
