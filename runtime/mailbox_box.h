/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One mailbox at its owner: the queue, who waits for it, and the messages on their way in and out.
 * Engine only. Described in mailbox_box.c; who may do what is decided in mailbox_owner.c.
 */
#ifndef BYRE__MAILBOX_BOX_H
#define BYRE__MAILBOX_BOX_H

#include "mailbox_queue.h"
#include "mailbox_wire.h"
#include <stdbool.h>

typedef struct byre__box {
    uint32_t id;
    uint64_t send_key, receive_key;
    size_t max_bytes;
    byre__mq_t queue;
    struct byre__box_message *senders;    /* the highest priority first, equal ones in order */
    struct byre__box_receiver *receivers; /* in order */
} byre__box_t;

/* An operation of a client: what an answer is addressed to. */
typedef struct byre__box_client {
    int rank;
    uint64_t token;
} byre__box_client_t;

void byre__box_answer(byre__box_client_t to, const byre__mailbox_answer_t *answer);
void byre__box_answer_error(byre__box_client_t to, int error);

/* A message that somebody sends: its bytes, or NULL when they will come as a bulk. */
void byre__box_put(byre__box_t *box, byre__box_client_t from, int priority, size_t bytes,
                   const void *data);
/* Where the bulk of a message goes that was granted its place; NULL: there is none. */
void *byre__box_place(byre__box_client_t from, size_t bytes);
/* It is there (or was refused). False: nobody had been granted a place. */
bool byre__box_arrived(byre__box_client_t from, bool whole);

void byre__box_receive(byre__box_t *box, byre__box_client_t to, size_t room);
/* The receiver has its message, or could not take it. */
void byre__box_received(byre__box_client_t by, bool taken);

/* The operation shall end now, if it has not. */
void byre__box_cancel(byre__box_t *box, byre__box_client_t client);

/* Those who wait get this error. */
void byre__box_dismiss_receivers(byre__box_t *box, int error);
void byre__box_dismiss_senders(byre__box_t *box, int error);

/* A client has died: forget that it waits; then, what was on its way to it goes back; then settle. */
void byre__box_forget(byre__box_t *box, int rank);
void byre__box_recall(int rank);
void byre__box_settle(byre__box_t *box);

/* The mailbox goes, with what is queued and who waits. What is on its way finds it gone. */
void byre__box_free(byre__box_t *box);
/* The engine has stopped: what is still on its way goes too. */
void byre__box_fini(void);

#endif
