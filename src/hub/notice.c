/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a stream (http-api.md, "Body of a stream"). What is framed is written behind a head
 * of fixed width whose digits are filled in afterwards, so nothing is measured first or copied
 * twice:
 *
 *     0000002f CR LF  bytes...  CR LF
 *
 * A plain event is not written at all but copied: the journal keeps it as a chunk already.
 * Out of memory is sticky in the buffer; whoever needs all or nothing cuts it back.
 */
#include "hub/notice.h"
#include "event/render.h"
#include <assert.h>
#include <string.h>

/* Leaves room for the chunk's head; returns where the chunk begins. */
static size_t frame_begin(struct crier_buf *buf, struct crier_dress dress)
{
    size_t at = buf->len;
    if (dress.chunked)
        crier_buf_append(buf, CRIER_SLICE("00000000\r\n"));
    return at;
}

static void frame_end(struct crier_buf *buf, struct crier_dress dress, size_t at)
{
    static const char digits[] = "0123456789abcdef";

    if (!dress.chunked || crier_buf_error(buf) < 0)
        return;
    size_t len = buf->len - at - CRIER_FRAME_HEAD;
    /* A chunk of no bytes would end the body (RFC 9112, 7.1). */
    if (len == 0) {
        buf->len = at;
        return;
    }
    assert(len <= UINT32_MAX);
    for (int i = 7; i >= 0; i--, len >>= 4)
        buf->data[at + (size_t)i] = digits[len & 0xf];
    crier_buf_append(buf, CRIER_SLICE("\r\n"));
}

void crier_notice_frame(struct crier_buf *buf,
                        struct crier_dress dress,
                        struct crier_slice bytes)
{
    if (bytes.len == 0)
        return;
    size_t at = frame_begin(buf, dress);
    crier_buf_append(buf, bytes);
    frame_end(buf, dress, at);
}

static void put_retry(struct crier_buf *buf, uint32_t retry_ms)
{
    crier_buf_append(buf, CRIER_SLICE("retry: "));
    crier_buf_u64(buf, retry_ms);
    crier_buf_byte(buf, '\n');
}

/* What a notice says; `data` is the text of a JSON object on one line. */
struct notice {
    struct crier_slice type, data;
    struct crier_id id;
    uint64_t wall_ms;
};

static void put_notice(struct crier_buf *buf, enum crier_form form, const struct notice *notice)
{
    if (form == CRIER_FORM_NDJSON) {
        crier_buf_append(buf, CRIER_SLICE("{\"id\":\""));
        crier_id_append(buf, notice->id);
        crier_buf_append(buf, CRIER_SLICE("\",\"topic\":null,\"event\":"));
        crier_buf_json_string(buf, notice->type);
        crier_buf_append(buf, CRIER_SLICE(",\"data\":"));
        crier_buf_json_string(buf, notice->data);
        crier_buf_append(buf, CRIER_SLICE(",\"time\":\""));
        crier_time_format(buf, notice->wall_ms);
        crier_buf_append(buf, CRIER_SLICE("\"}\n"));
        return;
    }
    crier_buf_append(buf, CRIER_SLICE("event: "));
    crier_buf_append(buf, notice->type);
    crier_buf_append(buf, CRIER_SLICE("\nid: "));
    crier_id_append(buf, notice->id);
    crier_buf_append(buf, CRIER_SLICE("\ndata: "));
    crier_buf_append(buf, notice->data);
    crier_buf_append(buf, CRIER_SLICE("\n\n"));
}

/* Is it fit to be shown? What a client sent as its last id can be anything. */
static bool is_showable(struct crier_slice text)
{
    if (text.len == 0 || text.len > 64)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return true;
}

static struct crier_slice gap_reason(enum crier_gap gap)
{
    switch (gap) {
    case CRIER_GAP_NONE:
    case CRIER_GAP_LAGGED:
        return CRIER_SLICE("lagged");
    case CRIER_GAP_EVICTED:
        return CRIER_SLICE("evicted");
    case CRIER_GAP_UNKNOWN:
        return CRIER_SLICE("unknown");
    }
    return CRIER_SLICE("unknown");
}

/* The longest: 64 bytes of requested, each '"' or '\\' escaped, an id, and the fixed text. */
enum { GAP_TEXT = 2 * 64 + CRIER_ID_TEXT + 64 };

struct gap_text {
    char bytes[GAP_TEXT];
    size_t len;
};

static void gap_add(struct gap_text *text, struct crier_slice bytes)
{
    assert(bytes.len <= sizeof(text->bytes) - text->len);
    memcpy(text->bytes + text->len, bytes.data, bytes.len);
    text->len += bytes.len;
}

static void gap_requested(struct gap_text *text, struct crier_slice requested)
{
    if (!is_showable(requested)) {
        gap_add(text, CRIER_SLICE("null"));
        return;
    }
    gap_add(text, CRIER_SLICE("\""));
    for (size_t i = 0; i < requested.len; i++) {
        if (requested.data[i] == '"' || requested.data[i] == '\\')
            gap_add(text, CRIER_SLICE("\\"));
        gap_add(text, crier_slice_sub(requested, i, 1));
    }
    gap_add(text, CRIER_SLICE("\""));
}

static void gap_oldest(struct gap_text *text, const struct crier_start *start)
{
    char id[CRIER_ID_TEXT];

    if (!start->has_oldest) {
        gap_add(text, CRIER_SLICE("null"));
        return;
    }
    gap_add(text, CRIER_SLICE("\""));
    gap_add(text, (struct crier_slice){id, crier_id_format(start->oldest, id)});
    gap_add(text, CRIER_SLICE("\""));
}

static void put_gap(struct crier_buf *buf,
                    enum crier_form form,
                    const struct crier_start *start,
                    struct crier_slice requested,
                    uint64_t wall_ms)
{
    struct gap_text text = {.len = 0};

    gap_add(&text, CRIER_SLICE("{\"requested\":"));
    gap_requested(&text, requested);
    gap_add(&text, CRIER_SLICE(",\"oldest\":"));
    gap_oldest(&text, start);
    gap_add(&text, CRIER_SLICE(",\"reason\":\""));
    gap_add(&text, gap_reason(start->gap));
    gap_add(&text, CRIER_SLICE("\"}"));
    put_notice(
        buf, form,
        &(struct notice){CRIER_SLICE("crier:gap"), {text.bytes, text.len}, start->id, wall_ms});
}

void crier_notice_opening(struct crier_buf *buf,
                          struct crier_dress dress,
                          uint32_t retry_ms,
                          bool connected,
                          const struct crier_start *start,
                          struct crier_slice requested,
                          bool resumed,
                          uint64_t wall_ms)
{
    size_t at = frame_begin(buf, dress);

    if (dress.form != CRIER_FORM_NDJSON && retry_ms)
        put_retry(buf, retry_ms);
    if (start->gap != CRIER_GAP_NONE) {
        put_gap(buf, dress.form, start, requested, wall_ms);
    } else if (connected) {
        struct crier_slice data = resumed
                                      ? CRIER_SLICE("{\"status\":\"ok\",\"resumed\":\"exact\"}")
                                      : CRIER_SLICE("{\"status\":\"ok\",\"resumed\":\"none\"}");
        put_notice(buf, dress.form,
                   &(struct notice){CRIER_SLICE("crier:connected"), data, start->id, wall_ms});
    }
    frame_end(buf, dress, at);
}

void crier_notice_gap(struct crier_buf *buf,
                      struct crier_dress dress,
                      const struct crier_start *start,
                      struct crier_slice requested,
                      uint64_t wall_ms)
{
    size_t at = frame_begin(buf, dress);
    put_gap(buf, dress.form, start, requested, wall_ms);
    frame_end(buf, dress, at);
}

void crier_notice_heartbeat(struct crier_buf *buf, struct crier_dress dress)
{
    crier_notice_frame(
        buf, dress, dress.form == CRIER_FORM_NDJSON ? CRIER_SLICE("\n") : CRIER_SLICE(":\n"));
}

void crier_notice_end(struct crier_buf *buf, struct crier_dress dress, uint32_t retry_ms)
{
    size_t at = frame_begin(buf, dress);
    if (dress.form != CRIER_FORM_NDJSON && retry_ms)
        put_retry(buf, retry_ms);
    frame_end(buf, dress, at);
    if (dress.chunked)
        crier_buf_append(buf, CRIER_SLICE("0\r\n\r\n"));
}

void crier_notice_event(struct crier_buf *buf,
                        struct crier_dress dress,
                        const struct crier_record *record)
{
    if (dress.form == CRIER_FORM_SSE) {
        crier_buf_append(buf, dress.chunked ? record->frame : record->sse);
        return;
    }

    struct crier_render_fields fields = {
        .id = record->id,
        .topic = record->topics[0],
        .type = record->type,
        .wall_ms = record->wall_ms,
        .sse = record->sse,
    };
    size_t at = frame_begin(buf, dress);
    if (dress.form == CRIER_FORM_ENVELOPE) {
        crier_render_envelope(buf, &fields);
    } else {
        crier_render_json(buf, &fields);
        crier_buf_byte(buf, '\n');
    }
    frame_end(buf, dress, at);
}
