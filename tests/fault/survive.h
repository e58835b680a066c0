/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fault tests share: one rank, the victim, is killed while the others, the survivors, do
 * something that involves it.
 *
 *   int main(int argc, char **argv)
 *   {
 *       begin(argc, argv);                      chooses the victim: the last rank, or argv[1]
 *       if (me == victim) die_when_all_wait();  does not return
 *       about_to_wait();                        tells the victim
 *       EXPECT(BYRE_EPEER, ...);                whatever waits for it
 *       found_dead_in_time();
 *       return go_on_and_leave();
 *   }
 *
 * A survivor that has come to its end leaves a file, because mpirun's exit status tells nothing when a
 * rank was killed; see survivors.bash.
 */
#ifndef SURVIVE_H
#define SURVIVE_H

#include "../mpi/testing.h"
#include <limits.h>

enum { READY_PORT = 1000, GO_ON_PORT = 1001, LAST_PORT = 1002, QUIET_PORT = 1003 };
enum { AM_SILENT = 1, AM_ECHO = 2, AM_COUNT = 3 };

static int victim __attribute__((unused)) = -1;
static const char *out_dir;
static _Atomic int told_of[64]; /* how often the failure handler was called, by rank */
static _Atomic int counted;     /* active messages that came */

/* ---- files -------------------------------------------------------------------------------- */

static inline void write_file(const char *name, int number, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.%d", out_dir, name, number);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    CHECK(fclose(file) == 0);
}

/* The last of all exit handlers. */
static inline void note_the_end(int status, void *arg)
{
    char text[64];
    (void)arg;
    snprintf(text, sizeof text, "exit %d\n", status);
    if (status == 0) snprintf(text, sizeof text, "survivor %d ok\n", me);
    write_file("survivor", me, text);
}

/* ---- start -------------------------------------------------------------------------------- */

static inline void on_failure(int rank, void *arg)
{
    CHECK(arg == told_of);
    CHECK(rank >= 0 && rank < ranks && rank != me);
    atomic_fetch_add(&told_of[rank], 1);
}

static inline void never_answer(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
}

static inline void am_echo(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_am_reply(am, am->data, am->bytes));
}

static inline void am_count(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
    atomic_fetch_add(&counted, 1);
}

static inline void begin(int argc, char **argv)
{
    out_dir = getenv("BYRE_TEST_OUT");
    if (out_dir == NULL) out_dir = ".";
    CHECK(on_exit(note_the_end, NULL) == 0);
    start();
    CHECK(ranks >= 2 && ranks <= (int)LENGTH(told_of));
    victim = argc > 1 ? atoi(argv[1]) : ranks - 1;
    CHECK(victim >= 0 && victim < ranks);
    EXPECT(BYRE_OK, byre_on_peer_failure(on_failure, told_of));
    EXPECT(BYRE_OK, byre_am_register(AM_SILENT, never_answer, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(AM_ECHO, am_echo, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(AM_COUNT, am_count, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- the victim --------------------------------------------------------------------------- */

_Noreturn static inline void die(void)
{
    char text[64];
    snprintf(text, sizeof text, "%.9f\n", now_s());
    write_file("death", me, text);
    raise(SIGKILL);
    abort();
}

/* Every survivor has said that it is about to wait; it waits, most likely, when it has answered a few
 * questions after that. Whoever does not yet finds the victim dead, which has to do as well. */
static inline void die_when_all_wait(void)
{
    for (int i = 1; i < ranks; i++) EXPECT(BYRE_OK, byre_recv(READY_PORT, BYRE_ANY, NULL, 0, NULL));
    for (int i = 0; i < 50; i++)
        for (int r = 0; r < ranks; r++)
            EXPECT(BYRE_OK, byre_am_request(r, AM_ECHO, NULL, 0, NULL, 0, NULL));
    die();
}

/* ---- survivors ---------------------------------------------------------------------------- */

static inline void about_to_wait(void)
{
    EXPECT(BYRE_OK, byre_send(at(victim, READY_PORT), NULL, 0));
}

/* Called as soon as the error is there. */
static inline void rank_found_dead_in_time(int rank)
{
    double found = now_s(), died = 0;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/death.%d", out_dir, rank);
    FILE *file = fopen(path, "r");
    if (file == NULL) failed(__FILE__, __LINE__, "rank %d was called dead and lives", rank);
    CHECK(fscanf(file, "%lf", &died) == 1);
    fclose(file);
    printf("rank %d: found rank %d dead after %.1f ms\n", me, rank, (found - died) * 1e3);
    /* The bound holds for ranks that get a processor; a busy machine is given as much again. */
    CHECK((found - died) * 1e3 <= 2 * byre_failure_bound_ms());
    EQUAL(1, byre_peer_failed(rank));
}

static inline void found_dead_in_time(void)
{
    rank_found_dead_in_time(victim);
}

/* The next living rank after this one; itself if it is alone. */
static inline int next_alive(int step)
{
    int r = me;
    do r = (r + ranks + step) % ranks;
    while (byre_peer_failed(r));
    return r;
}

/* `dead` ranks are known to have failed: each was told of once, and the living work together. */
static inline void go_on(int dead)
{
    UNTIL(byre_failures_ack() >= dead);
    EQUAL(dead, byre_failures_ack());
    int failures = 0;
    for (int r = 0; r < ranks; r++) {
        if (!byre_peer_failed(r)) {
            EQUAL(0, atomic_load(&told_of[r]));
            continue;
        }
        failures++;
        UNTIL(atomic_load(&told_of[r]) >= 1);
        EQUAL(1, atomic_load(&told_of[r]));
    }
    EQUAL(dead, failures);
    uint64_t count = 0;
    EXPECT(BYRE_OK, byre_counter_get("peers_failed", &count));
    EQUAL(dead, count);

    int to = next_alive(1), from = next_alive(-1);
    char *out = room_for(300 * KIB), *in = room_for(300 * KIB);
    for (int i = 0; i < 40; i++) {
        size_t bytes = i % 8 == 7 ? 300 * KIB : (size_t)(i * 100);
        byre_request_t req;
        byre_info_t info;
        fill(out, bytes, mix3((uint64_t)me, 4, (uint64_t)i));
        EXPECT(BYRE_OK, byre_isend(at(to, GO_ON_PORT), out, bytes, NULL, &req));
        EXPECT(BYRE_OK, byre_recv(GO_ON_PORT, i % 2 ? from : BYRE_ANY, in, 300 * KIB, &info));
        EQUAL(bytes, info.bytes);
        EQUAL(from, info.source);
        CHECK(filled(in, bytes, mix3((uint64_t)from, 4, (uint64_t)i)));
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        int answer = -1;
        EXPECT(BYRE_OK, byre_am_request(to, AM_ECHO, &i, sizeof i, &answer, sizeof answer, NULL));
        EQUAL(i, answer);
    }
    free(in);
    free(out);
    /* Nobody can be talked to who is dead; nobody else is concerned. */
    for (int r = 0; r < ranks; r++) {
        if (!byre_peer_failed(r)) continue;
        EXPECT(BYRE_EPEER, byre_send(at(r, 1), "x", 1));
        EXPECT(BYRE_EPEER, byre_recv(QUIET_PORT, r, NULL, 0, NULL));
        EXPECT(BYRE_EPEER, byre_am_send(r, AM_COUNT, NULL, 0, NULL, 0));
        EXPECT(BYRE_EPEER, byre_poll(QUIET_PORT, r, NULL));
    }
    EXPECT(BYRE_EAGAIN, byre_poll(QUIET_PORT, BYRE_ANY, NULL));
}

/* Nobody leaves while another one still tests something: a barrier among the living. */
static inline void meet_the_living(void)
{
    for (int r = 0; r < ranks; r++)
        if (r != me && !byre_peer_failed(r))
            EXPECT(BYRE_OK, byre_isend_copy(at(r, LAST_PORT), &me, sizeof me));
    for (int r = 0; r < ranks; r++) {
        int number = -1;
        if (r == me || byre_peer_failed(r)) continue;
        EXPECT(BYRE_OK, byre_recv(LAST_PORT, r, &number, sizeof number, NULL));
        EQUAL(r, number);
    }
}

static inline int leave(void)
{
    fflush(stdout);
    EXPECT(BYRE_OK, byre_finalize());
    CHECK(!byre_initialized());
    return 0;
}

static inline int go_on_and_leave(void)
{
    go_on(1);
    meet_the_living();
    return leave();
}

#endif
