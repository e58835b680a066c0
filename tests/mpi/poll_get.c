/* SPDX-License-Identifier: BSD-3-Clause */
/* byre_poll looks and takes nothing; byre_get_message takes a message of whatever length. */
#include "testing.h"

static const size_t sizes[] = { 0, 1, 100, 4096, 70000, 2 * 1024 * 1024 };

int main(void)
{
    byre_info_t info, again;
    void *message = NULL;

    start();
    EXPECT(BYRE_EAGAIN, byre_poll(1, BYRE_ANY, &info));
    EXPECT(BYRE_EAGAIN, byre_poll(1, left(), NULL));
    EXPECT(BYRE_EAGAIN, byre_get_message(1, BYRE_ANY, &message, &info));
    CHECK(message == NULL);
    EXPECT(BYRE_OK, byre_barrier());

    char *out = room_for(2 * MIB), *in = room_for(2 * MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        byre_request_t req;
        int from = i % 2 ? BYRE_ANY : left();
        fill(out, sizes[i], mix((uint64_t)me + i));
        EXPECT(BYRE_OK, byre_isend(at(right(), 1), out, sizes[i], NULL, &req));
        UNTIL(byre_poll(1, from, &info) == BYRE_OK);
        EQUAL(left(), info.source);
        EQUAL(1, info.port);
        EQUAL(sizes[i], info.bytes);
        EXPECT(BYRE_OK, byre_poll(1, left(), &again)); /* it is still there */
        EQUAL(sizes[i], again.bytes);
        if (ranks > 1) EXPECT(BYRE_EAGAIN, byre_poll(1, me, NULL)); /* none from there */
        EXPECT(BYRE_EAGAIN, byre_poll(2, BYRE_ANY, NULL));          /* nor for that port */
        EXPECT(BYRE_OK, byre_get_message(1, from, &message, &info));
        CHECK(message != NULL);
        EQUAL(left(), info.source);
        EQUAL(1, info.port);
        EQUAL(sizes[i], info.bytes);
        CHECK(filled(message, info.bytes, mix((uint64_t)left() + i)));
        if (sizes[i] > 0) memset(message, 1, sizes[i]); /* it is ours */
        free(message);
        EXPECT(BYRE_EAGAIN, byre_poll(1, BYRE_ANY, NULL)); /* it was the only one */
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        EXPECT(BYRE_OK, byre_barrier());
    }

    /* In order, and in turn with receives. */
    for (int i = 0; i < 60; i++) {
        size_t bytes = (size_t)(i % 9 == 8 ? 100000 : i * 3);
        fill(out, bytes, mix3((uint64_t)me, 9, (uint64_t)i));
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), 1), out, bytes));
    }
    for (int i = 0; i < 60; i++) {
        size_t bytes = (size_t)(i % 9 == 8 ? 100000 : i * 3);
        void *got = in;
        if (i % 4 == 3) {
            EXPECT(BYRE_OK, byre_recv(1, left(), in, 2 * MIB, &info));
        } else {
            int error;
            UNTIL((error = byre_get_message(1, i % 2 ? BYRE_ANY : left(), &got, &info)) !=
                  BYRE_EAGAIN);
            EXPECT(BYRE_OK, error);
        }
        EQUAL(bytes, info.bytes);
        CHECK(filled(got, bytes, mix3((uint64_t)left(), 9, (uint64_t)i)));
        if (got != in) free(got);
    }
    /* Without an info. */
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 1), "x", 1));
    UNTIL(byre_get_message(1, BYRE_ANY, &message, NULL) == BYRE_OK);
    CHECK(*(char *)message == 'x');
    free(message);
    free(in);
    free(out);
    return finish();
}
