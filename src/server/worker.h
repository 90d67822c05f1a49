/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread with its own epoll loop, listening sockets, connections, fan-out and
 * timers. Workers share what stands in struct crier_shared, and nothing else.
 */
#ifndef CRIER_SERVER_WORKER_H
#define CRIER_SERVER_WORKER_H

#include "base/mem.h"
#include "base/rng.h"
#include "hub/fanout.h"
#include "net/listener.h"
#include "net/poller.h"
#include "net/wake.h"
#include "net/wheel.h"
#include "server/admission.h"
#include "server/limits.h"
#include "server/log.h"
#include "server/presence.h"
#include "server/publisher.h"
#include "server/stats.h"
#include <pthread.h>

enum {
    CRIER_READ_BYTES = 64 * 1024,          /* the input buffer of a worker */
    CRIER_CONN_TICK_BYTES = 256 * 1024,    /* one connection may append or read in a tick */
    CRIER_WORKER_TICK_BYTES = 1024 * 1024, /* one tick may append */
    CRIER_OUT_BYTES = 64 * 1024, /* a connection with more unsent answers is not read */
};

/* What all workers of a server share. */
struct crier_shared {
    const struct crier_mem *mem;
    const struct crier_config *config;
    struct crier_log *log;
    struct crier_tokens *tokens;
    struct crier_journal *journal;
    struct crier_presence *presence;
    struct crier_limits *limits;
    struct crier_listener *listeners;
    size_t listener_count;
    struct crier_worker *workers;
    size_t worker_count;
    pthread_t main;      /* gets SIGUSR1 from a worker that has drained */
    uint64_t started_ms; /* boot clock */
    _Atomic bool draining;
    _Atomic bool drained;         /* all workers were idle: they end */
    _Atomic uint64_t drain_until; /* boot clock */
    _Atomic uint64_t publishing;  /* requests being read or appended: a drain waits for them */
};

struct crier_worker {
    struct crier_shared *hub;
    unsigned index;
    pthread_t thread;
    bool running;         /* the thread was started */
    _Atomic bool idle;    /* it drains, and nothing holds it */
    _Atomic bool drained; /* its loop has ended */
    struct crier_poller poller;
    struct crier_wake wake;
    struct crier_wheel wheel;
    struct crier_rng rng;
    struct crier_now now; /* of this tick */
    struct crier_cursor cursor;
    struct crier_fanout *fanout;
    struct crier_publisher publisher;
    struct crier_list conns;   /* all, in accept order */
    struct crier_list ready;   /* connections with work that no descriptor will announce */
    struct crier_list held;    /* publishing connections that wait for the journal */
    struct crier_list joining; /* streams that wait for their place */
    struct crier_list doomed;  /* connections to free when nothing is using them */
    struct crier_timer accept_timer; /* set while accepting is paused */
    size_t conn_count;
    size_t tick_bytes; /* read from publishers in this tick */
    uint32_t tick;
    bool accepting;
    bool drain_begun;
    bool farewell;     /* streams are told to end, from the next tick on */
    bool caught_up;    /* the journal was read to its end in this tick */
    bool spent;        /* answers took enough of this tick */
    size_t page_bytes; /* of history pages that are not sent yet */
    uint64_t trim_at;  /* boot clock: memory is to be given back; 0: no */
    char *input;
    struct crier_worker_stats stats;
};

int crier_worker_init(struct crier_worker *,
                      struct crier_shared *,
                      unsigned index,
                      uint64_t seed) CRIER_MUST_CHECK;
/* Also half-made, or zeroed but for `hub`. */
void crier_worker_deinit(struct crier_worker *);
/* Loops until drained. The thread's function. */
void *crier_worker_run(void *worker);
/* Any thread: a drain has begun, or the like. */
void crier_worker_wake(struct crier_worker *);

/* Something that may have been dear was answered: has this tick had its share? */
void crier_worker_spent(struct crier_worker *);
/* Milliseconds drawn evenly, for retry: and Retry-After. */
uint32_t crier_worker_jitter(struct crier_worker *, uint32_t low, uint32_t high);

#endif
