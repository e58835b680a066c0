/* SPDX-License-Identifier: BSD-3-Clause */
/* Wait for and test one, any, all. */
#include "testing.h"

enum { MANY = 20 };

static byre_request_t reqs[MANY];
static int got[MANY], errors[MANY];
static byre_info_t infos[MANY];

/* Receive i waits on port i. */
static void begin(void)
{
    for (int i = 0; i < MANY; i++) {
        got[i] = -1;
        EXPECT(BYRE_OK, byre_irecv(i, left(), &got[i], sizeof got[i], &reqs[i]));
    }
    EXPECT(BYRE_OK, byre_barrier());
}

static void send_one(int i)
{
    int number = me * 1000 + i;
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), i), &number, sizeof number));
}

static void check_one(int i)
{
    EQUAL(left() * 1000 + i, got[i]);
    EQUAL(i, infos[i].port);
    EQUAL(left(), infos[i].source);
    EQUAL(sizeof(int), infos[i].bytes);
}

static void all(void)
{
    begin();
    for (int i = MANY - 1; i >= 0; i--) send_one(i);
    EXPECT(BYRE_OK, byre_wait_all(MANY, reqs, errors, infos));
    for (int i = 0; i < MANY; i++) {
        CHECK(reqs[i] == BYRE_REQUEST_NULL);
        EXPECT(BYRE_OK, errors[i]);
        check_one(i);
    }
    EXPECT(BYRE_OK, byre_wait_all(MANY, reqs, errors, infos)); /* all null */
    EXPECT(BYRE_OK, byre_wait_all(0, NULL, NULL, NULL));
    EXPECT(BYRE_OK, byre_test_all(MANY, reqs, NULL, NULL));

    begin();
    for (int i = 0; i < MANY; i++) send_one(i);
    EXPECT(BYRE_OK, byre_wait_all(MANY, reqs, NULL, NULL));
    for (int i = 0; i < MANY; i++) EQUAL(left() * 1000 + i, got[i]);
}

/* None is taken until all are there; messages come one by one. */
static void test_all(void)
{
    int error;
    begin();
    for (int i = 0; i < MANY - 1; i++) send_one(i);
    EXPECT(BYRE_EAGAIN, byre_test_all(MANY, reqs, errors, infos));
    UNTIL(got[MANY - 2] == left() * 1000 + MANY - 2 ||
          byre_test_all(MANY, reqs, errors, infos) != BYRE_EAGAIN);
    for (int i = 0; i < MANY; i++) CHECK(reqs[i] != BYRE_REQUEST_NULL);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_test_all(MANY, reqs, errors, infos));
    EXPECT(BYRE_OK, byre_barrier());
    send_one(MANY - 1);
    UNTIL((error = byre_test_all(MANY, reqs, errors, infos)) != BYRE_EAGAIN);
    EXPECT(BYRE_OK, error);
    for (int i = 0; i < MANY; i++) {
        CHECK(reqs[i] == BYRE_REQUEST_NULL);
        check_one(i);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

/* Whichever is there: here the order is known, because only one is sent at a time. */
static void any(bool test)
{
    size_t index;
    byre_info_t info;
    begin();
    if (test) {
        index = 99;
        EXPECT(BYRE_EAGAIN, byre_test_any(MANY, reqs, &index, &info));
        EXPECT(BYRE_OK, byre_barrier());
    }
    for (int i = 0; i < MANY; i++) {
        int which = (i * 7) % MANY, error;
        send_one(which);
        if (test)
            UNTIL((error = byre_test_any(MANY, reqs, &index, &info)) != BYRE_EAGAIN);
        else
            error = byre_wait_any(MANY, reqs, &index, &info);
        EXPECT(BYRE_OK, error);
        EQUAL(which, index);
        EQUAL(which, info.port);
        EQUAL(left(), info.source);
        CHECK(reqs[which] == BYRE_REQUEST_NULL);
        EQUAL(left() * 1000 + which, got[which]);
        EXPECT(BYRE_OK, byre_barrier());
    }
    EXPECT(BYRE_EINVAL, byre_wait_any(MANY, reqs, &index, &info));
    EXPECT(BYRE_EINVAL, byre_test_any(MANY, reqs, &index, &info));
    EXPECT(BYRE_EINVAL, byre_wait_any(0, NULL, &index, NULL));
}

/* Sends and receives in one array; errors show where they belong. */
static void mixed(void)
{
    char big[64], small[4];
    byre_request_t four[4] = { NULL };
    int results[4] = { 9, 9, 9, 9 };
    memset(big, 'b', sizeof big);
    EXPECT(BYRE_OK, byre_irecv(1, left(), small, sizeof small, &four[1]));
    EXPECT(BYRE_OK, byre_irecv(2, left(), small, sizeof small, &four[3]));
    EXPECT(BYRE_OK, byre_isend(at(right(), 1), big, sizeof big, NULL, &four[0]));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 2), big, sizeof small));
    EXPECT(BYRE_ETRUNC, byre_wait_all(4, four, results, infos));
    EXPECT(BYRE_OK, results[0]);
    EXPECT(BYRE_ETRUNC, results[1]);
    EXPECT(BYRE_OK, results[2]);
    EXPECT(BYRE_OK, results[3]);
    EQUAL(sizeof big, infos[1].bytes);
    EQUAL(sizeof small, infos[3].bytes);
    for (int i = 0; i < 4; i++) CHECK(four[i] == BYRE_REQUEST_NULL);
    EXPECT(BYRE_OK, byre_recv(1, left(), big, sizeof big, NULL)); /* it was kept */
}

/* Completed ones come out of wait_any one after the other, each once. */
static void any_of_many(void)
{
    enum { SENDS = 10 };
    byre_request_t sends[SENDS];
    bool seen[MANY] = { false };
    begin();
    for (int i = 0; i < MANY; i++) send_one(i);
    for (int i = 0; i < SENDS; i++)
        EXPECT(BYRE_OK, byre_isend(at(right(), 30), &me, sizeof me, NULL, &sends[i]));
    for (int i = 0; i < MANY; i++) {
        size_t index;
        EXPECT(BYRE_OK, byre_wait_any(MANY, reqs, &index, i % 2 ? NULL : infos));
        CHECK(index < MANY && !seen[index]);
        seen[index] = true;
        EQUAL(left() * 1000 + (int)index, got[index]);
    }
    for (int i = 0; i < SENDS; i++) {
        int number;
        EXPECT(BYRE_OK, byre_recv(30, left(), &number, sizeof number, NULL));
        EQUAL(left(), number);
    }
    for (int i = 0; i < SENDS; i++) {
        size_t index;
        EXPECT(BYRE_OK, byre_wait_any(SENDS, sends, &index, NULL));
    }
}

int main(void)
{
    start();
    all();
    test_all();
    any(false);
    any(true);
    mixed();
    any_of_many();
    return finish();
}
