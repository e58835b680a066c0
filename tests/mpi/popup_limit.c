/* SPDX-License-Identifier: BSD-3-Clause */
/* At most BYRE_POPUP_MAX pop-up threads at once; more messages wait their turn and none is lost. */
#include "testing.h"

enum { MOST = 3, MESSAGES = 100 };

static _Atomic int running, most, handled, gate;

static void handler(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
    int now = atomic_fetch_add(&running, 1) + 1, before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) continue;
    UNTIL(atomic_load(&gate) == 1);
    (void)sched_yield();
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&handled, 1);
}

int main(void)
{
    uint64_t threads = 0, popups = 0;
    CHECK(setenv("BYRE_POPUP_MAX", "3", 1) == 0);
    start();
    EXPECT(BYRE_OK, byre_port_popup(1, handler, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < MESSAGES; i++) EXPECT(BYRE_OK, byre_send(at(right(), 1), &i, sizeof i));
    UNTIL(atomic_load(&running) == MOST);
    atomic_store(&gate, 1);
    UNTIL(atomic_load(&handled) == MESSAGES);
    EQUAL(MOST, atomic_load(&most));
    EXPECT(BYRE_OK, byre_port_popup(1, NULL, NULL));
    EXPECT(BYRE_OK, byre_counter_get("popup_threads", &threads));
    EXPECT(BYRE_OK, byre_counter_get("popups", &popups));
    CHECK(threads >= MOST && threads <= MESSAGES / 2); /* they are recycled */
    EQUAL(MESSAGES, popups);
    return finish();
}
