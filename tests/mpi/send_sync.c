/* SPDX-License-Identifier: BSD-3-Clause */
/* The rendezvous: byre_send_sync returns only after the receiver has begun to receive. */
#include "testing.h"
#include <pthread.h>

static const size_t sizes[] = { 0, 8, 4 * KIB, 100 * KIB, MIB };

static _Atomic bool returned;
static char *out;

static void *sender(void *arg)
{
    size_t bytes = *(const size_t *)arg;
    fill(out, bytes, (uint64_t)me + bytes);
    EXPECT(BYRE_OK, byre_send_sync(at(right(), 1), out, bytes));
    atomic_store(&returned, true);
    return NULL;
}

static void one_at_a_time(size_t bytes, char *in)
{
    pthread_t thread;
    byre_info_t info;

    atomic_store(&returned, false);
    CHECK(pthread_create(&thread, NULL, sender, &bytes) == 0);
    UNTIL(byre_poll(1, left(), &info) == BYRE_OK);
    EQUAL(bytes, info.bytes);
    /* Now every message has arrived, and none is received: nobody's call may have returned. */
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(!atomic_load(&returned));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_recv(1, left(), in, MIB, &info));
    EQUAL(bytes, info.bytes);
    CHECK(filled(in, bytes, (uint64_t)left() + bytes));
    pthread_join(thread, NULL);
    CHECK(atomic_load(&returned));
    EXPECT(BYRE_OK, byre_barrier());
}

int main(void)
{
    start();
    out = room_for(MIB);
    char *in = room_for(MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) one_at_a_time(sizes[i], in);

    /* To a receive that has begun already it need not wait. */
    for (int i = 0; i < 100; i++) {
        byre_request_t req;
        EXPECT(BYRE_OK, byre_irecv(2, left(), in, MIB, &req));
        fill(out, 1000, (uint64_t)(me + i));
        EXPECT(BYRE_OK, byre_send_sync(at(right(), 2), out, 1000));
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        CHECK(filled(in, 1000, (uint64_t)(left() + i)));
    }
    free(in);
    free(out);
    return finish();
}
