/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receives that the engine matches, kept messages, and pop-up ports.
 *
 * MPI would cut a message that is longer than a posted receive. So a large receive is not posted:
 * the engine looks for its message with a matched probe, which tells the length first. One that is
 * too long is kept, whole, at the head of its port.
 *
 * Invariants
 *  1. While a port has queued receives, every further receive on it is queued behind them, so
 *     receives take messages in the order in which they began.
 *  2. A message for "any" that an earlier receive from its source wants is that one's.
 *  3. byre__port_special counts the ports with a queue, kept messages or a handler. While it is 0
 *     a receive need not look here at all.
 *
 * ports.lock guards the table, the ports and `taking`; a leaf (MPI is called under it, users never).
 */
#include "port.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "popup.h"
#include "progress.h"
#include "service.h"
#include "stage.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256, MOST_PER_TURN = 16 };

_Atomic int byre__port_special;

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

static struct {
    pthread_mutex_t lock;
    struct port *buckets[BUCKETS];
    struct port *active;         /* ports with a queue or a handler */
    struct byre_request *taking; /* queued receives whose message has been matched */
    struct popup_msg *popping;   /* the same for pop-up handlers */
} ports = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local struct port *running_port;

static struct port *find(int number)
{
    struct port *port = ports.buckets[number % BUCKETS];
    while (port != NULL && port->number != number) port = port->next;
    return port;
}

static struct port *find_or_add(int number)
{
    struct port *port = find(number);
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

static bool is_special(const struct port *port)
{
    return port->queue != NULL || port->kept != NULL || port->popup != NULL;
}

/* Call around every change of a port: keeps invariant 3. */
static void count_special(bool before, const struct port *port)
{
    bool after = is_special(port);
    if (after != before) atomic_fetch_add(&byre__port_special, after ? 1 : -1);
}

/* ---- kept messages ---------------------------------------------------------------------------- */

static void keep(int number, const struct kept *what)
{
    struct kept *kept = malloc(sizeof *kept);
    BYRE__ASSERT(kept != NULL); /* out of memory for 64 bytes: better than a lost message */
    pthread_mutex_lock(&ports.lock);
    struct port *port = find_or_add(number);
    BYRE__ASSERT(port != NULL);
    bool before = is_special(port);
    *kept = *what;
    kept->next = NULL;
    *port->kept_end = kept;
    port->kept_end = &kept->next;
    count_special(before, port);
    pthread_mutex_unlock(&ports.lock);
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

static struct kept **find_kept(struct port *port, int from)
{
    for (struct kept **at = &port->kept; *at != NULL; at = &(*at)->next)
        if (from == BYRE_ANY || (*at)->source == from) return at;
    return NULL;
}

static struct kept *unlink_kept(struct port *port, struct kept **at)
{
    struct kept *kept = *at;
    *at = kept->next;
    if (port->kept_end == &kept->next) port->kept_end = at;
    return kept;
}

/* ---- matching --------------------------------------------------------------------------------- */

static void end_request(byre_request_t request, int result)
{
    request->result = result;
    atomic_fetch_sub(&byre__message_jobs, 1);
    atomic_store_explicit(&request->complete, 1, memory_order_release);
}

/* A large message has been received: its sender may wait for that. */
static void received(int source, size_t bytes)
{
    byre__count(msg_received);
    if (bytes >= BYRE__LARGE) byre__wake_for_message(source);
}

/* A queued receive has its message: receive it, or keep it if it is too long. */
static void give_message(struct port *port, byre_request_t request, byre__tmsg_t message,
                         const byre__tstatus_t *status)
{
    request->info =
        (byre_info_t){ .source = status->source, .port = port->number, .bytes = status->bytes };
    if (status->bytes > request->room) {
        struct kept *kept = malloc(sizeof *kept);
        BYRE__ASSERT(kept != NULL);
        *kept =
            (struct kept){ .source = status->source, .bytes = status->bytes, .message = message };
        *port->kept_end = kept;
        port->kept_end = &kept->next;
        byre__count(msg_kept);
        end_request(request, BYRE_ETRUNC);
        return;
    }
    byre__cow_resolve(request->buf, status->bytes);
    if (byre__transport->receive(&message, request->buf, status->bytes, &request->treq) !=
        BYRE_OK) {
        end_request(request, BYRE_EMPI);
        return;
    }
    byre__tstatus_t end = { 0 };
    if (byre__transport->test(&request->treq, &end)) {
        received(request->info.source, status->bytes);
        end_request(request, end.error == BYRE_OK ? BYRE_OK : BYRE_EPEER);
        return;
    }
    if (status->bytes >= BYRE__LARGE) atomic_fetch_add(&byre__engine_unannounced, 1);
    request->next = ports.taking;
    ports.taking = request;
}

static struct byre_request *unlink_request(struct port *port, struct byre_request **at)
{
    struct byre_request *request = *at;
    *at = request->next;
    if (port->queue_end == &request->next) port->queue_end = at;
    return request;
}

/* Invariant 2: the first receive in the queue that takes messages from this source. */
static struct byre_request **first_wanting(struct port *port, int source)
{
    struct byre_request **at = &port->queue;
    while ((*at)->peer != BYRE_ANY && (*at)->peer != source) at = &(*at)->next;
    return at;
}

static bool asked_before(const struct port *port, const struct byre_request *until, int from)
{
    for (const struct byre_request *r = port->queue; r != until; r = r->next)
        if (r->peer == from) return true;
    return false;
}

/* Give a kept message to the first queued receive that it fits. */
static int match_kept(struct port *port)
{
    int matched = 0;
    for (struct byre_request **at = &port->queue; port->kept != NULL && *at != NULL;) {
        struct kept **kept_at = find_kept(port, (*at)->peer);
        if (kept_at == NULL) {
            at = &(*at)->next;
            continue;
        }
        struct byre_request *request = unlink_request(port, at);
        request->info = (byre_info_t){ .source = (*kept_at)->source,
                                       .port = port->number,
                                       .bytes = (*kept_at)->bytes };
        matched++;
        if ((*kept_at)->bytes > request->room) {
            end_request(request, BYRE_ETRUNC);
            continue;
        }
        struct kept *kept = unlink_kept(port, kept_at);
        byre__cow_resolve(request->buf, kept->bytes);
        if (kept->stage != NULL) {
            if (kept->bytes > 0) memcpy(request->buf, byre__stage_data(kept->stage), kept->bytes);
            byre__stage_put_used(kept->stage, kept->bytes);
            byre__count(msg_received);
            end_request(request, BYRE_OK);
        } else {
            byre__tstatus_t status = { .source = kept->source, .bytes = kept->bytes };
            give_message(port, request, kept->message, &status);
        }
        free(kept);
    }
    return matched;
}

static int match_queue(struct port *port)
{
    int matched = match_kept(port);
    byre__tmsg_t message;
    byre__tstatus_t status;
    for (struct byre_request **at = &port->queue; *at != NULL;) {
        int from = (*at)->peer;
        if (asked_before(port, *at, from) ||
            !byre__transport->take(BYRE__CHANNEL_MSG, from, port->number, &message, &status)) {
            at = &(*at)->next;
            continue;
        }
        give_message(port, unlink_request(port, first_wanting(port, status.source)), message,
                     &status);
        matched++;
        at = &port->queue;
    }
    return matched;
}

/* Receives from the dead end, now that nothing of theirs is left here. */
static int end_hopeless(struct port *port)
{
    int ended = 0;
    bool news = byre__failure_news();
    for (struct byre_request **at = &port->queue; *at != NULL;) {
        int from = (*at)->peer;
        if (from == BYRE_ANY ? !news : !byre__peer_absent(from)) {
            at = &(*at)->next;
            continue;
        }
        struct byre_request *request = unlink_request(port, at);
        request->info = (byre_info_t){ .source = from == BYRE_ANY ? byre__failure_latest() : from,
                                       .port = port->number };
        end_request(request, BYRE_EPEER);
        ended++;
    }
    return ended;
}

static void run_popup(byre__popup_job_t *job)
{
    struct popup_msg *msg = (struct popup_msg *)job;
    struct port *port = msg->port;
    running_port = port;
    msg->fn(msg->data, &msg->info, msg->arg);
    running_port = NULL;
    free(msg);
    pthread_mutex_lock(&ports.lock);
    bool last = --port->running == 0 && port->popup_ending;
    pthread_mutex_unlock(&ports.lock);
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
    msg->next = ports.popping;
    ports.popping = msg;
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
    (void)unlink_kept(port, &port->kept);
    if (kept->stage != NULL) {
        memcpy(msg->data, byre__stage_data(kept->stage), kept->bytes);
        byre__stage_put_used(kept->stage, kept->bytes);
        msg->treq.handle = NULL;
    } else {
        (void)byre__transport->receive(&kept->message, msg->data, kept->bytes, &msg->treq);
    }
    if (kept->bytes >= BYRE__LARGE) atomic_fetch_add(&byre__engine_unannounced, 1);
    msg->next = ports.popping;
    ports.popping = msg;
    free(kept);
    return true;
}

static int match_popup(struct port *port)
{
    int matched = 0;
    while (matched < MOST_PER_TURN && popup_kept(port)) matched++;
    while (matched < MOST_PER_TURN && take_for_popup(port)) matched++;
    return matched;
}

static int poll_taking(void)
{
    int count = 0;
    for (struct byre_request **at = &ports.taking; *at != NULL;) {
        struct byre_request *request = *at;
        int source = request->info.source;
        byre__tstatus_t status = { 0 };
        bool there = byre__transport->test(&request->treq, &status);
        if (!there && !byre__peer_absent(source)) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        if (request->info.bytes >= BYRE__LARGE) atomic_fetch_sub(&byre__engine_unannounced, 1);
        if (there) received(source, request->info.bytes);
        end_request(request, there && status.error == BYRE_OK ? BYRE_OK : BYRE_EPEER);
        count++;
    }
    return count;
}

static int poll_popping(void)
{
    int count = 0;
    for (struct popup_msg **at = &ports.popping; *at != NULL;) {
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
        received(source, msg->info.bytes);
        byre__popup_submit(&msg->job);
    }
    return count;
}

int byre__port_poll(void)
{
    int happened = 0;
    bool absent = atomic_load(&byre__absent) > 0;
    pthread_mutex_lock(&ports.lock);
    for (struct port **at = &ports.active; *at != NULL;) {
        struct port *port = *at;
        bool before = is_special(port);
        if (port->queue != NULL) happened += match_queue(port);
        if (absent && port->queue != NULL) happened += end_hopeless(port);
        if (port->popup != NULL) happened += match_popup(port);
        count_special(before, port);
        if (port->queue != NULL || port->popup != NULL) {
            at = &port->next_active;
            continue;
        }
        port->active = false;
        *at = port->next_active;
    }
    if (ports.taking != NULL) happened += poll_taking();
    if (ports.popping != NULL) happened += poll_popping();
    pthread_mutex_unlock(&ports.lock);
    return happened;
}

static void activate(struct port *port)
{
    if (port->active) return;
    port->active = true;
    port->next_active = ports.active;
    ports.active = port;
}

/* ---- for receives ------------------------------------------------------------------------------ */

int byre__port_enqueue(byre_request_t request)
{
    pthread_mutex_lock(&ports.lock);
    struct port *port = find_or_add(request->info.port);
    int error = port == NULL ? BYRE_ENOMEM : port->popup != NULL ? BYRE_EBUSY : BYRE_OK;
    if (error == BYRE_OK) {
        bool before = is_special(port);
        request->next = NULL;
        *port->queue_end = request;
        port->queue_end = &request->next;
        atomic_fetch_add(&byre__message_jobs, 1);
        (void)match_queue(port);
        if (port->queue != NULL) activate(port);
        count_special(before, port);
    }
    pthread_mutex_unlock(&ports.lock);
    if (error == BYRE_OK && atomic_load(&request->complete) == 0) byre__service_rouse();
    return error;
}

int byre__port_state(int number, int from, byre_info_t *info_out, bool *queued_out)
{
    pthread_mutex_lock(&ports.lock);
    struct port *port = find(number);
    int found = BYRE_EAGAIN;
    *queued_out = port != NULL && port->queue != NULL;
    if (port != NULL && port->popup != NULL) {
        found = BYRE_EBUSY;
    } else if (port != NULL) {
        struct kept **at = find_kept(port, from);
        if (at != NULL) {
            *info_out =
                (byre_info_t){ .source = (*at)->source, .port = number, .bytes = (*at)->bytes };
            found = BYRE_OK;
        }
    }
    pthread_mutex_unlock(&ports.lock);
    return found;
}

bool byre__port_cancel(byre_request_t request)
{
    bool found = false;
    pthread_mutex_lock(&ports.lock);
    struct port *port = find(request->info.port);
    for (struct byre_request **at = port == NULL ? NULL : &port->queue;
         at != NULL && *at != NULL && !found; at = &(*at)->next) {
        if (*at != request) continue;
        bool before = is_special(port);
        (void)unlink_request(port, at);
        count_special(before, port);
        end_request(request, BYRE_ECANCELED);
        found = true;
        break;
    }
    pthread_mutex_unlock(&ports.lock);
    return found;
}

/* ---- pop-up ports ------------------------------------------------------------------------------ */

static int install(struct port *port, byre_popup_fn fn, void *arg)
{
    if (port == NULL) return BYRE_ENOMEM;
    if (port->popup != NULL || port->popup_ending) return BYRE_EEXIST;
    if (port->queue != NULL) return BYRE_EBUSY;
    bool before = is_special(port);
    port->popup = fn;
    port->popup_arg = arg;
    activate(port);
    count_special(before, port);
    atomic_fetch_add(&byre__message_jobs, 1);
    return BYRE_OK;
}

static bool none_running(void *arg)
{
    struct port *port = arg;
    pthread_mutex_lock(&ports.lock);
    bool none = port->running == 0;
    pthread_mutex_unlock(&ports.lock);
    return none;
}

static int remove_popup(struct port *port)
{
    if (port == NULL || port->popup == NULL) return BYRE_ENOTFOUND;
    if (running_port == port) return BYRE_ECONTEXT;
    bool before = is_special(port);
    port->popup = NULL;
    port->popup_ending = true;
    count_special(before, port);
    atomic_fetch_sub(&byre__message_jobs, 1);
    return BYRE_OK;
}

int byre_port_popup(int port, byre_popup_fn fn, void *arg)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (byre__check_port(port) != BYRE_OK) return BYRE_EPORT;
    if (fn == NULL && byre__in_handler()) return BYRE_ECONTEXT;
    pthread_mutex_lock(&ports.lock);
    struct port *at = fn != NULL ? find_or_add(port) : find(port);
    int error = fn != NULL ? install(at, fn, arg) : remove_popup(at);
    pthread_mutex_unlock(&ports.lock);
    if (error != BYRE_OK) return error;
    if (fn != NULL) {
        byre__service_rouse();
        return BYRE_OK;
    }
    (void)byre__wait_moving(none_running, at);
    pthread_mutex_lock(&ports.lock);
    at->popup_ending = false;
    pthread_mutex_unlock(&ports.lock);
    return BYRE_OK;
}

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
    ports.taking = NULL;
    ports.popping = NULL;
    atomic_store(&byre__port_special, 0);
    atomic_store(&byre__message_jobs, 0);
}
