/* SPDX-License-Identifier: BSD-3-Clause */
/* The counters count what happened. */
#include "testing.h"

enum { MESSAGES = 50, PORT = 1, ID = 1 };

static _Atomic int handled, popped;

static void handler(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
    atomic_fetch_add(&handled, 1);
}

static void popup(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
    atomic_fetch_add(&popped, 1);
}

static uint64_t count(const char *name)
{
    uint64_t value = 0;
    EXPECT(BYRE_OK, byre_counter_get(name, &value));
    return value;
}

int main(void)
{
    static char big[100000];
    start();
    EQUAL(0, count("msg_sent"));
    EQUAL(0, count("msg_received"));
    EQUAL(0, count("msg_kept"));
    EQUAL(0, count("peers_failed"));
    for (int i = 0; i < MESSAGES; i++) {
        int got;
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), &i, sizeof i));
        EXPECT(BYRE_OK, byre_recv(PORT, left(), &got, sizeof got, NULL));
    }
    EQUAL(MESSAGES, count("msg_sent"));
    EQUAL(MESSAGES, count("msg_received"));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), big, 100));
    EXPECT(BYRE_ETRUNC, byre_recv(PORT, left(), big, 10, NULL));
    EQUAL(1, count("msg_kept"));
    EXPECT(BYRE_OK, byre_recv(PORT, left(), big, 100, NULL));
    EQUAL(MESSAGES + 1, count("msg_received"));

    EXPECT(BYRE_OK, byre_am_register(ID, handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    uint64_t sent = count("am_sent");
    for (int i = 0; i < MESSAGES; i++)
        EXPECT(BYRE_OK, byre_am_send(right(), ID, &i, sizeof i, NULL, 0));
    CHECK(count("am_sent") >= sent + MESSAGES);
    UNTIL(atomic_load(&handled) == MESSAGES);
    UNTIL(count("am_received") >= MESSAGES);

    EXPECT(BYRE_OK, byre_port_popup(PORT, popup, NULL));
    for (int i = 0; i < 10; i++) EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), &i, sizeof i));
    UNTIL(atomic_load(&popped) == 10);
    EXPECT(BYRE_OK, byre_port_popup(PORT, NULL, NULL));
    EQUAL(10, count("popups"));
    CHECK(count("popup_threads") >= 1 && count("popup_threads") <= 10);

    char *buf = room_for(MIB);
    byre_request_t req;
    fill(buf, MIB, 1);
    EXPECT(BYRE_OK, byre_isend_cow(at(right(), 2), buf, MIB, NULL, &req));
    buf[MIB / 2] ^= 1;
    CHECK(count("cow_sends") + count("cow_copied_sends") == 1);
    char *in = room_for(MIB);
    EXPECT(BYRE_OK, byre_recv(2, left(), in, MIB, NULL));
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
    CHECK(filled(in, MIB, 1));
    free(in);
    free(buf);
    return finish();
}
