/* SPDX-License-Identifier: BSD-3-Clause */
/* Every construct of the interface language, from rpc_stubs.idl through byre-rpcgen to a server and back. */
#include "rpc_stubs.h"
#include "testing.h"

#include <ctype.h>

/* ---- the server: it looks at what it got, and changes it ------------------------------------------ */

static char *copied(const char *text)
{
    char *copy = byre_rpc_alloc(strlen(text) + 1);
    CHECK(copy != NULL);
    return strcpy(copy, text);
}

static int64_t my_scalars(signed char a, uint8_t b, short c, unsigned short d, int e, unsigned f,
                          long g, size_t h, float i, double j, bool k, enum color l)
{
    CHECK(a == -128 && b == 255 && c == -32768 && d == 65535);
    CHECK(e == INT32_MIN && f == UINT32_MAX && g == INT64_MIN && h == SIZE_MAX);
    CHECK(i == 0.5f && j == -1e300 && k && l == BLUE);
    return INT64_MIN + 7;
}

static void my_outs(int8_t *a, uint16_t *b, long *c, double *d, bool *e, enum color *f)
{
    *a = -1;
    *b = 65535;
    *c = -*c;
    *d = 2.5;
    *e = true;
    *f = GREEN;
}

static struct mixed my_structs(struct mixed m, struct mixed *n)
{
    struct mixed old = *n;
    *n = m;
    n->at.x++;
    return old;
}

static void my_windows(struct window *w)
{
    for (int i = 0; i < w->used; i++) w->values[w->first + i] *= 2;
    w->used--;
}

static void my_tails(struct tail *t)
{
    for (int i = 0; i <= t->n; i++) t->points[i].y = t->points[i].x * 3;
}

static void my_fixed(int a[4], short m[2][3])
{
    for (int i = 0; i < 4; i++) a[i] = -a[i];
    for (int i = 0; i < 3; i++) m[1][i] = m[0][i];
}

static void my_sized(int n, const int a[], int *b)
{
    for (int i = 0; i < n; i++) b[i] = a[2 * i];
}

static void my_lengths(int most, int *used, int *a)
{
    int n = *used;
    for (int i = 0; i < n && n + i < most; i++, ++*used) a[n + i] = a[i] + 100;
}

static void my_late(const int *a, const int *n, int *sum)
{
    *sum = 0;
    for (int i = 0; i < *n; i++) *sum += a[i];
}

static void my_fetch(int *n, int **a)
{
    *n = 5;
    *a = byre_rpc_alloc(5 * sizeof **a);
    CHECK(*a != NULL);
    for (int i = 0; i < 5; i++) (*a)[i] = i * i;
}

static int *my_make(int n)
{
    int *a = n > 0 ? byre_rpc_alloc((size_t)n * sizeof *a) : NULL;
    for (int i = 0; i < n; i++) a[i] = -i;
    return a;
}

static void my_table(struct rows *r)
{
    for (int i = 0; i < r->n; i++)
        for (int j = 0; j < r->m && r->rows[i] != NULL; j++) r->rows[i][j] += 10 * i + j;
}

static void my_texts(const char *in_text, char *both, char out_text[MOST], char **fresh,
                     const char *none)
{
    CHECK(none == NULL);
    strcpy(out_text, in_text);
    for (char *c = both; *c != 0; c++) *c = (char)toupper((unsigned char)*c);
    strcat(both, "!");
    *fresh = copied("fresh");
}

static void my_words(int n, char **list)
{
    for (int i = 0; i < n; i++)
        if (list[i] != NULL) list[i][0] = 'W';
}

static void my_people(struct person *p)
{
    CHECK(p->many == 2 && strcmp(p->friends[0], "ann") == 0 && p->friends[1] == NULL);
    strcpy(p->nick, "sevench");
    p->name[0] = 'L';
}

static void my_shapes(struct shape s, struct shape *t)
{
    t->kind = s.kind == RED ? GREEN : RED;
    if (s.kind == RED) t->u.corner = (point_t){ (int)s.u.radius, 1 };
    if (s.kind != RED) t->u.radius = s.u.corner.x + s.u.corner.y;
}

static void my_unions(struct holder *h, int which, union plain *u)
{
    if (h->which == 1) h->u.i++;
    if (h->which == 2) h->u.s[0] = 'U';
    if (which == 1) u->i--;
}

/* The list turned round, a node more at its end, and what `inside` points to noticed. */
static void my_graph(node_t *list, node_t *inside, struct pair *p)
{
    node_t *turned = byre_rpc_alloc(sizeof *turned);
    CHECK(list != NULL && list->own != NULL);
    CHECK(turned != NULL && inside == &p->b && p->a.next == &p->b && p->b.any == list);
    *turned = (node_t){ .key = 99, .any = turned };
    for (node_t *node = list, *next; node != NULL; node = next) {
        next = node->next;
        node->key = -node->key;
        node->next = turned;
        turned = node;
    }
    inside->key = 42;
    p->a.any = turned;
    *list->own = 7;
}

static node_t *my_find(node_t *list, int key)
{
    while (list != NULL && list->key != key) list = list->next;
    return list;
}

static void my_bytes(size_t n, const void *from, void *to)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[n - 1 - i];
}

struct counter {
    int next;
};

static counter_t my_counter_open(int from)
{
    struct counter *counter = malloc(sizeof *counter);
    CHECK(counter != NULL);
    counter->next = from;
    return counter;
}

static int my_counter_next(counter_t counter, int *twice)
{
    *twice = 2 * counter->next;
    return counter->next++;
}

static void my_counter_close(counter_t *counter)
{
    free(*counter);
    *counter = NULL;
}

void counter_t_rundown(counter_t counter)
{
    free(counter);
}

static int my_status(int n)
{
    return n;
}

static void my_count(void)
{
    shared_table[1][2] = ++shared_count;
}

/* ---- the client ---------------------------------------------------------------------------------------- */

static void values(void)
{
    int8_t a;
    uint16_t b;
    long c = 1L << 40;
    double d;
    bool e;
    enum color f;
    EQUAL(INT64_MIN + 7, scalars(-128, 255, -32768, 65535, INT32_MIN, UINT32_MAX, INT64_MIN,
                                 SIZE_MAX, 0.5f, -1e300, true, BLUE));
    outs(&a, &b, &c, &d, &e, &f);
    CHECK(a == -1 && b == 65535 && c == -(1L << 40) && d == 2.5 && e && f == GREEN);
    struct mixed m = { 'm', { 1, 2 }, 0.25, true }, n = { 'n', { 3, 4 }, 0.75, false };
    struct mixed old = structs(m, &n);
    CHECK(old.c == 'n' && old.at.y == 4 && old.weight == 0.75 && !old.on);
    CHECK(n.c == 'm' && n.at.x == 2 && n.at.y == 2 && n.on);
    EQUAL(-77, status(-77));
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
}

static void arrays(void)
{
    struct window w = { 2, 3, { 0 } };
    for (int i = 0; i < MOST; i++) w.values[i] = i;
    windows(&w);
    CHECK(w.used == 2 && w.values[1] == 1 && w.values[2] == 4 && w.values[3] == 6 &&
          w.values[4] == 4);
    struct tail *t = malloc(sizeof *t + 4 * sizeof t->points[0]);
    CHECK(t != NULL);
    t->n = 3;
    for (int i = 0; i < 4; i++) t->points[i].x = i;
    tails(t);
    for (int i = 0; i < 4; i++) EQUAL(3 * i, t->points[i].y);
    free(t);
    int four[4] = { 1, 2, 3, 4 }, seven[7] = { 0, 9, 1, 9, 2, 9, 3 },
        most[6] = { 1, 2, -1, -1, -1, -1 };
    short m[2][3] = { { 1, 2, 3 }, { 0, 0, 0 } };
    int got[4], used = 2, sum = 0, *fresh = NULL;
    fixed(four, m);
    CHECK(four[0] == -1 && four[3] == -4 && m[1][2] == 3);
    sized(4, seven, got);
    CHECK(got[0] == 0 && got[1] == 1 && got[3] == 3);
    lengths(6, &used, most);
    CHECK(used == 4 && most[2] == 101 && most[3] == 102 && most[4] == -1);
    late(seven, &(int){ 7 }, &sum);
    EQUAL(33, sum);
    fetch(&used, &fresh);
    CHECK(used == 5 && fresh[4] == 16);
    byre_rpc_free(fresh);
    fresh = make(3);
    CHECK(fresh != NULL && fresh[2] == -2);
    byre_rpc_free(fresh);
    CHECK(make(0) == NULL);
    int row[3] = { 1, 2, 3 };
    int *rows[2] = { NULL, row };
    struct rows r = { 2, 3, rows };
    table(&r);
    CHECK(r.rows == rows && rows[0] == NULL && rows[1] == row && row[2] == 15);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
}

static void strings(void)
{
    char both[MOST] = "both", out_text[MOST], *fresh = NULL;
    char one[] = "one", two[] = "two", *list[] = { one, NULL, two };
    texts("in", both, out_text, &fresh, NULL);
    CHECK(strcmp(both, "BOTH!") == 0 && strcmp(out_text, "in") == 0 && strcmp(fresh, "fresh") == 0);
    byre_rpc_free(fresh);
    words(3, list);
    CHECK(list[0] == one && strcmp(one, "Wne") == 0 && list[1] == NULL && strcmp(two, "Wwo") == 0);
    char name[] = "lee", friend[] = "ann", *friends[] = { friend, NULL };
    struct person p = { "nick", name, 2, friends };
    people(&p);
    CHECK(strcmp(p.nick, "sevench") == 0 && p.name == name && strcmp(name, "Lee") == 0 &&
          p.friends == friends);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
    char longer[2 * MOST] = "much more than fits";
    texts("in", longer, out_text, &fresh, NULL);
    EXPECT(BYRE_EINVAL, byre_rpc_outcome(NULL));
}

static void unions_(void)
{
    struct shape s = { RED, { .radius = 3 } }, t;
    shapes(s, &t);
    CHECK(t.kind == GREEN && t.u.corner.x == 3 && t.u.corner.y == 1);
    shapes(t, &s);
    CHECK(s.kind == RED && s.u.radius == 4);
    char text[] = "text";
    struct holder h = { 1, { .i = 5 } };
    union plain u = { .i = 8 };
    unions(&h, 1, &u);
    CHECK(h.u.i == 6 && u.i == 7);
    h = (struct holder){ 2, { .s = text } };
    unions(&h, 77, &u);
    CHECK(h.u.s == text && strcmp(text, "Uext") == 0 && u.i == 7);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
}

static void graphs(void)
{
    int own = 1;
    node_t third = { 3, NULL, NULL, NULL }, second = { 2, &third, NULL, NULL },
           first = { 1, &second, &third, &own };
    struct pair p = { { 10, NULL, NULL, NULL }, { 11, NULL, &first, NULL } };
    p.a.next = &p.b;
    graph(&first, &p.b, &p);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
    CHECK(p.a.any == &third && third.next == &second && second.next == &first &&
          first.any == &third);
    CHECK(first.key == -1 && third.key == -3 && own == 7 && first.own == &own && p.b.key == 42);
    node_t *new = first.next;
    CHECK(new != NULL &&new->key == 99 && new->any == new &&new->next == NULL);
    byre_rpc_free(new);
    first.next = NULL;
    node_t *found = find(&third, -2);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
    CHECK(found == &second);
    CHECK(find(NULL, 1) == NULL);
    unsigned char from[5] = "abcde", to[5];
    bytes(5, from, to);
    CHECK(memcmp(to, "edcba", 5) == 0);
}

static void handles(void)
{
    int twice = 0, value = 0;
    byre_rpc_future_t future;
    counter_t counter = counter_open(20);
    CHECK(counter != NULL);
    EQUAL(20, counter_next(counter, &twice));
    EXPECT(BYRE_OK, counter_next_begin(counter, &twice, &future));
    EXPECT(BYRE_OK, counter_next_end(future, &value));
    CHECK(value == 21 && twice == 42);
    counter_close(&counter);
    CHECK(counter == NULL);
    EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
}

int main(void)
{
    static const stubs_procs_t procs = stubs_PROCS(my_);
    byre_rpc_server_t server;
    byre_rpc_binding_t binding;
    start();
    EXPECT(BYRE_OK, stubs_export(&procs, NULL, NULL, &server));
    EXPECT(BYRE_OK, byre_barrier());
    const byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK,
                                        .rank = (me + 1) % ranks,
                                        .wait_ms = -1 };
    EXPECT(BYRE_OK, stubs_bind(NULL, &attr, &binding));
    values();
    arrays();
    strings();
    unions_();
    graphs();
    handles();
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) {
        count();
        count();
        EXPECT(BYRE_OK, byre_rpc_outcome(NULL));
        CHECK(shared_count == 2 && shared_table[1][2] == 2);
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return finish();
}
