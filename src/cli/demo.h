/* SPDX-License-Identifier: MIT */
/* The built-in publisher of `crier serve --demo`: something to follow on a fresh hub. Pure,
 * driven by time. */
#ifndef CRIER_CLI_DEMO_H
#define CRIER_CLI_DEMO_H

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/slice.h"

struct crier_demo {
    struct crier_rng rng;
    uint64_t clock_due, price_due, progress_due; /* boot_ms */
    int64_t cents;                               /* the price */
    uint64_t job;
    unsigned percent; /* of the job */
};

/* The seed decides prices and paces. Allocates nothing; there is no deinit. */
void crier_demo_init(struct crier_demo *, uint64_t seed, struct crier_now now);

/* Publishes what is due through the callback (all slices are borrowed for the call; an empty
 * type is `message`) and returns the milliseconds until the next is due, at least 1. What was
 * due while nobody called is left out, not made up for. What the callback returns is passed
 * over: a demonstration that the journal refuses today is tried again with the next value. */
uint64_t crier_demo_step(struct crier_demo *,
                         struct crier_now now,
                         int (*publish)(void *ctx,
                                        struct crier_slice topic,
                                        struct crier_slice type,
                                        struct crier_slice data),
                         void *ctx);

#endif
