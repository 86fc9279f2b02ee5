/* SPDX-License-Identifier: MIT */
/* An array of futures that are awaited together: JOIN, of a number that is known when it runs.
 *
 *     struct fetch fetches[8];          in the frame, or anywhere that outlives the await
 *     struct edo_join_all all;
 *
 *     for (int i = 0; i < self->count; i++)
 *         self->fetches[i] = NEW(fetch, .url = self->urls[i]);
 *     AWAIT(self->all, edo_join_all(self->fetches, self->count));
 *     … self->fetches[0].output …
 *
 * The futures are of one type, and stay where they are; so do their outputs. Nothing is allocated. Those
 * that are done already are not polled. Any executor. Dropping it drops those that are not done; it is as
 * cancel safe as they are.
 *
 * Each wake polls all that are not done, from the first to the last; where the task's budget did not
 * last for all, the next time from the one that got none. For more than some dozens, a set whose members are
 * polled only when they were woken is cheaper: streams/futures_unordered.h. */
#ifndef EDO_COMBINATORS_JOIN_ALL_H
#define EDO_COMBINATORS_JOIN_ALL_H

#include "child.h"

#ifdef __cplusplus
extern "C" {
#endif

struct edo_joined_ {
    char *first;
    size_t count, size;
    size_t start; /* polled first */
};

/* edo_join_all(array, count): ready when all are done; at once, when the count is 0. */
struct edo_join_all {
    EDO_FUTURE(void);
    struct edo_joined_ joined;
};
#define edo_join_all(array, count) edo_join_all_(EDO_JOINED_((array), (count)))

/* edo_try_join_all(array, count): the same, of futures whose output is an int: the first that is negative
 * is the output, and the other futures are dropped at once. Otherwise the output is 0. */
struct edo_try_join_all {
    EDO_FUTURE(int);
    uint32_t output_offset;
    struct edo_joined_ joined;
};
#define edo_try_join_all(array, count)                                          \
    (EDO_DEMAND_(__builtin_types_compatible_p(EDO_OUTPUT_TYPE_OF_(array), int), \
                 "the output of a future that may fail is an int"),             \
     edo_try_join_all_(EDO_JOINED_((array), (count)), EDO_OUTPUT_OF_CHILD_(array)))

/* Behind the macros. */
#define EDO_JOINED_(array, count_)                                                     \
    (EDO_DEMAND_(offsetof(__typeof__(*(array)), future_) == 0, "an array of futures"), \
     (struct edo_joined_){                                                             \
         .first = (char *)(array), .count = (size_t)(count_), .size = sizeof(*(array))})
struct edo_join_all edo_join_all_(struct edo_joined_ joined);
struct edo_try_join_all edo_try_join_all_(struct edo_joined_ joined, struct edo_output_ output);

#ifdef __cplusplus
}
#endif

#endif
