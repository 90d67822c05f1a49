/* SPDX-License-Identifier: MIT */
/* An intrusive, circular, doubly linked list. A node that is in no list points at itself. */
#ifndef CRIER_BASE_LIST_H
#define CRIER_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct crier_list {
    struct crier_list *next, *prev;
};

#define CRIER_CONTAINER(ptr, type, member)                                                     \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define crier_list_for_each(node, head)                                                        \
    for (struct crier_list *node = (head)->next; node != (head); node = node->next)
/* The body may unlink (and free) the current node, but no other. */
#define crier_list_for_each_safe(node, head)                                                   \
    for (struct crier_list *node = (head)->next, *node##_next = node->next; node != (head);    \
         node = node##_next, node##_next = node->next)

static inline void crier_list_init(struct crier_list *node)
{
    node->next = node->prev = node;
}

static inline bool crier_list_empty(const struct crier_list *head)
{
    return head->next == head;
}

static inline void crier_list_push_back(struct crier_list *head, struct crier_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void crier_list_remove(struct crier_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    crier_list_init(node);
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void crier_list_splice(struct crier_list *to, struct crier_list *from)
{
    if (crier_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    crier_list_init(from);
}

#endif
