/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mailbox at its owner: messages in, messages out.
 *
 * A message is always in exactly one of these states, and in the list that goes with it:
 *
 *            byre__box_put()
 *                  |
 *                  v
 *     SENDING  (box.senders: with its sender, until there is room)
 *        |  |
 *        |  | long: grant()
 *        |  v
 *        | ARRIVING  (transit: its place is reserved, its bytes are coming)
 *        |  |
 *        |  | byre__box_arrived()
 *        v  v
 *      QUEUED  (box.queue)  <-----------------+
 *        |                                    | receiver died or could not take it: put_back()
 *        | hand_over()                        |
 *        v                                    |
 *      HANDED  (transit: on its way to a receiver)
 *        |
 *        | byre__box_received()
 *        v
 *      gone
 *
 * What else may happen, by state:
 *   SENDING   sender dies: gone; box goes: sender gets BYRE_ECLOSED, gone; refuse: BYRE_EAGAIN, gone
 *   ARRIVING  sender dies or cancels: gone, its place is free; box goes: stays, because its bytes are
 *             under way, and its sender gets BYRE_ECLOSED when they are there
 *   QUEUED    box goes: gone; drop-oldest: gone
 *   HANDED    box goes: stays until received, is gone when it would be put back
 * A receiver waits in box.receivers until a message is handed to it, or it is answered (too little
 * room, canceled, right moved, box gone), or it dies. What a client says about an operation that has
 * ended came too late and is ignored.
 *
 * Invariants
 *  1. All of this is touched on the engine only: by handlers, place functions, `done` of sends made
 *     here, and the failure handler. They run one at a time, so there is no lock.
 *  2. byre__box_settle() leaves no receiver waiting while a message is queued, and no sender waiting
 *     while there is room. (Unless there was no memory to say so: then the next event tries again.)
 *  3. Nothing is lost: a message leaves HANDED for good only when its receiver has said that it has
 *     it. Its place in the queue is free from the moment of hand-over, so that whoever learns of a
 *     receipt finds room; hence a message that comes back may exceed the capacity.
 *  4. A message's memory stays while MPI reads it: `reads` counts bulk sends under way.
 */
#include "mailbox_box.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

enum state { SENDING, ARRIVING, QUEUED, HANDED };

struct byre__box_message {
    byre__mq_item_t item;           /* first, so that an item is its message */
    struct byre__box_message *next; /* in box.senders or transit */
    enum state state;
    int source;
    byre__box_client_t peer; /* SENDING, ARRIVING: the sender; HANDED: the receiver */
    byre__box_t *box;        /* NULL: it has gone (ARRIVING, HANDED) */
    unsigned reads;          /* invariant 4 */
    bool gone;               /* to be freed when nobody reads */
    size_t bytes;
    unsigned char *data; /* `body` of a short one; a long one's own from grant() on */
    unsigned char body[];
};
typedef struct byre__box_message message_t;

struct byre__box_receiver {
    struct byre__box_receiver *next;
    byre__box_client_t client;
    size_t room;
};
typedef struct byre__box_receiver receiver_t;

static message_t *transit; /* ARRIVING and HANDED of all mailboxes, the earliest first */

static bool same(byre__box_client_t a, byre__box_client_t b)
{
    return a.rank == b.rank && a.token == b.token;
}

/* ---- messages ----------------------------------------------------------------------------------- */

static message_t *of_item(byre__mq_item_t *item)
{
    return (message_t *)item;
}

static void discard(message_t *message)
{
    if (message == NULL) return;
    message->gone = true;
    if (message->reads > 0) return;
    if (message->data != message->body) free(message->data);
    free(message);
}

static void bulk_read(int error, void *arg)
{
    message_t *message = arg;
    (void)error; /* byre__box_recall() sees to a receiver that died */
    message->reads--;
    if (message->gone) discard(message);
}

static void add_transit(message_t *message, enum state state)
{
    message_t **at = &transit;
    while (*at != NULL) at = &(*at)->next;
    message->state = state;
    message->next = NULL;
    *at = message;
}

static message_t *find_transit(byre__box_client_t peer, enum state state)
{
    message_t *message = transit;
    while (message != NULL && (message->state != state || !same(message->peer, peer)))
        message = message->next;
    return message;
}

static void leave_transit(const message_t *message)
{
    message_t **at = &transit;
    while (*at != message) at = &(*at)->next;
    *at = message->next;
}

/* ---- telling clients ---------------------------------------------------------------------------- */

void byre__box_answer(byre__box_client_t to, const byre__mailbox_answer_t *answer)
{
    byre__mailbox_answer_t addressed = *answer;
    addressed.token = to.token;
    int error = byre__am_post(to.rank, BYRE__MAILBOX_ANSWER, &addressed, sizeof addressed, NULL, 0,
                              NULL, NULL);
    if (error != BYRE_OK && error != BYRE_EPEER)
        byre__error("a mailbox cannot answer rank %d: %s", to.rank, byre_strerror(error));
}

void byre__box_answer_error(byre__box_client_t to, int error)
{
    byre__box_answer(to, &(byre__mailbox_answer_t){ .error = error });
}

/* ---- in ----------------------------------------------------------------------------------------- */

/* Into its reserved place. Drop-oldest may drop the message itself: its sender is told. */
static void enqueue(message_t *message)
{
    byre__box_client_t sender = message->peer;
    message->state = QUEUED;
    message_t *dropped = of_item(byre__mq_put(&message->box->queue, &message->item));
    byre__box_answer_error(sender, dropped == message ? BYRE_EAGAIN : BYRE_OK);
    discard(dropped);
}

static void put_back(message_t *message)
{
    if (message->box == NULL) {
        discard(message);
        return;
    }
    message->state = QUEUED;
    byre__mq_put_back(&message->box->queue, &message->item);
}

/* In line, behind those of its priority and above. */
static void add_sender(message_t *message)
{
    message_t **at = &message->box->senders;
    while (*at != NULL && (*at)->item.priority >= message->item.priority) at = &(*at)->next;
    message->state = SENDING;
    message->next = *at;
    *at = message;
}

/* Let the sender of a long message, the first in line, ship it into the place that is reserved: it
 * leaves the line. What went wrong comes back. */
static int grant(message_t *message)
{
    byre__mailbox_answer_t yes = { .token = message->peer.token };
    message->data = malloc(message->bytes);
    if (message->data == NULL) return BYRE_ENOMEM;
    int error = byre__am_post(message->peer.rank, BYRE__MAILBOX_GRANT, &yes, sizeof yes, NULL, 0,
                              NULL, NULL);
    if (error != BYRE_OK) return error;
    message->box->senders = message->next;
    add_transit(message, ARRIVING);
    return BYRE_OK;
}

static void dismiss_sender(byre__box_t *box, int error)
{
    message_t *message = box->senders;
    box->senders = message->next;
    byre__box_answer_error(message->peer, error);
    discard(message);
}

void byre__box_dismiss_senders(byre__box_t *box, int error)
{
    while (box->senders != NULL) dismiss_sender(box, error);
}

/* Senders that wait, as long as there is room. Returns whether any was let in. */
static bool let_in(byre__box_t *box)
{
    bool any = false;
    while (box->senders != NULL && byre__mq_reserve(&box->queue)) {
        message_t *message = box->senders;
        any = true;
        if (message->data != NULL) {
            box->senders = message->next;
            enqueue(message);
            continue;
        }
        int error = grant(message);
        if (error == BYRE_OK) continue;
        byre__mq_unreserve(&box->queue);
        dismiss_sender(box, error);
    }
    return any;
}

void byre__box_put(byre__box_t *box, byre__box_client_t from, int priority, size_t bytes,
                   const void *data)
{
    message_t *message = malloc(sizeof *message + (data != NULL ? bytes : 0));
    if (message == NULL) {
        byre__box_answer_error(from, BYRE_ENOMEM);
        return;
    }
    *message = (message_t){
        .item.priority = priority, .source = from.rank, .peer = from, .box = box, .bytes = bytes
    };
    if (data != NULL) message->data = memcpy(message->body, data, bytes);
    add_sender(message);
    byre__box_settle(box);
}

void *byre__box_place(byre__box_client_t from, size_t bytes)
{
    message_t *message = find_transit(from, ARRIVING);
    return message != NULL && message->bytes == bytes ? message->data : NULL;
}

bool byre__box_arrived(byre__box_client_t from, bool whole)
{
    message_t *message = find_transit(from, ARRIVING);
    if (message == NULL) return false;
    byre__box_t *box = message->box;
    leave_transit(message);
    if (box != NULL && whole) {
        enqueue(message);
    } else {
        if (box != NULL) byre__mq_unreserve(&box->queue);
        byre__box_answer_error(from, box == NULL ? BYRE_ECLOSED : BYRE_EPROTO);
        discard(message);
    }
    if (box != NULL) byre__box_settle(box);
    return true;
}

/* ---- out ---------------------------------------------------------------------------------------- */

static int ship(message_t *message)
{
    struct {
        byre__mailbox_answer_t answer;
        unsigned char data[BYRE__MAILBOX_SHORT_DELIVER];
    } frame;
    int rank = message->peer.rank;
    frame.answer = (byre__mailbox_answer_t){ .token = message->peer.token,
                                             .bytes = message->bytes,
                                             .source = message->source,
                                             .priority = message->item.priority };
    if (message->bytes <= sizeof frame.data) {
        memcpy(frame.data, message->data, message->bytes);
        return byre__am_post(rank, BYRE__MAILBOX_DELIVER, &frame,
                             sizeof frame.answer + message->bytes, NULL, 0, NULL, NULL);
    }
    message->reads++; /* before the call, which may itself call bulk_read */
    int error = byre__am_post(rank, BYRE__MAILBOX_DELIVER, &frame.answer, sizeof frame.answer,
                              message->data, message->bytes, bulk_read, message);
    if (error != BYRE_OK) message->reads--;
    return error;
}

static receiver_t *take_receiver(byre__box_t *box)
{
    receiver_t *receiver = box->receivers;
    box->receivers = receiver->next;
    return receiver;
}

/* The first message goes to the first receiver, who is then out of line (also when it turns out to
 * be dead). False: no memory now. */
static bool hand_over(byre__box_t *box)
{
    message_t *message = of_item(byre__mq_take(&box->queue));
    message->peer = box->receivers->client;
    int error = ship(message);
    if (error == BYRE_OK)
        add_transit(message, HANDED);
    else
        put_back(message);
    if (error == BYRE_OK || error == BYRE_EPEER) free(take_receiver(box));
    return error == BYRE_OK || error == BYRE_EPEER;
}

/* Receivers that wait, as long as there are messages. Returns whether any message was taken. */
static bool serve(byre__box_t *box)
{
    bool taken = false;
    byre__mq_item_t *first;
    while (box->receivers != NULL && (first = byre__mq_first(&box->queue)) != NULL) {
        size_t bytes = of_item(first)->bytes;
        if (bytes <= box->receivers->room) {
            if (!hand_over(box)) break;
            taken = true;
            continue;
        }
        receiver_t *receiver = take_receiver(box);
        byre__box_answer(receiver->client,
                         &(byre__mailbox_answer_t){ .error = BYRE_ETRUNC,
                                                    .source = of_item(first)->source,
                                                    .priority = first->priority,
                                                    .bytes = bytes });
        free(receiver);
    }
    return taken;
}

/* Invariant 2. Serving makes room, letting in makes messages. */
void byre__box_settle(byre__box_t *box)
{
    do {
        (void)serve(box);
    } while (let_in(box));
    if (box->queue.policy == BYRE_OVERFLOW_REFUSE) byre__box_dismiss_senders(box, BYRE_EAGAIN);
}

void byre__box_receive(byre__box_t *box, byre__box_client_t to, size_t room)
{
    receiver_t *receiver = malloc(sizeof *receiver), **at = &box->receivers;
    if (receiver == NULL) {
        byre__box_answer_error(to, BYRE_ENOMEM);
        return;
    }
    *receiver = (receiver_t){ .client = to, .room = room };
    while (*at != NULL) at = &(*at)->next;
    *at = receiver;
    byre__box_settle(box);
}

void byre__box_received(byre__box_client_t by, bool taken)
{
    message_t *message = find_transit(by, HANDED);
    if (message == NULL) return;
    leave_transit(message);
    if (taken) {
        discard(message);
        return;
    }
    byre__box_t *box = message->box;
    put_back(message);
    if (box != NULL) byre__box_settle(box);
}

void byre__box_dismiss_receivers(byre__box_t *box, int error)
{
    while (box->receivers != NULL) {
        receiver_t *receiver = take_receiver(box);
        byre__box_answer_error(receiver->client, error);
        free(receiver);
    }
}

/* ---- clients that give up or die ---------------------------------------------------------------- */

/* A message that was on its way in is not coming. */
static void release_place(message_t *message)
{
    leave_transit(message);
    if (message->box != NULL) byre__mq_unreserve(&message->box->queue);
    discard(message);
}

void byre__box_cancel(byre__box_t *box, byre__box_client_t client)
{
    message_t *message = find_transit(client, ARRIVING);
    if (message != NULL) {
        release_place(message);
        byre__box_settle(box);
        return;
    }
    receiver_t **at = &box->receivers;
    while (*at != NULL && !same((*at)->client, client)) at = &(*at)->next;
    receiver_t *receiver = *at;
    if (receiver == NULL) return;
    *at = receiver->next;
    byre__box_answer_error(client, BYRE_ETIMEOUT);
    free(receiver);
}

void byre__box_forget(byre__box_t *box, int rank)
{
    message_t **from = &box->senders, *message;
    while ((message = *from) != NULL) {
        if (message->peer.rank != rank) {
            from = &message->next;
            continue;
        }
        *from = message->next;
        discard(message);
    }
    receiver_t **to = &box->receivers, *receiver;
    while ((receiver = *to) != NULL) {
        if (receiver->client.rank != rank) {
            to = &receiver->next;
            continue;
        }
        *to = receiver->next;
        free(receiver);
    }
}

/* Invariant 3. The last that was handed over goes back first, so that the order is as it was. The
 * engine has given up all transfers with the rank before this. */
void byre__box_recall(int rank)
{
    message_t *handed = NULL, *next;
    for (message_t *message = transit; message != NULL; message = next) {
        next = message->next;
        if (message->peer.rank != rank) continue;
        if (message->state == ARRIVING) {
            release_place(message);
            continue;
        }
        leave_transit(message);
        message->next = handed;
        handed = message;
    }
    for (; handed != NULL; handed = next) {
        next = handed->next;
        put_back(handed);
    }
}

/* ---- the end ------------------------------------------------------------------------------------ */

void byre__box_free(byre__box_t *box)
{
    for (message_t *message = transit; message != NULL; message = message->next)
        if (message->box == box) message->box = NULL;
    while (box->receivers != NULL) free(take_receiver(box));
    while (box->senders != NULL) {
        message_t *message = box->senders;
        box->senders = message->next;
        discard(message);
    }
    for (byre__mq_item_t *item; (item = byre__mq_take(&box->queue)) != NULL;)
        discard(of_item(item));
    free(box);
}

void byre__box_fini(void)
{
    while (transit != NULL) {
        message_t *message = transit;
        transit = message->next;
        discard(message);
    }
}
