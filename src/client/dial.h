/* SPDX-License-Identifier: MIT */
/* Connecting to a host by name: every address it has is tried in turn, without blocking (the
 * look-up itself blocks). */
#ifndef CRIER_CLIENT_DIAL_H
#define CRIER_CLIENT_DIAL_H

#include "client/url.h"

struct addrinfo;

enum { CRIER_DIAL_WAIT = 1 };

struct crier_dial {
    struct addrinfo *list, *next; /* all addresses, and the one to try next */
    int fd;                       /* -1: none under way */
    uint64_t timeout_ms, deadline_ms;
    int error; /* of the address tried last, negative */
};

void crier_dial_init(struct crier_dial *dial); /* allocates nothing */
void crier_dial_deinit(struct crier_dial *dial);
/* Looks the name up. 0; -ENOENT and *ret_fault (static text): there is no such host; -ENOMEM.
 * timeout_ms: for each address. */
int crier_dial_start(struct crier_dial *dial,
                     const struct crier_url *url,
                     uint64_t timeout_ms,
                     const char **ret_fault) CRIER_MUST_CHECK;
/* 0: *ret_fd is connected (taken by the caller). CRIER_DIAL_WAIT: until dial->fd is writable or
 * deadline_ms. A negative errno when no address is left: the last one's. */
int crier_dial_step(struct crier_dial *dial, uint64_t now_ms, int *ret_fd) CRIER_MUST_CHECK;

#endif
