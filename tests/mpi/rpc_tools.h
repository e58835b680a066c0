/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of calls share: an interface as byre-rpcgen would write it, with its client stubs. Each test
 * brings the procedures. */
#ifndef RPC_TOOLS_H
#define RPC_TOOLS_H

#include "testing.h"
#include <pthread.h>

/* ---- types ---------------------------------------------------------------------------------- */

static const byre_rpc_type_t t_int = { .name = "int",
                                       .kind = BYRE_RPC_INT,
                                       .flags = BYRE_RPC_F_SIGNED | BYRE_RPC_F_FLAT,
                                       .align = 4,
                                       .size = 4 };
static const byre_rpc_type_t t_u64 = {
    .name = "uint64_t", .kind = BYRE_RPC_INT, .flags = BYRE_RPC_F_FLAT, .align = 8, .size = 8
};
static const byre_rpc_type_t t_byte = {
    .name = "byte", .kind = BYRE_RPC_INT, .flags = BYRE_RPC_F_FLAT, .align = 1, .size = 1
};

struct bytes_frame { /* of all procedures with an array */
    uint64_t bytes;
    uint64_t seed;
    unsigned char *data;
    uint64_t result;
};

static int64_t bytes_is(const void *frame)
{
    return (int64_t)((const struct bytes_frame *)frame)->bytes;
}
static const byre_rpc_type_t t_bytes = { .name = "byte *",
                                         .kind = BYRE_RPC_POINTER,
                                         .flags = BYRE_RPC_F_REF | BYRE_RPC_F_BULK,
                                         .align = 8,
                                         .size = 8,
                                         .element = &t_byte,
                                         .size_is = bytes_is };

struct int_frame { /* int NAME(int a, int b) */
    int a, b;
    int result;
};
struct void_frame {
    char nothing;
};

/* ---- the interface ------------------------------------------------------------------------------- */

struct procs { /* NULL: this test does not have it */
    void (*null)(void);
    int (*add)(int a, int b);
    int (*once)(int a, int b);      /* not [idempotent] */
    int (*again)(int a, int b);     /* [idempotent] */
    void (*note)(int a, int b);     /* [maybe] */
    int (*impatient)(int a, int b); /* has a timeout of 100 ms */
    int (*status)(int a, int b);    /* [comm_status] */
    uint64_t (*sum)(uint64_t bytes, uint64_t seed, const unsigned char *data);
    uint64_t (*make)(uint64_t bytes, uint64_t seed, unsigned char *data);
    uint64_t (*flip)(uint64_t bytes, uint64_t seed, unsigned char *data);
};
enum { NULL_PROC, ADD, ONCE, AGAIN, NOTE, IMPATIENT, STATUS, SUM, MAKE, FLIP, PROCS };

static void invoke_null(const void *procs, void *frame)
{
    (void)frame;
    ((const struct procs *)procs)->null();
}
#define INVOKE_INT(name)                                                \
    static void invoke_##name(const void *procs, void *frame)           \
    {                                                                   \
        struct int_frame *at = frame;                                   \
        at->result = ((const struct procs *)procs)->name(at->a, at->b); \
    }
INVOKE_INT(add)
INVOKE_INT(once)
INVOKE_INT(again)
INVOKE_INT(impatient)
INVOKE_INT(status)
static void invoke_note(const void *procs, void *frame)
{
    const struct int_frame *at = frame;
    ((const struct procs *)procs)->note(at->a, at->b);
}
#define INVOKE_BYTES(name)                                                               \
    static void invoke_##name(const void *procs, void *frame)                            \
    {                                                                                    \
        struct bytes_frame *at = frame;                                                  \
        at->result = ((const struct procs *)procs)->name(at->bytes, at->seed, at->data); \
    }
INVOKE_BYTES(sum)
INVOKE_BYTES(make)
INVOKE_BYTES(flip)

#define INT_IN                                                      \
    { "a", &t_int, offsetof(struct int_frame, a), 0, BYRE_RPC_IN }, \
    {                                                               \
        "b", &t_int, offsetof(struct int_frame, b), 0, BYRE_RPC_IN  \
    }
static const byre_rpc_field_t int_params[] = {
    INT_IN,
    { "", &t_int, offsetof(struct int_frame, result), 0, BYRE_RPC_OUT },
};
static const byre_rpc_field_t note_params[] = { INT_IN };
#define BYTES_PARAMS(direction)                                                     \
    {                                                                               \
        { "bytes", &t_u64, offsetof(struct bytes_frame, bytes), 0, BYRE_RPC_IN },   \
            { "seed", &t_u64, offsetof(struct bytes_frame, seed), 0, BYRE_RPC_IN }, \
            { "data", &t_bytes, offsetof(struct bytes_frame, data), 0, direction }, \
            { "", &t_u64, offsetof(struct bytes_frame, result), 0, BYRE_RPC_OUT },  \
    }
static const byre_rpc_field_t sum_params[] = BYTES_PARAMS(BYRE_RPC_IN);
static const byre_rpc_field_t make_params[] = BYTES_PARAMS(BYRE_RPC_OUT);
static const byre_rpc_field_t flip_params[] = BYTES_PARAMS(BYRE_RPC_IN | BYRE_RPC_OUT);

#define INT_PROC(proc, proc_flags, ms)                                                \
    {                                                                                 \
#proc, int_params, 3, proc_flags, sizeof(struct int_frame), ms, invoke_##proc \
    }
#define BYTES_PROC(proc)                                                         \
    {                                                                            \
#proc, proc##_params, 4, 0, sizeof(struct bytes_frame), 0, invoke_##proc \
    }
static const byre_rpc_proc_t test_procs[PROCS] = {
    [NULL_PROC] = { "null", NULL, 0, 0, sizeof(struct void_frame), 0, invoke_null },
    [ADD] = INT_PROC(add, 0, 0),
    [ONCE] = INT_PROC(once, 0, 0),
    [AGAIN] = INT_PROC(again, BYRE_RPC_P_IDEMPOTENT, 0),
    [NOTE] = { "note", note_params, 2, BYRE_RPC_P_MAYBE, sizeof(struct int_frame), 0, invoke_note },
    [IMPATIENT] = INT_PROC(impatient, 0, 100),
    [STATUS] = INT_PROC(status, BYRE_RPC_P_STATUS, 0),
    [SUM] = BYTES_PROC(sum),
    [MAKE] = BYTES_PROC(make),
    [FLIP] = BYTES_PROC(flip),
};
static void *test_client;
static const byre_rpc_interface_t test_interface = { .name = "test",
                                                     .major = 1,
                                                     .minor = 2,
                                                     .hash = 0x1234,
                                                     .procs = test_procs,
                                                     .proc_count = PROCS,
                                                     .client = &test_client };

/* ---- client stubs -------------------------------------------------------------------------------- */

__attribute__((unused)) static void null(void)
{
    struct void_frame frame = { 0 };
    (void)byre_rpc_call(&test_interface, NULL_PROC, &frame);
}
__attribute__((unused)) static int call_int(uint32_t proc, int a, int b)
{
    struct int_frame frame = { a, b, -77 };
    (void)byre_rpc_call(&test_interface, proc, &frame);
    return frame.result;
}
__attribute__((unused)) static uint64_t call_bytes(uint32_t proc, uint64_t bytes, uint64_t seed,
                                                   unsigned char *data)
{
    struct bytes_frame frame = { bytes, seed, data, 77 };
    (void)byre_rpc_call(&test_interface, proc, &frame);
    return frame.result;
}

/* ---- the rest --------------------------------------------------------------------------------------- */

static inline void nap_ms(int ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&time, NULL);
}

static inline byre_rpc_server_t export_as(const char *name, const struct procs *procs,
                                          byre_rpc_serving_t serving, unsigned threads,
                                          unsigned queue)
{
    byre_rpc_export_attr_t attr = { serving, threads, queue };
    byre_rpc_server_t server = NULL;
    EXPECT(BYRE_OK, byre_rpc_export(&test_interface, procs, name, &attr, &server));
    return server;
}

static inline byre_rpc_binding_t bind_to(const char *name, int rank, int timeout_ms)
{
    byre_rpc_bind_attr_t attr = { .pick = rank < 0 ? BYRE_RPC_ANY : BYRE_RPC_RANK,
                                  .rank = rank,
                                  .wait_ms = -1,
                                  .timeout_ms = timeout_ms };
    byre_rpc_binding_t binding = NULL;
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, name, &attr, &binding));
    return binding;
}

/* The latest call of this thread must have ended so. */
#define OUTCOME(want_error, want_may_have_run)                \
    do {                                                      \
        byre_rpc_outcome_t outcome_ = { 0 };                  \
        EXPECT(want_error, byre_rpc_outcome(&outcome_));      \
        EXPECT(want_error, outcome_.error);                   \
        EQUAL(want_may_have_run, outcome_.may_have_run != 0); \
    } while (0)

#endif
