/* SPDX-License-Identifier: MIT */
/*
 * Intact after a power cut, though not every commit is synced (--sync interval).
 *
 * LMDB never overwrites a page that its newest meta page, or a reader, can see; but without a
 * sync for each commit, pages and meta pages reach the disk in any order, and after a power cut
 * the newest meta page may speak of pages that never arrived. So, at each sync,
 *
 *     sync the file ─▶ copy its two meta pages into DIR/synced, sync that ─▶ move the anchor
 *
 * where the anchor is a reader that stands at the last synced state and keeps LMDB from using
 * its pages again. When the system has been booted since, the file is put back to that state,
 * by its meta pages, before it is opened: what came after the last sync is lost, and nothing
 * else.
 *
 * A store that is closed in order is synced, and has no DIR/synced.
 *
 * DIR/synced has two slots, written in turn, each with a checksum: one of them is always whole.
 */
#ifndef CRIER_DURABLE_ANCHOR_H
#define CRIER_DURABLE_ANCHOR_H

#include "base/buf.h"
#include <lmdb.h>

struct crier_anchor {
    int fd;       /* DIR/synced; -1: there is none */
    uint64_t seq; /* of the slot written last */
    MDB_txn *txn;
};

/* Before the file in `dir` is opened for writing: puts it back to its last synced state if the
 * system has been booted since. *ret_restored: it was. No DIR/synced, or nothing to do: 0. */
int crier_anchor_restore(const char *dir, bool *ret_restored) CRIER_MUST_CHECK;
/* Would that put it back? 1: it would; 0; <0: that cannot be looked at. */
int crier_anchor_is_needed(const char *dir) CRIER_MUST_CHECK;
/* DIR/synced is of no more use: every commit is synced from now on, or none is. */
int crier_anchor_remove(const char *dir) CRIER_MUST_CHECK;
/* After the file is opened. */
int crier_anchor_open(struct crier_anchor *anchor, const char *dir) CRIER_MUST_CHECK;
void crier_anchor_close(struct crier_anchor *anchor);
/* Syncs, and moves the anchor. By the one thread that commits, between two commits. */
int crier_anchor_move(struct crier_anchor *anchor, MDB_env *env) CRIER_MUST_CHECK;

#endif
