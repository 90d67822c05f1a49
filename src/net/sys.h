/* SPDX-License-Identifier: MIT */
/* The system's clock and randomness, as they are handed into the pure layers. */
#ifndef CRIER_NET_SYS_H
#define CRIER_NET_SYS_H

#include "base/clock.h"
#include "base/err.h"

struct crier_now crier_sys_now(void);
/* The same, for who is given a clock and was given none. */
extern const struct crier_clock crier_sys_clock;
int crier_sys_random(void *bytes, size_t len) CRIER_MUST_CHECK; /* getrandom; 0 or -errno */

#endif
