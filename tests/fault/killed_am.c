/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed while others send it active messages. argv[1]: how; argv[2]: the victim. */
#include "survive.h"
#include <pthread.h>

/* Until the credits are used up, and beyond. */
static void flood(const void *bulk, size_t bytes)
{
    static char data[BYRE_AM_INLINE];
    int error;
    about_to_wait();
    UNTIL((error = byre_am_send(victim, AM_COUNT, data, sizeof data, bulk, bytes)) != BYRE_OK);
    EXPECT(BYRE_EPEER, error);
    found_dead_in_time();
}

static void request(void)
{
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_am_request(victim, AM_SILENT, NULL, 0, NULL, 0, NULL));
    found_dead_in_time();
    EXPECT(BYRE_EPEER, byre_am_request(victim, AM_ECHO, NULL, 0, NULL, 0, NULL));
}

static void *ask(void *arg)
{
    int error;
    (void)arg;
    UNTIL((error = byre_am_request(victim, AM_ECHO, NULL, 0, NULL, 0, NULL)) != BYRE_OK);
    EXPECT(BYRE_EPEER, error);
    found_dead_in_time();
    return NULL;
}

/* Several threads in the middle of conversations. */
static void requests(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, ask, NULL) == 0);
    about_to_wait();
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
}

/* ---- announced, never sent ---------------------------------------------------------------- */

enum { AM_HOLD = 4, AM_NUMBERED = 5, ORDERED = 400, BEGUN = 5 };

static _Atomic int in_order; /* numbered messages that came */

/* A process that has ended: nobody can read its memory any more. */
static bool has_ended(pid_t pid)
{
    char path[64], state;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return true;
    bool there = fscanf(file, "%*d %*s %c", &state) == 1; /* or it has gone just now */
    fclose(file);
    return !there || state == 'Z' || state == 'X';
}

/* Keeps the engine from everything that comes after it, until the sender is dead. */
static void hold(const byre_am_t *am, void *arg)
{
    pid_t pid;
    (void)arg;
    CHECK(am->bytes == sizeof pid);
    memcpy(&pid, am->data, sizeof pid);
    UNTIL(has_ended(pid));
}

static void numbered(const byre_am_t *am, void *arg)
{
    int number;
    (void)arg;
    memcpy(&number, am->data, sizeof number);
    EQUAL(atomic_load(&in_order), number);
    atomic_fetch_add(&in_order, 1);
}

/* The victim's last messages are so large that MPI has only announced them when it dies: what they
 * were to come to stays incomplete for ever. What the survivors say to each other gets past that. */
static int announced(void)
{
    static char data[BYRE_AM_INLINE];
    pid_t pid = getpid();
    EXPECT(BYRE_OK, byre_am_register(AM_HOLD, hold, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(AM_NUMBERED, numbered, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int r = 0; me == victim && r < ranks; r++) {
        if (r == me) continue;
        EXPECT(BYRE_OK, byre_am_send(r, AM_HOLD, &pid, sizeof pid, NULL, 0));
        for (int i = 0; i < BEGUN; i++)
            EXPECT(BYRE_OK, byre_am_send(r, AM_COUNT, data, sizeof data, NULL, 0));
    }
    if (me == victim) die();
    UNTIL(byre_peer_failed(victim));
    found_dead_in_time();
    for (int i = 0; i < ORDERED; i++) {
        size_t bytes = i % 3 == 0 ? sizeof data : i % 3 == 1 ? 1000 : sizeof i;
        memcpy(data, &i, sizeof i);
        EXPECT(BYRE_OK, byre_am_send(next_alive(1), AM_NUMBERED, data, bytes, NULL, 0));
    }
    UNTIL(atomic_load(&in_order) == ORDERED);
    return go_on_and_leave();
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "request";
    static char bulk[300000];
    begin(argc - 1, argv + 1);
    if (strcmp(how, "announced") == 0) return announced();
    if (me == victim) die_when_all_wait();
    if (strcmp(how, "flood") == 0)
        flood(NULL, 0);
    else if (strcmp(how, "bulk") == 0)
        flood(bulk, sizeof bulk);
    else if (strcmp(how, "request") == 0)
        request();
    else if (strcmp(how, "requests") == 0)
        requests();
    else
        CHECK(!"a known way");
    return go_on_and_leave();
}
