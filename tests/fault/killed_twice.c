/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ranks are killed, one after the other: each failure is news of its own. */
#include "survive.h"

int main(int argc, char **argv)
{
    begin(argc, argv);
    int second = ranks - 2;
    CHECK(ranks >= 3 && victim == ranks - 1);
    if (me == victim) die_when_all_wait();
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_recv(5, BYRE_ANY, NULL, 0, NULL));
    found_dead_in_time();
    EQUAL(1, byre_failures_ack());
    if (me == second) {
        for (int r = 0; r < second; r++) EXPECT(BYRE_OK, byre_recv(READY_PORT, r, NULL, 0, NULL));
        die();
    }
    byre_request_t req;
    EXPECT(BYRE_OK, byre_irecv(5, BYRE_ANY, NULL, 0, &req));
    EXPECT(BYRE_OK, byre_send(at(second, READY_PORT), NULL, 0));
    EXPECT(BYRE_EPEER, byre_wait(&req, NULL));
    rank_found_dead_in_time(second);
    go_on(2);
    meet_the_living();
    return leave();
}
