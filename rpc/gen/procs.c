/* SPDX-License-Identifier: BSD-3-Clause */
/* Procedures: their attributes, parameters and frames. */
#include "model.h"

#include <byre_rpc_types.h>
#include <string.h>

static const char param_attrs[] =
    " in out size_is length_is first_is string max ref unique ptr bulk switch_is ";
static const char proc_attrs[] =
    " idempotent maybe async timeout comm_status size_is length_is string max unique ptr ";

bool gen_is_context(const gen_type_t *type)
{
    while (type->kind == TY_ALIAS || type->kind == TY_CONST) {
        if (type->kind == TY_ALIAS && gen_attr_find(type->attrs, "context_handle") != NULL)
            return true;
        type = type->element;
    }
    return false;
}

/* Only what lies behind a pointer can be changed by the server. */
static bool is_reference(gen_type_t *type)
{
    gen_type_t *bare = gen_bare(type);
    return (bare->kind == TY_POINTER && !gen_is_context(type)) || bare->kind == TY_ARRAY;
}

static bool points_to_const(gen_type_t *type)
{
    gen_type_t *element = gen_bare(type)->element;
    for (; element->kind == TY_ALIAS; element = element->element) {}
    return element->kind == TY_CONST;
}

static void directions(gen_t *gen, gen_member_t *param)
{
    bool reference = is_reference(param->type);
    if (gen_attr_find(param->attrs, "in") != NULL) param->direct |= BYRE_RPC_IN;
    if (gen_attr_find(param->attrs, "out") != NULL) param->direct |= BYRE_RPC_OUT;
    if (param->direct == 0 && reference) {
        gen_error(&gen->diag, param->pos, "write [in], [out] or [in, out] before it",
                  "which way does %s go?", param->name);
    }
    if (param->direct == 0) param->direct = BYRE_RPC_IN;
    if ((param->direct & BYRE_RPC_OUT) != 0 && !reference) {
        gen_error(&gen->diag, param->pos,
                  GEN_TEXT(gen, "write %s",
                           gen_c_decl(gen, param->type, GEN_TEXT(gen, "*%s", param->name))),
                  "[out] needs a pointer: C passes %s by value", param->name);
    } else if ((param->direct & BYRE_RPC_OUT) != 0 && points_to_const(param->type)) {
        gen_error(&gen->diag, param->pos, "leave const out, or [out]",
                  "what %s points to is const, so nothing can be received there", param->name);
    }
}

static bool check_param_type(gen_t *gen, const gen_member_t *param)
{
    gen_type_t *bare = gen_bare(param->type);
    const char *text = NULL, *remedy = NULL;
    if (bare->kind == TY_ERROR) return false;
    if (bare->kind == TY_FUNCTION ||
        (bare->kind == TY_POINTER && gen_bare(bare->element)->kind == TY_FUNCTION)) {
        text = "a function means nothing on another rank";
        remedy = "pass a number, or let the client export an interface that the server calls back";
    } else if (gen_is_void(param->type)) {
        text = "a parameter of type void";
    } else if ((bare->kind == TY_STRUCT || bare->kind == TY_UNION) && !bare->complete) {
        text = "its type is not defined";
        remedy = "define it before";
    } else if (bare->kind == TY_STRUCT && bare->flexible) {
        text = "a struct that ends in an array of variable size cannot be passed by value";
        remedy = "pass a pointer to it";
    } else {
        return true;
    }
    gen_error(&gen->diag, param->pos, remedy, "%s", text);
    return false;
}

static gen_member_t *new_param(gen_t *gen, gen_proc_t *proc, const gen_decl_t *decl)
{
    const gen_declarator_t *declarator = decl->declarators;
    gen_member_t *param = GEN_NEW(&gen->arena, gen_member_t);
    gen_type_t *base = gen_spec_type(gen, decl->spec, NULL);
    param->pos = declarator->pos;
    param->name = declarator->name;
    param->attrs = decl->attrs;
    param->type = gen_declared_type(gen, base, decl->spec->is_const, declarator);
    param->index = proc->param_count;
    gen_check_attrs(gen, decl->attrs, param_attrs, "a parameter");
    if (param->name == NULL) {
        gen_error(&gen->diag, param->pos, "give it one", "a parameter without a name");
        return NULL;
    }
    const gen_symbol_t *type_name = gen_lookup(gen, param->name, SPACE_NAMES);
    if (type_name != NULL && type_name->kind == SYM_TYPE && !type_name->is_ours) {
        gen_error(&gen->diag, param->pos, "choose another name", "%s is the name of a type",
                  param->name);
        return NULL;
    }
    if (!gen_member_name(gen, param->name, param->pos)) return NULL;
    for (const gen_member_t *m = proc->type->members; m != NULL; m = m->next) {
        if (strcmp(m->name, param->name) != 0) continue;
        gen_error(&gen->diag, param->pos, "rename one of the two", "two parameters are named %s",
                  m->name);
        return NULL;
    }
    if (!check_param_type(gen, param)) return NULL;
    directions(gen, param);
    return param;
}

static void params(gen_t *gen, gen_proc_t *proc, const gen_decl_t *list)
{
    gen_member_t **end = &proc->type->members;
    bool only = list != NULL && list->next == NULL;
    for (const gen_decl_t *decl = list; decl != NULL; decl = decl->next) {
        if (decl->spec == NULL) {
            gen_error(&gen->diag, decl->pos, "pass an array with size_is",
                      "nobody knows how many arguments ... stands for, and of which types");
            continue;
        }
        if (decl->declarators == NULL) {
            bool is_void = decl->spec->kind == SPEC_BASIC && decl->spec->words == WORD_VOID;
            if (is_void && only && decl->attrs == NULL) return;
            gen_error(&gen->diag, decl->pos, "give it one", "a parameter without a name");
            continue;
        }
        if (proc->param_count == 1000) {
            gen_error(&gen->diag, decl->pos, "pass a struct", "more than 1000 parameters");
            return;
        }
        gen_member_t *param = new_param(gen, proc, decl);
        if (param == NULL) continue;
        *end = param;
        end = &param->next;
        proc->param_count++;
    }
}

/* ---- frames -------------------------------------------------------------------------------------------------- */

/* As C passes it: arrays as pointers, const only behind pointers. */
static gen_type_t *passed_type(gen_t *gen, gen_type_t *type)
{
    gen_type_t *bare = gen_bare(type);
    if (bare->kind == TY_ARRAY) return gen_pointer_to(gen, bare->element, type->pos);
    while (type->kind == TY_CONST) type = type->element;
    return type;
}

static void make_frame(gen_t *gen, gen_proc_t *proc)
{
    gen_type_t *frame = gen_new_type(gen, TY_STRUCT, proc->pos), *result = proc->type->element;
    gen_member_t **end = &frame->members;
    frame->c_name = GEN_TEXT(gen, "struct %s__%s", gen->unit->name, proc->name);
    frame->is_frame = frame->complete = true;
    proc->has_result = !gen_is_void(result);
    for (const gen_member_t *param = proc->type->members; param != NULL; param = param->next) {
        gen_member_t *copy = GEN_NEW(&gen->arena, gen_member_t);
        *copy = *param;
        copy->type = passed_type(gen, param->type);
        copy->declared = param->type;
        copy->next = NULL;
        *end = copy;
        end = &copy->next;
    }
    if (proc->has_result) {
        gen_member_t *member = GEN_NEW(&gen->arena, gen_member_t);
        *member = (gen_member_t){ .name = "", .pos = proc->pos, .type = passed_type(gen, result) };
        member->declared = result;
        member->attrs = proc->attrs;
        member->direct = BYRE_RPC_OUT;
        member->index = proc->param_count;
        *end = member;
    }
    gen_layout(gen, frame);
    proc->frame = frame;
}

/* ---- attributes ------------------------------------------------------------------------------------------------ */

static void check_result(gen_t *gen, const gen_proc_t *proc)
{
    static const char *const of_result[] = { "size_is", "length_is", "string",
                                             "max",     "unique",    "ptr" };
    for (size_t i = 0;
         gen_is_void(proc->type->element) && i < sizeof of_result / sizeof of_result[0]; i++) {
        const gen_attr_t *attr = gen_attr_find(proc->attrs, of_result[i]);
        if (attr != NULL) {
            gen_error(&gen->diag, attr->pos, "give it one, or write it before a parameter",
                      "%s speaks of the result, and there is none", attr->name);
        }
    }
    gen_type_t *result = proc->type->element, *bare = gen_bare(result);
    const char *remedy = "use an [out] parameter", *text = NULL;
    if (bare->kind == TY_ARRAY || bare->kind == TY_FUNCTION) {
        text = "C has no such result";
    } else if (bare->kind == TY_POINTER && gen_bare(bare->element)->kind == TY_FUNCTION) {
        text = "a function means nothing on another rank";
        remedy = "give back a number";
    } else if ((bare->kind == TY_STRUCT || bare->kind == TY_UNION) && !bare->complete) {
        text = "the type of the result is not defined";
        remedy = "define it before";
    } else if (bare->kind == TY_STRUCT && bare->flexible) {
        text = "a struct that ends in an array of variable size cannot be a result";
    } else if (bare->kind == TY_UNION) {
        text = "a result has no discriminant";
        remedy = "use union [switch(int kind)]";
    }
    if (text != NULL) gen_error(&gen->diag, proc->pos, remedy, "%s", text);
}

static void proc_flags(gen_t *gen, gen_proc_t *proc)
{
    static const struct {
        const char *name;
        int flag;
    } flags[] = { { "idempotent", BYRE_RPC_P_IDEMPOTENT },
                  { "maybe", BYRE_RPC_P_MAYBE },
                  { "async", BYRE_RPC_P_ASYNC },
                  { "comm_status", BYRE_RPC_P_STATUS } };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (gen_attr_find(proc->attrs, flags[i].name) != NULL) proc->flags |= flags[i].flag;
    }
    const gen_attr_t *timeout = gen_attr_find(proc->attrs, "timeout");
    int64_t ms = 0;
    if (timeout != NULL && timeout->args != NULL && gen_constant(gen, timeout->args, &ms)) {
        if (ms < 1 || ms > INT32_MAX) {
            gen_error(&gen->diag, timeout->pos, "leave it out for no limit",
                      "a timeout is 1 to 2147483647 milliseconds");
        }
        proc->timeout_ms = (int)ms;
    }
}

static void check_flags(gen_t *gen, const gen_proc_t *proc)
{
    gen_type_t *result = gen_bare(proc->type->element);
    if ((proc->flags & BYRE_RPC_P_STATUS) != 0 && result->kind != TY_ERROR &&
        (result->kind != TY_BASIC || strcmp(result->basic->name, "int32") != 0)) {
        gen_error(&gen->diag, proc->pos, "give it the result int",
                  "[comm_status] puts an error of the call into the result, which is an int then");
    }
    if ((proc->flags & BYRE_RPC_P_MAYBE) == 0) return;
    if (proc->has_result) {
        gen_error(&gen->diag, proc->pos, "give it the result void, or leave maybe out",
                  "[maybe] has no answer, so there is no result");
    }
    if ((proc->flags & BYRE_RPC_P_ASYNC) != 0 || proc->timeout_ms != 0) {
        gen_error(&gen->diag, proc->pos, "leave one out",
                  "[maybe] does not wait: async and timeout make no sense");
    }
    for (const gen_member_t *param = proc->frame->members; param != NULL; param = param->next) {
        if ((param->direct & BYRE_RPC_OUT) == 0 || param->index == proc->param_count) continue;
        gen_error(&gen->diag, param->pos, "make it [in], or leave maybe out",
                  "[maybe] has no answer, so nothing comes out");
    }
}

void gen_proc_declare(gen_t *gen, const gen_decl_t *decl, const gen_declarator_t *declarator,
                      gen_type_t *type)
{
    gen_proc_t *proc = GEN_NEW(&gen->arena, gen_proc_t);
    proc->name = declarator->name;
    proc->pos = declarator->pos;
    proc->attrs = decl->attrs;
    proc->type = type;
    gen_check_attrs(gen, decl->attrs, proc_attrs, "a procedure");
    bool named = gen_declare(gen, proc->name, SPACE_NAMES, SYM_PROC, proc->pos) != NULL;
    params(gen, proc, declarator->levels->params);
    if (gen_bare(type->element)->kind == TY_ERROR || !named) return;
    check_result(gen, proc);
    make_frame(gen, proc);
    proc_flags(gen, proc);
    check_flags(gen, proc);
    if ((proc->flags & BYRE_RPC_P_ASYNC) != 0) {
        gen_reserve(gen, GEN_TEXT(gen, "%s_begin", proc->name), proc->pos);
        gen_reserve(gen, GEN_TEXT(gen, "%s_end", proc->name), proc->pos);
    }
    gen_add_item(gen, ITEM_PROC, proc->name)->proc = proc;
    if (gen->unit != gen->first) return;
    *gen->procs_end = proc;
    gen->procs_end = &proc->next;
    gen->proc_count++;
}
