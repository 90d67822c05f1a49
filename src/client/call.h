/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1.1 request and its answer, over a connection of their own, without blocking: what
 * the client and the publisher share. The request may still grow while the answer is read.
 *
 *     crier_call_start(&call, &access, &url)    connecting
 *     crier_call_request(&call, "GET")          and more bytes to call.out, now or later
 *     loop: crier_call_io(&call, now)           connects, sends, receives once
 *           while (crier_call_next(&call, &item) == 0) use(item)
 *           poll crier_call_fd(), crier_call_events(), until crier_call_deadline()
 */
#ifndef CRIER_CLIENT_CALL_H
#define CRIER_CLIENT_CALL_H

#include "client/access.h"
#include "client/dial.h"
#include "client/reply.h"
#include "client/transport.h"
#include "client/tunnel.h"

enum { CRIER_CALL_MORE = 1 };

enum crier_call_phase {
    CRIER_CALL_CLOSED = 0,
    CRIER_CALL_DIALING,
    CRIER_CALL_TUNNELING, /* through a proxy */
    CRIER_CALL_SHAKING,   /* TLS hands */
    CRIER_CALL_OPEN,
};

struct crier_call {
    const struct crier_mem *mem;
    /* crier_call_fd() may be closed now: it must not be waited for any longer. NULL: nobody
     * keeps it. */
    void (*forget)(void *ctx);
    void *ctx;
    enum crier_call_phase phase;
    struct crier_access *access;
    struct crier_url url;            /* its text is the caller's */
    const struct crier_proxy *proxy; /* NULL: straight to the server */
    struct crier_tls *tls;           /* of an https URL */
    struct crier_dial dial;
    struct crier_transport transport;
    struct crier_tunnel tunnel;
    uint64_t deadline_ms; /* of tunnel and handshake */
    struct crier_buf out;
    size_t sent;              /* of out */
    bool deaf;                /* the peer takes no more bytes; its answer may still come */
    char *in;                 /* what was received last */
    struct crier_slice input; /* of it, what is not used up */
    bool eof;
    struct crier_reply_reader *reader;
    uint64_t life_ms;      /* when the last byte came or went, or the connection was made */
    uint64_t sent_ms;      /* the same, but for bytes that came */
    bool reached;          /* was there a connection to the server? */
    bool begun;            /* has any byte of the request left? */
    bool hopeless;         /* after < 0: it will not be better the next time */
    unsigned proxy_status; /* after < 0: the proxy's, which does not let us through; or 0 */
    char fault[384];       /* after < 0: a sentence's end, as in "cannot reach ...: connection
                              refused" */
};

int crier_call_init(struct crier_call *call,
                    const struct crier_mem *mem) CRIER_MUST_CHECK; /* 0, -ENOMEM */
void crier_call_deinit(struct crier_call *call);
void crier_call_close(struct crier_call *call); /* ends what is under way; start may follow */
/* Looks up and begins to connect. *Borrows* access, and url's text, until it is closed. 0; < 0:
 * fault. */
int crier_call_start(struct crier_call *call,
                     struct crier_access *access,
                     const struct crier_url *url) CRIER_MUST_CHECK;
/* Appends request line, Host and what a proxy needs to out; the caller adds headers and the
 * blank line. */
void crier_call_request(struct crier_call *call, const char *method);
void crier_call_header(struct crier_call *call,
                       const char *name,
                       struct crier_slice value); /* no CR, LF, NUL */
void crier_call_agent(struct crier_call *call);   /* User-Agent */
/* Authorization: Bearer with that token, which may be empty: nothing then. */
void crier_call_bearer(struct crier_call *call, struct crier_slice token);
/* 0; < 0: fault. Receives at most once, and only when everything received before is used up. */
int crier_call_io(struct crier_call *call, uint64_t now_ms) CRIER_MUST_CHECK;
/* 0: *ret_item, borrowed until the next io. CRIER_CALL_MORE: io again when poll says so. < 0:
 * fault (also when the peer ended before the answer did). */
int crier_call_next(struct crier_call *call,
                    struct crier_reply_item *ret_item) CRIER_MUST_CHECK;
bool crier_call_connecting(const struct crier_call *call);   /* or at the handshakes */
uint64_t crier_call_deadline(const struct crier_call *call); /* while it is connecting */
int crier_call_fd(const struct crier_call *call);            /* -1: none */
short crier_call_events(const struct crier_call *call);      /* for poll(2) */
bool crier_call_pending(const struct crier_call *call); /* io has something to do at once */
size_t crier_call_unsent(const struct crier_call *call);

#endif
