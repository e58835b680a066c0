/* SPDX-License-Identifier: BSD-3-Clause */
/* The travelling salesman: the shortest round trip through all cities, by branch and bound. The beginnings
 * of tours are jobs in a queue, the shortest first; whoever is free takes one and tries all ways to end
 * it, but gives up a tour as soon as it cannot be shorter than the best one that anybody has found. */
#ifndef BYRE_APPS_TSP_H
#define BYRE_APPS_TSP_H

#include "apps.h"

#define TSP_CITIES 24 /* at most */
#define TSP_DEPTH 3   /* cities in the beginning of a tour */

struct tsp_map {
    int n;
    int distance[TSP_CITIES][TSP_CITIES];
    int nearest[TSP_CITIES][TSP_CITIES]; /* the others, the nearest first */
};

struct tour {
    int length; /* of what there is of it; of a whole tour the way home included */
    int count;
    unsigned char cities[TSP_CITIES];
};

struct tsp_answer {
    int length, walked; /* as found, and as walked city by city */
    int cities;         /* how many different ones */
};

void tsp_map_make(struct tsp_map *map, int n);
/* All beginnings, the shortest first; free() them. */
struct tour *tsp_jobs(const struct tsp_map *map, size_t *count_out);
/* Some tour to begin with: always on to the nearest city. */
void tsp_greedy(const struct tsp_map *map, struct tour *tour_out);

/* Try all ends of a beginning. `best` is the length to beat, which others may change at any time;
 * `improve` is told of each tour that beats it; `look` is called now and then, unless NULL. */
struct tsp_search {
    const struct tsp_map *map;
    const volatile int *best;
    void (*improve)(void *arg, const struct tour *tour);
    void (*look)(void *arg);
    void *arg;
    unsigned steps; /* since the last look; 0 at first */
};
void tsp_search(struct tsp_search *search, const struct tour *beginning);

void tsp_judge(const struct tsp_map *map, const struct tour *tour, struct tsp_answer *answer_out);

#endif
