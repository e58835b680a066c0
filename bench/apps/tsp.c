/* SPDX-License-Identifier: BSD-3-Clause */
#include "tsp.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY 1024 /* steps of a search */

static const struct tsp_map *sorting; /* qsort has no room for it */
static int sorting_from;

static int by_distance(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    const int *row = sorting->distance[sorting_from];
    return row[x] != row[y] ? (row[x] > row[y]) - (row[x] < row[y]) : x - y;
}

void tsp_map_make(struct tsp_map *map, int n)
{
    double x[TSP_CITIES], y[TSP_CITIES];

    memset(map, 0, sizeof *map);
    map->n = n;
    for (int i = 0; i < n; i++) {
        x[i] = 1e5 * noise_unit(2 * (uint64_t)i);
        y[i] = 1e5 * noise_unit(2 * (uint64_t)i + 1);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) map->distance[i][j] = (int)hypot(x[i] - x[j], y[i] - y[j]);
    sorting = map;
    for (int i = 0; i < n; i++) {
        int count = 0;
        for (int j = 0; j < n; j++)
            if (j != i) map->nearest[i][count++] = j;
        sorting_from = i;
        qsort(map->nearest[i], (size_t)count, sizeof(int), by_distance);
    }
}

/* ---- beginnings ---------------------------------------------------------------------------------- */

static bool visited(const struct tour *tour, int city)
{
    return memchr(tour->cities, city, (size_t)tour->count) != NULL;
}

static struct tour longer(const struct tsp_map *map, const struct tour *tour, int city)
{
    struct tour next = *tour;
    next.length += map->distance[tour->cities[tour->count - 1]][city];
    next.cities[next.count++] = (unsigned char)city;
    return next;
}

static void add_jobs(const struct tsp_map *map, const struct tour *tour, struct tour *jobs,
                     size_t *count)
{
    if (tour->count == TSP_DEPTH || tour->count == map->n) {
        jobs[(*count)++] = *tour;
        return;
    }
    for (int city = 1; city < map->n; city++) {
        if (visited(tour, city)) continue;
        struct tour next = longer(map, tour, city);
        add_jobs(map, &next, jobs, count);
    }
}

static int by_length(const void *a, const void *b)
{
    const struct tour *x = a, *y = b;
    return x->length != y->length ? (x->length > y->length) - (x->length < y->length)
                                  : memcmp(x->cities, y->cities, sizeof x->cities);
}

struct tour *tsp_jobs(const struct tsp_map *map, size_t *count_out)
{
    struct tour *jobs = app_memory(TSP_CITIES * TSP_CITIES * sizeof *jobs);
    struct tour start = { .count = 1 };

    *count_out = 0;
    add_jobs(map, &start, jobs, count_out);
    qsort(jobs, *count_out, sizeof *jobs, by_length);
    return jobs;
}

void tsp_greedy(const struct tsp_map *map, struct tour *tour_out)
{
    struct tour tour = { .count = 1 };
    while (tour.count < map->n) {
        const int *next = map->nearest[tour.cities[tour.count - 1]];
        while (visited(&tour, *next)) next++;
        tour = longer(map, &tour, *next);
    }
    tour.length += map->distance[tour.cities[tour.count - 1]][0];
    *tour_out = tour;
}

/* ---- the search ---------------------------------------------------------------------------------- */

/* least: the sum, over all cities that are still to be left, of the shortest way out of each. No end of
 * the tour is shorter. */
static void go_on(struct tsp_search *search, struct tour *tour, unsigned gone, int least)
{
    const struct tsp_map *map = search->map;
    int here = tour->cities[tour->count - 1];

    if (search->look && ++search->steps % LOOK_EVERY == 0) search->look(search->arg);
    if (tour->count == map->n) {
        struct tour whole = *tour;
        whole.length += map->distance[here][0];
        if (whole.length < *search->best) search->improve(search->arg, &whole);
        return;
    }
    least -= map->distance[here][map->nearest[here][0]];
    for (int i = 0; i < map->n - 1; i++) {
        int city = map->nearest[here][i], step = map->distance[here][city];
        if (gone >> city & 1) continue;
        if (tour->length + step + least >= *search->best) return; /* the others are farther still */
        tour->cities[tour->count++] = (unsigned char)city;
        tour->length += step;
        go_on(search, tour, gone | 1u << city, least);
        tour->length -= step;
        tour->count--;
    }
}

void tsp_search(struct tsp_search *search, const struct tour *beginning)
{
    const struct tsp_map *map = search->map;
    struct tour tour = *beginning;
    unsigned gone = 0;
    int least = 0;

    for (int i = 0; i < tour.count; i++) gone |= 1u << tour.cities[i];
    for (int city = 0; city < map->n; city++)
        if (!(gone >> city & 1) || city == tour.cities[tour.count - 1])
            least += map->distance[city][map->nearest[city][0]];
    go_on(search, &tour, gone, least);
}

void tsp_judge(const struct tsp_map *map, const struct tour *tour, struct tsp_answer *answer_out)
{
    struct tsp_answer answer = { .length = tour->length };
    unsigned seen = 0;

    for (int i = 0; i < tour->count; i++) {
        int next = tour->cities[(i + 1) % tour->count];
        answer.walked += map->distance[tour->cities[i]][next];
        seen |= 1u << tour->cities[i];
    }
    answer.cities = __builtin_popcount(seen);
    *answer_out = answer;
}

/* ---- the problem --------------------------------------------------------------------------------- */

static void prepare(struct job *job)
{
    job->problem = app_memory(sizeof(struct tsp_map));
    tsp_map_make(job->problem, (int)job->n);
}

static void release(struct job *job)
{
    free(job->problem);
}

static size_t answer_bytes(const struct job *job)
{
    (void)job;
    return sizeof(struct tsp_answer);
}

static void keep(void *arg, const struct tour *tour)
{
    *(struct tour *)arg = *tour;
}

static double sequential(const struct job *job, void *answer_out)
{
    const struct tsp_map *map = job->problem;
    struct tour best, *jobs;
    struct tsp_search search = { .map = map, .best = &best.length, .improve = keep, .arg = &best };
    size_t count;

    double start = now();
    tsp_greedy(map, &best);
    jobs = tsp_jobs(map, &count);
    for (size_t i = 0; i < count; i++) tsp_search(&search, &jobs[i]);
    free(jobs);
    double seconds = now() - start;
    tsp_judge(map, &best, answer_out);
    return seconds;
}

extern const struct version tsp_dsm, tsp_mpi;

const struct app app_tsp = {
    .name = "tsp",
    .what = "the travelling salesman, branch and bound with a shared queue",
    .n_is = "cities",
    .n = 19,
    .quick_n = 10,
    .least = 3,
    .most = TSP_CITIES,
    .prepare = prepare,
    .release = release,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &tsp_dsm,
    .mpi = &tsp_mpi,
};
