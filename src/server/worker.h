/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread with its own epoll loop, listening sockets, connections, fan-out and
 * timers. Workers share what stands in struct crier_server, and nothing else.
 */
#ifndef CRIER_SERVER_WORKER_H
#define CRIER_SERVER_WORKER_H

#include "base/mem.h"
#include "base/rng.h"
#include "net/listener.h"
#include "net/poller.h"
#include "net/wake.h"
#include "net/wheel.h"
#include "server/agenda.h"
#include "server/mail.h"
#include "server/outlet.h"
#include "server/server.h"
#include "server/stats.h"

struct crier_worker {
    struct crier_server *server;
    unsigned index;
    pthread_t thread;
    bool bell_ready;   /* it was made */
    bool running;      /* a thread of its own was started */
    _Atomic bool idle; /* it drains, and nothing holds it */
    struct crier_poller poller;
    struct crier_wake wake;
    struct crier_wheel wheel;
    struct crier_agenda agenda; /* the timers of private streams */
    struct crier_mail mail;     /* what other threads send here; references */
    struct crier_rng rng;
    struct crier_now now;   /* of this tick */
    struct crier_bell bell; /* what the journals' threads have done for it */
    struct crier_list outlets;
    struct crier_list conns;   /* all, in accept order */
    struct crier_list ready;   /* connections with work that no descriptor will announce */
    struct crier_list held;    /* publishing connections that wait for the journal */
    struct crier_list doomed;  /* connections to free when nothing is using them */
    struct crier_list touched; /* private streams with bytes to send, or to be asked for some */
    struct crier_timer accept_timer; /* set while accepting is paused */
    struct crier_timer age_timer;    /* hubs forget what is too old */
    size_t conn_count;
    size_t waiting;        /* publishes that are gathered or with a journal */
    uint16_t outlet_count; /* ever made */
    size_t tick_bytes;     /* read from publishers in this tick */
    uint32_t tick;
    bool listening; /* it has been given the listeners' sockets */
    bool accepting;
    bool flushing;  /* publishes are being answered */
    bool stop_seen; /* the server's stop was noticed: it is polled no more */
    bool drain_begun;
    bool farewell;     /* streams are told to end, from the next tick on */
    bool caught_up;    /* all journals were read to their ends in this tick */
    bool spent;        /* answers took enough of this tick */
    bool work_left;    /* the last tick left something to do at once */
    size_t page_bytes; /* of history pages that are not sent yet, or wait for the disk */
    uint64_t lag_at;   /* boot clock: no look at how far streams lag before that */
    uint64_t trim_at;  /* boot clock: memory is to be given back; 0: no */
    char *input;
    struct crier_worker_stats stats;
};

int crier_worker_init(struct crier_worker *,
                      struct crier_server *,
                      unsigned index,
                      uint64_t seed) CRIER_MUST_CHECK;
/* Its loop is over: cuts off who is left. Its counters, and references into it, stay. */
void crier_worker_close(struct crier_worker *);
/* Also half-made, or zeroed but for `server`. */
void crier_worker_deinit(struct crier_worker *);
/* Watches the listeners' sockets from now on. 0, -errno. */
int crier_worker_listen(struct crier_worker *) CRIER_MUST_CHECK;
/* Loops until drained. The thread's function. */
void *crier_worker_run(void *worker);
/* One tick, which waits for at most timeout_ms (-1: for ever). true: it has drained. */
bool crier_worker_tick(struct crier_worker *, int timeout_ms);
/* How long may the next tick wait? Announces sleep to the journals: only right before that. */
int crier_worker_sleep_time(struct crier_worker *);
/* Between two steps of a tick, when nothing is using them. */
void crier_worker_free_doomed(struct crier_worker *);
/* Any thread: a drain has begun, or the like. */
void crier_worker_wake(struct crier_worker *);

/* Something that may have been dear was answered: has this tick had its share? */
void crier_worker_spent(struct crier_worker *);
/* Milliseconds drawn evenly, for retry: and Retry-After. */
uint32_t crier_worker_jitter(struct crier_worker *, uint32_t low, uint32_t high);

#endif
