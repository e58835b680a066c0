/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs: what [ptr] promises, shape by shape, and large ones. Invariants Y1 to Y3 of rpc/marshal_reply.c and
 * rpc/marshal_restore.c, R1 to R4 of rpc/graph_roots.c. */
#include "rpc_tables.h"

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

/* ---- objects in objects ------------------------------------------------------------------------ */

typedef struct box {
    int32_t first;
    int32_t inside[3];
    uint16_t n;
    int32_t *array;  /* ptr, size_is(n) */
    int32_t *cell;   /* ptr */
    struct box *box; /* ptr */
} box_t;
static int64_t box_n(const void *container)
{
    return ((const box_t *)container)->n;
}
static const byre_rpc_type_t box_type;
static const byre_rpc_type_t ptr_box = RPC_POINTER(&box_type, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ptr_cell = RPC_POINTER(&rpc_i32, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ptr_cells =
    RPC_POINTER(&rpc_i32, BYRE_RPC_F_PTR | BYRE_RPC_F_CONTAINS, .size_is = box_n);
static const byre_rpc_type_t three_cells = { .kind = BYRE_RPC_ARRAY,
                                             .flags = BYRE_RPC_F_FLAT | BYRE_RPC_F_CONTAINS,
                                             .align = 4,
                                             .size = 12,
                                             .count = 3,
                                             .element = &rpc_i32 };
static const byre_rpc_field_t box_fields[] = {
    RPC_FIELD(box_t, first, &rpc_i32), RPC_FIELD(box_t, inside, &three_cells),
    RPC_FIELD(box_t, n, &rpc_u16),     RPC_FIELD(box_t, array, &ptr_cells),
    RPC_FIELD(box_t, cell, &ptr_cell), RPC_FIELD(box_t, box, &ptr_box),
};
static const byre_rpc_type_t box_type = RPC_STRUCT(box_t, box_fields, BYRE_RPC_F_CONTAINS);

typedef struct box_frame {
    int32_t *cell; /* in,out, ptr */
    box_t *box;    /* in,out, ptr */
    int32_t *result;
} box_frame_t;
static const byre_rpc_field_t box_params[] = { RPC_PARAM(box_frame_t, cell, &ptr_cell, RPC_INOUT),
                                               RPC_PARAM(box_frame_t, box, &ptr_box, RPC_INOUT),
                                               RPC_RESULT(box_frame_t, result, &ptr_cell) };
static const byre_rpc_proc_t box_proc = RPC_PROC(box_frame_t, box_params);

static void inside_body(void *frame, void *arg)
{
    (void)arg;
    box_frame_t *f = frame;
    ck_assert_ptr_eq(f->cell, &f->box->inside[1]);
    ck_assert_ptr_eq(f->box->cell, &f->box->array[2]);
    *f->cell = 11;
    *f->box->cell = 22;
    f->box->array[0] = 33;
    f->box->cell = &f->box->first;
    f->result = &f->box->array[3];
}

/* A pointer into a struct and into an array, seen before and after the whole. */
START_TEST(inside)
{
    int32_t array[4] = { 1, 2, 3, 4 };
    box_t box = { .first = 7, .inside = { 4, 5, 6 }, .n = 4, .array = array, .cell = &array[2] };
    box_frame_t frame = { .cell = &box.inside[1], .box = &box };
    OK(rpc_call(&box_proc, &frame, _i == 1, inside_body, NULL));
    ck_assert(box.inside[1] == 11 && array[2] == 22 && array[0] == 33 && box.array == array);
    ck_assert_ptr_eq(box.cell, &box.first);
    ck_assert_ptr_eq(frame.result, &array[3]);
}
END_TEST

static void new_inside_body(void *frame, void *arg)
{
    (void)arg;
    box_frame_t *f = frame;
    box_t *made = memset(rpc_new(sizeof(box_t)), 0, sizeof(box_t));
    made->n = 5;
    made->array = rpc_new(5 * sizeof(int32_t));
    for (int i = 0; i < 5; i++) made->array[i] = i;
    made->cell = &made->array[4];
    f->result = &made->inside[2]; /* first seen from inside */
    f->box->box = made;
    f->box->cell = &made->array[1];
}

/* New objects too are one where they are one. */
START_TEST(new_inside)
{
    box_t box = { 0 };
    box_frame_t frame = { .box = &box };
    OK(rpc_call(&box_proc, &frame, _i == 1, new_inside_body, NULL));
    ck_assert_ptr_eq(frame.result, &box.box->inside[2]);
    ck_assert_ptr_eq(box.cell, &box.box->array[1]);
    ck_assert_ptr_eq(box.box->cell, &box.box->array[4]);
    ck_assert_int_eq(*box.cell, 1);
    free(box.box->array);
    free(box.box);
}
END_TEST

static void overlap_body(void *frame, void *arg)
{
    (void)arg;
    box_t *box = ((box_frame_t *)frame)->box;
    ck_assert_ptr_eq(box->array + 2, box->box->array);
    box->box->array[0] = 70;
    ck_assert_int_eq(box->array[2], 70);
    box->box->array[3] = 80;
}

/* R3: two windows of one array. */
START_TEST(overlap)
{
    int32_t array[6] = { 0, 1, 2, 3, 4, 5 };
    box_t second = { .n = 4, .array = array + 2 };
    box_t first = { .n = 4, .array = array, .box = &second };
    box_frame_t frame = { .box = &first };
    OK(rpc_call(&box_proc, &frame, _i == 1, overlap_body, NULL));
    ck_assert(array[2] == 70 && array[5] == 80);
    ck_assert(first.array == array && second.array == array + 2);
}
END_TEST

static void prefix_body(void *frame, void *arg)
{
    (void)arg;
    box_t *box = ((box_frame_t *)frame)->box;
    ck_assert_ptr_eq(box->array, box->box->array);
    ck_assert_ptr_eq(box->array, box->cell);
    box->box->array[3] = 9;
}

/* One address, three sizes; the small ones are seen first. */
START_TEST(prefix)
{
    int32_t array[4] = { 0, 1, 2, 3 };
    box_t second = { .n = 4, .array = array };
    box_t first = { .n = 2, .array = array, .cell = array, .box = &second };
    box_frame_t frame = { .cell = array, .box = &first };
    OK(rpc_call(&box_proc, &frame, _i == 1, prefix_body, NULL));
    ck_assert_int_eq(array[3], 9);
    ck_assert(first.array == array && second.array == array && first.cell == array);
}
END_TEST

static void resize_body(void *frame, void *arg)
{
    box_t *box = ((box_frame_t *)frame)->box;
    for (int i = 0; i < 4; i++) box->array[i] = 10 * i;
    box->n = *(uint16_t *)arg;
}

/* Y1: an array has the size that it had. A longer one must be a new one. */
START_TEST(resized)
{
    int32_t array[4] = { 1, 2, 3, 4 };
    box_t box = { .n = 4, .array = array };
    box_frame_t frame = { .box = &box };
    uint16_t n = 2;
    OK(rpc_call(&box_proc, &frame, _i == 1, resize_body, &n));
    ck_assert(box.n == 2 && box.array == array && array[1] == 10 && array[3] == 30);
    box.n = 4;
    n = 5;
    ck_assert_int_eq(rpc_call(&box_proc, &frame, _i == 1, resize_body, &n), BYRE_EINVAL);
    ck_assert(box.n == 4 && box.array == array);
}
END_TEST

/* A struct and its only field are the same bytes: the struct is the outer one, whichever is seen first. */
typedef struct wrap {
    int32_t cell;
} wrap_t;
static const byre_rpc_field_t wrap_fields[] = { RPC_FIELD(wrap_t, cell, &rpc_i32) };
static const byre_rpc_type_t wrap_type =
    RPC_STRUCT(wrap_t, wrap_fields, BYRE_RPC_F_FLAT | BYRE_RPC_F_CONTAINS);
static const byre_rpc_type_t ptr_wrap = RPC_POINTER(&wrap_type, BYRE_RPC_F_PTR);
typedef struct wrap_frame {
    int32_t *cell; /* in,out, ptr */
    wrap_t *wrap;  /* in,out, ptr */
} wrap_frame_t;
static const byre_rpc_field_t wrap_params[] = {
    RPC_PARAM(wrap_frame_t, cell, &ptr_cell, RPC_INOUT),
    RPC_PARAM(wrap_frame_t, wrap, &ptr_wrap, RPC_INOUT),
};
static const byre_rpc_proc_t wrap_proc = RPC_PROC(wrap_frame_t, wrap_params);

static void wrap_body(void *frame, void *arg)
{
    (void)arg;
    wrap_frame_t *f = frame;
    ck_assert_ptr_eq(f->cell, &f->wrap->cell);
    *f->cell = 4;
}

START_TEST(same_bytes)
{
    wrap_t wrap = { 3 };
    wrap_frame_t frame = { &wrap.cell, &wrap };
    OK(rpc_call(&wrap_proc, &frame, _i == 1, wrap_body, NULL));
    ck_assert_int_eq(wrap.cell, 4);
}
END_TEST

/* ---- objects that only their container explains ------------------------------------------------ */

typedef union either {
    int32_t number;
    char *text; /* unique, string */
} either_t;
typedef struct holder {
    int32_t kind;
    either_t *either; /* ptr */
    uint16_t used;
    double *numbers; /* unique, size_is(8), length_is(used) */
    char *name;      /* unique, string */
} holder_t;
static int64_t holder_kind(const void *container)
{
    return ((const holder_t *)container)->kind;
}
static int64_t holder_used(const void *container)
{
    return ((const holder_t *)container)->used;
}
static int64_t eight(const void *container)
{
    (void)container;
    return 8;
}
static const byre_rpc_type_t unique_text =
    RPC_POINTER(&rpc_char, BYRE_RPC_F_UNIQUE | BYRE_RPC_F_STRING);
static const byre_rpc_field_t either_cases[] = { RPC_CASE("number", &rpc_i32, 0),
                                                 RPC_CASE("text", &unique_text, 1) };
static const byre_rpc_type_t either_type = { .kind = BYRE_RPC_UNION,
                                             .align = 8,
                                             .size = sizeof(either_t),
                                             .count = 2,
                                             .fields = either_cases,
                                             .switch_is = holder_kind };
static const byre_rpc_type_t ptr_either = RPC_POINTER(&either_type, BYRE_RPC_F_PTR);
static const byre_rpc_type_t unique_numbers =
    RPC_POINTER(&rpc_f64, BYRE_RPC_F_UNIQUE, .size_is = eight, .length_is = holder_used);
static const byre_rpc_field_t holder_fields[] = {
    RPC_FIELD(holder_t, kind, &rpc_i32),     RPC_FIELD(holder_t, either, &ptr_either),
    RPC_FIELD(holder_t, used, &rpc_u16),     RPC_FIELD(holder_t, numbers, &unique_numbers),
    RPC_FIELD(holder_t, name, &unique_text),
};
static const byre_rpc_type_t holder_type = RPC_STRUCT(holder_t, holder_fields, 0);
static const byre_rpc_type_t ptr_holder = RPC_POINTER(&holder_type, BYRE_RPC_F_PTR);
typedef struct holder_frame {
    holder_t *holder; /* in,out, ptr */
} holder_frame_t;
static const byre_rpc_field_t holder_params[] = { RPC_PARAM(holder_frame_t, holder, &ptr_holder,
                                                            RPC_INOUT) };
static const byre_rpc_proc_t holder_proc = RPC_PROC(holder_frame_t, holder_params);

static void holder_body(void *frame, void *arg)
{
    holder_t *holder = ((holder_frame_t *)frame)->holder;
    ck_assert_int_eq(holder->either->number, 5);
    ck_assert(holder->numbers[1] > 0 && holder->numbers[2] == 0);
    holder->numbers[2] = 9.5;
    holder->used = 3;
    holder->kind = 1;
    if (*(bool *)arg) holder->either = rpc_new(sizeof(either_t));
    holder->either->text = rpc_new(3);
    strcpy(holder->either->text, "hi");
}

static const char literal[] = "in memory that cannot be written";

/* A union under a pointer: the discriminant now explains what the pointer leads to now, not what it led to. */
START_TEST(behind_pointers)
{
    for (int replaced = 0; replaced < 2; replaced++) {
        double numbers[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
        either_t either = { .number = 5 };
        holder_t holder = {
            .either = &either, .used = 2, .numbers = numbers, .name = (char *)literal
        };
        holder_frame_t frame = { &holder };
        bool replace = replaced;
        OK(rpc_call(&holder_proc, &frame, _i == 1, holder_body, &replace));
        ck_assert(numbers[1] == 1 && numbers[2] == 9.5 && numbers[3] == 1);
        ck_assert_str_eq(holder.either->text, "hi");
        ck_assert((holder.either == &either) == !replace);
        if (replace) ck_assert_int_eq(either.number, 5);
        free(holder.either->text);
        if (replace) free(holder.either);
    }
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
    tcase_add_loop_test(tests, inside, 0, 2);
    tcase_add_loop_test(tests, new_inside, 0, 2);
    tcase_add_loop_test(tests, overlap, 0, 2);
    tcase_add_loop_test(tests, prefix, 0, 2);
    tcase_add_loop_test(tests, resized, 0, 2);
    tcase_add_loop_test(tests, same_bytes, 0, 2);
    tcase_add_loop_test(tests, behind_pointers, 0, 2);
    tcase_add_loop_test(tests, stale, 0, 2);
    tcase_add_loop_test(tests, long_list, 0, 2);
    tcase_add_test(tests, long_answer);
    tcase_add_test(tests, long_unique);
    tcase_add_loop_test(tests, random_graph, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
