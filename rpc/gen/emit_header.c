/* SPDX-License-Identifier: BSD-3-Clause */
/* NAME.h: for programs, both clients and servers. */
#include "model.h"

#include <byre_rpc_types.h>
#include <ctype.h>
#include <string.h>

static const char *guard(gen_t *gen)
{
    char *text = GEN_TEXT(gen, "BYRE_RPC_%s_H", gen_file_base(gen));
    for (char *c = text; *c != 0; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return text;
}

/* ---- types ---------------------------------------------------------------------------------------------------- */

static void tag(gen_t *gen, gen_buffer_t *out, const gen_type_t *type)
{
    if (type->kind == TY_ENUM) {
        gen_put(out, type->name == NULL ? "enum {" : "enum %s {", type->name);
        for (const gen_value_t *v = type->values; v != NULL; v = v->next) {
            gen_put(out, "%s\n    %s = %lld", v == type->values ? "" : ",", v->name,
                    (long long)v->value);
        }
        gen_put(out, "\n};\n\n");
        return;
    }
    gen_put(out, "%s {\n", type->c_name);
    for (const gen_member_t *member = type->members; member != NULL; member = member->next) {
        if (member->type != NULL)
            gen_put(out, "    %s;\n", gen_c_decl(gen, member->type, member->name));
    }
    gen_put(out, "};\n\n");
}

static void items(gen_t *gen, gen_buffer_t *out)
{
    for (const gen_item_t *item = gen->items; item != NULL; item = item->next) {
        switch (item->kind) {
        case ITEM_CONST:
            if (item->text != NULL) {
                gen_put(out, "#define %s %s\n\n", item->name, item->text);
            } else {
                gen_put(out, "enum { %s = %lld };\n\n", item->name, (long long)item->value);
            }
            break;
        case ITEM_FORWARD:
            gen_put(out, "%s;\n\n", item->type->c_name);
            break;
        case ITEM_TAG:
            tag(gen, out, item->type);
            break;
        case ITEM_TYPEDEF:
            gen_put(out, "typedef %s;\n\n", gen_c_decl(gen, item->type->element, item->name));
            break;
        default:
            break;
        }
    }
}

/* A server has one for each of its context handles, if it likes. */
static void rundowns(gen_t *gen, gen_buffer_t *out)
{
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind != BYRE_RPC_CONTEXT || wire->reach != gen->reached) continue;
        gen_put(
            out,
            "/* The server's: called with the handle when the client that holds it has died. */\n");
        gen_put(out, "void %s_rundown(%s);\n\n", wire->rundown, wire->rundown);
    }
}

/* ---- shared variables --------------------------------------------------------------------------------------------- */

static void shared(gen_t *gen, gen_buffer_t *out)
{
    if (gen->shared == NULL) return;
    gen_put(out, "/* Shared by all ranks; there once the interface is exported or bound. The names "
                 "are macros:\n"
                 " * include this header after others that may use them for something else. */\n");
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next) {
        gen_put(out, "extern void *%s__%s;\n", gen->name, s->name);
    }
    gen_put(out, "#ifndef BYRE_RPC_NO_SHARED_NAMES\n");
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next) {
        const char *pointer = gen_c_decl(gen, s->type, s->type->kind == TY_ARRAY ? "(*)" : "*");
        gen_put(out, "#define %s (*(%s)%s__%s)\n", s->name, pointer, gen->name, s->name);
    }
    gen_put(out, "#endif\n\n");
}

/* ---- procedures ------------------------------------------------------------------------------------------------------ */

/* int add_begin(int a, int b, byre_rpc_future_t *byre_future_out) */
const char *gen_begin_prototype(gen_t *gen, const gen_proc_t *proc)
{
    const char *params = gen_params(gen, proc, "");
    return GEN_TEXT(gen, "int %s_begin(%s%sbyre_rpc_future_t *byre_future_out)", proc->name, params,
                    params[0] == 0 ? "" : ", ");
}

/* int add_end(byre_rpc_future_t byre_future, int *byre_result_out) */
const char *gen_end_prototype(gen_t *gen, const gen_proc_t *proc)
{
    const char *result = "";
    if (proc->has_result)
        result = GEN_TEXT(gen, ", %s", gen_c_decl(gen, proc->type->element, "*byre_result_out"));
    return GEN_TEXT(gen, "int %s_end(byre_rpc_future_t byre_future%s)", proc->name, result);
}

static void procs(gen_t *gen, gen_buffer_t *out)
{
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(out, "%s;\n", gen_prototype(gen, proc, proc->name));
        if ((proc->flags & BYRE_RPC_P_ASYNC) == 0) continue;
        gen_put(out, "%s;\n%s;\n", gen_begin_prototype(gen, proc), gen_end_prototype(gen, proc));
    }
    gen_put(out, "\n/* The procedures of a server. */\ntypedef struct %s_procs {\n", gen->name);
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(out, "    %s;\n", gen_prototype(gen, proc, GEN_TEXT(gen, "(*%s)", proc->name)));
    }
    if (gen->procs == NULL) gen_put(out, "    char byre_empty;\n");
    gen_put(out, "} %s_procs_t;\n\n", gen->name);
    gen_put(out, "/* %s_procs_t procs = %s_PROCS(my_); has them from functions named my_... */\n",
            gen->name, gen->name);
    gen_put(out, "#define %s_PROCS(prefix) \\\n    { \\\n", gen->name);
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(out, "        prefix##%s%s \\\n", proc->name, proc->next == NULL ? "" : ",");
    }
    if (gen->procs == NULL) gen_put(out, "        0 \\\n");
    gen_put(out, "    }\n\n");
}

void gen_emit_header(gen_t *gen, gen_buffer_t *out)
{
    const char *name = gen->name;
    gen_emit_top(gen, out, GEN_TEXT(gen, "Interface %s %u.%u", name, gen->major, gen->minor));
    gen_put(out, "#ifndef %s\n#define %s\n\n#include <byre_rpc.h>\n", guard(gen), guard(gen));
    for (const gen_item_t *item = gen->items; item != NULL; item = item->next) {
        if (item->kind == ITEM_IMPORT) gen_put(out, "#include \"%s.h\"\n", item->name);
    }
    gen_put(out, "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n");
    gen_put(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    items(gen, out);
    rundowns(gen, out);
    procs(gen, out);
    gen_put(out, "extern const byre_rpc_interface_t %s_interface;\n\n", name);
    gen_put(out, "/* byre_rpc_bind, byre_rpc_export of this interface: in the client stub, in the "
                 "server stub. */\n");
    gen_put(out,
            "int %s_bind(const char *name, const byre_rpc_bind_attr_t *attr, byre_rpc_binding_t "
            "*binding_out);\n",
            name);
    gen_put(out,
            "int %s_export(const %s_procs_t *procs, const char *name, const byre_rpc_export_attr_t "
            "*attr,\n"
            "    byre_rpc_server_t *server_out);\n\n",
            name, name);
    gen_put(
        out,
        "/* With the local stub instead of the others: calls are calls of these functions. */\n");
    gen_put(out, "void %s_local(const %s_procs_t *procs);\n\n", name, name);
    shared(gen, out);
    gen_put(out, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
