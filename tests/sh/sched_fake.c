/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sched_fake.c - a daemon that runs nothing: it speaks talk.h on the socket of a pool, does what a mode says, and
 * watches that a client keeps to the windows. For what the real one does only when all goes wrong.
 *
 * usage: sched_fake MODE, with BYRE_STATE and BYRE_POOL. It prints "ready" when it listens, serves one client after
 * the other until it is killed, and ends with status 3 and a line on stderr when a client breaks a rule.
 *
 * Modes: ok; version (it speaks another); garbage (no frames at all); refuse (the owner is another);
 * die-hello, die-submit (before ACCEPTED), die-started, die-output (in the middle of a frame); mute (no answer).
 *
 * What argv[0] of a job says, it does at once:
 *   say WORDS...    one line of them          exit N, signal N     ends so
 *   cat             stdin to stdout           flood N              N bytes, as fast as the window opens
 *   nocwd, noexec, nostart, lost, impossible  never ran            signals   ends by the first SIGNAL it gets
 *   index           its variables             anything else        exit 0
 */
#include <byre_errors.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sched/frame.h"
#include "sched/job.h"
#include "sched/node.h"
#include "sched/state.h"
#include "sched/talk.h"

enum { WINDOW = 64 << 10, JOBS = 4096, OUTPUT = 4096 };

typedef struct job {
    byre__job_id_t id;
    byre__spec_t spec;
    uint32_t tag;
    bool ended;
    byre__end_t end;
    char output[OUTPUT]; /* of one without streams: for LOG */
    size_t output_bytes;
    uint32_t window, room; /* what may be sent to the client; what it may send */
    uint64_t flood;        /* bytes to come */
} job_t;

static const char *mode;
static byre__stream_t client;
static job_t jobs[JOBS];
static uint64_t count;

static void broken(const char *rule)
{
    fprintf(stderr, "sched_fake: the client broke a rule: %s\n", rule);
    exit(3);
}

static bool is(const char *name)
{
    return strcmp(mode, name) == 0;
}

static void say(uint16_t type, uint32_t tag, byre__pack_t *pack)
{
    byre__stream_put(&client, type, tag, pack);
    byre__pack_fini(pack);
}

static void hang_up(void)
{
    (void)byre__stream_drain(&client);
    (void)shutdown(client.fd, SHUT_RDWR);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------ */

static job_t *find(const byre__job_id_t *id)
{
    for (uint64_t i = 0; i < count; i++) {
        if (byre__job_id_equal(&jobs[i % JOBS].id, id)) return &jobs[i % JOBS];
    }
    return NULL;
}

static void say_output(job_t *job, const void *data, size_t bytes)
{
    byre__pack_t pack = { 0 };

    if (!(job->spec.flags & BYRE__JOB_STREAMS)) {
        if (bytes > OUTPUT - job->output_bytes) bytes = OUTPUT - job->output_bytes;
        memcpy(job->output + job->output_bytes, data, bytes);
        job->output_bytes += bytes;
        return;
    }
    byre__pack_job_id(&pack, &job->id);
    byre__pack_u8(&pack, 1);
    byre__stream_put_with(&client, BYRE__SAY_OUTPUT, job->tag, &pack, data, bytes);
    byre__pack_fini(&pack);
    job->window -= (uint32_t)bytes;
}

static void say_ended(const job_t *job, uint32_t tag)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, &job->id);
    byre__pack_text(&pack, "n3");
    byre__pack_end(&pack, &job->end);
    say(BYRE__SAY_ENDED, tag, &pack);
}

static void end_job(job_t *job, uint8_t kind, int code)
{
    job->ended = true;
    job->end = (byre__end_t){ .kind = kind,
                              .code = code,
                              .out_bytes = job->output_bytes,
                              .started_ms = 1000,
                              .ended_ms = 2500 };
    if (job->spec.flags & BYRE__JOB_ATTACHED) say_ended(job, job->tag);
}

static void flood(job_t *job)
{
    static char data[16384];
    uint64_t n = job->flood < job->window ? job->flood : job->window;

    if (job->ended || job->flood == 0 || n == 0) return;
    memset(data, 'x', sizeof data);
    if (n > sizeof data) n = sizeof data;
    job->flood -= n;
    say_output(job, data, n);
    if (job->flood == 0) end_job(job, BYRE__END_EXITED, 0);
}

static void say_words(job_t *job, char **words)
{
    char line[1024] = "";

    for (; *words != NULL; words++) {
        strncat(line, *words, sizeof line - strlen(line) - 2);
        strcat(line, words[1] ? " " : "");
    }
    strcat(line, "\n");
    say_output(job, line, strlen(line));
}

static void start(job_t *job)
{
    static const struct {
        const char *name;
        uint8_t kind;
        int code;
    } never[] = { { "nocwd", BYRE__END_NO_CWD, ENOENT },
                  { "noexec", BYRE__END_NO_EXEC, ENOENT },
                  { "noright", BYRE__END_NO_EXEC, EACCES },
                  { "nostart", BYRE__END_NO_START, EAGAIN },
                  { "lost", BYRE__END_LOST, 0 },
                  { "impossible", BYRE__END_IMPOSSIBLE, 0 } };
    const char *what = job->spec.argv[0], *number = job->spec.argv[1];
    byre__pack_t pack = { 0 };

    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        if (strcmp(what, never[i].name) == 0) {
            end_job(job, never[i].kind, never[i].code);
            return;
        }
    }
    if (job->spec.flags & BYRE__JOB_ATTACHED) {
        byre__pack_job_id(&pack, &job->id);
        byre__pack_text(&pack, "n3");
        byre__pack_u64(&pack, 4711);
        byre__pack_text(&pack, "0-1");
        say(BYRE__SAY_STARTED, job->tag, &pack);
    }
    if (is("die-started")) {
        hang_up();
    } else if (is("die-output")) {
        /* Half a frame: the head says more than comes. */
        static const uint8_t head[16] = { 200, 0, 0, 0, BYRE__SAY_OUTPUT };

        (void)byre__stream_drain(&client);
        if (write(client.fd, head, sizeof head) != sizeof head) exit(1);
        hang_up();
    } else if (strcmp(what, "exit") == 0) {
        end_job(job, BYRE__END_EXITED, atoi(number));
    } else if (strcmp(what, "signal") == 0) {
        end_job(job, BYRE__END_SIGNAL, atoi(number));
    } else if (strcmp(what, "flood") == 0) {
        job->flood = strtoull(number, NULL, 10);
        flood(job);
    } else if (strcmp(what, "cat") != 0 && strcmp(what, "signals") != 0) {
        if (strcmp(what, "say") == 0) say_words(job, job->spec.argv + 1);
        if (strcmp(what, "index") == 0) say_words(job, job->spec.env);
        end_job(job, BYRE__END_EXITED, 0);
    }
}

static void submit(uint32_t tag, byre__unpack_t *ask)
{
    uint32_t context = byre__unpack_u32(ask), n = byre__unpack_u32(ask);
    uint64_t first = count;
    byre__pack_t pack = { 0 };

    if (context == 0) broken("SUBMIT names no context");
    if (is("die-submit")) {
        hang_up();
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        job_t *job = &jobs[count % JOBS];

        byre__spec_fini(&job->spec);
        *job = (job_t){ .tag = tag, .window = WINDOW, .room = WINDOW };
        strcpy(job->id.home, "n1");
        job->id.number = ++count;
        byre__unpack_spec(ask, &job->spec);
    }
    if (!byre__unpack_done(ask) || n > JOBS) broken("SUBMIT is not well formed");
    byre__pack_job_id(&pack, &jobs[first % JOBS].id);
    byre__pack_u32(&pack, n);
    say(BYRE__SAY_ACCEPTED, tag, &pack);
    for (uint64_t i = first; i < count; i++) start(&jobs[i % JOBS]);
}

/* ---- about jobs -------------------------------------------------------------------------------------------------- */

/* u32 count, count x (first, how many): calls fn for each that there is. */
static uint64_t each_in(byre__unpack_t *ask, uint32_t tag, uint32_t number,
                        void (*fn)(job_t *job, uint32_t tag, uint32_t number))
{
    uint32_t n = byre__unpack_u32(ask);
    uint64_t found = 0;

    while (n-- > 0) {
        byre__job_id_t id;
        uint64_t many;

        byre__unpack_job_id(ask, &id);
        many = byre__unpack_u64(ask);
        for (; many > 0 && id.number <= count; many--, id.number++) {
            job_t *job = find(&id);

            if (job == NULL) continue;
            found += !job->ended || tag != 0;
            fn(job, tag, number);
        }
    }
    if (!byre__unpack_done(ask)) broken("ranges are not well formed");
    return found;
}

static void tell_end(job_t *job, uint32_t tag, uint32_t number)
{
    (void)number;
    if (job->ended) say_ended(job, tag);
}

static void kill_job(job_t *job, uint32_t tag, uint32_t number)
{
    (void)tag;
    if (!job->ended && number > 0) end_job(job, BYRE__END_SIGNAL, (int)number);
}

static void say_row(job_t *job, uint32_t tag, uint32_t number)
{
    byre__row_t row = { .id = job->id,
                        .state = job->ended ? BYRE__JOB_ENDED : BYRE__JOB_STARTED,
                        .flags = job->spec.flags,
                        .attempt = 1,
                        .cpus = job->spec.cpus,
                        .pid = 4711,
                        .submitted_ms = 500,
                        .started_ms = 1000,
                        .end = job->end };
    byre__pack_t pack = { 0 };

    if (!(number & (job->ended ? 2U : 1U))) {
        byre__pack_fini(&pack);
        return;
    }
    strcpy(row.node, "n3");
    strcpy(row.cpu_list, "0-1");
    snprintf(row.name, sizeof row.name, "%s",
             job->spec.name[0] ? job->spec.name : job->spec.argv[0]);
    for (char **word = job->spec.argv; *word != NULL; word++) {
        size_t n = strlen(row.command);

        snprintf(row.command + n, sizeof row.command - n, "%s%s", n ? " " : "", *word);
    }
    byre__pack_row(&pack, &row);
    say(BYRE__SAY_ROW, tag, &pack);
}

static void list(uint32_t tag, byre__unpack_t *ask)
{
    byre__unpack_t all;
    uint8_t what = byre__unpack_u8(ask);
    byre__pack_t pack = { 0 };

    (void)byre__unpack_u32(ask);
    all = *ask;
    if (byre__unpack_u32(&all) > 0) {
        each_in(ask, tag, what, say_row);
    } else {
        for (uint64_t i = 0; i < count; i++) say_row(&jobs[i % JOBS], tag, what);
    }
    say(BYRE__SAY_DONE, tag, &pack);
}

static void log_of(uint32_t tag, byre__unpack_t *ask)
{
    byre__job_id_t id;
    byre__pack_t pack = { 0 };
    uint8_t stream;
    uint64_t from;
    job_t *job;

    byre__unpack_job_id(ask, &id);
    stream = byre__unpack_u8(ask);
    from = byre__unpack_u64(ask);
    job = find(&id);
    if (job == NULL) {
        byre__pack_u32(&pack, (uint32_t)BYRE_ENOTFOUND);
        byre__pack_text(&pack, "there is no such job (any more)");
        say(BYRE__SAY_ERROR, tag, &pack);
        return;
    }
    if (stream == 1 && job->output_bytes > from) {
        byre__pack_job_id(&pack, &id);
        byre__pack_u8(&pack, stream);
        byre__stream_put_with(&client, BYRE__SAY_OUTPUT, tag, &pack, job->output + from,
                              job->output_bytes - from);
        byre__pack_clear(&pack);
    }
    byre__pack_u64(&pack, stream == 1 ? job->output_bytes : 0);
    say(BYRE__SAY_DONE, tag, &pack);
}

static void nodes(uint32_t tag)
{
    static const char *const names[] = { "n1", "n2", "n3" };
    byre__pack_t pack = { 0 };

    for (int i = 0; i < 3; i++) {
        byre__node_row_t row = {
            .state = (uint8_t)i,
            .rank = i,
            .slots = 2,
            .running = (uint32_t)i,
            .load = { .busy = 0.5, .owner_idle_s = i ? 3.5 : 1.0 / 0.0, .mem_bytes = 1 << 30 }
        };

        strcpy(row.name, names[i]);
        strcpy(row.policy, "threshold");
        strcpy(row.place, "last");
        byre__pack_node_row(&pack, &row);
        say(BYRE__SAY_NODE, tag, &pack);
        pack = (byre__pack_t){ 0 };
    }
    say(BYRE__SAY_DONE, tag, &pack);
}

static void about_stream(uint16_t type, byre__unpack_t *ask)
{
    byre__job_id_t id;
    job_t *job;

    byre__unpack_job_id(ask, &id);
    job = find(&id);
    if (job == NULL || ask->failed) broken("a frame about no job");
    if (type == BYRE__ASK_STDIN) {
        size_t bytes = (size_t)(ask->end - ask->at);
        byre__pack_t pack = { 0 };

        if (bytes > job->room) broken("more STDIN than ROOM allowed");
        if (job->ended) return;
        job->room -= (uint32_t)bytes;
        /* What does not fit into the window waits with nobody: a cat is given so much only. */
        if (bytes > job->window)
            broken("cat's window is full although it was told to send no more");
        say_output(job, ask->at, bytes);
        byre__pack_job_id(&pack, &id);
        byre__pack_u32(&pack, job->window > job->room ? job->window - job->room : 0);
        if (job->window > job->room) job->room = job->window;
        say(BYRE__SAY_ROOM, job->tag, &pack);
    } else if (type == BYRE__ASK_STDIN_END) {
        if (!job->ended && strcmp(job->spec.argv[0], "cat") == 0) end_job(job, BYRE__END_EXITED, 0);
    } else if (type == BYRE__ASK_WINDOW) {
        uint32_t bytes;
        bool out = byre__unpack_u8(ask) == 1;

        bytes = byre__unpack_u32(ask);
        if (!out || !(job->spec.flags & BYRE__JOB_STREAMS)) return;
        job->window += bytes;
        if (job->window > WINDOW) broken("a WINDOW beyond what was sent");
        if (!job->ended && strcmp(job->spec.argv[0], "cat") == 0 && job->window > job->room) {
            byre__pack_t pack = { 0 };

            byre__pack_job_id(&pack, &id);
            byre__pack_u32(&pack, job->window - job->room);
            job->room = job->window;
            say(BYRE__SAY_ROOM, job->tag, &pack);
        }
    } else if (type == BYRE__ASK_SIGNAL) {
        uint32_t number = byre__unpack_u32(ask);

        if (!job->ended && strcmp(job->spec.argv[0], "cat") != 0)
            end_job(job, BYRE__END_SIGNAL, (int)number);
    }
}

/* ---- frames -------------------------------------------------------------------------------------------------------- */

static void hello(uint32_t tag, byre__unpack_t *ask)
{
    byre__pack_t pack = { 0 };

    if (byre__unpack_u32(ask) != BYRE__TALK_VERSION) broken("HELLO has no version");
    if (is("mute")) return;
    if (is("die-hello")) {
        hang_up();
        return;
    }
    if (is("refuse")) {
        byre__pack_u32(&pack, (uint32_t)BYRE_ERIGHT);
        byre__pack_text(&pack, "this pool belongs to another user");
        say(BYRE__SAY_ERROR, tag, &pack);
        return;
    }
    byre__pack_u32(&pack, is("version") ? 99 : BYRE__TALK_VERSION);
    byre__pack_text(&pack, "n1");
    byre__pack_text(&pack, "pool");
    byre__pack_u32(&pack, 3);
    byre__pack_u32(&pack, 2);
    say(BYRE__SAY_WELCOME, tag, &pack);
}

static void serve_frame(const byre__frame_t *frame, byre__unpack_t *ask)
{
    byre__pack_t pack = { 0 };
    uint32_t number;

    switch (frame->type) {
    case BYRE__ASK_HELLO:
        hello(frame->tag, ask);
        break;
    case BYRE__ASK_CONTEXT:
        break;
    case BYRE__ASK_SUBMIT:
        submit(frame->tag, ask);
        break;
    case BYRE__ASK_WAIT:
        /* One that has not ended is not waited for: DONE does not come. */
        if (each_in(ask, frame->tag, 0, tell_end) > 0 && count > 0 &&
            !jobs[(count - 1) % JOBS].ended)
            break;
        say(BYRE__SAY_DONE, frame->tag, &pack);
        break;
    case BYRE__ASK_KILL:
        number = byre__unpack_u32(ask);
        byre__pack_u64(&pack, each_in(ask, 0, number, kill_job));
        say(BYRE__SAY_KILLED, frame->tag, &pack);
        break;
    case BYRE__ASK_LIST:
        list(frame->tag, ask);
        break;
    case BYRE__ASK_NODES:
        nodes(frame->tag);
        break;
    case BYRE__ASK_LOG:
        log_of(frame->tag, ask);
        break;
    case BYRE__ASK_DOWN:
        say(BYRE__SAY_DONE, frame->tag, &pack);
        break;
    default:
        about_stream(frame->type, ask);
    }
}

static bool floods(void)
{
    bool some = false;

    for (uint64_t i = 0; i < count && i < JOBS; i++) {
        flood(&jobs[i]);
        some |= !jobs[i].ended && jobs[i].flood > 0 && jobs[i].window > 0;
    }
    return some;
}

static void serve(int fd)
{
    byre__frame_t frame;
    byre__unpack_t ask;
    int got, error = BYRE_OK;

    byre__stream_init(&client, fd);
    if (is("garbage")) {
        static const char text[] = "HTTP/1.0 400 Bad Request\r\n\r\nThis is another protocol.\r\n";

        if (write(fd, text, sizeof text) < 0) exit(1);
    }
    while (error == BYRE_OK || error == BYRE_EAGAIN) {
        bool some;

        while ((got = byre__stream_next(&client, &frame, &ask)) == 1) serve_frame(&frame, &ask);
        if (got < 0) broken("no frame");
        some = byre__stream_backlog(&client) < (1 << 20) && floods();
        error = byre__stream_flush(&client);
        if (error == BYRE_OK) {
            struct pollfd ready = { fd, POLLIN, 0 };

            if (byre__stream_backlog(&client) > 0) ready.events |= POLLOUT;
            (void)poll(&ready, 1, some && byre__stream_backlog(&client) == 0 ? 0 : -1);
            error = byre__stream_fill(&client);
        }
    }
    for (uint64_t i = 0; i < count && i < JOBS; i++) {
        if (jobs[i].spec.flags & BYRE__JOB_ATTACHED) jobs[i].ended = true;
    }
    byre__stream_fini(&client);
}

int main(int argc, char **argv)
{
    char dir[BYRE__STATE_PATH];
    int fd;

    mode = argc == 2 ? argv[1] : "ok";
    (void)signal(SIGPIPE, SIG_IGN);
    if (byre__state_dir(byre__state_pool(NULL), true, dir) != BYRE_OK) {
        perror("sched_fake: the state directory");
        return 1;
    }
    fd = byre__unix_listen(dir, "byred.sock");
    if (fd < 0) {
        perror("sched_fake: byred.sock");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd ready = { fd, POLLIN, 0 };
        int peer;

        (void)poll(&ready, 1, -1);
        /* cppcheck-suppress nullPointer */
        peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (peer >= 0) serve(peer);
    }
}
