/* SPDX-License-Identifier: MIT */
/*
 * A connection: a socket, the requests that come over it, the answers that go back. With HTTP/1
 * one request is read at a time and a stream is the last thing a connection carries; the
 * structure does not assume it (`streams` is a list), since HTTP/2 connections will carry many.
 *
 *                      head, body              answered, Connection: close
 *   accept ──▶ READING ──────────▶ READING ───────────────────▶ CLOSING ──(all sent)──▶ freed
 *                 │  ▲  answered, kept │                            │ unread input
 *                 │  └─────────────────┘                            ▼
 *                 │ a stream begins LINGERING ──(end, or time is up)──▶ freed ▼
 *             STREAMING ──(finished)──▶ CLOSING
 *
 * A connection is freed only between the steps of a tick: crier_conn_doom puts it on the
 * worker's list. One with publishes on their way is closed then, and its memory stays until
 * they are back.
 */
#ifndef CRIER_SERVER_CONN_H
#define CRIER_SERVER_CONN_H

#include "server/worker.h"

enum crier_conn_state {
    CRIER_CONN_READING = 0,
    CRIER_CONN_STREAMING = 1,
    CRIER_CONN_CLOSING = 2,
    CRIER_CONN_LINGERING = 3,
    CRIER_CONN_DOOMED = 4,
};

/* Why a connection ended. */
enum crier_conn_end {
    CRIER_END_NONE = 0,   /* it has not, or only lingers */
    CRIER_END_CLOSED = 1, /* all was said */
    CRIER_END_PEER = 2,   /* the peer closed it */
    CRIER_END_LOST = 3,   /* a send or a receive failed */
    CRIER_END_STALLED = 4,
    CRIER_END_LAGGED = 5, /* history lost an event that was half sent */
    CRIER_END_MEMORY = 6,
    CRIER_END_SERVER = 7, /* the server ends, and time is up */
    CRIER_END_FAILED = 8, /* a program's stream said so */
    CRIER_END_UNREAD = 9, /* the journal cannot be read */
};

struct crier_conn {
    struct crier_list node;       /* in the worker's conns; doomed: in its doomed */
    struct crier_list ready_node; /* in the worker's ready, or alone */
    struct crier_list streams;
    struct crier_worker *worker;
    struct crier_http_reader *reader; /* NULL while it streams */
    struct crier_exchange *exchange;  /* the request being read; NULL between requests */
    struct crier_timer timer;
    struct crier_buf in;  /* input that was received and not yet looked at */
    struct crier_buf out; /* output before out_at is sent */
    size_t out_at;
    uint64_t since_ms;    /* when the state (or the request's head) began */
    uint64_t progress_ms; /* when bytes last came (reading) or went (writing) */
    size_t page_bytes;    /* of history in out; counted in the worker's */
    uint32_t waiting;     /* publishes that are gathered or with the journal */
    uint32_t tick_bytes;  /* read in the worker's tick `tick` */
    uint32_t tick;
    struct crier_limit_ticket ticket;
    struct crier_visitor visitor;
    uint16_t peer_port;
    uint16_t publishes_to; /* waiting: the outlet's index */
    int fd;                /* -1: closed; it only stays for publishes that are on their way */
    uint8_t state;         /* enum crier_conn_state */
    uint8_t end;           /* enum crier_conn_end, once it is doomed */
    uint8_t over;          /* CRIER_LIMIT_...: it is only here to be told so */
    uint8_t refusal;  /* enum crier_problem: what its reader found, to be said in its turn */
    bool readable;    /* the socket may have bytes (edge-triggered: until EAGAIN) */
    bool ended;       /* the peer sends no more */
    bool blocked;     /* the socket took less than it was given */
    bool close_after; /* no further request is read */
    bool first_done;  /* a request was answered: waiting for another is idling */
    bool stopped;     /* parsing was paused: the reader may have more without further input */
    bool leaving;     /* the peer ended its side, or all (RDHUP, HUP): a stream ends then */
    bool dirty;       /* input was left unread when it was closed: linger */
    bool landed;      /* publishes came back: what waited for them may go on */
};

void crier_conn_open(struct crier_worker *,
                     int fd,
                     const struct crier_address *peer,
                     bool loopback);
void crier_conn_ready(struct crier_conn *, unsigned ready); /* enum crier_ready */
void crier_conn_work(struct crier_conn *);                  /* goes on with input and output */
void crier_conn_timeout(struct crier_conn *);
void crier_conn_drain(struct crier_conn *); /* the server ends: what is idle goes */
void crier_conn_doom(struct crier_conn *, enum crier_conn_end); /* idempotent */
void crier_conn_free(struct crier_conn *); /* the worker, for what is doomed */

/* Does it hold the end up? One that has not said anything does so for a moment only. */
bool crier_conn_has_business(const struct crier_conn *);

/* For those who write on it. */
void crier_conn_flush(struct crier_conn *);      /* sends what it can of out */
bool crier_conn_sent(const struct crier_conn *); /* is out empty? */
void crier_conn_streaming(
    struct crier_conn *);                     /* READING -> STREAMING: request state is freed */
void crier_conn_finish(struct crier_conn *);  /* all was written: close when it is sent */
void crier_conn_arm(struct crier_conn *);     /* sets the timer for the state it is in */
void crier_conn_enqueue(struct crier_conn *); /* to be worked on in the next tick */
/* Some of its publishes came back and are answered. Frees one that was kept for them only. */
void crier_conn_landed(struct crier_conn *);

#endif
