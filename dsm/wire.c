/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of the coherence protocol, on their way out and in. */
#include "region.h"

#include "log.h"
#include <string.h>
#include <time.h>

struct packet {
    dsm_msg_t msg;
    uint64_t acks[DSM_WORDS_MAX]; /* as many words as are needed travel */
};

static void deliver(dsm_region_t *region, enum byre__dsm_id id, const dsm_msg_t *msg,
                    const uint64_t *acks, int source)
{
    switch (id) {
    case DSM_REQUEST:
        byre__dsm_manager_request(region, msg);
        break;
    case DSM_FORWARD:
        byre__dsm_holder_forward(region, msg, acks);
        break;
    case DSM_DATA:
    case DSM_GRANT:
        byre__dsm_requester_data(region, msg, acks, source);
        break;
    case DSM_INVALIDATE:
        byre__dsm_holder_invalidate(region, msg);
        break;
    case DSM_ACK:
        byre__dsm_requester_ack(region, msg, source);
        break;
    case DSM_CONFIRM:
        byre__dsm_manager_confirm(region, msg, source);
        break;
    case DSM_REFUSED:
        byre__dsm_refused(region, msg);
        break;
    case DSM_LOST:
        byre__dsm_lost(region, msg, source);
        break;
    case DSM_AGREE:
    case DSM_IDS_END:
        break;
    }
}

int byre__dsm_emit(dsm_region_t *region, int to, enum byre__dsm_id id, const dsm_msg_t *msg,
                   const uint64_t *acks)
{
    if (to == byre__dsm.rank) {
        deliver(region, id, msg, acks, to);
        return BYRE_OK;
    }
    struct packet packet; /* not set to zeros: of `acks` little is used */
    packet.msg = *msg;
    size_t bytes = sizeof packet.msg;
    packet.msg.hops++;
    if (acks != NULL) {
        memcpy(packet.acks, acks, byre__dsm.words * sizeof *acks);
        bytes += byre__dsm.words * sizeof *acks;
    }
    const void *bulk = NULL;
    size_t bulk_bytes = 0;
    if (id == DSM_DATA) {
        bulk = region->service + msg->first * region->unit_bytes;
        bulk_bytes = msg->count * region->unit_bytes;
        region->stats.bytes_out += bulk_bytes;
    }
    region->stats.messages_out++;
    return byre__am_post(to, (int)id, &packet, bytes, bulk, bulk_bytes, NULL, NULL);
}

/* ---- in ----------------------------------------------------------------------------------- */

dsm_region_t *byre__dsm_region_enter(const dsm_msg_t *msg, size_t bytes)
{
    if (bytes < sizeof *msg) return NULL;
    dsm_region_t *region = &byre__dsm_regions[msg->region % DSM_REGIONS];
    byre__dsm_lock(region);
    if (region->id == msg->region && msg->count > 0 && msg->first < region->units &&
        msg->count <= region->units - msg->first && msg->requester >= 0 &&
        msg->requester < byre__dsm.size) {
        mark_touched(region, msg->first, msg->count);
        return region;
    }
    byre__dsm_unlock(region); /* freed meanwhile: only confirmations come so late */
    return NULL;
}

static void on_message(const byre_am_t *am, void *arg)
{
    const dsm_msg_t *msg = am->data;
    enum byre__dsm_id id = (enum byre__dsm_id)(uintptr_t)arg;
    dsm_region_t *region = byre__dsm_region_enter(msg, am->bytes);
    if (region == NULL) return;
    bool acks = am->bytes == sizeof *msg + byre__dsm.words * sizeof(uint64_t);
    region->stats.messages_in++;
    /* DATA without its bytes: the sender died while they came, or nobody wanted them when they began to come
     * (place_data). What was asked for is still under way; if that rank is dead, gone.c ends it. */
    bool whole = id != DSM_DATA || am->bulk != NULL;
    if (__builtin_expect(whole, 1)) {
        region->stats.bytes_in += am->bulk_bytes;
        deliver(region, id, msg, acks ? (const uint64_t *)(msg + 1) : NULL, am->source);
    }
    byre__dsm_unlock(region);
}

/* Units arrive in the service view: invariant 6. Who asked for them keeps the region alive. */
static void *place_data(const byre_am_t *am, void *arg)
{
    const dsm_msg_t *msg = am->data;
    (void)arg;
    dsm_region_t *region = byre__dsm_region_enter(msg, am->bytes);
    if (region == NULL) return NULL;
    char *place = region->service + msg->first * region->unit_bytes;
    bool wanted = am->bulk_bytes == msg->count * region->unit_bytes &&
                  region->unit[msg->first].wanted == msg->kind;
    byre__dsm_unlock(region);
    return wanted ? place : NULL;
}

int byre__dsm_wire_start(void)
{
    if (byre__dsm.words > DSM_WORDS_MAX) return BYRE_ERANGE;
    for (int id = DSM_REQUEST; id < DSM_AGREE; id++) {
        int error = byre__am_register(id, on_message, id == DSM_DATA ? place_data : NULL,
                                      (void *)(uintptr_t)id); /* NOLINT */
        if (error != BYRE_OK) return error;
    }
    return BYRE_OK;
}

void byre__dsm_wire_stop(void)
{
    for (int id = DSM_REQUEST; id < DSM_AGREE; id++) (void)byre__am_register(id, NULL, NULL, NULL);
}

uint32_t byre__dsm_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) >> 10);
}
