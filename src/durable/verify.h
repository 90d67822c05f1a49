/* SPDX-License-Identifier: MIT */
/*
 * The verification from inside: verify.c (the frame, the events), entries.c (all tables that
 * point at them).
 */
#ifndef CRIER_DURABLE_VERIFY_H
#define CRIER_DURABLE_VERIFY_H

#include "durable/view.h"
#include "event/parse.h"

struct crier_verify {
    struct crier_store *store;
    struct crier_view *view;
    void (*fn)(void *ctx, const char *fault);
    void *ctx;
    uint64_t faults;
    bool pages_sound; /* what was told is not about pages */
    struct crier_parser parser;
    struct crier_buf text, event;
    /* What the events say: the other tables are compared with it. */
    uint64_t events, bytes;
    uint64_t entries; /* events, once for each topic they are held under */
    uint64_t deadlines, keys;
    struct crier_class classes[CRIER_CLASSES];
};

/* Tells a fault. Answers 0, so that the caller can go on. */
CRIER_PRINTF(2, 3) int crier_verify_tell(struct crier_verify *verify, const char *fmt, ...);
/* Walks a table; fn: 0, or <0, which ends it. */
int crier_verify_walk(struct crier_verify *verify,
                      int table,
                      int (*fn)(struct crier_verify *verify, MDB_val key, MDB_val value))
    CRIER_MUST_CHECK;
/* How many entries a table has. */
int crier_verify_count(struct crier_verify *verify,
                       int table,
                       uint64_t *ret_count) CRIER_MUST_CHECK;
/* entries.c */
int crier_verify_entries(struct crier_verify *verify) CRIER_MUST_CHECK;

#endif
