/* SPDX-License-Identifier: MIT */
/*
 * What Crier itself says on a stream: `crier:connected`, `crier:gap`, retry, heartbeat, the
 * end. Each in the form and framing of the stream (http-api.md, "Body of a stream"). In
 * CRIER_FORM_ENVELOPE they stay plain named events; in CRIER_FORM_NDJSON they are objects with
 * "topic":null, and retry is left out.
 */
#ifndef CRIER_HUB_NOTICE_H
#define CRIER_HUB_NOTICE_H

#include "base/buf.h"
#include "hub/subscription.h"

/* How a stream's bytes are dressed. */
struct crier_dress {
    enum crier_form form;
    bool chunked;
};

static inline struct crier_dress
crier_subscription_dress(const struct crier_subscription *subscription)
{
    return (struct crier_dress){subscription->form, subscription->chunked};
}

/* Appends bytes as one chunk (chunked) or as they are. Nothing for no bytes. */
void crier_notice_frame(struct crier_buf *buf,
                        struct crier_dress dress,
                        struct crier_slice bytes);
/* What every stream starts with: retry (SSE forms only; 0: none), then connected or gap, ONE
 * chunk in all. connected false (connected=0): only the retry, unless there is a gap.
 * requested: the last id asked for as it came (shown only if it is printable ASCII of at most
 * 64 bytes, else null); NULL data: null. */
void crier_notice_opening(struct crier_buf *buf,
                          struct crier_dress dress,
                          uint32_t retry_ms,
                          bool connected,
                          const struct crier_start *start,
                          struct crier_slice requested,
                          bool resumed,
                          uint64_t wall_ms);
/* A gap in mid-stream (lagged). */
void crier_notice_gap(struct crier_buf *buf,
                      struct crier_dress dress,
                      const struct crier_start *start,
                      struct crier_slice requested,
                      uint64_t wall_ms);
void crier_notice_heartbeat(struct crier_buf *buf,
                            struct crier_dress dress); /* ":\n", or "\n" in NDJSON */
/* Farewell: `retry: N\n` (SSE forms; 0: none), and the last chunk "0\r\n\r\n" when chunked. */
void crier_notice_end(struct crier_buf *buf, struct crier_dress dress, uint32_t retry_ms);
/* One history event in this form and framing: what a feed and a lagging stream send. */
void crier_notice_event(struct crier_buf *buf,
                        struct crier_dress dress,
                        const struct crier_record *record);

#endif
