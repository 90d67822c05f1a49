/* SPDX-License-Identifier: MIT */
/* The live page, and what a problem means. */
#ifndef CRIER_SERVER_PAGES_H
#define CRIER_SERVER_PAGES_H

#include "server/exchange.h"

void crier_page_live(struct crier_exchange *);
void crier_page_problem(struct crier_exchange *);

#endif
