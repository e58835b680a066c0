/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Half of a product of matrices is computed by the server, the other half by the client meanwhile.
 *
 *   mpirun -n 2 rpc_matrix [SIZE]
 */
#include "matrix.h"

#include <byre.h>
#include <stdio.h>
#include <stdlib.h>

/* Used by both: C does not care who calls. Returns how many numbers were computed. */
static long my_multiply(int rows, int n, const double *a, const double *b, double *c)
{
    for (int i = 0; i < rows; i++) {
        double *row = c + (size_t)i * n;
        for (int j = 0; j < n; j++) row[j] = 0;
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++) row[j] += a[(size_t)i * n + k] * b[(size_t)k * n + j];
    }
    return (long)rows * n;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "rpc_matrix: %s: %s\n", what, byre_strerror(error));
    return 1;
}

static int product(int n, const double *a, const double *b, double *c)
{
    int half = n / 2;
    long computed = 0;
    byre_rpc_future_t future;
    int error = multiply_begin(half, n, a, b, c, &future);
    if (error != BYRE_OK) return complain("multiply_begin", error);
    my_multiply(n - half, n, a + (size_t)half * n, b, c + (size_t)half * n);
    error = multiply_end(future, &computed);
    if (error != BYRE_OK) return complain("multiply_end", error);
    printf("%ld of %ld numbers by the server\n", computed, (long)n * n);
    return 0;
}

static int client(int n)
{
    const byre_rpc_bind_attr_t attr = { .wait_ms = -1 };
    byre_rpc_binding_t binding;
    size_t count = (size_t)n * n, wrong = 0;
    double *a = malloc(3 * count * sizeof *a);
    if (a == NULL) return complain("malloc", BYRE_ENOMEM);
    double *b = a + count, *c = b + count;
    int error = matrix_bind(NULL, &attr, &binding);
    if (error != BYRE_OK) {
        free(a);
        return complain("matrix_bind", error);
    }

    /* b doubles what stands in its diagonal's way. */
    for (size_t i = 0; i < count; i++) {
        a[i] = (double)(i % 1000);
        b[i] = i % ((size_t)n + 1) == 0 ? 2 : 0;
        c[i] = -1;
    }
    int status = product(n, a, b, c);
    for (size_t i = 0; i < count; i++) wrong += c[i] != 2 * a[i];
    printf("wrong: %zu\n", wrong);
    free(a);
    error = byre_rpc_unbind(binding);
    return error == BYRE_OK ? status : complain("byre_rpc_unbind", error);
}

int main(int argc, char **argv)
{
    static const matrix_procs_t procs = matrix_PROCS(my_);
    byre_rpc_server_t server;
    int status = 0, n = argc > 1 ? atoi(argv[1]) : 200;
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);
    if (n < 1 || n > 10000) n = 200;

    if (byre_rank() == (byre_size() > 1 ? 1 : 0)) {
        error = matrix_export(&procs, NULL, NULL, &server);
        if (error != BYRE_OK) return complain("matrix_export", error);
    }
    if (byre_rank() == 0) status = client(n);

    error = byre_finalize();
    return error == BYRE_OK ? status : complain("byre_finalize", error);
}
