/* SPDX-License-Identifier: MIT */
/*
 * Event ids: "<milliseconds>-<sequence>", as in Redis Streams. One total order over all topics
 * of a hub. Printable ASCII, at most CRIER_ID_TEXT bytes.
 */
#ifndef CRIER_EVENT_ID_H
#define CRIER_EVENT_ID_H

#include "base/slice.h"

struct crier_buf;

enum { CRIER_ID_TEXT = 41 }; /* 20 digits, '-', 20 digits */

struct crier_id {
    uint64_t ms;
    uint64_t seq;
};

int crier_id_cmp(struct crier_id a, struct crier_id b); /* < 0, 0, > 0 */
/* Returns its length; no NUL is added. */
size_t crier_id_format(struct crier_id id, char text[CRIER_ID_TEXT]);
void crier_id_append(struct crier_buf *buf, struct crier_id id);
/* Both parts 1*DIGIT, one '-', nothing else, no overflow, no leading zeros (but "0" itself):
 * exactly what format writes. 0 or -EINVAL. */
int crier_id_parse(struct crier_slice text, struct crier_id *ret_id);

#endif
