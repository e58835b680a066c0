/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker: chunks in, results out. */
#include "wordfreq.h"

#include <stdlib.h>
#include <string.h>

int work(void)
{
    size_t room = 64 * 1024;
    char *buf = or_die(malloc(room));
    for (;;) {
        byre_info_t info;
        int error = byre_recv(WORK, 0, buf, room, &info);
        if (error == BYRE_ETRUNC) { /* it was kept: make room and take it */
            room = info.bytes;
            buf = or_die(realloc(buf, room));
            continue;
        }
        must(error, "the dispatcher is gone");
        if (info.bytes == 0) break;

        uint32_t chunk;
        table_t table;
        size_t bytes;
        memcpy(&chunk, buf, sizeof chunk);
        table_init(&table);
        count_words(&table, buf + sizeof chunk, info.bytes - sizeof chunk);
        char *result = pack(&table, chunk, &bytes);
        must(byre_send((byre_addr_t){ 0, chunk % 2 == 0 ? RESULTS : POPUPS }, result, bytes),
             "cannot return a result");
        free(result);
        table_fini(&table);
    }
    free(buf);
    return 0;
}
