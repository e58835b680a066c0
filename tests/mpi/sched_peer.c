/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames between daemons: all to all, all sizes mixed, in order; then garbage.
 * apart: no
 * time-limit: 120 */
#include "sched_peer_tools.h"

#include "sched/daemon/peer_core.h"
#include "sched/frame.h"

enum { EACH = 160, DATA = 5, DONE = 6 };
enum { ENOUGH = 6 << 20 }; /* backlog at which a sender waits */

static uint64_t sent_messages, sent_bytes;
static int done[3]; /* how many have come to this point; some are ahead */

static size_t size_of(int from, int to, int number)
{
    static const size_t edges[] = { 0,
                                    1,
                                    PEER_INLINE - 1,
                                    PEER_INLINE,
                                    PEER_INLINE + 1,
                                    PEER_SPLIT - 1,
                                    PEER_SPLIT,
                                    PEER_SPLIT + 1,
                                    16000,
                                    17000,
                                    100000,
                                    MIB };
    uint64_t state = mix3((uint64_t)from, (uint64_t)to, (uint64_t)number);
    if (number == EACH / 2) return 4 * MIB;
    return draw(&state, 3) == 0 ? edges[draw(&state, LENGTH(edges))] : draw(&state, 300);
}

static uint64_t seed_of(int from, int to, int number)
{
    return mix3((uint64_t)(from * 100 + to), 9, (uint64_t)number);
}

/* Part of a frame is packed, the rest is behind it. */
static void send_one(int to, int number)
{
    static char bytes[4 * MIB];
    byre__pack_t pack = { 0 };
    size_t size = size_of(me, to, number), packed = size * (size_t)(number % 4) / 3;
    if (packed > size) packed = size;
    fill(bytes, size, seed_of(me, to, number));
    byre__pack_raw(&pack, bytes, packed);
    const byre__pack_t *payload = packed == 0 && number % 2 ? NULL : &pack;
    EXPECT(BYRE_OK, peer_send(to, DATA, (uint32_t)number, payload, bytes + packed, size - packed));
    byre__pack_fini(&pack);
    memset(bytes, 0, size); /* all of it was copied */
    sent_messages++;
    sent_bytes += size;
}

/* Is it data? */
static bool check_frame(const peer_frame_t *frame, int *next)
{
    if (frame->type == DONE) {
        CHECK(byre__unpack_done(&frame->payload) && frame->tag < LENGTH(done));
        done[frame->tag]++;
        return false;
    }
    size_t bytes = (size_t)(frame->payload.end - frame->payload.at);
    EQUAL(DATA, frame->type);
    CHECK(frame->from >= 0 && frame->from < ranks);
    EQUAL(next[frame->from], frame->tag);
    EQUAL(size_of(frame->from, me, next[frame->from]), bytes);
    CHECK(filled(frame->payload.at, bytes, seed_of(frame->from, me, next[frame->from])));
    next[frame->from]++;
    return true;
}

static void all_to_all(void)
{
    int next_in[64] = { 0 }, next_out[64] = { 0 };
    int missing = EACH * ranks, unsent = missing;
    while (missing > 0 || unsent > 0) {
        peer_frame_t frame;
        bool moved = false;
        for (int to = 0; to < ranks; to++) {
            if (next_out[to] == EACH || peer_backlog(to) > ENOUGH) continue;
            send_one(to, next_out[to]++);
            moved = true;
            unsent--;
        }
        while (peer_next(&frame))
            if (check_frame(&frame, next_in)) missing--;
        /* A backlog goes down without a word: a daemon looks again in its next round. */
        if (!moved && missing + unsent > 0) await_peers(unsent > 0 ? 1 : -1);
    }
    for (int from = 0; from < ranks; from++) EQUAL(EACH, next_in[from]);
}

/* A barrier of the main threads. */
static void meet(uint32_t tag)
{
    for (int to = 0; to < ranks; to++) EXPECT(BYRE_OK, peer_send(to, DONE, tag, NULL, NULL, 0));
    sent_messages += (uint64_t)ranks;
    while (done[tag] < ranks) {
        peer_frame_t frame;
        next_frame(&frame);
        CHECK(!check_frame(&frame, NULL));
    }
}

static void post_raw(int to, const void *data, size_t bytes, const void *bulk, size_t bulk_bytes)
{
    EXPECT(BYRE_OK, byre__am_post(to, PEER_AM, data, bytes, bulk, bulk_bytes, NULL, NULL));
}

/* What is no frame is dropped, and the next frame comes through. */
static void garbage(void)
{
    static const char bulk[20000];
    static const peer_head_t heads[] = {
        { .type = 0, .bytes = 4 },
        { .type = PEER_GONE, .bytes = 4 },
        { .type = 3, .bytes = 3 },
        { .type = 3, .bytes = 5, .at = 6 },
        { .type = 3, .bytes = UINT32_MAX },
        { .type = 3, .bytes = PEER_SPLIT + 1 },
        { .type = 3, .bytes = 100, .at = 50 } /* a rest without a beginning */,
        { .type = 3, .bytes = 4, .zero = 1 },
        { .type = 3, .bytes = 100 } /* half a frame */,
    };
    int to = (me + 1) % ranks;
    for (size_t i = 0; i < LENGTH(heads); i++) {
        char message[sizeof heads[0] + 4] = { 0 };
        memcpy(message, &heads[i], sizeof heads[i]);
        post_raw(to, message, sizeof message, NULL, 0);
        post_raw(to, message, sizeof message, bulk, sizeof bulk);
        post_raw(to, message, sizeof heads[0], bulk, sizeof bulk);
        post_raw(to, message, sizeof heads[0] - 1, NULL, 0);
    }
    post_raw(to, NULL, 0, NULL, 0);
    post_raw(to, NULL, 0, bulk, sizeof bulk);
    uint64_t state = (uint64_t)me;
    for (int i = 0; i < 300; i++) {
        peer_head_t head = { .type = (uint16_t)draw(&state, 3),
                             .bytes = (uint32_t)draw(&state, 60) };
        char message[100];
        size_t bytes = draw(&state, sizeof message);
        if (head.type == 1) head.zero = 7; /* what is a frame by chance must be none */
        if (head.type == 2) head.at = head.bytes + 1;
        fill(message, sizeof message, (uint64_t)i);
        memcpy(message, &head, sizeof head);
        post_raw(to, message, bytes, NULL, 0);
    }
    meet(2);
}

static bool quiet(void)
{
    for (int to = 0; to < ranks; to++)
        if (peer_backlog(to) > 0) return false;
    return true;
}

int main(void)
{
    char name[16];
    uint64_t messages, bytes;
    static char long_one[1];
    open_peers();
    for (int rank = 0; rank < ranks; rank++) {
        (void)snprintf(name, sizeof name, "n%d", rank);
        CHECK(strcmp(peer_name(rank), name) == 0);
        EQUAL(rank, peer_find(name));
        CHECK(peer_alive(rank));
    }
    EQUAL(-1, peer_find("n99"));
    EXPECT(BYRE_ERANGE, peer_send(0, DATA, 0, NULL, long_one, BYRE__FRAME_MAX + 1));
    all_to_all();
    meet(1);
    UNTIL(quiet());
    peer_traffic(&messages, &bytes);
    EQUAL(sent_messages, messages);
    EQUAL(sent_bytes + messages * sizeof(peer_head_t), bytes);
    garbage();
    UNTIL(quiet());
    peer_close();
    CHECK(!byre_initialized());
    return 0;
}
