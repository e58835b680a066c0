/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that nobody vouches for: messages of random worlds, spoilt at random. Unpacking says BYRE_EPROTO or makes
 * a frame that the procedure and the reply can work with; it does not crash, hang, leak or allocate without
 * measure, and a reply that is refused has changed nothing.
 *
 *   rpc_unmarshal                            a fixed number of rounds
 *   rpc_unmarshal CORPUS SECONDS [SEED]      as long as that; there is no corpus, for worlds are made
 *
 * With -DBYRE_LIBFUZZER it is a target for libFuzzer instead. */
#include "rpc_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 30000, LIMIT = 1 << 20 };

#define MUST(condition)                                                         \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                            \
        }                                                                       \
    } while (0)

/* ---- calls ------------------------------------------------------------------------------------- */

static void serve(const unsigned char *data, size_t bytes)
{
    static const byre__rpc_limits_t limits = { LIMIT };
    world_frame_t frame;
    byre__rpc_arena_t *arena = NULL;
    byre__rpc_graph_t *graph = NULL;
    int err = byre__rpc_unpack_call(&world_proc, data, bytes, &limits, &frame, &arena, &graph);
    MUST(err == BYRE_OK || err == BYRE_EPROTO);
    if (err != BYRE_OK) {
        MUST(arena == NULL && graph == NULL);
        return;
    }
    chance_t chance = { bytes };
    byre__rpc_bytes_t reply = { 0 };
    rpc_arena = &arena;
    change_world(&frame, &chance);
    rpc_arena = NULL;
    /* A tree that is not one, and what else a hostile client may send, is marshalled all the same. */
    err = byre__rpc_pack_reply(&world_proc, &frame, false, graph, &reply);
    MUST(err == BYRE_OK || err == BYRE_EINVAL);
    byre__rpc_bytes_free(&reply);
    byre__rpc_graph_free(graph);
    byre__rpc_arena_free(arena);
}

/* ---- replies ----------------------------------------------------------------------------------- */

static bool restore(const unsigned char *data, size_t bytes, byre__rpc_graph_t *client,
                    const stock_t *stock, world_frame_t *frame)
{
    static const byre__rpc_limits_t limits = { LIMIT };
    static unsigned char before[1 << 16], after[1 << 16];
    uint32_t known = client->count;
    world_frame_t old = *frame;
    size_t size = picture(stock, before);
    int err = byre__rpc_unpack_reply(&world_proc, data, bytes, &limits, client, frame);
    MUST(err == BYRE_OK || err == BYRE_EPROTO);
    rpc_keep_new(client, known);
    if (err == BYRE_OK) return true;
    MUST(client->count == known && picture(stock, after) == size);
    MUST(memcmp(before, after, size) == 0 && memcmp(&old, frame, sizeof old) == 0);
    return false;
}

/* ---- spoiling ---------------------------------------------------------------------------------- */

static void spoil(unsigned char *data, size_t *bytes, chance_t *chance)
{
    static const uint32_t numbers[] = { 0, 1, 2, 3, 7, 127, 255, 65535, INT32_MAX, UINT32_MAX };
    for (uint64_t i = 1 + draw(chance, 3); i > 0 && *bytes > 4; i--) {
        size_t at = 4 + draw(chance, *bytes - 4);
        uint32_t number = numbers[draw(chance, RPC_COUNT(numbers))];
        if (draw(chance, 3) == 0) number = (uint32_t)draw(chance, 40);
        switch (draw(chance, 6)) {
        case 0:
            data[at] ^= (unsigned char)(1u << draw(chance, 8));
            break;
        case 1:
            data[at] = (unsigned char)number;
            break;
        case 2: /* a number of the message: mostly a reference or a part of a count */
        case 3:
            at &= ~(size_t)3;
            if (at + 4 <= *bytes) memcpy(data + at, &number, 4);
            break;
        case 4:
            *bytes = at;
            break;
        default:
            data[draw(chance, 4)] ^= (unsigned char)(1u << draw(chance, 8));
        }
    }
}

/* A copy of its own size, so that a read beyond it is found. */
static unsigned char *spoilt(const byre__rpc_bytes_t *from, size_t *bytes, chance_t *chance)
{
    *bytes = from->used;
    unsigned char *data = malloc(*bytes);
    memcpy(data, from->data, *bytes);
    spoil(data, bytes, chance);
    unsigned char *fitting = malloc(*bytes > 0 ? *bytes : 1);
    memcpy(fitting, data, *bytes);
    free(data);
    return fitting;
}

enum { TRIES = 4 }; /* of one world */

static void round_of(uint64_t seed, uint32_t *good)
{
    static stock_t stock;
    chance_t chance = { seed }, changes = { seed + 1 };
    world_frame_t frame;
    a_t *out;
    rpc_trip_t trip;
    make_world(&frame, &stock, &out, 1 + (uint32_t)draw(&chance, 6), &chance);
    MUST(rpc_trip_there(&trip, &world_proc, &frame, seed % 4 == 3, change_world, &changes) ==
         BYRE_OK);
    for (int i = 0; i < TRIES; i++) {
        size_t bytes;
        unsigned char *data = spoilt(&trip.call, &bytes, &chance);
        serve(data, bytes);
        free(data);
    }
    bool restored = false;
    for (int i = 0; i < TRIES && !restored; i++) {
        size_t bytes;
        unsigned char *data = spoilt(&trip.reply, &bytes, &chance);
        restored = restore(data, bytes, trip.client, &stock, &frame);
        free(data);
    }
    *good += restored;
    rpc_trip_end(&trip);
    rpc_pool_free();
}

#ifdef BYRE_LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    serve(data, size);
    static stock_t stock;
    chance_t chance = { size % 64 };
    world_frame_t frame;
    a_t *out;
    byre__rpc_bytes_t call = { 0 };
    byre__rpc_graph_t *client = NULL;
    make_world(&frame, &stock, &out, 1 + (uint32_t)draw(&chance, 6), &chance);
    MUST(byre__rpc_pack_call(&world_proc, &frame, false, &call, &client) == BYRE_OK);
    restore(data, size, client, &stock, &frame);
    byre__rpc_bytes_free(&call);
    byre__rpc_graph_free(client);
    rpc_pool_free();
    return 0;
}
#else
int main(int argc, char **argv)
{
    time_t end = argc > 2 ? time(NULL) + strtol(argv[2], NULL, 10) : 0;
    uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 0) : end != 0 ? (uint64_t)end << 20 : 1;
    const char *shown = getenv("SHOW_SEEDS");
    uint64_t rounds = 0;
    uint32_t good = 0;
    for (; end != 0 ? time(NULL) < end : rounds < ROUNDS; rounds++) {
        if (shown != NULL) fprintf(stderr, "seed %" PRIu64 "\n", first + rounds);
        round_of(first + rounds, &good);
    }
    printf("seeds from %" PRIu64 ": %" PRIu64 " rounds, %u replies were still good\n", first,
           rounds, good);
    return 0;
}
#endif
