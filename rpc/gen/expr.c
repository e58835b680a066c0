/* SPDX-License-Identifier: BSD-3-Clause */
/* Expressions: constants are computed here; others become code of the stubs (emit_types.c). */
#include "model.h"

#include <string.h>

static bool no_value(gen_t *gen, const gen_expr_t *expr)
{
    gen_error(&gen->diag, expr->pos, NULL, "this has no value in 64 bits with a sign");
    return false;
}

static bool named_constant(gen_t *gen, const gen_expr_t *expr, int64_t *value_out)
{
    const gen_symbol_t *symbol = gen_lookup(gen, expr->text, SPACE_NAMES);
    if (symbol == NULL || !symbol->is_number) {
        gen_error(&gen->diag, expr->pos,
                  symbol == NULL ? gen_nearest(gen, expr->text, SPACE_NAMES) : NULL,
                  symbol == NULL ? "there is no constant %s" : "%s is no integer constant",
                  expr->text);
        return false;
    }
    *value_out = symbol->value;
    return true;
}

static bool binary(gen_op_t op, int64_t a, int64_t b, int64_t *result)
{
    bool bad_division = b == 0 || (a == INT64_MIN && b == -1);
    bool bad_shift = b < 0 || b > 62 || a < 0 || a > (INT64_MAX >> b);
    switch (op) {
    case OP_ADD:
        return !__builtin_add_overflow(a, b, result);
    case OP_SUB:
        return !__builtin_sub_overflow(a, b, result);
    case OP_MUL:
        return !__builtin_mul_overflow(a, b, result);
    case OP_DIV:
        if (!bad_division) *result = a / b;
        return !bad_division;
    case OP_MOD:
        if (!bad_division) *result = a % b;
        return !bad_division;
    case OP_SHL:
        if (bad_shift) return false;
        *result = a << b;
        return true;
    case OP_SHR:
        if (b < 0 || b > 62) return false;
        *result = a >> b;
        return true;
    case OP_AND:
        *result = a & b;
        return true;
    case OP_OR:
        *result = a | b;
        return true;
    case OP_XOR:
        *result = a ^ b;
        return true;
    default:
        return false;
    }
}

bool gen_constant(gen_t *gen, const gen_expr_t *expr, int64_t *value_out)
{
    int64_t a = 0, b = 0;
    switch (expr->op) {
    case OP_INT:
        *value_out = expr->value;
        return true;
    case OP_NAME:
        return named_constant(gen, expr, value_out);
    case OP_ABSENT:
    case OP_REAL:
    case OP_STRING:
        gen_error(&gen->diag, expr->pos, NULL, "an integer is wanted here");
        return false;
    case OP_DEREF:
        gen_error(&gen->diag, expr->pos, NULL, "a constant is wanted here, and * reads memory");
        return false;
    case OP_NEG:
    case OP_NOT:
        if (!gen_constant(gen, expr->left, &a)) return false;
        if (expr->op == OP_NEG && a == INT64_MIN) return no_value(gen, expr);
        *value_out = expr->op == OP_NEG ? -a : ~a;
        return true;
    default:
        if (!gen_constant(gen, expr->left, &a) || !gen_constant(gen, expr->right, &b)) return false;
        return binary(expr->op, a, b, value_out) || no_value(gen, expr);
    }
}

gen_member_t *gen_member_find(const gen_type_t *container, const char *name)
{
    gen_member_t *member = container->members;
    while (member != NULL && strcmp(member->name, name) != 0) member = member->next;
    return member;
}

void gen_expr_uses(gen_t *gen, const gen_type_t *container, const gen_expr_t *expr, gen_use_fn use,
                   void *arg)
{
    bool through = expr->op == OP_DEREF;
    const gen_expr_t *name = through ? expr->left : expr;
    if (name->op == OP_NAME) {
        gen_member_t *member = gen_member_find(container, name->text);
        if (member != NULL) use(gen, member, through, expr->pos, arg);
        return;
    }
    if (expr->left != NULL) gen_expr_uses(gen, container, expr->left, use, arg);
    if (expr->right != NULL) gen_expr_uses(gen, container, expr->right, use, arg);
}
