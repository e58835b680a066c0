/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-on-write send: the bytes on the wire are those at the time of the call, whatever is written
 * where and by whom before the message has left. Receivers begin only after the writes, so that large
 * messages are really under way then. */
#include "testing.h"
#include <pthread.h>
#include <sys/mman.h>

static size_t page;

/* Send [buf, buf + bytes) to everybody, overwrite it while nobody receives, then receive. */
static void round_trip(char *buf, size_t bytes, uint64_t number)
{
    byre_request_t reqs[8];
    char *in = room_for(bytes);
    fill(buf, bytes, mix3((uint64_t)me, 1, number));
    for (int to = 0; to < ranks; to++)
        EXPECT(BYRE_OK, byre_isend_cow(at(to, 1), buf, bytes, NULL, &reqs[to]));
    memset(buf, 0xa5, bytes);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < bytes; i++) CHECK((unsigned char)buf[i] == 0xa5);
    for (int from = 0; from < ranks; from++) {
        byre_info_t info;
        EXPECT(BYRE_OK, byre_recv(1, from, in, bytes, &info));
        EQUAL(bytes, info.bytes);
        CHECK(filled(in, bytes, mix3((uint64_t)from, 1, number)));
    }
    EXPECT(BYRE_OK, byre_wait_all((size_t)ranks, reqs, NULL, NULL));
    for (size_t i = 0; i < bytes; i++) CHECK((unsigned char)buf[i] == 0xa5);
    free(in);
}

static void lengths_and_alignments(void)
{
    static const size_t sizes[] = { 0, 1, 100, 4095, 4096, 4097, 9000, 65536, 300001, 1048576 };
    static const size_t offsets[] = { 0, 1, 16, 4000 };
    char *buf = room_for(2 * MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++)
        for (size_t j = 0; j < LENGTH(offsets); j++)
            round_trip(buf + offsets[j], sizes[i], i * 10 + j);
    free(buf);
}

/* What lies around the buffer on the same pages stays as it is and stays writable. */
static void shared_pages(void)
{
    size_t bytes = 40 * page + 100, all = bytes + 2 * page;
    char *block = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(block != MAP_FAILED);
    char *buf = block + page / 2, *in = room_for(bytes);
    byre_request_t first, second;

    memset(block, 'n', all);
    fill(buf, bytes, mix3((uint64_t)me, 2, 0));
    EXPECT(BYRE_OK, byre_isend_cow(at(right(), 2), buf, bytes, NULL, &first));
    /* A second message out of the same memory: it overlaps the first. */
    EXPECT(BYRE_OK, byre_isend_cow(at(right(), 2), buf + page, bytes - page, NULL, &second));
    for (char *p = block; p < buf; p++) CHECK(*p == 'n');
    block[0] = 'm';
    buf[-1] = 'm';
    buf[bytes] = 'm';
    CHECK(filled(buf, bytes, mix3((uint64_t)me, 2, 0))); /* reading is free */
    buf[0] ^= 1;
    buf[bytes - 1] ^= 1;
    for (size_t i = 0; i < bytes; i += 3 * page) buf[i] ^= 1;
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_recv(2, left(), in, bytes, NULL));
    CHECK(filled(in, bytes, mix3((uint64_t)left(), 2, 0)));
    memset(in, 0, bytes);
    EXPECT(BYRE_OK, byre_recv(2, left(), in + page, bytes - page, NULL));
    fill(in, page, 0);
    char *expected = room_for(bytes);
    fill(expected, bytes, mix3((uint64_t)left(), 2, 0));
    CHECK(memcmp(in + page, expected + page, bytes - page) == 0);
    EXPECT(BYRE_OK, byre_wait(&second, NULL));
    EXPECT(BYRE_OK, byre_wait(&first, NULL));
    CHECK(block[0] == 'm' && buf[-1] == 'm' && buf[bytes] == 'm' && block[1] == 'n');
    CHECK(block[all - 1] == 'n');
    free(expected);
    free(in);
    munmap(block, all);
}

/* Snapshots of one buffer at different times. */
static void again_and_again(void)
{
    enum { TIMES = 6 };
    size_t bytes = 200 * KIB;
    char *buf = room_for(bytes + 64), *in = room_for(bytes);
    byre_request_t reqs[TIMES];
    for (int i = 0; i < TIMES; i++) {
        fill(buf + 7, bytes, mix3((uint64_t)me, 3, (uint64_t)i));
        EXPECT(BYRE_OK, byre_isend_cow(at(right(), 3), buf + 7, bytes, NULL, &reqs[i]));
    }
    memset(buf, 0, bytes + 64);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < TIMES; i++) {
        EXPECT(BYRE_OK, byre_recv(3, left(), in, bytes, NULL));
        CHECK(filled(in, bytes, mix3((uint64_t)left(), 3, (uint64_t)i)));
    }
    EXPECT(BYRE_OK, byre_wait_all(TIMES, reqs, NULL, NULL));
    free(in);
    free(buf);
}

/* Other threads write during the send, all over the buffer. */
struct scribble {
    char *buf;
    size_t bytes;
    unsigned step;
    _Atomic bool *stop;
};

static void *scribbler(void *arg)
{
    struct scribble *s = arg;
    unsigned char value = 0;
    do {
        value++;
        for (size_t i = s->step; i < s->bytes; i += 512) s->buf[i] = (char)value;
    } while (!atomic_load(s->stop));
    for (size_t i = s->step; i < s->bytes; i += 512) CHECK((unsigned char)s->buf[i] == value);
    return NULL;
}

static void written_by_threads(void)
{
    enum { THREADS = 3 };
    size_t bytes = MIB;
    char *buf = room_for(bytes), *in = room_for(bytes);
    for (int turn = 0; turn < 5; turn++) {
        pthread_t threads[THREADS];
        struct scribble jobs[THREADS];
        _Atomic bool stop = false;
        byre_request_t req;
        fill(buf, bytes, mix3((uint64_t)me, 4, (uint64_t)turn));
        EXPECT(BYRE_OK, byre_isend_cow(at(right(), 4), buf, bytes, NULL, &req));
        for (unsigned t = 0; t < THREADS; t++) {
            jobs[t] = (struct scribble){ buf, bytes, t, &stop };
            CHECK(pthread_create(&threads[t], NULL, scribbler, &jobs[t]) == 0);
        }
        EXPECT(BYRE_OK, byre_recv(4, left(), in, bytes, NULL));
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        atomic_store(&stop, true);
        for (unsigned t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
        CHECK(filled(in, bytes, mix3((uint64_t)left(), 4, (uint64_t)turn)));
        EXPECT(BYRE_OK, byre_barrier());
    }
    free(in);
    free(buf);
}

/* Several threads send neighbouring pieces of one block copy-on-write at once. */
enum { PIECES = 4 };
static char *block;
static const size_t piece_bytes = 150001;

static void *send_a_piece(void *arg)
{
    int piece = *(int *)arg;
    char *buf = block + (size_t)piece * piece_bytes;
    for (int turn = 0; turn < 10; turn++) {
        byre_request_t req;
        fill(buf, piece_bytes, mix3((uint64_t)me, (uint64_t)piece, (uint64_t)turn));
        EXPECT(BYRE_OK, byre_isend_cow(at(right(), 10 + piece), buf, piece_bytes, NULL, &req));
        memset(buf, 'x', piece_bytes);
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        CHECK(buf[0] == 'x' && buf[piece_bytes - 1] == 'x');
    }
    return NULL;
}

static void *receive_a_piece(void *arg)
{
    int piece = *(int *)arg;
    char *in = room_for(piece_bytes);
    for (int turn = 0; turn < 10; turn++) {
        EXPECT(BYRE_OK, byre_recv(10 + piece, left(), in, piece_bytes, NULL));
        CHECK(filled(in, piece_bytes, mix3((uint64_t)left(), (uint64_t)piece, (uint64_t)turn)));
    }
    free(in);
    return NULL;
}

static void pieces_by_threads(void)
{
    pthread_t threads[2 * PIECES];
    int numbers[PIECES];
    block = room_for(PIECES * piece_bytes);
    for (int i = 0; i < PIECES; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, send_a_piece, &numbers[i]) == 0);
        CHECK(pthread_create(&threads[PIECES + i], NULL, receive_a_piece, &numbers[i]) == 0);
    }
    for (int i = 0; i < 2 * PIECES; i++) pthread_join(threads[i], NULL);
    free(block);
}

/* Another thread maps memory, and finds it there as long as it wants: the end of a send leaves no gap in
 * which a new mapping could lie and be taken away with the rest. */
static void *mapper(void *arg)
{
    _Atomic bool *stop = arg;
    while (!atomic_load(stop)) {
        char *maps[16];
        size_t bytes[16];
        for (size_t i = 0; i < LENGTH(maps); i++) {
            bytes[i] = page * (1 + i * 7);
            maps[i] =
                mmap(NULL, bytes[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            CHECK(maps[i] != MAP_FAILED);
            memset(maps[i], (int)i + 1, bytes[i]);
        }
        (void)sched_yield();
        for (size_t i = 0; i < LENGTH(maps); i++) {
            for (size_t j = 0; j < bytes[i]; j += page) CHECK(maps[i][j] == (char)(i + 1));
            munmap(maps[i], bytes[i]);
        }
    }
    return NULL;
}

static void beside_mappings(void)
{
    size_t bytes = 600 * KIB;
    char *buf = room_for(bytes), *in = room_for(bytes);
    _Atomic bool stop = false;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, mapper, &stop) == 0);
    for (int turn = 0; turn < 200; turn++) {
        byre_request_t req;
        fill(buf, bytes, mix3((uint64_t)me, 5, (uint64_t)turn));
        EXPECT(BYRE_OK, byre_isend_cow(at(right(), 5), buf, bytes, NULL, &req));
        buf[bytes / 3] ^= 1;
        EXPECT(BYRE_OK, byre_recv(5, left(), in, bytes, NULL));
        EXPECT(BYRE_OK, byre_wait(&req, NULL));
        CHECK(filled(in, bytes, mix3((uint64_t)left(), 5, (uint64_t)turn)));
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    free(in);
    free(buf);
}

/* Memory of every private kind; what cannot be protected is refused, or sent as it was. */
static char in_data[80000] = { 1 };

static void kinds_of_memory(void)
{
    char path[] = "/tmp/byre-cow.XXXXXX";
    int fd = mkstemp(path);
    size_t bytes = 64 * KIB;
    CHECK(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)bytes) == 0);
    char *file = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(file != MAP_FAILED);
    round_trip(in_data, sizeof in_data, 1);
    round_trip(file, bytes, 2);
    munmap(file, bytes);
    close(fd);

    char on_stack[64 * KIB];
    byre_request_t req = BYRE_REQUEST_NULL;
    fill(on_stack, sizeof on_stack, 1);
    EXPECT(BYRE_EINVAL, byre_isend_cow(at(right(), 6), on_stack, sizeof on_stack, NULL, &req));
    CHECK(req == BYRE_REQUEST_NULL);
    CHECK(filled(on_stack, sizeof on_stack, 1));
    EXPECT(BYRE_EINVAL, byre_isend_cow(at(right(), 6), NULL, 10, NULL, &req));
    EXPECT(BYRE_EINVAL, byre_isend_cow(at(right(), 6), in_data, 10, NULL, NULL));
    char *hole = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hole != MAP_FAILED && munmap(hole, bytes) == 0);
    EXPECT(BYRE_EINVAL, byre_isend_cow(at(right(), 6), hole, bytes, NULL, &req));
    CHECK(req == BYRE_REQUEST_NULL);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(6, BYRE_ANY, NULL));
}

static _Atomic int told;

static void tell(int error, void *arg)
{
    EXPECT(BYRE_OK, error);
    CHECK(arg == in_data);
    atomic_fetch_add(&told, 1);
}

/* Memory that is being sent may itself be received into, and sent in the other ways. */
static void notice_and_reuse(void)
{
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK, .callback = tell, .arg = in_data };
    size_t bytes = 512 * KIB;
    char *buf = room_for(bytes), *in = room_for(bytes);
    byre_request_t receive, again;
    fill(buf, bytes, (uint64_t)me);
    EXPECT(BYRE_OK, byre_isend_cow(at(right(), 7), buf, bytes, &notice, NULL));
    EXPECT(BYRE_OK, byre_isend(at(right(), 8), buf, bytes, NULL, &again));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_recv(8, left(), in, bytes, NULL));
    CHECK(filled(in, bytes, (uint64_t)left()));
    EXPECT(BYRE_OK, byre_wait(&again, NULL));
    EXPECT(BYRE_OK, byre_irecv(9, left(), buf, bytes, &receive)); /* into what is being sent */
    EXPECT(BYRE_OK, byre_isend(at(right(), 9), in, bytes, NULL, &again));
    EXPECT(BYRE_OK, byre_wait(&receive, NULL));
    EXPECT(BYRE_OK, byre_wait(&again, NULL));
    CHECK(filled(buf, bytes, (uint64_t)((me + 2 * ranks - 2) % ranks)));
    EXPECT(BYRE_OK, byre_recv(7, left(), in, bytes, NULL));
    CHECK(filled(in, bytes, (uint64_t)left()));
    UNTIL(atomic_load(&told) == 1);
    CHECK(filled(buf, bytes, (uint64_t)((me + 2 * ranks - 2) % ranks)));
    free(in);
    free(buf);
}

int main(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    start();
    CHECK(ranks <= 8);
    lengths_and_alignments();
    shared_pages();
    again_and_again();
    written_by_threads();
    pieces_by_threads();
    beside_mappings();
    kinds_of_memory();
    notice_and_reuse();
    return finish();
}
