/* SPDX-License-Identifier: MIT */
#include "selector.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "registration.h"

int edo_selector_open(struct edo_selector *selector)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = selector};
    selector->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (selector->epoll < 0)
        return -errno;
    selector->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int error = selector->event < 0 ? -errno : 0;
    if (error == 0 && epoll_ctl(selector->epoll, EPOLL_CTL_ADD, selector->event, &event) != 0)
        error = -errno;
    if (error < 0)
        edo_selector_close(selector);
    return error;
}

void edo_selector_close(struct edo_selector *selector)
{
    if (selector->event >= 0)
        close(selector->event);
    close(selector->epoll);
}

int edo_selector_add(struct edo_selector *selector, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = data};
    return epoll_ctl(selector->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void edo_selector_remove(struct edo_selector *selector, int fd)
{
    struct epoll_event event = {.events = 0};
    epoll_ctl(selector->epoll, EPOLL_CTL_DEL, fd, &event);
}

static struct edo_selected translate(const struct epoll_event *event)
{
    uint32_t is = event->events;
    struct edo_selected selected = {.data = event->data.ptr};
    if (is & (EPOLLHUP | EPOLLERR))
        selected.ended = EDO_READABLE | EDO_WRITABLE;
    else if (is & EPOLLRDHUP)
        selected.ended = EDO_READABLE;
    selected.ready = (uint8_t)(selected.ended | (is & EPOLLIN ? EDO_READABLE : 0) |
                               (is & EPOLLOUT ? EDO_WRITABLE : 0));
    return selected;
}

int edo_selector_wait(struct edo_selector *selector, struct edo_selected *selected, int max, int ms)
{
    struct epoll_event events[EDO_SELECTED_MAX];
    int count = epoll_wait(selector->epoll, events, max, ms), filled = 0;
    for (int i = 0; i < count; i++)
        /* The event's own count is left as it is: it is written, and told, once more the next time. */
        if (events[i].data.ptr != selector)
            selected[filled++] = translate(&events[i]);
    return filled;
}

void edo_selector_wake(struct edo_selector *selector)
{
    uint64_t one = 1;
    while (write(selector->event, &one, sizeof one) < 0 && errno == EINTR)
        ;
}
