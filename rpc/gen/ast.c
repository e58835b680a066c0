/* SPDX-License-Identifier: BSD-3-Clause */
#include "ast.h"

#include <string.h>

gen_expr_t *gen_expr_new(gen_diag_t *diag, gen_op_t op, gen_pos_t pos, gen_expr_t *left,
                         gen_expr_t *right)
{
    gen_expr_t *expr = GEN_NEW(diag->arena, gen_expr_t);
    expr->op = op;
    expr->pos = pos;
    expr->left = left;
    expr->right = right;
    if (left != NULL) expr->depth = left->depth + 1;
    if (right != NULL && right->depth >= expr->depth) expr->depth = right->depth + 1;
    if (expr->depth > GEN_MAX_EXPR_DEPTH) {
        gen_error(diag, pos, "name a part of it with const",
                  "this expression is nested too deeply");
        *expr = (gen_expr_t){ .op = OP_INT, .pos = pos, .value = 1 };
    }
    return expr;
}

const gen_attr_t *gen_attr_find(const gen_attr_t *attrs, const char *name)
{
    for (; attrs != NULL; attrs = attrs->next) {
        if (strcmp(attrs->name, name) == 0) return attrs;
    }
    return NULL;
}
