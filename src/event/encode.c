/* SPDX-License-Identifier: MIT */
/*
 * Writing an event (layout: event.h), and its data back out of it.
 *
 * Everything that may hold line ends (data, comment) is cut at CR, LF and CRLF, and every line
 * gets its prefix; everything that must not hold any (id, type) is refused with them. So
 * nothing that a publisher sends can start a line of its own.
 *
 *     "a\r\nb\n"   ->   data: a
 *                       data: b
 *                       data:           k line ends, k + 1 lines: readers drop only the last LF
 *
 * The optional space after the colon is always written: readers drop exactly one, so that data
 * which begins with a space keeps it.
 *
 * The size is computed first and reserved in one go: what fails has written nothing.
 */
#include "event/event.h"

#include "base/buf.h"
#include "base/eol.h"
#include <assert.h>
#include <string.h>

static const struct crier_slice data_prefix = {"data: ", 6};
static const struct crier_slice comment_prefix = {": ", 2};
static const struct crier_slice type_prefix = {"event: ", 7};
static const struct crier_slice id_prefix = {"id: ", 4};
static const struct crier_slice retry_prefix = {"retry: ", 7};

/* A text that is cut into lines. */
struct lines {
    struct crier_slice left;
    struct crier_eol eol;
};

static struct lines lines_of(struct crier_slice text)
{
    struct lines lines = {.left = text};

    crier_eol_init(&lines.eol);
    return lines;
}

/* The next line, without its end. False: it was the last. */
static bool next_line(struct lines *lines, struct crier_slice *ret_line)
{
    struct crier_slice text = lines->left;
    size_t end = crier_eol_find(&lines->eol, text), skip = end + 1;

    *ret_line = crier_slice_sub(text, 0, end);
    if (end == text.len)
        return false;
    if (text.data[end] == '\r' && skip < text.len && text.data[skip] == '\n')
        skip++;
    lines->left = crier_slice_sub(text, skip, text.len);
    crier_eol_pass(&lines->eol, skip);
    return true;
}

static size_t lines_size(struct crier_slice prefix, struct crier_slice text)
{
    struct lines lines = lines_of(text);
    struct crier_slice line;
    size_t size = 0;
    bool more;

    do {
        more = next_line(&lines, &line);
        size += prefix.len + line.len + 1;
    } while (more);
    return size;
}

static char *put(char *to, struct crier_slice bytes)
{
    if (bytes.len > 0)
        memcpy(to, bytes.data, bytes.len);
    return to + bytes.len;
}

static char *put_line(char *to, struct crier_slice prefix, struct crier_slice line)
{
    to = put(to, prefix);
    to = put(to, line);
    *to++ = '\n';
    return to;
}

static char *put_lines(char *to, struct crier_slice prefix, struct crier_slice text)
{
    struct lines lines = lines_of(text);
    struct crier_slice line;
    bool more;

    do {
        more = next_line(&lines, &line);
        to = put_line(to, prefix, line);
    } while (more);
    return to;
}

static bool one_line(struct crier_slice text)
{
    return crier_slice_find_eol(text) == text.len && crier_slice_find(text, '\0') == text.len;
}

static bool has_type(const struct crier_event *event)
{
    return event->type.len > 0 && !crier_slice_eq(event->type, CRIER_SLICE("message"));
}

static bool has_id(const struct crier_event *event)
{
    return event->id.data || (event->flags & CRIER_ID);
}

static bool has_data(const struct crier_event *event)
{
    return event->data.data || (event->flags & CRIER_DATA);
}

static size_t decimal_size(uint32_t value)
{
    size_t size = 1;

    while (value >= 10) {
        value /= 10;
        size++;
    }
    return size;
}

static char *put_decimal(char *to, uint32_t value)
{
    char *end = to + decimal_size(value);

    for (char *at = end; at > to; value /= 10)
        *--at = (char)('0' + value % 10);
    return end;
}

size_t crier_event_size(const struct crier_event *event)
{
    size_t size = 0;

    if (event->comment.len > 0)
        size += lines_size(comment_prefix, event->comment);
    if (event->flags & CRIER_RETRY)
        size += retry_prefix.len + decimal_size(event->retry_ms) + 1;
    if (has_type(event))
        size += type_prefix.len + event->type.len + 1;
    if (has_id(event))
        size += id_prefix.len + event->id.len + 1;
    if (has_data(event))
        size += lines_size(data_prefix, event->data) + 1;
    return size;
}

static int check(const struct crier_event *event)
{
    return one_line(event->type) && one_line(event->id) ? 0 : -EINVAL;
}

size_t crier_event_write(const struct crier_event *event, char *to)
{
    char *start = to;
    size_t id_at;

    if (event->comment.len > 0)
        to = put_lines(to, comment_prefix, event->comment);
    if (event->flags & CRIER_RETRY) {
        to = put(to, retry_prefix);
        to = put_decimal(to, event->retry_ms);
        *to++ = '\n';
    }
    if (has_type(event))
        to = put_line(to, type_prefix, event->type);
    id_at = (size_t)(to - start);
    if (has_id(event))
        to = put_line(to, id_prefix, event->id);
    if (has_data(event)) {
        to = put_lines(to, data_prefix, event->data);
        *to++ = '\n';
    }
    assert((size_t)(to - start) == crier_event_size(event));
    return id_at;
}

int crier_event_append(struct crier_buf *buf,
                       const struct crier_event *event,
                       size_t *ret_id_at)
{
    size_t size = crier_event_size(event), id_at;

    if (check(event) < 0)
        return -EINVAL;
    /* One byte more than nothing: an event of no bytes has a place to be written to, too. */
    if (crier_buf_reserve(buf, size + 1) < 0)
        return -ENOMEM;
    id_at = crier_event_write(event, buf->data + buf->len);
    buf->len += size;
    if (ret_id_at)
        *ret_id_at = id_at;
    return 0;
}

int crier_event_encode(const struct crier_event *event, char *buf, size_t cap, size_t *ret_len)
{
    size_t size = crier_event_size(event);

    if (check(event) < 0)
        return CRIER_EINVAL;
    if (size > cap)
        return CRIER_EMSGSIZE;
    crier_event_write(event, buf);
    if (ret_len)
        *ret_len = size;
    return 0;
}
