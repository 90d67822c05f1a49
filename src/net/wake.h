/* SPDX-License-Identifier: MIT */
/* An eventfd others write to wake a loop. */
#ifndef CRIER_NET_WAKE_H
#define CRIER_NET_WAKE_H

#include "base/err.h"

struct crier_wake {
    int fd;
};

int crier_wake_init(struct crier_wake *) CRIER_MUST_CHECK;
void crier_wake_deinit(struct crier_wake *);
void crier_wake_signal(struct crier_wake *); /* any thread, async-signal-safe */
void crier_wake_drain(struct crier_wake *);  /* the owner, after it was readable */

#endif
