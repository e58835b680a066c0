/* SPDX-License-Identifier: BSD-3-Clause */
/* The logical topologies against brute force: counting, breadth-first search, all cuts. */
#include <byre_errors.h>
#include <byre_topology.h>
#include <check.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1100 }; /* vertices of the largest net that is searched */

static byre_topology_t *make(const char *spec)
{
    byre_topology_t *t = NULL;
    char why[200];
    int status = byre_topology_parse(spec, &t, why, sizeof why);

    ck_assert_msg(status == 0, "%s: %s", spec, why);
    ck_assert_str_eq(why, "");
    return t;
}

static int vertices_of(const byre_topology_t *t)
{
    return byre_topology_nodes(t) + byre_topology_switches(t);
}

/* ---- brute force ----------------------------------------------------------------------------- */

/* Hops from one vertex to all others, by breadth-first search over the neighbours. */
static void search(const byre_topology_t *t, int from, int *hops)
{
    static int queue[MOST], next[MOST];
    int head = 0, tail = 0;

    for (int v = 0; v < vertices_of(t); v++) {
        hops[v] = -1;
    }
    hops[from] = 0;
    queue[tail++] = from;
    while (head < tail) {
        int at = queue[head++], degree = byre_topology_neighbours(t, at, next, MOST);

        for (int i = 0; i < degree; i++) {
            if (hops[next[i]] < 0) {
                hops[next[i]] = hops[at] + 1;
                queue[tail++] = next[i];
            }
        }
    }
}

static int are_neighbours(const byre_topology_t *t, int a, int b)
{
    static int next[MOST];
    int degree = byre_topology_neighbours(t, a, next, MOST), found = 0;

    for (int i = 0; i < degree; i++) {
        found += next[i] == b;
    }
    return found;
}

/* Fewest links cut by any halving of the nodes; a switch goes where it is cheaper. */
static int64_t least_cut(const byre_topology_t *t)
{
    int nodes = byre_topology_nodes(t), vertices = vertices_of(t), next[32];
    uint32_t adjacent[32] = { 0 };
    int64_t best = INT64_MAX;

    for (int v = 0; v < vertices; v++) {
        int degree = byre_topology_neighbours(t, v, next, 32);

        for (int i = 0; i < degree; i++) {
            adjacent[v] |= UINT32_C(1) << next[i];
        }
    }
    for (uint32_t half = 0; half < UINT32_C(1) << vertices; half++) {
        int64_t cut = 0;

        if (__builtin_popcount(half & ((UINT32_C(1) << nodes) - 1)) != nodes / 2) {
            continue;
        }
        for (int v = 0; v < vertices; v++) {
            cut += half >> v & 1 ? __builtin_popcount(adjacent[v] & ~half) : 0;
        }
        best = cut < best ? cut : best;
    }
    return best;
}

/* ---- one net against brute force ------------------------------------------------------------- */

static void check_links(const byre_topology_t *t)
{
    int64_t ends = 0;
    int least = INT_MAX, most = 0, min, max;
    static int next[MOST];

    for (int v = 0; v < vertices_of(t); v++) {
        int degree = byre_topology_degree(t, v);

        ck_assert_int_eq(byre_topology_neighbours(t, v, next, MOST), degree);
        ends += degree;
        for (int i = 0; i < degree; i++) {
            ck_assert_int_ne(next[i], v);
            /* Both directions, and no link twice. */
            ck_assert_int_eq(are_neighbours(t, v, next[i]), 1);
            ck_assert_int_eq(are_neighbours(t, next[i], v), 1);
        }
        if (v < byre_topology_nodes(t)) {
            least = degree < least ? degree : least;
            most = degree > most ? degree : most;
        }
    }
    ck_assert_int_eq(ends, 2 * byre_topology_links(t));
    ck_assert_int_eq(byre_topology_degrees(t, &min, &max), 0);
    ck_assert_int_eq(min, least);
    ck_assert_int_eq(max, most);
}

static void check_route(const byre_topology_t *t, int from, int to, int hops)
{
    static int path[MOST];

    ck_assert_int_eq(byre_topology_distance(t, from, to), hops);
    ck_assert_int_eq(byre_topology_route(t, from, to, path, hops), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_route(t, from, to, path, hops + 1), hops + 1);
    ck_assert_int_eq(path[0], from);
    ck_assert_int_eq(path[hops], to);
    for (int i = 0; i < hops; i++) {
        ck_assert_int_eq(are_neighbours(t, path[i], path[i + 1]), 1);
    }
}

static void check_paths(const byre_topology_t *t)
{
    static int hops[MOST];
    int nodes = byre_topology_nodes(t), diameter = 0;
    double sum = 0, pairs = (double)nodes * (nodes - 1);

    for (int from = 0; from < vertices_of(t); from++) {
        search(t, from, hops);
        for (int to = 0; to < vertices_of(t); to++) {
            check_route(t, from, to, hops[to]);
            if (from < nodes && to < nodes) {
                diameter = hops[to] > diameter ? hops[to] : diameter;
                sum += hops[to];
            }
        }
    }
    ck_assert_int_eq(byre_topology_diameter(t), diameter);
    ck_assert_double_eq_tol(byre_topology_mean_distance(t), pairs > 0 ? sum / pairs : 0, 1e-9);
}

static void check_coordinates(const byre_topology_t *t)
{
    int coords[BYRE_TOPOLOGY_MAX_DIMENSIONS + 1];

    for (int node = 0; node < byre_topology_nodes(t); node++) {
        ck_assert_int_eq(byre_topology_coordinates(t, node, coords), 0);
        ck_assert_int_eq(byre_topology_node_at(t, coords), node);
    }
}

static void check_net(const char *spec, int cut_too)
{
    byre_topology_t *t = make(spec);

    check_links(t);
    check_paths(t);
    check_coordinates(t);
    if (cut_too) {
        ck_assert_msg(byre_topology_bisection(t) == least_cut(t),
                      "%s: bisection %ld, least cut %ld", spec, (long)byre_topology_bisection(t),
                      (long)least_cut(t));
    }
    byre_topology_destroy(t);
}

/* ---- all small nets -------------------------------------------------------------------------- */

START_TEST(small_one_extent)
{
    static const char *const kinds[] = { "star", "ring", "full", "hypercube" };
    char spec[40];

    for (int n = 1; n <= 14; n++) {
        for (int kind = 0; kind < 4; kind++) {
            if (kind < 3 || (n & (n - 1)) == 0) {
                snprintf(spec, sizeof spec, "%s:%d", kinds[kind], n);
                check_net(spec, 1);
            }
        }
    }
    check_net("hypercube:16", 1);
}
END_TEST

START_TEST(small_grid_and_torus)
{
    char spec[40];

    for (int r = 1; r <= 16; r++) {
        for (int c = 1; r * c <= 16; c++) {
            snprintf(spec, sizeof spec, "grid:%dx%d", r, c);
            check_net(spec, 1);
            snprintf(spec, sizeof spec, "torus:%dx%d", r, c);
            check_net(spec, 1);
        }
    }
}
END_TEST

START_TEST(small_cube)
{
    char spec[40];

    for (int a = 1; a <= 16; a++) {
        for (int b = 1; a * b <= 16; b++) {
            for (int c = 1; a * b * c <= 16; c++) {
                snprintf(spec, sizeof spec, "cube:%dx%dx%d", a, b, c);
                check_net(spec, 1);
            }
        }
    }
}
END_TEST

/* Larger ones whose cuts are few enough to try all of them in a second. */
START_TEST(cuts_of_larger)
{
    static const char *const specs[] = { "grid:3x7",   "grid:4x5",   "torus:3x7",
                                         "torus:4x5",  "torus:2x9",  "torus:2x11",
                                         "cube:3x3x2", "cube:2x3x3", "cube:5x2x2" };

    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        check_net(specs[i], 1);
    }
}
END_TEST

START_TEST(larger)
{
    static const char *const specs[] = { "star:200",   "ring:101",      "grid:9x11",
                                         "torus:7x10", "cube:3x4x5",    "cube:5x5x5",
                                         "full:40",    "hypercube:128", "torus:2x30" };

    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        check_net(specs[i], 0);
    }
}
END_TEST

/* ---- the textbook's numbers, and the largest nets -------------------------------------------- */

static void expect(const char *spec, int nodes, int64_t links, int diameter, int64_t bisection)
{
    byre_topology_t *t = make(spec);

    ck_assert_int_eq(byre_topology_nodes(t), nodes);
    ck_assert_int_eq(byre_topology_links(t), links);
    ck_assert_int_eq(byre_topology_diameter(t), diameter);
    ck_assert_int_eq(byre_topology_bisection(t), bisection);
    byre_topology_destroy(t);
}

START_TEST(textbook)
{
    expect("hypercube:1024", 1024, 5120, 10, 512);
    expect("hypercube:2^10", 1024, 5120, 10, 512);
    expect("grid:32x32", 1024, 1984, 62, 32);
    expect("grid:1024", 1024, 1984, 62, 32);
    expect("torus:32x32", 1024, 2048, 32, 64);
    /* "the opposite corners can now communicate in only two hops" */
    expect("torus:4x4", 16, 32, 4, 8);
    expect("cube:2x2x2", 8, 12, 3, 4);
    expect("cube:8", 8, 12, 3, 4);
    expect("ring:8", 8, 8, 4, 2);
    expect("star:8", 8, 8, 2, 4);
    expect("grid:5x5", 25, 40, 8, 6);
    expect("cube:3x3x3", 27, 54, 6, 13);
    expect("torus:5x5", 25, 50, 4, 12);
    byre_topology_t *t = make("torus:4x4");
    ck_assert_int_eq(byre_topology_distance(t, 0, 15), 2);
    byre_topology_destroy(t);
}
END_TEST

START_TEST(huge)
{
    expect("hypercube:2^30", 1 << 30, INT64_C(15) << 30, 30, 1 << 29);
    expect("full:2^30", 1 << 30, (INT64_C(1) << 59) - (1 << 29), 1, INT64_C(1) << 58);
    expect("ring:2^30", 1 << 30, 1 << 30, 1 << 29, 2);
    expect("star:2^30", 1 << 30, 1 << 30, 2, 1 << 29);
    expect("cube:1024x1024x1024", 1 << 30, INT64_C(3) * 1023 * 1024 * 1024, 3 * 1023, 1 << 20);

    byre_topology_t *t = make("hypercube:2^30");
    int path[31];
    ck_assert_int_eq(byre_topology_route(t, 0, (1 << 30) - 1, path, 31), 31);
    ck_assert_int_eq(path[1], 1); /* e-cube: the lowest digit first */
    ck_assert_int_eq(path[30], (1 << 30) - 1);
    byre_topology_destroy(t);
}
END_TEST

START_TEST(dimension_order)
{
    byre_topology_t *t = make("grid:4x5");
    int path[9], coords[2] = { 2, 3 };

    ck_assert_int_eq(byre_topology_node_at(t, coords), 13);
    ck_assert_int_eq(byre_topology_route(t, 0, 13, path, 9), 6);
    const int along_row_then_column[] = { 0, 1, 2, 3, 8, 13 };
    ck_assert_mem_eq(path, along_row_then_column, sizeof along_row_then_column);
    byre_topology_destroy(t);
}
END_TEST

START_TEST(star_route_names_switch)
{
    byre_topology_t *t = make("star:5");
    int path[3];

    ck_assert_int_eq(byre_topology_switches(t), 1);
    ck_assert_int_eq(byre_topology_route(t, 1, 4, path, 3), 3);
    ck_assert_int_eq(path[1], 5);
    ck_assert_int_eq(byre_topology_degree(t, 5), 5);
    ck_assert_int_eq(byre_topology_degree(t, 6), BYRE_ERANGE);
    byre_topology_destroy(t);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

START_TEST(bad_create)
{
    byre_topology_t *t = (byre_topology_t *)&t, *before = t;
    const int two[] = { 4, 4 }, zero[] = { 0 }, minus[] = { -3 }, odd[] = { 12 };
    const int many[] = { INT_MAX, INT_MAX, INT_MAX };

    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_RING, two, 2, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_GRID, two, 1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_GRID, two, -1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create((byre_topology_kind_t)77, two, 2, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_RING, zero, 1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_RING, minus, 1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_HYPERCUBE, odd, 1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_CUBE, many, 3, &t), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_RING, NULL, 1, &t), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_create(BYRE_TOPOLOGY_RING, two, 1, NULL), BYRE_EINVAL);
    ck_assert_ptr_eq(t, before); /* nothing is written on failure */
    ck_assert_ptr_null(byre_topology_kind_name((byre_topology_kind_t)77));
    byre_topology_destroy(NULL);
}
END_TEST

START_TEST(bad_questions)
{
    byre_topology_t *t = make("grid:3x3");
    int out[9], outside[] = { 0, 3 };

    ck_assert_int_eq(byre_topology_degree(t, -1), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_degree(t, 9), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_distance(t, 0, 9), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_distance(t, INT_MIN, 0), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_neighbours(t, 4, out, 3), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_neighbours(t, 4, NULL, 4), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_route(t, 0, 9, out, 9), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_route(t, 0, 8, NULL, 9), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_extent(t, 2), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_coordinates(t, 9, out), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_coordinates(t, 0, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre_topology_node_at(t, outside), BYRE_ERANGE);
    ck_assert_int_eq(byre_topology_node_at(t, NULL), BYRE_EINVAL);
    byre_topology_destroy(t);
}
END_TEST

static void refuse(const char *spec, int status, const char *why_part)
{
    byre_topology_t *t = NULL;
    char why[160];

    ck_assert_msg(byre_topology_parse(spec, &t, why, sizeof why) == status, "%s: %s", spec, why);
    ck_assert_msg(strstr(why, why_part) != NULL, "%s: %s", spec, why);
    ck_assert_ptr_null(t);
}

START_TEST(bad_text)
{
    refuse("", BYRE_EINVAL, "is no topology");
    refuse("grid", BYRE_EINVAL, "size is missing");
    refuse("Ring:4", BYRE_EINVAL, "is no topology");
    refuse("ring:", BYRE_EINVAL, "number is missing");
    refuse("ring:-4", BYRE_EINVAL, "number is expected");
    refuse("ring: 4", BYRE_EINVAL, "number is expected");
    refuse("ring:4 ", BYRE_EINVAL, "joined by x");
    refuse("ring:0", BYRE_EINVAL, "least is 1");
    refuse("ring:4x4", BYRE_EINVAL, "has 1 extent");
    refuse("grid:4x", BYRE_EINVAL, "number is missing");
    refuse("grid:4x4x4", BYRE_EINVAL, "has 2 extents");
    refuse("grid:12", BYRE_EINVAL, "equal sides");
    refuse("cube:9", BYRE_EINVAL, "equal sides");
    refuse("cube:2x2x2x2", BYRE_EINVAL, "more than three");
    refuse("hypercube:12", BYRE_EINVAL, "8 or 16, not 12; if that is d, write 2^12");
    refuse("hypercube:1000", BYRE_EINVAL, "512 or 1024, not 1000");
    refuse("hypercube:2^31", BYRE_ERANGE, "too many");
    refuse("ring:99999999999999999999999", BYRE_ERANGE, "too many");
    refuse("cube:2000x2000x2000", BYRE_ERANGE, "too many");
    refuse("ring:1^1073741824x", BYRE_EINVAL, "number is missing");
    refuse(NULL, BYRE_EINVAL, "no text");
}
END_TEST

/* Random text from the parser's own alphabet, and random bytes: an answer, never a crash; a topology
 * that was accepted prints a name that is accepted again. */
START_TEST(fuzz)
{
    static const char *const seeds[] = { "grid:", "hypercube:", "cube:", "torus:", "star:", "" };
    static const char alphabet[] = "0123456789xx^:: gr-";
    uint64_t x = 88172645463325252u;
    char text[40], why[24];

    for (int round = 0; round < 300000; round++) {
        byre_topology_t *t = NULL, *again = NULL;
        size_t used = (size_t)snprintf(text, sizeof text, "%s", seeds[round % 6]), length;
        int status;

        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        length = used + x % 8;
        for (uint64_t bits = x >> 8; used < length;
             used++, bits = bits * 6364136223846793005u + 1) {
            text[used] =
                round % 2 ? alphabet[(bits >> 32) % (sizeof alphabet - 1)] : (char)(bits >> 32);
        }
        text[used] = '\0';
        memset(why, '#', sizeof why);
        status = byre_topology_parse(text, &t, why, sizeof why);
        ck_assert_ptr_nonnull(memchr(why, '\0', sizeof why));
        if (status == 0) {
            ck_assert_int_eq(byre_topology_parse(byre_topology_name(t), &again, NULL, 0), 0);
            ck_assert_str_eq(byre_topology_name(t), byre_topology_name(again));
        } else {
            ck_assert(status == BYRE_EINVAL || status == BYRE_ERANGE);
            ck_assert_str_ne(why, "");
        }
        byre_topology_destroy(t);
        byre_topology_destroy(again);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_set_timeout(all, 30);
    tcase_add_test(all, small_one_extent);
    tcase_add_test(all, small_grid_and_torus);
    tcase_add_test(all, small_cube);
    tcase_add_test(all, cuts_of_larger);
    tcase_add_test(all, larger);
    tcase_add_test(all, textbook);
    tcase_add_test(all, huge);
    tcase_add_test(all, dimension_order);
    tcase_add_test(all, star_route_names_switch);
    tcase_add_test(all, bad_create);
    tcase_add_test(all, bad_questions);
    tcase_add_test(all, bad_text);
    tcase_add_test(all, fuzz);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
