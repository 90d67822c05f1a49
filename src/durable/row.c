/* SPDX-License-Identifier: MIT */
/*
 * Rows are written front to back and read the same way; every length is checked against what is
 * left, so that a damaged row is told from a whole one and never read beyond.
 */
#include "durable/row.h"
#include <string.h>

enum {
    HAS_KEY = 1 << 0,
    HAS_TYPE = 1 << 1,
    HAS_EXPIRY = 1 << 2,
    HAS_TOPICS = 1 << 3, /* more than one */
    FLAGS = (1 << 4) - 1,
    VARINT_BYTES = 10,
};

/* ---- writing ----------------------------------------------------------------------------- */

static char *put_varint(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(0x80 | (value & 0x7f));
    *at++ = (char)value;
    return at;
}

/* The distance from `from` to `to`: small either way is short. */
static char *put_distance(char *at, uint64_t from, uint64_t to)
{
    uint64_t forward = to - from; /* modulo 2^64: the upper half is backwards */

    return put_varint(at, forward >> 63 ? ~(forward << 1) : forward << 1);
}

static char *put_text(char *at, struct crier_slice text)
{
    at = put_varint(at, text.len);
    if (text.len)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

static size_t size_at_most(const struct crier_row *row)
{
    size_t size = 2 + 9 * VARINT_BYTES + row->key.len + row->type.len + row->sse.len;

    for (size_t i = 0; i < row->topic_count; i++)
        size += VARINT_BYTES + row->topics[i].len;
    return size;
}

void crier_row_write(struct crier_buf *buf, const struct crier_row *row)
{
    int flags = (row->key.len ? HAS_KEY : 0) | (row->type.len ? HAS_TYPE : 0) |
                (row->expires_ms ? HAS_EXPIRY : 0) | (row->topic_count > 1 ? HAS_TOPICS : 0);

    if (crier_buf_reserve(buf, size_at_most(row)) < 0)
        return;
    char *start = buf->data + buf->len, *at = start;
    *at++ = (char)flags;
    if (flags & HAS_TOPICS)
        *at++ = (char)row->alive;
    at = put_varint(at, row->id.ms);
    at = put_varint(at, row->id.seq);
    at = put_distance(at, row->id.ms, row->wall_ms);
    at = put_distance(at, row->id.ms, row->clock_ms);
    at = put_varint(at, row->class_id);
    if (flags & HAS_EXPIRY)
        at = put_varint(at, row->expires_ms - row->clock_ms);
    if (flags & HAS_KEY)
        at = put_text(at, row->key);
    if (flags & HAS_TYPE)
        at = put_text(at, row->type);
    if (flags & HAS_TOPICS)
        at = put_varint(at, row->topic_count);
    for (size_t i = 0; i < row->topic_count; i++)
        at = put_text(at, row->topics[i]);
    at = put_varint(at, row->id_at);
    if (row->sse.len)
        memcpy(at, row->sse.data, row->sse.len);
    buf->len += (size_t)(at - start) + row->sse.len;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct reading {
    const unsigned char *at, *end;
    bool bad;
};

static uint64_t get_varint(struct reading *r)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        unsigned char byte = *r->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    r->bad = true;
    return 0;
}

static uint64_t get_distance(struct reading *r, uint64_t from)
{
    uint64_t value = get_varint(r);

    return from + (value & 1 ? ~(value >> 1) : value >> 1);
}

static struct crier_slice get_text(struct reading *r)
{
    uint64_t len = get_varint(r);

    if (len > (size_t)(r->end - r->at)) {
        r->bad = true;
        return (struct crier_slice){NULL, 0};
    }
    struct crier_slice text = {(const char *)r->at, (size_t)len};
    r->at += len;
    return text;
}

static void get_topics(struct reading *r, int flags, struct crier_row *row)
{
    uint64_t count = flags & HAS_TOPICS ? get_varint(r) : 1;

    if (count < 1 || count > CRIER_TOPICS_PER_EVENT || (flags & HAS_TOPICS && count == 1)) {
        r->bad = true;
        return;
    }
    row->topic_count = (size_t)count;
    for (size_t i = 0; i < row->topic_count; i++) {
        row->topics[i] = get_text(r);
        r->bad = r->bad || !row->topics[i].len;
    }
    r->bad = r->bad || row->alive == 0 || row->alive >> row->topic_count;
}

int crier_row_read(struct crier_slice bytes, struct crier_row *ret_row)
{
    struct reading r = {(const unsigned char *)bytes.data,
                        (const unsigned char *)bytes.data + bytes.len, bytes.len < 2};
    struct crier_row row = {.alive = 1};

    if (r.bad)
        return -EUCLEAN;
    int flags = *r.at++;
    if (flags & HAS_TOPICS)
        row.alive = *r.at++;
    row.id.ms = get_varint(&r);
    row.id.seq = get_varint(&r);
    row.wall_ms = get_distance(&r, row.id.ms);
    row.clock_ms = get_distance(&r, row.id.ms);
    uint64_t class_id = get_varint(&r);
    row.class_id = (uint32_t)class_id;
    if (flags & HAS_EXPIRY)
        row.expires_ms = row.clock_ms + get_varint(&r);
    if (flags & HAS_KEY)
        row.key = get_text(&r);
    if (flags & HAS_TYPE)
        row.type = get_text(&r);
    get_topics(&r, flags, &row);
    uint64_t id_at = get_varint(&r);
    row.sse = (struct crier_slice){(const char *)r.at, (size_t)(r.end - r.at)};
    row.id_at = (size_t)id_at;
    if (r.bad || flags & ~FLAGS || class_id > UINT32_MAX || id_at > row.sse.len || !row.sse.len)
        return -EUCLEAN;
    *ret_row = row;
    return 0;
}

/* ---- the event --------------------------------------------------------------------------- */

enum { ID_LINE = CRIER_ID_TEXT + sizeof("id: \n") };

static size_t write_id_line(char line[ID_LINE], struct crier_id id)
{
    memcpy(line, "id: ", 4);
    size_t len = 4 + crier_id_format(id, line + 4);
    line[len++] = '\n';
    return len;
}

uint64_t crier_row_bytes(const struct crier_row *row)
{
    char line[ID_LINE];

    return row->sse.len + write_id_line(line, row->id);
}

static char *put(char *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

struct crier_slice crier_row_frame(struct crier_buf *buf, const struct crier_row *row)
{
    static const char digits[] = "0123456789abcdef";
    char line[ID_LINE];
    size_t line_len = write_id_line(line, row->id);
    size_t len = row->sse.len + line_len;

    if (crier_buf_reserve(buf, CRIER_FRAME_HEAD + len + CRIER_FRAME_TAIL) < 0)
        return (struct crier_slice){NULL, 0};
    char *at = buf->data + buf->len, *sse;
    for (int shift = 28; shift >= 0; shift -= 4)
        *at++ = digits[(len >> shift) & 15];
    at = sse = put(at, "\r\n", 2);
    at = put(at, row->sse.data, row->id_at);
    at = put(at, line, line_len);
    at = put(at, row->sse.data + row->id_at, row->sse.len - row->id_at);
    put(at, "\r\n", 2);
    buf->len += CRIER_FRAME_HEAD + len + CRIER_FRAME_TAIL;
    return (struct crier_slice){sse, len};
}
