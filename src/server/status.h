/* SPDX-License-Identifier: MIT */
/* /-/health, /-/topics and /-/stats. */
#ifndef CRIER_SERVER_STATUS_H
#define CRIER_SERVER_STATUS_H

#include "server/exchange.h"

void crier_status_health(struct crier_exchange *);
void crier_status_topics(struct crier_exchange *);
void crier_status_topic(struct crier_exchange *);
void crier_status_stats(struct crier_exchange *);

#endif
