/* SPDX-License-Identifier: BSD-3-Clause */
/* What the generated files have in common. */
#include "model.h"

#include <string.h>

const char *gen_file_base(gen_t *gen)
{
    const char *path = gen->first->source->path, *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".idl") == 0) length -= 4;
    return gen_copy(&gen->arena, name, length);
}

void gen_emit_top(gen_t *gen, gen_buffer_t *out, const char *what)
{
    const char *base = gen_file_base(gen);
    gen_put(out, "/* %s, made by byre-rpcgen from %s.idl: change that instead. */\n", what, base);
}

/* Stubs have nothing to do with shared variables, whose names may be those of fields of theirs. */
void gen_emit_include(gen_t *gen, gen_buffer_t *out)
{
    bool imports = false;
    for (const gen_item_t *item = gen->items; item != NULL; item = item->next) {
        if (item->kind == ITEM_IMPORT) imports = true;
    }
    if (gen->shared != NULL || imports) gen_put(out, "#define BYRE_RPC_NO_SHARED_NAMES\n");
    gen_put(out, "#include \"%s.h\"\n\n", gen_file_base(gen));
}

/* int add(int a, int b) */
const char *gen_prototype(gen_t *gen, const gen_proc_t *proc, const char *name)
{
    return gen_c_decl(gen, proc->type->element,
                      GEN_TEXT(gen, "%s(%s)", name, gen_params(gen, proc, "void")));
}

const char *gen_params(gen_t *gen, const gen_proc_t *proc, const char *none)
{
    gen_buffer_t text = { 0 };
    for (const gen_member_t *param = proc->type->members; param != NULL; param = param->next) {
        gen_put(&text, "%s%s", text.used > 0 ? ", " : "",
                gen_c_decl(gen, param->type, param->name));
    }
    const char *params = text.used > 0 ? gen_copy(&gen->arena, text.text, text.used) : none;
    gen_buffer_free(&text);
    return params;
}

/* A field of a frame: the result has a name that no parameter can have. */
const char *gen_frame_field(const gen_member_t *member)
{
    return member->name[0] == 0 ? "byre_result" : member->name;
}

void gen_emit_frame(gen_t *gen, gen_buffer_t *out, const gen_proc_t *proc)
{
    gen_put(out, "%s {\n", proc->frame->c_name);
    for (const gen_member_t *member = proc->frame->members; member != NULL; member = member->next) {
        gen_put(out, "    %s;\n", gen_c_decl(gen, member->type, gen_frame_field(member)));
    }
    if (proc->frame->members == NULL) gen_put(out, "    char byre_empty;\n");
    gen_put(out, "};\n");
}

/* What goes into a frame when a stub is called. */
void gen_emit_fill(gen_buffer_t *out, const gen_proc_t *proc)
{
    gen_put(out, "    %s byre_frame;\n", proc->frame->c_name);
    gen_put(out, "    memset(&byre_frame, 0, sizeof byre_frame);\n");
    for (const gen_member_t *param = proc->type->members; param != NULL; param = param->next) {
        gen_put(out, "    byre_frame.%s = %s;\n", param->name, param->name);
    }
}
