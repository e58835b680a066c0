/* SPDX-License-Identifier: BSD-3-Clause */
/* A stand-in for the marshaller: frames of scalars, and [ref] arrays of flat elements. */
#include "marshal.h"
#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

struct byre__rpc_arena { byre__rpc_arena_t *next; _Alignas(16) char data[]; };
void byre__rpc_bytes_free(byre__rpc_bytes_t *bytes) { if (!bytes->borrowed) free(bytes->data); *bytes = (byre__rpc_bytes_t){ 0 }; }
bool byre__rpc_is_plain(const byre_rpc_proc_t *proc) { (void)proc; return true; }
static int put(byre__rpc_bytes_t *b, const void *data, size_t n)
{
    if (b->used + n > b->room) {
        size_t room = 2 * (b->used + n);
        unsigned char *d = b->borrowed ? malloc(room) : realloc(b->data, room);
        if (d == NULL) return BYRE_ENOMEM;
        if (b->borrowed) memcpy(d, b->data, b->used);
        b->data = d; b->room = room; b->borrowed = false;
    }
    memcpy(b->data + b->used, data, n); b->used += n;
    return BYRE_OK;
}
static size_t extent(const byre_rpc_field_t *f, const void *frame)
{
    return (f->type->size_is ? (size_t)f->type->size_is(frame) : 1) * f->type->element->size;
}
static int pack(const byre_rpc_proc_t *p, const void *frame, uint32_t dir, byre__rpc_bytes_t *b)
{
    int e = BYRE_OK;
    for (uint32_t i = 0; i < p->param_count && e == BYRE_OK; i++) {
        const byre_rpc_field_t *f = &p->params[i];
        const char *at = (const char *)frame + f->offset;
        if (!(f->direct & dir)) continue;
        if (f->type->kind == BYRE_RPC_POINTER) e = *(void *const *)at ? put(b, *(void *const *)at, extent(f, frame)) : BYRE_EINVAL;
        else if (f->type->kind != BYRE_RPC_VOID) e = put(b, at, f->type->size);
    }
    return e;
}
int byre__rpc_pack_call(const byre_rpc_proc_t *p, const void *frame, bool s, byre__rpc_bytes_t *b, byre__rpc_graph_t **g) { (void)s; *g = NULL; return pack(p, frame, BYRE_RPC_IN, b); }
int byre__rpc_pack_reply(const byre_rpc_proc_t *p, const void *frame, bool s, const byre__rpc_graph_t *g, byre__rpc_bytes_t *b) { (void)s, (void)g; return pack(p, frame, BYRE_RPC_OUT, b); }
static int get(const byre_rpc_field_t *f, void *to, const unsigned char **d, const unsigned char *end, size_t n)
{
    (void)f;
    if ((size_t)(end - *d) < n) return BYRE_EPROTO;
    memcpy(to, *d, n); *d += n;
    return BYRE_OK;
}
int byre__rpc_unpack_call(const byre_rpc_proc_t *p, const void *data, size_t bytes, const byre__rpc_limits_t *l, void *frame, byre__rpc_arena_t **arena, byre__rpc_graph_t **g)
{
    const unsigned char *d = data, *end = d + bytes;
    (void)l; *g = NULL;
    memset(frame, 0, p->frame_bytes);
    int e = BYRE_OK;
    for (uint32_t i = 0; i < p->param_count && e == BYRE_OK; i++) {
        const byre_rpc_field_t *f = &p->params[i];
        char *at = (char *)frame + f->offset;
        if (f->type->kind == BYRE_RPC_POINTER) {
            size_t n = extent(f, frame);
            void *m = byre__rpc_arena_alloc(arena, n);
            if (m == NULL) return BYRE_ENOMEM;
            *(void **)at = m;
            if (f->direct & BYRE_RPC_IN) e = get(f, m, &d, end, n); else memset(m, 0, n);
        } else if ((f->direct & BYRE_RPC_IN) && f->type->kind != BYRE_RPC_VOID) e = get(f, at, &d, end, f->type->size);
    }
    return e == BYRE_OK && d != end ? BYRE_EPROTO : e;
}
int byre__rpc_unpack_reply(const byre_rpc_proc_t *p, const void *data, size_t bytes, const byre__rpc_limits_t *l, byre__rpc_graph_t *g, void *frame)
{
    const unsigned char *d = data, *end = d + bytes;
    (void)l, (void)g;
    int e = BYRE_OK;
    for (uint32_t i = 0; i < p->param_count && e == BYRE_OK; i++) {
        const byre_rpc_field_t *f = &p->params[i];
        char *at = (char *)frame + f->offset;
        if (!(f->direct & BYRE_RPC_OUT)) continue;
        if (f->type->kind == BYRE_RPC_POINTER) e = get(f, *(void **)at, &d, end, extent(f, frame));
        else if (f->type->kind != BYRE_RPC_VOID) e = get(f, at, &d, end, f->type->size);
    }
    return e == BYRE_OK && d != end ? BYRE_EPROTO : e;
}
void byre__rpc_graph_free(byre__rpc_graph_t *graph) { (void)graph; }
void *byre__rpc_arena_alloc(byre__rpc_arena_t **arena, size_t bytes)
{
    byre__rpc_arena_t *a = malloc(sizeof *a + bytes);
    if (a == NULL) return NULL;
    a->next = *arena; *arena = a;
    return a->data;
}
void byre__rpc_arena_free(byre__rpc_arena_t *arena)
{
    while (arena) { byre__rpc_arena_t *n = arena->next; free(arena); arena = n; }
}
