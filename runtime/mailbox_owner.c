/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner's side of mailboxes: queues, and who waits for them. The messages between owner and
 * client are drawn in mailbox_wire.h.
 *
 * A message is always in exactly one of these states, and in the list that goes with it:
 *
 *                 (SEND, ASK: on_put)
 *                         |
 *                         v    no room, policy block
 *                     SENDING <------------------------> stays, with its sender
 *                    /       \
 *      ASK: grant() /         \ SEND: enqueue()
 *                  v           \
 *              ARRIVING         v
 *                  \----------> QUEUED <-------------\ receiver died, REJECT: put_back()
 *                  BULK: on_bulk  \                  |
 *                                  \ hand_over()     |
 *                                   ------------> HANDED ---ACK: on_ended--> gone
 *
 * What else may come, by state:
 *   SENDING   sender dies: gone; DESTROY: sender gets BYRE_ECLOSED, gone; refuse: BYRE_EAGAIN, gone
 *   ARRIVING  sender dies or CANCEL: gone, its place is free; DESTROY: stays (its bytes are under
 *             way), and BULK is then answered with BYRE_ECLOSED
 *   QUEUED    DESTROY: gone; drop-oldest: gone
 *   HANDED    DESTROY: stays until ACK, or is gone when it would be put back
 * A receiver that waits: RECEIVE puts it in line, DELIVER or ANSWER takes it out (a message, too
 * little room, CANCEL, MOVE, DESTROY), and so does its death. An ACK, REJECT or CANCEL for something
 * that is not there any more came too late and is ignored.
 *
 * Invariants
 *  1. All of this is touched on the engine only: by handlers, place functions, `done` of sends made
 *     here, and the failure handler. They run one at a time, so there is no lock.
 *  2. settle() leaves no mailbox with a receiver waiting and a message queued, nor with a sender
 *     waiting and room. (Unless there was no memory to send: then the next event tries again.)
 *  3. Nothing is lost: a message leaves HANDED for good only when its receiver has said that it has
 *     it. Its place in the queue is free from the moment of hand-over, so that whoever learns of a
 *     receipt finds room; hence a message that comes back may exceed the capacity.
 *  4. A message's memory stays while MPI reads it: `reads` counts bulk sends under way.
 *  5. Ids are not used again: an id below next_id without a mailbox is a mailbox that was destroyed.
 */
#include "mailbox_wire.h"

#include "log.h"
#include "mailbox_queue.h"
#include <byre_runtime.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum state { SENDING, ARRIVING, QUEUED, HANDED };

struct message {
    byre__mq_item_t item; /* first, so that an item is its message */
    struct message *next; /* in box.senders or in owner.transit */
    enum state state;
    int source;
    int peer;       /* SENDING, ARRIVING: the sender; HANDED: the receiver */
    uint64_t token; /* of the peer's operation */
    uint32_t box;   /* id; ARRIVING and HANDED may outlive it */
    unsigned reads; /* invariant 4 */
    bool gone;      /* to be freed when nobody reads */
    size_t bytes;
    unsigned char *data; /* `body` of a short one; a long one's from grant() on */
    unsigned char body[];
};

struct receiver {
    struct receiver *next;
    int rank;
    uint64_t token;
    size_t room;
};

struct box {
    uint32_t id;
    uint64_t send_key, receive_key;
    size_t max_bytes;
    byre__mq_t queue;
    struct message *senders;    /* the highest priority first, equal ones in order */
    struct receiver *receivers; /* in order */
};

static struct {
    struct box **boxes; /* in the order of their ids */
    size_t count, room;
    uint32_t next_id;
    struct message *transit; /* ARRIVING and HANDED, the earliest first */
    _Atomic bool watching;
} owner;

/* ---- messages and lists ------------------------------------------------------------------------- */

static void discard(struct message *message)
{
    if (message == NULL) return;
    message->gone = true;
    if (message->reads > 0) return;
    if (message->data != message->body) free(message->data);
    free(message);
}

static void bulk_read(int error, void *arg)
{
    struct message *message = arg;
    (void)error; /* the failure handler sees to a receiver that died */
    message->reads--;
    if (message->gone) discard(message);
}

static struct message *of_item(byre__mq_item_t *item)
{
    return (struct message *)item;
}

static void add_transit(struct message *message, enum state state)
{
    struct message **at = &owner.transit;
    while (*at != NULL) at = &(*at)->next;
    message->state = state;
    message->next = NULL;
    *at = message;
}

static struct message *find_transit(int peer, uint64_t token, enum state state)
{
    struct message *message = owner.transit;
    while (message != NULL &&
           (message->peer != peer || message->token != token || message->state != state))
        message = message->next;
    return message;
}

static struct message *take_transit(int peer, uint64_t token, enum state state)
{
    struct message *message = find_transit(peer, token, state), **at = &owner.transit;
    if (message == NULL) return NULL;
    while (*at != message) at = &(*at)->next;
    *at = message->next;
    return message;
}

/* ---- saying something to a client --------------------------------------------------------------- */

static int answer_with(int rank, const byre__mailbox_answer_t *answer)
{
    int error =
        byre__am_post(rank, BYRE__MAILBOX_ANSWER, answer, sizeof *answer, NULL, 0, NULL, NULL);
    if (error != BYRE_OK && error != BYRE_EPEER)
        byre__error("a mailbox of this rank cannot answer rank %d: %s", rank, byre_strerror(error));
    return error;
}

static void answer(int rank, uint64_t token, int error)
{
    (void)answer_with(rank, &(byre__mailbox_answer_t){ .token = token, .error = error });
}

/* ---- finding mailboxes -------------------------------------------------------------------------- */

/* The place in owner.boxes of the first id that is not below this one. */
static size_t place_of(uint32_t id)
{
    size_t low = 0, high = owner.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (owner.boxes[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct box *find(uint32_t id)
{
    size_t at = place_of(id);
    return at < owner.count && owner.boxes[at]->id == id ? owner.boxes[at] : NULL;
}

/* The mailbox that a request names, if it shows the right key; else it is answered. */
static struct box *admit(const byre_am_t *am, const byre__mailbox_request_t *request)
{
    bool sends = request->op == BYRE__MAILBOX_SEND || request->op == BYRE__MAILBOX_ASK;
    struct box *box = find(request->id);
    if (box != NULL && request->key == (sends ? box->send_key : box->receive_key)) return box;
    bool closed = box == NULL && request->id > 0 && request->id < owner.next_id;
    answer(am->source, request->token, closed ? BYRE_ECLOSED : BYRE_ERIGHT);
    return NULL;
}

/* ---- the queue: in ------------------------------------------------------------------------------ */

/* Into its reserved place. Drop-oldest may drop the message itself: its sender is told. */
static void enqueue(struct box *box, struct message *message)
{
    message->state = QUEUED;
    int sender = message->peer, error = BYRE_OK;
    uint64_t token = message->token;
    struct message *dropped = of_item(byre__mq_put(&box->queue, &message->item));
    if (dropped == message) error = BYRE_EAGAIN;
    discard(dropped);
    answer(sender, token, error);
}

static void put_back(struct message *message)
{
    struct box *box = find(message->box);
    if (box == NULL) {
        discard(message);
        return;
    }
    message->state = QUEUED;
    byre__mq_put_back(&box->queue, &message->item);
}

/* Let the sender of a long message ship it into the place that is reserved. False: no memory now to
 * tell it, and the place has been given back. */
static bool grant(struct box *box, struct message *message)
{
    byre__mailbox_answer_t yes = { .token = message->token };
    message->data = malloc(message->bytes);
    if (message->data == NULL) {
        byre__mq_unreserve(&box->queue);
        answer(message->peer, message->token, BYRE_ENOMEM);
        discard(message);
        return true;
    }
    add_transit(message, ARRIVING);
    int error =
        byre__am_post(message->peer, BYRE__MAILBOX_GRANT, &yes, sizeof yes, NULL, 0, NULL, NULL);
    if (error == BYRE_OK) return true;
    byre__mq_unreserve(&box->queue);
    (void)take_transit(message->peer, message->token, ARRIVING);
    if (error == BYRE_EPEER) {
        discard(message);
        return true;
    }
    free(message->data);
    message->data = NULL;
    message->state = SENDING;
    message->next = box->senders;
    box->senders = message;
    return false;
}

/* Senders that wait, as long as there is room. Returns whether anything was queued. */
static bool let_in(struct box *box)
{
    bool queued = false, going_on = true;
    while (going_on && box->senders != NULL && byre__mq_reserve(&box->queue)) {
        struct message *message = box->senders;
        box->senders = message->next;
        if (message->data == NULL) {
            going_on = grant(box, message);
        } else {
            enqueue(box, message);
            queued = true;
        }
    }
    return queued;
}

/* In line, behind those of its priority and above. */
static void add_sender(struct box *box, struct message *message)
{
    struct message **at = &box->senders;
    while (*at != NULL && (*at)->item.priority >= message->item.priority) at = &(*at)->next;
    message->state = SENDING;
    message->next = *at;
    *at = message;
}

static void dismiss_senders(struct box *box, int error)
{
    while (box->senders != NULL) {
        struct message *message = box->senders;
        box->senders = message->next;
        answer(message->peer, message->token, error);
        discard(message);
    }
}

/* ---- the queue: out ----------------------------------------------------------------------------- */

static int ship(struct message *message, int rank, uint64_t token)
{
    struct {
        byre__mailbox_answer_t answer;
        unsigned char data[BYRE__MAILBOX_SHORT_DELIVER];
    } frame;
    frame.answer = (byre__mailbox_answer_t){ .token = token,
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

/* The first message goes to the first receiver, who is then out of line. False: no memory now. */
static bool hand_over(struct box *box)
{
    struct receiver *receiver = box->receivers;
    struct message *message = of_item(byre__mq_take(&box->queue));
    message->peer = receiver->rank;
    message->token = receiver->token;
    add_transit(message, HANDED);
    int error = ship(message, receiver->rank, receiver->token);
    if (error != BYRE_OK) {
        (void)take_transit(message->peer, message->token, HANDED);
        put_back(message);
        if (error != BYRE_EPEER) return false;
    }
    box->receivers = receiver->next;
    free(receiver);
    return true;
}

/* Receivers that wait, as long as there are messages. Returns whether any was taken. */
static bool serve(struct box *box)
{
    bool taken = false, going_on = true;
    byre__mq_item_t *first;
    while (going_on && box->receivers != NULL && (first = byre__mq_first(&box->queue)) != NULL) {
        struct receiver *receiver = box->receivers;
        if (of_item(first)->bytes <= receiver->room) {
            going_on = hand_over(box);
            taken = taken || going_on;
            continue;
        }
        box->receivers = receiver->next;
        (void)answer_with(receiver->rank,
                          &(byre__mailbox_answer_t){ .token = receiver->token,
                                                     .error = BYRE_ETRUNC,
                                                     .bytes = of_item(first)->bytes });
        free(receiver);
    }
    return taken;
}

/* Invariant 2. */
static void settle(struct box *box)
{
    bool moved = true;
    while (moved) {
        moved = serve(box);
        moved = let_in(box) || moved;
    }
    if (box->queue.policy == BYRE_OVERFLOW_REFUSE) dismiss_senders(box, BYRE_EAGAIN);
}

static void dismiss_receivers(struct box *box, int error)
{
    while (box->receivers != NULL) {
        struct receiver *receiver = box->receivers;
        box->receivers = receiver->next;
        answer(receiver->rank, receiver->token, error);
        free(receiver);
    }
}

/* ---- requests ----------------------------------------------------------------------------------- */

/* SEND and ASK. */
static void on_put(const byre_am_t *am, const byre__mailbox_request_t *request, struct box *box)
{
    bool is_short = request->op == BYRE__MAILBOX_SEND;
    size_t inline_bytes = is_short ? request->bytes : 0;
    if (request->bytes > box->max_bytes || request->priority >= BYRE__MAILBOX_PRIORITIES ||
        inline_bytes != am->bytes - sizeof *request) {
        answer(am->source, request->token, BYRE_ERANGE);
        return;
    }
    struct message *message = malloc(sizeof *message + inline_bytes);
    if (message == NULL) {
        answer(am->source, request->token, BYRE_ENOMEM);
        return;
    }
    *message = (struct message){ .item.priority = request->priority,
                                 .source = am->source,
                                 .peer = am->source,
                                 .token = request->token,
                                 .box = box->id,
                                 .bytes = request->bytes,
                                 .data = is_short ? message->body : NULL };
    if (is_short) memcpy(message->body, (const char *)am->data + sizeof *request, inline_bytes);
    add_sender(box, message);
    settle(box);
}

/* RECEIVE and TRY. */
static void on_receive(const byre_am_t *am, const byre__mailbox_request_t *request, struct box *box)
{
    if (request->op == BYRE__MAILBOX_TRY && byre__mq_first(&box->queue) == NULL) {
        answer(am->source, request->token, BYRE_EAGAIN);
        return;
    }
    struct receiver *receiver = malloc(sizeof *receiver), **at = &box->receivers;
    if (receiver == NULL) {
        answer(am->source, request->token, BYRE_ENOMEM);
        return;
    }
    *receiver =
        (struct receiver){ .rank = am->source, .token = request->token, .room = request->bytes };
    while (*at != NULL) at = &(*at)->next;
    *at = receiver;
    settle(box);
}

/* A receiver has waited long enough, or a sender that was granted a place cannot use it. The mailbox
 * need not exist any more, nor need its key be the same: then the operation has ended. */
static void on_cancel(const byre_am_t *am, const byre__mailbox_request_t *request)
{
    struct box *box = find(request->id);
    if (box == NULL) return;
    struct message *message = take_transit(am->source, request->token, ARRIVING);
    if (message != NULL) {
        discard(message);
        byre__mq_unreserve(&box->queue);
        settle(box);
        return;
    }
    struct receiver **at = &box->receivers, *receiver;
    while ((receiver = *at) != NULL) {
        if (receiver->rank == am->source && receiver->token == request->token) {
            *at = receiver->next;
            answer(receiver->rank, receiver->token, BYRE_ETIMEOUT);
            free(receiver);
            return;
        }
        at = &receiver->next;
    }
}

/* ACK and REJECT. */
static void on_ended(const byre_am_t *am, const byre__mailbox_request_t *request)
{
    struct message *message = take_transit(am->source, request->token, HANDED);
    if (message == NULL) return;
    if (request->op == BYRE__MAILBOX_ACK) {
        discard(message);
        return;
    }
    put_back(message);
    struct box *box = find(request->id);
    if (box != NULL) settle(box);
}

static bool make_room(void)
{
    if (owner.count < owner.room) return true;
    size_t room = owner.room == 0 ? 8 : 2 * owner.room;
    struct box **boxes = realloc(owner.boxes, room * sizeof *boxes);
    if (boxes == NULL) return false;
    owner.boxes = boxes;
    owner.room = room;
    return true;
}

static void on_create(const byre_am_t *am, const byre__mailbox_request_t *request)
{
    struct box *box = NULL;
    if (owner.next_id < UINT32_MAX && make_room()) box = malloc(sizeof *box);
    if (box == NULL) {
        answer(am->source, request->token, BYRE_ENOMEM);
        return;
    }
    *box = (struct box){ .id = owner.next_id++, /* invariant 5; and the array stays sorted */
                         .send_key = request->key,
                         .receive_key = request->new_key,
                         .max_bytes = request->bytes };
    byre__mq_init(&box->queue, request->capacity, (byre_overflow_t)request->policy);
    owner.boxes[owner.count++] = box;
    (void)answer_with(am->source,
                      &(byre__mailbox_answer_t){ .token = request->token, .id = box->id });
}

static void free_queue(struct box *box)
{
    for (byre__mq_item_t *item; (item = byre__mq_take(&box->queue)) != NULL;)
        discard(of_item(item));
}

static void on_destroy(const byre_am_t *am, const byre__mailbox_request_t *request, struct box *box)
{
    size_t at = place_of(box->id);
    owner.count--;
    memmove(&owner.boxes[at], &owner.boxes[at + 1], (owner.count - at) * sizeof owner.boxes[0]);
    dismiss_receivers(box, BYRE_ECLOSED);
    dismiss_senders(box, BYRE_ECLOSED);
    free_queue(box);
    free(box);
    answer(am->source, request->token, BYRE_OK);
}

static void on_move(const byre_am_t *am, const byre__mailbox_request_t *request, struct box *box)
{
    box->receive_key = request->new_key;
    dismiss_receivers(box, BYRE_ERIGHT); /* they wait on a right that is held no more */
    answer(am->source, request->token, BYRE_OK);
}

/* Those that need a right. */
static void on_use(const byre_am_t *am, const byre__mailbox_request_t *request)
{
    struct box *box = admit(am, request);
    if (box == NULL) return;
    switch ((byre__mailbox_op_t)request->op) {
    case BYRE__MAILBOX_SEND:
    case BYRE__MAILBOX_ASK:
        on_put(am, request, box);
        return;
    case BYRE__MAILBOX_RECEIVE:
    case BYRE__MAILBOX_TRY:
        on_receive(am, request, box);
        return;
    case BYRE__MAILBOX_DESTROY:
        on_destroy(am, request, box);
        return;
    case BYRE__MAILBOX_MOVE:
        on_move(am, request, box);
        return;
    default:
        answer(am->source, request->token, BYRE_EPROTO);
    }
}

static void on_request(const byre_am_t *am, void *arg)
{
    byre__mailbox_request_t request;
    (void)arg;
    if (am->bytes < sizeof request) {
        byre__error("a mailbox request from rank %d is damaged: %zu bytes", am->source, am->bytes);
        return;
    }
    memcpy(&request, am->data, sizeof request);
    switch ((byre__mailbox_op_t)request.op) {
    case BYRE__MAILBOX_CREATE:
        on_create(am, &request);
        return;
    case BYRE__MAILBOX_CANCEL:
        on_cancel(am, &request);
        return;
    case BYRE__MAILBOX_ACK:
    case BYRE__MAILBOX_REJECT:
        on_ended(am, &request);
        return;
    default:
        on_use(am, &request);
    }
}

/* ---- the bytes of long messages ----------------------------------------------------------------- */

static struct message *granted(const byre_am_t *am)
{
    byre__mailbox_request_t request;
    if (am->bytes < sizeof request) return NULL;
    memcpy(&request, am->data, sizeof request);
    return find_transit(am->source, request.token, ARRIVING);
}

static void *place_bulk(const byre_am_t *am, void *arg)
{
    struct message *message = granted(am);
    (void)arg;
    return message != NULL && message->bytes == am->bulk_bytes ? message->data : NULL;
}

static void on_bulk(const byre_am_t *am, void *arg)
{
    struct message *message = granted(am);
    (void)arg;
    if (message == NULL) {
        byre__error("rank %d sends to a mailbox without having been granted a place", am->source);
        return;
    }
    (void)take_transit(message->peer, message->token, ARRIVING);
    struct box *box = find(message->box);
    if (box != NULL && am->bulk != NULL) {
        enqueue(box, message);
    } else {
        if (box != NULL) byre__mq_unreserve(&box->queue);
        answer(message->peer, message->token, box == NULL ? BYRE_ECLOSED : BYRE_EPROTO);
        discard(message);
    }
    if (box != NULL) settle(box);
}

/* ---- clients that die --------------------------------------------------------------------------- */

static void drop_waiting(struct box *box, int rank)
{
    struct message **at = &box->senders, *message;
    while ((message = *at) != NULL) {
        if (message->peer != rank) {
            at = &message->next;
            continue;
        }
        *at = message->next;
        discard(message);
    }
    struct receiver **in = &box->receivers, *receiver;
    while ((receiver = *in) != NULL) {
        if (receiver->rank != rank) {
            in = &receiver->next;
            continue;
        }
        *in = receiver->next;
        free(receiver);
    }
}

/* What was on its way to or from a rank. What had been handed to it goes back, the last first, so
 * that the order is again as it was. The engine has given up transfers with the rank before. */
static void drop_transit(int rank)
{
    struct message **at = &owner.transit, *message, *handed = NULL;
    while ((message = *at) != NULL) {
        if (message->peer != rank) {
            at = &message->next;
            continue;
        }
        *at = message->next;
        if (message->state == HANDED) {
            message->next = handed;
            handed = message;
            continue;
        }
        struct box *box = find(message->box);
        if (box != NULL) byre__mq_unreserve(&box->queue);
        discard(message);
    }
    while ((message = handed) != NULL) {
        handed = message->next;
        put_back(message);
    }
}

static void on_failure(int rank, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < owner.count; i++) drop_waiting(owner.boxes[i], rank);
    drop_transit(rank);
    for (size_t i = 0; i < owner.count; i++) settle(owner.boxes[i]);
}

int byre__mailbox_owner_watch(void)
{
    if (atomic_exchange(&owner.watching, true)) return BYRE_OK;
    int error = byre_on_peer_failure(on_failure, NULL);
    if (error != BYRE_OK) atomic_store(&owner.watching, false);
    return error;
}

/* ---- start and finish --------------------------------------------------------------------------- */

int byre__mailbox_owner_init(void)
{
    owner.next_id = 1;
    atomic_store(&owner.watching, false);
    int error = byre__am_register(BYRE__MAILBOX_REQUEST, on_request, NULL, NULL);
    if (error != BYRE_OK) return error;
    return byre__am_register(BYRE__MAILBOX_BULK, on_bulk, place_bulk, NULL);
}

static void free_box(struct box *box)
{
    while (box->receivers != NULL) {
        struct receiver *receiver = box->receivers;
        box->receivers = receiver->next;
        free(receiver);
    }
    while (box->senders != NULL) {
        struct message *message = box->senders;
        box->senders = message->next;
        discard(message);
    }
    free_queue(box);
    free(box);
}

void byre__mailbox_owner_fini(void)
{
    for (size_t i = 0; i < owner.count; i++) free_box(owner.boxes[i]);
    while (owner.transit != NULL) {
        struct message *message = owner.transit;
        owner.transit = message->next;
        discard(message);
    }
    free(owner.boxes);
    owner.boxes = NULL;
    owner.count = owner.room = 0;
}
