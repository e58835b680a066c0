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
    dsm_agree_t first;
    uintptr_t at; /* of those who have not failed */
} table;

static void answer_all(int verdict)
{
    for (int i = 0; i < table.count; i++)
        (void)byre_am_reply(&table.waiting[i], &verdict, sizeof verdict);
    table.count = 0;
}

static void on_agree(const byre_am_t *am, void *arg)
{
    dsm_agree_t say;
    (void)arg;
    if (am->bytes != sizeof say) return;
    memcpy(&say, am->data, sizeof say);
    if (table.count == 0) table.first = say, table.verdict = BYRE_OK, table.at = 0;
    if (say.error != BYRE_OK && table.verdict == BYRE_OK) table.verdict = say.error;
    if (say.error == BYRE_OK && table.at == 0) table.at = say.at;
    if (say.error == BYRE_OK && say.at != table.at) table.verdict = BYRE_EINVAL;
    say.error = table.first.error;
    say.at = table.first.at; /* who has failed on its own has no address */
    if (memcmp(&say, &table.first, sizeof say) != 0) table.verdict = BYRE_EINVAL;
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
    table.broken = false;
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
