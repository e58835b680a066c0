/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * load_inside.h - what the files of the meter share.
 *
 *   load.c        the meter: samples, and what is said of the time between two of them
 *   load_cpu.c    processor time and runnable tasks: whose, and out of how much
 *   load_proc.c   the processes in /proc
 *   load_mem.c    memory, of the machine and of the cgroups around us
 *   load_owner.c  terminals and sessions
 *   load_idle.c   logind's idle hint of a graphical session
 *
 * Everything is read below `root', which is "" except in tests.
 */
#ifndef BYRE__SCHED_LOAD_INSIDE_H
#define BYRE__SCHED_LOAD_INSIDE_H

#include <stdio.h>
#include <sys/types.h>

#include "runtime/machine.h"
#include "sched/daemon/load.h"

enum { SAMPLES = 16 };

/* Where processor time is counted; load_cpu.c says when which. */
typedef enum load_source {
    LOAD_FIND_OUT,
    LOAD_MACHINE,      /* /proc/stat: the lines of the processors that we may use */
    LOAD_PROCESSES,    /* all processes that /proc shows */
    LOAD_OUR_PROCESSES /* those of our user */
} load_source_t;

typedef struct load_sample {
    double at_s;    /* uptime */
    double used_s;  /* processor time used since whenever */
    double there_s; /* and the processor time that there was */
    double own_s;   /* the pool's part of used_s */
} load_sample_t;

/* Of one graphical session at a time. */
typedef struct load_idle {
    char session[64];    /* whose answer this is */
    double idle_since_s; /* since 1970; 0: in use */
    bool known;
    double asked_at_s; /* uptime */
    pid_t child;       /* 0: nobody is asked */
    int pipe;
    char text[256];
    size_t length;
} load_idle_t;

struct byre__meter {
    char root[200];
    load_source_t source;
    double there_s, there_at_s; /* capacity over time, as the quota may change */
    byre__cpuset_t cpus;        /* that we may use */
    double capacity;            /* in processors: fewer than these with a quota */
    bool loadavg_is_ours;       /* /proc/loadavg is about what we count */
    char method[128];
    load_sample_t sample[SAMPLES]; /* a ring, the newest at `newest' */
    unsigned newest, samples;
    double busy, busy_others;
    double average[3], average_at_s; /* runnable tasks, if loadavg is not ours */
    load_idle_t idle;
};

typedef struct load_process {
    pid_t pid, parent;
    double cpu_s;      /* its own, and of the children it has waited for */
    unsigned runnable; /* threads that run or want to */
} load_process_t;

/* For tests: another root, a source. */
int byre__meter_create_at(const char *root, load_source_t source, byre__meter_t **meter_out);

FILE *byre__load_open(const byre__meter_t *meter, const char *path); /* "/proc/stat"; NULL */
bool byre__load_exists(const byre__meter_t *meter, const char *path);

/* load_cpu.c: the source, cpus, capacity and method. */
void byre__load_choose(byre__meter_t *meter, load_source_t source);
int byre__load_cpu(byre__meter_t *meter, load_sample_t *sample_out, double *runnable_out);
/* load_proc.c: fn for every process, or every one of our user. BYRE_ESYSTEM: there is no /proc. */
int byre__load_processes(const byre__meter_t *meter, bool ours,
                         void (*fn)(void *arg, const load_process_t *process), void *arg);
void byre__load_mem(const byre__meter_t *meter, byre__load_t *load_out);
/* Seconds since somebody used a terminal or a seat; INFINITY: nobody. */
double byre__load_owner_idle(byre__meter_t *meter, double uptime_s);
/* Of a graphical session: seconds since it was used; 0 if logind does not say. Never blocks. */
double byre__load_session_idle(byre__meter_t *meter, const char *session, double uptime_s);
void byre__load_idle_fini(load_idle_t *idle);

#endif
