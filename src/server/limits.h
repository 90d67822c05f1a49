/* SPDX-License-Identifier: MIT */
/* How many connections there are, in all and by address (IPv6: by /64). Shared by the workers;
 * any thread. */
#ifndef CRIER_SERVER_LIMITS_H
#define CRIER_SERVER_LIMITS_H

#include "base/hash.h"
#include "base/map.h"
#include "net/address.h"

struct crier_limits;

enum { CRIER_LIMIT_ADDRESS = 1, CRIER_LIMIT_ALL = 2 };

struct crier_limit_ticket { /* what one connection holds; zeroed: nothing */
    void *address;
    bool counted;
};

int crier_limits_new(const struct crier_mem *,
                     const struct crier_hash_key *,
                     uint64_t max_all,
                     uint64_t max_per_address,
                     struct crier_limits **ret) CRIER_MUST_CHECK;
struct crier_limits *crier_limits_free(struct crier_limits *);
/* Counts one more. The count stays also when it is over a limit (CRIER_LIMIT_...: refuse it,
 * kindly, then leave), so that refusals in progress are bounded too: 1,000 beyond either of
 * them it is CRIER_LIMIT_ALL with nothing counted (ticket->counted is false): close at once.
 * -ENOMEM. */
int crier_limits_enter(struct crier_limits *,
                       const struct crier_ip *,
                       struct crier_limit_ticket *) CRIER_MUST_CHECK;
/* The connection turned out to be someone else's (a trusted proxy's header): counts it there.
 * Same outcomes. */
int crier_limits_move(struct crier_limits *,
                      const struct crier_ip *,
                      struct crier_limit_ticket *) CRIER_MUST_CHECK;
void crier_limits_leave(struct crier_limits *, struct crier_limit_ticket *);
/* true the first time it is asked for this address while it stays over its limit: one warning
 * for each, not one a refusal. */
bool crier_limits_warn_once(struct crier_limits *, const struct crier_limit_ticket *);
uint64_t crier_limits_count(struct crier_limits *);

#endif
