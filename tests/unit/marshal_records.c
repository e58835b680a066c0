/* SPDX-License-Identifier: BSD-3-Clause */
/* Records (rpc/record.c) are marshalled as the general functions do it: graphs of two kinds of structs are described
 * twice, the second time with numbers that may not be copied, so that they are no records. Messages must be the
 * same, each side must read the other's, damaged ones must get the same answer. Invariants C1 to C3. */
#include "rpc_tables.h"

#include "rpc/arena.h"
#include "rpc/record.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>

#define MUST(condition)                                       \
    do {                                                      \
        if (!(condition)) ck_abort_msg("not %s", #condition); \
    } while (0)

enum { MANY = 300, ROUNDS = 200 };

struct leaf;
typedef struct inner {
    int32_t number;
    struct leaf *leaf;
} inner_t;
typedef struct mixed { /* gaps, neighbours of every size, an array of pointers, a struct with one */
    int8_t small;
    uint16_t pair[3];
    int32_t number;
    struct mixed *next;
    float real;
    int64_t value;
    struct mixed *links[2];
    int8_t bytes[5];
    inner_t inner;
} mixed_t;
typedef struct leaf {
    int32_t first, second;
    struct mixed *back;
    int64_t last;
} leaf_t;

typedef struct frame {
    mixed_t *a, *in;
    leaf_t *leaf;
} frame_t;

/* The same tables; F is F_FLAT or not, leaves have the numbers of tables L. */
#define TABLES(T, F, L)                                                                            \
    static const byre_rpc_type_t T##i8 = {                                                         \
        .kind = BYRE_RPC_INT, .flags = (F), .align = 1, .size = 1                                  \
    };                                                                                             \
    static const byre_rpc_type_t T##u16 = {                                                        \
        .kind = BYRE_RPC_INT, .flags = (F), .align = 2, .size = 2                                  \
    };                                                                                             \
    static const byre_rpc_type_t T##i32 = {                                                        \
        .kind = BYRE_RPC_INT, .flags = (F), .align = 4, .size = 4                                  \
    };                                                                                             \
    static const byre_rpc_type_t T##i64 = {                                                        \
        .kind = BYRE_RPC_INT, .flags = (F), .align = 8, .size = 8                                  \
    };                                                                                             \
    static const byre_rpc_type_t T##mixed, T##leaf;                                                \
    static const byre_rpc_type_t T##p_mixed = RPC_POINTER(&T##mixed, BYRE_RPC_F_PTR);              \
    static const byre_rpc_type_t T##p_leaf = RPC_POINTER(&T##leaf, BYRE_RPC_F_PTR);                \
    static const byre_rpc_type_t T##three = { .kind = BYRE_RPC_ARRAY,                              \
                                              .flags = (F),                                        \
                                              .align = 2,                                          \
                                              .size = 6,                                           \
                                              .count = 3,                                          \
                                              .element = &T##u16 };                                \
    static const byre_rpc_type_t T##five = {                                                       \
        .kind = BYRE_RPC_ARRAY, .flags = (F), .align = 1, .size = 5, .count = 5, .element = &T##i8 \
    };                                                                                             \
    static const byre_rpc_type_t T##two = {                                                        \
        .kind = BYRE_RPC_ARRAY, .align = 8, .size = 16, .count = 2, .element = &T##p_mixed         \
    };                                                                                             \
    static const byre_rpc_field_t T##inner_fields[] = { RPC_FIELD(inner_t, number, &T##i32),       \
                                                        RPC_FIELD(inner_t, leaf, &T##p_leaf) };    \
    static const byre_rpc_type_t T##inner = RPC_STRUCT(inner_t, T##inner_fields, 0);               \
    static const byre_rpc_field_t T##mixed_fields[] = {                                            \
        RPC_FIELD(mixed_t, small, &T##i8),   RPC_FIELD(mixed_t, pair, &T##three),                  \
        RPC_FIELD(mixed_t, number, &T##i32), RPC_FIELD(mixed_t, next, &T##p_mixed),                \
        RPC_FIELD(mixed_t, real, &rpc_f32),  RPC_FIELD(mixed_t, value, &T##i64),                   \
        RPC_FIELD(mixed_t, links, &T##two),  RPC_FIELD(mixed_t, bytes, &T##five),                  \
        RPC_FIELD(mixed_t, inner, &T##inner)                                                       \
    };                                                                                             \
    static const byre_rpc_type_t T##mixed = RPC_STRUCT(mixed_t, T##mixed_fields, 0);               \
    static const byre_rpc_field_t T##leaf_fields[] = { RPC_FIELD(leaf_t, first, &L##i32),          \
                                                       RPC_FIELD(leaf_t, second, &L##i32),         \
                                                       RPC_FIELD(leaf_t, back, &T##p_mixed),       \
                                                       RPC_FIELD(leaf_t, last, &L##i64) };         \
    static const byre_rpc_type_t T##leaf = RPC_STRUCT(leaf_t, T##leaf_fields, 0);                  \
    static const byre_rpc_field_t T##params[] = {                                                  \
        RPC_PARAM(frame_t, a, &T##p_mixed, RPC_INOUT),                                             \
        RPC_PARAM(frame_t, in, &T##p_mixed, BYRE_RPC_IN),                                          \
        RPC_PARAM(frame_t, leaf, &T##p_leaf, RPC_INOUT)                                            \
    };                                                                                             \
    static const byre_rpc_proc_t T##proc = RPC_PROC(frame_t, T##params);

TABLES(slow_, 0, slow_)
TABLES(fast_, BYRE_RPC_F_FLAT, fast_)
TABLES(half_, BYRE_RPC_F_FLAT, slow_)

/* ---- worlds ------------------------------------------------------------------------------------ */

static uint32_t state;
static uint32_t draw(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)state * below >> 32);
}

typedef struct world {
    mixed_t mixed[MANY];
    leaf_t leaves[MANY];
    uint32_t count;
} world_t;

static mixed_t *some_mixed(world_t *world)
{
    return draw(4) == 0 ? NULL : &world->mixed[draw(world->count)];
}

static leaf_t *some_leaf(world_t *world)
{
    return draw(3) == 0 ? NULL : &world->leaves[draw(world->count)];
}

/* Field by field: gaps stay zero, and worlds can be compared as memory. */
static void fill_mixed(world_t *world, mixed_t *mixed)
{
    mixed->small = (int8_t)draw(256);
    for (int i = 0; i < 3; i++) mixed->pair[i] = (uint16_t)draw(65536);
    mixed->number = (int32_t)draw(UINT32_MAX);
    mixed->next = some_mixed(world);
    mixed->real = (float)draw(1000) / 7;
    mixed->value = (int64_t)draw(UINT32_MAX) << 20;
    for (int i = 0; i < 2; i++) mixed->links[i] = some_mixed(world);
    for (int i = 0; i < 5; i++) mixed->bytes[i] = (int8_t)draw(256);
    mixed->inner.number = (int32_t)draw(UINT32_MAX);
    mixed->inner.leaf = some_leaf(world);
}

static void fill_leaf(world_t *world, leaf_t *leaf)
{
    leaf->first = (int32_t)draw(99);
    leaf->second = (int32_t)draw(99);
    leaf->back = some_mixed(world);
    leaf->last = draw(99);
}

static bool same_memory(const void *l, const void *r)
{
    return memcmp(l, r, sizeof(world_t)) == 0;
}

/* Mostly long chains, so that one kind comes many times in a row. */
static void make_world(world_t *world, frame_t *frame, uint32_t seed)
{
    memset(world, 0, sizeof *world);
    state = seed;
    world->count = 1 + draw(seed % 4 == 0 ? 20 : MANY);
    for (uint32_t i = 0; i < world->count; i++) {
        fill_mixed(world, &world->mixed[i]);
        if (i + 1 < world->count && seed % 3 != 0) world->mixed[i].next = &world->mixed[i + 1];
        fill_leaf(world, &world->leaves[i]);
    }
    *frame = (frame_t){ world->mixed, some_mixed(world), some_leaf(world) };
}

/* ---- a call, described in one way or the other at each step ------------------------------------ */

static leaf_t *new_leaf(byre__rpc_arena_t **arena, mixed_t *back)
{
    leaf_t *made = byre__rpc_arena_alloc(arena, sizeof *made);
    *made = (leaf_t){ .first = (int32_t)draw(99), .back = back };
    return made;
}

static void refer_to_new(const byre__rpc_object_t *object, byre__rpc_arena_t **arena)
{
    void *place = object->place;
    if (object->via->element->size == sizeof(mixed_t)) {
        ((mixed_t *)place)->inner.leaf = new_leaf(arena, place);
        return;
    }
    mixed_t *made = byre__rpc_arena_alloc(arena, sizeof *made);
    memset(made, 0, sizeof *made);
    ((leaf_t *)place)->back = made;
}

/* New objects here and there; in a third of the rounds one in the middle, and one in the last object. */
static void change(frame_t *frame, const byre__rpc_graph_t *graph, byre__rpc_arena_t **arena,
                   uint32_t seed)
{
    uint32_t steps = 0;
    state = seed + 1;
    for (mixed_t *mixed = frame->a; mixed != NULL && steps++ < MANY; mixed = mixed->next) {
        mixed->value -= steps;
        mixed->links[draw(2)] = draw(2) ? frame->a : mixed->next;
        if (draw(seed % 5 == 0 ? 10 : 100000) == 0) mixed->inner.leaf = new_leaf(arena, mixed);
    }
    if (seed % 3 != 0) return;
    refer_to_new(&graph->objects[graph->restored / 2], arena);
    refer_to_new(&graph->objects[graph->restored - 1], arena);
}

typedef struct trip {
    byre__rpc_bytes_t call, reply;
    byre__rpc_graph_t *client, *server;
    byre__rpc_arena_t *arena;
    frame_t frame; /* the server's */
} trip_t;

static void go(trip_t *trip, const byre_rpc_proc_t *client, const byre_rpc_proc_t *server,
               const frame_t *frame, uint32_t seed)
{
    *trip = (trip_t){ 0 };
    MUST(byre__rpc_pack_call(client, frame, false, &trip->call, &trip->client) == BYRE_OK);
    MUST(byre__rpc_unpack_call(server, trip->call.data, trip->call.used, NULL, &trip->frame,
                               &trip->arena, &trip->server) == BYRE_OK);
    change(&trip->frame, trip->server, &trip->arena, seed);
    MUST(byre__rpc_pack_reply(server, &trip->frame, false, trip->server, &trip->reply) == BYRE_OK);
}

static void end(trip_t *trip)
{
    byre__rpc_graph_free(trip->client);
    byre__rpc_graph_free(trip->server);
    byre__rpc_arena_free(trip->arena);
    byre__rpc_bytes_free(&trip->call);
    byre__rpc_bytes_free(&trip->reply);
}

static void come_back(trip_t *trip, const byre_rpc_proc_t *client, frame_t *frame)
{
    uint32_t before = trip->client->count;
    MUST(byre__rpc_unpack_reply(client, trip->reply.data, trip->reply.used, NULL, trip->client,
                                frame) == BYRE_OK);
    rpc_keep_new(trip->client, before);
}

static bool same_bytes(const byre__rpc_bytes_t *l, const byre__rpc_bytes_t *r)
{
    return l->used == r->used && memcmp(l->data, r->data, l->used) == 0;
}

/* Worlds may differ in where new objects are. */
static void *relative(const world_t *world, const void *target)
{
    uintptr_t from = (uintptr_t)world, at = (uintptr_t)target;
    if (target == NULL) return NULL;
    return (void *)(at - from < sizeof *world ? at - from + 1 : UINTPTR_MAX);
}

static void make_relative(world_t *world)
{
    for (uint32_t i = 0; i < world->count; i++) {
        mixed_t *mixed = &world->mixed[i];
        mixed->next = relative(world, mixed->next);
        for (int k = 0; k < 2; k++) mixed->links[k] = relative(world, mixed->links[k]);
        mixed->inner.leaf = relative(world, mixed->inner.leaf);
        world->leaves[i].back = relative(world, world->leaves[i].back);
    }
}

START_TEST(same_messages)
{
    static const byre_rpc_proc_t *const procs[] = { &slow_proc, &fast_proc, &half_proc };
    static world_t worlds[3];
    for (uint32_t seed = 1; seed <= ROUNDS; seed++) {
        trip_t trips[3];
        for (uint32_t i = 0; i < 3; i++) {
            frame_t frame;
            make_world(&worlds[i], &frame, seed);
            go(&trips[i], procs[i], procs[(i + seed) % 3], &frame, seed);
            come_back(&trips[i], procs[i], &frame);
            make_relative(&worlds[i]);
        }
        for (int i = 1; i < 3; i++) {
            MUST(same_bytes(&trips[0].call, &trips[i].call));
            MUST(same_bytes(&trips[0].reply, &trips[i].reply));
            MUST(same_memory(&worlds[0], &worlds[i]));
        }
        for (int i = 0; i < 3; i++) end(&trips[i]);
        rpc_pool_free();
    }
}
END_TEST

/* ---- damaged messages -------------------------------------------------------------------------- */

/* What each makes of a call: the error, and how much memory it has given to objects until then. */
static int read_call(const byre_rpc_proc_t *proc, const unsigned char *data, size_t bytes,
                     size_t limit, size_t *taken_out)
{
    byre__rpc_limits_t limits = { limit };
    byre__rpc_arena_t *arena = NULL;
    byre__rpc_graph_t *graph = NULL;
    frame_t frame;
    (void)byre__rpc_arena_alloc(&arena, 1); /* so that it is not freed after an error */
    int error = byre__rpc_unpack_call(proc, data, bytes, &limits, &frame, &arena, &graph);
    *taken_out = 0;
    for (const byre__rpc_arena_t *chunk = arena; chunk != NULL; chunk = chunk->next)
        *taken_out += chunk->used;
    byre__rpc_graph_free(graph);
    byre__rpc_arena_free(arena);
    return error;
}

static void damage(byre__rpc_bytes_t *bytes, uint32_t objects)
{
    for (uint32_t n = 1 + draw(2); n > 0; n--) {
        uint32_t at = draw((uint32_t)bytes->used / 4) * 4, word = draw(objects + 3);
        if (bytes->used < at + 4) continue;
        memcpy(bytes->data + at, &word, sizeof word);
    }
    if (draw(3) == 0) bytes->used = 4 + draw((uint32_t)bytes->used - 4);
}

START_TEST(same_answers)
{
    static world_t world;
    unsigned refused = 0;
    for (uint32_t seed = 1; seed <= ROUNDS * 10; seed++) {
        frame_t frame;
        trip_t trip;
        make_world(&world, &frame, seed);
        go(&trip, &fast_proc, &fast_proc, &frame, seed);
        damage(&trip.call, trip.client->count);
        /* In memory of its own length: a sanitizer sees what is read beyond. */
        unsigned char *data = malloc(trip.call.used);
        memcpy(data, trip.call.data, trip.call.used);
        size_t limit = draw(2) ? 0 : 1 + draw(MANY * 64);
        size_t fast_taken, slow_taken;
        int fast_error = read_call(&fast_proc, data, trip.call.used, limit, &fast_taken);
        int slow_error = read_call(&slow_proc, data, trip.call.used, limit, &slow_taken);
        if (fast_error != slow_error || fast_taken != slow_taken)
            ck_abort_msg("seed %u: %d and %d, %zu and %zu bytes", seed, fast_error, slow_error,
                         fast_taken, slow_taken);
        refused += fast_error != BYRE_OK;
        free(data);
        end(&trip);
    }
    MUST(refused > ROUNDS);
}
END_TEST

/* The other half: replies, into a world that must not change if they are refused. */
START_TEST(same_refusals)
{
    static world_t fast_world, slow_world, before;
    unsigned refused = 0;
    for (uint32_t seed = 1; seed <= ROUNDS * 10; seed++) {
        frame_t fast_frame, slow_frame;
        trip_t fast, slow;
        make_world(&fast_world, &fast_frame, seed);
        make_world(&slow_world, &slow_frame, seed);
        go(&fast, &fast_proc, &fast_proc, &fast_frame, seed);
        go(&slow, &slow_proc, &fast_proc, &slow_frame, seed);
        damage(&fast.reply, fast.client->count);
        size_t bytes = fast.reply.used;
        unsigned char *data = malloc(bytes);
        memcpy(data, fast.reply.data, bytes);
        before = fast_world;
        uint32_t known = fast.client->count;
        int fast_error =
            byre__rpc_unpack_reply(&fast_proc, data, bytes, NULL, fast.client, &fast_frame);
        int slow_error =
            byre__rpc_unpack_reply(&slow_proc, data, bytes, NULL, slow.client, &slow_frame);
        if (fast_error != slow_error)
            ck_abort_msg("seed %u: %d and %d", seed, fast_error, slow_error);
        if (fast_error != BYRE_OK) {
            refused++;
            MUST(same_memory(&before, &fast_world));
        }
        rpc_keep_new(fast.client, known);
        rpc_keep_new(slow.client, known);
        make_relative(&fast_world);
        make_relative(&slow_world);
        MUST(same_memory(&fast_world, &slow_world));
        free(data);
        end(&fast);
        end(&slow);
        rpc_pool_free();
    }
    MUST(refused > ROUNDS);
}
END_TEST

/* ---- what is a record -------------------------------------------------------------------------- */

START_TEST(steps)
{
    byre__rpc_records_t records;
    byre__rpc_records_init(&records);
    for (int i = 0; i < BYRE__RPC_RECORDS_FROM; i++)
        ck_assert_ptr_null(byre__rpc_record_of(&records, &fast_p_leaf));
    const byre__rpc_record_t *leaf = byre__rpc_record_of(&records, &fast_p_leaf);
    ck_assert_ptr_nonnull(leaf);
    ck_assert_uint_eq(leaf->count, 3); /* C1: two numbers, a pointer, behind which a gap may be */
    ck_assert_ptr_nonnull(byre__rpc_record_of(&records, &fast_p_mixed));
    ck_assert_ptr_null(byre__rpc_record_of(&records, &slow_p_leaf));
    ck_assert_ptr_eq(byre__rpc_record_of(&records, &fast_p_leaf), leaf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marshal_records");
    TCase *tests = tcase_create("marshal_records");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, same_messages);
    tcase_add_test(tests, same_answers);
    tcase_add_test(tests, same_refusals);
    tcase_add_test(tests, steps);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
