/* SPDX-License-Identifier: BSD-3-Clause */
/* Each kind of type through a call and its reply, in both byte orders; what breaks a declaration; what breaks
 * the protocol; limits. */
#include "rpc_tables.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>

#define OK(call) ck_assert_int_eq((call), BYRE_OK)

/* Loop tests run once in this byte order and once in the other. */
#define SWAPPED (_i == 1)

/* ---- values ------------------------------------------------------------------------------------ */

typedef enum colour { RED = 1, GREEN = 2, BLUE = 7 } colour_t;
static const int64_t colours[] = { RED, GREEN, BLUE };
static const byre_rpc_type_t colour_type = {
    .name = "colour", .kind = BYRE_RPC_ENUM, .align = 4, .size = 4, .count = 3, .values = colours
};

typedef struct point {
    double x, y;
} point_t;
static const byre_rpc_field_t point_fields[] = { RPC_FIELD(point_t, x, &rpc_f64),
                                                 RPC_FIELD(point_t, y, &rpc_f64) };
static const byre_rpc_type_t point_type = RPC_STRUCT(point_t, point_fields, BYRE_RPC_F_FLAT);

typedef struct mixed {
    int8_t a;
    uint16_t b;
    _Bool c;
    colour_t colour;
    float f;
    point_t points[3];
    char name[8];
    int64_t last;
} mixed_t;
static const byre_rpc_type_t three_points = { .kind = BYRE_RPC_ARRAY,
                                              .flags = BYRE_RPC_F_FLAT,
                                              .align = 8,
                                              .size = 3 * sizeof(point_t),
                                              .count = 3,
                                              .element = &point_type };
static const byre_rpc_type_t name_type = {
    .kind = BYRE_RPC_STRING, .align = 1, .size = 8, .count = 8, .element = &rpc_char
};
static const byre_rpc_field_t mixed_fields[] = {
    RPC_FIELD(mixed_t, a, &rpc_i8),       RPC_FIELD(mixed_t, b, &rpc_u16),
    RPC_FIELD(mixed_t, c, &rpc_bool),     RPC_FIELD(mixed_t, colour, &colour_type),
    RPC_FIELD(mixed_t, f, &rpc_f32),      RPC_FIELD(mixed_t, points, &three_points),
    RPC_FIELD(mixed_t, name, &name_type), RPC_FIELD(mixed_t, last, &rpc_i64),
};
static const byre_rpc_type_t mixed_type = RPC_STRUCT(mixed_t, mixed_fields, 0);

typedef struct values_frame {
    mixed_t in;
    int32_t plus;
    mixed_t result;
} values_frame_t;
static const byre_rpc_field_t values_params[] = {
    RPC_PARAM(values_frame_t, in, &mixed_type, BYRE_RPC_IN),
    RPC_PARAM(values_frame_t, plus, &rpc_i32, BYRE_RPC_IN),
    RPC_RESULT(values_frame_t, result, &mixed_type),
};
static const byre_rpc_proc_t values_proc = RPC_PROC(values_frame_t, values_params);

static mixed_t a_mixed(void)
{
    mixed_t mixed;
    memset(&mixed, 0, sizeof mixed);
    mixed.a = -5;
    mixed.b = 60000;
    mixed.c = true;
    mixed.colour = GREEN;
    mixed.f = 1.5f;
    for (int i = 0; i < 3; i++) mixed.points[i] = (point_t){ i + 0.25, -i };
    strcpy(mixed.name, "abcdefg");
    mixed.last = INT64_MIN + 3;
    return mixed;
}

static void values_body(void *frame, void *arg)
{
    (void)arg;
    values_frame_t *f = frame;
    f->result = f->in;
    f->result.last += f->plus;
    strcpy(f->result.name, "xyz");
    f->result.colour = BLUE;
}

START_TEST(values)
{
    values_frame_t frame;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    frame.plus = 4;
    ck_assert(byre__rpc_is_plain(&values_proc));
    OK(rpc_call(&values_proc, &frame, SWAPPED, values_body, NULL));
    mixed_t expected = a_mixed();
    ck_assert_mem_eq(&frame.in, &expected, sizeof expected);
    expected.last += 4;
    expected.colour = BLUE;
    strcpy(expected.name, "xyz");
    memset(expected.name + 4, 0, 4);
    memset(frame.result.name + 4, 0, 4);
    ck_assert_mem_eq(&frame.result, &expected, sizeof expected);
}
END_TEST

/* The format: what another version or another machine must be able to read. */
START_TEST(layout)
{
    static const unsigned char little[] = {
        1,    0, 0x43, 0,                /* head */
        0xfb, 0, 0x60, 0xea,             /* a, gap, b */
        1,    0, 0,    0,    2, 0, 0, 0, /* c, gap, colour */
        0,    0, 0xc0, 0x3f, 0, 0, 0, 0, /* f, gap */
    };
    values_frame_t frame;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    byre__rpc_bytes_t bytes = { 0 };
    OK(byre__rpc_pack_call(&values_proc, &frame, __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__, &bytes,
                           NULL));
    ck_assert_mem_eq(bytes.data, little, sizeof little);
    ck_assert_mem_eq(bytes.data + 24, frame.in.points, sizeof frame.in.points);
    ck_assert_uint_eq(bytes.data[72], 7);
    ck_assert_mem_eq(bytes.data + 80, "abcdefg", 7);
    ck_assert_mem_eq(bytes.data + 88, &frame.in.last, 8);
    ck_assert_uint_eq(bytes.used, 100);
    byre__rpc_bytes_free(&bytes);
}
END_TEST

/* Natural alignment counts from the start of the message, wherever that is; borrowed storage is used. */
START_TEST(appended)
{
    unsigned char storage[300];
    values_frame_t frame, server;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    byre__rpc_bytes_t bytes = { storage, 3, sizeof storage, true };
    OK(byre__rpc_pack_call(&values_proc, &frame, SWAPPED, &bytes, NULL));
    ck_assert_ptr_eq(bytes.data, storage);
    byre__rpc_arena_t *arena = NULL;
    OK(byre__rpc_unpack_call(&values_proc, storage + 3, bytes.used - 3, NULL, &server, &arena,
                             NULL));
    ck_assert_ptr_null(arena);
    ck_assert_int_eq(server.in.last, frame.in.last);
    byre__rpc_bytes_t small = { storage, 3, 20, true };
    OK(byre__rpc_pack_call(&values_proc, &frame, SWAPPED, &small, NULL));
    ck_assert(!small.borrowed && small.data != storage && small.used == bytes.used);
    ck_assert_mem_eq(small.data + 3, storage + 3, small.used - 3);
    byre__rpc_bytes_free(&small);
}
END_TEST

static int pack_only(const byre_rpc_proc_t *proc, const void *frame)
{
    unsigned char storage[8] = { 0 };
    byre__rpc_bytes_t bytes = { storage, 5, sizeof storage, true };
    byre__rpc_graph_t *graph = NULL;
    int err = byre__rpc_pack_call(proc, frame, false, &bytes, &graph);
    ck_assert(err == BYRE_OK || bytes.used == 5);
    byre__rpc_bytes_free(&bytes);
    byre__rpc_graph_free(graph);
    return err;
}

START_TEST(values_refused)
{
    values_frame_t frame;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    OK(pack_only(&values_proc, &frame));
    frame.in.colour = (colour_t)3;
    ck_assert_int_eq(pack_only(&values_proc, &frame), BYRE_EINVAL);
    frame.in = a_mixed();
    frame.in.name[7] = 'h';
    ck_assert_int_eq(pack_only(&values_proc, &frame), BYRE_EINVAL);
    frame.in = a_mixed();
    memset(&frame.in.c, 2, 1);
    ck_assert_int_eq(pack_only(&values_proc, &frame), BYRE_EINVAL);
}
END_TEST

/* ---- arrays ------------------------------------------------------------------------------------ */

typedef struct arrays_frame {
    int64_t n, first;
    int64_t *length;
    double *in;    /* [in, size_is(n)] */
    int32_t *both; /* [in,out, size_is(n), first_is(first), length_is(*length)] */
    mixed_t *out;  /* [out, size_is(n)] */
    char *text;    /* [in, string] */
    char *room;    /* [in,out, string, size_is(40)] */
    char *answer;  /* [out, string], bound 16 */
    int32_t result;
} arrays_frame_t;

static int64_t arrays_n(const void *container)
{
    return ((const arrays_frame_t *)container)->n;
}
static int64_t arrays_first(const void *container)
{
    return ((const arrays_frame_t *)container)->first;
}
static int64_t arrays_length(const void *container)
{
    return *((const arrays_frame_t *)container)->length;
}
static int64_t forty(const void *container)
{
    (void)container;
    return 40;
}
static const byre_rpc_type_t ref_i64 = RPC_POINTER(&rpc_i64, BYRE_RPC_F_REF);
static const byre_rpc_type_t arrays_in = RPC_POINTER(&rpc_f64, BYRE_RPC_F_REF, .size_is = arrays_n);
static const byre_rpc_type_t arrays_both =
    RPC_POINTER(&rpc_i32, BYRE_RPC_F_REF, .size_is = arrays_n, .length_is = arrays_length,
                .first_is = arrays_first);
static const byre_rpc_type_t arrays_out =
    RPC_POINTER(&mixed_type, BYRE_RPC_F_REF, .size_is = arrays_n);
static const byre_rpc_type_t text_type = RPC_POINTER(&rpc_char, BYRE_RPC_F_REF | BYRE_RPC_F_STRING);
static const byre_rpc_type_t room_type =
    RPC_POINTER(&rpc_char, BYRE_RPC_F_REF | BYRE_RPC_F_STRING, .size_is = forty);
static const byre_rpc_type_t answer_type =
    RPC_POINTER(&rpc_char, BYRE_RPC_F_REF | BYRE_RPC_F_STRING, .count = 16);
static const byre_rpc_field_t arrays_params[] = {
    RPC_PARAM(arrays_frame_t, n, &rpc_i64, BYRE_RPC_IN),
    RPC_PARAM(arrays_frame_t, first, &rpc_i64, BYRE_RPC_IN),
    RPC_PARAM(arrays_frame_t, length, &ref_i64, RPC_INOUT),
    RPC_PARAM(arrays_frame_t, in, &arrays_in, BYRE_RPC_IN),
    RPC_PARAM(arrays_frame_t, both, &arrays_both, RPC_INOUT),
    RPC_PARAM(arrays_frame_t, out, &arrays_out, BYRE_RPC_OUT),
    RPC_PARAM(arrays_frame_t, text, &text_type, BYRE_RPC_IN),
    RPC_PARAM(arrays_frame_t, room, &room_type, RPC_INOUT),
    RPC_PARAM(arrays_frame_t, answer, &answer_type, BYRE_RPC_OUT),
    RPC_RESULT(arrays_frame_t, result, &rpc_i32),
};
static const byre_rpc_proc_t arrays_proc = RPC_PROC(arrays_frame_t, arrays_params);

enum { N = 100 };
typedef struct arrays {
    arrays_frame_t frame;
    int64_t length;
    double in[N];
    int32_t both[N];
    mixed_t out[N];
    char text[1], room[40], answer[16];
} arrays_t;

static void arrays_init(arrays_t *arrays, int64_t n)
{
    memset(arrays, 0, sizeof *arrays);
    arrays->length = 3;
    for (int i = 0; i < N; i++) {
        arrays->in[i] = i * 0.5;
        arrays->both[i] = 1000 + i;
    }
    strcpy(arrays->room, "room");
    arrays->frame = (arrays_frame_t){ n,
                                      2,
                                      &arrays->length,
                                      arrays->in,
                                      arrays->both,
                                      arrays->out,
                                      arrays->text,
                                      arrays->room,
                                      arrays->answer,
                                      0 };
}

static void arrays_body(void *frame, void *arg)
{
    (void)arg;
    arrays_frame_t *f = frame;
    ck_assert_int_eq(f->both[1], 0); /* not defined: did not travel */
    ck_assert_int_eq(f->both[2], 1002);
    ck_assert_str_eq(f->text, "");
    for (int64_t i = 0; i < f->n; i++) {
        f->both[i] = -(int32_t)i;
        f->out[i] = a_mixed();
        f->out[i].last = (int64_t)f->in[i];
    }
    *f->length = 5;
    strcat(f->room, " is larger than it was");
    strcpy(f->answer, "fifteen letters");
    f->result = 42;
}

START_TEST(arrays)
{
    arrays_t a;
    arrays_init(&a, N);
    OK(rpc_call(&arrays_proc, &a.frame, SWAPPED, arrays_body, NULL));
    ck_assert_int_eq(a.frame.result, 42);
    ck_assert_int_eq(a.length, 5);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(a.both[i], i >= 2 && i < 7 ? -i : 1000 + i);
        ck_assert_int_eq(a.out[i].last, i / 2);
        ck_assert_int_eq(a.out[i].b, 60000);
    }
    ck_assert_str_eq(a.room, "room is larger than it was");
    ck_assert_str_eq(a.answer, "fifteen letters");
}
END_TEST

static void grow_length(void *frame, void *arg)
{
    (void)arg;
    arrays_frame_t *f = frame;
    *f->length = N - 1;
}

START_TEST(arrays_refused)
{
    arrays_t a;
    arrays_init(&a, N);
    OK(pack_only(&arrays_proc, &a.frame));
    arrays_init(&a, -1);
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    a.length = N - 1; /* beyond the end, from 2 */
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    a.length = -1;
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    a.frame.first = N + 1;
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    a.frame.in = NULL;
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    a.frame.out = NULL;
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    memset(a.room, 'x', sizeof a.room);
    ck_assert_int_eq(pack_only(&arrays_proc, &a.frame), BYRE_EINVAL);
    arrays_init(&a, N);
    ck_assert_int_eq(rpc_call(&arrays_proc, &a.frame, false, grow_length, NULL), BYRE_EINVAL);
}
END_TEST

static int unpack_limited(const byre_rpc_proc_t *proc, const rpc_trip_t *trip, size_t limit)
{
    byre__rpc_limits_t limits = { limit };
    byre__rpc_arena_t *arena = NULL;
    byre__rpc_graph_t *graph = NULL;
    void *frame = malloc(proc->frame_bytes);
    int err = byre__rpc_unpack_call(proc, trip->call.data, trip->call.used, &limits, frame, &arena,
                                    &graph);
    ck_assert(err == BYRE_OK || (arena == NULL && graph == NULL));
    byre__rpc_graph_free(graph);
    byre__rpc_arena_free(arena);
    free(frame);
    return err;
}

/* An [out] array costs the client nothing to ask for. */
START_TEST(limits)
{
    arrays_t a;
    arrays_init(&a, N);
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, &arrays_proc, &a.frame, false, arrays_body, NULL));
    OK(unpack_limited(&arrays_proc, &trip, 100 * sizeof(mixed_t) + 3000));
    ck_assert_int_eq(unpack_limited(&arrays_proc, &trip, 100 * sizeof(mixed_t)), BYRE_EPROTO);
    ck_assert_int_eq(unpack_limited(&arrays_proc, &trip, 1), BYRE_EPROTO);
    rpc_trip_end(&trip);
}
END_TEST

/* ---- messages that are wrong ------------------------------------------------------------------- */

/* Every beginning of a good message is a bad one, and a bad one changes nothing. */
static void cut(const byre_rpc_proc_t *proc, void *frame, rpc_body_fn body, void *world,
                size_t world_bytes)
{
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, proc, frame, false, body, NULL));
    void *before = malloc(world_bytes);
    memcpy(before, world, world_bytes);
    for (size_t bytes = 0; bytes < trip.call.used; bytes++) {
        rpc_trip_t part = trip;
        part.call.data = malloc(bytes + 1); /* so that a read beyond is found */
        memcpy(part.call.data, trip.call.data, bytes);
        part.call.used = bytes;
        ck_assert_int_eq(unpack_limited(proc, &part, 0), BYRE_EPROTO);
        free(part.call.data);
    }
    for (size_t bytes = 0; bytes < trip.reply.used; bytes++) {
        unsigned char *part = malloc(bytes + 1);
        memcpy(part, trip.reply.data, bytes);
        ck_assert_int_eq(byre__rpc_unpack_reply(proc, part, bytes, NULL, trip.client, frame),
                         BYRE_EPROTO);
        free(part);
    }
    unsigned char *longer = calloc(1, trip.reply.used + 1);
    memcpy(longer, trip.reply.data, trip.reply.used);
    ck_assert_int_eq(
        byre__rpc_unpack_reply(proc, longer, trip.reply.used + 1, NULL, trip.client, frame),
        BYRE_EPROTO);
    free(longer);
    ck_assert_mem_eq(before, world, world_bytes);
    OK(byre__rpc_unpack_reply(proc, trip.reply.data, trip.reply.used, NULL, trip.client, frame));
    free(before);
    rpc_trip_end(&trip);
}

START_TEST(cut_plain)
{
    values_frame_t frame;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    cut(&values_proc, &frame, values_body, &frame, sizeof frame);
}
END_TEST

START_TEST(cut_arrays)
{
    arrays_t a;
    arrays_init(&a, 9);
    cut(&arrays_proc, &a.frame, arrays_body, &a, sizeof a);
    ck_assert_str_eq(a.answer, "fifteen letters");
}
END_TEST

/* One byte of the message is another one: at, what; the error that must follow. */
static void spoilt(const rpc_trip_t *trip, size_t at, unsigned char what)
{
    unsigned char was = trip->call.data[at];
    trip->call.data[at] = what;
    ck_assert_int_eq(unpack_limited(&values_proc, trip, 0), BYRE_EPROTO);
    trip->call.data[at] = was;
    OK(unpack_limited(&values_proc, trip, 0));
}

START_TEST(wrong_bytes)
{
    values_frame_t frame;
    memset(&frame, 0, sizeof frame);
    frame.in = a_mixed();
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, &values_proc, &frame, false, values_body, NULL));
    spoilt(&trip, 0, 2);     /* version */
    spoilt(&trip, 1, 2);     /* byte order */
    spoilt(&trip, 2, 0x52);  /* a reply */
    spoilt(&trip, 3, 1);     /* flags */
    spoilt(&trip, 8, 2);     /* a bool */
    spoilt(&trip, 12, 3);    /* an enum */
    spoilt(&trip, 72, 8);    /* the length of a string */
    spoilt(&trip, 79, 0xff); /* the same */
    spoilt(&trip, 81, 0);    /* a NUL within */
    rpc_trip_t longer = trip;
    longer.call.data = calloc(1, trip.call.used + 1);
    memcpy(longer.call.data, trip.call.data, trip.call.used);
    longer.call.used++;
    ck_assert_int_eq(unpack_limited(&values_proc, &longer, 0), BYRE_EPROTO);
    free(longer.call.data);
    rpc_trip_end(&trip);
}
END_TEST

/* ---- unions and fields of variable length ------------------------------------------------------ */

typedef union choice {
    int32_t number;
    double real;
    char *text;
    point_t point;
} choice_t;
typedef struct record {
    int32_t kind;
    choice_t choice;
    struct record *next; /* unique */
    uint16_t used, room;
    int64_t tail[]; /* [size_is(room), length_is(used)] */
} record_t;

static int64_t record_kind(const void *container)
{
    return ((const record_t *)container)->kind;
}
static int64_t record_used(const void *container)
{
    return ((const record_t *)container)->used;
}
static int64_t record_room(const void *container)
{
    return ((const record_t *)container)->room;
}
static const byre_rpc_type_t void_type = { .name = "void", .kind = BYRE_RPC_VOID };
static const byre_rpc_type_t unique_text =
    RPC_POINTER(&rpc_char, BYRE_RPC_F_UNIQUE | BYRE_RPC_F_STRING);
static const byre_rpc_field_t choice_cases[] = {
    RPC_CASE("number", &rpc_i32, 1), RPC_CASE("real", &rpc_f64, 2),
    RPC_CASE("text", &unique_text, 3), RPC_CASE("point", &point_type, -4), RPC_DEFAULT(&void_type)
};
static const byre_rpc_type_t choice_type = { .name = "choice",
                                             .kind = BYRE_RPC_UNION,
                                             .align = 8,
                                             .size = sizeof(choice_t),
                                             .count = 5,
                                             .fields = choice_cases,
                                             .switch_is = record_kind };
static const byre_rpc_type_t record_type;
static const byre_rpc_type_t unique_record = RPC_POINTER(&record_type, BYRE_RPC_F_UNIQUE);
static const byre_rpc_type_t tail_type = { .kind = BYRE_RPC_FLEX,
                                           .align = 8,
                                           .element = &rpc_i64,
                                           .size_is = record_room,
                                           .length_is = record_used };
static const byre_rpc_field_t record_fields[] = {
    RPC_FIELD(record_t, kind, &rpc_i32),       RPC_FIELD(record_t, choice, &choice_type),
    RPC_FIELD(record_t, next, &unique_record), RPC_FIELD(record_t, used, &rpc_u16),
    RPC_FIELD(record_t, room, &rpc_u16),       RPC_FIELD(record_t, tail, &tail_type)
};
static const byre_rpc_type_t record_type = RPC_STRUCT(record_t, record_fields, 0);

typedef struct record_frame {
    record_t *record; /* [in,out, unique] */
} record_frame_t;
static const byre_rpc_field_t record_params[] = { RPC_PARAM(record_frame_t, record, &unique_record,
                                                            RPC_INOUT) };
static const byre_rpc_proc_t record_proc = RPC_PROC(record_frame_t, record_params);

static record_t *new_record(int32_t kind, uint16_t used, uint16_t room)
{
    record_t *record = calloc(1, sizeof *record + room * sizeof record->tail[0]);
    record->kind = kind;
    record->used = used;
    record->room = room;
    for (uint16_t i = 0; i < room; i++) record->tail[i] = 10 * kind + i;
    return record;
}

static void record_body(void *frame, void *arg)
{
    (void)arg;
    record_t *r = ((record_frame_t *)frame)->record;
    ck_assert_int_eq(r->choice.number, 5);
    r->kind = 2;
    r->choice.real = 2.5;
    ck_assert_int_eq(r->tail[1], 11);
    ck_assert_int_eq(r->tail[2], 0);
    r->used = 3;
    for (int i = 0; i < 4; i++) r->tail[i] = 70 + i;
    r = r->next;
    ck_assert_str_eq(r->choice.text, "text");
    r->choice.text[0] = 'n';
    r = r->next;
    ck_assert_double_eq(r->choice.point.y, 4.0);
    r->kind = 3;
    r->choice.text = rpc_new(10);
    strcpy(r->choice.text, "other");
    r->room = 1; /* smaller than it was: the rest stays as it is */
    r = r->next;
    ck_assert_int_eq(r->kind, 99);
    ck_assert_ptr_null(r->next);
}

START_TEST(unions)
{
    record_t *all[4] = { new_record(1, 2, 4), new_record(3, 0, 0), new_record(-4, 1, 2),
                         new_record(99, 0, 0) };
    char text[] = "text";
    all[0]->choice.number = 5;
    all[1]->choice.text = text;
    all[2]->choice.point = (point_t){ 3, 4 };
    for (int i = 0; i < 3; i++) all[i]->next = all[i + 1];
    record_frame_t frame = { all[0] };
    OK(rpc_call(&record_proc, &frame, SWAPPED, record_body, NULL));
    ck_assert_ptr_eq(frame.record, all[0]);
    ck_assert_int_eq(all[0]->kind, 2);
    ck_assert_double_eq(all[0]->choice.real, 2.5);
    ck_assert_int_eq(all[0]->tail[2], 72);
    ck_assert_int_eq(all[0]->tail[3], 13); /* not among the defined ones */
    ck_assert_str_eq(text, "next");
    ck_assert_ptr_eq(all[1]->next, all[2]);
    ck_assert_str_eq(all[2]->choice.text, "other");
    ck_assert_int_eq(all[2]->tail[1], -39);
    ck_assert_ptr_eq(all[2]->next, all[3]);
    free(all[2]->choice.text);
    for (int i = 0; i < 4; i++) free(all[i]);
}
END_TEST

START_TEST(unions_null)
{
    record_frame_t frame = { NULL };
    OK(rpc_call(&record_proc, &frame, SWAPPED, NULL, NULL));
    ck_assert_ptr_null(frame.record);
}
END_TEST

/* ---- pointers that change ---------------------------------------------------------------------- */

typedef struct change_frame {
    int64_t **number; /* [in,out, ref] to [unique] */
    char **text;      /* [in,out, ref] to [unique, string] */
    char **made;      /* [out, ref] to [unique, string] */
    int64_t *count;   /* [out, ref] */
    double *result;   /* [unique, size_is(*count)] */
} change_frame_t;
static int64_t change_count(const void *container)
{
    return *((const change_frame_t *)container)->count;
}
static const byre_rpc_type_t unique_i64 = RPC_POINTER(&rpc_i64, BYRE_RPC_F_UNIQUE);
static const byre_rpc_type_t ref_unique_i64 = RPC_POINTER(&unique_i64, BYRE_RPC_F_REF);
static const byre_rpc_type_t ref_unique_text = RPC_POINTER(&unique_text, BYRE_RPC_F_REF);
static const byre_rpc_type_t change_result =
    RPC_POINTER(&rpc_f64, BYRE_RPC_F_UNIQUE, .size_is = change_count);
static const byre_rpc_field_t change_params[] = {
    RPC_PARAM(change_frame_t, number, &ref_unique_i64, RPC_INOUT),
    RPC_PARAM(change_frame_t, text, &ref_unique_text, RPC_INOUT),
    RPC_PARAM(change_frame_t, made, &ref_unique_text, BYRE_RPC_OUT),
    RPC_PARAM(change_frame_t, count, &ref_i64, BYRE_RPC_OUT),
    RPC_RESULT(change_frame_t, result, &change_result),
};
static const byre_rpc_proc_t change_proc = RPC_PROC(change_frame_t, change_params);

typedef enum change { KEEP, NONE, NEW } change_t;

static void change_body(void *frame, void *arg)
{
    change_frame_t *f = frame;
    change_t change = *(change_t *)arg;
    if (change == NONE) {
        *f->number = NULL;
        *f->text = NULL;
        return;
    }
    if (change == NEW) {
        *f->number = rpc_new(sizeof(int64_t));
        *f->text = rpc_new(4);
    }
    **f->number = 77;
    strcpy(*f->text, "new");
    *f->made = rpc_new(5);
    strcpy(*f->made, "made");
    *f->count = 3;
    f->result = rpc_new(3 * sizeof(double));
    for (int i = 0; i < 3; i++) f->result[i] = i;
}

typedef struct changed {
    int64_t number_value, *number, count;
    char text_value[4], *text, *made;
    change_frame_t frame;
} changed_t;

static void changed_init(changed_t *c, bool nulls)
{
    *c = (changed_t){ .number_value = 5, .text_value = "old" };
    c->number = nulls ? NULL : &c->number_value;
    c->text = nulls ? NULL : c->text_value;
    c->frame = (change_frame_t){ &c->number, &c->text, &c->made, &c->count, NULL };
}

static void changed_result(changed_t *c)
{
    ck_assert_int_eq(c->count, 3);
    ck_assert_double_eq(c->frame.result[2], 2.0);
    ck_assert_str_eq(c->made, "made");
    ck_assert_int_eq(*c->number, 77);
    ck_assert_str_eq(c->text, "new");
    free(c->made);
    free(c->frame.result);
}

START_TEST(unique_kept)
{
    changed_t c;
    changed_init(&c, false);
    change_t how = KEEP;
    OK(rpc_call(&change_proc, &c.frame, SWAPPED, change_body, &how));
    changed_result(&c);
    ck_assert_ptr_eq(c.number, &c.number_value);
    ck_assert_ptr_eq(c.text, c.text_value);
}
END_TEST

/* In place if both are there; but a new string is a new string. */
START_TEST(unique_replaced)
{
    changed_t c;
    changed_init(&c, false);
    change_t how = NEW;
    OK(rpc_call(&change_proc, &c.frame, SWAPPED, change_body, &how));
    changed_result(&c);
    ck_assert_ptr_eq(c.number, &c.number_value);
    ck_assert_ptr_ne(c.text, c.text_value);
    ck_assert_str_eq(c.text_value, "old");
    free(c.text);
}
END_TEST

START_TEST(unique_added)
{
    changed_t c;
    changed_init(&c, true);
    change_t how = NEW;
    OK(rpc_call(&change_proc, &c.frame, SWAPPED, change_body, &how));
    changed_result(&c);
    free(c.number);
    free(c.text);
}
END_TEST

START_TEST(unique_dropped)
{
    changed_t c;
    changed_init(&c, false);
    change_t how = NONE;
    OK(rpc_call(&change_proc, &c.frame, SWAPPED, change_body, &how));
    ck_assert_ptr_null(c.number);
    ck_assert_ptr_null(c.text);
    ck_assert_ptr_null(c.made);
    ck_assert_int_eq(c.number_value, 5);
    ck_assert_str_eq(c.text_value, "old");
}
END_TEST

/* A reply that is cut gives back what it has allocated: the address sanitizer counts. */
START_TEST(cut_changes)
{
    changed_t c;
    changed_init(&c, false);
    rpc_trip_t trip;
    change_t how = NEW;
    OK(rpc_trip_there(&trip, &change_proc, &c.frame, false, change_body, &how));
    changed_t before = c;
    for (size_t bytes = 0; bytes < trip.reply.used; bytes++)
        ck_assert_int_eq(byre__rpc_unpack_reply(&change_proc, trip.reply.data, bytes, NULL,
                                                trip.client, &c.frame),
                         BYRE_EPROTO);
    ck_assert_mem_eq(&before, &c, sizeof c);
    OK(byre__rpc_unpack_reply(&change_proc, trip.reply.data, trip.reply.used, NULL, trip.client,
                              &c.frame));
    changed_result(&c);
    free(c.text);
    rpc_trip_end(&trip);
}
END_TEST

/* ---- sides that disagree ----------------------------------------------------------------------- */

static int64_t two(const void *container)
{
    (void)container;
    return 2;
}

/* The reply's sizes are not those of the caller's memory. */
START_TEST(reply_too_long)
{
    arrays_t a;
    arrays_init(&a, 9);
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, &arrays_proc, &a.frame, false, arrays_body, NULL));
    a.frame.n = 8;
    arrays_t before = a;
    ck_assert_int_eq(byre__rpc_unpack_reply(&arrays_proc, trip.reply.data, trip.reply.used, NULL,
                                            trip.client, &a.frame),
                     BYRE_EPROTO);
    ck_assert_mem_eq(&before, &a, sizeof a);
    rpc_trip_end(&trip);
}
END_TEST

/* A size that is not what the server's own parameter says. */
START_TEST(lying_client)
{
    byre_rpc_type_t type = arrays_in;
    type.size_is = two;
    byre_rpc_field_t params[RPC_COUNT(arrays_params)];
    memcpy(params, arrays_params, sizeof params);
    params[3].type = &type;
    byre_rpc_proc_t lying = arrays_proc;
    lying.params = params;
    arrays_t a;
    arrays_init(&a, 9);
    rpc_trip_t trip = { 0 };
    OK(byre__rpc_pack_call(&lying, &a.frame, false, &trip.call, NULL));
    ck_assert_int_eq(unpack_limited(&arrays_proc, &trip, 0), BYRE_EPROTO);
    a.frame.n = 2;
    trip.call.used = 0;
    a.length = 0;
    OK(byre__rpc_pack_call(&lying, &a.frame, false, &trip.call, NULL));
    OK(unpack_limited(&arrays_proc, &trip, 0));
    rpc_trip_end(&trip);
}
END_TEST

/* A result that is shorter than an [out] parameter says: the caller would read beyond it. */
START_TEST(lying_server)
{
    byre_rpc_type_t type = change_result;
    type.size_is = two;
    byre_rpc_field_t params[RPC_COUNT(change_params)];
    memcpy(params, change_params, sizeof params);
    params[4].type = &type;
    byre_rpc_proc_t lying = change_proc;
    lying.params = params;
    changed_t c;
    changed_init(&c, false);
    change_t how = KEEP;
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, &lying, &c.frame, false, change_body, &how));
    changed_t before = c;
    ck_assert_int_eq(byre__rpc_unpack_reply(&change_proc, trip.reply.data, trip.reply.used, NULL,
                                            trip.client, &c.frame),
                     BYRE_EPROTO);
    ck_assert_mem_eq(&before, &c, sizeof c);
    rpc_trip_end(&trip);
}
END_TEST

static void grow_record(void *frame, void *arg)
{
    (void)arg;
    ((record_frame_t *)frame)->record->room = 5;
}

START_TEST(grown_record)
{
    record_frame_t frame = { new_record(99, 2, 4) };
    ck_assert_int_eq(rpc_call(&record_proc, &frame, false, grow_record, NULL), BYRE_EINVAL);
    ck_assert_int_eq(frame.record->room, 4);
    free(frame.record);
}
END_TEST

/* The reference says less room than the struct that comes later. */
START_TEST(small_record)
{
    record_frame_t frame = { new_record(99, 4, 4) };
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, &record_proc, &frame, false, NULL, NULL));
    uint64_t room;
    memcpy(&room, trip.call.data + 8, sizeof room);
    ck_assert_uint_eq(room, 4);
    room = 2;
    memcpy(trip.call.data + 8, &room, sizeof room);
    ck_assert_int_eq(unpack_limited(&record_proc, &trip, 0), BYRE_EPROTO);
    rpc_trip_end(&trip);
    free(frame.record);
}
END_TEST

/* Every word of both messages is wrong once, in several ways: the address sanitizer is the judge. */
static void wrong_word(const byre_rpc_proc_t *proc, void *frame, rpc_body_fn body, void *arg,
                       size_t at, uint32_t word)
{
    rpc_trip_t trip;
    OK(rpc_trip_there(&trip, proc, frame, false, body, arg));
    if (at + 4 <= trip.call.used) {
        rpc_trip_t wrong = { .call = { malloc(trip.call.used), trip.call.used, 0, false } };
        memcpy(wrong.call.data, trip.call.data, trip.call.used);
        memcpy(wrong.call.data + at, &word, 4);
        int err = unpack_limited(proc, &wrong, 1 << 20);
        ck_assert(err == BYRE_OK || err == BYRE_EPROTO);
        free(wrong.call.data);
    }
    if (at + 4 <= trip.reply.used) {
        uint32_t before = trip.client == NULL ? 0 : trip.client->count;
        unsigned char *wrong = malloc(trip.reply.used);
        memcpy(wrong, trip.reply.data, trip.reply.used);
        memcpy(wrong + at, &word, 4);
        int err = byre__rpc_unpack_reply(proc, wrong, trip.reply.used, NULL, trip.client, frame);
        ck_assert(err == BYRE_OK || err == BYRE_EPROTO);
        if (trip.client != NULL) rpc_keep_new(trip.client, before);
        free(wrong);
    }
    rpc_trip_end(&trip);
    rpc_pool_free();
}

static const uint32_t words[] = { 0, 1, 2, 3, 6, 100, INT32_MAX, UINT32_MAX };

START_TEST(wrong_words_of_arrays)
{
    for (size_t at = 4; at < 1500; at += 4) {
        arrays_t a;
        arrays_init(&a, 9);
        wrong_word(&arrays_proc, &a.frame, arrays_body, NULL, at, words[_i]);
    }
}
END_TEST

START_TEST(wrong_words_of_changes)
{
    for (size_t at = 4; at < 200; at += 4) {
        changed_t *c = rpc_keep(malloc(sizeof *c)); /* begins with what a new number may replace */
        changed_init(c, false);
        change_t how = NEW;
        wrong_word(&change_proc, &c->frame, change_body, &how, at, words[_i]);
    }
}
END_TEST

START_TEST(wrong_words_of_records)
{
    for (size_t at = 4; at < 400; at += 4) {
        record_t *all[4] = { rpc_keep(new_record(1, 2, 4)), rpc_keep(new_record(3, 0, 0)),
                             rpc_keep(new_record(-4, 1, 2)), rpc_keep(new_record(99, 0, 0)) };
        char text[] = "text";
        all[0]->choice.number = 5;
        all[1]->choice.text = text;
        all[2]->choice.point = (point_t){ 3, 4 };
        for (int i = 0; i < 3; i++) all[i]->next = all[i + 1];
        record_frame_t frame = { all[0] };
        wrong_word(&record_proc, &frame, record_body, NULL, at, words[_i]);
    }
}
END_TEST

/* ---- context handles --------------------------------------------------------------------------- */

typedef struct context_frame {
    void *in, *result;
} context_frame_t;
static const byre_rpc_type_t context_type = {
    .name = "session", .kind = BYRE_RPC_CONTEXT, .align = _Alignof(void *), .size = sizeof(void *)
};
static const byre_rpc_field_t context_params[] = {
    RPC_PARAM(context_frame_t, in, &context_type, BYRE_RPC_IN),
    RPC_RESULT(context_frame_t, result, &context_type)
};
static const byre_rpc_proc_t context_proc = RPC_PROC(context_frame_t, context_params);
static char contexts[8];

static int context_to_wire(const byre_rpc_type_t *type, const void *handle,
                           byre__rpc_wire_context_t *wire_out)
{
    ck_assert_ptr_eq(type, &context_type);
    wire_out->serial = (uint64_t)((const char *)handle - contexts) + 1;
    wire_out->owner = 9;
    return BYRE_OK;
}

static int context_from_wire(const byre_rpc_type_t *type, const byre__rpc_wire_context_t *wire,
                             void **handle_out)
{
    ck_assert_ptr_eq(type, &context_type);
    if (wire->owner != 9 || wire->serial > 8) return BYRE_EPROTO;
    *handle_out = &contexts[wire->serial - 1];
    return BYRE_OK;
}

static void context_body(void *frame, void *arg)
{
    (void)arg;
    context_frame_t *f = frame;
    f->result = f->in == NULL ? NULL : (char *)f->in + 1;
}

START_TEST(context_handles)
{
    static const byre__rpc_context_hooks_t hooks = { context_to_wire, context_from_wire };
    byre__rpc_context_hooks = &hooks;
    context_frame_t frame = { &contexts[3], NULL };
    OK(rpc_call(&context_proc, &frame, SWAPPED, context_body, NULL));
    ck_assert_ptr_eq(frame.result, &contexts[4]);
    frame.in = NULL;
    OK(rpc_call(&context_proc, &frame, SWAPPED, context_body, NULL));
    ck_assert_ptr_null(frame.result);
    frame.in = &contexts[7];
    ck_assert_int_eq(rpc_call(&context_proc, &frame, SWAPPED, context_body, NULL), BYRE_EPROTO);
    ck_assert_ptr_null(frame.result);
    byre__rpc_context_hooks = NULL;
    ck_assert_int_eq(pack_only(&context_proc, &frame), BYRE_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("marshal_types");
    TCase *tests = tcase_create("marshal_types");
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, values, 0, 2);
    tcase_add_test(tests, layout);
    tcase_add_loop_test(tests, appended, 0, 2);
    tcase_add_test(tests, values_refused);
    tcase_add_loop_test(tests, arrays, 0, 2);
    tcase_add_test(tests, arrays_refused);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, cut_plain);
    tcase_add_test(tests, cut_arrays);
    tcase_add_test(tests, wrong_bytes);
    tcase_add_loop_test(tests, unions, 0, 2);
    tcase_add_loop_test(tests, unions_null, 0, 2);
    tcase_add_loop_test(tests, unique_kept, 0, 2);
    tcase_add_loop_test(tests, unique_replaced, 0, 2);
    tcase_add_loop_test(tests, unique_added, 0, 2);
    tcase_add_loop_test(tests, unique_dropped, 0, 2);
    tcase_add_test(tests, cut_changes);
    tcase_add_test(tests, reply_too_long);
    tcase_add_test(tests, lying_client);
    tcase_add_test(tests, lying_server);
    tcase_add_test(tests, grown_record);
    tcase_add_test(tests, small_record);
    tcase_add_loop_test(tests, wrong_words_of_arrays, 0, RPC_COUNT(words));
    tcase_add_loop_test(tests, wrong_words_of_changes, 0, RPC_COUNT(words));
    tcase_add_loop_test(tests, wrong_words_of_records, 0, RPC_COUNT(words));
    tcase_add_loop_test(tests, context_handles, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
