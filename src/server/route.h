/* SPDX-License-Identifier: MIT */
/* What becomes of a request: its head is routed and admitted, its body goes where it belongs,
 * its end is answered. For the connection. */
#ifndef CRIER_SERVER_ROUTE_H
#define CRIER_SERVER_ROUTE_H

#include "server/exchange.h"

/* A head is complete: sets conn->exchange, or has refused it. */
void crier_route_begin(struct crier_conn *, const struct crier_http_request *);
void crier_route_body(struct crier_exchange *, struct crier_slice);
/* The request is complete: answers now, or later (publishes). */
void crier_route_end(struct crier_exchange *);
/* It cannot come to its end (bad framing, a timeout): says what of it was published already. */
void crier_route_abort(struct crier_exchange *, enum crier_problem, const char *detail);

#endif
