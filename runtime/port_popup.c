/* SPDX-License-Identifier: BSD-3-Clause */
/* Pop-up ports: each message that comes is given to a handler in a thread of its own (popup.c). */
#include "ports.h"

#include "detector.h"
#include "popup.h"
#include "progress.h"
#include "service.h"
#include "stage.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_PER_TURN = 16 };

/* A message for a pop-up handler. */
struct popup_msg {
    byre__popup_job_t job;
    struct popup_msg *next; /* while it is being received */
    byre__treq_t treq;
    struct port *port;
    byre_popup_fn fn;
    void *arg;
    byre_info_t info;
    _Alignas(16) unsigned char data[];
};

static struct popup_msg *popping; /* those whose bytes are coming */

static _Thread_local struct port *running_port;

static void run_popup(byre__popup_job_t *job)
{
    struct popup_msg *msg = (struct popup_msg *)job;
    struct port *port = msg->port;
    running_port = port;
    msg->fn(msg->data, &msg->info, msg->arg);
    running_port = NULL;
    free(msg);
    byre__ports_lock();
    bool last = --port->running == 0 && port->popup_ending;
    byre__ports_unlock();
    if (last) byre__progress_kick();
}

static struct popup_msg *new_popup_msg(struct port *port, int source, size_t bytes)
{
    struct popup_msg *msg = malloc(sizeof *msg + bytes);
    if (msg == NULL) return NULL;
    msg->job.run = run_popup;
    msg->port = port;
    msg->fn = port->popup;
    msg->arg = port->popup_arg;
    msg->info = (byre_info_t){ .source = source, .port = port->number, .bytes = bytes };
    port->running++;
    return msg;
}

/* Take a message for a pop-up handler. The probe tells the length, so that memory is there before
 * the message is taken. */
static bool take_for_popup(struct port *port)
{
    byre__tstatus_t status;
    byre__tmsg_t message;
    if (!byre__transport->probe(BYRE__CHANNEL_MSG, BYRE_ANY, port->number, &status)) return false;
    struct popup_msg *msg = new_popup_msg(port, status.source, status.bytes);
    if (msg == NULL ||
        !byre__transport->take(BYRE__CHANNEL_MSG, status.source, port->number, &message, &status))
        goto undo;
    if (byre__transport->receive(&message, msg->data, status.bytes, &msg->treq) != BYRE_OK)
        goto undo;
    if (status.bytes >= BYRE__LARGE) atomic_fetch_add(&byre__engine_unannounced, 1);
    msg->next = popping;
    popping = msg;
    return true;
undo:
    if (msg != NULL) port->running--;
    free(msg);
    return false;
}

/* A kept message is handled like one that comes now. */
static bool popup_kept(struct port *port)
{
    struct kept *kept = port->kept;
    struct popup_msg *msg = kept != NULL ? new_popup_msg(port, kept->source, kept->bytes) : NULL;
    if (msg == NULL) return false;
    (void)byre__port_unlink_kept(port, &port->kept);
    if (kept->stage != NULL) {
        memcpy(msg->data, byre__stage_data(kept->stage), kept->bytes);
        byre__stage_put_used(kept->stage, kept->bytes);
        msg->treq.handle = NULL;
    } else {
        (void)byre__transport->receive(&kept->message, msg->data, kept->bytes, &msg->treq);
    }
    if (kept->bytes >= BYRE__LARGE) atomic_fetch_add(&byre__engine_unannounced, 1);
    msg->next = popping;
    popping = msg;
    free(kept);
    return true;
}

int byre__port_match_popup(struct port *port)
{
    int matched = 0;
    while (matched < MOST_PER_TURN && popup_kept(port)) matched++;
    while (matched < MOST_PER_TURN && take_for_popup(port)) matched++;
    return matched;
}

int byre__port_poll_popping(void)
{
    int count = 0;
    for (struct popup_msg **at = &popping; *at != NULL;) {
        struct popup_msg *msg = *at;
        int source = msg->info.source;
        byre__tstatus_t status = { 0 };
        bool ended = byre__transport->test(&msg->treq, &status);
        bool there = ended && status.error == BYRE_OK;
        if (!ended && !byre__peer_absent(source)) {
            at = &msg->next;
            continue;
        }
        *at = msg->next;
        if (msg->info.bytes >= BYRE__LARGE) atomic_fetch_sub(&byre__engine_unannounced, 1);
        count++;
        if (!there) {
            msg->port->running--; /* its sender died; MPI may still hold the memory */
            continue;
        }
        byre__port_received(source, msg->info.bytes);
        byre__popup_submit(&msg->job);
    }
    return count;
}

/* ---- handlers come and go -------------------------------------------------------------------------- */

static int install(struct port *port, byre_popup_fn fn, void *arg)
{
    if (port == NULL) return BYRE_ENOMEM;
    if (port->popup != NULL || port->popup_ending) return BYRE_EEXIST;
    if (port->queue != NULL) return BYRE_EBUSY;
    bool before = byre__port_is_special(port);
    port->popup = fn;
    port->popup_arg = arg;
    byre__port_activate(port);
    byre__port_count_special(before, port);
    atomic_fetch_add(&byre__message_jobs, 1);
    return BYRE_OK;
}

static bool none_running(void *arg)
{
    struct port *port = arg;
    byre__ports_lock();
    bool none = port->running == 0;
    byre__ports_unlock();
    return none;
}

static int remove_popup(struct port *port)
{
    if (port == NULL || port->popup == NULL) return BYRE_ENOTFOUND;
    if (running_port == port) return BYRE_ECONTEXT;
    bool before = byre__port_is_special(port);
    port->popup = NULL;
    port->popup_ending = true;
    byre__port_count_special(before, port);
    atomic_fetch_sub(&byre__message_jobs, 1);
    return BYRE_OK;
}

int byre_port_popup(int port, byre_popup_fn fn, void *arg)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (byre__check_port(port) != BYRE_OK) return BYRE_EPORT;
    if (fn == NULL && byre__in_handler()) return BYRE_ECONTEXT;
    byre__ports_lock();
    struct port *at = fn != NULL ? byre__port_find_or_add(port) : byre__port_find(port);
    int error = fn != NULL ? install(at, fn, arg) : remove_popup(at);
    byre__ports_unlock();
    if (error != BYRE_OK) return error;
    if (fn != NULL) {
        byre__service_rouse();
        return BYRE_OK;
    }
    (void)byre__wait_moving(none_running, at);
    byre__ports_lock();
    at->popup_ending = false;
    byre__ports_unlock();
    return BYRE_OK;
}

void byre__port_popup_fini(void)
{
    popping = NULL;
}
