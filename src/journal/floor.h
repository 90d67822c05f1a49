/* SPDX-License-Identifier: MIT */
/* The floor table: the newest event each topic, and each prefix of topics, has lost. Under the
 * journal's mutex, but for `losses`. */
#ifndef CRIER_JOURNAL_FLOOR_H
#define CRIER_JOURNAL_FLOOR_H

#include "base/list.h"
#include "base/map.h"
#include "journal/journal.h"

struct crier_loss {
    uint64_t number;    /* the newest event lost; 0: none */
    struct crier_id id; /* its id */
    uint64_t serial;    /* which loss raised it last: 1, 2, 3, ... */
};

struct crier_floors {
    const struct crier_mem *mem;
    const struct crier_hash_key *key;
    struct crier_map map;
    struct crier_list order; /* least lately raised first */
    size_t max;
    struct crier_loss root;  /* of everything: the prefix "" */
    struct crier_loss lost;  /* of all that have no entry any more */
    _Atomic uint64_t losses; /* counted; stored before the event is marked as gone */
    uint64_t dropped;        /* entries that had to make room: `lost` was raised */
};

void crier_floors_init(struct crier_floors *floors,
                       const struct crier_mem *mem,
                       const struct crier_hash_key *key,
                       size_t max);
void crier_floors_deinit(struct crier_floors *floors);
/* The topic has lost that event. Cannot fail: without memory the hub-wide floor takes it. */
void crier_floors_raise(struct crier_floors *floors,
                        uint64_t hash,
                        struct crier_slice topic,
                        uint64_t number,
                        struct crier_id id);
/* May the filter have lost an event after this position, or after this id? Losses up to the
 * `known`-th do not count. */
bool crier_floors_after(const struct crier_floors *floors,
                        const struct crier_filter *filter,
                        uint64_t position,
                        uint64_t known);
bool crier_floors_after_id(const struct crier_floors *floors,
                           const struct crier_filter *filter,
                           struct crier_id id);
void crier_floors_check(const struct crier_floors *floors, uint64_t end);

#endif
