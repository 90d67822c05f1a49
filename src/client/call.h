/* SPDX-License-Identifier: MIT */
/*
 * One HTTP/1.1 request and its answer, over a connection of their own, without blocking: what
 * the source and the publisher share. The request may still grow while the answer is read.
 *
 *     crier_call_start(&call, &url)             connecting
 *     crier_call_request(&call, "GET", &url)    and more bytes to call.out, now or later
 *     loop: crier_call_io(&call, now)           connects, sends, receives once
 *           while (crier_call_next(&call, &item) == 0) use(item)
 *           poll crier_call_fd(), crier_call_events()
 */
#ifndef CRIER_CLIENT_CALL_H
#define CRIER_CLIENT_CALL_H

#include "client/dial.h"
#include "client/reply.h"

enum { CRIER_CALL_MORE = 1 };

struct crier_call {
    const struct crier_mem *mem;
    struct crier_dial dial;
    bool dialing;
    int fd; /* -1: not connected */
    struct crier_buf out;
    size_t sent;              /* of out */
    bool deaf;                /* the peer takes no more bytes; its answer may still come */
    char *in;                 /* what was received last */
    struct crier_slice input; /* of it, what is not used up */
    bool eof;
    struct crier_reply_reader *reader;
    uint64_t life_ms; /* when the last byte came, or the connection was made */
    bool reached;     /* was there a connection? */
    char fault[256];  /* after < 0: a sentence's end, as in "cannot reach ...: connection
                         refused" */
};

int crier_call_init(struct crier_call *call,
                    const struct crier_mem *mem) CRIER_MUST_CHECK; /* 0, -ENOMEM */
void crier_call_deinit(struct crier_call *call);
void crier_call_close(struct crier_call *call); /* ends what is under way; start may follow */
/* Looks up and begins to connect. 0; < 0: fault. */
int crier_call_start(struct crier_call *call,
                     const struct crier_url *url,
                     uint64_t connect_ms) CRIER_MUST_CHECK;
/* Appends request line, Host and User-Agent to out; the caller adds headers and the blank line.
 */
void crier_call_request(struct crier_call *call,
                        const char *method,
                        const struct crier_url *url);
void crier_call_header(struct crier_call *call,
                       const char *name,
                       struct crier_slice value); /* no CR, LF, NUL */
/* Authorization: Bearer with that token, which may be empty: nothing then. */
void crier_call_bearer(struct crier_call *call, struct crier_slice token);
/* 0; < 0: fault. Receives at most once, and only when everything received before is used up. */
int crier_call_io(struct crier_call *call, uint64_t now_ms) CRIER_MUST_CHECK;
/* 0: *ret_item, borrowed until the next io. CRIER_CALL_MORE: io again when poll says so. < 0:
 * fault (also when the peer ended before the answer did). */
int crier_call_next(struct crier_call *call,
                    struct crier_reply_item *ret_item) CRIER_MUST_CHECK;
int crier_call_fd(const struct crier_call *call);       /* -1: none */
short crier_call_events(const struct crier_call *call); /* for poll(2) */
size_t crier_call_unsent(const struct crier_call *call);

#endif
