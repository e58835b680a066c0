/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed while others send to it. argv[1]: how they send; argv[2]: the victim. */
#include "survive.h"

static _Atomic int told, told_error;

static void tell(int error, void *arg)
{
    (void)arg;
    atomic_store(&told_error, error);
    atomic_fetch_add(&told, 1);
}

/* Small messages leave at once, until the death is known. */
static void until_it_is_known(bool copy)
{
    int error;
    about_to_wait();
    UNTIL((error = copy ? byre_isend_copy(at(victim, 5), "small", 5)
                        : byre_send(at(victim, 5), "small", 5)) != BYRE_OK);
    EXPECT(BYRE_EPEER, error);
    found_dead_in_time();
}

/* What needs the receiver's part waits for it. */
static void rendezvous(bool sync, size_t bytes)
{
    char *buf = room_for(bytes);
    memset(buf, 1, bytes);
    about_to_wait();
    EXPECT(BYRE_EPEER,
           sync ? byre_send_sync(at(victim, 5), buf, bytes) : byre_send(at(victim, 5), buf, bytes));
    found_dead_in_time();
    free(buf);
}

static void nonblocking(bool cow)
{
    size_t bytes = MIB;
    char *buf = room_for(bytes);
    byre_request_t req;
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK, .callback = tell };
    memset(buf, 1, bytes);
    if (cow) {
        EXPECT(BYRE_OK, byre_isend_cow(at(victim, 5), buf, bytes, &notice, &req));
        memset(buf, 2, bytes / 2);
    } else {
        EXPECT(BYRE_OK, byre_isend(at(victim, 5), buf, bytes, &notice, &req));
    }
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_wait(&req, NULL));
    found_dead_in_time();
    UNTIL(atomic_load(&told) > 0);
    EQUAL(1, atomic_load(&told));
    EXPECT(BYRE_EPEER, atomic_load(&told_error));
    for (size_t i = 0; i < bytes; i++) CHECK(buf[i] == (cow && i < bytes / 2 ? 2 : 1));
    memset(buf, 3, bytes); /* ours again */
    free(buf);
    EXPECT(BYRE_EPEER, byre_isend(at(victim, 5), "x", 1, &notice, &req));
    EXPECT(BYRE_EPEER, byre_isend_copy(at(victim, 5), "x", 1));
    EXPECT(BYRE_EPEER, byre_send_sync(at(victim, 5), "x", 1));
    EQUAL(1, atomic_load(&told));
}

/* Large copies vanish, and byre_finalize does not wait for them. */
static void copies(void)
{
    char *buf = calloc(1, MIB);
    CHECK(buf != NULL);
    for (int i = 0; i < 5; i++) EXPECT(BYRE_OK, byre_isend_copy(at(victim, 5), buf, MIB));
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    found_dead_in_time();
    free(buf);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "small";
    begin(argc - 1, argv + 1);
    if (me == victim) die_when_all_wait();
    if (strcmp(how, "small") == 0)
        until_it_is_known(false);
    else if (strcmp(how, "small-copy") == 0)
        until_it_is_known(true);
    else if (strcmp(how, "large") == 0)
        rendezvous(false, MIB);
    else if (strcmp(how, "sync-small") == 0)
        rendezvous(true, 1);
    else if (strcmp(how, "sync-large") == 0)
        rendezvous(true, MIB);
    else if (strcmp(how, "isend") == 0)
        nonblocking(false);
    else if (strcmp(how, "cow") == 0)
        nonblocking(true);
    else if (strcmp(how, "copies") == 0)
        copies();
    else
        CHECK(!"a known way");
    return go_on_and_leave();
}
