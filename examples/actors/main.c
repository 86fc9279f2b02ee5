/* SPDX-License-Identifier: MIT */
/* Actors in all their variants: actors.h says which.
 *
 *     actors [NAME]       plays that scene, or all
 */
#include <string.h>

#include "actors.h"

static const struct scene {
    const char *name;
    JOIN_HANDLE(int) (*play)(void);
} scenes[] = {
    {"replies", play_replies},
    {"no_replies", play_no_replies},
    {"two_handles", play_two_handles},
    {"shared_handle", play_shared_handle},
    {"peers", play_peers},
    {"cycle", play_cycle},
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

struct actors {
    FUTURE(int);
    const char *only;
    int i, played;
    struct edo_join join;
};

ASYNC(actors)
{
    ASYNC_BEGIN;
    /* Time stands still while anything can run, and then goes on to the next timer: no scene waits for
     * a clock, and when all tasks are stuck an hour has passed at once. */
    edo_time_pause();
    for (self->i = 0; self->i < SCENES; self->i++) {
        if (self->only != NULL && strcmp(self->only, scenes[self->i].name) != 0)
            continue;
        printf("%s:\n", scenes[self->i].name);
        self->played++;
        TRY_AWAIT(self->join, edo_join(scenes[self->i].play(), &self->output));
        if (self->output < 0)
            RETURN(self->output);
    }
    RETURN(self->played > 0 ? 0 : UV_EINVAL);
    ASYNC_END;
}

EDO_MAIN(NEW(actors, .only = argc > 1 ? argv[1] : NULL))
