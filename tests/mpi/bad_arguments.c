/* SPDX-License-Identifier: BSD-3-Clause */
/* Bad arguments are stated errors; nothing is sent, nothing is lost. */
#include "testing.h"
#include <limits.h>

enum { GOOD = 7 };

static char buf[64];

static void nothing_am(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
}

static void nothing_popup(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
}

static void nothing_failed(int rank, void *arg)
{
    (void)rank, (void)arg;
}

static void send_to(int error, byre_addr_t to, const void *from, size_t bytes)
{
    byre_request_t req = BYRE_REQUEST_NULL;
    EXPECT(error, byre_send(to, from, bytes));
    EXPECT(error, byre_send_sync(to, from, bytes));
    EXPECT(error, byre_isend(to, from, bytes, NULL, &req));
    EXPECT(error, byre_isend_copy(to, from, bytes));
    EXPECT(error, byre_isend_cow(to, from, bytes, NULL, &req));
    CHECK(req == BYRE_REQUEST_NULL);
}

static void receive_from(int error, int port, int from, bool look_too)
{
    byre_request_t req = BYRE_REQUEST_NULL;
    void *message = NULL;
    EXPECT(error, byre_recv(port, from, buf, sizeof buf, NULL));
    EXPECT(error, byre_irecv(port, from, buf, sizeof buf, &req));
    CHECK(req == BYRE_REQUEST_NULL);
    if (!look_too) return;
    EXPECT(error, byre_poll(port, from, NULL));
    EXPECT(error, byre_get_message(port, from, &message, NULL));
    CHECK(message == NULL);
}

static void ranks_and_ports(void)
{
    static const int bad_ports[] = { -1, INT_MIN, INT_MAX };
    const int bad_ranks[] = { -1, -2, INT_MIN, ranks, ranks + 100, INT_MAX };
    for (size_t i = 0; i < LENGTH(bad_ports); i++) {
        /* INT_MAX may be a port where tags are that large. */
        if (bad_ports[i] >= 0 && bad_ports[i] <= byre_port_max()) continue;
        send_to(BYRE_EPORT, at(right(), bad_ports[i]), buf, 8);
        receive_from(BYRE_EPORT, bad_ports[i], BYRE_ANY, true);
        EXPECT(BYRE_EPORT, byre_port_popup(bad_ports[i], nothing_popup, NULL));
    }
    if (byre_port_max() < INT_MAX) {
        send_to(BYRE_EPORT, at(right(), byre_port_max() + 1), buf, 8);
        receive_from(BYRE_EPORT, byre_port_max() + 1, left(), true);
    }
    for (size_t i = 0; i < LENGTH(bad_ranks); i++) {
        send_to(BYRE_ERANK, at(bad_ranks[i], GOOD), buf, 8);
        if (bad_ranks[i] != BYRE_ANY) receive_from(BYRE_ERANK, GOOD, bad_ranks[i], true);
        EXPECT(BYRE_ERANK, byre_node_of(bad_ranks[i]));
        EXPECT(BYRE_ERANK, byre_peer_failed(bad_ranks[i]));
        EXPECT(BYRE_ERANK, byre_am_send(bad_ranks[i], 1, buf, 8, NULL, 0));
        EXPECT(BYRE_ERANK, byre_am_request(bad_ranks[i], 1, buf, 8, NULL, 0, NULL));
    }
    CHECK(byre_node_name(-1) == NULL);
    CHECK(byre_node_name(byre_node_count()) == NULL);
}

static void pointers(void)
{
    byre_request_t req = BYRE_REQUEST_NULL;
    size_t index = 0;
    send_to(BYRE_EINVAL, at(right(), GOOD), NULL, 8);
    EXPECT(BYRE_EINVAL, byre_recv(GOOD, BYRE_ANY, NULL, 8, NULL));
    EXPECT(BYRE_EINVAL, byre_irecv(GOOD, BYRE_ANY, NULL, 8, &req));
    EXPECT(BYRE_EINVAL, byre_irecv(GOOD, BYRE_ANY, buf, 8, NULL));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), GOOD), buf, 8, NULL, NULL));
    EXPECT(BYRE_EINVAL, byre_cancel(&req));
    EXPECT(BYRE_EINVAL, byre_wait_any(1, &req, &index, NULL));
    EXPECT(BYRE_EINVAL, byre_on_peer_failure(NULL, NULL));
    EXPECT(BYRE_ENOTFOUND, byre_port_popup(GOOD, NULL, NULL));
}

static void active_messages(void)
{
    static char too_much[BYRE_AM_INLINE + 1];
    size_t bytes = 0;
    byre_am_t no_call = { .call = 0 };
    EXPECT(BYRE_ERANGE, byre_am_register(-1, nothing_am, NULL, NULL));
    EXPECT(BYRE_ERANGE, byre_am_register(BYRE_AM_IDS, nothing_am, NULL, NULL));
    EXPECT(BYRE_ENOTFOUND, byre_am_register(3, NULL, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(3, nothing_am, NULL, NULL));
    EXPECT(BYRE_EEXIST, byre_am_register(3, nothing_am, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(3, NULL, NULL, NULL));
    EXPECT(BYRE_ERANGE, byre_am_send(right(), -1, buf, 8, NULL, 0));
    EXPECT(BYRE_ERANGE, byre_am_send(right(), BYRE_AM_IDS, buf, 8, NULL, 0));
    EXPECT(BYRE_ERANGE, byre_am_send(right(), 1, too_much, sizeof too_much, NULL, 0));
    EXPECT(BYRE_EINVAL, byre_am_send(right(), 1, NULL, 8, NULL, 0));
    EXPECT(BYRE_EINVAL, byre_am_send(right(), 1, NULL, 0, NULL, 8));
    EXPECT(BYRE_ERANGE, byre_am_request(right(), BYRE_AM_IDS, buf, 8, NULL, 0, &bytes));
    EXPECT(BYRE_ERANGE, byre_am_request(right(), 1, too_much, sizeof too_much, NULL, 0, NULL));
    EXPECT(BYRE_EINVAL, byre_am_request(right(), 1, NULL, 8, NULL, 0, NULL));
    EXPECT(BYRE_EINVAL, byre_am_request(right(), 1, buf, 8, NULL, 8, NULL));
    EXPECT(BYRE_EINVAL, byre_am_reply(&no_call, buf, 8));
}

static void others(void)
{
    uint64_t value = 5;
    EXPECT(BYRE_ENOTFOUND, byre_counter_get("no_such_counter", &value));
    EXPECT(BYRE_ENOTFOUND, byre_counter_get("", &value));
    EXPECT(BYRE_EINVAL, byre_counter_get(NULL, &value));
    EXPECT(BYRE_EINVAL, byre_counter_get("msg_sent", NULL));
    EQUAL(5, value);
    for (int i = 0; i < 16; i++) EXPECT(BYRE_OK, byre_on_peer_failure(nothing_failed, NULL));
    EXPECT(BYRE_ENOMEM, byre_on_peer_failure(nothing_failed, NULL));
}

int main(void)
{
    int got = -1;
    start();
    ranks_and_ports();
    pointers();
    active_messages();
    others();
    /* Nothing came of it, and what is right works. */
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(GOOD, BYRE_ANY, NULL));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), byre_port_max()), &me, sizeof me));
    EXPECT(BYRE_OK, byre_recv(byre_port_max(), left(), &got, sizeof got, NULL));
    EQUAL(left(), got);
    return finish();
}
