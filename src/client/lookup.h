/* SPDX-License-Identifier: MIT */
/*
 * Looking a name up without waiting for it: getaddrinfo blocks, for many seconds when a name
 * server is gone, so it runs on a thread of its own. IP addresses need neither.
 */
#ifndef CRIER_CLIENT_LOOKUP_H
#define CRIER_CLIENT_LOOKUP_H

#include "base/err.h"
#include "base/slice.h"

struct addrinfo;
struct crier_lookup_job;

enum { CRIER_LOOKUP_WAIT = 1 };

struct crier_lookup {
    struct crier_lookup_job *job; /* under way */
    struct addrinfo *list;        /* an address, known at once */
};

void crier_lookup_init(struct crier_lookup *lookup); /* allocates nothing */
/* A look-up that is under way is abandoned: this never waits. */
void crier_lookup_deinit(struct crier_lookup *lookup);
/* 0; < 0: *ret_fault says why (static text). */
int crier_lookup_start(struct crier_lookup *lookup,
                       struct crier_slice host,
                       uint16_t port,
                       const char **ret_fault) CRIER_MUST_CHECK;
/* 0: *ret_list, the caller's (freeaddrinfo). CRIER_LOOKUP_WAIT: until the descriptor is
 * readable. < 0: *ret_fault says why. */
int crier_lookup_take(struct crier_lookup *lookup,
                      struct addrinfo **ret_list,
                      const char **ret_fault) CRIER_MUST_CHECK;
int crier_lookup_fd(const struct crier_lookup *lookup); /* -1: nothing is under way */

#endif
