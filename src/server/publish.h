/* SPDX-License-Identifier: MIT */
/* POST, PUT and DELETE on events. */
#ifndef CRIER_SERVER_PUBLISH_H
#define CRIER_SERVER_PUBLISH_H

#include "server/exchange.h"

/* Is it a batch whose lines may each name a topic, whatever the path says? */
bool crier_publish_names_topics(const struct crier_http_request *);
/* Is it a batch at all? */
bool crier_publish_is_batch(const struct crier_http_request *);
/* A POST or PUT was admitted: reads what its head says, or has refused it. */
void crier_publish_begin(struct crier_exchange *);
void crier_publish_body(struct crier_exchange *, struct crier_slice);
void crier_publish_end(struct crier_exchange *);
/* From the publisher: this one of it was appended, or was not. Frees the exchange, but for a
 * batch's. */
void crier_publish_done(struct crier_exchange *, const struct crier_draft *);
/* What the journal sets when one of its drafts has failed; lives as long as the exchange. */
_Atomic bool *crier_publish_flag(const struct crier_exchange *);
/* A batch of which nothing more is to be appended. */
bool crier_publish_failed(const struct crier_exchange *);
/* Some of it came back: a batch of which something could not be appended ends here. */
void crier_publish_check(struct crier_exchange *);
/* The server drains: an open-ended one ends here. */
void crier_publish_drain(struct crier_exchange *);
/* The body cannot come to its end. */
void crier_publish_abort(struct crier_exchange *, enum crier_problem, const char *detail);
void crier_forget(struct crier_exchange *); /* DELETE */

#endif
