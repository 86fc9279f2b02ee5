/* SPDX-License-Identifier: MIT */
#include "churn_round.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void churn_complain(struct churn_round *round, const char *format, ...)
{
    pthread_mutex_lock(&round->complaints);
    if (round->churn->complaint[0] == '\0') {
        va_list args;
        va_start(args, format);
        vsnprintf(round->churn->complaint, sizeof round->churn->complaint, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&round->complaints);
}

bool churn_conceive(struct churn_round *round, uint32_t *id)
{
    uint32_t made = edo_load(&round->made, relaxed);
    do {
        if (made == round->quota)
            return false;
    } while (!edo_cas_weak(&round->made, &made, made + 1, relaxed, relaxed));
    *id = made;
    return true;
}

void churn_abort(struct churn_round *round, uint32_t id, JOIN_HANDLE(uint64_t) handle)
{
    edo_store(&round->lives[id].aborted, true, seq_cst);
    edo_task_abort(handle);
}

void churn_check_join(struct churn_round *round, uint32_t id, int error, uint64_t output)
{
    struct churn_life *life = &round->lives[id];
    bool returned = edo_load(&life->returned, relaxed) == 1;
    EXPECT(round, edo_load(&life->finally, relaxed) == 1, "joined before its FINALLY ran");
    if (error == 0)
        EXPECT(round, returned && output == churn_output_of(id), "another's output");
    else if (error == UV_ECANCELED)
        EXPECT(round,
               !returned &&
                   (edo_load(&life->aborted, seq_cst) || edo_load(&round->ending, seq_cst)),
               "cancelled, and nobody asked for it");
    else
        EXPECT(round, error == EDO_EPANIC && edo_load(&life->panics, relaxed),
               "a join ended with %d", error);
    edo_fetch_add(error == EDO_EPANIC ? &round->panicked : &round->cancelled, error != 0, relaxed);
}

static void parcel_dropped(struct churn_parcel *parcel)
{
    edo_fetch_add(&parcel->round->dropped, 1, relaxed);
}

struct churn_parcel churn_parcel(struct churn_round *round, uint64_t number)
{
    return (struct churn_parcel){round, number, ~number};
}

void churn_got(struct churn_round *round, const struct churn_parcel *parcel)
{
    edo_fetch_add(&round->received, 1, relaxed);
    EXPECT(round, parcel->round == round && parcel->check == ~parcel->number, "a torn parcel");
}

void churn_round_init(struct churn_round *round, struct churn *churn)
{
    *round = (struct churn_round){.churn = churn, .quota = churn->quota};
    edo_init(&round->plant, 20);
    round->lives = calloc(churn->quota, sizeof *round->lives);
    edo_assert(round->lives != NULL);
    for (uint32_t i = 0; i < churn->quota; i++)
        edo_init(&round->lives[i].doing, "nothing yet");
    pthread_mutex_init(&round->watch, NULL);
    pthread_mutex_init(&round->complaints, NULL);
    pthread_cond_init(&round->over, NULL);
    edo_mutex_init(&round->mutex);
    edo_semaphore_init(&round->semaphore, CHURN_PERMITS);
    edo_assert(edo_async_channel_with(&round->tx, &round->rx, 4, parcel_dropped) == 0);
}

void churn_round_free(struct churn_round *round)
{
    edo_mutex_destroy(&round->mutex);
    edo_semaphore_destroy(&round->semaphore);
    pthread_mutex_destroy(&round->watch);
    pthread_mutex_destroy(&round->complaints);
    pthread_cond_destroy(&round->over);
    free(round->lives);
}

void churn_check_lives(struct churn_round *round)
{
    uint32_t made = edo_load(&round->made, relaxed);
    for (uint32_t i = 0; i < made; i++) {
        struct churn_life *life = &round->lives[i];
        uint32_t finally = edo_load(&life->finally, relaxed);
        EXPECT(round, finally == 1, "task %u (%s): FINALLY ran %u times", i,
               edo_load(&life->doing, relaxed), finally);
        EXPECT(round, edo_load(&life->returned, relaxed) <= 1, "task %u returned twice", i);
    }
    EXPECT(round, edo_load(&round->spawned, relaxed) == edo_load(&round->terminated, relaxed),
           "%" PRIu64 " tasks were spawned, and %" PRIu64 " terminated",
           edo_load(&round->spawned, relaxed), edo_load(&round->terminated, relaxed));
    uint64_t sent = edo_load(&round->sent, relaxed), received = edo_load(&round->received, relaxed),
             dropped = edo_load(&round->dropped, relaxed);
    EXPECT(round, sent == received + dropped,
           "%" PRIu64 " parcels were sent, %" PRIu64 " received, %" PRIu64 " dropped", sent,
           received, dropped);
}
