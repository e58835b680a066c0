/* SPDX-License-Identifier: BSD-3-Clause */
/* Pop-up threads: each message makes a thread that handles it and may block and call Byre itself. */
#include "testing.h"

enum { MESSAGES = 300, PORT = 1, ANSWERS = 2, EXTRA = 3, QUIET = 4 };

struct order {
    int number;
    bool wants_more; /* the handler receives one more message */
};

static _Atomic int handled, running, go;

/* Answers each message; sometimes it first waits for another one. */
static void answer(void *msg, const byre_info_t *info, void *arg)
{
    struct order order;
    int answers[2] = { -1, -1 };
    CHECK(arg == &handled);
    EQUAL(PORT, info->port);
    EQUAL(sizeof order, info->bytes);
    memcpy(&order, msg, sizeof order);
    answers[0] = order.number;
    if (order.wants_more) {
        EXPECT(BYRE_OK, byre_recv(EXTRA, info->source, &answers[1], sizeof answers[1], NULL));
    }
    EXPECT(BYRE_OK, byre_send(at(info->source, ANSWERS), answers, sizeof answers));
    atomic_fetch_add(&handled, 1);
}

static void answers(void)
{
    static bool answered[MESSAGES];
    int extras = 0, extra_sum = 0;
    EXPECT(BYRE_OK, byre_port_popup(PORT, answer, &handled));
    EXPECT(BYRE_EEXIST, byre_port_popup(PORT, answer, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < MESSAGES; i++) {
        struct order order = { .number = i, .wants_more = i % 10 == 0 };
        EXPECT(BYRE_OK, byre_send(at(right(), PORT), &order, sizeof order));
        /* The handlers of those with wants_more sit there until this comes. */
        if (order.wants_more) EXPECT(BYRE_OK, byre_send(at(right(), EXTRA), &i, sizeof i));
    }
    for (int i = 0; i < MESSAGES; i++) {
        int got[2];
        EXPECT(BYRE_OK, byre_recv(ANSWERS, right(), got, sizeof got, NULL));
        CHECK(got[0] >= 0 && got[0] < MESSAGES && !answered[got[0]]);
        answered[got[0]] = true;
        if (got[1] >= 0) extras++, extra_sum += got[1];
    }
    EQUAL(MESSAGES / 10, extras);
    EQUAL(MESSAGES * (MESSAGES - 10) / 20, extra_sum);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EQUAL(MESSAGES, atomic_load(&handled));
    EXPECT(BYRE_ENOTFOUND, byre_port_popup(PORT, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
}

/* Long messages and those that were there before the handler; the bytes are right. */
static void check_bytes(void *msg, const byre_info_t *info, void *arg)
{
    (void)arg;
    CHECK(filled(msg, info->bytes, mix3((uint64_t)info->source, 5, info->bytes)));
    atomic_fetch_add(&handled, 1);
}

static void earlier_and_long_ones(void)
{
    static const size_t sizes[] = { 0, 10, 5000, 100000, 1000000 };
    char *out = room_for(1000000);
    atomic_store(&handled, 0);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < LENGTH(sizes); i++) {
            fill(out, sizes[i], mix3((uint64_t)me, 5, sizes[i]));
            EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), out, sizes[i]));
        }
        if (turn == 0) {
            UNTIL(byre_poll(PORT, left(), NULL) == BYRE_OK);
            EXPECT(BYRE_OK, byre_port_popup(PORT, check_bytes, NULL));
        }
    }
    UNTIL(atomic_load(&handled) == 2 * (int)LENGTH(sizes));
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    free(out);
}

/* Removal waits for running handlers; the port can be received from again. */
static void hold(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_port_popup(PORT, NULL, NULL)); /* from its own handler */
    atomic_fetch_add(&running, 1);
    UNTIL(atomic_load(&go) == 1);
    int nothing;
    EXPECT(BYRE_OK, byre_recv(QUIET, me, &nothing, sizeof nothing, NULL));
    atomic_fetch_sub(&running, 1);
}

static void removal(void)
{
    int number = 5, got = 0;
    byre_request_t req;
    EXPECT(BYRE_OK, byre_port_popup(PORT, hold, NULL));
    for (int i = 0; i < 3; i++) EXPECT(BYRE_OK, byre_send(at(right(), PORT), &i, sizeof i));
    UNTIL(atomic_load(&running) == 3);
    EXPECT(BYRE_EBUSY, byre_recv(PORT, BYRE_ANY, &got, sizeof got, NULL));
    EXPECT(BYRE_EBUSY, byre_irecv(PORT, BYRE_ANY, &got, sizeof got, &req));
    EXPECT(BYRE_EBUSY, byre_poll(PORT, BYRE_ANY, NULL));
    void *message = NULL;
    EXPECT(BYRE_EBUSY, byre_get_message(PORT, BYRE_ANY, &message, NULL));
    for (int i = 0; i < 3; i++) EXPECT(BYRE_OK, byre_send(at(me, QUIET), &i, sizeof i));
    atomic_store(&go, 1);
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EQUAL(0, atomic_load(&running));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), &number, sizeof number));
    EXPECT(BYRE_OK, byre_recv(PORT, left(), &got, sizeof got, NULL));
    EQUAL(5, got);
    EXPECT(BYRE_OK, byre_barrier());

    /* The other way round: a queued receive keeps the handler out. */
    static char large[8192];
    EXPECT(BYRE_OK, byre_irecv(PORT, BYRE_ANY, large, sizeof large, &req));
    EXPECT(BYRE_EBUSY, byre_port_popup(PORT, hold, NULL));
    EXPECT(BYRE_OK, byre_cancel(&req));
    EXPECT(BYRE_ECANCELED, byre_wait(&req, NULL));
    EXPECT(BYRE_OK, byre_port_popup(PORT, hold, NULL));
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
}

/* A handler may remove another port's, and install one. */
static void change(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
    EXPECT(BYRE_OK, byre_port_popup(QUIET, check_bytes, NULL));
    EXPECT(BYRE_OK, byre_port_popup(QUIET, NULL, NULL));
    atomic_fetch_add(&handled, 1);
}

static void from_a_handler(void)
{
    atomic_store(&handled, 0);
    EXPECT(BYRE_OK, byre_port_popup(PORT, change, NULL));
    EXPECT(BYRE_OK, byre_send(at(right(), PORT), NULL, 0));
    UNTIL(atomic_load(&handled) == 1);
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
}

int main(void)
{
    start();
    answers();
    earlier_and_long_ones();
    removal();
    from_a_handler();
    /* Handlers that are still there go with byre_finalize. */
    EXPECT(BYRE_OK, byre_port_popup(QUIET, check_bytes, NULL));
    return finish();
}
