/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs: what [ptr] promises, shape by shape, and large ones. Invariants Y1 to Y3 of rpc/marshal_reply.c and
 * rpc/marshal_restore.c; marshal_contains.c has objects that lie in others. */
#include "rpc_tables.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>

#define OK(call) ck_assert_int_eq((call), BYRE_OK)
/* Check writes down each assertion that it passes, which is too dear for millions. */
#define MUST(condition)                                       \
    do {                                                      \
        if (!(condition)) ck_abort_msg("not %s", #condition); \
    } while (0)
#if defined __SANITIZE_ADDRESS__
enum { LONG = 50000, WIDE = 10000 };
#else
enum { LONG = 1000000, WIDE = 100000 };
#endif

typedef struct node {
    int64_t value;
    struct node *next, *other;
} node_t;
static const byre_rpc_type_t node_type;
static const byre_rpc_type_t ptr_node = RPC_POINTER(&node_type, BYRE_RPC_F_PTR);
static const byre_rpc_field_t node_fields[] = { RPC_FIELD(node_t, value, &rpc_i64),
                                                RPC_FIELD(node_t, next, &ptr_node),
                                                RPC_FIELD(node_t, other, &ptr_node) };
static const byre_rpc_type_t node_type = RPC_STRUCT(node_t, node_fields, 0);
static const byre_rpc_type_t ref_node = RPC_POINTER(&node_type, BYRE_RPC_F_REF);

typedef struct pair_frame {
    node_t *a, *b;  /* in,out, ptr */
    node_t *in;     /* in, ptr */
    node_t *out;    /* out, ptr */
    node_t *result; /* ptr */
} pair_frame_t;
static const byre_rpc_field_t pair_params[] = {
    RPC_PARAM(pair_frame_t, a, &ptr_node, RPC_INOUT),
    RPC_PARAM(pair_frame_t, b, &ptr_node, RPC_INOUT),
    RPC_PARAM(pair_frame_t, in, &ptr_node, BYRE_RPC_IN),
    RPC_PARAM(pair_frame_t, out, &ptr_node, BYRE_RPC_OUT),
    RPC_RESULT(pair_frame_t, result, &ptr_node),
};
static const byre_rpc_proc_t pair_proc = RPC_PROC(pair_frame_t, pair_params);

/* ---- small shapes ------------------------------------------------------------------------------ */

static void ring_body(void *frame, void *arg)
{
    (void)arg;
    pair_frame_t *f = frame;
    ck_assert_ptr_eq(f->a, f->b);
    ck_assert_ptr_eq(f->a->next->next, f->a);
    ck_assert_ptr_eq(f->a->other, f->a);
    ck_assert_ptr_null(f->a->next->other);
    ck_assert_ptr_null(f->in);
    f->a->value = 10;
    f->a->next->value = 20;
    f->a->other = f->a->next;
    f->result = f->b;
}

/* Cycles, an object that leads to itself, one object from two parameters, NULL. */
START_TEST(ring)
{
    node_t one = { .value = 1 }, two = { .value = 2, .next = &one };
    one.next = &two;
    one.other = &one;
    pair_frame_t frame = { .a = &one, .b = &one };
    OK(rpc_call(&pair_proc, &frame, _i == 1, ring_body, NULL));
    ck_assert(one.value == 10 && one.next == &two && one.other == &two);
    ck_assert(two.value == 20 && two.next == &one && two.other == NULL);
    ck_assert_ptr_eq(frame.result, &one);
}
END_TEST

static void unlink_body(void *frame, void *arg)
{
    (void)arg;
    node_t *first = ((pair_frame_t *)frame)->a, *second = first->next;
    second->value = -2; /* written, and then not reachable any more */
    second->next->value = -3;
    first->next = rpc_new(sizeof(node_t));
    *first->next = (node_t){ .value = 4, .next = rpc_new(sizeof(node_t)), .other = first };
    *first->next->next = (node_t){ .value = 5, .other = first->next };
    memset(&second->other, 0, sizeof second->other);
}

/* What was reachable is restored, linked or not, and what is new is malloc'ed. */
START_TEST(unlinked)
{
    node_t three = { .value = 3 }, two = { .value = 2, .next = &three, .other = &three };
    node_t one = { .value = 1, .next = &two }, *mine = &two;
    pair_frame_t frame = { .a = &one };
    OK(rpc_call(&pair_proc, &frame, _i == 1, unlink_body, NULL));
    ck_assert(mine->value == -2 && mine->next == &three && mine->other == NULL);
    ck_assert_int_eq(three.value, -3);
    node_t *four = one.next, *five = four->next;
    ck_assert(four->value == 4 && four->other == &one);
    ck_assert(five->value == 5 && five->other == four && five->next == NULL);
    free(five);
    free(four);
}
END_TEST

static void in_body(void *frame, void *arg)
{
    (void)arg;
    pair_frame_t *f = frame;
    f->in->value = 99; /* the caller does not see it */
    f->a->other = f->in;
    f->a->next->value = 7; /* reached by both */
    f->result = f->in->other;
}

START_TEST(in_only)
{
    node_t last = { .value = 4 }, shared = { .value = 3 };
    node_t in = { .value = 2, .next = &shared, .other = &last };
    node_t one = { .value = 1, .next = &shared };
    pair_frame_t frame = { .a = &one, .in = &in };
    OK(rpc_call(&pair_proc, &frame, _i == 1, in_body, NULL));
    ck_assert(in.value == 2 && one.other == &in && shared.value == 7 && frame.result == &last);
}
END_TEST

static void out_body(void *frame, void *arg)
{
    pair_frame_t *f = frame;
    ck_assert_int_eq(f->out->value, *(int64_t *)arg);
    f->out->value = 6;
    f->out->next = f->a;
    f->a->next = f->out;
}

/* An [out] object has no value at the server, but it is the caller's own: others may lead to it. It may also be
 * another parameter's. */
START_TEST(out)
{
    node_t made = { .value = 5 }, one = { .value = 1 };
    pair_frame_t frame = { .a = &one, .out = &made };
    int64_t expected = 0;
    OK(rpc_call(&pair_proc, &frame, _i == 1, out_body, &expected));
    ck_assert(made.value == 6 && made.next == &one && one.next == &made);
    made.value = 5;
    frame.in = &made;
    expected = 5;
    OK(rpc_call(&pair_proc, &frame, _i == 1, out_body, &expected));
    ck_assert(made.value == 6 && made.next == &one && one.next == &made);
    frame = (pair_frame_t){ .a = &made, .out = &made };
    made.value = 5;
    OK(rpc_call(&pair_proc, &frame, _i == 1, out_body, &expected));
    ck_assert(made.value == 6 && made.next == &made);
}
END_TEST

typedef struct ref_frame {
    node_t *head; /* in,out, ref */
} ref_frame_t;
static const byre_rpc_field_t ref_params[] = { RPC_PARAM(ref_frame_t, head, &ref_node, RPC_INOUT) };
static const byre_rpc_proc_t ref_proc = RPC_PROC(ref_frame_t, ref_params);

static void ref_body(void *frame, void *arg)
{
    (void)arg;
    node_t *head = ((ref_frame_t *)frame)->head;
    ck_assert_ptr_eq(head->next->next, head);
    head->next->next->value = 8;
}

/* A [ref] parameter is an object like others. */
START_TEST(back_to_ref)
{
    node_t two = { .value = 2 }, one = { .value = 1, .next = &two };
    two.next = &one;
    ref_frame_t frame = { &one };
    OK(rpc_call(&ref_proc, &frame, _i == 1, ref_body, NULL));
    ck_assert(one.value == 8 && one.next == &two && two.next == &one);
    frame.head = NULL;
    ck_assert_int_eq(rpc_call(&ref_proc, &frame, false, ref_body, NULL), BYRE_EINVAL);
}
END_TEST

/* ---- large ones -------------------------------------------------------------------------------- */

static void reverse_body(void *frame, void *arg)
{
    (void)arg;
    pair_frame_t *f = frame;
    node_t *reversed = NULL;
    for (node_t *node = f->a, *next; node != NULL; node = next) {
        next = node->next;
        node->next = reversed;
        node->value = -node->value;
        reversed = node;
    }
    f->result = reversed;
}

START_TEST(long_list)
{
    node_t *nodes = calloc(LONG, sizeof *nodes);
    for (int64_t i = 0; i < LONG; i++)
        nodes[i] = (node_t){ i, i + 1 < LONG ? &nodes[i + 1] : NULL, &nodes[0] };
    pair_frame_t frame = { .a = nodes };
    OK(rpc_call(&pair_proc, &frame, _i == 1, reverse_body, NULL));
    MUST(frame.result == &nodes[LONG - 1]);
    for (int64_t i = 0; i < LONG; i++) {
        MUST(nodes[i].value == -i && nodes[i].other == &nodes[0]);
        MUST(nodes[i].next == (i > 0 ? &nodes[i - 1] : NULL));
    }
    free(nodes);
}
END_TEST

static void build_body(void *frame, void *arg)
{
    (void)arg;
    pair_frame_t *f = frame;
    node_t *head = NULL;
    for (int64_t i = 0; i < LONG; i++) {
        node_t *node = rpc_new(sizeof *node);
        *node = (node_t){ i, head, head };
        head = node;
    }
    f->result = head;
}

START_TEST(long_answer)
{
    pair_frame_t frame = { 0 };
    OK(rpc_call(&pair_proc, &frame, false, build_body, NULL));
    int64_t count = LONG;
    for (node_t *node = frame.result, *next; node != NULL; node = next) {
        next = node->next;
        MUST(node->value == --count && node->other == next);
        free(node);
    }
    MUST(count == 0);
}
END_TEST

/* A list of [unique] pointers is as long. */
typedef struct link {
    int64_t value;
    struct link *next;
} link_t;
static const byre_rpc_type_t link_type;
static const byre_rpc_type_t unique_link = RPC_POINTER(&link_type, BYRE_RPC_F_UNIQUE);
static const byre_rpc_field_t link_fields[] = { RPC_FIELD(link_t, value, &rpc_i64),
                                                RPC_FIELD(link_t, next, &unique_link) };
static const byre_rpc_type_t link_type = RPC_STRUCT(link_t, link_fields, 0);
static const byre_rpc_field_t link_params[] = {
    { .name = "list", .type = &unique_link, .direct = RPC_INOUT }
};
static const byre_rpc_proc_t link_proc = {
    .name = "link", .params = link_params, .param_count = 1, .frame_bytes = sizeof(link_t *)
};

static void link_body(void *frame, void *arg)
{
    (void)arg;
    for (link_t *link = *(link_t **)frame; link != NULL; link = link->next) link->value++;
}

START_TEST(long_unique)
{
    link_t *links = calloc(LONG, sizeof *links), *list = links;
    for (int64_t i = 0; i + 1 < LONG; i++) links[i] = (link_t){ i, &links[i + 1] };
    links[LONG - 1].value = LONG - 1;
    OK(rpc_call(&link_proc, &list, false, link_body, NULL));
    for (int64_t i = 0; i < LONG; i++) MUST(links[i].value == i + 1);
    free(links);
}
END_TEST

/* ---- what a new object may not be written over ------------------------------------------------- */

typedef struct stale_frame {
    link_t *list; /* in,out, unique */
    link_t **out; /* out, ref, to unique */
} stale_frame_t;
static const byre_rpc_type_t ref_unique_link = RPC_POINTER(&unique_link, BYRE_RPC_F_REF);
static const byre_rpc_field_t stale_params[] = {
    RPC_PARAM(stale_frame_t, list, &unique_link, RPC_INOUT),
    RPC_PARAM(stale_frame_t, out, &ref_unique_link, BYRE_RPC_OUT),
};
static const byre_rpc_proc_t stale_proc = RPC_PROC(stale_frame_t, stale_params);

static void stale_body(void *frame, void *arg)
{
    (void)arg;
    stale_frame_t *f = frame;
    ck_assert_ptr_null(*f->out);
    f->list->next = NULL;
    *f->out = rpc_new(sizeof(link_t));
    **f->out = (link_t){ 3, NULL };
}

/* Y3: an [out] pointer has no old object, whatever is in it. */
START_TEST(stale)
{
    link_t two = { .value = 2 }, one = { .value = 1, .next = &two }, *made = &two;
    stale_frame_t frame = { &one, &made };
    OK(rpc_call(&stale_proc, &frame, _i == 1, stale_body, NULL));
    ck_assert(one.next == NULL && two.value == 2 && made != &two && made->value == 3);
    free(made);
}
END_TEST

static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    return x ^ (x >> 16);
}

static void random_body(void *frame, void *arg)
{
    node_t **all = arg, *node = ((pair_frame_t *)frame)->a;
    for (uint32_t i = 0; i < WIDE; i++, node = node->next) {
        MUST(node->value == i && all[i] == NULL);
        all[i] = node;
    }
    MUST(node == all[0]);
    for (uint32_t i = 0; i < WIDE; i++) { /* other edges for all */
        MUST(all[i]->other == all[mix(i) % WIDE]);
        all[i]->other = all[mix(i + 7) % WIDE];
        all[i]->next = all[(i + WIDE - 1) % WIDE];
    }
}

/* Each node has an edge to its successor and a random one. */
START_TEST(random_graph)
{
    node_t **nodes = malloc(WIDE * sizeof *nodes);
    for (uint32_t i = 0; i < WIDE; i++) nodes[i] = malloc(sizeof(node_t));
    for (uint32_t i = 0; i < WIDE; i++)
        *nodes[i] = (node_t){ i, nodes[(i + 1) % WIDE], nodes[mix(i) % WIDE] };
    node_t **servers = calloc(WIDE, sizeof *servers);
    pair_frame_t frame = { .a = nodes[0] };
    OK(rpc_call(&pair_proc, &frame, _i == 1, random_body, servers));
    for (uint32_t i = 0; i < WIDE; i++) {
        MUST(nodes[i]->value == i && nodes[i]->other == nodes[mix(i + 7) % WIDE]);
        MUST(nodes[i]->next == nodes[(i + WIDE - 1) % WIDE]);
    }
    for (uint32_t i = 0; i < WIDE; i++) free(nodes[i]);
    free(nodes);
    free(servers);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marshal_graph");
    TCase *tests = tcase_create("marshal_graph");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, ring, 0, 2);
    tcase_add_loop_test(tests, unlinked, 0, 2);
    tcase_add_loop_test(tests, in_only, 0, 2);
    tcase_add_loop_test(tests, out, 0, 2);
    tcase_add_loop_test(tests, back_to_ref, 0, 2);
    tcase_add_loop_test(tests, stale, 0, 2);
    tcase_add_loop_test(tests, long_list, 0, 2);
    tcase_add_test(tests, long_answer);
    tcase_add_test(tests, long_unique);
    tcase_add_loop_test(tests, random_graph, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
