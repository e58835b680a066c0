/* SPDX-License-Identifier: BSD-3-Clause */
/* An interface with context handles, as byre-rpcgen would write it. */
#ifndef RPC_CONTEXT_TOOLS_H
#define RPC_CONTEXT_TOOLS_H

#include "rpc_tools.h"

struct pot { /* the server's state behind a handle */
    int owner, content;
};

static _Atomic int pots, run_downs;
static _Atomic int pot_users;

static void rundown_pot(void *context)
{
    struct pot *pot = context;
    CHECK(pot->content >= 0);
    pot->content = -1;
    atomic_fetch_add(&run_downs, 1);
    atomic_fetch_sub(&pots, 1);
    free(pot);
}

static const byre_rpc_type_t t_pot = {
    .name = "pot", .kind = BYRE_RPC_CONTEXT, .align = 8, .size = 8, .rundown = rundown_pot
};
static const byre_rpc_type_t t_pot_ref = { .name = "pot *",
                                           .kind = BYRE_RPC_POINTER,
                                           .flags = BYRE_RPC_F_REF,
                                           .align = 8,
                                           .size = 8,
                                           .element = &t_pot };
struct pot_frame { /* int NAME(int n, pot *p) */
    int n;
    void **place;
    int result;
};
struct use_frame { /* int use(int n, pot p) */
    int n;
    void *pot;
    int result;
};

static int open_pot(int n, void **place)
{
    struct pot *pot = malloc(sizeof *pot);
    CHECK(pot != NULL);
    *pot = (struct pot){ byre_rpc_caller(), n };
    *place = pot;
    return atomic_fetch_add(&pots, 1) + 1;
}
static int close_pot(int n, void **place)
{
    struct pot *pot = *place;
    if (pot == NULL) return -1;
    EQUAL(byre_rpc_caller(), pot->owner);
    *place = NULL;
    n += pot->content;
    free(pot);
    atomic_fetch_sub(&pots, 1);
    return n;
}
static int use_pot(int n, void *context)
{
    struct pot *pot = context;
    if (pot == NULL) return -2;
    EQUAL(byre_rpc_caller(), pot->owner);
    pot->content += n;
    return pot->content;
}
static _Atomic int pot_gate;
static int stir_pot(int n, void *context) /* stays, and finds the pot whole afterwards */
{
    struct pot *pot = context;
    atomic_fetch_add(&pot_users, 1);
    while (!atomic_load(&pot_gate)) nap_ms(1);
    nap_ms(n);
    CHECK(pot->content >= 0);
    int content = pot->content;
    atomic_fetch_sub(&pot_users, 1);
    return content;
}

static void invoke_open(const void *procs, void *frame)
{
    struct pot_frame *at = frame;
    (void)procs;
    at->result = open_pot(at->n, at->place);
}
static void invoke_close(const void *procs, void *frame)
{
    struct pot_frame *at = frame;
    (void)procs;
    at->result = close_pot(at->n, at->place);
}
static void invoke_use(const void *procs, void *frame)
{
    struct use_frame *at = frame;
    (void)procs;
    at->result = use_pot(at->n, at->pot);
}
static void invoke_stir(const void *procs, void *frame)
{
    struct use_frame *at = frame;
    (void)procs;
    at->result = stir_pot(at->n, at->pot);
}

#define POT_PARAMS(direction)                                                     \
    {                                                                             \
        { "n", &t_int, offsetof(struct pot_frame, n), 0, BYRE_RPC_IN },           \
            { "p", &t_pot_ref, offsetof(struct pot_frame, place), 0, direction }, \
            { "", &t_int, offsetof(struct pot_frame, result), 0, BYRE_RPC_OUT },  \
    }
static const byre_rpc_field_t open_params[] = POT_PARAMS(BYRE_RPC_OUT);
static const byre_rpc_field_t close_params[] = POT_PARAMS(BYRE_RPC_IN | BYRE_RPC_OUT);
static const byre_rpc_field_t use_params[] = {
    { "n", &t_int, offsetof(struct use_frame, n), 0, BYRE_RPC_IN },
    { "p", &t_pot, offsetof(struct use_frame, pot), 0, BYRE_RPC_IN },
    { "", &t_int, offsetof(struct use_frame, result), 0, BYRE_RPC_OUT },
};
enum { OPEN, CLOSE, USE, STIR };
static const byre_rpc_proc_t pot_procs[] = {
    { "open", open_params, 3, 0, sizeof(struct pot_frame), 0, invoke_open },
    { "close", close_params, 3, 0, sizeof(struct pot_frame), 0, invoke_close },
    { "use", use_params, 3, 0, sizeof(struct use_frame), 0, invoke_use },
    { "stir", use_params, 3, 0, sizeof(struct use_frame), 0, invoke_stir },
};
static void *pot_client;
static const byre_rpc_interface_t pot_interface = { .name = "pots",
                                                    .major = 1,
                                                    .hash = 0x707,
                                                    .procs = pot_procs,
                                                    .proc_count = LENGTH(pot_procs),
                                                    .client = &pot_client };

__attribute__((unused)) static int call_pot(uint32_t proc, int n, void **place)
{
    struct pot_frame frame = { n, place, -77 };
    (void)byre_rpc_call(&pot_interface, proc, &frame);
    return frame.result;
}
__attribute__((unused)) static int call_use(uint32_t proc, int n, void *pot)
{
    struct use_frame frame = { n, pot, -77 };
    (void)byre_rpc_call(&pot_interface, proc, &frame);
    return frame.result;
}

#endif
