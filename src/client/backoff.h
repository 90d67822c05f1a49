/* SPDX-License-Identifier: MIT */
/*
 * When to try again: full jitter over an exponential bound (so that a thousand clients whose
 * server restarts do not come back together). Pure: time and the random seed are given.
 *
 *     delay = Retry-After + uniform(0 .. min(first x 2^failures, max))
 */
#ifndef CRIER_CLIENT_BACKOFF_H
#define CRIER_CLIENT_BACKOFF_H

#include "base/rng.h"
#include <stdbool.h>

struct crier_backoff_options {
    uint64_t first_ms;   /* 0: 1,000 */
    uint64_t max_ms;     /* 0: 30,000 */
    uint64_t healthy_ms; /* a connection that held this long forgets the failures before it. 0:
                            60,000 */
};

enum {
    CRIER_BACKOFF_ASKED_MAX_MS = 24 * 3600 * 1000
}; /* no Retry-After and no `retry:` sends us away for longer */

struct crier_backoff {
    struct crier_backoff_options options;
    struct crier_rng rng;
    unsigned failures; /* in a row */
    bool up;
    uint64_t up_since_ms;
    uint64_t after_ms; /* the server's Retry-After, for the next delay only */
};

void crier_backoff_init(struct crier_backoff *,
                        const struct crier_backoff_options *,
                        uint64_t seed);
void crier_backoff_up(struct crier_backoff *, uint64_t now_ms); /* the stream is open */
void crier_backoff_retry(struct crier_backoff *,
                         uint64_t retry_ms); /* `retry:` replaces the first delay, for good */
void crier_backoff_after(struct crier_backoff *,
                         uint64_t after_ms); /* Retry-After: not sooner than this */
uint64_t crier_backoff_down(struct crier_backoff *,
                            uint64_t now_ms); /* it failed or ended: how long to wait */

#endif
