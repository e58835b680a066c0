/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What clients and owners of mailboxes say to each other.
 *
 * The owner of a mailbox, the rank that created it, keeps its queue (mailbox_owner.c, mailbox_box.c). A client is a
 * thread of any rank, the owner's too, inside one of the public calls (mailbox.c). An operation has
 * a token, unique at its rank; the owner ends it with exactly one ANSWER or DELIVER. All are active
 * messages, so between two ranks they arrive in order.
 *
 *   short send    SEND(bytes) ------> queued now or when there is room -------------> ANSWER
 *   long send     ASK --------------> place reserved now or later --> GRANT
 *                 BULK(bytes) ------> into that place, queued ----------------------> ANSWER
 *   receive       RECEIVE ----------> when there is a message --> DELIVER(bytes)
 *                 ACK --------------> forgotten
 *   giving up     CANCEL -----------> ends the operation now, unless it has ended --> ANSWER
 *   the others    CREATE, DESTROY, MOVE --------------------------------------------> ANSWER
 *
 * A send is short when its bytes fit behind the request. The bytes of a long message go straight
 * from the sender's buffer into the owner's memory and from there into the receiver's buffer.
 */
#ifndef BYRE__MAILBOX_WIRE_H
#define BYRE__MAILBOX_WIRE_H

#include "am.h"
#include <stdint.h>

/* Handlers. The owner's: request, bulk. The client's: answer, grant, deliver. */
enum {
    BYRE__MAILBOX_REQUEST = BYRE__AM_MAILBOX,
    BYRE__MAILBOX_BULK,
    BYRE__MAILBOX_ANSWER,
    BYRE__MAILBOX_GRANT,
    BYRE__MAILBOX_DELIVER
};

typedef enum byre__mailbox_op {
    BYRE__MAILBOX_CREATE, /* bytes: longest message; capacity, policy; key: send, new_key: receive */
    BYRE__MAILBOX_DESTROY,
    BYRE__MAILBOX_MOVE,    /* new_key replaces the receive key */
    BYRE__MAILBOX_SEND,    /* `bytes` bytes follow; priority */
    BYRE__MAILBOX_ASK,     /* bytes, priority */
    BYRE__MAILBOX_RECEIVE, /* bytes: room */
    BYRE__MAILBOX_TRY,     /* as RECEIVE, but an empty mailbox is BYRE_EAGAIN */
    BYRE__MAILBOX_CANCEL,
    BYRE__MAILBOX_ACK,   /* the message that was delivered to `token` has arrived */
    BYRE__MAILBOX_REJECT /* it could not be taken: back into the queue with it */
} byre__mailbox_op_t;

/* Of REQUEST and BULK. */
typedef struct byre__mailbox_request {
    uint64_t token;
    uint64_t key;
    uint64_t new_key;
    uint64_t bytes;
    uint64_t capacity;
    uint32_t id; /* of the mailbox */
    uint16_t op;
    uint8_t priority;
    uint8_t policy;
} byre__mailbox_request_t;

/* Of ANSWER, GRANT and DELIVER. */
typedef struct byre__mailbox_answer {
    uint64_t token;
    uint64_t bytes;   /* of the message; with BYRE_ETRUNC the room that it needs */
    int32_t error;    /* ANSWER */
    int32_t source;   /* DELIVER: who sent the message */
    int32_t priority; /* DELIVER */
    uint32_t id;      /* answer to CREATE: the new mailbox */
} byre__mailbox_answer_t;

enum {
    BYRE__MAILBOX_SHORT_SEND = BYRE_AM_INLINE - (int)sizeof(byre__mailbox_request_t),
    BYRE__MAILBOX_SHORT_DELIVER = BYRE_AM_INLINE - (int)sizeof(byre__mailbox_answer_t),
    BYRE__MAILBOX_LONGEST = 1 << 30 /* bytes of a message */
};

/* mailbox_owner.c */
int byre__mailbox_owner_init(void);
void byre__mailbox_owner_fini(void);
/* The owner must hear of failures; that can be asked for only when byre_init is over. */
int byre__mailbox_owner_watch(void);

#endif
