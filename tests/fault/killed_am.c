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

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "request";
    static char bulk[300000];
    begin(argc - 1, argv + 1);
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
