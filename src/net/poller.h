/* SPDX-License-Identifier: MIT */
/* epoll, with a tagged pointer for each descriptor. */
#ifndef CRIER_NET_POLLER_H
#define CRIER_NET_POLLER_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crier_poller {
    int fd;
};

enum crier_ready {
    CRIER_READY_IN = 1u << 0,
    CRIER_READY_OUT = 1u << 1,
    CRIER_READY_HUP = 1u << 2,   /* EPOLLHUP or EPOLLERR: it is gone */
    CRIER_READY_RDHUP = 1u << 3, /* the peer will send no more */
};

struct crier_ready_event {
    void *owner;
    unsigned ready;
};

int crier_poller_init(struct crier_poller *) CRIER_MUST_CHECK;
void crier_poller_deinit(struct crier_poller *);
/* A connection: edge-triggered IN | OUT | RDHUP, registered once for its life. */
int crier_poller_add(struct crier_poller *, int fd, void *owner) CRIER_MUST_CHECK;
/* A listener or eventfd: level-triggered IN; exclusive: EPOLLEXCLUSIVE, for a socket several
 * workers share. */
int crier_poller_add_level(struct crier_poller *, int fd, void *owner, bool exclusive)
    CRIER_MUST_CHECK;
/* What it is to be told of is these of IN and OUT from now on, level-triggered; added if it was
 * not. */
int crier_poller_watch(struct crier_poller *, int fd, void *owner, unsigned ready)
    CRIER_MUST_CHECK;
void crier_poller_remove(struct crier_poller *, int fd);
/* timeout_ms -1: for ever. Number of events, 0 also when a signal came, or -errno. */
int crier_poller_wait(struct crier_poller *,
                      struct crier_ready_event *events,
                      size_t max,
                      int timeout_ms);

#endif
