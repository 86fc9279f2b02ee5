/* SPDX-License-Identifier: MIT */
/* edo-bench WORKLOAD FLAVOR [N]: runs one workload and prints a line of what it cost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static const struct workload {
    const char *name;
    uint64_t n;
    const char *what;
    int (*run)(struct bench *bench);
} workloads[] = {
#define ROW(name, n, what) {#name, n, what, bench_##name},
    BENCH_WORKLOADS(ROW)
#undef ROW
};
enum { WORKLOADS = sizeof workloads / sizeof workloads[0] };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void bench_start(struct bench *bench)
{
    bench->cpu_started = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    bench->started = clock_ns(CLOCK_MONOTONIC);
}

void bench_stop(struct bench *bench, uint64_t ops)
{
    bench->ns = clock_ns(CLOCK_MONOTONIC) - bench->started;
    bench->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - bench->cpu_started;
    bench->ops = ops;
}

int bench_at_least(struct bench *bench, uint64_t least)
{
    bench->least = least;
    return bench->n < least ? UV_EINVAL : 0;
}

int bench_join(struct bench *bench, JOIN_HANDLE(int) task)
{
    int output = 0;
    struct edo_join join = edo_join(task, &output);
    int error = edo_block_on(bench->runtime, &join);
    if (error == 0)
        error = join.output;
    return error < 0 ? error : output;
}

uint64_t bench_rss(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

enum { WRONG = 1, USAGE = 2, LACKING = 3 }; /* the statuses; 2 is also how the peers in Go panic */

static int usage(int status, const char *why, const char *what)
{
    fprintf(
        stderr,
        "edo-bench: %s%s\n"
        "usage: edo-bench WORKLOAD FLAVOR [N]\n"
        "       edo-bench echo_server FLAVOR [PORT [SECONDS]]\n"
        "       edo-bench --list | --version\n"
        "FLAVOR: ct, the current-thread runtime; mtK, the multi-thread runtime with K workers\n",
        why, what);
    for (int i = 0; i < WORKLOADS; i++)
        fprintf(stderr, "  %-16s %s\n", workloads[i].name, workloads[i].what);
    return status;
}

static bool number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static bool flavor(const char *text, struct edo_builder *builder)
{
    uint64_t workers;
    if (strcmp(text, "ct") == 0)
        return true;
    if (strncmp(text, "mt", 2) != 0 || !number(text + 2, &workers) || workers == 0 ||
        workers > EDO_WORKERS_MAX)
        return false;
    builder->flavor = EDO_MULTI_THREAD;
    builder->worker_threads = (uint32_t)workers;
    return true;
}

static int list(void)
{
    for (int i = 0; i < WORKLOADS; i++)
        printf("%s\n", workloads[i].name);
    return 0;
}

/* What it was made with. */
static int version(void)
{
#ifdef __clang__
    printf("%s, libuv %s\n", __VERSION__, uv_version_string());
#else
    printf("gcc %s, libuv %s\n", __VERSION__, uv_version_string());
#endif
    return 0;
}

static void report(const char *name, const char *flavor, const struct bench *bench)
{
    double ops = (double)bench->ops, ns = (double)bench->ns;
    printf("%s %s ns_per_op=%.2f cpu_ns_per_op=%.2f ops_per_s=%.0f rss=%" PRIu64 "%s%s\n", name,
           flavor, ns / ops, (double)bench->cpu_ns / ops, ops * 1e9 / ns, bench_rss(),
           *bench->extra ? " " : "", bench->extra);
}

static int run(const struct workload *workload, const char *flavor,
               const struct edo_builder *builder, struct bench *bench)
{
    int error = edo_builder_build(builder, &bench->runtime);
    if (error == 0)
        error = workload->run(bench);
    if (error < 0 && bench->n < bench->least) {
        fprintf(stderr, "edo-bench: %s %s: N is %" PRIu64 " at least\n", workload->name, flavor,
                bench->least);
        return USAGE;
    }
    if (error < 0) {
        /* The runtime stays: what failed may have left tasks, which may use what is gone with it. */
        fprintf(stderr, "edo-bench: %s %s: %s\n", workload->name, flavor, edo_strerror(error));
        return WRONG;
    }
    if (bench->ops > 0)
        report(workload->name, flavor, bench);
    edo_runtime_drop(bench->runtime);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return version();
    if (argc < 3)
        return usage(USAGE, "which workload, on which runtime?", "");
    const struct workload *workload = NULL;
    for (int i = 0; i < WORKLOADS; i++)
        if (strcmp(argv[1], workloads[i].name) == 0)
            workload = &workloads[i];
    if (workload == NULL)
        return usage(LACKING, "no such workload: ", argv[1]);
    struct edo_builder builder = {.name = workload->name, .rng_seed = 1};
    if (!flavor(argv[2], &builder))
        return usage(LACKING, "there is no such runtime: ", argv[2]);
    struct bench bench = {.n = workload->n, .ms = UINT64_MAX};
    bool server = strcmp(workload->name, "echo_server") == 0;
    if (argc > 3 && !number(argv[3], &bench.n))
        return usage(USAGE, "not a number: ", argv[3]);
    if (argc > 4 && !(server && number(argv[4], &bench.ms)))
        return usage(USAGE, "too much, or not a number: ", argv[4]);
    if (argc > 4 && __builtin_mul_overflow(bench.ms, 1000, &bench.ms))
        bench.ms = UINT64_MAX;
    if (argc > 5)
        return usage(USAGE, "too much: ", argv[5]);
    if (bench.n == 0 && !server)
        bench.n = workload->n;
    return run(workload, argv[2], &builder, &bench);
}
