/* SPDX-License-Identifier: BSD-3-Clause */
/* Which attributes may stand where. */
#include "model.h"

#include <string.h>

static const struct {
    const char *name;
    int least, most; /* arguments */
} known[] = {
    { "version", 1, 1 },         { "name", 1, 1 },        { "uuid", 0, 0 },
    { "pointer_default", 1, 1 }, { "in", 0, 0 },          { "out", 0, 0 },
    { "size_is", 1, 8 },         { "length_is", 1, 8 },   { "first_is", 1, 8 },
    { "string", 0, 0 },          { "max", 1, 1 },         { "ref", 0, 0 },
    { "unique", 0, 0 },          { "ptr", 0, 0 },         { "bulk", 0, 0 },
    { "context_handle", 0, 0 },  { "switch_is", 1, 1 },   { "switch", 0, 0 },
    { "switch_type", 0, 0 },     { "case", 1, 4096 },     { "default", 0, 0 },
    { "idempotent", 0, 0 },      { "maybe", 0, 0 },       { "async", 0, 0 },
    { "timeout", 1, 1 },         { "comm_status", 0, 0 }, { "shared", 0, 0 },
};

static const struct {
    const char *name, *remedy;
} foreign[] = {
    { "max_is", "write size_is(n), with n one more" },
    { "last_is", "write length_is(n), with n one more" },
    { "min_is", "arrays begin with 0: leave it out" },
    { "broadcast", "there is none: bind to each server with BYRE_RPC_RANK" },
    { "handle", "bindings are implicit: byre_rpc_use" },
    { "retval", "give the procedure a result" },
    { "ignore", "leave the field out, or send it" },
    { "local", "declare the function in a header of your own" },
    { "endpoint", "servers are found by name" },
    { "transmit_as", "convert in the program" },
    { "full", "write ptr" },
    { "inout", "write in, out" },
    { "in_out", "write in, out" },
};

static int index_of(const char *name)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, name) == 0) return (int)i;
    }
    return -1;
}

static const char *meant(gen_t *gen, const char *name)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (strcmp(foreign[i].name, name) == 0) return foreign[i].remedy;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (gen_similar(known[i].name, name))
            return GEN_TEXT(gen, "did you mean %s?", known[i].name);
    }
    return "byre_idl(5) lists all";
}

void gen_check_attrs(gen_t *gen, const gen_attr_t *attrs, const char *allowed, const char *what)
{
    unsigned seen = 0;
    for (const gen_attr_t *attr = attrs; attr != NULL; attr = attr->next) {
        int index = index_of(attr->name), count = 0;
        if (index < 0) {
            gen_error(&gen->diag, attr->pos, meant(gen, attr->name), "there is no attribute %.60s",
                      attr->name);
            continue;
        }
        if ((seen & 1u << index) != 0) {
            gen_error(&gen->diag, attr->pos, "remove one", "the attribute %s stands here twice",
                      attr->name);
        }
        seen |= 1u << index;
        if (strstr(allowed, GEN_TEXT(gen, " %s ", attr->name)) == NULL) {
            gen_error(&gen->diag, attr->pos, "remove it", "the attribute %s makes no sense for %s",
                      attr->name, what);
            continue;
        }
        for (const gen_expr_t *arg = attr->args; arg != NULL; arg = arg->next) count++;
        if (count < known[index].least || count > known[index].most) {
            gen_error(&gen->diag, attr->pos, NULL,
                      known[index].most == 0
                          ? "the attribute %s takes no argument"
                          : (known[index].most == 1 ? "the attribute %s takes one argument"
                                                    : "the attribute %s takes 1 to %d arguments"),
                      attr->name, known[index].most);
        }
    }
}
