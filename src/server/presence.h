/* SPDX-License-Identifier: MIT */
/*
 * Who follows what, over all workers, for /-/topics. One entry for each distinct set of
 * selectors; joining and leaving an existing one is one atomic add. Any thread.
 */
#ifndef CRIER_SERVER_PRESENCE_H
#define CRIER_SERVER_PRESENCE_H

#include "hub/subscription.h"

struct crier_presence;
struct crier_presence_entry;

int crier_presence_new(const struct crier_mem *mem,
                       struct crier_journal *journal,
                       struct crier_presence **ret) CRIER_MUST_CHECK;
struct crier_presence *crier_presence_free(struct crier_presence *);
/* A stream with this subscription comes; the entry is kept by it until it goes. -ENOMEM. */
int crier_presence_join(struct crier_presence *,
                        const struct crier_subscription *,
                        struct crier_presence_entry **ret) CRIER_MUST_CHECK;
void crier_presence_leave(struct crier_presence *,
                          struct crier_presence_entry *); /* NULL is fine */
/* Streams that follow this topic, by name or by pattern, each once. */
uint64_t crier_presence_count(struct crier_presence *, struct crier_slice topic);
/* Topics followed by name, in order, after `after` (exclusive), with the prefix. fn false:
 * stop. Under the mutex. */
void crier_presence_topics(struct crier_presence *,
                           struct crier_slice prefix,
                           struct crier_slice after,
                           bool (*fn)(void *ctx, struct crier_slice topic),
                           void *ctx);

#endif
