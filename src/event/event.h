/* SPDX-License-Identifier: MIT */
/*
 * An event, and how it is written (WHATWG HTML 9.2.5). Layout of an encoded event:
 *
 *     : comment          one line for each line of the comment
 *     retry: 3000        only with CRIER_EVENT_RETRY
 *     event: type        unless the type is empty or "message"
 *     id: id             only with CRIER_EVENT_ID (an empty id resets the reader's)
 *     data: line 1       one for each line of data; CR, LF and CRLF each end a line; k line
 *     data: line 2       ends make k + 1 lines, so that nothing is lost; empty data is "data: "
 *                        a blank line ends it; only LF line ends
 *
 * Without CRIER_EVENT_DATA there is no data line and NO blank line: a block without data is
 * never sent (http-api.md: popular fetch clients call onmessage("") at every blank line).
 */
#ifndef CRIER_EVENT_EVENT_H
#define CRIER_EVENT_EVENT_H

#include "base/err.h"
#include "base/slice.h"

struct crier_buf;

enum crier_event_flags {
    CRIER_EVENT_DATA = 1u << 0,  /* data is there (it may be empty) */
    CRIER_EVENT_ID = 1u << 1,    /* id is there (it may be empty) */
    CRIER_EVENT_RETRY = 1u << 2, /* retry_ms is there (it may be 0) */
};

struct crier_event {
    struct crier_slice data;
    struct crier_slice type; /* empty and "message" mean the same */
    struct crier_slice id;
    struct crier_slice comment; /* empty: none */
    uint32_t retry_ms;
    unsigned flags;
};

/* Appends the event. *ret_id_at (may be NULL) is where an `id:` line belongs, counted from the
 * first byte appended: before the first data line. 0; -EINVAL: CR, LF or NUL in id or type;
 * -ENOMEM. On failure buf is as it was. */
int crier_event_encode(struct crier_buf *buf,
                       const struct crier_event *event,
                       size_t *ret_id_at) CRIER_MUST_CHECK;

/* The exact number of bytes crier_event_encode would append. */
size_t crier_event_encoded_size(const struct crier_event *event);

#endif
