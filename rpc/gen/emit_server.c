/* SPDX-License-Identifier: BSD-3-Clause */
/* NAME_server.c: from frames to calls of the server's procedures. */
#include "model.h"

#include <byre_rpc_types.h>

static void invoke(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc)
{
    const char *prefix = GEN_TEXT(gen, "%s__invoke_%s", gen->name, proc->name);
    gen_emit_frame(gen, out, proc);
    gen_put(out, "\nvoid %s(const void *procs, void *frame);\n", prefix);
    gen_put(out, "void %s(const void *procs, void *frame)\n{\n", prefix);
    if (proc->frame->members == NULL) {
        gen_put(out, "    (void)frame;\n");
    } else {
        gen_put(out, "    %s *f = (%s *)frame;\n", proc->frame->c_name, proc->frame->c_name);
    }
    gen_put(out, "    %s((const %s_procs_t *)procs)->%s(",
            proc->has_result ? "f->byre_result = " : "", gen->name, proc->name);
    for (const gen_member_t *param = proc->type->members; param != NULL; param = param->next) {
        gen_put(out, "%sf->%s", param == proc->type->members ? "" : ", ", param->name);
    }
    gen_put(out, ");\n}\n\n");
}

void gen_emit_server(gen_t *gen, gen_buffer_t *out)
{
    gen_emit_top(gen, out, GEN_TEXT(gen, "Server stub of interface %s", gen->name));
    gen_emit_include(gen, out);
    gen_put(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next)
        invoke(gen, out, proc);
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind != BYRE_RPC_CONTEXT || wire->reach != gen->reached) continue;
        gen_put(out, "void %s__rundown_%s(void *handle);\n", gen->name, wire->rundown);
        gen_put(out, "void %s__rundown_%s(void *handle)\n{\n    %s_rundown((%s)handle);\n}\n\n",
                gen->name, wire->rundown, wire->rundown, wire->rundown);
    }
    gen_put(out,
            "int %s_export(const %s_procs_t *procs, const char *name, const byre_rpc_export_attr_t "
            "*attr,\n"
            "    byre_rpc_server_t *server_out)\n{\n",
            gen->name, gen->name);
    gen_put(out, "    return byre_rpc_export(&%s_interface, procs, name, attr, server_out);\n}\n",
            gen->name);
    gen_put(out, "\n#ifdef __cplusplus\n}\n#endif\n");
}
