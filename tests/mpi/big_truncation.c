/* SPDX-License-Identifier: BSD-3-Clause */
/* A message above 2 GiB that comes to a short buffer: its length is told, and it is kept whole.
 * ranks: 2
 * apart: no
 * time-limit: 120
 */
#include "testing.h"

static const size_t bytes = ((size_t)2 << 30) + 12345;

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

int main(void)
{
    if (available() < 7 * ((size_t)1 << 30)) {
        puts("less than 7 GiB of memory are free");
        return 77;
    }
    start();
    char *buf = room_for(bytes);
    for (size_t room = 1000; me < 2 && room < MIB; room *= 100) {
        byre_info_t info;
        if (me == 0) {
            fill(buf, bytes, 1);
            EXPECT(BYRE_OK, byre_send(at(1, 1), buf, bytes));
        } else {
            EXPECT(BYRE_ETRUNC, byre_recv(1, 0, buf, room, &info));
            EQUAL(bytes, info.bytes);
            memset(buf, 0, bytes);
            EXPECT(BYRE_OK, byre_recv(1, 0, buf, bytes, &info));
            EQUAL(bytes, info.bytes);
            CHECK(filled(buf, bytes, 1));
        }
    }
    free(buf);
    return finish();
}
