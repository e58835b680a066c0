/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of types by hand, as byre-rpcgen writes them, and a call without a wire: for tests of marshalling. */
#ifndef RPC_TABLES_H
#define RPC_TABLES_H

#include "rpc/graph.h"
#include "rpc/marshal.h"

#include <byre_errors.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RPC_SCALAR(name_, kind_, ctype, flags_)                                              \
    __attribute__((unused)) static const byre_rpc_type_t name_ = { .name = #ctype,           \
                                                                   .kind = (kind_),          \
                                                                   .flags = (flags_),        \
                                                                   .align = _Alignof(ctype), \
                                                                   .size = sizeof(ctype) }
RPC_SCALAR(rpc_i8, BYRE_RPC_INT, int8_t, BYRE_RPC_F_FLAT | BYRE_RPC_F_SIGNED);
RPC_SCALAR(rpc_u16, BYRE_RPC_INT, uint16_t, BYRE_RPC_F_FLAT);
RPC_SCALAR(rpc_i32, BYRE_RPC_INT, int32_t, BYRE_RPC_F_FLAT | BYRE_RPC_F_SIGNED);
RPC_SCALAR(rpc_i64, BYRE_RPC_INT, int64_t, BYRE_RPC_F_FLAT | BYRE_RPC_F_SIGNED);
RPC_SCALAR(rpc_f32, BYRE_RPC_FLOAT, float, BYRE_RPC_F_FLAT);
RPC_SCALAR(rpc_f64, BYRE_RPC_FLOAT, double, BYRE_RPC_F_FLAT);
RPC_SCALAR(rpc_bool, BYRE_RPC_BOOL, _Bool, 0);
RPC_SCALAR(rpc_char, BYRE_RPC_INT, char, BYRE_RPC_F_FLAT);

#define RPC_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RPC_FIELD(ctype, field, type_)                                    \
    {                                                                     \
        .name = #field, .type = (type_), .offset = offsetof(ctype, field) \
    }
#define RPC_PARAM(ctype, field, type_, direct_)                                                \
    {                                                                                          \
        .name = #field, .type = (type_), .offset = offsetof(ctype, field), .direct = (direct_) \
    }
#define RPC_RESULT(ctype, field, type_)                                                       \
    {                                                                                         \
        .name = "", .type = (type_), .offset = offsetof(ctype, field), .direct = BYRE_RPC_OUT \
    }
#define RPC_CASE(name_, type_, value_)                      \
    {                                                       \
        .name = (name_), .type = (type_), .value = (value_) \
    }
#define RPC_DEFAULT(type_)                                                  \
    {                                                                       \
        .name = "default", .type = (type_), .direct = BYRE_RPC_DEFAULT_CASE \
    }
#define RPC_STRUCT(ctype, fields_, flags_)                                                    \
    {                                                                                         \
        .name = #ctype, .kind = BYRE_RPC_STRUCT, .flags = (flags_), .align = _Alignof(ctype), \
        .size = sizeof(ctype), .count = RPC_COUNT(fields_), .fields = (fields_)               \
    }
#define RPC_POINTER(element_, flags_, ...)                                                   \
    {                                                                                        \
        .name = "*", .kind = BYRE_RPC_POINTER, .flags = (flags_), .align = _Alignof(void *), \
        .size = sizeof(void *), .element = (element_), __VA_ARGS__                           \
    }
#define RPC_PROC(ctype, params_)                                                  \
    {                                                                             \
        .name = #params_, .params = (params_), .param_count = RPC_COUNT(params_), \
        .frame_bytes = sizeof(ctype)                                              \
    }

enum { RPC_INOUT = BYRE_RPC_IN | BYRE_RPC_OUT };

/* ---- a call ------------------------------------------------------------------------------------ */

typedef void (*rpc_body_fn)(void *frame, void *arg);

typedef struct rpc_trip {
    byre__rpc_bytes_t call, reply;
    byre__rpc_graph_t *client, *server;
    byre__rpc_arena_t *arena;
    void *frame; /* the server's */
} rpc_trip_t;

/* What a test has allocated, and has been given by replies: freed as a whole. */
static struct {
    void **items;
    size_t count, room;
} rpc_pool;

__attribute__((unused)) static void *rpc_keep(void *item)
{
    if (rpc_pool.count == rpc_pool.room) {
        rpc_pool.room = rpc_pool.room == 0 ? 64 : 2 * rpc_pool.room;
        rpc_pool.items = realloc(rpc_pool.items, rpc_pool.room * sizeof(void *));
    }
    rpc_pool.items[rpc_pool.count++] = item;
    return item;
}

/* New objects of a reply; one that has taken an old one's place is there already. */
__attribute__((unused)) static void rpc_keep_new(const byre__rpc_graph_t *graph, uint32_t before)
{
    for (uint32_t id = before; id < graph->count; id++) {
        bool there = false;
        for (size_t i = 0; i < rpc_pool.count && !there; i++)
            there = rpc_pool.items[i] == graph->objects[id].place;
        if (!there) rpc_keep(graph->objects[id].place);
    }
}

__attribute__((unused)) static void rpc_pool_free(void)
{
    for (size_t i = 0; i < rpc_pool.count; i++) free(rpc_pool.items[i]);
    free(rpc_pool.items);
    memset(&rpc_pool, 0, sizeof rpc_pool);
}

/* The arena of the procedure that is running; NULL: the pool, as in a local call. */
static byre__rpc_arena_t **rpc_arena;
__attribute__((unused)) static void *rpc_new(size_t bytes)
{
    return rpc_arena == NULL ? rpc_keep(malloc(bytes)) : byre__rpc_arena_alloc(rpc_arena, bytes);
}

static void rpc_trip_end(rpc_trip_t *trip)
{
    byre__rpc_graph_free(trip->client);
    byre__rpc_graph_free(trip->server);
    byre__rpc_arena_free(trip->arena);
    byre__rpc_bytes_free(&trip->call);
    byre__rpc_bytes_free(&trip->reply);
    free(trip->frame);
    *trip = (rpc_trip_t){ 0 };
}

/* Up to the reply, which is not unpacked. */
static int rpc_trip_there(rpc_trip_t *trip, const byre_rpc_proc_t *proc, const void *frame,
                          bool swapped, rpc_body_fn body, void *arg)
{
    *trip = (rpc_trip_t){ .frame = malloc(proc->frame_bytes) };
    int err = byre__rpc_pack_call(proc, frame, swapped, &trip->call, &trip->client);
    if (err == BYRE_OK)
        err = byre__rpc_unpack_call(proc, trip->call.data, trip->call.used, NULL, trip->frame,
                                    &trip->arena, &trip->server);
    if (err != BYRE_OK) return err;
    rpc_arena = &trip->arena;
    if (body != NULL) body(trip->frame, arg);
    rpc_arena = NULL;
    return byre__rpc_pack_reply(proc, trip->frame, swapped, trip->server, &trip->reply);
}

__attribute__((unused)) static int rpc_call(const byre_rpc_proc_t *proc, void *frame, bool swapped,
                                            rpc_body_fn body, void *arg)
{
    rpc_trip_t trip;
    int err = rpc_trip_there(&trip, proc, frame, swapped, body, arg);
    if (err == BYRE_OK)
        err = byre__rpc_unpack_reply(proc, trip.reply.data, trip.reply.used, NULL, trip.client,
                                     frame);
    rpc_trip_end(&trip);
    return err;
}

#endif
