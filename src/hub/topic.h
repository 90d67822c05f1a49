/* SPDX-License-Identifier: MIT */
/*
 * Topics and selectors.
 *
 * A topic is a slash-separated path: 1 to 256 bytes of UTF-8, at most 16 segments, none of them
 * empty, "." or ".."; no C0, DEL or C1 control characters, no '*'.
 *
 * A selector is a topic, or a pattern: a segment that is exactly "*" stands for one whole
 * segment, "**" as the last segment for one or more; any other '*' is an error.
 */
#ifndef CRIER_HUB_TOPIC_H
#define CRIER_HUB_TOPIC_H

#include "base/slice.h"
#include "crier/hub.h"

enum { CRIER_TOPIC_BYTES = 256, CRIER_TOPIC_SEGMENTS = 16 };

/* crier_topic_fault, crier_selector_fault: crier/hub.h. What follows wants a valid selector and
 * topic. */
bool crier_selector_is_pattern(struct crier_slice selector);
bool crier_selector_match(struct crier_slice selector, struct crier_slice topic);
/* The literal segments before the first wildcard, without the slash behind them; none: "". */
struct crier_slice crier_selector_prefix(struct crier_slice selector);

#endif
