/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The owner's side of mailboxes: which there are, who may use them, and what clients ask. The messages
 * between clients and owner are drawn in mailbox_wire.h, a mailbox's own life in mailbox_box.c.
 *
 * Invariants
 *  1. Engine only, as mailbox_box.c.
 *  2. Ids are not used again: an id below next_id without a mailbox is one that was destroyed. So
 *     `boxes`, to which new ones are appended, is in the order of ids.
 *  3. A request that names a mailbox gets to it only with the right key. CANCEL, ACK and REJECT name
 *     an operation of their sender instead, and need none: the key may have been replaced meanwhile.
 */
#include "mailbox_box.h"
#include "mailbox_wire.h"

#include "log.h"
#include <byre_runtime.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct {
    byre__box_t **boxes;
    size_t count, room;
    uint32_t next_id;
    _Atomic bool watching;
} owner;

typedef byre__mailbox_request_t request_t;

static bool read_request(const byre_am_t *am, request_t *request_out, byre__box_client_t *from_out)
{
    if (am->bytes < sizeof *request_out) {
        byre__error("a mailbox request from rank %d is damaged: %zu bytes", am->source, am->bytes);
        return false;
    }
    memcpy(request_out, am->data, sizeof *request_out);
    *from_out = (byre__box_client_t){ .rank = am->source, .token = request_out->token };
    return true;
}

/* ---- which there are ---------------------------------------------------------------------------- */

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

static byre__box_t *find(uint32_t id)
{
    size_t at = place_of(id);
    return at < owner.count && owner.boxes[at]->id == id ? owner.boxes[at] : NULL;
}

/* The mailbox that a request names, if it shows the right key; else it is answered. */
static byre__box_t *admit(const request_t *request, byre__box_client_t from)
{
    bool sends = request->op == BYRE__MAILBOX_SEND || request->op == BYRE__MAILBOX_ASK;
    byre__box_t *box = find(request->id);
    if (box != NULL && request->key == (sends ? box->send_key : box->receive_key)) return box;
    bool closed = box == NULL && request->id > 0 && request->id < owner.next_id; /* invariant 2 */
    byre__box_answer_error(from, closed ? BYRE_ECLOSED : BYRE_ERIGHT);
    return NULL;
}

static bool make_room(void)
{
    if (owner.next_id == UINT32_MAX) return false;
    if (owner.count < owner.room) return true;
    size_t room = owner.room == 0 ? 8 : 2 * owner.room;
    byre__box_t **boxes = realloc(owner.boxes, room * sizeof *boxes);
    if (boxes == NULL) return false;
    owner.boxes = boxes;
    owner.room = room;
    return true;
}

/* ---- what clients ask --------------------------------------------------------------------------- */

static void on_create(const request_t *request, byre__box_client_t from)
{
    byre__box_t *box = make_room() ? malloc(sizeof *box) : NULL;
    if (box == NULL) {
        byre__box_answer_error(from, BYRE_ENOMEM);
        return;
    }
    *box = (byre__box_t){ .id = owner.next_id++,
                          .send_key = request->key,
                          .receive_key = request->new_key,
                          .max_bytes = request->bytes };
    byre__mq_init(&box->queue, request->capacity, (byre_overflow_t)request->policy);
    owner.boxes[owner.count++] = box;
    byre__box_answer(from, &(byre__mailbox_answer_t){ .id = box->id });
}

static void on_destroy(byre__box_t *box, byre__box_client_t from)
{
    size_t at = place_of(box->id);
    owner.count--;
    memmove(&owner.boxes[at], &owner.boxes[at + 1], (owner.count - at) * sizeof owner.boxes[0]);
    byre__box_dismiss_receivers(box, BYRE_ECLOSED);
    byre__box_dismiss_senders(box, BYRE_ECLOSED);
    byre__box_free(box);
    byre__box_answer_error(from, BYRE_OK);
}

/* Those who wait do so on a right that is held no more. */
static void on_move(byre__box_t *box, const request_t *request, byre__box_client_t from)
{
    box->receive_key = request->new_key;
    byre__box_dismiss_receivers(box, BYRE_ERIGHT);
    byre__box_answer_error(from, BYRE_OK);
}

static void on_put(byre__box_t *box, const request_t *request, byre__box_client_t from,
                   const byre_am_t *am)
{
    const void *data = NULL;
    size_t inline_bytes = 0;
    if (request->op == BYRE__MAILBOX_SEND) {
        data = (const char *)am->data + sizeof *request;
        inline_bytes = request->bytes;
    }
    if (request->bytes > box->max_bytes || request->priority >= BYRE__MAILBOX_PRIORITIES)
        byre__box_answer_error(from, BYRE_ERANGE);
    else if (inline_bytes != am->bytes - sizeof *request)
        byre__box_answer_error(from, BYRE_EPROTO);
    else
        byre__box_put(box, from, request->priority, request->bytes, data);
}

static void on_try(byre__box_t *box, const request_t *request, byre__box_client_t from)
{
    if (byre__mq_first(&box->queue) == NULL)
        byre__box_answer_error(from, BYRE_EAGAIN);
    else
        byre__box_receive(box, from, request->bytes);
}

/* Those that need a right. */
static void on_use(const request_t *request, byre__box_client_t from, const byre_am_t *am)
{
    byre__box_t *box = admit(request, from);
    if (box == NULL) return;
    switch ((byre__mailbox_op_t)request->op) {
    case BYRE__MAILBOX_SEND:
    case BYRE__MAILBOX_ASK:
        on_put(box, request, from, am);
        return;
    case BYRE__MAILBOX_RECEIVE:
        byre__box_receive(box, from, request->bytes);
        return;
    case BYRE__MAILBOX_TRY:
        on_try(box, request, from);
        return;
    case BYRE__MAILBOX_DESTROY:
        on_destroy(box, from);
        return;
    case BYRE__MAILBOX_MOVE:
        on_move(box, request, from);
        return;
    default:
        byre__box_answer_error(from, BYRE_EPROTO);
    }
}

static void on_request(const byre_am_t *am, void *arg)
{
    request_t request;
    byre__box_client_t from;
    byre__box_t *box;
    (void)arg;
    if (!read_request(am, &request, &from)) return;
    switch ((byre__mailbox_op_t)request.op) {
    case BYRE__MAILBOX_CREATE:
        on_create(&request, from);
        return;
    case BYRE__MAILBOX_CANCEL:
        box = find(request.id);
        if (box != NULL) byre__box_cancel(box, from);
        return;
    case BYRE__MAILBOX_ACK:
    case BYRE__MAILBOX_REJECT:
        byre__box_received(from, request.op == BYRE__MAILBOX_ACK);
        return;
    default:
        on_use(&request, from, am);
    }
}

/* ---- the bytes of long messages ----------------------------------------------------------------- */

static void *place_bulk(const byre_am_t *am, void *arg)
{
    request_t request;
    byre__box_client_t from;
    (void)arg;
    return read_request(am, &request, &from) ? byre__box_place(from, am->bulk_bytes) : NULL;
}

static void on_bulk(const byre_am_t *am, void *arg)
{
    request_t request;
    byre__box_client_t from;
    (void)arg;
    if (read_request(am, &request, &from) && !byre__box_arrived(from, am->bulk != NULL))
        byre__error("rank %d sends to a mailbox without having been granted a place", am->source);
}

/* ---- clients that die --------------------------------------------------------------------------- */

static void on_failure(int rank, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < owner.count; i++) byre__box_forget(owner.boxes[i], rank);
    byre__box_recall(rank);
    for (size_t i = 0; i < owner.count; i++) byre__box_settle(owner.boxes[i]);
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

void byre__mailbox_owner_fini(void)
{
    for (size_t i = 0; i < owner.count; i++) byre__box_free(owner.boxes[i]);
    byre__box_fini();
    free(owner.boxes);
    owner.boxes = NULL;
    owner.count = owner.room = 0;
}
