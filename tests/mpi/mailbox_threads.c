/* SPDX-License-Identifier: BSD-3-Clause */
/* Several threads of every rank send to one mailbox, several of every rank receive from it, all lengths
 * and priorities: each message is received once, whole. */
#include "mailbox_tools.h"
#include <pthread.h>

enum { SENDERS = 2, RECEIVERS = 2, EACH = 60, LONGEST = 40000, STOP = -1 };

struct head {
    int source, number;
};

static byre_right_t receive, send;
static _Atomic unsigned char seen[64 * SENDERS * EACH]; /* by this rank */

static size_t length_of(uint64_t dice)
{
    static const size_t sizes[] = { sizeof(struct head), 100, 4000, 4100, LONGEST };
    return sizes[dice % LENGTH(sizes)];
}

static void put(int source, int number)
{
    struct head head = { source, number };
    uint64_t dice = mix3((uint64_t)source, (uint64_t)number, 5);
    size_t bytes = source == STOP ? sizeof head : length_of(dice);
    char *buf = room_for(bytes);
    memcpy(buf, &head, sizeof head);
    fill(buf + sizeof head, bytes - sizeof head, dice);
    EXPECT(BYRE_OK, byre_mailbox_send(&send, buf, bytes, source == STOP ? 0 : 1 + (int)(dice % 7)));
    free(buf);
}

static void *sender(void *arg)
{
    int index = *(int *)arg;
    for (int i = 0; i < EACH; i++) put(me, index * EACH + i);
    return NULL;
}

static void *receiver(void *arg)
{
    char *buf = room_for(LONGEST);
    struct head head;
    byre_info_t info;
    (void)arg;
    for (;;) {
        int error = byre_mailbox_recv(&receive, buf, LONGEST, 20, &info);
        if (error == BYRE_ETIMEOUT) continue;
        EXPECT(BYRE_OK, error);
        memcpy(&head, buf, sizeof head);
        if (head.source == STOP) break;
        uint64_t dice = mix3((uint64_t)head.source, (uint64_t)head.number, 5);
        EQUAL(head.source, info.source);
        EQUAL(length_of(dice), info.bytes);
        CHECK(filled(buf + sizeof head, info.bytes - sizeof head, dice));
        int index = head.source * SENDERS * EACH + head.number;
        EQUAL(0, atomic_exchange(&seen[index], 1));
    }
    free(buf);
    return NULL;
}

/* Rank 0 adds up: each message was seen by exactly one rank. */
static void add_up(void)
{
    static unsigned char theirs[sizeof seen], sum[sizeof seen];
    if (me != 0) {
        EXPECT(BYRE_OK, byre_send(at(0, 3), (void *)seen, sizeof seen));
        return;
    }
    memcpy(sum, (void *)seen, sizeof sum);
    for (int r = 1; r < ranks; r++) {
        EXPECT(BYRE_OK, byre_recv(3, r, theirs, sizeof theirs, NULL));
        for (size_t i = 0; i < sizeof sum; i++) sum[i] = (unsigned char)(sum[i] + theirs[i]);
    }
    for (int i = 0; i < ranks * SENDERS * EACH; i++) EQUAL(1, sum[i]);
}

int main(void)
{
    pthread_t senders[SENDERS], receivers[RECEIVERS];
    int index[SENDERS];
    start();
    CHECK(ranks <= 64);
    make_mailbox(ranks / 2, 4, LONGEST, BYRE_OVERFLOW_BLOCK, &receive, &send);
    for (int i = 0; i < RECEIVERS; i++)
        CHECK(pthread_create(&receivers[i], NULL, receiver, NULL) == 0);
    for (int i = 0; i < SENDERS; i++) {
        index[i] = i;
        CHECK(pthread_create(&senders[i], NULL, sender, &index[i]) == 0);
    }
    for (int i = 0; i < SENDERS; i++) pthread_join(senders[i], NULL);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < RECEIVERS; i++) put(STOP, 0);
    for (int i = 0; i < RECEIVERS; i++) pthread_join(receivers[i], NULL);
    EXPECT(BYRE_OK, byre_barrier());
    add_up();
    return finish();
}
