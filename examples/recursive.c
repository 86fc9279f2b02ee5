/* SPDX-License-Identifier: MIT */
/* A future that awaits one of its own kind. It cannot contain itself, so the child is boxed: it lies
 * in memory of its own, freed when it is done, or dropped. */
#include "edo.h"

struct tree {
    int value;
    const struct tree *branches[2];
};

struct tree_sum {
    FUTURE(int);
    const struct tree *tree;
    int sum, branch;
    BOXED(int) child;
};

ASYNC(tree_sum)
{
    ASYNC_BEGIN;
    self->sum = self->tree->value;
    YIELD_NOW(); /* a node takes its turn, among all tasks */
    for (self->branch = 0; self->branch < 2; self->branch++) {
        if (self->tree->branches[self->branch] == NULL)
            continue;
        if (edo_box(&self->child, NEW(tree_sum, .tree = self->tree->branches[self->branch])) < 0)
            RETURN(UV_ENOMEM);
        AWAIT_REF(self->child);
        if (self->child.output < 0)
            RETURN(self->child.output);
        self->sum += self->child.output;
    }
    RETURN(self->sum);
    ASYNC_END;
}

static const struct tree left = {
    2, {&(const struct tree){3, {NULL}}, &(const struct tree){4, {NULL}}}};
static const struct tree root = {1, {&left, &(const struct tree){5, {NULL}}}};

struct show_sum {
    FUTURE(int);
    struct tree_sum sum;
};

ASYNC(show_sum)
{
    ASYNC_BEGIN;
    TRY_AWAIT(self->sum, NEW(tree_sum, .tree = &root));
    printf("the tree's sum is %d\n", self->sum.output);
    RETURN(0);
    ASYNC_END;
}

EDO_MAIN(NEW(show_sum))
