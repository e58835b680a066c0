/* SPDX-License-Identifier: BSD-3-Clause */
/* A world of objects, made at random, and a procedure that changes it at random: for the property test and the
 * fuzzer of marshalling. The same seed makes the same world and the same changes. */
#ifndef RPC_WORLD_H
#define RPC_WORLD_H

#include "rpc_tables.h"

/* ---- types ------------------------------------------------------------------------------------- */

typedef struct a {
    int32_t value;
    int32_t kind;      /* of what is in `more` */
    struct a *link[2]; /* ptr */
    struct b *b;       /* ptr */
    int32_t *cell;     /* ptr: the value of an a, an element of a b's array, or alone */
    char *name;        /* unique, string */
    union {
        int32_t number;
        struct a *a; /* ptr */
        double real;
    } more;
} a_t;

typedef struct b {
    uint16_t n;
    double real;
    a_t inner;
    int32_t *array; /* ptr, size_is(n) */
} b_t;

typedef struct c {
    int64_t key;
    struct c *left, *right; /* unique */
    a_t *a;                 /* ptr */
} c_t;

typedef struct world_frame {
    a_t *a1, *a2; /* in,out, ptr */
    b_t *b;       /* in,out, ptr */
    c_t *c;       /* in,out, unique */
    a_t *in;      /* in, ptr */
    a_t **out;    /* out, ref, to ptr */
    a_t *result;  /* ptr */
} world_frame_t;

static int64_t a_kind(const void *container)
{
    return ((const a_t *)container)->kind;
}
static int64_t b_n(const void *container)
{
    return ((const b_t *)container)->n;
}

static const byre_rpc_type_t a_type, b_type, c_type;
static const byre_rpc_type_t nothing = { .kind = BYRE_RPC_VOID };
static const byre_rpc_type_t ptr_a = RPC_POINTER(&a_type, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ptr_b = RPC_POINTER(&b_type, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ptr_cell = RPC_POINTER(&rpc_i32, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ptr_cells =
    RPC_POINTER(&rpc_i32, BYRE_RPC_F_PTR | BYRE_RPC_F_CONTAINS, .size_is = b_n);
static const byre_rpc_type_t unique_c = RPC_POINTER(&c_type, BYRE_RPC_F_UNIQUE);
static const byre_rpc_type_t unique_name =
    RPC_POINTER(&rpc_char, BYRE_RPC_F_UNIQUE | BYRE_RPC_F_STRING, .count = 12);
static const byre_rpc_type_t ref_ptr_a = RPC_POINTER(&ptr_a, BYRE_RPC_F_REF);
static const byre_rpc_type_t two_links = { .kind = BYRE_RPC_ARRAY,
                                           .align = _Alignof(void *),
                                           .size = 2 * sizeof(a_t *),
                                           .count = 2,
                                           .element = &ptr_a };
static const byre_rpc_field_t more_cases[] = { RPC_CASE("number", &rpc_i32, 0),
                                               RPC_CASE("a", &ptr_a, 1),
                                               RPC_CASE("real", &rpc_f64, 2),
                                               RPC_DEFAULT(&nothing) };
static const byre_rpc_type_t more_type = { .kind = BYRE_RPC_UNION,
                                           .align = 8,
                                           .size = 8,
                                           .count = 4,
                                           .fields = more_cases,
                                           .switch_is = a_kind };
static const byre_rpc_field_t a_fields[] = {
    RPC_FIELD(a_t, value, &rpc_i32),  RPC_FIELD(a_t, kind, &rpc_i32),
    RPC_FIELD(a_t, link, &two_links), RPC_FIELD(a_t, b, &ptr_b),
    RPC_FIELD(a_t, cell, &ptr_cell),  RPC_FIELD(a_t, name, &unique_name),
    RPC_FIELD(a_t, more, &more_type),
};
static const byre_rpc_type_t a_type = RPC_STRUCT(a_t, a_fields, BYRE_RPC_F_CONTAINS);
static const byre_rpc_field_t b_fields[] = { RPC_FIELD(b_t, n, &rpc_u16),
                                             RPC_FIELD(b_t, real, &rpc_f64),
                                             RPC_FIELD(b_t, inner, &a_type),
                                             RPC_FIELD(b_t, array, &ptr_cells) };
static const byre_rpc_type_t b_type = RPC_STRUCT(b_t, b_fields, BYRE_RPC_F_CONTAINS);
static const byre_rpc_field_t c_fields[] = { RPC_FIELD(c_t, key, &rpc_i64),
                                             RPC_FIELD(c_t, left, &unique_c),
                                             RPC_FIELD(c_t, right, &unique_c),
                                             RPC_FIELD(c_t, a, &ptr_a) };
static const byre_rpc_type_t c_type = RPC_STRUCT(c_t, c_fields, 0);
static const byre_rpc_field_t world_params[] = {
    RPC_PARAM(world_frame_t, a1, &ptr_a, RPC_INOUT),
    RPC_PARAM(world_frame_t, in, &ptr_a, BYRE_RPC_IN),
    RPC_PARAM(world_frame_t, a2, &ptr_a, RPC_INOUT),
    RPC_PARAM(world_frame_t, b, &ptr_b, RPC_INOUT),
    RPC_PARAM(world_frame_t, c, &unique_c, RPC_INOUT),
    RPC_PARAM(world_frame_t, out, &ref_ptr_a, BYRE_RPC_OUT),
    RPC_RESULT(world_frame_t, result, &ptr_a),
};
static const byre_rpc_proc_t world_proc = RPC_PROC(world_frame_t, world_params);

/* ---- chance ------------------------------------------------------------------------------------ */

typedef struct chance {
    uint64_t state;
} chance_t;

static uint64_t draw(chance_t *chance, uint64_t below)
{
    uint64_t x = chance->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % below;
}

/* ---- what can be pointed to -------------------------------------------------------------------- */

enum { MOST = 4096, CELLS_MOST = 6 };

typedef struct stock {
    a_t *as[MOST];
    b_t *bs[MOST];
    c_t *cs[MOST];
    int32_t *cells[MOST];
    uint32_t a_count, b_count, c_count, cell_count;
} stock_t;

static void stock_cell(stock_t *stock, int32_t *cell)
{
    if (cell == NULL || stock->cell_count == MOST) return;
    for (uint32_t i = 0; i < stock->cell_count; i++)
        if (stock->cells[i] == cell) return;
    stock->cells[stock->cell_count++] = cell;
}

static void stock_a(stock_t *stock, a_t *a)
{
    if (a == NULL || stock->a_count == MOST) return;
    for (uint32_t i = 0; i < stock->a_count; i++)
        if (stock->as[i] == a) return;
    stock->as[stock->a_count++] = a;
    stock_cell(stock, &a->value);
}

static void stock_b(stock_t *stock, b_t *b)
{
    if (b == NULL || stock->b_count == MOST) return;
    for (uint32_t i = 0; i < stock->b_count; i++)
        if (stock->bs[i] == b) return;
    stock->bs[stock->b_count++] = b;
    stock_a(stock, &b->inner);
    if (b->array != NULL)
        for (uint16_t i = 0; i < b->n; i++) stock_cell(stock, &b->array[i]);
}

static void stock_c(stock_t *stock, c_t *c)
{
    if (c != NULL && stock->c_count < MOST) stock->cs[stock->c_count++] = c;
}

/* All that is reached from what is there. */
static void stock_close(stock_t *stock)
{
    uint32_t a = 0, b = 0, c = 0;
    while (a < stock->a_count || b < stock->b_count || c < stock->c_count) {
        if (c < stock->c_count) {
            c_t *next = stock->cs[c++];
            stock_c(stock, next->left);
            stock_c(stock, next->right);
            stock_a(stock, next->a);
        } else if (a < stock->a_count) {
            a_t *next = stock->as[a++];
            stock_a(stock, next->link[0]);
            stock_a(stock, next->link[1]);
            stock_b(stock, next->b);
            stock_cell(stock, next->cell);
            if (next->kind == 1) stock_a(stock, next->more.a);
        } else {
            b_t *next = stock->bs[b++];
            (void)next; /* its inner a is there already */
        }
    }
}

static a_t *any_a(stock_t *stock, chance_t *chance)
{
    bool none = draw(chance, 4) == 0 || stock->a_count == 0;
    return none ? NULL : stock->as[draw(chance, stock->a_count)];
}
static b_t *any_b(stock_t *stock, chance_t *chance)
{
    bool none = draw(chance, 4) == 0 || stock->b_count == 0;
    return none ? NULL : stock->bs[draw(chance, stock->b_count)];
}
static int32_t *any_cell(stock_t *stock, chance_t *chance)
{
    bool none = draw(chance, 4) == 0 || stock->cell_count == 0;
    return none ? NULL : stock->cells[draw(chance, stock->cell_count)];
}

/* ---- filling ----------------------------------------------------------------------------------- */

static void fill_more(a_t *a, stock_t *stock, chance_t *chance)
{
    memset(&a->more, 0, sizeof a->more);
    a->kind = (int32_t)draw(chance, 4);
    if (a->kind == 0) a->more.number = (int32_t)draw(chance, 1000);
    if (a->kind == 1) a->more.a = any_a(stock, chance);
    if (a->kind == 2) a->more.real = (double)draw(chance, 1000) / 8;
}

static char *new_name(chance_t *chance)
{
    size_t length = draw(chance, 12);
    char *name = rpc_new(length + 1);
    for (size_t i = 0; i < length; i++) name[i] = (char)('a' + draw(chance, 26));
    name[length] = '\0';
    return name;
}

static void fill_a(a_t *a, stock_t *stock, chance_t *chance)
{
    a->value = (int32_t)draw(chance, 1000000);
    a->link[0] = any_a(stock, chance);
    a->link[1] = any_a(stock, chance);
    a->b = any_b(stock, chance);
    a->cell = any_cell(stock, chance);
    a->name = draw(chance, 2) == 0 ? NULL : new_name(chance);
    fill_more(a, stock, chance);
}

static a_t *new_a(void)
{
    return memset(rpc_new(sizeof(a_t)), 0, sizeof(a_t));
}

static b_t *new_b(chance_t *chance)
{
    b_t *b = memset(rpc_new(sizeof *b), 0, sizeof *b);
    b->real = (double)draw(chance, 1000);
    b->n = (uint16_t)draw(chance, CELLS_MOST);
    if (b->n > 0 || draw(chance, 2) == 0) {
        b->array = rpc_new((b->n + 1u) * sizeof *b->array);
        for (uint16_t i = 0; i < b->n; i++) b->array[i] = (int32_t)draw(chance, 100);
    }
    return b;
}

static c_t *new_c(stock_t *stock, chance_t *chance)
{
    c_t *c = memset(rpc_new(sizeof *c), 0, sizeof *c);
    c->key = (int64_t)draw(chance, 1000);
    c->a = any_a(stock, chance);
    return c;
}

/* A tree: every c but the first hangs on an earlier one that has room. */
static void hang(stock_t *stock, c_t *c, chance_t *chance)
{
    for (uint32_t from = (uint32_t)draw(chance, stock->c_count), i = 0; i < stock->c_count; i++) {
        c_t *at = stock->cs[(from + i) % stock->c_count];
        c_t **place = draw(chance, 2) == 0 || at->right != NULL ? &at->left : &at->right;
        if (*place != NULL || at == c) continue;
        *place = c;
        return;
    }
}

/* `stock` has all objects afterwards; cells that belong to no object are in it first. */
static void make_world(world_frame_t *frame, stock_t *stock, a_t **out, uint32_t size,
                       chance_t *chance)
{
    memset(stock, 0, sizeof *stock);
    for (uint32_t i = 0; i < 2; i++) {
        int32_t *cell = rpc_new(sizeof *cell);
        *cell = (int32_t)draw(chance, 100);
        stock_cell(stock, cell);
    }
    for (uint32_t i = draw(chance, size + 1) > 0 ? size : 1; i > 0; i--) stock_a(stock, new_a());
    for (uint32_t i = (uint32_t)draw(chance, size + 1); i > 0; i--) stock_b(stock, new_b(chance));
    for (uint32_t i = 0; i < stock->a_count; i++) fill_a(stock->as[i], stock, chance);
    for (uint32_t i = (uint32_t)draw(chance, size + 1); i > 0; i--) {
        c_t *c = new_c(stock, chance);
        if (stock->c_count > 0) hang(stock, c, chance);
        stock_c(stock, c);
    }
    *out = NULL;
    *frame = (world_frame_t){ .a1 = any_a(stock, chance),
                              .a2 = any_a(stock, chance),
                              .b = any_b(stock, chance),
                              .c = stock->c_count > 0 ? stock->cs[0] : NULL,
                              .in = any_a(stock, chance),
                              .out = out };
}

/* All bytes of the caller's objects, one after the other. */
__attribute__((unused)) static size_t picture(const stock_t *stock, unsigned char *to)
{
    unsigned char *at = to;
    for (uint32_t i = 0; i < stock->a_count; i++, at += sizeof(a_t))
        memcpy(at, stock->as[i], sizeof(a_t));
    for (uint32_t i = 0; i < stock->b_count; i++, at += sizeof(b_t))
        memcpy(at, stock->bs[i], sizeof(b_t));
    for (uint32_t i = 0; i < stock->c_count; i++, at += sizeof(c_t))
        memcpy(at, stock->cs[i], sizeof(c_t));
    for (uint32_t i = 0; i < stock->cell_count; i++, at += sizeof(int32_t))
        memcpy(at, stock->cells[i], sizeof(int32_t));
    return (size_t)(at - to);
}

/* ---- changing: the procedure ------------------------------------------------------------------- */

/* Nothing is cut off where something is added: a new object in the place of a lost one is written over it
 * (Y3 of rpc/marshal_restore.c), which a local call would not do. */
static void change_tree(stock_t *stock, bool cut, chance_t *chance)
{
    if (stock->c_count == 0) return;
    c_t *c = stock->cs[draw(chance, stock->c_count)], *child = c->left;
    switch (draw(chance, 4)) {
    case 0: /* swap */
        c->left = c->right;
        c->right = child;
        break;
    case 1: /* put one between */
        if (stock->c_count == MOST || cut) break;
        c->left = new_c(stock, chance);
        c->left->right = child;
        stock_c(stock, c->left);
        break;
    case 2: /* cut off */
        if (cut) c->left = NULL;
        break;
    default:
        c->a = any_a(stock, chance);
    }
}

/* A hostile client may have sent any number. */
static void add(int32_t *number, uint32_t more)
{
    *number = (int32_t)((uint32_t)*number + more);
}

static void change_a(stock_t *stock, a_t *a, chance_t *chance)
{
    switch (draw(chance, 8)) {
    case 0:
        a->link[draw(chance, 2)] = any_a(stock, chance);
        break;
    case 1:
        a->b = any_b(stock, chance);
        break;
    case 2:
        a->cell = any_cell(stock, chance);
        break;
    case 3:
        if (a->name != NULL && a->name[0] != '\0') a->name[draw(chance, strlen(a->name))] = 'X';
        break;
    case 4:
        if (a->name != NULL) a->name[draw(chance, strlen(a->name) + 1)] = '\0';
        break;
    case 5:
        a->name = draw(chance, 3) == 0 ? NULL : new_name(chance);
        break;
    case 6:
        fill_more(a, stock, chance);
        break;
    default:
        add(&a->value, 1);
    }
}

static void change_b(b_t *b, chance_t *chance)
{
    b->real += 1;
    if (b->array == NULL || b->n == 0) return;
    add(&b->array[draw(chance, b->n)], 100);
    if (draw(chance, 4) == 0) b->n--;
}

static void add_one(stock_t *stock, chance_t *chance)
{
    if (draw(chance, 3) == 0) {
        b_t *b = new_b(chance);
        fill_a(&b->inner, stock, chance);
        stock_b(stock, b);
    } else {
        a_t *a = new_a();
        fill_a(a, stock, chance);
        stock_a(stock, a);
    }
}

/* What an [in] parameter alone reaches is not written, only pointed to. */
static void change_world(void *frame, void *arg)
{
    world_frame_t *f = frame;
    chance_t *chance = arg;
    stock_t *stock = calloc(1, sizeof *stock);
    stock_a(stock, f->a1);
    stock_a(stock, f->a2);
    stock_b(stock, f->b);
    stock_c(stock, f->c);
    stock_close(stock);
    bool cut = draw(chance, 2) == 0;
    for (uint64_t i = draw(chance, 40); i > 0; i--) {
        switch (draw(chance, 6)) {
        case 0:
            add_one(stock, chance);
            break;
        case 1:
            if (stock->b_count > 0) change_b(stock->bs[draw(chance, stock->b_count)], chance);
            break;
        case 2:
            if (stock->cell_count > 0) add(stock->cells[draw(chance, stock->cell_count)], 7);
            break;
        case 3:
            change_tree(stock, cut, chance);
            break;
        default:
            if (stock->a_count > 0)
                change_a(stock, stock->as[draw(chance, stock->a_count)], chance);
        }
    }
    if (stock->a_count > 0 && f->in != NULL) stock->as[0]->link[0] = f->in;
    *f->out = any_a(stock, chance);
    f->result = any_a(stock, chance);
    free(stock);
}

#endif
