/* SPDX-License-Identifier: MIT */
/*
 * A stream: one open response that carries events: those of a hub, as a follower of an outlet's
 * fan-out; or a program's own (private.h); or both.
 *
 * One that follows waits in its outlet's `joining` for the next step 3 (streams join at the
 * worker's cursor, and nowhere else) and gets its opening there.
 */
#ifndef CRIER_SERVER_STREAM_H
#define CRIER_SERVER_STREAM_H

#include "server/exchange.h"

struct crier_stream {
    struct crier_follower follower;
    struct crier_conn *conn;
    struct crier_list conn_node;
    struct crier_outlet *outlet; /* whose events it carries; NULL: none */
    struct crier_presence_entry *presence;
    struct crier_opening *opening; /* NULL once it has joined */
    struct crier_private *private; /* NULL: a mounted hub's */
    uint64_t expires_ms;           /* boot clock; 0: never */
    uint32_t heartbeat_ms;         /* 0: none */
    uint8_t form;                  /* enum crier_form */
    bool chunked;
    bool ending; /* the farewell is written */
    uint8_t why; /* enum crier_close, once it is to end */
};

/* What is only needed until the stream has joined. */
struct crier_opening {
    struct crier_list node; /* in its outlet's joining, or alone: it is left, or it `asks` */
    struct crier_wait wait; /* where it starts is not known yet */
    struct crier_news news; /* it can be asked once more */
    bool asks;
    struct crier_stream *stream;
    struct crier_subscription *subscription;
    struct crier_since since;
    struct crier_slice requested;    /* the last id as it was sent; bytes follow this struct */
    struct crier_exchange *exchange; /* its head is to be written; NULL: it is out */
    struct crier_start start;        /* once `located` */
    bool located;
    bool resume;    /* a last id was given */
    bool connected; /* tell crier:connected */
};

static inline struct crier_worker *crier_stream_worker(const struct crier_stream *s)
{
    return s->conn->worker;
}

static inline struct crier_dress crier_stream_dress(const struct crier_stream *s)
{
    return (struct crier_dress){(enum crier_form)s->form, s->chunked};
}

static inline const struct crier_mem *crier_stream_mem(const struct crier_stream *s)
{
    return s->conn->worker->server->mem;
}

/* Is `since` an id? Then it resumes, and is told gaps; but for 0-0, which is from the very
 * beginning and asks for no exactness. */
void crier_opening_resumes(struct crier_opening *);
/* A stream of the connection that carries nothing yet. NULL: out of memory. */
struct crier_stream *crier_stream_new(struct crier_conn *, struct crier_dress);
/* Puts it in its outlet's queue. Takes subscription, on success. wish->requested is copied. 0,
 * -ENOMEM. */
int crier_stream_follow_outlet(struct crier_stream *,
                               struct crier_outlet *,
                               const struct crier_opening *wish) CRIER_MUST_CHECK;
/* Makes it and puts it in the queue. Takes subscription and, in any case, the answering of the
 * exchange. requested is copied. */
void crier_stream_begin(struct crier_exchange *,
                        struct crier_subscription *,
                        const struct crier_opening *,
                        uint32_t heartbeat_ms);
/* Asks, once, where one in `joining` starts. 0; CRIER_WAIT: it waits, out of the queue; -ENOMEM
 * (join asks again); -EIO and the like. */
int crier_stream_locate(struct crier_stream *);
/* Step 3, for one in `joining`: true when it has left the queue. */
bool crier_stream_join(struct crier_stream *);
struct crier_stream_head {
    unsigned status;
    struct crier_dress dress;
    const struct crier_start *start; /* NULL: it follows nothing */
    bool resume;
    struct crier_slice headers; /* further header lines, which may replace two of ours: */
    bool own_cache_control, own_buffering;
};
void crier_stream_write_head(struct crier_exchange *, const struct crier_stream_head *);
void crier_stream_writable(
    struct crier_stream *); /* the socket has taken bytes of the connection's out */
void crier_stream_tick(struct crier_stream *); /* its timer: heartbeat or stall */
/* Farewell and end: as soon as it has got everything; hurry: as soon as nothing is half sent.
 * To be called again until then. */
void crier_stream_end(struct crier_stream *, enum crier_close why, bool hurry);
void crier_stream_free(struct crier_stream *);
/* Is it on the wire in whole events, with nothing of the connection unsent? */
bool crier_stream_between(const struct crier_stream *);

/* The fan-out's sink. ctx is the worker. */
size_t crier_stream_take(void *ctx, struct crier_follower *, const char *bytes, size_t len);
void crier_stream_gap(void *ctx, struct crier_follower *);
void crier_stream_broken(void *ctx, struct crier_follower *);

#endif
