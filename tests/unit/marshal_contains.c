/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs whose objects lie in others, or are explained by what they lie in: R1 to R4 of rpc/graph_roots.c. */
#include "rpc_tables.h"
#include "suite.h"

#include <check.h>

#define OK(call) ck_assert_int_eq((call), BYRE_OK)

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

int main(void)
{
    Suite *suite = suite_create("marshal_contains");
    TCase *tests = tcase_create("marshal_contains");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, inside, 0, 2);
    tcase_add_loop_test(tests, new_inside, 0, 2);
    tcase_add_loop_test(tests, overlap, 0, 2);
    tcase_add_loop_test(tests, prefix, 0, 2);
    tcase_add_loop_test(tests, resized, 0, 2);
    tcase_add_loop_test(tests, same_bytes, 0, 2);
    tcase_add_loop_test(tests, behind_pointers, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
