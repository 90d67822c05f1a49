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
    /* Only of a table that has an image on a disk: */
    bool imaged;
    struct crier_list changed; /* raised since the image was saved */
    uint64_t *left;            /* hashes of entries that made room since */
    size_t left_count, left_cap;
};

void crier_floors_init(struct crier_floors *floors,
                       const struct crier_mem *mem,
                       const struct crier_hash_key *key,
                       size_t max);
void crier_floors_deinit(struct crier_floors *floors);
/* Under which hash the floor of a prefix lies (a topic's lies under its own). */
uint64_t crier_floor_prefix(const struct crier_hash_key *key, struct crier_slice prefix);
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
/* An entry of the image, least lately raised first; then, once, what the image says of
 * everything and of all that have no entry. From then on changes are noted. */
int crier_floors_restore(struct crier_floors *floors,
                         uint64_t hash,
                         const struct crier_loss *loss);
void crier_floors_image(struct crier_floors *floors,
                        const struct crier_loss *root,
                        const struct crier_loss *lost);
/* What the image has to learn; loss NULL: the entry has left. */
int crier_floors_each_change(const struct crier_floors *floors,
                             int (*fn)(void *ctx, uint64_t hash, const struct crier_loss *loss),
                             void *ctx) CRIER_MUST_CHECK;
void crier_floors_saved(struct crier_floors *floors);
void crier_floors_check(const struct crier_floors *floors, uint64_t end);

#endif
