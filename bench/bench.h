/* SPDX-License-Identifier: BSD-3-Clause */
/* byre-bench: what its files share.
 *
 *   main.c      start, dispatch to a subject, finish
 *   options.c   the command line
 *   crew.c      who takes part; the others wait
 *   contest.c   the measurement: two sides, interleaved
 *   raw.c       message flavours of raw Open MPI
 *   flavour.c   message flavours of Byre
 *   pair.c      two ranks that exercise them
 *   server.c    the one of two ranks that is called
 *   peer_tirpc.c  calls of another system, for rpc.c
 *   p2p.c ring.c am.c service.c request.c rpc.c dsm*.c sched.c   the subjects
 *   stats.c     percentiles
 *   report.c    rows: table, JSON, CSV                 plot.c      rows: a picture
 *   machine.c   the machine, as far as figures depend on it
 *   compare.c   two files of rows (needs no MPI)
 *
 * Rules of the house. Every figure has its floor measured beside it in the same job, in batches that
 * alternate, because figures drift by more than what is to be shown. Nothing is printed or allocated
 * while the clock runs. An error inside a measurement ends the job: half a benchmark is none. */
#ifndef BYRE_BENCH_H
#define BYRE_BENCH_H

#include <byre.h>
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* ---- options --------------------------------------------------------------------------------- */

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_CSV };
enum mode { MODE_LATENCY = 1, MODE_BANDWIDTH = 2, MODE_RATE = 4, MODE_RING = 8 };

#define SIZES_MAX 64
#define WINDOW_MAX 1024

struct options {
    const char *subject;
    enum format format;
    const char *plot; /* file for the picture, or NULL */
    bool quick;
    bool peers;     /* rpc, sched: other systems as well */
    bool beside;    /* the service thread runs on beside raw MPI */
    int reps;       /* 0: the subject's own */
    int window;     /* messages under way at once */
    unsigned modes; /* of enum mode; 0: the subject's own */
    size_t sizes[SIZES_MAX];
    int size_count;       /* 0: the subject's own */
    const char *variants; /* comma separated, or NULL for all */
    char **files;         /* compare: the two files */
    int file_count;
    double fail_percent; /* compare: how much worse is a failure; < 0: none is */
};

/* Read the command line: 0, or the exit status + 1 with which to end at once. */
int options_parse(struct options *opt, int argc, char **argv);
/* Print a complaint about the command line, on one rank only; returns exit status 2. */
int options_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Is this the process whose words suffice? Known before MPI starts. */
bool options_speaker(void);
/* Is `name` in the comma-separated list (NULL: everything is)? */
bool list_has(const char *list, const char *name);
/* The sizes to measure: the user's, or the subject's. */
int options_sizes(const struct options *opt, const size_t *own, int count, size_t *sizes_out);
/* The longest size that will be measured, where `own` is the subject's. */
size_t options_longest(const struct options *opt, size_t own);
/* Are the variants asked for among the known ones? 0, or 2 after a complaint. */
int options_variants(const struct options *opt, const char *known);
int options_reps(const struct options *opt, int normal, int quick);

/* ---- the job --------------------------------------------------------------------------------- */

enum { PORT_DATA = 100, PORT_ACK, PORT_END, PORT_CREW };

/* Who takes part. Raw MPI talks on `world`, which is the application's own duplicate. */
struct crew {
    MPI_Comm world;  /* raw traffic; ranks are Byre's ranks */
    MPI_Comm comm;   /* those who take part, the leader first: commands and barriers */
    int rank, size;  /* in the job */
    int first, last; /* the two ranks of a pair; `first` leads */
    bool member;     /* does this rank take part? */
    bool leader;
    int peer; /* the other one of the pair, or -1 */
};

/* Collective. everyone: all ranks take part; else the first and the last rank. */
void crew_open(struct crew *crew, bool everyone);
/* Collective; members only may have talked since crew_open. */
void crew_close(struct crew *crew);
/* Leader: tell the ranks that do not take part; they are inside crew_idle. */
void crew_tell(const struct crew *crew, int command);
/* Not a member: sit in a Byre wait, obey commands, return at crew_close. */
void crew_idle(const struct crew *crew);
enum { CREW_END, CREW_HOGS_ON, CREW_HOGS_OFF };

/* "shm", "tcp" or "unknown": what carries messages between two ranks (a < 0: all ranks). */
const char *transport_name(int a, int b);

_Noreturn void bench_die(const char *what, const char *why);
extern void (*bench_on_death)(void); /* what would stay behind is ended by it; or NULL */
void check_byre(const char *call, int error);
void check_mpi(const char *call, int error);

double now(void);
/* A computation that nothing can shorten and that touches no memory. */
void compute(long units);
long compute_calibrate(double seconds); /* units that take about so long */
void hogs_start(void);                  /* one more computing thread in this process */
void hogs_stop(void);

/* ---- measuring ------------------------------------------------------------------------------- */

/* Run n iterations; every member calls it at once. The leader's return is the time in seconds. */
typedef double (*batch_fn)(void *arg, int n);

struct contest {
    batch_fn floor, byre;
    void *arg;
    int reps;
    int least;      /* iterations of a batch, or 0 */
    int most;       /* the same */
    double seconds; /* when they are over, five repetitions must do */
    bool pause;     /* park the service thread while the floor is measured */
    bool foreign;   /* the other side is not Byre: then it is parked for both */
};

struct samples {
    int count;
    double *floor, *byre; /* seconds per iteration; the same index was measured side by side */
};

/* As the options want it. */
struct contest contest_make(const struct options *opt, batch_fn floor, batch_fn byre, void *arg);
/* Collective over the members. Only the leader's samples_out is filled; free with samples_fini. */
void contest_run(const struct crew *crew, const struct contest *contest,
                 struct samples *samples_out);
void samples_init(struct samples *samples, int room);
void samples_fini(struct samples *samples);

double percentile(const double *sorted, int count, double percent);
void sort_doubles(double *values, int count);
double median_of(double *values, int count); /* sorts */

/* ---- rows ------------------------------------------------------------------------------------ */

struct row {
    const char *bench;
    const char *variant;
    const char *transport;
    const char *unit;
    const char *floor_name;
    int ranks;
    bool counts; /* size is a number of ranks ("n"), not of bytes */
    size_t size;
    double value, p10, p90;
    double floor, ratio, ratio_p10, ratio_p90; /* NAN: there is none */
    int reps;
};

/* value = scale * t, or with `inverse` scale / t, for every sample t; floor likewise; ratio is the
 * median of the ratios of neighbours in time, so that drift cancels. */
void row_fill(struct row *row, struct samples *samples, double scale, bool inverse);
/* Rank 0 only. */
void report_open(const struct options *opt);
void report_row(const struct row *row);
/* Draws the picture; after MPI has ended, because it starts a process. 0 or exit status. */
int report_close(void);

int plot_rows(const char *file, const char *title, const struct row *rows, size_t count);
bool plot_possible(void);

void machine_describe(char *text, size_t room); /* one line for people */
void machine_table(FILE *out);                  /* comment lines above a table */
void machine_json(FILE *out);

int compare_files(const char *base, const char *result, double fail_percent);

/* ---- message flavours ------------------------------------------------------------------------ */

/* One end of a pair. */
struct pair {
    MPI_Comm comm;
    int peer;
    bool leader;
    size_t bytes;
    int window;
    char *out, *in; /* page-aligned, as long as the longest message */
    MPI_Request *raw_requests;
    byre_request_t *requests;
    int eventfd;
};

/* A way to send and to receive `count` messages and to know that they are through. */
struct flavour {
    const char *name;
    void (*send)(struct pair *pair, int count);
    void (*recv)(struct pair *pair, int count);
    bool raw;
};

extern const struct flavour raw_blocking, raw_sync, raw_isend, raw_irecv, raw_probe;
extern const struct flavour byre_blocking, byre_sync, byre_nonblocking, byre_callback, byre_eventfd,
    byre_signal, byre_copy, byre_cow, byre_cow_write, byre_posted, byre_taken;

void pair_init(struct pair *pair, const struct crew *crew, size_t longest, int window);
void pair_fini(struct pair *pair);
double pair_pingpong(struct pair *pair, const struct flavour *flavour, int n);
double pair_stream(struct pair *pair, const struct flavour *flavour, int n);
int notice_signal(void); /* blocked by main before any thread exists */

/* ---- the end of a pair that is called ---------------------------------------------------------- */

/* It sits in byre_recv until the leader's batch is over ("waiting"), or computes without calling Byre at all
 * ("computing"); then only its service thread can answer. */
struct server {
    bool computing; /* both ends know */
    int id;         /* the active message that ends computing */
    /* Counted, because one that does not get the processor may be told twice before it looks. */
    _Atomic unsigned stops;
    unsigned stops_seen;
};

/* On both ends, before a barrier. */
void server_open(struct server *server, int id);
void server_close(struct server *server);
/* A batch: 0, the time that the leader does not look at. */
double server_serve(struct server *server, const struct pair *pair);
/* The leader: its batch is over. */
void server_release(const struct server *server, const struct pair *pair);

/* ---- calls of another system: rpcgen and libtirpc ---------------------------------------------- */

enum peer_wire { PEER_TCP, PEER_UNIX, PEER_WIRES };
enum peer_proc { PEER_NULL, PEER_IN, PEER_OUT, PEER_BOTH };

/* Both ends of a pair on one machine: the leader becomes the client. */
void peer_tirpc_open(struct pair *between);
void peer_tirpc_close(void);
/* The client: one call with the bytes of the pair; and that which ends the server's peer_tirpc_serve. */
void peer_tirpc_call(enum peer_wire wire, enum peer_proc proc);
void peer_tirpc_stop(enum peer_wire wire);
void peer_tirpc_serve(void);

/* ---- subjects: exit status ------------------------------------------------------------------- */

int subject_p2p(const struct options *opt);
int subject_am(const struct options *opt);
int subject_service(const struct options *opt);
int subject_rpc(const struct options *opt);
int subject_dsm(const struct options *opt);
int subject_sched(const struct options *opt);
void p2p_ring(const struct options *opt);
void service_requests(const struct options *opt);

#endif
