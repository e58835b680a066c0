/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages above 2 GiB, in every way that can carry them. Each side needs one buffer of that size, and
 * byre_get_message brings another.
 * ranks: 2
 * apart: no
 * time-limit: 180
 */
#include "testing.h"

static const size_t bytes = ((size_t)2 << 30) + 12345;
static char *place_for_bulk;
static _Atomic int handled;

static size_t available(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1) break;
    fclose(file);
    return kib * KIB;
}

static void *place(const byre_am_t *am, void *arg)
{
    (void)arg;
    EQUAL(bytes, am->bulk_bytes);
    return place_for_bulk;
}

static void handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EQUAL(bytes, am->bulk_bytes);
    CHECK(am->bulk == place_for_bulk);
    atomic_fetch_add(&handled, 1);
}

static void sender(char *buf)
{
    byre_request_t req;
    fill(buf, bytes, 1);
    EXPECT(BYRE_OK, byre_send(at(1, 1), buf, bytes));
    EXPECT(BYRE_OK, byre_isend(at(1, 2), buf, bytes, NULL, &req));
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
    EXPECT(BYRE_OK, byre_isend_cow(at(1, 3), buf, bytes, NULL, &req));
    memset(buf, 0, MIB);
    memset(buf + bytes - MIB, 0, MIB);
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
    fill(buf, MIB, 1);
    buf[bytes - 1] = 'e';
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_send(1, 1, NULL, 0, buf, bytes));
}

static void receiver(char *buf)
{
    byre_info_t info;
    byre_request_t req;
    void *message;
    EXPECT(BYRE_OK, byre_recv(1, 0, buf, bytes, &info));
    EQUAL(bytes, info.bytes);
    EQUAL(0, info.source);
    CHECK(filled(buf, bytes, 1));
    memset(buf, 0, bytes);
    EXPECT(BYRE_OK, byre_irecv(2, BYRE_ANY, buf, bytes, &req));
    EXPECT(BYRE_OK, byre_wait(&req, &info));
    EQUAL(bytes, info.bytes);
    CHECK(filled(buf, bytes, 1));
    free(buf);
    UNTIL(byre_poll(3, 0, &info) == BYRE_OK);
    EQUAL(bytes, info.bytes);
    EXPECT(BYRE_OK, byre_get_message(3, 0, &message, &info));
    EQUAL(bytes, info.bytes);
    CHECK(filled(message, bytes, 1));
    place_for_bulk = message;
    memset(message, 0, bytes);
    EXPECT(BYRE_OK, byre_am_register(1, handler, place, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    UNTIL(atomic_load(&handled) == 1);
    CHECK(filled(message, MIB, 1));
    CHECK(place_for_bulk[bytes - 1] == 'e');
    free(message);
}

int main(void)
{
    if (available() < 7 * ((size_t)1 << 30)) {
        puts("less than 7 GiB of memory are free");
        return 77;
    }
    start();
    if (ranks == 2) {
        char *buf = room_for(bytes);
        if (me == 0) {
            sender(buf);
            free(buf);
        } else {
            receiver(buf);
        }
    }
    return finish();
}
