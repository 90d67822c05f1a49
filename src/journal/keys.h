/* SPDX-License-Identifier: MIT */
/* Idempotency keys: which (topic, key) was published lately, and as which event. Under the
 * journal's mutex. */
#ifndef CRIER_JOURNAL_KEYS_H
#define CRIER_JOURNAL_KEYS_H

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "event/id.h"

struct crier_key {
    struct crier_map_node node;
    struct crier_list order;
    uint64_t number, boot_ms;
    struct crier_id id;
    uint32_t topic_len, key_len;
    char text[]; /* the topic, then the key */
};

struct crier_keys {
    const struct crier_mem *mem;
    const struct crier_hash_key *hash_key;
    struct crier_map map;
    struct crier_list order; /* oldest first */
    size_t max;
    uint64_t dropped; /* pushed out by newer ones */
    uint64_t expired; /* too old */
};

void crier_keys_init(struct crier_keys *keys,
                     const struct crier_mem *mem,
                     const struct crier_hash_key *hash_key,
                     size_t max);
void crier_keys_deinit(struct crier_keys *keys);
struct crier_key *crier_keys_find(const struct crier_keys *keys,
                                  struct crier_slice topic,
                                  struct crier_slice key);
/* Makes an entry that is not in the table yet; crier_keys_add takes it, crier_keys_cancel frees
 * it (NULL is fine). -ENOMEM. */
int crier_keys_prepare(struct crier_keys *keys,
                       struct crier_slice topic,
                       struct crier_slice key,
                       struct crier_key **ret_key) CRIER_MUST_CHECK;
void crier_keys_cancel(struct crier_keys *keys, struct crier_key *key);
/* The oldest leaves if there are too many. Returns the hash an event remembers (never 0). */
uint64_t crier_keys_add(struct crier_keys *keys,
                        struct crier_key *key,
                        uint64_t number,
                        struct crier_id id,
                        uint64_t boot_ms);
/* The event has left history. */
void crier_keys_remove(struct crier_keys *keys, uint64_t hash, uint64_t number);
void crier_keys_expire(struct crier_keys *keys, uint64_t boot_ms, uint64_t age_ms);
void crier_keys_check(const struct crier_keys *keys);

#endif
