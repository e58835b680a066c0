/* SPDX-License-Identifier: BSD-3-Clause */
/* members.c - the nodes that this daemon knows. Described in members.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/ask.h"
#include "sched/daemon/client.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/recover.h"
#include "sched/daemon/run.h"
#include "sched/daemon/wire.h"

static member_t *members;
static int count, room, pool, last = -1;

bool members_open(void)
{
    pool = peer_count();
    for (int rank = 0; rank < pool; rank++) {
        if (member_intern(peer_name(rank)) != rank) {
            return false;
        }
        members[rank].up = peer_alive(rank);
    }
    return true;
}

int members_count(void)
{
    return pool;
}

int members_up(void)
{
    int up = 0;

    for (int rank = 0; rank < pool; rank++) {
        up += members[rank].up;
    }
    return up;
}

int members_self(void)
{
    return peer_self();
}

member_t *member_at(int index)
{
    return &members[index];
}

int member_find(const char *name)
{
    if (last >= 0 && strcmp(members[last].name, name) == 0) { /* mostly the one before */
        return last;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return last = i;
        }
    }
    return -1;
}

int member_intern(const char *name)
{
    int found = member_find(name);

    if (found >= 0) {
        return found;
    }
    if (count == room) {
        member_t *more =
            count > 32000 ? NULL : realloc(members, (size_t)(room * 2 + 16) * sizeof *more);

        if (more == NULL) {
            return -1;
        }
        members = more;
        room = room * 2 + 16;
    }
    memset(&members[count], 0, sizeof members[count]);
    snprintf(members[count].name, sizeof members[count].name, "%s", name);
    return count++;
}

const char *member_name(int index)
{
    return index < 0 ? "" : members[index].name;
}

bool member_up(int index)
{
    return index >= 0 && members[index].up;
}

bool member_is_rank(int index)
{
    return index >= 0 && index < pool;
}

bool member_fits(int index, uint32_t cpus, uint64_t mem)
{
    const member_t *member = &members[index];

    if (index == peer_self()) {
        return byre__placer_fits(byred.placer, cpus, mem);
    }
    return member_is_rank(index) && cpus <= member->slots && mem <= member->mem;
}

/* ---- in step ----------------------------------------------------------------------------------- */

void members_say_sync(int rank)
{
    byre__pack_t pack = { 0 };

    byre__pack_u32(&pack, WIRE_VERSION);
    byre__pack_text(&pack, byred.pool);
    byre__pack_u64(&pack, keeper_boot());
    byre__pack_u64(&pack, byred.up_ms);
    byre__pack_u32(&pack, byre__placer_slots(byred.placer));
    byre__pack_u64(&pack, byre__placer_mem(byred.placer));
    byre__pack_u8(&pack, owner_there());
    wire_send(rank, WIRE_SYNC, 0, &pack);
    byre__pack_fini(&pack);
}

void members_hear_sync(int rank, byre__unpack_t *payload)
{
    member_t *member = &members[rank];
    char name[64];
    uint32_t version = byre__unpack_u32(payload);

    byre__unpack_text_into(payload, name, sizeof name);
    member->boot = byre__unpack_u64(payload);
    member->up_ms = byre__unpack_u64(payload);
    member->slots = byre__unpack_u32(payload);
    member->mem = byre__unpack_u64(payload);
    member->owned = byre__unpack_u8(payload) != 0;
    if (payload->failed || version != WIRE_VERSION || strcmp(name, byred.pool) != 0) {
        byred_log("node %s runs another version of byred, or another pool: it is left out; install "
                  "the same version on all nodes",
                  member->name);
        members_gone(rank);
    }
}

void members_hear_sync_end(int rank)
{
    if (members[rank].up && !members[rank].synced) {
        recover_settle(rank);
        members[rank].synced = true;
        members_look();
    }
}

void members_look(void)
{
    if (byred.ready || !recover_done()) {
        return;
    }
    for (int rank = 0; rank < pool; rank++) {
        if (members[rank].up && !members[rank].synced) {
            return;
        }
    }
    byred.ready = true;
    byred_log("pool %s: %d of %d nodes are in step", byred.pool, members_up(), pool);
    recover_queued();
    host_ready();
    clients_ready();
    byred.work |= WORK_QUEUE | WORK_ARRIVALS;
}

void members_hear_owned(int rank, bool owned)
{
    members[rank].owned = owned;
}

void members_gone(int rank)
{
    if (!members[rank].up) {
        return;
    }
    members[rank].up = false;
    byred_log("node %s is gone", members[rank].name);
    context_peer_gone(rank);
    queue_member_gone(rank);
    arrive_member_gone(rank);
    host_member_gone(rank);
    watch_member_gone(rank);
    log_member_gone(rank);
    ask_member_gone(rank);
    members_look();
}
