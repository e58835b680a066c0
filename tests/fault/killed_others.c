/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed while others probe it, meet in a barrier, compute, or leave. argv[1]: what they do;
 * argv[2]: the victim. */
#include "survive.h"

static _Atomic int told_late;

static void late(int rank, void *arg)
{
    (void)arg;
    EQUAL(victim, rank);
    atomic_fetch_add(&told_late, 1);
}

static void probe(int from)
{
    byre_info_t info = { -9, -9, 9 };
    int error;
    about_to_wait();
    UNTIL((error = byre_poll(5, from, &info)) != BYRE_EAGAIN);
    EXPECT(BYRE_EPEER, error);
    found_dead_in_time();
    EQUAL(victim, info.source);
}

static void get(void)
{
    void *message = NULL;
    int error;
    about_to_wait();
    UNTIL((error = byre_get_message(5, victim, &message, NULL)) != BYRE_EAGAIN);
    EXPECT(BYRE_EPEER, error);
    CHECK(message == NULL);
    found_dead_in_time();
}

static void barrier(void)
{
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_barrier());
    found_dead_in_time();
}

/* Nothing of Byre is called, and yet the handler is. One that is installed afterwards is told too. */
static void compute(void)
{
    volatile double work = 1;
    about_to_wait();
    while (atomic_load(&told_of[victim]) == 0) work = work * 1.0000001;
    found_dead_in_time();
    EXPECT(BYRE_OK, byre_on_peer_failure(late, NULL));
    while (atomic_load(&told_late) == 0) work = work * 1.0000001;
}

/* Acknowledged: receives from any wait again, until the living send something. */
static void acknowledge(void)
{
    int got = -1, number = me;
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_recv(5, BYRE_ANY, &got, sizeof got, NULL));
    found_dead_in_time();
    EXPECT(BYRE_EPEER, byre_recv(5, BYRE_ANY, &got, sizeof got, NULL)); /* and again */
    EXPECT(BYRE_EPEER, byre_poll(5, BYRE_ANY, NULL));
    EQUAL(1, byre_failures_ack());
    EXPECT(BYRE_EAGAIN, byre_poll(6, BYRE_ANY, NULL));
    byre_request_t req;
    EXPECT(BYRE_OK, byre_irecv(5, BYRE_ANY, &got, sizeof got, &req));
    meet_the_living();
    EXPECT(BYRE_OK, byre_send(at(next_alive(1), 5), &number, sizeof number));
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
    EQUAL(next_alive(-1), got);
    meet_the_living();
}

/* The victim is killed while the others are in byre_finalize. */
static int finalize(void)
{
    about_to_wait();
    EXPECT(BYRE_OK, byre_finalize());
    return 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "probe";
    begin(argc - 1, argv + 1);
    if (me == victim) {
        if (strcmp(how, "finalize") == 0) {
            for (int i = 1; i < ranks; i++)
                EXPECT(BYRE_OK, byre_recv(READY_PORT, BYRE_ANY, NULL, 0, NULL));
            die();
        }
        die_when_all_wait();
    }
    if (strcmp(how, "finalize") == 0) return finalize();
    if (strcmp(how, "probe") == 0)
        probe(victim);
    else if (strcmp(how, "probe-any") == 0)
        probe(BYRE_ANY);
    else if (strcmp(how, "get") == 0)
        get();
    else if (strcmp(how, "barrier") == 0)
        barrier();
    else if (strcmp(how, "compute") == 0)
        compute();
    else if (strcmp(how, "acknowledge") == 0)
        acknowledge();
    else
        CHECK(!"a known way");
    return go_on_and_leave();
}
