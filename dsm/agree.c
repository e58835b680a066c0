/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collective calls: all ranks tell rank 0 what they are about to do; when all have, and it is the same and
 * nobody failed on its own, all are told to go on. A barrier that compares.
 */
#include "agree.h"

#include "detector.h"
#include "progress.h"
#include "region.h"
#include <stdlib.h>
#include <string.h>

static struct {
    byre_am_t *waiting; /* [size] requests to answer; the engine's */
    int count;
    bool broken; /* a rank has failed */
    int verdict;
    bool has_first;
    dsm_agree_t first; /* of those who report no error */
} table;

/* The table is ready for the next call. */
static void answer_all(int verdict)
{
    for (int i = 0; i < table.count; i++)
        (void)byre_am_reply(&table.waiting[i], &verdict, sizeof verdict);
    table.count = 0;
    table.verdict = BYRE_OK;
    table.has_first = false;
}

/* Who could not do its part has nothing to compare: its error is the verdict, unless others differ. */
static void judge(const dsm_agree_t *say)
{
    if (say->error != BYRE_OK) {
        if (table.verdict == BYRE_OK) table.verdict = say->error;
    } else if (!table.has_first) {
        table.has_first = true;
        table.first = *say;
    } else if (memcmp(say, &table.first, sizeof *say) != 0) {
        table.verdict = BYRE_EINVAL;
    }
}

static void on_agree(const byre_am_t *am, void *arg)
{
    dsm_agree_t say;
    (void)arg;
    if (am->bytes != sizeof say) return;
    memcpy(&say, am->data, sizeof say);
    judge(&say);
    table.waiting[table.count++] = *am;
    if (table.broken)
        answer_all(BYRE_EPEER);
    else if (table.count == byre__dsm.size)
        answer_all(table.verdict);
}

void byre__dsm_agree_gone(int rank)
{
    (void)rank;
    table.broken = true;
    if (table.waiting != NULL) answer_all(BYRE_EPEER);
}

int byre__dsm_agree(const dsm_agree_t *what)
{
    int verdict = BYRE_OK;
    int error =
        byre__am_request(0, DSM_AGREE, what, sizeof *what, &verdict, sizeof verdict, NULL, -1);
    return error != BYRE_OK ? error : verdict;
}

int byre__dsm_agree_start(void)
{
    table.count = 0;
    table.verdict = BYRE_OK;
    table.broken = table.has_first = false;
    table.waiting = calloc((size_t)byre__dsm.size, sizeof *table.waiting);
    if (table.waiting == NULL) return BYRE_ENOMEM;
    return byre__am_register(DSM_AGREE, on_agree, NULL, NULL);
}

void byre__dsm_agree_stop(void)
{
    (void)byre__am_register(DSM_AGREE, NULL, NULL, NULL);
    free(table.waiting);
    table.waiting = NULL;
}
