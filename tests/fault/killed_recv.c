/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed while others wait to receive. argv[1]: how they wait; argv[2]: the victim. */
#include "survive.h"
#include <pthread.h>

static char room[64];

static void check_info(const byre_info_t *info, int port)
{
    EQUAL(victim, info->source);
    EQUAL(port, info->port);
}

static void by_recv(int from, size_t bytes)
{
    char *big = room_for(bytes);
    byre_info_t info = { -9, -9, 9 };
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_recv(5, from, big, bytes, &info));
    found_dead_in_time();
    check_info(&info, 5);
    free(big);
}

static void by_irecv(size_t bytes)
{
    char *big = room_for(bytes);
    byre_request_t req;
    byre_info_t info = { -9, -9, 9 };
    EXPECT(BYRE_OK, byre_irecv(5, victim, big, bytes, &req));
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_wait(&req, &info));
    found_dead_in_time();
    CHECK(req == BYRE_REQUEST_NULL);
    check_info(&info, 5);
    free(big);
}

static void by_test(void)
{
    byre_request_t req;
    int error;
    EXPECT(BYRE_OK, byre_irecv(5, victim, room, sizeof room, &req));
    about_to_wait();
    UNTIL((error = byre_test(&req, NULL)) != BYRE_EAGAIN);
    EXPECT(BYRE_EPEER, error);
    found_dead_in_time();
}

/* Among others: only the dead one's ends. */
static void by_wait_any(void)
{
    byre_request_t reqs[3];
    char more[2][64];
    size_t index = 99;
    int alive = (victim + 1) % ranks == me ? me : (victim + 1) % ranks;
    EXPECT(BYRE_OK, byre_irecv(5, alive, more[0], 64, &reqs[0]));
    EXPECT(BYRE_OK, byre_irecv(6, victim, room, sizeof room, &reqs[1]));
    EXPECT(BYRE_OK, byre_irecv(7, me, more[1], 64, &reqs[2]));
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_wait_any(3, reqs, &index, NULL));
    found_dead_in_time();
    EQUAL(1, index);
    CHECK(reqs[1] == BYRE_REQUEST_NULL && reqs[0] != NULL && reqs[2] != NULL);
    EXPECT(BYRE_OK, byre_send(at(me, 7), "me", 3));
    EXPECT(BYRE_OK, byre_wait(&reqs[2], NULL));
    EXPECT(BYRE_OK, byre_cancel(&reqs[0]));
    EXPECT(BYRE_ECANCELED, byre_wait(&reqs[0], NULL));
}

static void by_wait_all(void)
{
    byre_request_t reqs[3];
    char more[3][64];
    int errors[3];
    EXPECT(BYRE_OK, byre_irecv(5, me, more[0], 64, &reqs[0]));
    EXPECT(BYRE_OK, byre_irecv(6, victim, more[1], 64, &reqs[1]));
    EXPECT(BYRE_OK, byre_irecv(6, victim, more[2], 64, &reqs[2]));
    EXPECT(BYRE_OK, byre_send(at(me, 5), "me", 3));
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_wait_all(3, reqs, errors, NULL));
    found_dead_in_time();
    EXPECT(BYRE_OK, errors[0]);
    EXPECT(BYRE_EPEER, errors[1]);
    EXPECT(BYRE_EPEER, errors[2]);
}

/* Several threads at once, in different calls. */
static void *waits(void *arg)
{
    switch (*(int *)arg) {
    case 0:
        EXPECT(BYRE_EPEER, byre_recv(5, victim, NULL, 0, NULL));
        break;
    case 1:
        EXPECT(BYRE_EPEER, byre_recv(6, BYRE_ANY, NULL, 0, NULL));
        break;
    case 2: {
        char *big = room_for(MIB);
        EXPECT(BYRE_EPEER, byre_recv(7, BYRE_ANY, big, MIB, NULL));
        free(big);
        break;
    }
    default:
        EXPECT(BYRE_EPEER, byre_am_request(victim, AM_SILENT, NULL, 0, NULL, 0, NULL));
    }
    found_dead_in_time();
    return NULL;
}

static void by_threads(void)
{
    pthread_t threads[4];
    int numbers[4];
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, waits, &numbers[i]) == 0);
    }
    about_to_wait();
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

/* What has arrived is delivered first, also with BYRE_ANY. */
static void arrived_first(void)
{
    int number;
    UNTIL(byre_poll(6, victim, NULL) == BYRE_OK); /* sent last, so the others are here as well */
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    found_dead_in_time();
    for (int i = 0; i < 3; i++) {
        EXPECT(BYRE_OK, byre_poll(5, victim, NULL));
        EXPECT(BYRE_OK, byre_recv(5, i % 2 ? BYRE_ANY : victim, &number, sizeof number, NULL));
        EQUAL(i, number);
    }
    EXPECT(BYRE_EPEER, byre_recv(5, victim, &number, sizeof number, NULL));
    EXPECT(BYRE_EPEER, byre_recv(5, BYRE_ANY, &number, sizeof number, NULL));
    void *message;
    EXPECT(BYRE_OK, byre_get_message(6, BYRE_ANY, &message, NULL));
    free(message);
    EXPECT(BYRE_EPEER, byre_get_message(6, victim, &message, NULL));
    EXPECT(BYRE_EPEER, byre_get_message(6, BYRE_ANY, &message, NULL));
}

static void send_before_death(void)
{
    for (int r = 0; r < ranks; r++) {
        if (r == me) continue;
        for (int i = 0; i < 3; i++) EXPECT(BYRE_OK, byre_send(at(r, 5), &i, sizeof i));
        EXPECT(BYRE_OK, byre_send(at(r, 6), NULL, 0));
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "recv";
    begin(argc - 1, argv + 1);
    if (me == victim) {
        if (strcmp(how, "arrived") == 0) send_before_death();
        die_when_all_wait();
    }
    if (strcmp(how, "recv") == 0)
        by_recv(victim, 64);
    else if (strcmp(how, "recv-large") == 0)
        by_recv(victim, MIB);
    else if (strcmp(how, "any") == 0)
        by_recv(BYRE_ANY, 64);
    else if (strcmp(how, "any-large") == 0)
        by_recv(BYRE_ANY, MIB);
    else if (strcmp(how, "irecv") == 0)
        by_irecv(64);
    else if (strcmp(how, "irecv-large") == 0)
        by_irecv(MIB);
    else if (strcmp(how, "test") == 0)
        by_test();
    else if (strcmp(how, "wait-any") == 0)
        by_wait_any();
    else if (strcmp(how, "wait-all") == 0)
        by_wait_all();
    else if (strcmp(how, "threads") == 0)
        by_threads();
    else if (strcmp(how, "arrived") == 0)
        arrived_first();
    else
        CHECK(!"a known way");
    return go_on_and_leave();
}
