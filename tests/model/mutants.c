/* SPDX-License-Identifier: MIT */
/* Mutants: each memory order of the library weakened by one step, one at a time. The models that
 * execute the operation must notice. An order whose weakening nobody notices is stronger than needed,
 * or lacks a model.
 *
 * No order is changed in the source: an operation's record holds it, and the checker reads it there
 * (atomics.h).
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "argued.h"
#include "command.h"

struct mutant {
    uint32_t place;
    bool fail; /* the order of a failing compare-exchange */
    int from, to;
    /* Results. */
    bool killed;
    double took;
    const struct model *killer;
    char message[128];
};

struct table {
    const struct model **models;
    int model_count;
    struct result *results; /* of the models unchanged: who executes what, how long it takes */
    struct mutant *mutants;
};

/* The orders one step weaker; up to two. */
static int weaker(const struct model_site *site, bool fail, int from, int to[2])
{
    bool loads = site->op == MODEL_LOAD || fail, stores = site->op == MODEL_STORE;
    switch (from) {
    case MODEL_seq_cst:
        to[0] = loads ? MODEL_acquire : stores ? MODEL_release : MODEL_acq_rel;
        return 1;
    case MODEL_acq_rel:
        to[0] = MODEL_acquire;
        to[1] = MODEL_release;
        return 2;
    case MODEL_acquire:
    case MODEL_release:
        to[0] = MODEL_relaxed;
        return 1;
    default:
        return 0;
    }
}

static int add(struct mutant *mutants, uint32_t place, const struct model_site *site, bool fail)
{
    int to[2], from = fail ? site->fail : site->order, count = weaker(site, fail, from, to);
    for (int i = 0; i < count; i++)
        mutants[i] = (struct mutant){.place = place, .fail = fail, .from = from, .to = to[i]};
    return count;
}

static void run_base(int i, void *arg)
{
    struct table *table = arg;
    command_run(table->models[i], &table->results[i]);
}

static void run_mutant(int n, void *arg)
{
    struct table *table = arg;
    struct mutant *mutant = &table->mutants[n];
    double start = now_seconds();
    command_weaken(mutant->place, mutant->fail, mutant->to);
    if (freopen("/dev/null", "w", stdout) == NULL)
        abort();
    for (int i = 0; i < table->model_count && !mutant->killed; i++) {
        const struct result *base = &table->results[i];
        if (!base->passed || base->hits[mutant->place] == 0)
            continue;
        struct search s = command.search;
        s.model = table->models[i];
        s.mode = (enum mode)base->mode;
        s.bound = base->bound;
        search_run(&s);
        if (s.failed) {
            mutant->killed = true;
            mutant->killer = s.model;
            snprintf(mutant->message, sizeof mutant->message, "%.*s",
                     (int)sizeof mutant->message - 1, s.message);
        }
    }
    mutant->took = now_seconds() - start;
}

/* The quick ones first: most mutants need no other. */
static void sort_by_time(struct table *table)
{
    for (int i = 1; i < table->model_count; i++)
        for (int j = i; j > 0 && table->results[j].took < table->results[j - 1].took; j--) {
            struct result result = table->results[j];
            const struct model *model = table->models[j];
            table->results[j] = table->results[j - 1];
            table->models[j] = table->models[j - 1];
            table->results[j - 1] = result;
            table->models[j - 1] = model;
        }
}

static const char *argument(const struct model_site *site, bool fail, const char *change)
{
    for (const struct argued *a = argued_orders; a->file != NULL; a++) {
        size_t at = strlen(site->file), size = strlen(a->file);
        if (at >= size && strcmp(site->file + at - size, a->file) == 0 &&
            strcmp(site->text, a->text) == 0 && a->op == site->op && a->fail == fail &&
            strcmp(a->change, change) == 0)
            return a->why;
    }
    return NULL;
}

int mutants_run(const struct model **models, int count, bool named)
{
    struct table table = {models, 0, NULL, NULL};
    for (int i = 0; i < count; i++)
        if (models[i]->fails == NULL && (named || !models[i]->slow))
            models[table.model_count++] = models[i];
    table.results = command_results(table.model_count);
    command_parallel(table.model_count, run_base, &table);
    sort_by_time(&table);

    int place_count, total = 0, killed = 0, argued = 0;
    struct model_site *const *places = command_places(&place_count);
    table.mutants = command_share((size_t)place_count * 4 * sizeof *table.mutants + 1);
    for (int i = 0; i < place_count; i++) {
        uint64_t hits = 0;
        for (int m = 0; m < table.model_count; m++)
            hits += table.results[m].hits[i];
        if (!command_is_library(places[i]) || hits == 0)
            continue;
        if (command.file != NULL && fnmatch(command.file, places[i]->file, FNM_EXTMATCH) != 0)
            continue;
        total += add(table.mutants + total, (uint32_t)i, places[i], false);
        if (places[i]->op == MODEL_CAS || places[i]->op == MODEL_CAS_WEAK)
            total += add(table.mutants + total, (uint32_t)i, places[i], true);
    }
    command_parallel(total, run_mutant, &table);

    printf("%-72s %-20s %s\n", "operation", "weakened", "");
    for (int i = 0; i < total; i++) {
        const struct mutant *mutant = &table.mutants[i];
        const struct model_site *site = places[mutant->place];
        char operation[128], change[40];
        snprintf(operation, sizeof operation, "%s:%d: %s(%s)%s", site->file, site->line,
                 op_name(site->op), site->text, mutant->fail ? ", failing" : "");
        snprintf(change, sizeof change, "%s to %s", order_name(mutant->from),
                 order_name(mutant->to));
        const char *why = mutant->killed ? NULL : argument(site, mutant->fail, change);
        printf("%-72s %-20s %s%s\n", operation, change,
               mutant->killed ? "killed by "
               : why != NULL  ? "argued: "
                              : "SURVIVED",
               mutant->killed ? mutant->killer->name
               : why != NULL  ? why
                              : "");
        killed += mutant->killed;
        argued += why != NULL;
    }
    printf("%d mutants, %d killed, %d argued, %d survived\n", total, killed, argued,
           total - killed - argued);
    return killed + argued == total && total > 0 ? 0 : 1;
}
