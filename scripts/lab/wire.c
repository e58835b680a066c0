/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.c - links that are slow, lossy, narrow or cut, for kernels without netem.
 *
 *   wire serve SOCKET           carries packets until it is killed
 *   wire tell SOCKET WORD...    sends one command, prints the answer; status 1 if it was refused
 *
 * A wire joins two TUN devices, in the network namespaces of two nodes. What one node sends, the kernel
 * hands to this program, which hands it to the other node's kernel: later, or never. Commands:
 *
 *   plug WIRE END PID DEVICE    makes DEVICE in the network namespace of process PID; END is 0 or 1
 *   unplug WIRE END             takes it away
 *   shape WIRE DELAY_US JITTER_US LOSS_PPM KBIT CUT     both ways; 0 for none
 *   show WIRE                   counts of packets: carried, lost, dropped from a full queue, waiting
 *
 * Invariants:
 *  1. All packets that wait are in one heap, each once, the next one to be delivered on top.
 *  2. Packets of one direction are delivered in the order in which they came, in spite of jitter.
 *  3. The program sleeps until a packet or a command comes, or until the top of the heap is due.
 *  4. A direction has at most QUEUE packets in the heap; more are dropped, as a full router does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    QUEUE = 20000,
    PACKET = 65536, /* the longest that IP has */
    ONE_TURN = 64,  /* packets of one device before others have a turn */
    OVERHEAD = 38,  /* bytes around an IP packet on Ethernet: header, checksum, preamble, gap */
    COMMAND = 512,
    PRIORITY = 10 /* real time: above the service threads of Byre, below what is really urgent */
};

typedef struct {
    int64_t delay_ns, jitter_ns;
    int64_t loss_ppm, kbit;
    int cut;
} shape_t;

typedef struct {
    int64_t last_ns; /* when the latest packet is to be delivered */
    int64_t free_ns; /* when the line has sent what it was given */
    uint64_t carried, lost, dropped;
    int waiting;
} direction_t;

typedef struct wire_s wire_t;

typedef struct {
    wire_t *wire;
    int file; /* of the TUN device, or -1 */
    direction_t out;
} end_t;

struct wire_s {
    char name[24];
    shape_t shape;
    end_t end[2];
    wire_t *next;
};

typedef struct {
    int64_t due_ns;
    uint64_t number;
    end_t *from;
    size_t bytes;
    unsigned char *data;
} packet_t;

/* The whole program. */
static struct {
    wire_t *wires;
    packet_t *heap;
    size_t count, room;
    uint64_t numbers;
    uint64_t random;
    int epoll, socket, home; /* home: the network namespace to come back to */
} lab;

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- the heap --------------------------------------------------------------------------------- */

static bool before(const packet_t *a, const packet_t *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static bool push(packet_t packet)
{
    size_t at = lab.count;

    if (lab.count == lab.room) {
        size_t room = lab.room ? 2 * lab.room : 1024;
        packet_t *heap = realloc(lab.heap, room * sizeof *heap);

        if (!heap) {
            return false;
        }
        lab.heap = heap;
        lab.room = room;
    }
    lab.count++;
    while (at > 0 && before(&packet, &lab.heap[(at - 1) / 2])) {
        lab.heap[at] = lab.heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    lab.heap[at] = packet;
    return true;
}

static packet_t pop(void)
{
    packet_t top = lab.heap[0], last = lab.heap[--lab.count];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < lab.count) {
        if (child + 1 < lab.count && before(&lab.heap[child + 1], &lab.heap[child])) {
            child++;
        }
        if (!before(&lab.heap[child], &last)) {
            break;
        }
        lab.heap[at] = lab.heap[child];
        at = child;
    }
    lab.heap[at] = last;
    return top;
}

/* ---- carrying --------------------------------------------------------------------------------- */

/* 0 <= result < 1; xorshift64 (G. Marsaglia, Xorshift RNGs, 2003). */
static double chance(void)
{
    lab.random ^= lab.random << 13;
    lab.random ^= lab.random >> 7;
    lab.random ^= lab.random << 17;
    return (double)(lab.random >> 11) / 9007199254740992.0;
}

static end_t *other(const end_t *end)
{
    return &end->wire->end[end == &end->wire->end[0]];
}

static void deliver(end_t *from, const unsigned char *data, size_t bytes)
{
    int file = other(from)->file;

    if (file >= 0 && !from->wire->shape.cut && write(file, data, bytes) == (ssize_t)bytes) {
        from->out.carried++;
    } else {
        from->out.lost++;
    }
}

/* When a packet that has come now is to be delivered (invariant 2). */
static int64_t due(end_t *from, size_t bytes, int64_t now)
{
    const shape_t *shape = &from->wire->shape;
    direction_t *out = &from->out;
    int64_t at = now;

    if (shape->kbit > 0) {
        at = (out->free_ns > now ? out->free_ns : now) +
             (int64_t)(bytes + OVERHEAD) * 8 * 1000000 / shape->kbit;
        out->free_ns = at;
    }
    at += shape->delay_ns;
    if (shape->jitter_ns > 0) {
        int64_t jitter = (int64_t)((2 * chance() - 1) * (double)shape->jitter_ns);

        at = at + jitter > now ? at + jitter : now;
    }
    at = at > out->last_ns ? at : out->last_ns;
    out->last_ns = at;
    return at;
}

/* A narrow line's queue holds a tenth of a second, but at least 32 KiB. */
static bool queue_full(const end_t *from, int64_t now)
{
    const shape_t *shape = &from->wire->shape;
    int64_t behind = from->out.free_ns - now;

    return from->out.waiting >= QUEUE ||
           (shape->kbit > 0 && behind > 100000000 && behind * shape->kbit / 8000000 > 32768);
}

static void carry(end_t *from, const unsigned char *data, size_t bytes)
{
    const shape_t *shape = &from->wire->shape;
    int64_t now = now_ns();
    packet_t packet = { 0, lab.numbers++, from, bytes, NULL };

    if (shape->cut || (shape->loss_ppm > 0 && chance() * 1e6 < (double)shape->loss_ppm)) {
        from->out.lost++;
        return;
    }
    if (queue_full(from, now)) {
        from->out.dropped++;
        return;
    }
    packet.due_ns = due(from, bytes, now);
    if (packet.due_ns <= now && from->out.waiting == 0) {
        deliver(from, data, bytes);
        return;
    }
    packet.data = malloc(bytes);
    if (!packet.data || !push(packet)) {
        free(packet.data);
        from->out.dropped++;
        return;
    }
    memcpy(packet.data, data, bytes);
    from->out.waiting++;
}

static void deliver_due(void)
{
    int64_t now = now_ns();

    while (lab.count > 0 && lab.heap[0].due_ns <= now) {
        packet_t packet = pop();

        packet.from->out.waiting--;
        /* Each packet is in the heap once (invariant 1), which the analyzer cannot know. */
        deliver(packet.from, packet.data, packet.bytes); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(packet.data);                               /* NOLINT(clang-analyzer-unix.Malloc) */
    }
}

/* ---- devices ---------------------------------------------------------------------------------- */

static void unplug(end_t *end)
{
    if (end->file >= 0) {
        close(end->file); /* the device goes with it, and so does epoll's interest */
        end->file = -1;
    }
}

static bool interface_up(const char *device)
{
    struct ifreq request;
    int file = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done;

    memset(&request, 0, sizeof request);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP;
    done = file >= 0 && ioctl(file, SIOCSIFFLAGS, &request) == 0;
    if (file >= 0) {
        close(file);
    }
    return done;
}

/* A TUN device of the network namespace in which this process is now. */
static int new_device(const char *device)
{
    struct ifreq request;
    int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    memset(&request, 0, sizeof request);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (file >= 0 && (ioctl(file, TUNSETIFF, &request) || !interface_up(device))) {
        int error = errno;

        close(file);
        errno = error;
        return -1;
    }
    return file;
}

static bool plug(end_t *end, int pid, const char *device)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = end };
    char path[64];
    int there, file = -1;

    unplug(end);
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET)) {
        goto close_there;
    }
    file = new_device(device);
    if (setns(lab.home, CLONE_NEWNET)) {
        abort(); /* in the wrong namespace, everything that follows would be wrong */
    }
    if (file >= 0 && epoll_ctl(lab.epoll, EPOLL_CTL_ADD, file, &event) == 0) {
        end->file = file;
    } else if (file >= 0) {
        close(file);
    }
close_there:
    if (there >= 0) {
        int error = errno;

        close(there);
        errno = error;
    }
    return end->file >= 0;
}

static void read_packets(end_t *end)
{
    static unsigned char data[PACKET];

    for (int i = 0; i < ONE_TURN && end->file >= 0; i++) {
        ssize_t bytes = read(end->file, data, sizeof data);

        if (bytes > 0) {
            carry(end, data, (size_t)bytes);
        } else {
            if (bytes < 0 && errno != EAGAIN && errno != EINTR) {
                unplug(end); /* its node is gone: not to be asked again and again (invariant 3) */
            }
            return;
        }
    }
}

/* ---- commands --------------------------------------------------------------------------------- */

static wire_t *find(const char *name, bool make)
{
    wire_t *wire;

    for (wire = lab.wires; wire; wire = wire->next) {
        if (strcmp(wire->name, name) == 0) {
            return wire;
        }
    }
    if (make && (wire = calloc(1, sizeof *wire)) != NULL) {
        snprintf(wire->name, sizeof wire->name, "%s", name);
        wire->end[0] = (end_t){ .wire = wire, .file = -1 };
        wire->end[1] = (end_t){ .wire = wire, .file = -1 };
        wire->next = lab.wires;
        lab.wires = wire;
    }
    return wire;
}

static void show(const wire_t *wire, char *answer, size_t room)
{
    const direction_t *a = &wire->end[0].out, *b = &wire->end[1].out;

    snprintf(answer, room, "ok %" PRIu64 " %" PRIu64 " %" PRIu64 " %d", a->carried + b->carried,
             a->lost + b->lost, a->dropped + b->dropped, a->waiting + b->waiting);
}

static void obey(const char *command, char *answer, size_t room)
{
    char name[24], device[IFNAMSIZ];
    long long delay, jitter, loss, kbit;
    int end, pid, cut;
    wire_t *wire;

    snprintf(answer, room, "ok");
    if (sscanf(command, "plug %23s %d %d %15s", name, &end, &pid, device) == 4) {
        wire = find(name, true);
        if (!wire || end < 0 || end > 1 || !plug(&wire->end[end], pid, device)) {
            snprintf(answer, room, "no device %s: %s", device, strerror(errno));
        }
    } else if (sscanf(command, "unplug %23s %d", name, &end) == 2 && end >= 0 && end <= 1) {
        wire = find(name, false);
        if (wire) {
            unplug(&wire->end[end]);
        }
    } else if (sscanf(command, "shape %23s %lld %lld %lld %lld %d", name, &delay, &jitter, &loss,
                      &kbit, &cut) == 6) {
        wire = find(name, true);
        if (wire) {
            wire->shape = (shape_t){ delay * 1000, jitter * 1000, loss, kbit, cut };
            wire->end[0].out.free_ns = wire->end[1].out.free_ns = 0;
        } else {
            snprintf(answer, room, "out of memory");
        }
    } else if (sscanf(command, "show %23s", name) == 1 && (wire = find(name, false)) != NULL) {
        show(wire, answer, room);
    } else {
        snprintf(answer, room, "not understood: %.200s", command);
    }
}

static void answer_command(void)
{
    char command[COMMAND], answer[COMMAND];
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    ssize_t bytes =
        recvfrom(lab.socket, command, sizeof command - 1, 0, (struct sockaddr *)&from, &length);

    if (bytes < 0) {
        return;
    }
    command[bytes] = '\0';
    obey(command, answer, sizeof answer);
    sendto(lab.socket, answer, strlen(answer), 0, (struct sockaddr *)&from, length);
}

/* ---- the server ------------------------------------------------------------------------------- */

static int complain(const char *what)
{
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    return 1;
}

static bool fill_address(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    return (size_t)snprintf(address->sun_path, sizeof address->sun_path, "%s", path) <
           sizeof address->sun_path;
}

static void sleep_until_needed(struct epoll_event *events, int room, int *count)
{
    struct timespec time = { 0, 0 };
    int64_t wait = 0;

    if (lab.count > 0) {
        wait = lab.heap[0].due_ns - now_ns();
        wait = wait > 0 ? wait : 0;
        time.tv_sec = wait / 1000000000;
        time.tv_nsec = wait % 1000000000;
    }
    *count = epoll_pwait2(lab.epoll, events, room, lab.count > 0 ? &time : NULL, NULL);
}

static int serve(const char *path)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    struct sockaddr_un address;

    prctl(PR_SET_TIMERSLACK, 1);
    /* A delay of a millisecond is a delay of a millisecond also when all cores are busy. */
    (void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = PRIORITY });
    if (getrandom(&lab.random, sizeof lab.random, 0) != sizeof lab.random || lab.random == 0) {
        lab.random = 88172645463325252u;
    }
    /* A network of its own to come back to: into the machine's an ordinary user could not. */
    if (unshare(CLONE_NEWNET)) {
        return complain("no new network namespace");
    }
    lab.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    lab.epoll = epoll_create1(EPOLL_CLOEXEC);
    lab.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lab.home < 0 || lab.epoll < 0 || lab.socket < 0 || !fill_address(&address, path)) {
        return complain("cannot start");
    }
    unlink(path);
    if (bind(lab.socket, (struct sockaddr *)&address, sizeof address) ||
        epoll_ctl(lab.epoll, EPOLL_CTL_ADD, lab.socket, &event)) {
        return complain(path);
    }
    for (;;) {
        struct epoll_event events[64];
        int count;

        deliver_due();
        sleep_until_needed(events, 64, &count);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr) {
                read_packets(events[i].data.ptr);
            } else {
                answer_command();
            }
        }
    }
}

/* ---- the client ------------------------------------------------------------------------------- */

static void join(char **words, char *text, size_t room)
{
    size_t length = 0;

    text[0] = '\0';
    for (; *words && length < room; words++) {
        length += (size_t)snprintf(text + length, room - length, "%s%s", length ? " " : "", *words);
    }
}

static int tell(const char *path, char **words)
{
    char text[COMMAND];
    char answer_path[sizeof((struct sockaddr_un *)0)->sun_path];
    struct timeval patience = { 2, 0 };
    struct sockaddr_un address, here;
    int file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ssize_t bytes = -1;

    join(words, text, sizeof text);
    /* The answer comes by a file as well: addresses without one end at the network namespace. */
    snprintf(answer_path, sizeof answer_path, "%s.%ld", path, (long)getpid());
    if (file < 0 || !fill_address(&address, path) || !fill_address(&here, answer_path) ||
        bind(file, (struct sockaddr *)&here, sizeof here) ||
        setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        connect(file, (struct sockaddr *)&address, sizeof address) ||
        send(file, text, strlen(text), 0) < 0 ||
        (bytes = recv(file, text, sizeof text - 1, 0)) < 0) {
        complain(path);
    }
    unlink(answer_path);
    if (bytes < 0) {
        return 1;
    }
    text[bytes] = '\0';
    if (strncmp(text, "ok", 2) != 0) {
        fprintf(stderr, "wire: %s\n", text);
        return 1;
    }
    if (text[2] == ' ') {
        puts(text + 3);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        return serve(argv[2]);
    }
    if (argc > 3 && strcmp(argv[1], "tell") == 0) {
        return tell(argv[2], argv + 3);
    }
    fputs("usage: wire serve SOCKET\n       wire tell SOCKET COMMAND...\n", stderr);
    return 2;
}
