/* SPDX-License-Identifier: MIT */
/* runtime/selector.h for models: one descriptor, that of the model, is watched at a time. It is told of once when it is
 * added, if it is ready then, and once after each model_edge. A selector is the event that it sleeps on.
 *
 * What is before an edo_selector_add happens before what is told of it; nothing else is ordered.
 */
#include "fake_selector.h"

#include "checker.h"
#include "runtime/selector.h"

enum { EPOLLS = 200, SELECTORS = 16 };

const struct model_descriptors *model_descriptors;

/* An execution begins with opening one, and each has what it opens in memory of its own. */
static const struct edo_selector *opened[SELECTORS];
static unsigned opens;
static struct {
    const struct edo_selector *selector; /* NULL: none is watched */
    int fd;
    void *data;
    bool edge;
    clock_vec added;
} watched;

const void *fake_selector(int epoll)
{
    unsigned i = (unsigned)(epoll - EPOLLS);
    return i < SELECTORS ? opened[i] : NULL;
}

void fake_selector_closing(int fd)
{
    if (watched.selector != NULL && watched.fd == fd)
        model_fail(__FILE__, __LINE__, "closed while it is watched");
}

static void touch(const struct edo_selector *selector)
{
    atomic_access((uintptr_t)&selector->event, sizeof selector->event, __FILE__, __LINE__);
}

int edo_selector_open(struct edo_selector *selector)
{
    unsigned i = opens++ % SELECTORS;
    opened[i] = selector;
    selector->epoll = EPOLLS + (int)i;
    selector->event = 0;
    watched.selector = NULL;
    return 0;
}

void edo_selector_close(struct edo_selector *selector)
{
    touch(selector);
    if (watched.selector == selector)
        watched.selector = NULL;
    unsigned i = (unsigned)(selector->epoll - EPOLLS);
    if (opened[i] == selector)
        opened[i] = NULL;
}

void model_edge(const struct edo_selector *selector)
{
    touch(selector);
    model_signal(selector);
    /* The rest is one step with the signal: nobody runs in between. */
    if (watched.selector == selector)
        watched.edge = true;
}

int edo_selector_add(struct edo_selector *selector, int fd, void *data)
{
    touch(selector);
    watched.selector = selector;
    watched.fd = fd;
    watched.data = data;
    watched.edge = false;
    watched.added = self()->hb;
    if (model_descriptors != NULL && model_descriptors->ready(fd) != 0)
        model_edge(selector);
    return 0;
}

void edo_selector_remove(struct edo_selector *selector, int fd)
{
    touch(selector);
    if (watched.selector == selector && watched.fd == fd)
        watched.selector = NULL;
}

void edo_selector_wake(struct edo_selector *selector)
{
    touch(selector);
    model_signal(selector);
}

static void sleep_until(struct edo_selector *selector, uint64_t deadline)
{
    if (!model_wait_timed(selector) && model_now() < deadline)
        model_set_now(deadline);
}

int edo_selector_wait(struct edo_selector *selector, struct edo_selected *selected, int max, int ms)
{
    (void)max;
    touch(selector);
    if (ms == 0 || (watched.selector == selector && watched.edge))
        event_poll(selector);
    else if (ms < 0)
        model_wait(selector);
    else
        sleep_until(selector, (model_now() / 1000000 + (uint64_t)ms) * 1000000);
    if (watched.selector != selector || !watched.edge || model_descriptors == NULL)
        return 0;
    watched.edge = false;
    void *data = watched.data;
    clock_vec added = watched.added;
    int ready = model_descriptors->ready(watched.fd);
    if (ready == 0)
        return 0;
    self()->hb = clock_join(self()->hb, added);
    *selected = (struct edo_selected){.data = data,
                                      .ready = (uint8_t)(ready % MODEL_ENDED),
                                      .ended = (uint8_t)(ready / MODEL_ENDED)};
    return 1;
}
