/* SPDX-License-Identifier: BSD-3-Clause */
/* size_is, length_is, first_is, switch_is: checked here, made into code by emit_types.c. */
#include "build.h"

#include <byre_rpc_types.h>

typedef struct gen_check {
    gen_build_t *b;
    bool room;     /* it is the size of memory that the caller owns */
    bool in_place; /* what it describes is in place in a struct: it must come before */
} gen_check_t;

/* Is what is read there when it is needed? See T5 in byre_rpc_types.h. */
static void check_param_use(gen_t *gen, const gen_check_t *check, const gen_member_t *used,
                            gen_pos_t pos)
{
    int mine = check->b->member->direct;
    bool in = (used->direct & BYRE_RPC_IN) != 0;
    if (((mine & BYRE_RPC_IN) != 0 || check->room) && !in) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "make %s [in] too", used->name),
                  check->room && (mine & BYRE_RPC_IN) == 0
                      ? "the server must know the room for %s before the call, and %s is [out] only"
                      : "%s goes to the server, and %s, which says how much of it, is [out] only",
                  check->b->member->name, used->name);
    } else if (check->room && (mine & BYRE_RPC_OUT) != 0 && (used->direct & BYRE_RPC_OUT) != 0) {
        gen_error(&gen->diag, pos,
                  GEN_TEXT(gen, "add an [in] parameter for the room, and write length_is(*%s)",
                           used->name),
                  "the room for %s cannot change during the call, and %s is [out]",
                  check->b->member->name, used->name);
    }
}

/* Is it a pointer parameter that is never NULL? */
static bool is_ref_param(const gen_member_t *param)
{
    int kind = gen_pointer_kind(param->attrs, NULL);
    for (const gen_type_t *type = param->type; kind == 0; type = type->element) {
        if (type->kind == TY_ALIAS) kind = gen_pointer_kind(type->attrs, NULL);
        if (type->kind != TY_ALIAS && type->kind != TY_CONST) break;
    }
    return (kind == 0 || kind == BYRE_RPC_F_REF) && !gen_is_context(param->type);
}

static void check_use(gen_t *gen, gen_member_t *used, bool through, gen_pos_t pos, void *arg)
{
    const gen_check_t *check = arg;
    gen_build_t *b = check->b;
    gen_type_t *type = gen_bare(used->type);
    if (type->kind == TY_ERROR) return;
    if (b->plain_union != NULL) {
        gen_error(&gen->diag, pos, "use union [switch(int kind)], or constants",
                  "an arm of a union that is used in many places cannot know %s", used->name);
        return;
    }
    if (through) {
        if (type->kind != TY_POINTER || !b->container->is_frame || !is_ref_param(used)) {
            gen_error(&gen->diag, pos, "put the number itself there",
                      "* reads what a [ref] pointer among the parameters points to, and %s is none",
                      used->name);
            return;
        }
        type = gen_bare(type->element);
    } else if (type->kind == TY_POINTER && gen_is_integer(type->element)) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "write *%s", used->name), "%s is a pointer",
                  used->name);
        return;
    }
    if (!gen_is_integer(type)) {
        gen_error(&gen->diag, pos, "name an integer", "%s is no integer", used->name);
        return;
    }
    if (b->container->is_frame) {
        gen_need_t *need = GEN_NEW(&gen->arena, gen_need_t);
        *need = (gen_need_t){ used, b->member->needs };
        b->member->needs = need;
        check_param_use(gen, check, used, pos);
    } else if (check->in_place && used->index >= b->member->index) {
        gen_error(&gen->diag, pos, GEN_TEXT(gen, "move %s before %s", used->name, b->member->name),
                  "%s must be known before %s arrives", used->name, b->member->name);
    }
}

static bool has_member(const gen_type_t *container, const gen_expr_t *expr)
{
    if (expr->op == OP_NAME) return gen_member_find(container, expr->text) != NULL;
    return (expr->left != NULL && has_member(container, expr->left)) ||
           (expr->right != NULL && has_member(container, expr->right));
}

/* Names, numbers, + - * / %: what is left is a constant, or an error. */
static bool check_formula(gen_build_t *b, const gen_expr_t *expr)
{
    gen_t *gen = b->gen;
    int64_t value = 0;
    switch (expr->op) {
    case OP_INT:
        return true;
    case OP_NAME:
        if (gen_member_find(b->container, expr->text) != NULL) return true;
        const gen_symbol_t *symbol = gen_lookup(gen, expr->text, SPACE_NAMES);
        if (symbol != NULL && symbol->is_number) return true;
        const char *remedy = "name a parameter, field or constant";
        for (const gen_member_t *m = b->container->members; m != NULL; m = m->next) {
            if (gen_similar(m->name, expr->text))
                remedy = GEN_TEXT(gen, "did you mean %s?", m->name);
        }
        gen_error(&gen->diag, expr->pos, remedy,
                  b->container->is_frame ? "there is no parameter %s" : "there is no field %s",
                  expr->text);
        return false;
    case OP_DEREF:
        if (expr->left->op == OP_NAME && gen_member_find(b->container, expr->left->text) != NULL)
            return true;
        gen_error(&gen->diag, expr->pos, "write *name", "* stands before the name of a parameter");
        return false;
    case OP_NEG:
        return check_formula(b, expr->left);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
        if (!check_formula(b, expr->left) || !check_formula(b, expr->right)) return false;
        if (!has_member(b->container, expr)) return gen_constant(gen, expr, &value);
        if (expr->op != OP_DIV && expr->op != OP_MOD) return true;
        if (has_member(b->container, expr->right)) return true;
        if (!gen_constant(gen, expr->right, &value)) return false;
        if (value > 0) return true;
        gen_error(&gen->diag, expr->pos, NULL,
                  "a size is divided by a positive number, not by %lld", (long long)value);
        return false;
    case OP_ABSENT:
    case OP_REAL:
    case OP_STRING:
        gen_error(&gen->diag, expr->pos, "name a parameter, field or constant",
                  "an integer is wanted here");
        return false;
    default:
        if (!has_member(b->container, expr)) return gen_constant(gen, expr, &value);
        gen_error(&gen->diag, expr->pos, "compute it in the program, and pass it",
                  "only + - * / %% are computed from what is sent");
        return false;
    }
}

gen_formula_t *gen_new_formula(gen_build_t *b, const gen_expr_t *expr, const char *what, int level,
                               bool room, bool in_place)
{
    gen_t *gen = b->gen;
    gen_check_t check = { .b = b, .room = room, .in_place = in_place };
    if (!check_formula(b, expr)) return NULL;
    gen_expr_uses(gen, b->container, expr, check_use, &check);
    gen_formula_t *formula = GEN_NEW(&gen->arena, gen_formula_t);
    formula->expr = expr;
    formula->container = b->container;
    const char *id = level == 0 ? GEN_TEXT(gen, "byre_%s__%s", what, b->id)
                                : GEN_TEXT(gen, "byre_%s__%s__%d", what, b->id, level);
    formula->id = gen_unique(gen, id);
    *gen->formulas_end = formula;
    gen->formulas_end = &formula->next;
    return formula;
}

/* size_is, length_is, first_is of a level. */
void gen_add_formulas(gen_build_t *b, gen_wire_t *wire, int level, bool in_place)
{
    const gen_expr_t *size = gen_nth(b->size_is, level), *length = gen_nth(b->length_is, level);
    const gen_expr_t *first = gen_nth(b->first_is, level);
    bool room = level == 0 && b->is_param;
    if (size != NULL && wire->kind != BYRE_RPC_ARRAY && wire->kind != BYRE_RPC_STRING &&
        wire->size_is == NULL) {
        b->size_used |= 1u << level;
        wire->size_is = gen_new_formula(b, size, "size", level, room, in_place);
        if (wire->size_is == NULL) return;
    }
    bool has_size = wire->size_is != NULL || wire->kind == BYRE_RPC_ARRAY;
    if (length != NULL && has_size) {
        b->length_used |= 1u << level;
        wire->length_is = gen_new_formula(b, length, "length", level, false, in_place);
    }
    if (first != NULL && has_size) {
        b->first_used |= 1u << level;
        wire->first_is = gen_new_formula(b, first, "first", level, false, in_place);
        if (length == NULL) {
            gen_error(&b->gen->diag, first->pos, "add length_is", "first_is without length_is");
        }
    }
}

gen_formula_t *gen_constant_size(gen_build_t *b, int64_t count, gen_pos_t pos)
{
    gen_expr_t *expr = gen_expr_new(&b->gen->diag, OP_INT, pos, NULL, NULL);
    expr->value = count;
    return gen_new_formula(b, expr, "size", 0, false, false);
}
