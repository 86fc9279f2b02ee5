/* SPDX-License-Identifier: MIT */
/* What the command's two tables, of models and of mutants, share. */
#ifndef EDO_TESTS_MODEL_COMMAND_H
#define EDO_TESTS_MODEL_COMMAND_H

#include "checker.h"

struct command {
    struct search search; /* as the arguments say; each model's begins as a copy */
    uint64_t random;      /* --random */
    const char *file;     /* --file */
    bool mode_given, mutants, outcomes, list, verbose, named;
};
extern struct command command;

/* Of one model; in memory that the processes share. */
struct result {
    bool passed, found;
    int mode, deepest; /* mode -1: the process did not get to the end */
    unsigned bound;
    uint64_t executions, redundant;
    double took;
    char message[256];
    uint32_t *hits; /* of each place */
};
struct result *command_results(int count);
void *command_share(size_t size);

/* Runs the model in this process. */
void command_run(const struct model *model, struct result *result);

/* Runs the jobs in processes of their own, as many at once as there are processors. */
void command_parallel(int jobs, void (*job)(int, void *), void *arg);

/* The atomic operations, each place once; a site's id is its index here. */
struct model_site *const *command_places(int *count);
bool command_is_library(const struct model_site *site);
/* Gives a place another order; `fail`: that of a failing compare-exchange. */
void command_weaken(uint32_t place, bool fail, int order);

/* mutants.c */
int mutants_run(const struct model **models, int count, bool named);
/* random.c */
int random_run(uint64_t first, uint64_t count);

#endif
