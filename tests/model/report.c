/* SPDX-License-Identifier: MIT */
/* Failures: what is printed of them, and the string that brings one back.
 *
 * A failing execution is run a second time with a trace. The replay string says for each point who
 * went on, and which of several ways its step took: `0x5.1.1:1.0x2` is thread 0 for five steps,
 * thread 1, thread 1 by the second way (the first is 0), thread 0 twice.
 */
#include <signal.h>
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

/* A crash of the code under test is a failure of the execution: we leave the handler, and the stack
 * that it was on, as the execution leaves every stack. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    if (x.verdict != RUNNING) {
        signal(number, SIG_DFL); /* the checker's own */
        return;
    }
    ucontext_t *at = context;
#if defined(__x86_64__)
    void *pc = (void *)(uintptr_t)(at->uc_mcontext.gregs[REG_RIP] + 1);
#else
    void *pc = (void *)(uintptr_t)(at->uc_mcontext.pc + 1);
#endif
    fail(pc, "crash: %s at %p in thread %d", strsignal(number), info->si_addr, x.current);
}

void report_init(void)
{
    static char stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (int i = 0; i < 4; i++)
        sigaction(signals[i], &action, NULL);
}

/* The nodes, in a buffer that the next call uses again. */
static const char *replay_string(int count)
{
    static char text[8 * MAX_STEPS + 1];
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < count;) {
        int run = 1;
        while (i + run < count && nodes[i + run].thread == nodes[i].thread &&
               nodes[i + run].variant == nodes[i].variant)
            run++;
        n += (size_t)sprintf(text + n, "%s%d", i ? "." : "", nodes[i].thread);
        if (nodes[i].variant > 0)
            n += (size_t)sprintf(text + n, ":%d", nodes[i].variant);
        if (run > 1)
            n += (size_t)sprintf(text + n, "x%d", run);
        i += run;
    }
    return text;
}

int replay_parse(const char *text)
{
    int count = 0;
    for (const char *p = text; *p;) {
        if (*p < '0' || *p >= '0' + THREADS)
            return -1;
        int thread = *p++ - '0', variant = 0, run = 1;
        char *end;
        if (*p == ':') {
            variant = (int)strtol(p + 1, &end, 10);
            p = end;
        }
        if (*p == 'x') {
            run = (int)strtol(p + 1, &end, 10);
            p = end;
        }
        if (variant < 0 || variant > 254 || run < 1 || count + run > MAX_STEPS ||
            (*p != '.' && *p != '\0'))
            return -1;
        while (run-- > 0)
            nodes[count++] = (struct node){
                .thread = (uint8_t)thread, .variant = (uint8_t)variant, .variants = 1};
        if (*p == '.')
            p++;
    }
    return count;
}

/* Whether the execution that failed last fails in the same way when its string is replayed. */
bool report_repeats(const struct search *s)
{
    int count = replay_parse(replay_string(x.depth));
    execute(count - 1);
    return x.verdict == FAILED && strcmp(x.message, s->message) == 0;
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
    printf("  again: build/model/edo-model %s --replay '%s'\n\n", s->model->name,
           replay_string(depth));
}
