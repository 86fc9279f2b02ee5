/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <stdlib.h>

enum fate { NOWHERE, RECEIVED, DROPPED };

void ledger_init(struct ledger *ledger, struct stress *stress)
{
    *ledger = (struct ledger){.stress = stress, .quota = stress->quota};
    edo_init(&ledger->ended, false);
    edo_init(&ledger->under_way, 0);
    ledger->fates = calloc((size_t)STRESS_PRODUCERS * stress->quota, sizeof *ledger->fates);
    edo_assert(ledger->fates != NULL);
}

static uint64_t check_of(const struct message *message)
{
    return ((uint64_t)message->producer << 32 | message->number) * 0x9e3779b97f4a7c15u;
}

struct message ledger_message(struct ledger *ledger, uint32_t producer)
{
    struct message message = {
        .ledger = ledger, .producer = producer, .number = ledger->sent[producer]};
    message.check = check_of(&message);
    return message;
}

void ledger_sent(struct ledger *ledger, uint32_t producer)
{
    ledger->sent[producer]++;
    edo_fetch_add(&ledger->under_way, 1, relaxed);
}

void ledger_returned(struct ledger *ledger)
{
    /* Relaxed: a number. */
    edo_fetch_add(&ledger->stress->returned, 1, relaxed);
}

bool ledger_is_quiet(struct ledger *ledger)
{
    /* It may have been received before it was counted as sent: then it is less than nothing for a while. */
    return (int64_t)edo_load(&ledger->under_way, relaxed) <= 0;
}

static bool sound(struct ledger *ledger, const struct message *message)
{
    bool sound = message->ledger == ledger && message->check == check_of(message) &&
                 message->producer < STRESS_PRODUCERS && message->number < ledger->quota;
    stress_expect(ledger->stress, sound, "a message that nobody wrote: producer %u, number %u",
                  message->producer, message->number);
    return sound;
}

static _Atomic(uint8_t) *fate_of(struct ledger *ledger, uint32_t producer, uint32_t number)
{
    return &ledger->fates[(size_t)producer * ledger->quota + number];
}

static void meets(struct ledger *ledger, const struct message *message, enum fate fate)
{
    static const char *const names[] = {"nowhere", "received", "dropped"};
    /* Relaxed: the threads are joined before it is read as a whole. */
    uint8_t before =
        edo_exchange(fate_of(ledger, message->producer, message->number), fate, relaxed);
    stress_expect(ledger->stress, before == NOWHERE, "producer %u: message %u was %s, and is %s",
                  message->producer, message->number, names[before], names[fate]);
}

static void enters(struct ledger_view *view, const struct message *message)
{
    struct ledger *ledger = view->ledger;
    if (!sound(ledger, message))
        return;
    uint32_t *next = &view->next[message->producer];
    bool ordered = view->alone ? message->number == *next : message->number >= *next;
    stress_expect(ledger->stress, ordered, "producer %u: message %u came where %u was due",
                  message->producer, message->number, *next);
    *next = message->number + 1;
    meets(ledger, message, RECEIVED);
}

void ledger_received(struct ledger_view *view, const struct message *message)
{
    struct stress *stress = view->ledger->stress;
    edo_fetch_sub(&view->ledger->under_way, 1, relaxed);
    if (stress_planted(stress, STRESS_LOSS))
        return;
    if (stress_planted(stress, STRESS_REORDER)) {
        view->held = *message;
        view->holds = true;
        return;
    }
    struct message torn = *message;
    if (stress_planted(stress, STRESS_TORN))
        torn.number++;
    enters(view, &torn);
    if (stress_planted(stress, STRESS_DOUBLE))
        enters(view, &torn);
    if (view->holds && view->held.producer == message->producer) {
        view->holds = false;
        enters(view, &view->held);
    }
}

void ledger_dropped(struct message *message)
{
    if (sound(message->ledger, message))
        meets(message->ledger, message, DROPPED);
}

static void close_producer(struct ledger *ledger, uint32_t producer, uint64_t counts[])
{
    enum fate last = RECEIVED;
    for (uint32_t number = 0; number < ledger->quota; number++) {
        enum fate fate = edo_load(fate_of(ledger, producer, number), relaxed);
        bool sent = number < ledger->sent[producer];
        counts[fate] += sent;
        stress_expect(ledger->stress, sent == (fate != NOWHERE), "producer %u: message %u was %s",
                      producer, number, sent ? "sent, and lost" : "not sent, but came");
        stress_expect(ledger->stress, fate != RECEIVED || last == RECEIVED,
                      "producer %u: message %u was received after one was dropped", producer,
                      number);
        last = fate;
    }
}

void ledger_close(struct ledger *ledger)
{
    struct stress *stress = ledger->stress;
    uint64_t counts[3] = {0};
    for (uint32_t producer = 0; producer < STRESS_PRODUCERS; producer++) {
        close_producer(ledger, producer, counts);
        stress->sent += ledger->sent[producer];
    }
    stress->received += counts[RECEIVED];
    stress->dropped += counts[DROPPED];
    stress_expect(stress, counts[DROPPED] == 0 || !edo_load(&ledger->ended, relaxed),
                  "%u messages were dropped after a consumer was told that all was received",
                  (unsigned)counts[DROPPED]);
    free(ledger->fates);
}
