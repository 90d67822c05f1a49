/* SPDX-License-Identifier: MIT */
/* What the parts of a request head must be together. Internal to src/http. */
#ifndef CRIER_HTTP_CHECK_H
#define CRIER_HTTP_CHECK_H

#include "http/head.h"

/* A head that was parsed: fills in what follows from its parts. 0 or -EPROTO. */
int crier_head_check(struct crier_head *head, struct crier_refusal *refusal);

#endif
