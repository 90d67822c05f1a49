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
#include <assert.h>

static const struct crier_slice data_prefix = {"data: ", 6};
static const struct crier_slice comment_prefix = {": ", 2};
static const struct crier_slice type_prefix = {"event: ", 7};
static const struct crier_slice id_prefix = {"id: ", 4};
static const struct crier_slice retry_prefix = {"retry: ", 7};

/* The first line of *text, without its end; *text is what follows. False: it was the last. */
static bool next_line(struct crier_slice *text, struct crier_slice *ret_line)
{
    size_t end = crier_slice_find_eol(*text);
    size_t skip = end + 1;

    *ret_line = crier_slice_sub(*text, 0, end);
    if (end == text->len)
        return false;
    if (text->data[end] == '\r' && skip < text->len && text->data[skip] == '\n')
        skip++;
    *text = crier_slice_sub(*text, skip, text->len);
    return true;
}

static size_t lines_size(struct crier_slice prefix, struct crier_slice text)
{
    struct crier_slice line;
    size_t size = 0;
    bool more;

    do {
        more = next_line(&text, &line);
        size += prefix.len + line.len + 1;
    } while (more);
    return size;
}

static void put_lines(struct crier_buf *buf, struct crier_slice prefix, struct crier_slice text)
{
    struct crier_slice line;
    bool more;

    do {
        more = next_line(&text, &line);
        crier_buf_append(buf, prefix);
        crier_buf_append(buf, line);
        crier_buf_byte(buf, '\n');
    } while (more);
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

int crier_event_append(struct crier_buf *buf,
                       const struct crier_event *event,
                       size_t *ret_id_at)
{
    size_t size, start, id_at;

    if (!one_line(event->type))
        return -EINVAL;
    if (!one_line(event->id))
        return -EINVAL;
    size = crier_event_size(event);
    if (crier_buf_reserve(buf, size) < 0)
        return -ENOMEM;

    start = buf->len;
    if (event->comment.len > 0)
        put_lines(buf, comment_prefix, event->comment);
    if (event->flags & CRIER_RETRY) {
        crier_buf_append(buf, retry_prefix);
        crier_buf_u64(buf, event->retry_ms);
        crier_buf_byte(buf, '\n');
    }
    if (has_type(event))
        put_lines(buf, type_prefix, event->type);
    id_at = buf->len - start;
    if (has_id(event))
        put_lines(buf, id_prefix, event->id);
    if (has_data(event)) {
        put_lines(buf, data_prefix, event->data);
        crier_buf_byte(buf, '\n');
    }
    assert(buf->len - start == size);
    if (ret_id_at)
        *ret_id_at = id_at;
    return 0;
}
