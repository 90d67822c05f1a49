/* SPDX-License-Identifier: MIT */
/* What a client asks for: its request, as it goes to the URL it was given or to one that it was
 * redirected to. */
#ifndef CRIER_CLIENT_ASK_H
#define CRIER_CLIENT_ASK_H

#include "client/call.h"
#include "client/settings.h"

struct crier_hop {
    struct crier_url url;
    bool trusted; /* no other origin has come between: credentials go along */
    bool as_get;  /* a redirect has made a GET of it, without a body */
};

/* Where a redirect with that status leads the request (WHATWG Fetch, HTTP-redirect fetch). */
void crier_hop_redirect(struct crier_hop *hop,
                        const struct crier_settings *settings,
                        const struct crier_url *to,
                        unsigned status);
/* Appends the whole request to call->out, after crier_call_start. last_id empty: none. */
void crier_ask(struct crier_call *call,
               const struct crier_settings *settings,
               const struct crier_hop *hop,
               struct crier_slice last_id);

#endif
