/* SPDX-License-Identifier: MIT */
/* What the checker's files share. model.h is for those who write models; docs/model-checking.md tells
 * how it works.
 *
 *   fiber    the threads of a model, all on one thread of the system
 *   thread   their steps: start, join, locks, events, choices, thread-locals
 *   memory   the atomic operations, and what C11 lets each load return
 *   races    plain accesses: happens-before, blocks, and who may touch them
 *   hooks    where the compiler's reports of plain accesses arrive
 *   search   which executions are run: the loop around them
 *   choose   who goes on at each point, and which orders need not be tried
 *   report   failures, traces, replay strings
 *   fake_sys, fake_uv   what stands behind internal/sys.h and libuv
 *   main, mutants, random   the command: models; memory orders; the checker against itself
 */
#ifndef EDO_TESTS_MODEL_CHECKER_H
#define EDO_TESTS_MODEL_CHECKER_H

#include "model.h"
#include "atomics.h"

enum {
    THREADS = 7, /* of a model; the eighth lane of a clock is nobody's */
    NOBODY = 7,
    MAX_STEPS = 8192,
};

/* A vector clock: for each thread, how many of its steps are known. */
typedef uint16_t clock_vec __attribute__((vector_size(16)));

static inline clock_vec clock_join(clock_vec a, clock_vec b)
{
    clock_vec more = (clock_vec)(a > b);
    return (a & more) | (b & ~more);
}

static inline bool clock_any(clock_vec mask)
{
    typedef uint64_t half __attribute__((vector_size(16)));
    half h = (half)mask;
    return (h[0] | h[1]) != 0;
}

/* Whether a knows all that b does. */
static inline bool clock_covers(clock_vec a, clock_vec b)
{
    return !clock_any((clock_vec)(b > a));
}

/* ---- Steps ---- */

enum op_kind {
    OP_NONE,
    OP_LOAD,
    OP_STORE,
    OP_RMW,
    OP_CAS,
    OP_LOCK,
    OP_TRY_LOCK,
    OP_UNLOCK, /* in a model that tries locks */
    OP_WAIT,
    OP_WAIT_TIMED,
    OP_SIGNAL,
    OP_JOIN,
    OP_CHOOSE,
};

/* A store, in the modification order of its location, which is the order of execution. */
struct store {
    clock_vec released; /* what an acquiring reader learns */
    clock_vec known;    /* for each thread the step in which it first wrote or read this; 0: none */
    uint64_t value;
    int node; /* the step that stored; -1: the initial value */
    uint16_t time;
    uint8_t thread;
    bool sc;
};

/* An atomic object, a lock or an event. */
struct loc {
    const volatile void *at;
    size_t size;
    uint32_t generation; /* of the execution that it belongs to */
    uint32_t init;       /* the epoch of the plain write that gave it its first value */
    struct store *stores;
    int count, room;
    int last_sc;           /* the last seq_cst store; -1: none */
    clock_vec accessed;    /* each thread's last step on it */
    int write;             /* the last step that wrote, or locked, or signalled; -1: none */
    int unlock;            /* the last unlock, where it is a step; -1: none */
    int read[THREADS + 1]; /* each thread's last step that read only, or found it held; -1: none */
    int sc_write;          /* the last seq_cst step that wrote; -1: none */
    clock_vec sc_reads;    /* the dependency clocks of the seq_cst reads */
    /* Locks and events. */
    clock_vec released; /* by the last unlock */
    clock_vec order;    /* dependency clock of the last use */
    int holder;         /* the thread that holds the lock; -1: none */
    bool signalled;
};

/* What a thread is about to do. */
struct op {
    enum op_kind kind;
    bool sc;
    uint8_t target; /* OP_JOIN: which thread */
    uint8_t n;      /* OP_CHOOSE */
    struct loc *loc;
};

struct thread {
    void *sp; /* where it is suspended */
    struct op op;
    clock_vec hb;    /* C11's happens-before; its own lane counts its steps */
    clock_vec order; /* the search's dependency order */
    void (*run)(void *);
    void *arg;
    int creator;
    bool starting; /* runs up to its first step within its creator's */
    bool ended;
    uint64_t children;
    uint8_t spurious; /* failed spuriously, and has not succeeded since */
};

/* One point of the execution under way, and of the search: who goes on, and how. */
struct node {
    clock_vec order;                /* dependency clock of the step taken */
    uint16_t explored[THREADS + 1]; /* of a load: how much of its history has been read elsewhere */
    uint8_t thread, variant, variants;
    uint8_t enabled, backtrack, done, sleep; /* sets of threads */
    uint8_t last;                            /* who went before */
    uint8_t preemptions;                     /* before this step */
    uint8_t kind;                            /* enum op_kind of the step taken */
    uint16_t detail; /* what it read, by the order of stores; or which way */
    bool wrote, sc, forced, spurious;
    const struct loc *loc;
};

enum mode { MODE_EXHAUSTIVE, MODE_BOUNDED, MODE_PCT, MODE_NAIVE };
enum verdict { RUNNING, PASSED, REDUNDANT, FAILED };

/* The execution under way. */
struct execution {
    struct thread threads[THREADS + 1];
    int count;   /* threads so far */
    int current; /* the running one */
    int depth;   /* nodes so far */
    int fresh;   /* nodes up to here are given; the search changed this one */
    uint32_t generation;
    enum verdict verdict;
    uint64_t hash; /* of the steps so far and their dependencies */
    int spurious;  /* failures so far */
    unsigned old;  /* reads of old values so far */
    uint64_t now;
    bool threads_fail; /* edo_thread_start may */
    uint32_t lingers;  /* how often edo_linger is true */
    bool mallocs_fail; /* edo_malloc may */
    char outcome[64];
    int outcome_length;
    bool tracing;
    char message[256];
    void *explorer; /* the search's stack */
};
extern struct execution x;

struct search {
    const struct model *model;
    enum mode mode;
    unsigned bound;   /* MODE_BOUNDED */
    bool naive_bound; /* every switch within the bound, no reduction */
    uint64_t seed;    /* MODE_PCT */
    uint64_t limit;   /* executions; 0: none */
    double seconds;   /* 0: none */
    const char *replay;
    uint64_t serial; /* of all searches of the process */
    /* Results. */
    uint64_t executions, redundant;
    int deepest;
    bool complete;
    bool failed;
    char message[256];
    double took;
    struct outcomes {
        char (*text)[64];
        int count, room;
    } outcomes;
};
extern struct search *search;
extern struct node nodes[MAX_STEPS];

/* ---- fiber.c ---- */
void fiber_init(void);
/* A stack that calls entry when it is switched to. */
void *fiber_new(int thread, void (*entry)(void));
void fiber_switch(void **save, void *to);
bool fiber_on_stack(uintptr_t address);

/* ---- thread.c ---- */
static inline struct thread *self(void)
{
    return &x.threads[x.current];
}
/* Announces the step and returns when it is this thread's turn to take it. */
void step_begin(struct op op);
/* One that needs no turn: nothing that others do can tell when it happened. */
void step_inline(void);
/* Whether it is signalled, and not any more. */
bool event_poll(const void *event);
void thread_start_first(void (*run)(void *));
bool thread_enabled(const struct thread *thread);
void thread_reset_locals(void);
/* Ends the execution; does not return. */
_Noreturn void execution_end(enum verdict verdict);

/* ---- memory.c ---- */
void memory_reset(void);
struct loc *loc_of(const volatile void *at, size_t size);
struct loc *loc_find(const volatile void *at);
void loc_forget(struct loc *loc);
extern uint32_t *model_hits; /* by site id; counted when not NULL */

/* ---- races.c ---- */
void races_init(void);
void races_reset(void);   /* before an execution */
void races_restore(void); /* after: static storage as it was */
void races_check_leaks(void);
void *block_new(size_t size, bool zero, bool leaks, void *pc);
void block_free(void *block, void *pc);
size_t block_size(const void *block);
void plain_access(uintptr_t at, size_t size, bool write, void *pc);
/* An atomic access: the memory is there; static storage is kept for races_restore. */
void atomic_access(uintptr_t at, size_t size, const char *file, int line);
/* The location's bytes are atomic now; returns the epoch of the last plain write. */
uint32_t atomic_begin(uintptr_t at, size_t size);
static inline bool epoch_known(uint32_t epoch, const struct thread *by)
{
    unsigned thread = epoch >> 16;
    return thread == (unsigned)(by - x.threads) || (uint16_t)epoch <= by->hb[thread & 7];
}
static inline uint32_t epoch_now(void)
{
    return (uint32_t)x.current << 16 | (uint16_t)(self()->hb[x.current] + 1);
}

/* ---- choose.c ---- */
/* A new execution by chance, of about so many steps. */
void pct_begin(uint64_t seed, int steps);
/* Whether the thread may go on at this point. */
bool within_bound(const struct node *node, int thread);
/* Chooses who goes on, and switches there. */
void schedule(void);
/* Of the current node: which of so many ways. */
int choose_variant(int variants);
/* The current node's step has been taken. `before`: its thread's dependency clock before. */
void step_taken(enum op_kind kind, struct loc *loc, bool wrote, bool sc, clock_vec before);

/* ---- search.c ---- */
void search_run(struct search *search);
/* Runs the model once; the nodes up to `fresh` are given. */
void execute(int fresh);
double now_seconds(void);

/* ---- report.c ---- */
/* Ends the execution as failed. */
_Noreturn void fail(void *pc, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of the trace, when there is one. */
void trace_step(const char *file, int line, void *pc, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void report_init(void);
void report_failure(const struct search *search);
bool report_repeats(const struct search *search);
int replay_parse(const char *text); /* fills nodes; how many, or -1 */
const char *order_name(int order);
const char *op_name(int op);

#endif
