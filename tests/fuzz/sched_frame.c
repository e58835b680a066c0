/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that nobody vouches for, on a stream of frames: contexts, specs, rows, ends and ids, spoilt at random and cut
 * at random. The reader refuses them or gets something that packs again to the same bytes; it does not crash, leak or
 * read beyond the end.
 *
 *   sched_frame                            a fixed number of rounds
 *   sched_frame CORPUS SECONDS [SEED]      as long as that; there is no corpus, for messages are made */
#include "sched/frame.h"
#include "sched/job.h"

#include <byre_errors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 20000 };

#define MUST(condition)                                                         \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                            \
        }                                                                       \
    } while (0)

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % below;
}

enum kind { CONTEXT, SPEC, ROW, END, ID, KINDS };

static char *text(char *room)
{
    size_t bytes = draw(12);
    for (size_t i = 0; i < bytes; i++) room[i] = (char)('a' + draw(26));
    room[bytes] = '\0';
    return room;
}

static void make(byre__pack_t *pack, enum kind kind)
{
    char rooms[6][16], *list[4] = { text(rooms[0]), text(rooms[1]), NULL, NULL };
    if (draw(2) == 0) list[2] = text(rooms[2]);
    byre__context_t context = { .cwd = text(rooms[3]), .env = list, .umask = 022 };
    byre__spec_t spec = { .argv = list,
                          .name = rooms[3],
                          .node = text(rooms[4]),
                          .affinity = text(rooms[5]),
                          .cpus = 1 + (uint32_t)draw(4) };
    byre__row_t row = { .state = (uint8_t)draw(4), .id = { "n1", draw(1000) } };
    row.end.kind = (uint8_t)draw(BYRE__END_IMPOSSIBLE + 1);
    (void)text(row.end.detail);
    switch (kind) {
    case CONTEXT:
        byre__pack_context(pack, &context);
        break;
    case SPEC:
        byre__pack_spec(pack, &spec);
        break;
    case ROW:
        byre__pack_row(pack, &row);
        break;
    case END:
        byre__pack_end(pack, &row.end);
        break;
    default:
        byre__pack_job_id(pack, &row.id);
    }
}

/* What was read packs to what it was read from. */
static void read_again(const byre__unpack_t *payload, enum kind kind)
{
    byre__unpack_t unpack = *payload;
    byre__pack_t pack = { 0 };
    byre__context_t context = { 0 };
    byre__spec_t spec = { 0 };
    byre__row_t row;
    byre__end_t end;
    byre__job_id_t id;
    if (kind == CONTEXT) byre__unpack_context(&unpack, &context);
    if (kind == SPEC) byre__unpack_spec(&unpack, &spec);
    if (kind == ROW) byre__unpack_row(&unpack, &row);
    if (kind == END) byre__unpack_end(&unpack, &end);
    if (kind == ID) byre__unpack_job_id(&unpack, &id);
    if (byre__unpack_done(&unpack)) {
        if (kind == CONTEXT) byre__pack_context(&pack, &context);
        if (kind == SPEC) byre__pack_spec(&pack, &spec);
        if (kind == ROW) byre__pack_row(&pack, &row);
        if (kind == END) byre__pack_end(&pack, &end);
        if (kind == ID) byre__pack_job_id(&pack, &id);
        MUST(!pack.failed && pack.bytes == (size_t)(payload->end - payload->at));
        MUST(memcmp(pack.data, payload->at, pack.bytes) == 0);
    }
    byre__pack_fini(&pack);
    byre__context_fini(&context);
    byre__spec_fini(&spec);
}

static void spoil(uint8_t *data, size_t *bytes)
{
    static const uint32_t numbers[] = { 0, 1, 2, 255, 65536, INT32_MAX, UINT32_MAX };
    for (uint64_t i = draw(4); i > 0 && *bytes > 8; i--) {
        size_t at = draw(*bytes - 4);
        uint32_t number = draw(2) == 0 ? (uint32_t)draw(40) : numbers[draw(7)];
        if (draw(3) == 0) data[at] ^= (uint8_t)(1u << draw(8));
        if (draw(3) == 0) memcpy(data + at, &number, 4);
        if (draw(9) == 0) *bytes = at;
    }
}

/* All frames of it, until they end or are none. */
static void receive(byre__stream_t *in)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    int there;
    while ((there = byre__stream_next(in, &frame, &payload)) == 1) {
        size_t bytes = (size_t)(payload.end - payload.at);
        uint8_t *copy =
            malloc(bytes + (bytes == 0)); /* of its own size: what is read beyond it is found */
        MUST(copy != NULL && bytes == frame.bytes && bytes <= BYRE__FRAME_MAX);
        memcpy(copy, payload.at, bytes);
        byre__unpack_t own = byre__unpack_of(copy, bytes);
        read_again(&own, (enum kind)(frame.type % KINDS));
        free(copy);
    }
    MUST(there == 0 || there == BYRE_EPROTO);
}

static void one_round(void)
{
    int ends[2];
    byre__stream_t out, in;
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    byre__stream_init(&out, ends[0]);
    byre__stream_init(&in, ends[1]);
    for (uint64_t i = 1 + draw(4); i > 0; i--) {
        byre__pack_t pack = { 0 };
        uint16_t kind = (uint16_t)draw(KINDS);
        make(&pack, (enum kind)kind);
        if (draw(2) == 0)
            spoil(pack.data, &pack.bytes); /* the frame is right, its payload is not */
        MUST(byre__stream_put(&out, kind, (uint32_t)i, &pack) == BYRE_OK);
        byre__pack_fini(&pack);
    }
    if (draw(3) == 0) spoil(out.out.data, &out.out.bytes); /* the frame is not right */
    for (size_t at = 0; at < out.out.bytes;) {
        size_t part = 1 + draw(out.out.bytes - at);
        MUST(send(out.fd, out.out.data + at, part, 0) == (ssize_t)part);
        MUST(byre__stream_fill(&in) == BYRE_OK);
        receive(&in);
        at += part;
    }
    byre__stream_fini(&out);
    byre__stream_fini(&in);
}

int main(int argc, char **argv)
{
    time_t end = argc > 2 ? time(NULL) + atoi(argv[2]) : 0;
    uint64_t first = argc > 3   ? strtoull(argv[3], NULL, 10)
                     : argc > 2 ? (uint64_t)time(NULL)
                                : 1,
             rounds;
    for (rounds = 0; argc > 2 ? time(NULL) < end : rounds < ROUNDS; rounds++) {
        seed = first + rounds;
        one_round();
    }
    printf("%llu rounds from seed %llu\n", (unsigned long long)rounds, (unsigned long long)first);
    return 0;
}
