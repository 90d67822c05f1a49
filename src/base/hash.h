/* SPDX-License-Identifier: MIT */
/*
 * Keyed hash (SipHash-1-3, 64 bits). Topic names, addresses and keys are chosen by outsiders:
 * without the secret key they could be chosen to collide.
 */
#ifndef CRIER_BASE_HASH_H
#define CRIER_BASE_HASH_H

#include "base/slice.h"

struct crier_hash_key {
    uint64_t k0, k1;
};

uint64_t crier_hash(const struct crier_hash_key *key, struct crier_slice bytes);

#endif
