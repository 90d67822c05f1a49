/* SPDX-License-Identifier: MIT */
/*
 * A window: the contiguous newest bytes of a feed, with a mark at the end of each event.
 * Borrowed from the fan-out's pool while somebody needs it; a lagging stream's slice is put
 * together in one as well. See window.c.
 */
#ifndef CRIER_HUB_WINDOW_H
#define CRIER_HUB_WINDOW_H

#include "base/buf.h"
#include "hub/notice.h"

struct crier_mark {
    uint64_t end;    /* feed offset behind the event's last byte */
    uint64_t number; /* which event */
};

struct crier_window {
    struct crier_buf bytes; /* bytes.data[0] is the feed's byte `begin` */
    struct crier_mark *marks;
    size_t mark_count, mark_cap;
    uint64_t begin;        /* feed offset */
    uint64_t begin_number; /* all matching events after this one, as far as read, are in here */
    struct crier_window *next; /* in the pool */
};

/* Where an offset lies between events. */
struct crier_place {
    size_t mark;       /* index of the first event not complete there; mark_count at the end */
    uint64_t position; /* everything up to this number lies before it */
    uint64_t into;     /* bytes of that event that lie before the offset */
    struct crier_slice event; /* all its bytes; none at the end. Borrowed from the window */
};

struct crier_window_pool {
    const struct crier_mem *mem;
    struct crier_window *spare;
    size_t spare_bytes;
};

void crier_window_pool_init(struct crier_window_pool *pool, const struct crier_mem *mem);
void crier_window_pool_deinit(struct crier_window_pool *pool);
/* An empty window at this place; NULL: out of memory. */
struct crier_window *
crier_window_take(struct crier_window_pool *pool, uint64_t begin, uint64_t begin_number);
void crier_window_give(struct crier_window_pool *pool, struct crier_window *window);

void crier_window_init(struct crier_window *window, const struct crier_mem *mem);
void crier_window_deinit(struct crier_window *window);
void crier_window_reset(struct crier_window *window, uint64_t begin, uint64_t begin_number);
/* Gives memory back if it holds more than `keep` bytes. Only when empty. */
void crier_window_shrink(struct crier_window *window, size_t keep);

uint64_t crier_window_end(const struct crier_window *window);
/* 0; -ENOMEM: nothing was added. */
int crier_window_append(struct crier_window *window,
                        struct crier_dress dress,
                        const struct crier_record *record) CRIER_MUST_CHECK;
/* Borrows until the next change. */
struct crier_slice crier_window_from(const struct crier_window *window, uint64_t offset);
/* offset is in begin..end; at the end, position is that of the last event. */
struct crier_place crier_window_place(const struct crier_window *window, uint64_t offset);
/* Events whose last byte lies in (from, to]. */
size_t crier_window_count(const struct crier_window *window, uint64_t from, uint64_t to);
/* Where a reader that has everything up to `position` goes on; false: before the window. */
bool crier_window_find(const struct crier_window *window,
                       uint64_t position,
                       uint64_t *ret_offset);
/* Drops the first events. */
void crier_window_drop(struct crier_window *window, size_t events);
void crier_window_check(const struct crier_window *window);

#endif
