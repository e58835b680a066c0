/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of mailboxes share: rights that travel in messages. */
#ifndef MAILBOX_TOOLS_H
#define MAILBOX_TOOLS_H

#include "testing.h"

enum { RIGHTS_PORT = 17 };

/* Rank `from` has the right, all others get it. */
static inline void share(int from, byre_right_t *right)
{
    if (me != from) {
        EXPECT(BYRE_OK, byre_recv(RIGHTS_PORT, from, right, sizeof *right, NULL));
        return;
    }
    for (int r = 0; r < ranks; r++)
        if (r != me) EXPECT(BYRE_OK, byre_send(at(r, RIGHTS_PORT), right, sizeof *right));
}

/* A mailbox of rank `owner`; everybody gets both rights (though only one may hold the first). */
static inline void make_mailbox(int owner, size_t capacity, size_t max_bytes,
                                byre_overflow_t policy, byre_right_t *receive, byre_right_t *send)
{
    if (me == owner)
        EXPECT(BYRE_OK, byre_mailbox_create(capacity, max_bytes, policy, receive, send));
    share(owner, receive);
    share(owner, send);
}

static inline void put_int(const byre_right_t *to, int number, int priority)
{
    EXPECT(BYRE_OK, byre_mailbox_send(to, &number, sizeof number, priority));
}

static inline int take_int(const byre_right_t *from)
{
    int number = -1;
    byre_info_t info;
    EXPECT(BYRE_OK, byre_mailbox_recv(from, &number, sizeof number, -1, &info));
    EQUAL(sizeof number, info.bytes);
    return number;
}

static inline void nap_ms(int ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    nanosleep(&time, NULL);
}

#endif
