/* SPDX-License-Identifier: MIT */
/* An intrusive doubly linked ring with a head of its own, after the kernel's list.h.
 *
 * A node that is on no list points to nothing (next == NULL): `edo_list_linked` tells. A head
 * points to itself when empty. Neither may move while linked.
 */
#ifndef EDO_INTERNAL_LIST_H
#define EDO_INTERNAL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct edo_list {
    struct edo_list *next, *prev;
};

static inline void edo_list_init(struct edo_list *head)
{
    head->next = head->prev = head;
}

static inline bool edo_list_empty(const struct edo_list *head)
{
    return head->next == head;
}

static inline bool edo_list_linked(const struct edo_list *node)
{
    return node->next != NULL;
}

static inline void edo_list_push_back(struct edo_list *head, struct edo_list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

/* Unlinks node; does nothing when it is on no list. */
static inline void edo_list_remove(struct edo_list *node)
{
    if (node->next == NULL)
        return;
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = node->prev = NULL;
}

/* Moves all nodes of `from`, which is empty then, to the end of `to`. */
static inline void edo_list_splice(struct edo_list *to, struct edo_list *from)
{
    if (edo_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    edo_list_init(from);
}

/* Unlinks and returns the first node, or NULL. */
static inline struct edo_list *edo_list_pop_front(struct edo_list *head)
{
    struct edo_list *node = head->next;
    if (node == head)
        return NULL;
    edo_list_remove(node);
    return node;
}

#endif
