/* SPDX-License-Identifier: BSD-3-Clause */
/* The node of the last rank is crashed from outside while the others wait for it, each in its own way. */
#include "../fault/survive.h"

static char room[64], big[8 * MIB];

static void wait_for_the_end(void)
{
    for (;;) pause(); /* the service thread goes on: it lives, until its node does not */
}

/* Large: it cannot leave before the receiver asks for it. */
static void by_send(void)
{
    EXPECT(BYRE_EPEER, byre_send(at(victim, 5), big, sizeof big));
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    write_file("ready", me, "ready\n");
    if (me == victim) wait_for_the_end();
    switch (me % 3) {
    case 0:
        EXPECT(BYRE_EPEER, byre_recv(5, victim, room, sizeof room, NULL));
        break;
    case 1:
        by_send();
        break;
    default:
        EXPECT(BYRE_EPEER, byre_am_request(victim, AM_SILENT, NULL, 0, NULL, 0, NULL));
    }
    found_dead_in_time();
    return go_on_and_leave();
}
