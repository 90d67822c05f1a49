/* SPDX-License-Identifier: MIT */
/* When commits are safe from a power cut, as text: "always", "interval" (every 100 ms),
 * "interval=250ms", "none". The command and the library read it alike. */
#ifndef CRIER_DURABLE_SYNC_H
#define CRIER_DURABLE_SYNC_H

#include "durable/store.h"

enum { CRIER_SYNC_MS = 100, CRIER_SYNC_MOST_MS = 3600 * 1000 };

/* NULL: *ret_sync and *ret_ms (CRIER_SYNC_INTERVAL: 1 .. CRIER_SYNC_MOST_MS, else 0) are what
 * it says. Otherwise a sentence for people (static text). */
const char *
crier_sync_parse(struct crier_slice text, enum crier_sync *ret_sync, uint64_t *ret_ms);

#endif
