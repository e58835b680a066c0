/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and finish: once each; every other call has its place in between; what was sent before the
 * end arrives. */
#include "testing.h"
#include <mpi.h>

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

static void everything_is_refused(void)
{
    char room[8] = "";
    void *message;
    size_t bytes;
    uint64_t value;
    byre_request_t req = BYRE_REQUEST_NULL;
    byre_am_t am = { .call = 1 };
    byre_right_t right_one = { 0 }, right_two;

    CHECK(!byre_initialized());
    EXPECT(BYRE_ESTATE, byre_finalize());
    EXPECT(BYRE_ESTATE, byre_rank());
    EXPECT(BYRE_ESTATE, byre_size());
    EXPECT(BYRE_ESTATE, byre_node_count());
    EXPECT(BYRE_ESTATE, byre_node_of(0));
    CHECK(byre_node_name(0) == NULL);
    EXPECT(BYRE_ESTATE, byre_port_max());
    EXPECT(BYRE_ESTATE, byre_barrier());
    EXPECT(BYRE_ESTATE, byre_send(at(0, 0), room, 8));
    EXPECT(BYRE_ESTATE, byre_send_sync(at(0, 0), room, 8));
    EXPECT(BYRE_ESTATE, byre_isend(at(0, 0), room, 8, NULL, &req));
    EXPECT(BYRE_ESTATE, byre_isend_copy(at(0, 0), room, 8));
    EXPECT(BYRE_ESTATE, byre_isend_cow(at(0, 0), room, 8, NULL, &req));
    EXPECT(BYRE_ESTATE, byre_recv(0, BYRE_ANY, room, 8, NULL));
    EXPECT(BYRE_ESTATE, byre_irecv(0, BYRE_ANY, room, 8, &req));
    EXPECT(BYRE_ESTATE, byre_poll(0, BYRE_ANY, NULL));
    EXPECT(BYRE_ESTATE, byre_get_message(0, BYRE_ANY, &message, NULL));
    EXPECT(BYRE_ESTATE, byre_port_popup(0, nothing_popup, NULL));
    EXPECT(BYRE_ESTATE, byre_am_register(0, nothing_am, NULL, NULL));
    EXPECT(BYRE_ESTATE, byre_am_send(0, 0, room, 8, NULL, 0));
    EXPECT(BYRE_ESTATE, byre_am_request(0, 0, room, 8, room, 8, &bytes));
    EXPECT(BYRE_ESTATE, byre_am_reply(&am, room, 8));
    EXPECT(BYRE_ESTATE, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &right_one, &right_two));
    EXPECT(BYRE_ESTATE, byre_mailbox_send(&right_one, room, 8, 0));
    EXPECT(BYRE_ESTATE, byre_mailbox_recv(&right_one, room, 8, 0, NULL));
    EXPECT(BYRE_ESTATE, byre_mailbox_destroy(&right_one));
    EXPECT(BYRE_ESTATE, byre_right_move(&right_one, &right_two));
    EXPECT(BYRE_ESTATE, byre_peer_failed(0));
    EXPECT(BYRE_ESTATE, byre_on_peer_failure(nothing_failed, NULL));
    EXPECT(BYRE_ESTATE, byre_failure_bound_ms());
    EXPECT(BYRE_ESTATE, byre_failures_ack());
    EXPECT(BYRE_ESTATE, byre_counter_get("msg_sent", &value));
    CHECK(req == BYRE_REQUEST_NULL);
}

int main(void)
{
    enum { MESSAGES = 50 };
    int flag = 0;

    everything_is_refused();
    start();
    EXPECT(BYRE_ESTATE, byre_init());
    CHECK(byre_initialized() == 1);
    if (getenv("OMPI_COMM_WORLD_RANK") != NULL) {
        EQUAL(atoi(getenv("OMPI_COMM_WORLD_RANK")), me);
        EQUAL(atoi(getenv("OMPI_COMM_WORLD_SIZE")), ranks);
    }
    CHECK(byre_port_max() >= 32767);
    CHECK(byre_failure_bound_ms() > 0);
    EQUAL(0, byre_failures_ack());
    EQUAL(0, byre_peer_failed(right()));

    /* No barrier: the messages of whoever is at the end first still arrive. */
    char *room = room_for(100 * KIB);
    for (int i = 0; i < MESSAGES; i++) {
        size_t bytes = i % 10 == 0 ? 100 * KIB : 100;
        fill(room, bytes, (uint64_t)(me * 1000 + i));
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), 1), room, bytes));
    }
    for (int i = 0; i < MESSAGES; i++) {
        size_t bytes = i % 10 == 0 ? 100 * KIB : 100;
        EXPECT(BYRE_OK, byre_recv(1, left(), room, 100 * KIB, NULL));
        CHECK(filled(room, bytes, (uint64_t)(left() * 1000 + i)));
    }
    free(room);
    EXPECT(BYRE_OK, byre_finalize());

    everything_is_refused();
    EXPECT(BYRE_ESTATE, byre_init());
    CHECK(!byre_initialized());
    MPI_Finalized(&flag);
    CHECK(flag);
    return 0;
}
