/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known once all wires are there: flags, cycles, the order of parameters, the hash. */
#include "model.h"

#include <byre_rpc_types.h>
#include <string.h>

/* ---- FLAT: the bytes themselves may travel ---------------------------------------------------------------- */

static bool is_flat(gen_wire_t *wire, int mark)
{
    if (wire->mark == mark) return wire->answer != 0;
    bool flat = false;
    size_t bytes = 0;
    wire->mark = mark;
    switch (wire->kind) {
    case BYRE_RPC_INT:
    case BYRE_RPC_FLOAT:
        flat = true;
        break;
    case BYRE_RPC_ARRAY:
        flat = wire->length_is == NULL && is_flat(wire->element, mark);
        break;
    case BYRE_RPC_STRUCT:
        flat = true;
        for (const gen_member_t *member = wire->members; member != NULL; member = member->next) {
            flat = flat && is_flat(member->wire, mark);
            bytes += member->wire->size;
        }
        flat = flat && bytes == wire->size;
        break;
    default:
        break;
    }
    wire->answer = flat;
    if (flat) wire->flags |= BYRE_RPC_F_FLAT;
    return flat;
}

/* ---- CONTAINS: a [ptr] pointer of the interface may lead into it ------------------------------------------- */

static bool contains_target(gen_wire_t *wire, int mark)
{
    if (wire->mark == mark) return wire->answer != 0;
    bool found = false;
    wire->mark = mark;
    if (wire->kind == BYRE_RPC_ARRAY || wire->kind == BYRE_RPC_FLEX ||
        wire->kind == BYRE_RPC_STRING) {
        found = wire->element->is_target || contains_target(wire->element, mark);
    } else if (wire->kind == BYRE_RPC_STRUCT || wire->kind == BYRE_RPC_UNION) {
        for (gen_member_t *member = wire->members; member != NULL; member = member->next) {
            if (member->wire->is_target || contains_target(member->wire, mark)) found = true;
        }
    } else if (wire->kind == BYRE_RPC_POINTER && wire->size_is != NULL) {
        /* To many: a pointer elsewhere may lead to one of them. Said of the pointer, not of what it is in. */
        if (wire->element->is_target) wire->flags |= BYRE_RPC_F_CONTAINS;
    }
    wire->answer = found;
    if (found) wire->flags |= BYRE_RPC_F_CONTAINS;
    return found;
}

/* ---- [ref] pointers must end somewhere -------------------------------------------------------------------- */

enum { UNDER_WAY = 1, DONE = 2 };

static bool ref_cycle(gen_t *gen, gen_wire_t *wire, int mark)
{
    if (wire->mark == mark) return wire->answer == UNDER_WAY;
    bool found = false;
    wire->mark = mark;
    wire->answer = UNDER_WAY;
    switch (wire->kind) {
    case BYRE_RPC_POINTER:
        if ((wire->flags & BYRE_RPC_F_REF) != 0 && wire->size_is == NULL)
            found = ref_cycle(gen, wire->element, mark);
        break;
    case BYRE_RPC_ARRAY:
        found = ref_cycle(gen, wire->element, mark);
        break;
    case BYRE_RPC_STRUCT:
        for (gen_member_t *member = wire->members; member != NULL; member = member->next) {
            if (!ref_cycle(gen, member->wire, mark)) continue;
            gen_error(&gen->diag, member->pos, "make it unique or ptr: the last one is NULL",
                      "[ref] pointers are never NULL, and this one leads back to %s without end",
                      wire->type->c_name);
        }
        break;
    default:
        break;
    }
    wire->answer = DONE;
    return found;
}

/* ---- parameters: what is read before what reads it (T5) ---------------------------------------------------- */

typedef struct gen_sort {
    gen_t *gen;
    gen_proc_t *proc;
    int mark, count;
} gen_sort_t;

static void place(gen_sort_t *sort, gen_member_t *param)
{
    if (param->mark == sort->mark) return;
    param->mark = sort->mark;
    for (const gen_need_t *need = param->needs; need != NULL; need = need->next) {
        if (need->member == param || (need->member->mark == sort->mark && !need->member->placed)) {
            bool itself = need->member == param;
            gen_error(&sort->gen->diag, param->pos, "use a parameter of its own for the size",
                      itself ? "the size of %s depends on itself"
                             : "the sizes of %s and %s depend on one another",
                      param->name, need->member->name);
            continue;
        }
        place(sort, need->member);
    }
    param->placed = true;
    sort->proc->order[sort->count++] = param;
}

static void order_params(gen_t *gen, gen_proc_t *proc)
{
    gen_sort_t sort = { .gen = gen, .proc = proc, .mark = ++gen->mark };
    proc->order = gen_alloc(&gen->arena, ((size_t)proc->param_count + 1) * sizeof proc->order[0]);
    for (gen_member_t *param = proc->frame->members; param != NULL; param = param->next)
        place(&sort, param);
}

/* ---- the hash: what two sides must agree on ------------------------------------------------------------------ */

static void text_expr(gen_t *gen, gen_buffer_t *out, const gen_type_t *container,
                      const gen_expr_t *expr)
{
    const gen_member_t *member =
        expr->op == OP_NAME ? gen_member_find(container, expr->text) : NULL;
    if (expr->op == OP_INT) {
        gen_put(out, "%lld", (long long)expr->value);
    } else if (member != NULL) {
        gen_put(out, "#%d", member->index);
    } else if (expr->op == OP_NAME) {
        gen_put(out, "%lld", (long long)gen_lookup(gen, expr->text, SPACE_NAMES)->value);
    } else {
        gen_put(out, "(%d", expr->op);
        if (expr->left != NULL) text_expr(gen, out, container, expr->left);
        gen_put(out, ",");
        if (expr->right != NULL) text_expr(gen, out, container, expr->right);
        gen_put(out, ")");
    }
}

static void text_formula(gen_t *gen, gen_buffer_t *out, const char *what,
                         const gen_formula_t *formula)
{
    if (formula == NULL) return;
    gen_put(out, "%s=", what);
    text_expr(gen, out, formula->container, formula->expr);
}

static void text_wire(gen_t *gen, gen_buffer_t *out, gen_wire_t *wire, int *numbers)
{
    enum {
        TOLD = BYRE_RPC_F_SIGNED | BYRE_RPC_F_REF | BYRE_RPC_F_UNIQUE | BYRE_RPC_F_PTR |
               BYRE_RPC_F_STRING
    };
    bool named = wire->kind == BYRE_RPC_STRUCT;
    if (named && wire->number != 0) {
        gen_put(out, "@%d;", wire->number);
        return;
    }
    if (named) wire->number = ++*numbers;
    gen_put(out, "%d.%d.%zu.%lld", wire->kind, wire->flags & TOLD, wire->size,
            (long long)wire->count);
    text_formula(gen, out, "s", wire->size_is);
    text_formula(gen, out, "l", wire->length_is);
    text_formula(gen, out, "f", wire->first_is);
    text_formula(gen, out, "d", wire->switch_is);
    if (wire->kind == BYRE_RPC_ENUM) {
        for (const gen_value_t *v = wire->type->values; v != NULL; v = v->next)
            gen_put(out, ",%lld", (long long)v->value);
    }
    if (wire->element != NULL) text_wire(gen, out, wire->element, numbers);
    if (wire->kind == BYRE_RPC_STRUCT || wire->kind == BYRE_RPC_UNION) {
        gen_put(out, "{");
        for (const gen_member_t *member = wire->members; member != NULL; member = member->next) {
            for (int i = 0; i < member->label_count; i++)
                gen_put(out, "%lld:", (long long)member->labels[i]);
            if (member->is_default) gen_put(out, "default:");
            text_wire(gen, out, member->wire, numbers);
        }
        gen_put(out, "}");
    }
    gen_put(out, ";");
}

static uint64_t fnv1a(const char *text, size_t bytes)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash;
}

static void make_hash(gen_t *gen)
{
    gen_buffer_t text = { 0 };
    int numbers = 0;
    gen_put(&text, "%s %u\n", gen->name, gen->major);
    for (const gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        gen_put(&text, "%s %d ", proc->name,
                proc->flags & (BYRE_RPC_P_IDEMPOTENT | BYRE_RPC_P_MAYBE));
        for (const gen_member_t *m = proc->frame->members; m != NULL; m = m->next) {
            gen_put(&text, "%s%d ", m->name[0] == 0 ? "=" : "", m->direct);
            text_wire(gen, &text, m->wire, &numbers);
        }
        gen_put(&text, "\n");
    }
    for (const gen_shared_t *shared = gen->shared; shared != NULL; shared = shared->next) {
        gen_put(&text, "shared %s %zu\n", shared->name, gen_size(shared->type));
    }
    gen->hash = fnv1a(text.text, text.used);
    gen_buffer_free(&text);
}

/* ---- what the tables need -------------------------------------------------------------------------------------- */

static void reach(gen_wire_t *wire, int mark)
{
    /* Deep only where definitions are nested: bounded by GEN_MAX_TYPES. */
    while (wire != NULL && wire->reach != mark) {
        wire->reach = mark;
        if (wire->kind == BYRE_RPC_STRUCT || wire->kind == BYRE_RPC_UNION) {
            for (const gen_member_t *member = wire->members; member != NULL;
                 member = member->next) {
                reach(member->wire, mark);
            }
        }
        wire = wire->element;
    }
}

void gen_wires_finish(gen_t *gen)
{
    int mark = ++gen->mark;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) is_flat(wire, mark);
    mark = ++gen->mark;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) ref_cycle(gen, wire, mark);
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->kind != BYRE_RPC_POINTER) continue;
        if ((wire->flags & BYRE_RPC_F_BULK) != 0 && (wire->element->flags & BYRE_RPC_F_FLAT) == 0) {
            gen_error(&gen->diag, wire->pos, "leave bulk out",
                      "[bulk] copies bytes as they are, which this type does not allow");
        }
    }
    for (gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) order_params(gen, proc);
    if (gen->diag.count > 0) return;

    mark = ++gen->mark;
    for (gen_proc_t *proc = gen->procs; proc != NULL; proc = proc->next) {
        for (gen_member_t *m = proc->frame->members; m != NULL; m = m->next) reach(m->wire, mark);
    }
    gen->reached = mark;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->reach == mark && wire->kind == BYRE_RPC_POINTER &&
            (wire->flags & BYRE_RPC_F_PTR) != 0) {
            wire->element->is_target = true;
        }
    }
    mark = ++gen->mark;
    for (gen_wire_t *wire = gen->wires; wire != NULL; wire = wire->next) {
        if (wire->reach == gen->reached) contains_target(wire, mark);
    }
    make_hash(gen);
}
