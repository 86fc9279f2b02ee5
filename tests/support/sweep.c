/* SPDX-License-Identifier: MIT */
#include "sweep.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "awaits.h"
#include "internal/census.h"
#include "runtime/runtime_internal.h"

enum { ENDLESS = 10000, LIVES = 1024, NAMES = 256, HITS = 4096 };

enum killer { DROPPED, ABORTED, TIMED_OUT, SHUT_DOWN, KILLERS };
static const char *const killer_names[KILLERS] = {"drop", "abort", "timeout", "shutdown"};

struct round {
    const struct sweep_scene *scene;
    enum killer killer;
    bool tight;         /* polled with a budget of one */
    unsigned until;     /* ended after so many suspensions */
    unsigned suspended; /* so often */
    bool stopped;       /* it has come so far: not polled any more */
    bool completed;
    bool over; /* completed, or dropped */
    void *data;
    struct edo_future *frame;
    struct edo_runtime *runtime;
    uv_loop_t *loop; /* attached to it */
    struct edo_waker *director;
    JOIN_HANDLE(int) left; /* of a task that the end of its runtime ends */
    struct edo_census census;
    int fds;
};

static const struct round *current;

void (*sweep_complain)(const char *what);

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    char text[512];
    int n = 0;
    if (current != NULL)
        n = snprintf(text, sizeof text, "%s at suspension %u%s: ", killer_names[current->killer],
                     current->until, current->tight ? ", tight budget" : "");
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    if (sweep_complain != NULL)
        sweep_complain(text);
    else
        cr_assert_fail("%s", text);
}

/* What was cancelled: lines of awaits. */

static struct hit {
    const char *file;
    int line;
} hits[HITS];
static size_t hit_count;

static void record(void *arg, int depth, const char *name, const char *file, int line)
{
    (void)arg, (void)depth, (void)name;
    if (file == NULL)
        return;
    for (size_t i = 0; i < hit_count; i++)
        if (hits[i].line == line && strcmp(hits[i].file, file) == 0)
            return;
    if (hit_count == HITS)
        complain("too many awaits");
    else
        hits[hit_count++] = (struct hit){file, line};
}

static void record_chain(struct edo_future *future, struct edo_waker *waker)
{
    struct edo_context cx;
    edo_context_init(&cx, waker);
    cx.trace = record;
    edo_future_trace(future, &cx);
}

/* The bodies that are watched: those alive now, and by name, how they ended. A body may run on any thread. */
static pthread_mutex_t watch = PTHREAD_MUTEX_INITIALIZER;

static struct life {
    const struct edo_future *self;
    const char *name;
    unsigned finally;
} lives[LIVES];
static size_t life_count;

static struct ending {
    const char *name;
    unsigned with, without; /* FINALLY */
} endings[NAMES];
static size_t ending_count;

static struct life *life_of(const struct edo_future *self)
{
    for (size_t i = 0; i < life_count; i++)
        if (lives[i].self == self)
            return &lives[i];
    return NULL;
}

static void entered(const struct edo_future *self, const char *name)
{
    if (life_of(self) != NULL)
        complain("%s was made where %s had not ended", name, life_of(self)->name);
    else if (life_count == LIVES)
        complain("too many futures");
    else
        lives[life_count++] = (struct life){self, name, 0};
}

struct edo_future *sweep_entered_(struct edo_future *self, const struct edo_context *cx,
                                  const char *name)
{
    if (self->state != EDO_STATE_FRESH || cx->walk == EDO_WALK_TRACE)
        return self;
    pthread_mutex_lock(&watch);
    entered(self, name);
    pthread_mutex_unlock(&watch);
    return self;
}

void sweep_finally_(const struct edo_future *self)
{
    pthread_mutex_lock(&watch);
    struct life *life = life_of(self);
    if (life == NULL)
        complain("a FINALLY ran of a future that had ended");
    else if (++life->finally > 1)
        complain("%s: FINALLY ran twice", life->name);
    pthread_mutex_unlock(&watch);
}

static void left(const struct edo_future *self)
{
    struct life *life = life_of(self);
    if (life == NULL)
        return;
    size_t i = 0;
    while (i < ending_count && strcmp(endings[i].name, life->name) != 0)
        i++;
    if (i == NAMES)
        complain("too many names");
    if (i == ending_count)
        endings[ending_count++] = (struct ending){.name = life->name};
    if (life->finally > 0)
        endings[i].with++;
    else
        endings[i].without++;
    if (endings[i].with > 0 && endings[i].without > 0)
        complain("%s: ended %u times with its FINALLY, and %u times without", life->name,
                 endings[i].with, endings[i].without);
    *life = lives[--life_count];
}

void sweep_left_(struct edo_future **self)
{
    if ((*self)->state != EDO_STATE_DONE)
        return;
    pthread_mutex_lock(&watch);
    left(*self);
    pthread_mutex_unlock(&watch);
}

/* The future under test is polled through this one, which counts and stops. */

struct subject {
    FUTURE(int);
    struct round *round;
};

static void subject_end(struct round *round, bool completed)
{
    round->completed = completed;
    if (round->scene->ended != NULL)
        round->scene->ended(round->data, round->frame, completed);
    if (!round->scene->lasting)
        free(round->frame);
    round->over = true;
}

static void subject_suspended(struct round *round, const struct edo_context *cx)
{
    if (cx->panic.name != NULL)
        complain("%s panicked (%s:%d): %s", cx->panic.name, cx->panic.file, cx->panic.line,
                 cx->panic.message);
    round->suspended++;
    if (round->scene->suspended != NULL)
        round->scene->suspended(round->data, round->frame, round->suspended);
    if (round->suspended < round->until)
        return;
    round->stopped = true;
    edo_wake(round->director);
}

static enum edo_poll subject_poll(struct edo_future *future, struct edo_context *cx)
{
    struct round *round = ((struct subject *)future)->round;
    if (cx->walk == EDO_WALK_TRACE) {
        edo_future_trace(round->frame, cx);
        return EDO_PENDING;
    }
    if (cx->walk == EDO_WALK_DROP) {
        record_chain(round->frame, cx->waker);
        edo_future_drop(round->frame, cx);
        subject_end(round, false);
        return EDO_READY;
    }
    if (round->stopped)
        return EDO_PENDING;
    uint32_t budget = cx->budget;
    if (round->tight)
        cx->budget = 1;
    enum edo_poll poll = edo_future_poll(round->frame, cx);
    cx->budget = budget;
    if (poll == EDO_PENDING) {
        subject_suspended(round, cx);
        return EDO_PENDING;
    }
    subject_end(round, true);
    edo_wake(round->director);
    return EDO_READY;
}

/* Who ends it: runs beside it, until it is over. */

struct director {
    FUTURE(int);
    struct round *round;
    struct subject subject; /* of drop and timeout; the others spawn one */
    struct edo_timeout timeout;
    JOIN_HANDLE(int) task;
    struct edo_join join;
    bool joining;
};

static enum edo_poll end_by_drop(struct director *self, struct edo_context *cx)
{
    if (!self->round->stopped && edo_future_poll(&self->subject.future_, cx) == EDO_READY)
        return EDO_READY;
    if (!self->round->stopped)
        return EDO_PENDING;
    edo_future_drop(&self->subject.future_, cx);
    return EDO_READY;
}

/* A timeout polls first, and then looks at its deadline, which has passed: the last poll is its. */
static enum edo_poll end_by_timeout(struct director *self, struct edo_context *cx)
{
    struct round *round = self->round;
    if (round->suspended + 1 < round->until)
        return edo_future_poll(&self->subject.future_, cx);
    self->timeout = edo_timeout_at(1, &self->subject);
    if (edo_future_poll(&self->timeout.future_, cx) == EDO_PENDING)
        complain("a timeout whose deadline has passed waits");
    if (self->timeout.output != (round->completed ? 0 : UV_ETIMEDOUT))
        complain("the timeout's output is %d", self->timeout.output);
    return EDO_READY;
}

static enum edo_poll end_by_abort(struct director *self, struct edo_context *cx)
{
    if (!self->round->over && !self->round->stopped)
        return EDO_PENDING;
    if (!self->joining) {
        edo_task_abort(self->task);
        self->join = edo_join(self->task, NULL);
        self->joining = true;
    }
    if (edo_future_poll(&self->join.future_, cx) == EDO_PENDING)
        return EDO_PENDING;
    if (self->join.output != (self->round->completed ? 0 : UV_ECANCELED))
        complain("the join's output is %d", self->join.output);
    return EDO_READY;
}

static enum edo_poll end_by_shutdown(struct director *self)
{
    if (!self->round->over && !self->round->stopped)
        return EDO_PENDING;
    self->round->left = self->task;
    return EDO_READY;
}

static void director_begin(struct director *self, struct edo_context *cx)
{
    struct round *round = self->round;
    const struct sweep_scene *scene = round->scene;
    round->director = cx->waker;
    round->stopped = round->until == 0;
    round->frame = malloc(scene->frame_size);
    round->data = calloc(1, scene->data_size + 1);
    cr_assert(round->frame != NULL && round->data != NULL);
    memcpy(round->frame, scene->frame, scene->frame_size);
    if (scene->begin != NULL)
        scene->begin(round->data, round->frame, round->runtime);
    if (round->killer == ABORTED || round->killer == SHUT_DOWN)
        self->task = SPAWN(NEW(subject, .round = round));
    else
        self->subject = NEW(subject, .round = round);
}

static enum edo_poll director_poll(struct edo_future *future, struct edo_context *cx)
{
    struct director *self = (struct director *)future;
    enum edo_poll poll = EDO_READY;
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "director");
    if (future->state == EDO_STATE_FRESH) {
        future->state = 1;
        director_begin(self, cx);
    }
    switch (self->round->killer) {
    case DROPPED:
        poll = end_by_drop(self, cx);
        break;
    case ABORTED:
        poll = end_by_abort(self, cx);
        break;
    case TIMED_OUT:
        poll = end_by_timeout(self, cx);
        break;
    case SHUT_DOWN:
    case KILLERS:
        poll = end_by_shutdown(self);
        break;
    }
    if (poll == EDO_READY && self->round->loop != NULL)
        uv_stop(self->round->loop);
    return poll;
}

/* A round. */

static int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    cr_assert_not_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* Also what goes on beside the future under test is cancelled, when the runtime ends. */
static void record_tasks(struct edo_runtime *runtime)
{
    for (struct edo_list *node = runtime->tasks.next; node != &runtime->tasks; node = node->next) {
        struct edo_task *task = edo_container_of(node, struct edo_task, owned);
        record_chain(edo_task_future(task), &task->waker);
    }
}

static void run(struct round *round)
{
    struct director director = NEW(director, .round = round);
    cr_assert_eq(edo_runtime_new(&round->runtime, .start_paused = !round->scene->real_time), 0);
    cr_assert_eq(edo_block_on(round->runtime, &director), 0);
    record_tasks(round->runtime);
    edo_runtime_drop(round->runtime);
}

static void run_attached(struct round *round)
{
    uv_loop_t loop;
    round->loop = &loop;
    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(edo_runtime_attach(&loop, &round->runtime), 0);
    edo_task_detach(SPAWN_ON(edo_runtime_handle(round->runtime), NEW(director, .round = round)));
    uv_run(&loop, UV_RUN_DEFAULT);
    record_tasks(round->runtime);
    edo_runtime_drop(round->runtime);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0)
        complain("the loop cannot be closed");
}

static void compare(struct round *round)
{
    if (!round->over)
        complain("the future was neither completed nor dropped");
    for (; life_count > 0; life_count--)
        complain("%s was neither completed nor dropped", lives[life_count - 1].name);
    struct edo_census now = edo_census_now();
    for (int i = 0; i < EDO_CENSUS_KINDS; i++)
        if (now.live[i] != round->census.live[i])
            complain("%s: %" PRId64 " more than before", edo_census_name((enum edo_census_kind)i),
                     now.live[i] - round->census.live[i]);
    int fds = count_fds();
    if (fds != round->fds)
        complain("%d descriptors before, %d now", round->fds, fds);
}

/* Whether the future completed. */
static bool play(const struct sweep_scene *scene, enum killer killer, bool tight, unsigned until)
{
    struct round round = {
        .scene = scene,
        .killer = killer,
        .tight = tight,
        .until = until,
        .census = edo_census_now(),
        .fds = count_fds(),
    };
    current = &round;
    if (scene->attached)
        run_attached(&round);
    else
        run(&round);
    if (round.left != NULL) {
        if (!edo_task_is_finished(round.left))
            complain("its task outlives the runtime");
        edo_task_detach(round.left);
    }
    if (scene->end != NULL)
        scene->end(round.data);
    free(round.data);
    if (scene->lasting)
        free(round.frame);
    compare(&round);
    current = NULL;
    return round.completed;
}

void sweep(const struct sweep_scene *scene)
{
    /* What libuv opens once for the process; and nobody wants to read the programs' output. */
    struct edo_runtime *first;
    cr_assert_eq(edo_runtime_new(&first), 0);
    edo_runtime_drop(first);
    cr_assert_not_null(freopen("/dev/null", "w", stdout));

    unsigned limit = scene->rounds > 0 ? scene->rounds : ENDLESS;
    for (int killer = 0; killer < KILLERS; killer++)
        for (int tight = 0; tight < 2; tight++) {
            /* A timeout polls at least once. */
            unsigned n = killer == TIMED_OUT ? 1 : 0;
            while (!play(scene, (enum killer)killer, tight != 0, n) && n < limit)
                n++;
            if (n == ENDLESS)
                complain("it never completes");
        }
}

/* Which awaits of a source were hit. */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s cannot be read from here", path);
    size_t size = 1 << 20, length;
    char *text = malloc(size);
    cr_assert_not_null(text);
    length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static bool is_path(const char *file, const char *path)
{
    size_t a = strlen(file), b = strlen(path);
    return a >= b && strcmp(file + a - b, path) == 0 && (a == b || file[a - b - 1] == '/');
}

static bool was_hit(const char *path, const struct await *await)
{
    for (size_t i = 0; i < hit_count; i++)
        if (hits[i].line >= await->first && hits[i].line <= await->last &&
            is_path(hits[i].file, path))
            return true;
    return false;
}

unsigned sweep_missed(const char *path, FILE *report)
{
    char *text = read_text(path);
    const char *at = text;
    int line = 1;
    unsigned awaits = 0, missed = 0;
    struct await await;
    while (awaits_next(&at, &line, &await)) {
        awaits++;
        if (was_hit(path, &await))
            continue;
        missed++;
        if (report != NULL)
            fprintf(report, "%s:%d: this %s was never cancelled\n", path, await.first,
                    await.keyword);
    }
    cr_assert(awaits > 0, "%s has no awaits", path);
    free(text);
    return missed;
}

void sweep_covered(const char *path)
{
    unsigned missed = sweep_missed(path, sweep_complain == NULL ? stderr : NULL);
    if (missed > 0)
        complain("%s: %u awaits were never cancelled", path, missed);
}
