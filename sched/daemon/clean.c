/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clean.c - old ends leave the ledger, and the output of these jobs the disks.
 *
 * The ledger says which rows it has dropped; where these jobs ran is not looked up: all daemons are told, and
 * remove what they have.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sched/daemon/clean.h"
#include "sched/daemon/members.h"
#include "sched/daemon/wire.h"

enum { EVERY = 500 /* ended jobs */, BATCH = 256 /* ids a frame */ };

static byre__pack_t dropped; /* ids */
static uint32_t dropped_count;
static uint64_t pruned_at;
static bool begun;

static void tell_all(void)
{
    byre__pack_t pack = { 0 };

    if (dropped_count == 0) {
        return;
    }
    byre__pack_u32(&pack, dropped_count);
    byre__pack_raw(&pack, dropped.data, dropped.bytes);
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_up(rank)) {
            wire_send(rank, WIRE_CLEAN, 0, &pack);
        }
    }
    byre__pack_fini(&pack);
    byre__pack_clear(&dropped);
    dropped_count = 0;
}

static void drop(void *arg, const byre__job_id_t *id)
{
    (void)arg;
    byre__pack_job_id(&dropped, id);
    if (++dropped_count == BATCH) {
        tell_all();
    }
}

void clean_look(void)
{
    tell_all();
    if (begun && byred.tally.ended - pruned_at < EVERY) {
        return;
    }
    begun = true;
    pruned_at = byred.tally.ended;
    if (ledger_prune(byred.ledger, byred.keep, drop, NULL) == 0) {
        context_ledger_pruned();
    }
}

static void remove_file(const byre__job_id_t *id, const char *what)
{
    char path[BYRE__STATE_PATH + 128], name[BYRE__JOB_ID];

    snprintf(path, sizeof path, "%s/spool/%s.%s", byred.dir, byre__job_id_format(id, name), what);
    if (unlink(path) != 0 && errno != ENOENT) {
        byred_log("cannot remove %s: %m", path);
    }
}

void clean_heard(byre__unpack_t *payload)
{
    uint32_t count = byre__unpack_u32(payload);

    for (uint32_t i = 0; i < count && !payload->failed; i++) {
        byre__job_id_t id;

        byre__unpack_job_id(payload, &id);
        if (!payload->failed && job_find_id(&id) == NULL) {
            remove_file(&id, "out");
            remove_file(&id, "err");
        }
    }
}
