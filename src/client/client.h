/* SPDX-License-Identifier: MIT */
/* A client from the inside (crier/client.h is what programs see): shared by client.c, attempt.c
 * and down.c, and by nobody else. */
#ifndef CRIER_CLIENT_CLIENT_H
#define CRIER_CLIENT_CLIENT_H

#include "client/ask.h"
#include "event/parse.h"
#include "net/poller.h"
#include "net/wake.h"
#include <stdatomic.h>

/* client.c draws how they follow each other. */
enum crier_client_state {
    CRIER_CLIENT_WAITING = 0, /* nothing is open until due_ms */
    CRIER_CLIENT_ASKING,      /* connecting, or the head of the answer has not come */
    CRIER_CLIENT_STREAMING,   /* events come */
    CRIER_CLIENT_REFUSED,     /* the rest of a refusal is read for its words */
    CRIER_CLIENT_OVER,        /* for good: result */
};

struct crier_client {
    const struct crier_mem *mem;
    struct crier_settings settings;
    struct crier_access access;
    struct crier_backoff backoff;
    struct crier_parser parser;
    struct crier_call call;

    enum crier_client_state state;
    uint64_t due_ms;         /* WAITING: when to begin; REFUSED: when to stop listening */
    int result;              /* OVER: what step and run answer */
    atomic_bool stopped;     /* crier_client_stop was called */
    bool calling;            /* a callback is being called */
    struct crier_buf reason; /* ends in NUL; empty: nothing is wrong */

    /* What the descriptor for foreign loops looks at. */
    struct crier_poller poller;
    struct crier_wake wake;
    int watched; /* the call's descriptor; -1: none */
    short watched_events;

    /* This attempt, which begins at the URL that was given. */
    struct crier_url origin;
    struct crier_hop hop;
    struct crier_buf hop_text; /* what hop points into, once redirected */
    unsigned redirects;
    bool begun; /* the request has left, to this hop or one before it */
    unsigned status;
    const struct crier_reply *answer; /* inside on_open */

    /* REFUSED. */
    bool may_pass; /* it might be accepted later */
    uint64_t after_ms;
    struct crier_buf type, refusal;
};

/* attempt.c */
void crier_attempt_begin(struct crier_client *client, struct crier_now now);
/* Moves bytes, and does what they say. */
void crier_attempt_step(struct crier_client *client, struct crier_now now);
/* When there is something to do although nothing comes; UINT64_MAX: never. */
uint64_t crier_attempt_due(const struct crier_client *client);

/* down.c */
/* Why it is down, in words; then one of the two below. */
void crier_down_reason(struct crier_client *client, const char *fmt, ...) CRIER_PRINTF(2, 3);
/* It is down, and comes back if it may (retry) and the program does not say otherwise. */
void crier_down(struct crier_client *client,
                enum crier_down_kind kind,
                bool retry,
                struct crier_now now);
void crier_down_no_memory(struct crier_client *client, struct crier_now now);
/* It is over, and nothing more is told. */
void crier_down_over(struct crier_client *client, int result);

/* client.c */
/* Around each callback. After it the client may be over: the program has stopped it. */
void crier_client_call(struct crier_client *client);
void crier_client_called(struct crier_client *client);
bool crier_client_connected(const struct crier_client *client);

#endif
