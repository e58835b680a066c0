/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-restore is indistinguishable from a local call: random worlds, changed at random by a local call, and
 * in a twin by a remote one. All that was or is reachable must be isomorphic afterwards. Run with a number
 * as argument for that seed alone. */
#include "rpc_world.h"

#include <stdio.h>

enum { ROUNDS = 10000 };

/* ---- isomorphism ------------------------------------------------------------------------------- */

typedef enum kind { KIND_A, KIND_B, KIND_C, KIND_CELL } kind_t;
typedef struct pair {
    kind_t kind;
    const void *left, *right;
} pair_t;

static pair_t pairs[1 << 16];
static uint32_t pair_count;

static bool pair(kind_t kind, const void *left, const void *right)
{
    if (left == NULL || right == NULL) return left == right;
    for (uint32_t i = 0; i < pair_count; i++) {
        if (pairs[i].kind != kind) continue;
        if ((pairs[i].left == left) != (pairs[i].right == right)) return false;
        if (pairs[i].left == left) return true;
    }
    if (pair_count == sizeof pairs / sizeof pairs[0]) abort();
    pairs[pair_count++] = (pair_t){ kind, left, right };
    return true;
}

static bool same_name(const char *left, const char *right)
{
    if (left == NULL || right == NULL) return left == right;
    return strcmp(left, right) == 0;
}

static bool same_a(const a_t *l, const a_t *r)
{
    if (l->value != r->value || l->kind != r->kind || !same_name(l->name, r->name)) return false;
    if (!pair(KIND_CELL, &l->value, &r->value) || !pair(KIND_CELL, l->cell, r->cell)) return false;
    if (!pair(KIND_A, l->link[0], r->link[0]) || !pair(KIND_A, l->link[1], r->link[1]))
        return false;
    if (!pair(KIND_B, l->b, r->b)) return false;
    if (l->kind == 0) return l->more.number == r->more.number;
    if (l->kind == 1) return pair(KIND_A, l->more.a, r->more.a);
    return l->kind != 2 || l->more.real == r->more.real;
}

static bool same_b(const b_t *l, const b_t *r)
{
    if (l->n != r->n || l->real != r->real) return false;
    if (!pair(KIND_A, &l->inner, &r->inner)) return false;
    if ((l->array == NULL) != (r->array == NULL)) return false;
    bool same = true;
    for (uint16_t i = 0; l->array != NULL && i < l->n && same; i++)
        same = pair(KIND_CELL, &l->array[i], &r->array[i]);
    return same;
}

static bool same_c(const c_t *l, const c_t *r)
{
    return l->key == r->key && pair(KIND_C, l->left, r->left) && pair(KIND_C, l->right, r->right) &&
           pair(KIND_A, l->a, r->a);
}

static bool same_pair(const pair_t *p)
{
    switch (p->kind) {
    case KIND_A:
        return same_a(p->left, p->right);
    case KIND_B:
        return same_b(p->left, p->right);
    case KIND_C:
        return same_c(p->left, p->right);
    default:
        return *(const int32_t *)p->left == *(const int32_t *)p->right;
    }
}

/* From all objects that there were, and from what the call returned. */
static bool same_world(const stock_t *l, const stock_t *r, const world_frame_t *lf,
                       const world_frame_t *rf)
{
    pair_count = 0;
    bool same = true;
    for (uint32_t i = 0; i < l->a_count; i++) same &= pair(KIND_A, l->as[i], r->as[i]);
    for (uint32_t i = 0; i < l->b_count; i++) same &= pair(KIND_B, l->bs[i], r->bs[i]);
    for (uint32_t i = 0; i < l->c_count; i++) same &= pair(KIND_C, l->cs[i], r->cs[i]);
    for (uint32_t i = 0; i < l->cell_count; i++) same &= pair(KIND_CELL, l->cells[i], r->cells[i]);
    same &= pair(KIND_A, *lf->out, *rf->out) && pair(KIND_A, lf->result, rf->result);
    for (uint32_t i = 0; i < pair_count && same; i++) same = same_pair(&pairs[i]);
    return same;
}

/* ---- rounds ------------------------------------------------------------------------------------ */

/* A call whose new objects go to the pool. */
static int remote_call(world_frame_t *frame, bool swapped, chance_t *chance)
{
    rpc_trip_t trip;
    int err = rpc_trip_there(&trip, &world_proc, frame, swapped, change_world, chance);
    if (err == BYRE_OK) {
        uint32_t before = trip.client->count;
        err = byre__rpc_unpack_reply(&world_proc, trip.reply.data, trip.reply.used, NULL,
                                     trip.client, frame);
        rpc_keep_new(trip.client, before);
    }
    rpc_trip_end(&trip);
    return err;
}

static const char *round_of(uint64_t seed)
{
    static stock_t local, remote;
    world_frame_t local_frame, remote_frame;
    a_t *local_out, *remote_out;
    chance_t size = { seed * 7 };
    uint32_t most = 1 + (uint32_t)draw(&size, seed % 50 == 0 ? 60 : 8);
    chance_t chance = { seed }, twin = { seed };
    make_world(&local_frame, &local, &local_out, most, &chance);
    make_world(&remote_frame, &remote, &remote_out, most, &twin);
    if (!same_world(&local, &remote, &local_frame, &remote_frame)) return "twins differ";
    change_world(&local_frame, &chance);
    if (remote_call(&remote_frame, seed % 2 == 1, &twin) != BYRE_OK) return "the call has failed";
    if (chance.state != twin.state) return "the procedure has seen something else";
    return same_world(&local, &remote, &local_frame, &remote_frame) ? NULL : "worlds differ";
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t last = argc > 1 ? first : ROUNDS;
    if (argc > 2) last = strtoull(argv[2], NULL, 0);
    for (uint64_t seed = first; seed <= last; seed++) {
        const char *wrong = round_of(seed);
        rpc_pool_free();
        if (wrong == NULL) continue;
        printf("seed %llu: %s\n", (unsigned long long)seed, wrong);
        return 1;
    }
    return 0;
}
