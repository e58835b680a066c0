/* SPDX-License-Identifier: BSD-3-Clause */
/* node.c - see node.h. */
#include "sched/node.h"

static void pack_load(byre__pack_t *pack, const byre__load_t *load)
{
    byre__pack_f64(pack, load->busy);
    byre__pack_f64(pack, load->busy_others);
    byre__pack_f64(pack, load->runnable);
    for (int i = 0; i < 3; i++) byre__pack_f64(pack, load->loadavg[i]);
    byre__pack_u64(pack, load->mem_bytes);
    byre__pack_u64(pack, load->mem_free_bytes);
    byre__pack_f64(pack, load->owner_idle_s);
}

static void unpack_load(byre__unpack_t *unpack, byre__load_t *load)
{
    load->busy = byre__unpack_f64(unpack);
    load->busy_others = byre__unpack_f64(unpack);
    load->runnable = byre__unpack_f64(unpack);
    for (int i = 0; i < 3; i++) load->loadavg[i] = byre__unpack_f64(unpack);
    load->mem_bytes = byre__unpack_u64(unpack);
    load->mem_free_bytes = byre__unpack_u64(unpack);
    load->owner_idle_s = byre__unpack_f64(unpack);
}

/* The counters in the order in which they travel. */
/* clang-format off */
#define TALLY(X)                                                                                  \
    X(submitted) X(started) X(ended) X(lost)                                                      \
    X(probes_out) X(probes_in) X(probes_won) X(claims_refused)                                    \
    X(sent) X(received) X(peer_messages) X(peer_bytes)
/* clang-format on */

static void pack_tally(byre__pack_t *pack, const byre__tally_t *tally)
{
#define X(field) byre__pack_u64(pack, tally->field);
    TALLY(X)
#undef X
    byre__pack_f64(pack, tally->cpu_s);
    byre__pack_f64(pack, tally->wait_s);
    byre__pack_f64(pack, tally->response_s);
}

static void unpack_tally(byre__unpack_t *unpack, byre__tally_t *tally)
{
#define X(field) tally->field = byre__unpack_u64(unpack);
    TALLY(X)
#undef X
    tally->cpu_s = byre__unpack_f64(unpack);
    tally->wait_s = byre__unpack_f64(unpack);
    tally->response_s = byre__unpack_f64(unpack);
}

void byre__pack_node_row(byre__pack_t *pack, const byre__node_row_t *row)
{
    byre__pack_text(pack, row->name);
    byre__pack_u8(pack, row->state);
    byre__pack_u32(pack, (uint32_t)row->rank);
    byre__pack_u32(pack, row->slots);
    byre__pack_u32(pack, row->running);
    byre__pack_u32(pack, row->queued);
    byre__pack_u32(pack, row->slots_used);
    byre__pack_u64(pack, row->jobs_ended);
    byre__pack_text(pack, row->policy);
    byre__pack_text(pack, row->place);
    pack_load(pack, &row->load);
    pack_tally(pack, &row->tally);
    byre__pack_u64(pack, row->up_ms);
}

void byre__unpack_node_row(byre__unpack_t *unpack, byre__node_row_t *row_out)
{
    *row_out = (byre__node_row_t){ 0 };
    byre__unpack_text_into(unpack, row_out->name, sizeof row_out->name);
    row_out->state = byre__unpack_u8(unpack);
    row_out->rank = (int32_t)byre__unpack_u32(unpack);
    row_out->slots = byre__unpack_u32(unpack);
    row_out->running = byre__unpack_u32(unpack);
    row_out->queued = byre__unpack_u32(unpack);
    row_out->slots_used = byre__unpack_u32(unpack);
    row_out->jobs_ended = byre__unpack_u64(unpack);
    byre__unpack_text_into(unpack, row_out->policy, sizeof row_out->policy);
    byre__unpack_text_into(unpack, row_out->place, sizeof row_out->place);
    unpack_load(unpack, &row_out->load);
    unpack_tally(unpack, &row_out->tally);
    row_out->up_ms = byre__unpack_u64(unpack);
}
