/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of a pair that is called: it waits, or computes, until the leader's batch is over. */
#include "bench.h"

#include <stdatomic.h>

static void on_stop(const byre_am_t *am, void *arg)
{
    (void)am;
    atomic_fetch_add_explicit(&((struct server *)arg)->stops, 1, memory_order_release);
}

void server_open(struct server *server, int id)
{
    server->id = id;
    check_byre("byre_am_register", byre_am_register(id, on_stop, NULL, server));
}

void server_close(struct server *server)
{
    check_byre("byre_am_register", byre_am_register(server->id, NULL, NULL, NULL));
}

double server_serve(struct server *server, const struct pair *pair)
{
    if (server->computing) {
        while (atomic_load_explicit(&server->stops, memory_order_acquire) == server->stops_seen)
            compute(200);
        server->stops_seen++;
    } else {
        check_byre("byre_recv", byre_recv(PORT_END, pair->peer, NULL, 0, NULL));
    }
    return 0;
}

void server_release(const struct server *server, const struct pair *pair)
{
    if (server->computing)
        check_byre("byre_am_send", byre_am_send(pair->peer, server->id, NULL, 0, NULL, 0));
    else
        check_byre("byre_send", byre_send((byre_addr_t){ pair->peer, PORT_END }, NULL, 0));
}
