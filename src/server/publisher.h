/* SPDX-License-Identifier: MIT */
/*
 * A worker's publishes to one hub in one tick, gathered and handed to the journal together
 * (docs/architecture.md, "A worker's tick", 2). DELETEs go the same way.
 *
 *   add ──▶ gathering ──flush──▶ the journal ──▶ done at once: answered
 *                                    │
 *                                    └──▶ flying ──(it comes back: news)──▶ answered, in order
 *
 * What is gathered or flies is counted in its connection's `waiting`. Publishes of one
 * connection to one hub may follow each other; everything else that is asked on it waits until
 * all of these are answered (crier_route_begin, crier_exchange_answer).
 */
#ifndef CRIER_SERVER_PUBLISHER_H
#define CRIER_SERVER_PUBLISHER_H

#include "base/buf.h"
#include "event/event.h"
#include "hub/bell.h"
#include "journal/journal.h"

struct crier_exchange;
struct crier_outlet;
struct crier_worker;

struct crier_load_entry { /* offsets into the arena: it moves while it grows */
    struct crier_exchange *exchange;
    size_t topic_at, type_at, key_at, sse_at;
    size_t topic_len, type_len, key_len, sse_len, id_at;
    uint64_t ttl_ms;
    bool forget;
};

/* What goes to the journal together: a parcel, and what its drafts borrow. */
struct crier_load {
    struct crier_list node; /* in flying, or in spare */
    struct crier_news news; /* it is back */
    struct crier_parcel parcel;
    struct crier_outlet *outlet;
    struct crier_buf arena;
    size_t count, room;
    struct crier_load_entry *entries; /* [room] */
    struct crier_draft *drafts;       /* [room] */
    bool done;                        /* each draft has its result */
};

enum {
    CRIER_LOAD_ENTRIES = 1024,
    CRIER_CONN_PIPELINE = 1024, /* publishes of one connection that are not answered, at most */
    CRIER_CONN_LINES = 4096,    /* the same, of a batch */
    CRIER_WORKER_WAITING = 16384 /* of all: beyond, publishers are not read */
};

struct crier_publisher {
    struct crier_load *gathering; /* NULL: nothing was gathered yet */
    struct crier_list flying;     /* loads, in the order they were handed in */
    struct crier_list spare;      /* empty loads, to be used again */
    size_t spares;
};

/* What is published: everything is checked already, and borrowed for the call. */
struct crier_publish {
    struct crier_slice topic, type, key, data;
    uint64_t ttl_ms;
    bool has_retry;
    uint32_t retry_ms;
};

void crier_publisher_init(struct crier_publisher *);
/* Nothing is gathered, nothing flies. */
void crier_publisher_deinit(struct crier_outlet *);
/* Copies. Flushes by itself when it is full. 0; -EMSGSIZE: over the event limit once encoded;
 * -ENOMEM. */
int crier_publisher_add(struct crier_outlet *,
                        struct crier_exchange *,
                        const struct crier_publish *) CRIER_MUST_CHECK;
/* A DELETE: what was published before is forgotten too. 0, -ENOMEM. */
int crier_publisher_forget(struct crier_outlet *,
                           struct crier_exchange *,
                           struct crier_slice topic) CRIER_MUST_CHECK;
/* Hands in what was gathered. What is done calls crier_publish_done for each, in order; what is
 * not does so from the worker's bell. */
void crier_publisher_flush(struct crier_outlet *);
/* That of all the worker's outlets. */
void crier_publishers_flush(struct crier_worker *);
/* Stands still until nothing flies: what the journal has is never taken away from it. */
void crier_publisher_await(struct crier_outlet *);

#endif
