/* SPDX-License-Identifier: MIT */
/* What a driver's descriptors are watched with: an epoll, edge-triggered, and an event that ends its sleep.
 *
 * Each descriptor is added once, for all that it may become, and nothing is asked of the kernel about it afterwards
 * until it is removed: what it has become since is told once. All but edo_selector_wait may be called by any thread,
 * at any time; that is for one at a time.
 */
#ifndef EDO_RUNTIME_SELECTOR_H
#define EDO_RUNTIME_SELECTOR_H

#include <stdint.h>

struct edo_selector {
    int epoll; /* itself a descriptor that is readable when there is something to tell */
    int event;
};

/* What has become of one. */
struct edo_selected {
    void *data;
    uint8_t ready; /* of enum edo_interest */
    uint8_t ended; /* what will be ready from now on, whatever is done: it ended, or failed */
};

enum { EDO_SELECTED_MAX = 256 };

/* 0, or an error. */
int edo_selector_open(struct edo_selector *selector);
void edo_selector_close(struct edo_selector *selector);

/* Watches it: what it is already is told. 0; or UV_EEXIST, UV_EPERM (a plain file), and what else epoll_ctl says. */
int edo_selector_add(struct edo_selector *selector, int fd, void *data);

/* It is not told of any more, but by who is in edo_selector_wait. Before it is closed: a duplicate may stay open. */
void edo_selector_remove(struct edo_selector *selector, int fd);

/* Waits until something is to be told, edo_selector_wake was called, or so many ms have gone by, -1: never. Returns
 * how many of `selected` it filled, at most `max`; what had no place is told the next time. */
int edo_selector_wait(struct edo_selector *selector, struct edo_selected *selected, int max,
                      int ms);

/* Ends the wait, or the next one. */
void edo_selector_wake(struct edo_selector *selector);

#endif
