/* SPDX-License-Identifier: MIT */
/* What a client was told (struct crier_client_options), copied and checked. Pure. */
#ifndef CRIER_CLIENT_SETTINGS_H
#define CRIER_CLIENT_SETTINGS_H

#include "base/buf.h"
#include "client/backoff.h"
#include "crier/client.h"

#define CRIER_SETTINGS_NO_LIMIT UINT64_MAX

struct crier_settings_header {
    struct crier_slice name, value;
    bool secret; /* Authorization and Cookie always */
};

struct crier_settings {
    const struct crier_mem *mem;
    struct crier_client_options options; /* for the callbacks and ctx; its text is gone */
    struct crier_buf text;               /* of all the slices below, NULs between them */
    struct crier_slice url, method, body, content_type, bearer;
    struct crier_settings_header *headers;
    size_t header_count;
    bool may_repeat;                               /* the request may be sent more than once */
    uint64_t connect_ms, idle_ms, max_event_bytes; /* or CRIER_SETTINGS_NO_LIMIT */
    struct crier_backoff_options backoff;
    char fault[256]; /* what is not valid, as a sentence; "": nothing */
};

/* Options as this release knows them, from a program that may have been built with another:
 * what it does not know is 0. NULL: all defaults. */
struct crier_client_options crier_settings_read(const struct crier_client_options *options);
/* 0 (look at fault), -ENOMEM. */
int crier_settings_init(struct crier_settings *settings,
                        const struct crier_mem *mem,
                        const struct crier_client_options *options) CRIER_MUST_CHECK;
void crier_settings_deinit(struct crier_settings *settings);
/* Was a header of that name given? */
bool crier_settings_have(const struct crier_settings *settings, struct crier_slice name);

#endif
