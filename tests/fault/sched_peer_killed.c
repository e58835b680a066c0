/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon is killed while all send it frames, long ones too: each survivor gets one PEER_GONE, after the last of
 * its frames, and the survivors go on. argv[1]: the victim; argv[2]: "calm" for little traffic, since Open MPI's TCP
 * transport may abort or hang a survivor that is in the middle of sending much to a dead rank. */
#include "../mpi/sched_peer_tools.h"

#include <limits.h>

enum { WORK = 1, LAST = 2, ENOUGH = 200 };

static bool calm;
static int victim, gone; /* how often we were told */
static uint32_t next_work[64], last[64];

static void note_the_end(int status, void *arg)
{
    char path[PATH_MAX];
    const char *dir = getenv("BYRE_TEST_OUT");
    (void)arg;
    (void)snprintf(path, sizeof path, "%s/survivor.%d", dir != NULL ? dir : ".", me);
    FILE *file = fopen(path, "w");
    if (file == NULL) return;
    if (status == 0)
        (void)fprintf(file, "survivor %d ok\n", me);
    else
        (void)fprintf(file, "exit %d\n", status);
    (void)fclose(file);
}

static size_t size_of(uint32_t number)
{
    return number % 16 == 15 ? 300 * KIB : number % 7 * 1000;
}

static void send_work(int to, uint32_t number)
{
    static char bytes[300 * KIB];
    size_t size = size_of(number);
    if (peer_backlog(to) > (calm ? 0 : 4 * MIB)) return;
    fill(bytes, size, number);
    int result = peer_send(to, WORK, number, NULL, bytes, size);
    CHECK(result == BYRE_OK || (result == BYRE_EPEER && to == victim));
}

static void take(const peer_frame_t *frame)
{
    size_t bytes = (size_t)(frame->payload.end - frame->payload.at);
    int from = frame->from;
    CHECK(from >= 0 && from < ranks);
    if (from == victim) EQUAL(0, gone); /* its word was the last */
    if (frame->type == PEER_GONE) {
        if (last[from] == 2) return; /* it has come to its end, and left */
        if (from != victim) {
            printf("rank %d: told of rank %d, which nobody killed\n", me,
                   from); /* survivors.bash */
            exit(1);
        }
        EQUAL(0, bytes);
        CHECK(!peer_alive(from));
        gone++;
    } else if (frame->type == LAST) {
        last[from] = frame->tag;
    } else {
        EQUAL(WORK, frame->type);
        CHECK(frame->tag >= next_work[from]); /* the sender leaves out some */
        EQUAL(size_of(frame->tag), bytes);
        CHECK(filled(frame->payload.at, bytes, frame->tag));
        next_work[from] = frame->tag + 1;
    }
}

static void take_all(int timeout_ms)
{
    peer_frame_t frame;
    while (peer_next(&frame)) take(&frame);
    await_peers(timeout_ms);
}

static bool all_said(uint32_t tag)
{
    for (int r = 0; r < ranks; r++)
        if (r != victim && last[r] < tag) return false;
    return true;
}

/* A barrier of the living. */
static void meet(uint32_t tag)
{
    for (int r = 0; r < ranks; r++)
        if (r != victim) EXPECT(BYRE_OK, peer_send(r, LAST, tag, NULL, NULL, 0));
    while (!all_said(tag)) {
        peer_frame_t frame;
        next_frame(&frame);
        take(&frame);
    }
}

int main(int argc, char **argv)
{
    CHECK(on_exit(note_the_end, NULL) == 0);
    open_peers();
    calm = argc > 2 && strcmp(argv[2], "calm") == 0;
    victim = argc > 1 ? atoi(argv[1]) : ranks - 1;
    CHECK(victim >= 0 && victim < ranks);
    for (uint32_t number = 0; gone == 0; number++) {
        if (me == victim && number == ENOUGH) raise(SIGKILL);
        for (int r = 0; r < ranks; r++)
            if (peer_alive(r)) send_work(r, number);
        take_all(calm ? 20 : 1);
    }
    EXPECT(BYRE_EPEER, peer_send(victim, WORK, 0, NULL, NULL, 0));
    EQUAL(0, peer_backlog(victim));
    meet(1);
    for (uint32_t number = 1000000; number < 1000100; number++) {
        for (int r = 0; r < ranks; r++)
            if (r != victim) send_work(r, number);
        take_all(0);
    }
    meet(2);
    EQUAL(1, gone);
    peer_close();
    printf("rank %d: told once of rank %d\n", me, victim);
    fflush(stdout);
    return 0;
}
