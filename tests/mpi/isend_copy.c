/* SPDX-License-Identifier: BSD-3-Clause */
/* Nonblocking send with copy: the buffer is overwritten at once, what arrives is what was there. */
#include "testing.h"

int main(void)
{
    enum { MESSAGES = 120 };
    static const size_t sizes[] = { 0, 1, 13, 64, 1000, 4096, 20000, 300000, 4 * 1024 * 1024 };
    start();
    char *buf = room_for(4 * MIB), *in = room_for(4 * MIB);
    for (int i = 0; i < MESSAGES; i++) {
        size_t bytes = i < 100 ? sizes[i % 6] : sizes[(size_t)i % LENGTH(sizes)];
        for (int to = 0; to < ranks; to++) {
            fill(buf + i % 3, bytes > 3 ? bytes - 3 : 0,
                 mix3((uint64_t)me, (uint64_t)to, (uint64_t)i));
            EXPECT(BYRE_OK, byre_isend_copy(at(to, 1), buf + i % 3, bytes > 3 ? bytes - 3 : 0));
            memset(buf, i, bytes);
        }
        /* Nobody has begun to receive yet, but all of it is kept. */
        if (i % 20 != 19) continue;
        for (int j = i - 19; j <= i; j++) {
            bytes = j < 100 ? sizes[j % 6] : sizes[(size_t)j % LENGTH(sizes)];
            for (int from = 0; from < ranks; from++) {
                byre_info_t info;
                EXPECT(BYRE_OK, byre_recv(1, from, in, 4 * MIB, &info));
                EQUAL(bytes > 3 ? bytes - 3 : 0, info.bytes);
                CHECK(filled(in, info.bytes, mix3((uint64_t)from, (uint64_t)me, (uint64_t)j)));
            }
        }
    }
    free(in);
    free(buf);
    return finish();
}
