/* SPDX-License-Identifier: MIT */
#ifndef EDO_TESTS_MODEL_FAKE_SELECTOR_H
#define EDO_TESTS_MODEL_FAKE_SELECTOR_H

/* The one whose epoll that is, which is also the event that it sleeps on; or NULL. */
const void *fake_selector(int epoll);

/* It must not be watched any more. */
void fake_selector_closing(int fd);

#endif
