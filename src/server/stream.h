/* SPDX-License-Identifier: MIT */
/*
 * A stream: one open response that carries events. It begins when its request is understood,
 * waits in the worker's `joining` for the next step 3 (streams join at the worker's cursor, and
 * nowhere else), gets its head and opening, and from then on is a follower of the fan-out.
 */
#ifndef CRIER_SERVER_STREAM_H
#define CRIER_SERVER_STREAM_H

#include "server/exchange.h"

struct crier_stream {
    struct crier_follower follower;
    struct crier_conn *conn;
    struct crier_list conn_node;
    struct crier_list join_node; /* in the worker's joining, or alone */
    struct crier_presence_entry *presence;
    struct crier_opening *opening; /* NULL once it has joined */
    uint32_t heartbeat_ms;
    bool ending; /* the farewell is written */
};

/* What is only needed until the stream has joined. */
struct crier_opening {
    struct crier_subscription *subscription;
    struct crier_since since;
    struct crier_slice requested;    /* the last id as it was sent; bytes follow this struct */
    struct crier_exchange *exchange; /* its head is to be written */
    struct crier_start start;        /* once `located` */
    bool located;
    bool resume;    /* a last id was given */
    bool connected; /* tell crier:connected */
};

/* Makes it and puts it in the queue. Takes subscription and, in any case, the answering of the
 * exchange. requested is copied. */
void crier_stream_open(struct crier_exchange *,
                       struct crier_subscription *,
                       const struct crier_opening *,
                       uint32_t heartbeat_ms);
/* Step 3, for one in `joining`: true when it has left the queue. */
bool crier_stream_join(struct crier_stream *);
/* Writes the head of a stream. start: where it begins. */
void crier_stream_head(struct crier_exchange *,
                       const struct crier_dress *,
                       const struct crier_start *,
                       bool resume);
void crier_stream_writable(
    struct crier_stream *); /* the connection's out is empty and the socket takes bytes */
void crier_stream_tick(struct crier_stream *); /* its timer: heartbeat or stall */
/* Farewell and end: as soon as it has got everything; hurry: as soon as nothing is half
 * sent. */
void crier_stream_finish(struct crier_stream *, bool hurry);
void crier_stream_free(struct crier_stream *);

/* The fan-out's sink. ctx is the worker. */
size_t crier_stream_send(void *ctx, struct crier_follower *, const char *bytes, size_t len);
void crier_stream_gap(void *ctx, struct crier_follower *);
void crier_stream_broken(void *ctx, struct crier_follower *);

#endif
