/* SPDX-License-Identifier: MIT */
/* The command: which models, by which search; a table of what they did, what no model executed.
 *
 *     edo-model [options] [model…]        a model's name, or a pattern ('planted_*'); all when none
 *
 *     --bound N      at most N preemptions, whatever the models say
 *     --exhaustive   no bound, likewise
 *     --naive        every order: no reduction, for comparison (with --bound: of those within it)
 *     --pct N        N executions by random priorities; --seed S begins with another
 *     --replay R     one execution, with its trace; the status is 1 when it fails
 *     --seconds N    gives up on a model after N seconds (300)
 *     --mutants      weakens each memory order of the library by a step (mutants.c)
 *     --file P       with --mutants: those in files that match, as 'runtime/@(driver|time)*'
 *     --random N     N random programs by every search (random.c); --seed S begins with another
 *     --outcomes     prints the outcomes of each model
 *     --list         names the models
 *
 * Each model runs in a process of its own, as many at once as there are processors.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

extern struct model_site __start_model_sites[], __stop_model_sites[];
extern const struct model *const __start_model_list[], *const __stop_model_list[];

struct command command = {.search = {.seconds = 300, .seed = 1}};
static struct model_site **places;
static int place_count;

/* ---- Atomic operations: records of one place are one ---- */

static int compare_sites(const void *a, const void *b)
{
    const struct model_site *s = *(struct model_site *const *)a,
                            *t = *(struct model_site *const *)b;
    int order = strcmp(s->file, t->file);
    if (order == 0)
        order = s->line - t->line;
    if (order == 0)
        order = s->op - t->op;
    return order != 0 ? order : strcmp(s->text, t->text);
}

/* "io/../runtime/x.h" is "runtime/x.h", and so is "./runtime/x.h", as the models include it. */
static const char *plain_path(const char *path)
{
    char *plain = strdup(strncmp(path, "./", 2) == 0 ? path + 2 : path), *up;
    if (plain == NULL)
        abort();
    while ((up = strstr(plain, "/../")) != NULL) {
        char *folder = up;
        while (folder > plain && folder[-1] != '/')
            folder--;
        memmove(folder, up + 4, strlen(up + 4) + 1);
    }
    return plain;
}

static void number_sites(void)
{
    int count = (int)(__stop_model_sites - __start_model_sites);
    struct model_site **sorted = malloc((size_t)count * sizeof(void *));
    places = malloc((size_t)count * sizeof(void *));
    if (sorted == NULL || places == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        sorted[i] = &__start_model_sites[i];
        sorted[i]->file = plain_path(sorted[i]->file);
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_sites);
    for (int i = 0; i < count; i++) {
        if (i == 0 || compare_sites(&sorted[i - 1], &sorted[i]) != 0)
            places[place_count++] = sorted[i];
        sorted[i]->id = (uint32_t)(place_count - 1);
    }
    free(sorted);
}

struct model_site *const *command_places(int *count)
{
    *count = place_count;
    return places;
}

void command_weaken(uint32_t place, bool fail, int order)
{
    for (struct model_site *site = __start_model_sites; site < __stop_model_sites; site++) {
        if (site->id != place)
            continue;
        if (fail)
            site->fail = (uint8_t)order;
        else
            site->order = (uint8_t)order;
    }
}

bool command_is_library(const struct model_site *site)
{
    return strncmp(site->file, "tests/", 6) != 0;
}

/* ---- Running ---- */

/* In shared memory. */
void *command_share(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("edo-model: mmap");
        exit(2);
    }
    return at;
}

static struct search configured(const struct model *model)
{
    struct search s = command.search;
    s.model = model;
    if (!command.mode_given) {
        s.mode = model->bound > 0 ? MODE_BOUNDED : MODE_EXHAUSTIVE;
        s.bound = model->bound;
    }
    return s;
}

static void give_verdict(struct search *s, struct result *result)
{
    const struct model *model = s->model;
    result->executions = s->executions;
    result->redundant = s->redundant;
    result->deepest = s->deepest;
    result->took = s->took;
    result->mode = (int)s->mode;
    result->bound = s->bound;
    result->found = s->failed;
    snprintf(result->message, sizeof result->message, "%s", s->message);
    if (model->fails == NULL) {
        result->passed = !s->failed && s->complete;
        if (!s->failed && !s->complete)
            snprintf(result->message, sizeof result->message, "not finished");
        return;
    }
    result->passed = s->failed && strstr(s->message, model->fails) != NULL;
    if (result->passed && x.verdict == FAILED && s->replay == NULL && !report_repeats(s)) {
        result->passed = false;
        snprintf(result->message, sizeof result->message, "does not fail when it is run again");
    }
    if (!s->failed)
        snprintf(result->message, sizeof result->message, "the planted bug was not found: %s",
                 model->fails);
}

/* Runs it in this process. */
void command_run(const struct model *model, struct result *result)
{
    model_hits = result->hits;
    struct search s = configured(model);
    search_run(&s);
    if (command.outcomes) {
        printf("%s:", model->name);
        for (int i = 0; i < s.outcomes.count; i++)
            printf(" %s", s.outcomes.text[i]);
        printf("\n");
    }
    if (s.replay != NULL) {
        printf("%s\n", s.failed ? "failed" : "passed");
    } else if (s.failed && x.verdict == FAILED &&
               (model->fails == NULL || strstr(s.message, model->fails) == NULL ||
                command.verbose)) {
        report_failure(&s);
    }
    give_verdict(&s, result);
    /* A bug for which so many preemptions are needed is not found with fewer. */
    if (result->passed && model->exact && s.mode == MODE_BOUNDED && model->bound > 0 &&
        !command.mode_given) {
        struct search less = configured(model);
        less.bound = model->bound - 1;
        search_run(&less);
        if (less.failed) {
            result->passed = false;
            snprintf(result->message, sizeof result->message, "found at bound %u already",
                     less.bound);
        }
    }
}

void command_parallel(int jobs, void (*job)(int, void *), void *arg)
{
    int running = 0, width = (int)sysconf(_SC_NPROCESSORS_ONLN), status;
    for (int next = 0; next < jobs || running > 0;) {
        if (next < jobs && running < width) {
            fflush(stdout);
            pid_t pid = fork();
            if (pid == 0) {
                job(next, arg);
                fflush(stdout);
                _exit(0);
            }
            if (pid < 0) {
                perror("edo-model: fork");
                exit(2);
            }
            next++;
            running++;
        } else if (wait(&status) > 0) {
            running--;
        }
    }
}

struct table {
    const struct model **models;
    struct result *results;
};

static void run_model(int i, void *arg)
{
    struct table *table = arg;
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    command_run(table->models[i], &table->results[i]);
}

/* ---- The table ---- */

static void print_result(const struct model *model, const struct result *result)
{
    char how[32] = "exhaustive";
    if (result->mode == MODE_BOUNDED)
        snprintf(how, sizeof how, "bound %u", result->bound);
    else if (result->mode == MODE_PCT)
        snprintf(how, sizeof how, "random");
    else if (result->mode == MODE_NAIVE)
        snprintf(how, sizeof how, "naive");
    const char *verdict = result->passed ? model->fails != NULL ? "found" : "passed" : "FAILED";
    printf("%-34s %-10s %10llu %10llu %6d %8.2f  %s%s%s\n", model->name, how,
           (unsigned long long)result->executions, (unsigned long long)result->redundant,
           result->deepest, result->took, verdict,
           result->passed && model->fails == NULL ? "" : ": ",
           result->passed && model->fails == NULL ? ""
           : result->mode < 0                     ? "the process died"
                                                  : result->message);
}

static int print_table(const struct table *table, int count)
{
    printf("%-34s %-10s %10s %10s %6s %8s\n", "model", "search", "executions", "redundant", "steps",
           "seconds");
    int passed = 0, deepest = 0;
    uint64_t executions = 0;
    double seconds = 0;
    for (int i = 0; i < count; i++) {
        const struct result *result = &table->results[i];
        print_result(table->models[i], result);
        passed += result->passed;
        executions += result->executions + result->redundant;
        seconds += result->took;
        if (result->deepest > deepest)
            deepest = result->deepest;
    }
    printf("%d models, %llu executions, %.0f a second on one core, deepest trace %d steps\n", count,
           (unsigned long long)executions, seconds > 0 ? (double)executions / seconds : 0, deepest);
    return passed;
}

static void print_coverage(const struct table *table, int count)
{
    int of_library = 0, executed = 0;
    for (int i = 0; i < place_count; i++) {
        if (!command_is_library(places[i]))
            continue;
        of_library++;
        uint64_t hits = 0;
        for (int m = 0; m < count; m++)
            hits += table->results[m].hits[i];
        executed += hits > 0;
        if (hits == 0)
            printf("not executed: %s:%d: %s(%s, %s)\n", places[i]->file, places[i]->line,
                   op_name(places[i]->op), places[i]->text, order_name(places[i]->order));
    }
    printf("%d of the library's %d atomic operations executed\n", executed, of_library);
}

static int run_all(const struct model **models, int count)
{
    struct table table = {models, command_results(count)};
    command_parallel(count, run_model, &table);
    int passed = print_table(&table, count);
    if (!command.named && !command.mode_given)
        print_coverage(&table, count);
    printf("%d passed, %d failed\n", passed, count - passed);
    return passed == count ? 0 : 1;
}

struct result *command_results(int count)
{
    size_t hits = (size_t)place_count * sizeof(uint32_t);
    struct result *results = command_share((size_t)count * sizeof *results);
    char *all = command_share((size_t)count * hits + 1);
    for (int i = 0; i < count; i++) {
        results[i].mode = -1;
        results[i].hits = (uint32_t *)(void *)(all + (size_t)i * hits);
    }
    return results;
}

/* ---- Arguments ---- */

/* Adds those that the pattern names. */
static int find(const char *pattern, const struct model **models, int count)
{
    int before = count;
    for (const struct model *const *m = __start_model_list; m < __stop_model_list; m++)
        if (fnmatch(pattern, (*m)->name, 0) == 0)
            models[count++] = *m;
    if (count > before)
        return count;
    fprintf(stderr, "edo-model: no model is called %s; --list names them\n", pattern);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    if (text == NULL || *text == '\0')
        text = "?";
    uint64_t n = strtoull(text, &end, 10);
    if (*end != '\0') {
        fprintf(stderr, "edo-model: %s is no number\n", text);
        exit(2);
    }
    return n;
}

static void set_mode(enum mode mode)
{
    command.search.mode = mode;
    command.mode_given = true;
}

static bool option(char **arg, int *used)
{
    *used = 1;
    if (strcmp(arg[0], "--exhaustive") == 0) {
        set_mode(MODE_EXHAUSTIVE);
    } else if (strcmp(arg[0], "--naive") == 0) {
        if (command.search.mode == MODE_BOUNDED)
            command.search.naive_bound = true;
        else
            set_mode(MODE_NAIVE);
    } else if (strcmp(arg[0], "--mutants") == 0) {
        command.mutants = true;
    } else if (strcmp(arg[0], "--outcomes") == 0) {
        command.outcomes = true;
    } else if (strcmp(arg[0], "--list") == 0) {
        command.list = true;
    } else if (strcmp(arg[0], "--verbose") == 0) {
        command.verbose = true;
    } else {
        *used = 2;
        if (strcmp(arg[0], "--bound") == 0) {
            command.search.naive_bound = command.search.mode == MODE_NAIVE;
            command.search.bound = (unsigned)number(arg[1]);
            set_mode(MODE_BOUNDED);
        } else if (strcmp(arg[0], "--pct") == 0) {
            command.search.limit = number(arg[1]);
            set_mode(MODE_PCT);
        } else if (strcmp(arg[0], "--seed") == 0) {
            command.search.seed = number(arg[1]);
        } else if (strcmp(arg[0], "--random") == 0) {
            command.random = number(arg[1]);
        } else if (strcmp(arg[0], "--seconds") == 0) {
            command.search.seconds = (double)number(arg[1]);
        } else if (strcmp(arg[0], "--replay") == 0) {
            command.search.replay = arg[1];
        } else if (strcmp(arg[0], "--file") == 0) {
            command.file = arg[1];
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    int room = (int)(__stop_model_list - __start_model_list) * argc, count = 0;
    const struct model **models = malloc((size_t)room * sizeof(void *));
    if (models == NULL)
        abort();
    for (int i = 1, used; i < argc; i += used) {
        used = 1;
        if (argv[i][0] != '-') {
            count = find(argv[i], models, count);
        } else if (!option(&argv[i], &used)) {
            fprintf(stderr, "edo-model: what is %s? main.c lists the options\n", argv[i]);
            return 2;
        }
    }
    command.named = count > 0;
    if (count == 0)
        for (const struct model *const *m = __start_model_list; m < __stop_model_list; m++)
            if (!(*m)->manual)
                models[count++] = *m;
    if (command.list) {
        for (int i = 0; i < count; i++)
            printf("%-34s %s\n", models[i]->name, models[i]->file);
        return 0;
    }
    number_sites();
    fiber_init();
    races_init();
    report_init();
    if (command.search.replay != NULL) {
        struct result *result = command_results(1);
        command_run(models[0], result);
        return result->found;
    }
    if (command.random > 0)
        return random_run(command.search.seed, command.random);
    return command.mutants ? mutants_run(models, count, command.named) : run_all(models, count);
}
