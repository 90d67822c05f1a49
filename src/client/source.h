/* SPDX-License-Identifier: MIT */
/*
 * An EventSource: follows one URL, comes back by itself, resumes after the last event id.
 * Nothing blocks but the look-up of a name; the caller polls.
 *
 *     while ((r = crier_source_step(source, now)) == 0)
 *         poll(crier_source_fd(source), crier_source_events(source),
 *              crier_source_timeout(source, now));
 *     CRIER_SOURCE_OVER: crier_source_reason(source) says why
 */
#ifndef CRIER_CLIENT_SOURCE_H
#define CRIER_CLIENT_SOURCE_H

#include "base/clock.h"
#include "client/backoff.h"
#include "client/url.h"
#include "event/parse.h"

struct crier_source;

enum crier_down_kind {
    CRIER_DOWN_UNREACHABLE = 1, /* no connection, or none that answered in HTTP */
    CRIER_DOWN_REFUSED,         /* an answer that says: later */
    CRIER_DOWN_ENDED,           /* the stream ended, cleanly or not */
};

struct crier_source_down {
    enum crier_down_kind kind;
    struct crier_slice reason; /* "connection refused", "503 Service Unavailable: ..." */
    uint64_t delay_ms;         /* until the next attempt */
};

/* Called from step, on its thread. What they are given is borrowed until they return. Nothing
 * of the source may be called from them. */
struct crier_source_handlers {
    void (*open)(void *ctx); /* the stream is there. May be NULL */
    bool (*event)(void *ctx,
                  const struct crier_item *event); /* false: enough, the source is over */
    void (*down)(void *ctx,
                 const struct crier_source_down *down); /* it will come back. May be NULL */
};

struct crier_source_options {
    struct crier_slice url;     /* copied */
    struct crier_slice token;   /* copied; sent as Authorization: Bearer to the URL's own origin
                                   only. Empty: none */
    struct crier_slice last_id; /* copied; where to resume. Empty: none */
    uint64_t connect_ms;        /* 0: 10,000, for each address */
    uint64_t idle_ms; /* 0: 45,000 without a byte and the connection is given up; comments are
                         bytes */
    size_t max_event_bytes; /* 0: 32 MiB; a larger one ends the source */
    struct crier_backoff_options backoff;
    uint64_t seed;                                /* of the jitter */
    const struct crier_source_handlers *handlers; /* borrowed for its life */
    void *ctx;
};

enum { CRIER_SOURCE_OVER = 1 };

/* 0; -EINVAL: the URL, see crier_url_parse; -ENOMEM. */
int crier_source_new(const struct crier_mem *mem,
                     const struct crier_source_options *options,
                     struct crier_source **ret) CRIER_MUST_CHECK;
struct crier_source *crier_source_free(struct crier_source *);
/* Does what can be done now. 0: poll, then again. CRIER_SOURCE_OVER, for good. */
int crier_source_step(struct crier_source *, struct crier_now now) CRIER_MUST_CHECK;
int crier_source_fd(const struct crier_source *);       /* -1: none, only wait */
short crier_source_events(const struct crier_source *); /* for poll(2) */
int crier_source_timeout(const struct crier_source *,
                         struct crier_now now); /* for poll(2): -1, or ms */
struct crier_slice crier_source_reason(
    const struct crier_source *); /* why it is over; empty: its handler said so */

#endif
