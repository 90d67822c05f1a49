/* SPDX-License-Identifier: MIT */
/* What the hub's tests share: a journal to hash with, subscriptions from words, random topics.
 */
#ifndef CRIER_TESTS_UNIT_HUB_SUPPORT_H
#define CRIER_TESTS_UNIT_HUB_SUPPORT_H

#include "base/rng.h"
#include "hub/subscription.h"
#include "hub/topic.h"
#include "support.h"

static const struct crier_hash_key test_key = {UINT64_C(0x0706050403020100),
                                               UINT64_C(0x0f0e0d0c0b0a0908)};

/* Enough of a journal where only its hash key is looked at. */
static inline struct crier_journal test_key_journal(void)
{
    return (struct crier_journal){.mem = &crier_mem_libc, .hash_key = test_key};
}

/* "a b/ * c" (words apart by one space) becomes slices; returns how many. */
static inline size_t test_words(const char *words, struct crier_slice *out, size_t max)
{
    struct crier_slice rest = crier_slice_of(words);
    size_t count = 0;

    while (rest.len > 0) {
        assert_true(count < max);
        out[count++] = crier_slice_cut(&rest, ' ');
    }
    return count;
}

/* A random valid selector over a small alphabet, so that things meet. topic: no wildcards. */
static inline struct crier_slice test_random_path(struct crier_rng *rng, bool topic, char *text)
{
    static const char *const names[] = {"a", "b", "c", "ab"};
    size_t segments = (size_t)crier_rng_between(rng, 1, 4), len = 0;

    for (size_t i = 0; i < segments; i++) {
        uint64_t dice = crier_rng_between(rng, 0, 7);
        const char *name = names[crier_rng_between(rng, 0, 3)];
        if (!topic && dice == 0)
            name = "*";
        if (!topic && dice == 1 && i + 1 == segments)
            name = "**";
        if (i > 0)
            text[len++] = '/';
        memcpy(text + len, name, strlen(name));
        len += strlen(name);
    }
    return (struct crier_slice){text, len};
}

#endif
