/* SPDX-License-Identifier: BSD-3-Clause */
/* A receive that is given up ends; its message, if one comes, is not lost. */
#include "testing.h"

static void without_message(void)
{
    int got = -1;
    byre_request_t req, later;
    EXPECT(BYRE_OK, byre_irecv(1, left(), &got, sizeof got, &req));
    EXPECT(BYRE_OK, byre_cancel(&req));
    CHECK(req != BYRE_REQUEST_NULL); /* it must still be waited for */
    EXPECT(BYRE_ECANCELED, byre_wait(&req, NULL));
    CHECK(req == BYRE_REQUEST_NULL);

    EXPECT(BYRE_OK, byre_irecv(1, BYRE_ANY, &got, sizeof got, &req));
    EXPECT(BYRE_OK, byre_cancel(&req));
    int error;
    UNTIL((error = byre_test(&req, NULL)) != BYRE_EAGAIN);
    EXPECT(BYRE_ECANCELED, error);

    /* The first of two is given up: the second gets the message. */
    EXPECT(BYRE_OK, byre_irecv(1, left(), &got, sizeof got, &req));
    EXPECT(BYRE_OK, byre_irecv(1, left(), &got, sizeof got, &later));
    EXPECT(BYRE_OK, byre_cancel(&req));
    EXPECT(BYRE_ECANCELED, byre_wait(&req, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 1), &me, sizeof me));
    EXPECT(BYRE_OK, byre_wait(&later, NULL));
    EQUAL(left(), got);
}

/* Given up just when the message comes: one or the other, and all messages arrive in order. */
static void in_a_race(void)
{
    enum { TIMES = 400 };
    int next = 0, canceled = 0;
    for (int i = 0; i < TIMES; i++) {
        size_t bytes = i % 8 == 7 ? 50000 : sizeof(int);
        static int out[12500], got[12500];
        byre_request_t req;
        got[0] = -1;
        EXPECT(BYRE_OK, byre_irecv(2, i % 2 ? left() : BYRE_ANY, got, sizeof got, &req));
        out[0] = i;
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), 2), out, bytes));
        if (i % 3 == 0) (void)sched_yield();
        EXPECT(BYRE_OK, byre_cancel(&req));
        int error = byre_wait(&req, NULL);
        if (error == BYRE_ECANCELED) {
            canceled++;
        } else {
            EXPECT(BYRE_OK, error);
            EQUAL(next, got[0]);
            next++;
        }
    }
    EQUAL(TIMES - canceled, next);
    while (next < TIMES) {
        static int got[12500];
        EXPECT(BYRE_OK, byre_recv(2, BYRE_ANY, got, sizeof got, NULL));
        EQUAL(next, got[0]);
        next++;
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(2, BYRE_ANY, NULL));
}

static void refused(void)
{
    int out = 1, got;
    byre_request_t none = BYRE_REQUEST_NULL, req;
    EXPECT(BYRE_EINVAL, byre_cancel(&none));
    EXPECT(BYRE_OK, byre_isend(at(right(), 3), &out, sizeof out, NULL, &req));
    EXPECT(BYRE_EINVAL, byre_cancel(&req));
    EXPECT(BYRE_OK, byre_recv(3, left(), &got, sizeof got, NULL));
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
}

/* Among others that are waited for together. */
static void in_an_array(void)
{
    int got[3] = { -1, -1, -1 }, errors[3];
    byre_request_t reqs[3];
    for (int i = 0; i < 3; i++)
        EXPECT(BYRE_OK, byre_irecv(4 + i, left(), &got[i], sizeof got[i], &reqs[i]));
    EXPECT(BYRE_OK, byre_cancel(&reqs[1]));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 4), &me, sizeof me));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 6), &me, sizeof me));
    EXPECT(BYRE_ECANCELED, byre_wait_all(3, reqs, errors, NULL));
    EXPECT(BYRE_OK, errors[0]);
    EXPECT(BYRE_ECANCELED, errors[1]);
    EXPECT(BYRE_OK, errors[2]);
    EQUAL(left(), got[0]);
    EQUAL(-1, got[1]);
    EQUAL(left(), got[2]);
}

int main(void)
{
    start();
    without_message();
    in_a_race();
    refused();
    in_an_array();
    return finish();
}
