/* SPDX-License-Identifier: MIT */
/*
 * The rules for what can be published, the same in a call, a query, headers and batches. Each
 * check answers NULL, or a sentence for people (static text); values are stored only when they
 * are good. Topics have their own page (hub/topic.h).
 */
#ifndef CRIER_HUB_PUBLICATION_H
#define CRIER_HUB_PUBLICATION_H

#include "base/slice.h"

bool crier_type_is_reserved(struct crier_slice type);       /* begins with "crier:" */
const char *crier_type_text_fault(struct crier_slice type); /* for reserved types too */
const char *crier_publish_type_fault(struct crier_slice type);
const char *crier_publish_key_fault(struct crier_slice key);
const char *crier_publish_retry_fault(struct crier_slice text, uint32_t *ret_ms);
const char *crier_publish_ttl_fault(struct crier_slice text, uint64_t *ret_ms);
/* The same for numbers; ttl 0 is none. */
const char *crier_publish_retry_ms_fault(uint64_t ms);
const char *crier_publish_ttl_ms_fault(int64_t ms);

#endif
