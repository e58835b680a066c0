/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts above (dsm, rpc, sched) hang themselves in here from a constructor, so that the runtime
 * starts and finishes them without knowing them.
 */
#ifndef BYRE__PART_H
#define BYRE__PART_H

typedef struct byre__part {
    const char *name;
    /* In byre_init on every rank, when ranks know each other and handlers can be registered, before
     * anything is sent; the transport's collectives may be used. NULL: nothing to do. */
    int (*start)(void);
    /* At the beginning of byre_finalize, when everything still works. Collective unless a rank has
     * failed. NULL: nothing to do. */
    void (*finish)(void);
    /* The undo of start: nobody sends any more. NULL: nothing to do. */
    void (*stop)(void);
    /* On the engine: a rank has failed, or left. Called once a rank. NULL: nothing to do. */
    void (*peer_gone)(int rank);
    struct byre__part *next; /* the registry's */
} byre__part_t;

/* From a constructor. The part is static. */
void byre__part_register(byre__part_t *part);

/* ---- for the runtime itself --------------------------------------------------------------- */

int byre__parts_start(void);
void byre__parts_finish(void);
void byre__parts_stop(void);
void byre__parts_peer_gone(int rank);

#endif
