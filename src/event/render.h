/* SPDX-License-Identifier: MIT */
/*
 * Other representations of an encoded event, for feeds and histories that ask for them:
 *
 *     json      {"id":"17-0","topic":"a/b","event":"message","data":"x\ny","time":"2026-..."}
 *               on one line, without a line end; "event" is always there
 *     envelope  the same object as the data of an event, so that onmessage sees every type:
 *
 *               retry: 3000        only if the original has one
 *               id: 17-0
 *               data: {"id":...}
 *                                  a blank line ends it; there is no `event:` line
 *
 *     data      its data alone, lines joined by LF
 *
 * All only append; out of memory is sticky in the buffer (crier_buf_error).
 */
#ifndef CRIER_EVENT_RENDER_H
#define CRIER_EVENT_RENDER_H

#include "event/id.h"

struct crier_buf;

struct crier_render_fields {
    struct crier_id id;
    struct crier_slice topic;
    struct crier_slice type; /* empty: "message" */
    uint64_t wall_ms;
    struct crier_slice sse; /* as crier_event_append wrote it; an id line makes no difference */
};

void crier_render_json(struct crier_buf *buf, const struct crier_render_fields *fields);
void crier_render_envelope(struct crier_buf *buf, const struct crier_render_fields *fields);

void crier_render_data(struct crier_buf *buf, struct crier_slice sse);
/* The event's retry; false: it has none. */
bool crier_render_retry(struct crier_slice sse, uint32_t *ret_ms);

#endif
