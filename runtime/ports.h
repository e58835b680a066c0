/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, for the files that have to do with them: port.c has them, and messages that are kept there;
 * port_queue.c gives messages to queued receives, port_popup.c to handlers. port.h says what others call.
 *
 * Invariants
 *  1. While a port has queued receives, every further receive on it is queued behind them, so
 *     receives take messages in the order in which they began.
 *  2. A message for "any" that an earlier receive from its source wants is that one's.
 *  3. byre__port_special counts the ports with a queue, kept messages or a handler. While it is 0
 *     a receive need not look here at all.
 *
 * One lock guards the ports, and what the files keep of them; a leaf (MPI is called under it, users never). */
#ifndef BYRE__PORTS_H
#define BYRE__PORTS_H

#include "port.h"

/* A message that was taken out of MPI and fits nobody yet. */
struct kept {
    struct kept *next;
    int source;
    size_t bytes;
    byre_request_t stage; /* it lies here, or */
    byre__tmsg_t message; /* MPI has it, matched */
};

struct port {
    struct port *next;        /* in its hash bucket */
    struct port *next_active; /* in ports.active */
    bool active;
    int number;
    struct byre_request *queue, **queue_end; /* receives, in the order in which they began */
    struct kept *kept, **kept_end;
    byre_popup_fn popup;
    void *popup_arg;
    bool popup_ending; /* byre_port_popup waits for `running` to become 0 */
    int running;       /* pop-up handlers that run or are to run */
};

/* port.c */
void byre__ports_lock(void);
void byre__ports_unlock(void);

/* All of the following under the lock. */
struct port *byre__port_find(int number);
struct port *byre__port_find_or_add(int number); /* NULL: no memory */
/* The engine looks at it from now on: it has a queue or a handler. */
void byre__port_activate(struct port *port);

static inline bool byre__port_is_special(const struct port *port)
{
    return port->queue != NULL || port->kept != NULL || port->popup != NULL;
}

/* Call around every change of a port: keeps invariant 3. */
static inline void byre__port_count_special(bool before, const struct port *port)
{
    bool after = byre__port_is_special(port);
    if (after != before) atomic_fetch_add(&byre__port_special, after ? 1 : -1);
}

/* The first kept message from a source, or BYRE_ANY; NULL: none. */
struct kept **byre__port_find_kept(struct port *port, int from);
struct kept *byre__port_unlink_kept(struct port *port, struct kept **at);
/* A large message has been received: its sender may wait for that. */
void byre__port_received(int source, size_t bytes);

/* port_queue.c: how many have got a message, or ended */
int byre__port_match_queue(struct port *port);
/* Receives from the dead end, now that nothing of theirs is left here. */
int byre__port_end_hopeless(struct port *port);
int byre__port_poll_taking(void);
void byre__port_queue_fini(void);

/* port_popup.c: the same */
int byre__port_match_popup(struct port *port);
int byre__port_poll_popping(void);
void byre__port_popup_fini(void);

#endif
