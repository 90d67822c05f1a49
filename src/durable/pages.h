/* SPDX-License-Identifier: MIT */
/*
 * The pages of an LMDB file, looked at without LMDB: it has no checksums and trusts what it
 * reads, so a damaged tree may crash it. What passes here, it can read.
 */
#ifndef CRIER_DURABLE_PAGES_H
#define CRIER_DURABLE_PAGES_H

#include "base/err.h"
#include <stdint.h>

struct crier_mem;

/* Called for each fault, with a sentence. */
typedef void crier_pages_fn(void *ctx, const char *fault);

/* Reads every page of the snapshot that transaction `txn` left (0: the newest; no other process
 * may write then). 0; -EUCLEAN: faults were told; -ESTALE: that snapshot is not the newest or
 * the one before any more; -ENOENT, -ENOMEM, -EIO, ... */
int crier_pages_check(const struct crier_mem *mem,
                      const char *file,
                      uint64_t txn,
                      crier_pages_fn *fn,
                      void *ctx) CRIER_MUST_CHECK;
/* The same of the newest snapshot, but of large tables only the first two levels. */
int crier_pages_check_roots(const struct crier_mem *mem,
                            const char *file,
                            crier_pages_fn *fn,
                            void *ctx) CRIER_MUST_CHECK;

#endif
