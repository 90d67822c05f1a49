/* SPDX-License-Identifier: MIT */
/*
 * A worker's publishes to one hub in one tick, gathered and appended under the journal's mutex
 * once (docs/architecture.md, "A worker's tick", 2). What is gathered is answered by
 * crier_publisher_flush, in order: whoever writes another answer on a connection that has
 * publishes in here flushes first.
 */
#ifndef CRIER_SERVER_PUBLISHER_H
#define CRIER_SERVER_PUBLISHER_H

#include "base/buf.h"
#include "event/event.h"
#include "journal/journal.h"

struct crier_exchange;
struct crier_outlet;
struct crier_worker;

struct crier_publisher_entry { /* offsets into the arena: it moves while it grows */
    struct crier_exchange *exchange;
    size_t topic_at, type_at, key_at, sse_at;
    size_t topic_len, type_len, key_len, sse_len, id_at;
    uint64_t ttl_ms;
};

enum { CRIER_PUBLISHER_ENTRIES = 1024 };

struct crier_publisher {
    struct crier_buf arena;
    size_t count;
    struct crier_publisher_entry entries[CRIER_PUBLISHER_ENTRIES];
    struct crier_draft drafts[CRIER_PUBLISHER_ENTRIES];
};

/* What is published: everything is checked already, and borrowed for the call. */
struct crier_publish {
    struct crier_slice topic, type, key, data;
    uint64_t ttl_ms;
    bool has_retry;
    uint32_t retry_ms;
};

void crier_publisher_init(struct crier_publisher *, const struct crier_mem *);
void crier_publisher_deinit(struct crier_publisher *);
/* Copies. Flushes by itself when it is full. 0; -EMSGSIZE: over the event limit once encoded;
 * -ENOMEM. */
int crier_publisher_add(struct crier_outlet *,
                        struct crier_exchange *,
                        const struct crier_publish *) CRIER_MUST_CHECK;
/* Appends, then calls crier_publish_done for each, in order. */
void crier_publisher_flush(struct crier_outlet *);
/* That of all the worker's outlets. */
void crier_publishers_flush(struct crier_worker *);

#endif
