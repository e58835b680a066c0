/* SPDX-License-Identifier: BSD-3-Clause */
/* NAME_types.c: the tables, once in a program whichever stubs it has. */
#include "model.h"

#include <byre_rpc_types.h>
#include <stdlib.h>
#include <string.h>

static bool used(const gen_t *gen, const gen_wire_t *wire)
{
    return wire->reach == gen->reached;
}

/* ---- layout: a wrong assumption is an error of the C compiler --------------------------------------------- */

static void assert_struct(gen_buffer_t *out, const gen_type_t *type)
{
    gen_put(out, "_Static_assert(sizeof(%s) == %zu, \"%s\");\n", type->c_name, type->size,
            type->c_name);
    if (type->kind == TY_UNION) return;
    for (const gen_member_t *member = type->members; member != NULL; member = member->next) {
        gen_put(out, "_Static_assert(offsetof(%s, %s) == %zu, \"%s\");\n", type->c_name,
                gen_frame_field(member), member->offset, gen_frame_field(member));
    }
}

static void asserts(gen_t *gen, gen_buffer_t *out)
{
    gen_put(out, "_Static_assert(sizeof(void *) == 8 && sizeof(long) == 8 && sizeof(int) == 4, "
                 "\"LP64\");\n");
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (!used(gen, wire) || wire->type == NULL) continue;
        if (wire->kind == BYRE_RPC_STRUCT || wire->kind == BYRE_RPC_UNION)
            assert_struct(out, wire->type);
        if (wire->kind == BYRE_RPC_ENUM && wire->type->name != NULL) {
            gen_put(out, "_Static_assert(sizeof(%s) == 4, \"%s\");\n", wire->type->c_name,
                    wire->type->c_name);
        }
    }
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        if (proc->frame->members != NULL) assert_struct(out, proc->frame);
    }
    gen_put(out, "\n");
}

/* ---- formulas: what does not fit in 64 bits gives -1, which is no size --------------------------------------- */

static bool is_large(gen_type_t *type)
{
    type = gen_bare(type);
    return type->kind == TY_BASIC && type->basic->size == 8 && !type->basic->is_signed;
}

static bool reads_container(const gen_formula_t *formula, const gen_expr_t *expr)
{
    if (expr->op == OP_NAME) return gen_member_find(formula->container, expr->text) != NULL;
    return (expr->left != NULL && reads_container(formula, expr->left)) ||
           (expr->right != NULL && reads_container(formula, expr->right));
}

/* Emits what computes an expression; returns what stands for its value. */
static const char *compute(gen_t *gen, gen_buffer_t *out, const gen_formula_t *formula,
                           const gen_expr_t *expr, int *temps)
{
    static const char *const calls[] = { [OP_ADD] = "add", [OP_SUB] = "sub", [OP_MUL] = "mul" };
    bool through = expr->op == OP_DEREF;
    const gen_expr_t *name = through ? expr->left : expr;
    int64_t value = 0;
    if (name->op == OP_NAME) {
        const gen_member_t *member = gen_member_find(formula->container, name->text);
        if (member != NULL) {
            gen_type_t *type = through ? gen_bare(member->type)->element : member->type;
            const char *text = GEN_TEXT(gen, "%sc->%s", through ? "*" : "", member->name);
            if (is_large(type)) gen_put(out, "    if (%s > INT64_MAX) return -1;\n", text);
            return GEN_TEXT(gen, "(int64_t)%s", text);
        }
    }
    if (!reads_container(formula, expr)) {
        (void)gen_constant(gen, expr, &value);
        return value == INT64_MIN ? "INT64_MIN" : GEN_TEXT(gen, "INT64_C(%lld)", (long long)value);
    }
    const char *left =
        expr->op == OP_NEG ? "INT64_C(0)" : compute(gen, out, formula, expr->left, temps);
    const char *right =
        compute(gen, out, formula, expr->op == OP_NEG ? expr->left : expr->right, temps);
    const char *temp = GEN_TEXT(gen, "v%d", ++*temps);
    if (expr->op == OP_DIV || expr->op == OP_MOD) {
        if (reads_container(formula, expr->right)) {
            gen_put(out, "    if (%s < 1) return -1;\n", right);
        }
        gen_put(out, "    int64_t %s = %s %c %s;\n", temp, left, expr->op == OP_DIV ? '/' : '%',
                right);
    } else {
        gen_op_t op = expr->op == OP_NEG ? OP_SUB : expr->op;
        gen_put(out, "    int64_t %s;\n    if (__builtin_%s_overflow(%s, %s, &%s)) return -1;\n",
                temp, calls[op], left, right, temp);
    }
    return temp;
}

static void formula_function(gen_t *gen, gen_buffer_t *out, const gen_formula_t *formula)
{
    int temps = 0;
    if (formula == NULL) return;
    gen_put(out, "static int64_t %s(const void *container)\n{\n", formula->id);
    if (reads_container(formula, formula->expr)) {
        gen_put(out, "    const %s *c = container;\n", formula->container->c_name);
    } else {
        gen_put(out, "    (void)container;\n");
    }
    const char *value = compute(gen, out, formula, formula->expr, &temps);
    gen_put(out, "    return %s;\n}\n\n", value);
}

static void switch_function(gen_buffer_t *out, const gen_formula_t *formula)
{
    if (formula == NULL) return;
    bool through = formula->expr->op == OP_DEREF;
    const char *name = through ? formula->expr->left->text : formula->expr->text;
    gen_put(out, "static int64_t %s(const void *container)\n{\n", formula->id);
    gen_put(out, "    const %s *c = container;\n    return (int64_t)%sc->%s;\n}\n\n",
            formula->container->c_name, through ? "*" : "", name);
}

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static const char *const kinds[] = { "VOID",  "INT",  "BOOL",   "ENUM",  "FLOAT",   "STRUCT",
                                     "ARRAY", "FLEX", "STRING", "UNION", "POINTER", "CONTEXT" };

static const char *flags_text(gen_t *gen, int flags)
{
    static const char *const names[] = { "SIGNED", "FLAT",   "REF",  "UNIQUE",
                                         "PTR",    "STRING", "BULK", "CONTAINS" };
    const char *text = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((flags & 1 << i) == 0) continue;
        text = GEN_TEXT(gen, "%s%sBYRE_RPC_F_%s", text, text[0] == 0 ? "" : " | ", names[i]);
    }
    return text;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Ascending, each once (T4). */
static int enum_table(gen_t *gen, gen_buffer_t *out, const gen_wire_t *wire)
{
    int count = 0, kept = 0;
    for (const gen_value_t *v = wire->type->values; v != NULL; v = v->next) count++;
    int64_t *values = gen_alloc(&gen->arena, ((size_t)count + 1) * sizeof values[0]);
    count = 0;
    for (const gen_value_t *v = wire->type->values; v != NULL; v = v->next)
        values[count++] = v->value;
    qsort(values, (size_t)count, sizeof values[0], by_value);
    gen_put(out, "static const int64_t byre_values__%s[] = {", wire->id);
    for (int i = 0; i < count; i++) {
        if (i > 0 && values[i] == values[i - 1]) continue;
        gen_put(out, "%s%lld", kept == 0 ? " " : ", ", (long long)values[i]);
        kept++;
    }
    gen_put(out, " };\n\n");
    return kept;
}

static int member_table(gen_buffer_t *out, const gen_wire_t *wire)
{
    int count = 0;
    gen_put(out, "static const byre_rpc_field_t byre_fields__%s[] = {\n", wire->id);
    for (const gen_member_t *member = wire->members; member != NULL; member = member->next) {
        if (wire->kind == BYRE_RPC_STRUCT) {
            gen_put(out, "    { .name = \"%s\", .type = &byre_type__%s, .offset = %zu },\n",
                    member->name, member->wire->id, member->offset);
            count++;
            continue;
        }
        for (int i = 0; i < member->label_count; i++, count++) {
            gen_put(out, "    { .name = \"%s\", .type = &byre_type__%s, .value = %s%lld%s },\n",
                    member->name, member->wire->id,
                    member->labels[i] == INT64_MIN ? "-INT64_C(" : "",
                    (long long)(member->labels[i] == INT64_MIN ? INT64_MAX : member->labels[i]),
                    member->labels[i] == INT64_MIN ? ") - 1" : "");
        }
        if (!member->is_default) continue;
        gen_put(
            out,
            "    { .name = \"%s\", .type = &byre_type__%s, .direct = BYRE_RPC_DEFAULT_CASE },\n",
            member->name, member->wire->id);
        count++;
    }
    gen_put(out, "};\n\n");
    return count;
}

static void put_formula(gen_buffer_t *out, const char *field, const gen_formula_t *formula)
{
    if (formula != NULL) gen_put(out, "    .%s = %s,\n", field, formula->id);
}

static void type_table(gen_t *gen, gen_buffer_t *out, const gen_wire_t *wire)
{
    int64_t count = wire->count;
    bool has_members = wire->kind == BYRE_RPC_STRUCT || wire->kind == BYRE_RPC_UNION;
    if (wire->kind == BYRE_RPC_ENUM) count = enum_table(gen, out, wire);
    if (has_members) count = member_table(out, wire);
    gen_put(out,
            "static const byre_rpc_type_t byre_type__%s = {\n    .name = \"%s\",\n    .kind = "
            "BYRE_RPC_%s,\n",
            wire->id, wire->name, kinds[wire->kind]);
    if (wire->flags != 0) gen_put(out, "    .flags = %s,\n", flags_text(gen, wire->flags));
    gen_put(out, "    .align = %zu,\n    .size = %zu,\n", wire->align, wire->size);
    if (count != 0) gen_put(out, "    .count = %lld,\n", (long long)count);
    if (wire->element != NULL) gen_put(out, "    .element = &byre_type__%s,\n", wire->element->id);
    if (has_members) gen_put(out, "    .fields = byre_fields__%s,\n", wire->id);
    if (wire->kind == BYRE_RPC_ENUM) gen_put(out, "    .values = byre_values__%s,\n", wire->id);
    put_formula(out, "size_is", wire->size_is);
    put_formula(out, "length_is", wire->length_is);
    put_formula(out, "first_is", wire->first_is);
    put_formula(out, "switch_is", wire->switch_is);
    if (wire->rundown != NULL)
        gen_put(out, "    .rundown = %s__rundown_%s,\n", gen->name, wire->rundown);
    gen_put(out, "};\n\n");
}

static void params_table(gen_buffer_t *out, const gen_proc_t *proc)
{
    static const char *const direct[] = { "0", "BYRE_RPC_IN", "BYRE_RPC_OUT",
                                          "BYRE_RPC_IN | BYRE_RPC_OUT" };
    if (proc->frame->members == NULL) return;
    gen_put(out, "static const byre_rpc_field_t byre_params__%s[] = {\n", proc->name);
    for (int i = 0; i < proc->param_count + proc->has_result; i++) {
        const gen_member_t *param = proc->order[i];
        gen_put(out,
                "    { .name = \"%s\", .type = &byre_type__%s, .offset = %zu, .direct = %s },\n",
                param->name, param->wire->id, param->offset, direct[param->direct]);
    }
    gen_put(out, "};\n\n");
}

static void procs_table(gen_t *gen, gen_buffer_t *out)
{
    static const char *const names[] = { "IDEMPOTENT", "MAYBE", "ASYNC", "STATUS" };
    if (gen->procs == NULL) return;
    gen_put(out, "static const byre_rpc_proc_t byre_procs[] = {\n");
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        const char *flags = "";
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if ((proc->flags & 1 << i) == 0) continue;
            flags = GEN_TEXT(gen, "%s%sBYRE_RPC_P_%s", flags, flags[0] == 0 ? "" : " | ", names[i]);
        }
        gen_put(out, "    {\n        .name = \"%s\",\n", proc->name);
        if (proc->frame->members != NULL)
            gen_put(out, "        .params = byre_params__%s,\n", proc->name);
        gen_put(out, "        .param_count = %d,\n", proc->param_count + proc->has_result);
        if (flags[0] != 0) gen_put(out, "        .flags = %s,\n", flags);
        gen_put(out, "        .frame_bytes = sizeof(%s),\n", proc->frame->c_name);
        if (proc->timeout_ms != 0) gen_put(out, "        .timeout_ms = %d,\n", proc->timeout_ms);
        gen_put(out, "        .invoke = %s__invoke_%s,\n    },\n", gen->name, proc->name);
    }
    gen_put(out, "};\n\n");
}

/* A client has no server stub, so these may be missing. */
static void weak_names(gen_t *gen, gen_buffer_t *out)
{
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(out, "void %s__invoke_%s(const void *procs, void *frame) __attribute__((weak));\n",
                gen->name, proc->name);
    }
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (!used(gen, wire) || wire->rundown == NULL) continue;
        gen_put(out, "void %s__rundown_%s(void *handle) __attribute__((weak));\n", gen->name,
                wire->rundown);
    }
    gen_put(out, "\n");
}

static void shared_table(gen_t *gen, gen_buffer_t *out)
{
    if (gen->shared == NULL) return;
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next)
        gen_put(out, "void *%s__%s;\n", gen->name, s->name);
    gen_put(out,
            "\n/* Shared memory must be in the program, also where libbyre is an archive. */\n");
    gen_put(out, "extern void (*const %s__memory)(void);\n", gen->name);
    gen_put(out, "void (*const %s__memory)(void) = (void (*)(void))byre_dsm_alloc;\n", gen->name);
    gen_put(out, "\nstatic const byre_rpc_shared_t byre_shared[] = {\n");
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next) {
        gen_put(out, "    { .name = \"%s\", .bytes = %zu, .place = &%s__%s },\n", s->name,
                gen_size(s->type), gen->name, s->name);
    }
    gen_put(out, "};\n\n");
}

static void interface_table(gen_t *gen, gen_buffer_t *out)
{
    int shared_count = 0;
    for (const gen_shared_t *s = gen->shared; s != NULL; s = s->next) shared_count++;
    gen_put(out, "static void *byre_client;\n\n");
    gen_put(out, "const byre_rpc_interface_t %s_interface = {\n", gen->name);
    gen_put(out, "    .name = \"%s\",\n    .major = %u,\n    .minor = %u,\n", gen->export_name,
            gen->major, gen->minor);
    gen_put(out, "    .hash = UINT64_C(0x%016llx),\n", (unsigned long long)gen->hash);
    if (gen->procs != NULL)
        gen_put(out, "    .procs = byre_procs,\n    .proc_count = %d,\n", gen->proc_count);
    if (shared_count > 0)
        gen_put(out, "    .shared = byre_shared,\n    .shared_count = %d,\n", shared_count);
    gen_put(out, "    .client = &byre_client,\n};\n");
}

void gen_emit_types(gen_t *gen, gen_buffer_t *out)
{
    gen_emit_top(gen, out,
                 GEN_TEXT(gen, "Tables of interface %s, for both stubs, in C11", gen->name));
    gen_emit_include(gen, out);
    if (gen->shared != NULL) gen_put(out, "#include <byre_dsm.h>\n\n");
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_emit_frame(gen, out, proc);
        gen_put(out, "\n");
    }
    asserts(gen, out);
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (!used(gen, wire)) continue;
        formula_function(gen, out, wire->size_is);
        formula_function(gen, out, wire->length_is);
        formula_function(gen, out, wire->first_is);
        switch_function(out, wire->switch_is);
    }
    weak_names(gen, out);
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (used(gen, wire))
            gen_put(out, "static const byre_rpc_type_t byre_type__%s;\n", wire->id);
    }
    gen_put(out, "\n");
    for (const gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (used(gen, wire)) type_table(gen, out, wire);
    }
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next)
        params_table(out, proc);
    procs_table(gen, out);
    shared_table(gen, out);
    interface_table(gen, out);
}
