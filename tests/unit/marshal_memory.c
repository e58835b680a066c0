/* SPDX-License-Identifier: BSD-3-Clause */
/* No memory: the n-th request of marshalling is refused, for n = 1, 2, ... until it asks no more. Each step says
 * BYRE_ENOMEM, leaves nothing behind (the address sanitizer looks), and a reply changes nothing. The linker
 * sends requests through the functions here (tests/part.mk: --wrap). And: how much a message can make the
 * server ask for. */
#include "rpc_world.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#define MUST(condition)                                                         \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                            \
        }                                                                       \
    } while (0)

static volatile bool counting; /* the compiler knows that realloc does not read it */
static volatile uint32_t requests, refused;

static volatile size_t asked; /* bytes */

static bool refuse(size_t bytes)
{
    if (counting) asked += bytes;
    return counting && ++requests == refused;
}

#define WRAP(name, parameters, arguments, bytes_)               \
    void *__real_##name parameters;                             \
    void *__wrap_##name parameters;                             \
    void *__wrap_##name parameters                              \
    {                                                           \
        return refuse(bytes_) ? NULL : __real_##name arguments; \
    }
WRAP(malloc, (size_t bytes), (bytes), bytes)
WRAP(calloc, (size_t count, size_t bytes), (count, bytes), count *bytes)
WRAP(realloc, (void *memory, size_t bytes), (memory, bytes), bytes)
WRAP(aligned_alloc, (size_t alignment, size_t bytes), (alignment, bytes), bytes)

void *__real_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int access, int flags, int file, off_t offset)
{
    return refuse(bytes) ? MAP_FAILED : __real_mmap(at, bytes, access, flags, file, offset);
}

/* A call, of which the procedure alone has all the memory that it wants. */
static int call(world_frame_t *frame, chance_t *chance)
{
    rpc_trip_t trip = { .frame = malloc(sizeof *frame) };
    counting = true;
    int err = byre__rpc_pack_call(&world_proc, frame, false, &trip.call, &trip.client);
    if (err == BYRE_OK)
        err = byre__rpc_unpack_call(&world_proc, trip.call.data, trip.call.used, NULL, trip.frame,
                                    &trip.arena, &trip.server);
    counting = false;
    if (err == BYRE_OK) {
        rpc_arena = &trip.arena;
        change_world(trip.frame, chance);
        rpc_arena = NULL;
        counting = true;
        err = byre__rpc_pack_reply(&world_proc, trip.frame, false, trip.server, &trip.reply);
    }
    if (err == BYRE_OK) {
        uint32_t before = trip.client->count;
        err = byre__rpc_unpack_reply(&world_proc, trip.reply.data, trip.reply.used, NULL,
                                     trip.client, frame);
        counting = false;
        rpc_keep_new(trip.client, before);
    }
    counting = false;
    rpc_trip_end(&trip);
    return err;
}

static bool refused_at(uint64_t seed, uint32_t request)
{
    static stock_t stock;
    static unsigned char before[1 << 16], after[1 << 16];
    chance_t chance = { seed };
    world_frame_t frame;
    a_t *out;
    make_world(&frame, &stock, &out, 1 + (uint32_t)(seed % 40), &chance);
    world_frame_t old = frame;
    size_t size = picture(&stock, before);
    requests = 0;
    refused = request;
    int err = call(&frame, &chance);
    bool was = requests >= request;
    MUST(err == (was ? BYRE_ENOMEM : BYRE_OK));
    if (was) {
        MUST(picture(&stock, after) == size && memcmp(before, after, size) == 0);
        MUST(memcmp(&old, &frame, sizeof old) == 0);
    }
    rpc_pool_free();
    return was;
}

/* ---- greed ------------------------------------------------------------------------------------- */

enum { MANY = 1000 };
typedef struct page {
    char bytes[4096];
} page_t;
typedef struct pages_frame {
    page_t **pages; /* in, ref, to `many` of ptr */
} pages_frame_t;
static int64_t many(const void *container)
{
    (void)container;
    return MANY;
}
static const byre_rpc_type_t page_bytes = { .kind = BYRE_RPC_ARRAY,
                                            .flags = BYRE_RPC_F_FLAT,
                                            .align = 1,
                                            .size = sizeof(page_t),
                                            .count = sizeof(page_t),
                                            .element = &rpc_char };
static const byre_rpc_field_t page_fields[] = { RPC_FIELD(page_t, bytes, &page_bytes) };
static const byre_rpc_type_t page_type = RPC_STRUCT(page_t, page_fields, BYRE_RPC_F_FLAT);
static const byre_rpc_type_t ptr_page = RPC_POINTER(&page_type, BYRE_RPC_F_PTR);
static const byre_rpc_type_t ref_pages = RPC_POINTER(&ptr_page, BYRE_RPC_F_REF, .size_is = many);
static const byre_rpc_field_t pages_params[] = { RPC_PARAM(pages_frame_t, pages, &ref_pages,
                                                           BYRE_RPC_IN) };
static const byre_rpc_proc_t pages_proc = RPC_PROC(pages_frame_t, pages_params);

/* A message that names many objects and has the value of none. */
static void greed(void)
{
    static page_t page;
    page_t *pages[MANY];
    for (int i = 0; i < MANY; i++) pages[i] = &page;
    pages_frame_t frame = { pages }, server;
    byre__rpc_bytes_t bytes = { 0 };
    byre__rpc_graph_t *graph = NULL;
    MUST(byre__rpc_pack_call(&pages_proc, &frame, false, &bytes, &graph) == BYRE_OK);
    byre__rpc_graph_free(graph);
    uint32_t *references = (uint32_t *)(bytes.data + bytes.used - sizeof page) - MANY;
    MUST(references[0] == 2 && references[MANY - 1] == 2);
    for (uint32_t i = 0; i < MANY; i++) references[i] = i + 2;
    byre__rpc_arena_t *arena = NULL;
    size_t most = bytes.used;
    asked = 0;
    refused = 0;
    counting = true;
    int err =
        byre__rpc_unpack_call(&pages_proc, bytes.data, bytes.used, NULL, &server, &arena, &graph);
    counting = false;
    MUST(err == BYRE_EPROTO && asked < 8 * most);
    byre__rpc_bytes_free(&bytes);
}

int main(void)
{
    greed();
    uint32_t most = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        uint32_t request = 1;
        while (refused_at(seed, request)) request++;
        if (request > most) most = request;
    }
    printf("up to %u requests\n", most - 1);
    return 0;
}
