/* SPDX-License-Identifier: MIT */
/*
 * The durable journal: what is published is on the disk before anybody sees it. One window of
 * memory (a crier_memory, backed by the store), one file (the store), and two threads between
 * them:
 *
 *     submit ──▶ parcels ──▶ WRITER: one transaction for all that wait ──▶ store
 *                               │ committed                                  │ views
 *                               ▼                                            ▼
 *     cursors, watches ◀── the window                       READER: slices, starts, topics
 *                               │                                            │
 *     scan, locate ◀────────────┴──── what memory has not ◀── slices ◀───────┘
 *
 * docs/architecture.md, "The durable journal".
 */
#ifndef CRIER_DURABLE_DURABLE_H
#define CRIER_DURABLE_DURABLE_H

#include "durable/store.h"
#include "journal/journal.h"

struct crier_durable_options {
    const char *dir;
    enum crier_sync sync;
    uint64_t sync_ms;                          /* CRIER_SYNC_INTERVAL: 0: 100 */
    uint64_t max_file_bytes;                   /* 0: CRIER_STORE_FILE_BYTES */
    const struct crier_rules *rules;           /* copied; NULL: none */
    const struct crier_journal_limits *limits; /* copied; 0 in it: default */
};

/* Opens the journal in a folder, makes it if there is none; starts its threads. Refusals as
 * crier_store_open's, told in `fault` (appended). hash_key and epoch are the store's when it is
 * not new: journal->hash_key says. Free it with crier_journal_free: what was submitted is
 * written first. */
int crier_durable_open(const struct crier_mem *mem,
                       const struct crier_hash_key *hash_key,
                       unsigned epoch,
                       const struct crier_durable_options *options,
                       struct crier_now now,
                       struct crier_journal **ret_journal,
                       struct crier_buf *fault) CRIER_MUST_CHECK;

#endif
