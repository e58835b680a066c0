/* SPDX-License-Identifier: BSD-3-Clause */
/* ask_nodes.c - byre nodes, byre load, byre top: each daemon tells of its own node. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/ask.h"
#include "sched/daemon/host.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/wire.h"

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* User and system time of the keeper itself, from the 14th and 15th field of its stat. */
static double keeper_cpu_s(void)
{
    char path[64];
    unsigned long user = 0, system = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/stat", keeper_pid());
    file = keeper_pid() > 0 ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*d %*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2) {
        user = system = 0;
    }
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void nodes_row(byre__node_row_t *row)
{
    struct rusage used;

    *row = (byre__node_row_t){ .state = owner_there() ? BYRE__NODE_OWNED : BYRE__NODE_UP,
                               .rank = members_self(),
                               .slots = byre__placer_slots(byred.placer),
                               .slots_used = byre__placer_used(byred.placer),
                               .running = jobs_running(),
                               .queued = queue_count() + arrive_count() + host_deciding(),
                               .jobs_ended = byred.tally.ended,
                               .load = byred.load,
                               .tally = byred.tally,
                               .up_ms = byred.up_ms };
    snprintf(row->name, sizeof row->name, "%s", member_name(members_self()));
    snprintf(row->policy, sizeof row->policy, "%s", byred.policy->name);
    snprintf(row->place, sizeof row->place, "%s", byred.place);
    peer_traffic(&row->tally.peer_messages, &row->tally.peer_bytes);
    getrusage(RUSAGE_SELF, &used);
    row->tally.cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime) + keeper_cpu_s();
}

void serve_nodes(int from, uint32_t tag)
{
    byre__node_row_t row;
    byre__pack_t pack = { 0 };

    nodes_row(&row);
    byre__pack_node_row(&pack, &row);
    wire_send(from, WIRE_SAY + BYRE__SAY_NODE, tag, &pack);
    byre__pack_fini(&pack);
}

/* Those that cannot answer are in the list nevertheless. */
void ask_nodes_missing(ask_t *ask)
{
    for (int rank = 0; rank < members_count(); rank++) {
        byre__node_row_t row = { .state = BYRE__NODE_GONE, .rank = rank };
        byre__pack_t pack = { 0 };

        if (member_up(rank)) {
            continue;
        }
        snprintf(row.name, sizeof row.name, "%s", member_name(rank));
        byre__pack_node_row(&pack, &row);
        client_say(ask->client, BYRE__SAY_NODE, ask->tag, &pack);
        byre__pack_fini(&pack);
    }
}
