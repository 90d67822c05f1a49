/* SPDX-License-Identifier: MIT */
/*
 * One publish request: a body of known length, or one that is written in pieces while it comes.
 * Nothing blocks; the caller polls.
 *
 *     crier_post_start(&p, &request); crier_post_add(&p, bytes) ...; crier_post_end(&p);
 *     while ((r = crier_post_step(&p, now)) == 0) poll(...)
 *     CRIER_POST_ANSWERED: p.status, p.type, p.body.   < 0: crier_post_fault(&p)
 *
 * Never repeated by itself: whether a publish whose answer was lost took place is for the
 * caller to judge.
 */
#ifndef CRIER_CLIENT_POST_H
#define CRIER_CLIENT_POST_H

#include "client/call.h"

enum { CRIER_POST_ANSWERED = 1 };

struct crier_post_request {
    struct crier_access *access; /* borrowed until it is answered, as the URL's text is */
    struct crier_url url;
    struct crier_slice content_type;
    struct crier_slice token; /* empty: none */
    struct crier_slice key;   /* Idempotency-Key; empty: none */
    bool has_length;          /* the whole body is added at once and is `length` bytes */
    uint64_t length;
};

struct crier_post {
    struct crier_call call;
    bool open, chunked, ended;
    size_t unsent;        /* at the last step: whether it moves */
    uint64_t progress_ms; /* when a byte last went */
    unsigned status;
    bool early;                  /* the answer came before the whole body had left */
    uint64_t answered_ms;        /* when its head came */
    struct crier_buf type, body; /* of the answer; the body cut to 64 KiB */
};

int crier_post_init(struct crier_post *p, const struct crier_mem *mem) CRIER_MUST_CHECK;
void crier_post_deinit(struct crier_post *p);
/* Begins a request; one before it is forgotten. 0, or < 0: fault. */
int crier_post_start(struct crier_post *p,
                     const struct crier_post_request *request,
                     uint64_t now_ms) CRIER_MUST_CHECK;
void crier_post_add(struct crier_post *p,
                    struct crier_slice bytes); /* copies; one chunk each */
void crier_post_end(struct crier_post *p);     /* the body is complete */
int crier_post_step(struct crier_post *p, uint64_t now_ms) CRIER_MUST_CHECK;
int crier_post_fd(const struct crier_post *p);
short crier_post_events(const struct crier_post *p);
int crier_post_timeout(const struct crier_post *p, uint64_t now_ms);
/* After < 0: why, a sentence's end, as in "cannot reach ...: connection refused". */
const char *crier_post_fault(const struct crier_post *p);
bool crier_post_reached(const struct crier_post *p);  /* was there a connection? */
size_t crier_post_unsent(const struct crier_post *p); /* bytes that wait to be sent */

#endif
