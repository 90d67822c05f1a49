/* SPDX-License-Identifier: MIT */
/* GET and HEAD on events. */
#ifndef CRIER_SERVER_FOLLOW_H
#define CRIER_SERVER_FOLLOW_H

#include "server/exchange.h"

void crier_follow(struct crier_exchange *);
/* history.c: the same as one JSON array. Takes the subscription. */
void crier_history(struct crier_exchange *,
                   struct crier_subscription *,
                   const struct crier_since *);

#endif
