/* SPDX-License-Identifier: MIT */
/* POST, PUT and DELETE on events. */
#ifndef CRIER_SERVER_PUBLISH_H
#define CRIER_SERVER_PUBLISH_H

#include "server/exchange.h"

/* A POST or PUT was admitted: reads what its head says, or has refused it. */
/* Is it a batch whose lines may each name a topic, whatever the path says? */
bool crier_publish_names_topics(const struct crier_http_request *);
void crier_publish_begin(struct crier_exchange *);
void crier_publish_body(struct crier_exchange *, struct crier_slice);
void crier_publish_end(struct crier_exchange *);
/* From the publisher: this one of it was appended, or was not. */
void crier_publish_done(struct crier_exchange *, const struct crier_draft *);
/* The server drains: an open-ended one ends here. */
void crier_publish_drain(struct crier_exchange *);
/* The body cannot come to its end. */
void crier_publish_abort(struct crier_exchange *, enum crier_problem, const char *detail);
void crier_forget(struct crier_exchange *); /* DELETE */

#endif
