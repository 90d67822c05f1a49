/* SPDX-License-Identifier: MIT */
/*
 * A small fast generator for jitter and tests (splitmix64). Not for secrets; the seed is given.
 */
#ifndef CRIER_BASE_RNG_H
#define CRIER_BASE_RNG_H

#include <stdint.h>

struct crier_rng {
    uint64_t state;
};

uint64_t crier_rng_next(struct crier_rng *rng);
/* Uniform in low..high, both included. */
uint64_t crier_rng_between(struct crier_rng *rng, uint64_t low, uint64_t high);

#endif
