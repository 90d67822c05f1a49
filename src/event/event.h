/* SPDX-License-Identifier: MIT */
/* Events (crier/event.h says what they are and how they are written), into buffers. */
#ifndef CRIER_EVENT_EVENT_H
#define CRIER_EVENT_EVENT_H

#include "base/err.h"
#include "base/slice.h"
#include "crier/event.h"

struct crier_buf;

/* Appends the event. *ret_id_at (may be NULL) is where an `id:` line belongs, counted from the
 * first byte appended: before the first data line. 0; -EINVAL: CR, LF or NUL in id or type;
 * -ENOMEM. On failure buf is as it was. */
int crier_event_append(struct crier_buf *buf,
                       const struct crier_event *event,
                       size_t *ret_id_at) CRIER_MUST_CHECK;

/* Writes an event without CR, LF or NUL in id and type where there is room for
 * crier_event_size() bytes. Returns where an `id:` line belongs, counted from `to`. */
size_t crier_event_write(const struct crier_event *event, char *to);

#endif
