/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h - messages on a stream socket: a head, and a payload made with pack.h.
 *
 * A stream never blocks: what cannot be written waits in `out', what has not come whole waits in `in'.
 * Whoever fills `out' looks at byre__stream_backlog first; that is how memory stays bounded.
 * One thread at a time.
 */
#ifndef BYRE__SCHED_FRAME_H
#define BYRE__SCHED_FRAME_H

#include "pack.h"

#define BYRE__FRAME_MAX \
    ((size_t)16 << 20) /* payload bytes; a longer frame is an error of the peer */

typedef struct byre__frame {
    uint32_t bytes; /* of the payload */
    uint16_t type;  /* talk.h */
    uint16_t zero;
    uint32_t tag; /* chosen by who asks, repeated by who answers */
} byre__frame_t;

typedef struct byre__stream {
    int fd; /* nonblocking; -1: closed */
    byre__pack_t in, out;
    size_t in_at, out_at; /* consumed; written */
} byre__stream_t;

void byre__stream_init(byre__stream_t *stream,
                       int fd); /* makes it nonblocking and close-on-exec; owns it */
void byre__stream_fini(byre__stream_t *stream);

/* Append a frame to `out'. BYRE_OK, BYRE_ENOMEM, BYRE_ERANGE (too long). */
int byre__stream_put(byre__stream_t *stream, uint16_t type, uint32_t tag,
                     const byre__pack_t *payload);
/* The same with raw bytes behind the packed ones, for streams of jobs. */
int byre__stream_put_with(byre__stream_t *stream, uint16_t type, uint32_t tag,
                          const byre__pack_t *payload, const void *data, size_t bytes);
/* Write what can be written. BYRE_OK (look at the backlog), BYRE_EPEER: the other side is gone. */
int byre__stream_flush(byre__stream_t *stream);
/* Bytes that wait to be written. */
size_t byre__stream_backlog(const byre__stream_t *stream);

/* Read once what is there. BYRE_OK; BYRE_EAGAIN: nothing; BYRE_EPEER: end of file or error. */
int byre__stream_fill(byre__stream_t *stream);
/* The next whole frame: 1, and the payload borrowed until the next call on the stream; 0: none yet;
 * BYRE_EPROTO: this is not our protocol. */
int byre__stream_next(byre__stream_t *stream, byre__frame_t *frame_out,
                      byre__unpack_t *payload_out);

/* ---- for those who may block (clients) ---- */

/* Flush all. BYRE_OK or BYRE_EPEER. */
int byre__stream_drain(byre__stream_t *stream);
/* The next frame, waiting at most timeout_ms (-1: for ever). 1, BYRE_ETIMEOUT, BYRE_EPEER, BYRE_EPROTO. */
int byre__stream_await(byre__stream_t *stream, byre__frame_t *frame_out,
                       byre__unpack_t *payload_out, int timeout_ms);

/* Unix sockets by directory and name: no limit on the length of the directory. The socket has mode 0600.
 * A descriptor, or BYRE_ESYSTEM with errno. */
int byre__unix_listen(const char *dir, const char *name);
int byre__unix_connect(const char *dir, const char *name);
/* Is the peer this process's user, or root (SO_PEERCRED)? */
bool byre__unix_peer_is_owner(int fd);

#endif
