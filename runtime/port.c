/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, the messages that are kept there, and the engine's turn at them: see ports.h. */
#include "ports.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "progress.h"
#include "stage.h"
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 256 };

_Atomic int byre__port_special;

static struct {
    pthread_mutex_t lock;
    struct port *buckets[BUCKETS];
    struct port *active; /* ports with a queue or a handler */
} ports = { .lock = PTHREAD_MUTEX_INITIALIZER };

void byre__ports_lock(void)
{
    pthread_mutex_lock(&ports.lock);
}

void byre__ports_unlock(void)
{
    pthread_mutex_unlock(&ports.lock);
}

struct port *byre__port_find(int number)
{
    struct port *port = ports.buckets[number % BUCKETS];
    while (port != NULL && port->number != number) port = port->next;
    return port;
}

struct port *byre__port_find_or_add(int number)
{
    struct port *port = byre__port_find(number);
    if (port != NULL) return port;
    port = calloc(1, sizeof *port);
    if (port == NULL) return NULL;
    port->number = number;
    port->queue_end = &port->queue;
    port->kept_end = &port->kept;
    port->next = ports.buckets[number % BUCKETS];
    ports.buckets[number % BUCKETS] = port;
    return port;
}

void byre__port_activate(struct port *port)
{
    if (port->active) return;
    port->active = true;
    port->next_active = ports.active;
    ports.active = port;
}

void byre__port_received(int source, size_t bytes)
{
    byre__count(msg_received);
    if (bytes >= BYRE__LARGE) byre__wake_for_message(source);
}

/* ---- kept messages ---------------------------------------------------------------------------- */

static void keep(int number, const struct kept *what)
{
    struct kept *kept = malloc(sizeof *kept);
    BYRE__ASSERT(kept != NULL); /* out of memory for 64 bytes: better than a lost message */
    byre__ports_lock();
    struct port *port = byre__port_find_or_add(number);
    BYRE__ASSERT(port != NULL);
    bool before = byre__port_is_special(port);
    *kept = *what;
    kept->next = NULL;
    *port->kept_end = kept;
    port->kept_end = &kept->next;
    byre__port_count_special(before, port);
    byre__ports_unlock();
    byre__count(msg_kept);
}

void byre__port_keep_stage(int port, int source, byre_request_t stage, size_t bytes)
{
    keep(port, &(struct kept){ .source = source, .stage = stage, .bytes = bytes });
}

void byre__port_keep_message(int port, int source, byre__tmsg_t message, size_t bytes)
{
    keep(port, &(struct kept){ .source = source, .message = message, .bytes = bytes });
}

struct kept **byre__port_find_kept(struct port *port, int from)
{
    for (struct kept **at = &port->kept; *at != NULL; at = &(*at)->next)
        if (from == BYRE_ANY || (*at)->source == from) return at;
    return NULL;
}

struct kept *byre__port_unlink_kept(struct port *port, struct kept **at)
{
    struct kept *kept = *at;
    *at = kept->next;
    if (port->kept_end == &kept->next) port->kept_end = at;
    return kept;
}

int byre__port_state(int number, int from, byre_info_t *info_out, bool *queued_out)
{
    byre__ports_lock();
    struct port *port = byre__port_find(number);
    int found = BYRE_EAGAIN;
    *queued_out = port != NULL && port->queue != NULL;
    if (port != NULL && port->popup != NULL) {
        found = BYRE_EBUSY;
    } else if (port != NULL) {
        struct kept **at = byre__port_find_kept(port, from);
        if (at != NULL) {
            *info_out =
                (byre_info_t){ .source = (*at)->source, .port = number, .bytes = (*at)->bytes };
            found = BYRE_OK;
        }
    }
    byre__ports_unlock();
    return found;
}

/* ---- the engine's turn ------------------------------------------------------------------------ */

int byre__port_poll(void)
{
    int happened = 0;
    bool absent = atomic_load(&byre__absent) > 0;
    byre__ports_lock();
    for (struct port **at = &ports.active; *at != NULL;) {
        struct port *port = *at;
        bool before = byre__port_is_special(port);
        if (port->queue != NULL) happened += byre__port_match_queue(port);
        if (absent && port->queue != NULL) happened += byre__port_end_hopeless(port);
        if (port->popup != NULL) happened += byre__port_match_popup(port);
        byre__port_count_special(before, port);
        if (port->queue != NULL || port->popup != NULL) {
            at = &port->next_active;
            continue;
        }
        port->active = false;
        *at = port->next_active;
    }
    happened += byre__port_poll_taking();
    happened += byre__port_poll_popping();
    byre__ports_unlock();
    return happened;
}

/* ---- the end ----------------------------------------------------------------------------------- */

/* A message that nobody wanted: matched, so it must be received. What MPI still writes to stays. */
static void throw_away(struct kept *kept)
{
    byre__treq_t treq;
    void *buf = malloc(kept->bytes > 0 ? kept->bytes : 1);
    if (buf == NULL) return;
    if (byre__transport->receive(&kept->message, buf, kept->bytes, &treq) != BYRE_OK ||
        byre__transport->test(&treq, NULL))
        free(buf);
}

void byre__port_fini(void)
{
    for (int b = 0; b < BUCKETS; b++) {
        while (ports.buckets[b] != NULL) {
            struct port *port = ports.buckets[b];
            ports.buckets[b] = port->next;
            while (port->kept != NULL) {
                struct kept *kept = port->kept;
                port->kept = kept->next;
                if (kept->stage != NULL)
                    byre__stage_put(kept->stage);
                else
                    throw_away(kept);
                free(kept);
            }
            free(port);
        }
    }
    ports.active = NULL;
    byre__port_queue_fini();
    byre__port_popup_fini();
    atomic_store(&byre__port_special, 0);
    atomic_store(&byre__message_jobs, 0);
}
