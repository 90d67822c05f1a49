/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer.
 *
 *     data            len              cap
 *     |  bytes ....    |  room ....     |
 *
 * Invariants
 *   (1) len <= cap; data is NULL exactly when cap is 0
 *   (2) once failed is set nothing changes until clear() or deinit()
 *
 * Capacity doubles, so that n appended bytes cost O(n). The only failure is -ENOMEM, and it is
 * sticky: writers append without looking and ask crier_buf_error() once.
 */
#include "base/buf.h"

#include "base/mem.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAP = 64 };

void crier_buf_init(struct crier_buf *buf, const struct crier_mem *mem)
{
    *buf = (struct crier_buf){.mem = mem};
}

void crier_buf_deinit(struct crier_buf *buf)
{
    if (buf->data)
        crier_mem_free(buf->mem, buf->data);
    *buf = (struct crier_buf){.mem = buf->mem};
}

void crier_buf_clear(struct crier_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

int crier_buf_reserve(struct crier_buf *buf, size_t more)
{
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    char *data;

    assert(buf->len <= buf->cap);
    if (buf->failed)
        return -ENOMEM;
    if (more <= buf->cap - buf->len)
        return 0;
    if (more > PTRDIFF_MAX - buf->len)
        goto fail;
    while (cap < buf->len + more)
        cap *= 2; /* stays below 2^64: len + more < 2^63 */
    data = crier_mem_resize(buf->mem, buf->data, cap);
    if (!data)
        goto fail;
    buf->data = data;
    buf->cap = cap;
    return 0;

fail:
    buf->failed = true;
    return -ENOMEM;
}

int crier_buf_error(const struct crier_buf *buf)
{
    return buf->failed ? -ENOMEM : 0;
}

void crier_buf_append(struct crier_buf *buf, struct crier_slice bytes)
{
    crier_buf_add(buf, bytes.data, bytes.len);
}

void crier_buf_add(struct crier_buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || crier_buf_reserve(buf, len) < 0)
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
}

void crier_buf_byte(struct crier_buf *buf, char byte)
{
    if (crier_buf_reserve(buf, 1) == 0)
        buf->data[buf->len++] = byte;
}

void crier_buf_u64(struct crier_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    crier_buf_add(buf, digits + at, sizeof(digits) - at);
}

void crier_buf_vprintf(struct crier_buf *buf, const char *fmt, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    if (len < 0)
        buf->failed = true; /* a wide character that cannot be converted, and its like */
    /* vsnprintf ends in a NUL: it needs room for one more, which then belongs to nobody. */
    else if (crier_buf_reserve(buf, (size_t)len + 1) == 0) {
        vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void crier_buf_printf(struct crier_buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    crier_buf_vprintf(buf, fmt, args);
    va_end(args);
}

static bool json_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

/* The letter of a short escape, or 0. */
static char json_short(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void json_byte(struct crier_buf *buf, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)c;
    char letter = json_short(c);

    if (letter) {
        crier_buf_add(buf, (char[]){'\\', letter}, 2);
    } else {
        crier_buf_add(buf, (char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
    }
}

void crier_buf_json_escape(struct crier_buf *buf, struct crier_slice text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (json_plain(text.data[i]))
            continue;
        crier_buf_append(buf, crier_slice_sub(text, from, i - from));
        json_byte(buf, text.data[i]);
        from = i + 1;
    }
    crier_buf_append(buf, crier_slice_sub(text, from, text.len));
}

void crier_buf_json_string(struct crier_buf *buf, struct crier_slice text)
{
    crier_buf_byte(buf, '"');
    crier_buf_json_escape(buf, text);
    crier_buf_byte(buf, '"');
}

void crier_buf_consume(struct crier_buf *buf, size_t n)
{
    assert(n <= buf->len);
    buf->len -= n;
    if (n > 0 && buf->len > 0)
        memmove(buf->data, buf->data + n, buf->len);
}

struct crier_slice crier_buf_slice(const struct crier_buf *buf)
{
    return (struct crier_slice){buf->data, buf->len};
}
