/* SPDX-License-Identifier: BSD-3-Clause */
/* NAME_client.c: functions with the procedures' names that call the server; NAME_local.c: ones that call
 * functions of the program. */
#include "model.h"

#include <byre_rpc_types.h>

static void call_stub(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc, int number)
{
    gen_put(out, "%s\n{\n", gen_prototype(gen, proc, proc->name));
    gen_emit_fill(out, proc);
    if ((proc->flags & BYRE_RPC_P_STATUS) != 0) {
        gen_put(out, "    int byre_error = byre_rpc_call(&%s_interface, %d, &byre_frame);\n",
                gen->name, number);
        gen_put(out, "    return byre_error != 0 ? byre_error : byre_frame.byre_result;\n}\n\n");
        return;
    }
    gen_put(out, "    (void)byre_rpc_call(&%s_interface, %d, &byre_frame);\n", gen->name, number);
    gen_put(out, "%s}\n\n", proc->has_result ? "    return byre_frame.byre_result;\n" : "");
}

static void async_stubs(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc, int number)
{
    gen_put(out, "%s\n{\n", gen_begin_prototype(gen, proc));
    gen_emit_fill(out, proc);
    gen_put(out,
            "    return byre_rpc_begin(&%s_interface, %d, &byre_frame, byre_future_out);\n}\n\n",
            gen->name, number);
    gen_put(out, "%s\n{\n", gen_end_prototype(gen, proc));
    gen_put(out, "    %s byre_frame;\n", proc->frame->c_name);
    gen_put(out, "    memset(&byre_frame, 0, sizeof byre_frame);\n");
    gen_put(out, "    int byre_error = byre_rpc_end(byre_future, &byre_frame);\n");
    if (proc->has_result) {
        gen_put(out,
                "    if (byre_result_out != NULL) *byre_result_out = byre_frame.byre_result;\n");
    }
    gen_put(out, "    return byre_error;\n}\n\n");
}

void gen_emit_client(gen_t *gen, gen_buffer_t *out)
{
    int number = 0;
    gen_emit_top(gen, out, GEN_TEXT(gen, "Client stub of interface %s", gen->name));
    gen_emit_include(gen, out);
    gen_put(out, "#include <string.h>\n\n");
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_emit_frame(gen, out, proc);
        gen_put(out, "\n");
    }
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next, number++) {
        call_stub(gen, out, proc, number);
        if ((proc->flags & BYRE_RPC_P_ASYNC) != 0) async_stubs(gen, out, proc, number);
    }
    gen_put(out,
            "int %s_bind(const char *name, const byre_rpc_bind_attr_t *attr, byre_rpc_binding_t "
            "*binding_out)\n{\n",
            gen->name);
    gen_put(out, "    return byre_rpc_bind(&%s_interface, name, attr, binding_out);\n}\n",
            gen->name);
}

/* ---- local ------------------------------------------------------------------------------------------------------- */

static void arguments(gen_buffer_t *out, const gen_proc_t *proc)
{
    for (const gen_member_t *param = proc->type->members; param != NULL; param = param->next) {
        gen_put(out, "%s%s", param == proc->type->members ? "" : ", ", param->name);
    }
}

/* The call is made when it begins; the future is a copy of its result. */
static void local_async(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc)
{
    gen_put(out, "%s\n{\n", gen_begin_prototype(gen, proc));
    gen_put(out, "    %s *byre_frame = (%s *)calloc(1, sizeof *byre_frame);\n", proc->frame->c_name,
            proc->frame->c_name);
    gen_put(out, "    if (byre_frame == NULL) return BYRE_ENOMEM;\n    %sbyre_procs.%s(",
            proc->has_result ? "byre_frame->byre_result = " : "", proc->name);
    arguments(out, proc);
    gen_put(out, ");\n    *byre_future_out = (byre_rpc_future_t)(void *)byre_frame;\n    return "
                 "BYRE_OK;\n}\n\n");
    gen_put(out, "%s\n{\n", gen_end_prototype(gen, proc));
    gen_put(out, "    %s *byre_frame = (%s *)(void *)byre_future;\n", proc->frame->c_name,
            proc->frame->c_name);
    if (proc->has_result) {
        gen_put(out,
                "    if (byre_result_out != NULL) *byre_result_out = byre_frame->byre_result;\n");
    }
    gen_put(out, "    free(byre_frame);\n    return BYRE_OK;\n}\n\n");
}

void gen_emit_local(gen_t *gen, gen_buffer_t *out)
{
    gen_emit_top(gen, out,
                 GEN_TEXT(gen, "Local stub of interface %s, without messages", gen->name));
    gen_emit_include(gen, out);
    gen_put(out, "#include <stdlib.h>\n\n");
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next) {
        gen_put(out, "static %s;\n",
                gen_c_decl(gen, s->type, GEN_TEXT(gen, "byre_shared__%s", s->name)));
        gen_put(out, "void *%s__%s = &byre_shared__%s;\n\n", gen->name, s->name, s->name);
    }
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        if ((proc->flags & BYRE_RPC_P_ASYNC) == 0) continue;
        gen_emit_frame(gen, out, proc);
        gen_put(out, "\n");
    }
    gen_put(out, "static %s_procs_t byre_procs;\n\n", gen->name);
    gen_put(out, "void %s_local(const %s_procs_t *procs)\n{\n    byre_procs = *procs;\n}\n",
            gen->name, gen->name);
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(out, "\n%s\n{\n    %sbyre_procs.%s(", gen_prototype(gen, proc, proc->name),
                proc->has_result ? "return " : "", proc->name);
        arguments(out, proc);
        gen_put(out, ");\n}\n");
        if ((proc->flags & BYRE_RPC_P_ASYNC) == 0) continue;
        gen_put(out, "\n");
        local_async(gen, out, proc);
    }
}
