/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.c - see frame.h. */
#include "sched/frame.h"

#include <byre_errors.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 12, READ_ROOM = 64 << 10 };

void byre__stream_init(byre__stream_t *stream, int fd)
{
    *stream = (byre__stream_t){ .fd = fd };
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void byre__stream_fini(byre__stream_t *stream)
{
    if (stream->fd >= 0) close(stream->fd);
    byre__pack_fini(&stream->in);
    byre__pack_fini(&stream->out);
    stream->fd = -1;
}

/* ---- out ------------------------------------------------------------------------------------------ */

/* What has been used goes once it is the larger part: each byte moves at most once or twice. */
static void drop_used(byre__pack_t *buffer, size_t *used)
{
    if (*used == 0 || *used < buffer->bytes / 2) return;
    buffer->bytes -= *used;
    memmove(buffer->data, buffer->data + *used, buffer->bytes);
    *used = 0;
}

int byre__stream_put_with(byre__stream_t *stream, uint16_t type, uint32_t tag,
                          const byre__pack_t *payload, const void *data, size_t bytes)
{
    size_t packed = payload == NULL ? 0 : payload->bytes;
    if (payload != NULL && payload->failed) return BYRE_ENOMEM;
    if (packed > BYRE__FRAME_MAX || bytes > BYRE__FRAME_MAX - packed) return BYRE_ERANGE;
    byre__pack_t *out = &stream->out;
    size_t before = out->bytes;
    byre__pack_u32(out, (uint32_t)(packed + bytes));
    byre__pack_u32(out, type);
    byre__pack_u32(out, tag);
    if (packed > 0) byre__pack_raw(out, payload->data, packed);
    byre__pack_raw(out, data, bytes);
    if (!out->failed) return BYRE_OK;
    out->bytes = before;
    out->failed = false;
    return BYRE_ENOMEM;
}

int byre__stream_put(byre__stream_t *stream, uint16_t type, uint32_t tag,
                     const byre__pack_t *payload)
{
    return byre__stream_put_with(stream, type, tag, payload, NULL, 0);
}

int byre__stream_flush(byre__stream_t *stream)
{
    byre__pack_t *out = &stream->out;
    if (stream->fd < 0) return BYRE_EPEER;
    while (stream->out_at < out->bytes) {
        ssize_t n = send(stream->fd, out->data + stream->out_at, out->bytes - stream->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            stream->out_at += (size_t)n;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return BYRE_EPEER;
        break;
    }
    drop_used(out, &stream->out_at);
    return BYRE_OK;
}

size_t byre__stream_backlog(const byre__stream_t *stream)
{
    return stream->out.bytes - stream->out_at;
}

/* ---- in ------------------------------------------------------------------------------------------- */

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool make_room(byre__pack_t *in, size_t bytes)
{
    if (in->room - in->bytes >= bytes) return true;
    uint8_t *data = realloc(in->data, in->bytes + bytes);
    if (data == NULL) return false;
    in->data = data;
    in->room = in->bytes + bytes;
    return true;
}

int byre__stream_fill(byre__stream_t *stream)
{
    byre__pack_t *in = &stream->in;
    if (stream->fd < 0) return BYRE_EPEER;
    drop_used(in, &stream->in_at);
    size_t room = READ_ROOM;
    if (in->bytes - stream->in_at >= 4) { /* a long frame, as far as it is known how long */
        size_t whole = HEAD + word_at(in->data + stream->in_at);
        size_t have = in->bytes - stream->in_at;
        if (whole <= HEAD + BYRE__FRAME_MAX && whole > have && whole - have > room)
            room = whole - have < 1 << 20 ? whole - have : 1 << 20;
    }
    if (!make_room(in, room)) return BYRE_ENOMEM;
    ssize_t n;
    do {
        n = recv(stream->fd, in->data + in->bytes, in->room - in->bytes, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) return BYRE_EAGAIN;
    if (n <= 0) return BYRE_EPEER;
    in->bytes += (size_t)n;
    return BYRE_OK;
}

int byre__stream_next(byre__stream_t *stream, byre__frame_t *frame_out, byre__unpack_t *payload_out)
{
    byre__pack_t *in = &stream->in;
    size_t have = in->bytes - stream->in_at;
    if (have < HEAD) return 0;
    const uint8_t *at = in->data + stream->in_at;
    byre__frame_t frame = { .bytes = word_at(at),
                            .type = (uint16_t)(at[4] | at[5] << 8),
                            .zero = (uint16_t)(at[6] | at[7] << 8),
                            .tag = word_at(at + 8) };
    if (frame.bytes > BYRE__FRAME_MAX || frame.zero != 0) return BYRE_EPROTO;
    if (have - HEAD < frame.bytes) return 0;
    stream->in_at += HEAD + frame.bytes;
    *frame_out = frame;
    *payload_out = byre__unpack_of(at + HEAD, frame.bytes);
    return 1;
}

/* ---- waiting -------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int byre__stream_drain(byre__stream_t *stream)
{
    for (;;) {
        int error = byre__stream_flush(stream);
        if (error != BYRE_OK || byre__stream_backlog(stream) == 0) return error;
        struct pollfd ready = { .fd = stream->fd, .events = POLLOUT };
        (void)poll(&ready, 1, -1);
    }
}

int byre__stream_await(byre__stream_t *stream, byre__frame_t *frame_out,
                       byre__unpack_t *payload_out, int timeout_ms)
{
    int64_t end = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
    for (;;) {
        int there = byre__stream_next(stream, frame_out, payload_out);
        if (there != 0) return there;
        int error = byre__stream_fill(stream);
        if (error == BYRE_OK) continue;
        if (error != BYRE_EAGAIN) return error;
        int64_t left = timeout_ms < 0 ? -1 : end - now_ms();
        if (timeout_ms >= 0 && left <= 0) return BYRE_ETIMEOUT;
        struct pollfd ready = { .fd = stream->fd, .events = POLLIN };
        if (byre__stream_backlog(stream) > 0) ready.events |= POLLOUT;
        (void)poll(&ready, 1, (int)left);
        error = byre__stream_flush(stream);
        if (error != BYRE_OK && (ready.revents & POLLIN) == 0) return error;
    }
}

/* ---- sockets -------------------------------------------------------------------------------------- */

/* A Unix socket's path has 108 bytes; through a descriptor of its directory any directory will do. */
static int by_directory(const char *dir, const char *name, struct sockaddr_un *address)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", fd, name);
    if (n < 0 || (size_t)n >= sizeof address->sun_path) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    return fd;
}

static int close_keeping_errno(int fd)
{
    int saved = errno;
    if (fd >= 0) close(fd);
    errno = saved;
    return BYRE_ESYSTEM;
}

int byre__unix_listen(const char *dir, const char *name)
{
    struct sockaddr_un address;
    int at = by_directory(dir, name, &address);
    if (at < 0) return BYRE_ESYSTEM;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) goto fail;
    if (unlinkat(at, name, 0) != 0 && errno != ENOENT) goto fail;
    /* Nobody can connect before listen, so there is no moment at which the mode is too wide. */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) goto fail;
    if (fchmodat(at, name, 0600, 0) != 0) goto fail;
    if (listen(fd, 512) != 0) goto fail;
    close(at);
    return fd;
fail:
    close_keeping_errno(fd);
    return close_keeping_errno(at);
}

int byre__unix_connect(const char *dir, const char *name)
{
    struct sockaddr_un address;
    int at = by_directory(dir, name, &address);
    if (at < 0) return BYRE_ESYSTEM;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close_keeping_errno(fd);
        return close_keeping_errno(at);
    }
    close(at);
    return fd;
}

bool byre__unix_peer_is_owner(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}
