/* SPDX-License-Identifier: BSD-3-Clause */
/* output.c - see output.h. */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool output_write_all(int fd, const void *data, size_t bytes)
{
    const uint8_t *at = data;

    while (bytes > 0) {
        ssize_t n = write(fd, at, bytes);

        if (n >= 0) {
            at += n;
            bytes -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd ready = { .fd = fd, .events = POLLOUT };

            (void)poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

ptrdiff_t output_write_some(int fd, const void *data, size_t bytes)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) {
        n = send(fd, data, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        /* A pipe that poll calls writable takes so much without blocking; so does a terminal, nearly. */
        if (!S_ISREG(st.st_mode) && bytes > PIPE_BUF) bytes = PIPE_BUF;
        n = write(fd, data, bytes);
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    return n;
}
