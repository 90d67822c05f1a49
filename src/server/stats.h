/* SPDX-License-Identifier: MIT */
/*
 * Counters. Each worker writes its own, without a lock; whoever answers /-/stats adds them up.
 * The lists are X-macros, so that a counter cannot be counted and not shown.
 */
#ifndef CRIER_SERVER_STATS_H
#define CRIER_SERVER_STATS_H

#include "http/problem.h"
#include <stdatomic.h>

/* Only ever grow. */
#define CRIER_COUNTERS(X)                                                                      \
    X(accepted) /* connections */                                                              \
    X(requests)                                                                                \
    X(published)  /* events taken from clients */                                              \
    X(duplicates) /* publishes whose key was known */                                          \
    X(streams_opened)                                                                          \
    X(streams_closed)                                                                          \
    X(delivered) /* events handed to streams completely */                                     \
    X(delivered_bytes)                                                                         \
    X(replayed) /* of these, read from history by the stream itself */                         \
    X(gaps)     /* told: at the start of a stream, or in its middle */                         \
    X(sends)    /* system calls for events */                                                  \
    X(heartbeats)                                                                              \
    X(sent) /* events of programs, queued on their streams */                                  \
    X(sent_bytes)                                                                              \
    X(full)    /* of these, refused: the stream's queue was full */                            \
    X(expired) /* streams ended because they were too old */                                   \
    X(over_address_limit)                                                                      \
    X(over_connection_limit)                                                                   \
    X(accept_failed) /* no descriptor or memory for a connection: accepting paused */          \
    X(head_timeouts)                                                                           \
    X(body_timeouts)                                                                           \
    X(idle_timeouts)                                                                           \
    X(stalled)         /* closed: the peer took nothing for too long */                        \
    X(broken)          /* closed: history lost an event the stream had half sent */            \
    X(unreadable)      /* closed: the journal's disk could not be read */                      \
    X(throttled)       /* a publisher was not read for a while: workers were behind */         \
    X(windows_dropped) /* streams behind were sent back to history */                          \
    X(pins_refused)    /* the rest of a cut event was too much to keep: it is read again */    \
    X(pages_cut)       /* history pages that ended at --max-page-size */

/* Now. */
#define CRIER_GAUGES(X)                                                                        \
    X(connections)                                                                             \
    X(streams)                                                                                 \
    X(behind)                                                                                  \
    X(lagging)                                                                                 \
    X(disk_waits) /* of these, those that wait for the disk */                                 \
    X(feeds)                                                                                   \
    X(window_bytes)                                                                            \
    X(pinned_bytes)

struct crier_worker_stats {
#define CRIER_STAT(name) _Atomic uint64_t name;
    CRIER_COUNTERS(CRIER_STAT)
    CRIER_GAUGES(CRIER_STAT)
#undef CRIER_STAT
    _Atomic uint64_t lag; /* of the stream that lags most, in events: the most counts */
    _Atomic uint64_t refused[CRIER_PROBLEM_COUNT];
};

static inline void crier_stat_add(_Atomic uint64_t *stat, uint64_t n)
{
    /* One writer: a plain add, published without a locked instruction. */
    atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void crier_stat_sub(_Atomic uint64_t *stat, uint64_t n)
{
    atomic_store_explicit(stat, atomic_load_explicit(stat, memory_order_relaxed) - n,
                          memory_order_relaxed);
}

static inline void crier_stat_set(_Atomic uint64_t *stat, uint64_t n)
{
    atomic_store_explicit(stat, n, memory_order_relaxed);
}

#endif
