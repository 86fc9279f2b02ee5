/* SPDX-License-Identifier: MIT */
/* Failures: what is printed of them, and the string that brings one back.
 *
 * A failing execution is run a second time with a trace. The replay string says for each point who
 * went on, and which of several ways its step took: `0x5.1.1b.0x2` is thread 0 for five steps, thread
 * 1, thread 1 by the second way, thread 0 twice.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"

extern char __executable_start[];

const char *order_name(int order)
{
    static const char *const names[] = {"relaxed", "acquire", "release", "acq_rel", "seq_cst"};
    return names[order];
}

const char *op_name(int op)
{
    static const char *const names[] = {"load",      "store",     "exchange",
                                        "fetch_add", "fetch_sub", "fetch_or",
                                        "fetch_and", "cas",       "cas_weak"};
    return names[op];
}

/* file:line of an instruction, through addr2line; only failures come here. */
static void place_of(void *pc, char *text, size_t size)
{
    snprintf(text, size, "?");
    if (pc == NULL)
        return;
    char command[128];
    /* The call is before the address that it returns to. */
    snprintf(command, sizeof command, "addr2line -e /proc/%d/exe %#lx 2>/dev/null", (int)getpid(),
             (unsigned long)((uintptr_t)pc - (uintptr_t)__executable_start - 1));
    FILE *pipe = popen(command, "r");
    if (pipe == NULL)
        return;
    char line[512];
    if (fgets(line, sizeof line, pipe) != NULL) {
        line[strcspn(line, " \n")] = '\0';
        char cwd[256];
        size_t skip = getcwd(cwd, sizeof cwd) != NULL && strncmp(line, cwd, strlen(cwd)) == 0
                          ? strlen(cwd) + 1
                          : 0;
        snprintf(text, size, "%.200s", line + skip);
    }
    pclose(pipe);
}

void trace_step(const char *file, int line, void *pc, const char *format, ...)
{
    if (!x.tracing)
        return;
    char place[256] = "", what[256];
    if (file != NULL)
        snprintf(place, sizeof place, "%s:%d", file, line);
    else if (pc != NULL)
        place_of(pc, place, sizeof place);
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    printf("  %4d  thread %d  %*s%-34s %s\n", x.depth - 1, x.current, 2 * x.current, "", place,
           what);
}

_Noreturn void fail(void *pc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(x.message, sizeof x.message, format, args);
    va_end(args);
    if (pc != NULL && x.tracing && n > 0 && n < (int)sizeof x.message) {
        char place[128];
        place_of(pc, place, sizeof place);
        snprintf(x.message + n, sizeof x.message - (size_t)n, ", at %s", place);
    }
    trace_step(NULL, 0, NULL, "FAILS: %s", x.message);
    execution_end(FAILED);
}

static void print_replay(int count)
{
    for (int i = 0; i < count;) {
        int run = 1;
        while (i + run < count && nodes[i + run].thread == nodes[i].thread &&
               nodes[i + run].variant == nodes[i].variant)
            run++;
        printf("%s%d", i ? "." : "", nodes[i].thread);
        if (nodes[i].variant > 0)
            printf("%c", 'a' + nodes[i].variant);
        if (run > 1)
            printf("x%d", run);
        i += run;
    }
}

int replay_parse(const char *text)
{
    int count = 0;
    for (const char *p = text; *p;) {
        if (*p < '0' || *p >= '0' + THREADS)
            return -1;
        int thread = *p++ - '0', variant = 0, run = 1;
        if (*p >= 'a' && *p < 'x')
            variant = *p++ - 'a';
        if (*p == 'x') {
            char *end;
            run = (int)strtol(p + 1, &end, 10);
            p = end;
        }
        if (run < 1 || count + run > MAX_STEPS || (*p != '.' && *p != '\0'))
            return -1;
        while (run-- > 0)
            nodes[count++] = (struct node){
                .thread = (uint8_t)thread, .variant = (uint8_t)variant, .variants = 1};
        if (*p == '.')
            p++;
    }
    return count;
}

void report_failure(const struct search *s)
{
    int depth = x.depth;
    printf("\n%s: %s\n", s->model->name, s->message);
    x.tracing = true;
    execute(depth - 1);
    x.tracing = false;
    if (x.verdict != FAILED)
        printf("  (it did not fail again: the model is not deterministic)\n");
    printf("  again: build/model/edo-model %s --replay ", s->model->name);
    print_replay(depth);
    printf("\n\n");
}
