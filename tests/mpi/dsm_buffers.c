/* SPDX-License-Identifier: BSD-3-Clause */
/* Byre's calls with buffers in shared memory that is elsewhere: the neighbour has written what is sent, and
 * reads what was received; the pieces of all ranks share pages. (paged_buffers has all calls, and a window
 * that looks closely; here the pages are real.) */
#include "testing.h"

enum { PORT = 5, HANDLER = 1, ANSWERER };

static char *region; /* [ranks][2] pieces: out, in */

static char *out_of(int rank, size_t bytes)
{
    return region + (size_t)rank * 2 * bytes + 29;
}

static char *in_of(int rank, size_t bytes)
{
    return out_of(rank, bytes) + bytes;
}

static void together(void)
{
    EXPECT(BYRE_OK, byre_barrier());
}

static uint64_t seed_of(int rank, size_t bytes, int round)
{
    return mix3((uint64_t)rank, bytes, (uint64_t)round);
}

static void neighbour_writes(size_t bytes, int round)
{
    fill(out_of(right(), bytes), bytes, seed_of(right(), bytes, round));
    memset(in_of(right(), bytes), 0, bytes);
    together();
}

static void neighbour_reads(size_t bytes, int round)
{
    together();
    CHECK(filled(in_of(right(), bytes), bytes, seed_of(me, bytes, round)));
    together();
}

static void messages(size_t bytes)
{
    byre_addr_t to = at(right(), PORT);
    for (int round = 0; round < 5; round++) {
        byre_request_t receive, sent = BYRE_REQUEST_NULL;
        byre_info_t info;
        neighbour_writes(bytes, round);
        EXPECT(BYRE_OK, byre_irecv(PORT, left(), in_of(me, bytes), bytes, &receive));
        switch (round) {
        case 0:
            EXPECT(BYRE_OK, byre_send(to, out_of(me, bytes), bytes));
            break;
        case 1:
            EXPECT(BYRE_OK, byre_send_sync(to, out_of(me, bytes), bytes));
            break;
        case 2:
            EXPECT(BYRE_OK, byre_isend(to, out_of(me, bytes), bytes, NULL, &sent));
            break;
        case 3:
            EXPECT(BYRE_OK, byre_isend_cow(to, out_of(me, bytes), bytes, NULL, &sent));
            break;
        default:
            EXPECT(BYRE_OK, byre_isend_copy(to, out_of(me, bytes), bytes));
        }
        EXPECT(BYRE_OK, byre_wait(&receive, &info));
        EQUAL(bytes, info.bytes);
        EXPECT(BYRE_OK, byre_wait(&sent, NULL));
        neighbour_reads(bytes, round);
    }
    neighbour_writes(bytes, 9);
    EXPECT(BYRE_OK, byre_isend_copy(to, out_of(me, bytes), bytes));
    EXPECT(BYRE_OK, byre_recv(PORT, left(), in_of(me, bytes), bytes, NULL));
    neighbour_reads(bytes, 9);
}

static char arrived[MIB];
static _Atomic size_t arrived_bytes;

static void on_bulk(const byre_am_t *am, void *arg)
{
    (void)arg;
    memcpy(arrived, am->bulk, am->bulk_bytes);
    atomic_store(&arrived_bytes, am->bulk_bytes);
}

static void on_question(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_am_reply(am, am->data, am->bytes));
}

static void active_messages(size_t bytes)
{
    size_t asked = bytes < BYRE_AM_INLINE ? bytes : BYRE_AM_INLINE, got = 0;
    atomic_store(&arrived_bytes, 0);
    neighbour_writes(bytes, 0);
    EXPECT(BYRE_OK, byre_am_send(right(), HANDLER, NULL, 0, out_of(me, bytes), bytes));
    UNTIL(atomic_load(&arrived_bytes) == bytes);
    CHECK(filled(arrived, bytes, seed_of(left(), bytes, 0)));
    together(); /* the neighbour has read what is written next */
    neighbour_writes(bytes, 1);
    EXPECT(BYRE_OK, byre_am_request(right(), ANSWERER, out_of(me, bytes), asked, in_of(me, bytes),
                                    bytes, &got));
    EQUAL(asked, got);
    together();
    CHECK(filled(in_of(right(), bytes), asked / 8 * 8, seed_of(right(), bytes, 1)));
    together();
}

static void mailboxes(size_t bytes)
{
    byre_right_t receive, mine, theirs;
    byre_info_t info;
    EXPECT(BYRE_OK, byre_mailbox_create(2, bytes, BYRE_OVERFLOW_BLOCK, &receive, &mine));
    EXPECT(BYRE_OK, byre_isend_copy(at(left(), PORT), &mine, sizeof mine));
    EXPECT(BYRE_OK, byre_recv(PORT, right(), &theirs, sizeof theirs, NULL));
    neighbour_writes(bytes, 2);
    EXPECT(BYRE_OK, byre_mailbox_send(&theirs, out_of(me, bytes), bytes, 0));
    EXPECT(BYRE_OK, byre_mailbox_recv(&receive, in_of(me, bytes), bytes, -1, &info));
    EQUAL(bytes, info.bytes);
    neighbour_reads(bytes, 2);
    EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
}

int main(void)
{
    static const size_t sizes[] = { 1, 100, 4096, 5000, 70001, MIB };
    void *where;
    start();
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)ranks * 2 * MIB + MIB, NULL, &where));
    region = where;
    EXPECT(BYRE_OK, byre_am_register(HANDLER, on_bulk, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(ANSWERER, on_question, NULL, NULL));
    together();
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        messages(sizes[i]);
        active_messages(sizes[i]);
        mailboxes(sizes[i]);
    }
    EXPECT(BYRE_OK, byre_dsm_free(where));
    return finish();
}
