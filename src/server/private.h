/* SPDX-License-Identifier: MIT */
/*
 * Private streams: those a program feeds (crier/server.h, "streams"). The private part of a
 * stream is its queue, its timers, what it pulls from, and whom to tell when it ends; a stream
 * of a mounted hub has none and costs nothing for it.
 *
 *   crier_stream_send ──▶ queue ──▶ (the head is out, no hub event is half sent) ──▶ conn->out
 *
 * Callbacks only queue. Bytes leave in the tick's end (crier_private_pump), so that what one
 * callback sends in a row leaves in one write, and nothing is closed under a callback's feet.
 */
#ifndef CRIER_SERVER_PRIVATE_H
#define CRIER_SERVER_PRIVATE_H

#include "server/stream.h"

struct crier_letter;

enum crier_alarm_kind { CRIER_ALARM_EVERY = 1, CRIER_ALARM_PULL = 2 };

struct crier_alarm {
    struct crier_appointment appointment;
    struct crier_list node; /* EVERY: in the private part's timers */
    struct crier_stream *stream;
    enum crier_alarm_kind kind;
    uint64_t every_ms;
    int (*fn)(struct crier_stream *stream, void *ctx);
    void *ctx;
};

struct crier_private {
    void (*on_close)(struct crier_stream *stream, enum crier_close why, void *ctx);
    void *ctx;
    struct crier_list touched_node; /* in the worker's touched, or alone */
    struct crier_buf queue;         /* framed */
    size_t queue_bytes;             /* with more unsent bytes, a send is refused */
    struct crier_list timers;
    int (*pull)(struct crier_stream *stream, void *ctx);
    void *pull_ctx;
    uint64_t pulls;                /* how often one was set: has it changed while it ran? */
    struct crier_alarm pull_alarm; /* set: it is not asked before */
    struct crier_ref ref;          /* generation 0: none was asked for */
    struct crier_buf last_id;      /* the request's */
    uint32_t retry_ms;             /* told at a stop; 0: none */
    bool opened;                   /* the head is out */
    bool dry;                      /* a HEAD: nothing is ever sent */
    bool finishing;                /* nothing more is taken */
    bool hurry;                    /* nor of the hub, but for an event that was begun */
    bool closed;                   /* on_close is being told */
    bool sent_any;                 /* while it is pulled: did it send something? */
};

/* What a call on the handle finds. 0: it is open; CRIER_GONE; CRIER_ENOMEM: NULL. */
int crier_private_check(const struct crier_stream *);
/* May bytes go to the connection? */
bool crier_private_can_send(const struct crier_stream *);
/* Queues encoded bytes, all or nothing, whether there is room or not. 0, CRIER_ENOMEM. */
int crier_private_enqueue(struct crier_stream *, struct crier_slice bytes);
/* Writes the head and lets the connection stream: its handler has returned. The exchange is
 * still the connection's. */
void crier_private_begin(struct crier_stream *, struct crier_exchange *);
/* It is to end: takes nothing more, asks nobody; what is queued is still sent. */
void crier_private_finish(struct crier_stream *, enum crier_close why);
/* Something can be done for it: the pump will look. */
void crier_private_touch(struct crier_stream *);
/* Moves what is queued to the connection, if no event of a hub is half sent. */
void crier_private_flush(struct crier_stream *);
/* Is everything that was taken, from other threads too, on its way out? */
bool crier_private_drained(const struct crier_stream *);
/* Tells other threads how much waits. */
void crier_private_tell(struct crier_stream *);
/* Frees the private part, and tells on_close. */
void crier_private_free(struct crier_stream *, enum crier_close why);
/* Asks for more while the peer takes it. true: it has more, and had its share of this tick. */
bool crier_private_pull(struct crier_stream *);
void crier_private_free_alarms(struct crier_stream *);
/* Something that another thread posted. */
void crier_private_deliver(struct crier_stream *, struct crier_letter *);

/* For the worker: timers that are due; then all that was touched. true: work is left. */
void crier_private_expire(struct crier_worker *);
bool crier_private_pump(struct crier_worker *);

#endif
