/* SPDX-License-Identifier: MIT */
#include "event.h"

static void unlink_wait(struct event_wait *self)
{
    if (self->waker == NULL)
        return;
    *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    edo_waker_drop(self->waker);
    self->waker = NULL;
}

void event_set(struct event *event)
{
    event->happened = true;
    while (event->first != NULL) {
        edo_wake(event->first->waker);
        unlink_wait(event->first);
    }
}

static enum edo_poll event_wait_poll(struct edo_future *future, struct edo_context *cx)
{
    struct event_wait *self = (struct event_wait *)future;
    if (cx->walk == EDO_WALK_DROP)
        unlink_wait(self);
    if (cx->walk != EDO_WALK_POLL)
        return edo_walk_leaf(cx, "event_wait");
    if (self->event->happened)
        return EDO_READY;
    if (self->waker != NULL && edo_will_wake(self->waker, cx->waker))
        return EDO_PENDING;
    unlink_wait(self);
    self->waker = edo_waker_clone(cx->waker);
    self->next = self->event->first;
    self->link = &self->event->first;
    if (self->next != NULL)
        self->next->link = &self->next;
    self->event->first = self;
    return EDO_PENDING;
}

struct event_wait event_wait(struct event *event)
{
    return EDO_NEW_RETURNED(event_wait, .event = event);
}
