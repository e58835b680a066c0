/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed before or during the report of shared memory. argv[1]: before or during; argv[2]: the
 * victim. */
#include "survive.h"

#include "dsm/report.h"

static void fault_a_little(void)
{
    void *page;
    EXPECT(BYRE_OK, byre_dsm_alloc(4096, NULL, &page));
    CHECK(byre__dsm_report_on);
    byre__dsm_report_region(1, "counters", (void *)0x200000000000, 4096);
    for (size_t i = 0; i < 1000; i++) byre__dsm_report_fault(1, i % 100, 8, true, fault_a_little);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "during";
    begin(argc - 1, argv + 1);
    fault_a_little();
    if (me == victim) {
        for (int i = 1; i < ranks; i++)
            EXPECT(BYRE_OK, byre_recv(READY_PORT, BYRE_ANY, NULL, 0, NULL));
        if (strcmp(how, "during") == 0) usleep(300000);
        die();
    }
    about_to_wait();
    if (strcmp(how, "before") == 0) UNTIL(byre_peer_failed(victim) == 1);
    return leave();
}
