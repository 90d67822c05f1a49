/* SPDX-License-Identifier: MIT */
/* What a reader wants, from its options. */
#ifndef CRIER_LOCAL_WISH_H
#define CRIER_LOCAL_WISH_H

#include "hub/subscription.h"
#include "local/hub.h"

/* 0; CRIER_EINVAL, CRIER_E2BIG: *ret_fault is a sentence (static text); -ENOMEM. */
int crier_wish_read(struct crier_hub *hub,
                    const struct crier_reader_options *options,
                    struct crier_now now,
                    struct crier_subscription **ret_subscription,
                    struct crier_since *ret_since,
                    const char **ret_fault) CRIER_MUST_CHECK;

#endif
