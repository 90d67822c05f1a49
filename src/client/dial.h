/* SPDX-License-Identifier: MIT */
/* Connecting to a host by name, without blocking: it is looked up, and every address it has is
 * tried in turn. */
#ifndef CRIER_CLIENT_DIAL_H
#define CRIER_CLIENT_DIAL_H

#include "client/lookup.h"
#include <stdbool.h>

struct addrinfo;

enum { CRIER_DIAL_WAIT = 1 };
#define CRIER_DIAL_NO_LIMIT UINT64_MAX

struct crier_dial {
    struct crier_lookup lookup;
    bool looking;
    struct addrinfo *list, *next; /* all addresses, and the one to try next */
    int fd;                       /* -1: none under way */
    uint64_t timeout_ms, deadline_ms;
    int error;         /* of the address tried last, negative */
    const char *fault; /* of the look-up, static text; NULL: it did not fail */
};

void crier_dial_init(struct crier_dial *dial); /* allocates nothing */
void crier_dial_deinit(struct crier_dial *dial);
/* Begins to look the name up. 0; < 0: dial->fault. timeout_ms: for the look-up and for each
 * address, or CRIER_DIAL_NO_LIMIT. */
int crier_dial_start(struct crier_dial *dial,
                     struct crier_slice host,
                     uint16_t port,
                     uint64_t timeout_ms) CRIER_MUST_CHECK;
/* 0: *ret_fd is connected (taken by the caller). CRIER_DIAL_WAIT: until crier_dial_fd() is
 * ready or deadline_ms. < 0: dial->fault if there is no such host, else no address is left, and
 * it is the last one's errno. */
int crier_dial_step(struct crier_dial *dial, uint64_t now_ms, int *ret_fd) CRIER_MUST_CHECK;
int crier_dial_fd(const struct crier_dial *dial);
short crier_dial_events(const struct crier_dial *dial); /* for poll(2) */

/* A moment later; never before now. */
uint64_t crier_dial_deadline(uint64_t now_ms, uint64_t timeout_ms);

#endif
