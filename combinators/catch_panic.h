/* SPDX-License-Identifier: MIT */
/* Panics that end one future, not its task.
 *
 *     self->plugin = NEW(plugin, .request = request);
 *     AWAIT(self->guard, edo_catch_panic(&self->plugin, &self->panic));
 *     if (self->guard.output == EDO_EPANIC)
 *         log("%s (%s:%d): %s", self->panic.name, self->panic.file, self->panic.line,
 *             self->panic.message);
 *
 * The frames of the child are dropped where they are suspended, and each FINALLY runs; what is beside and
 * above it goes on. A task is such a border anyway: for what can be a task, SPAWN and edo_join_report.
 * Nothing is allocated. Any executor. */
#ifndef EDO_COMBINATORS_CATCH_PANIC_H
#define EDO_COMBINATORS_CATCH_PANIC_H

#include "../error.h"
#include "../future.h"

#ifdef __cplusplus
extern "C" {
#endif

/* edo_catch_panic(&self->child, &self->panic): polls a future of the same frame. Output 0: it is ready,
 * its output in it. EDO_EPANIC: it panicked, in its body or in FINALLY after RETURN, and was dropped;
 * `panic`, a struct edo_panic, is then what was said, by whom; NULL: not wanted. Name and file are the
 * strings that PANIC was given.
 * A FINALLY that panics while it is dropped, for the first panic or together with this future, is not
 * caught: that panic goes on to whoever is above, and `panic` has the first.
 * Dropping it drops the child; it is as cancel safe as that. */
struct edo_catch_panic {
    EDO_FUTURE(int);
    struct edo_future *child;
    struct edo_panic *panic;
};
#define edo_catch_panic(child, panic) edo_catch_panic_(&(child)->future_, (panic))

/* Behind the macro. */
struct edo_catch_panic edo_catch_panic_(struct edo_future *child, struct edo_panic *panic);

#ifdef __cplusplus
}
#endif

#endif
