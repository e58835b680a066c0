/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls of procedures on another rank look like calls: rank 1 is the server, rank 0 the client.
 *
 *   mpirun -n 2 rpc_calc
 */
#include "calc.h"

#include <byre.h>
#include <stdio.h>
#include <string.h>

/* ---- the server's procedures ------------------------------------------------------------------- */

static int my_add(int a, int b)
{
    return a + b;
}

static double my_mean(int n, const double numbers[])
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += numbers[i];
    return n > 0 ? sum / n : 0;
}

static void my_divide(int a, int b, int *quotient, int *rest)
{
    *quotient = b != 0 ? a / b : 0;
    *rest = b != 0 ? a % b : a;
}

/* What a procedure returns a pointer to comes from byre_rpc_alloc. */
static char *my_spell(int digit)
{
    static const char *const words[] = { "zero", "one", "two",   "three", "four",
                                         "five", "six", "seven", "eight", "nine" };
    if (digit < 0 || digit > 9) return NULL;
    char *word = byre_rpc_alloc(strlen(words[digit]) + 1);
    return word != NULL ? strcpy(word, words[digit]) : NULL;
}

/* ---- the client ------------------------------------------------------------------------------------ */

static int complain(const char *what, int error)
{
    fprintf(stderr, "rpc_calc: %s: %s\n", what, byre_strerror(error));
    return 1;
}

static int client(void)
{
    static const double numbers[] = { 1, 2, 3, 6 };
    const byre_rpc_bind_attr_t attr = { .wait_ms = -1 }; /* the server may be later than we are */
    byre_rpc_binding_t binding;
    int quotient, rest;
    int error = calc_bind(NULL, &attr, &binding);
    if (error != BYRE_OK) return complain("calc_bind", error);

    printf("2 + 3 = %d\n", add(2, 3));
    printf("mean of 1 2 3 6 = %.1f\n", mean(4, numbers));
    divide(17, 5, &quotient, &rest);
    printf("17 = %d * 5 + %d\n", quotient, rest);
    char *word = spell(7);
    printf("7 is %s\n", word != NULL ? word : "lost");
    byre_rpc_free(word);

    /* What no local call can: the outcome of this thread's latest one. */
    error = byre_rpc_outcome(NULL);
    if (error != BYRE_OK) return complain("spell", error);
    error = byre_rpc_unbind(binding);
    return error == BYRE_OK ? 0 : complain("byre_rpc_unbind", error);
}

int main(void)
{
    static const calc_procs_t procs = calc_PROCS(my_);
    byre_rpc_server_t server;
    int status = 0;
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);

    if (byre_rank() == (byre_size() > 1 ? 1 : 0)) {
        error = calc_export(&procs, NULL, NULL, &server);
        if (error != BYRE_OK) return complain("calc_export", error);
    }
    if (byre_rank() == 0) status = client();

    error = byre_finalize(); /* servers serve until all ranks are here */
    return error == BYRE_OK ? status : complain("byre_finalize", error);
}
