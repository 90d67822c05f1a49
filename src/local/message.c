/* SPDX-License-Identifier: MIT */
/*
 * A message in the buffer, and the next behind it:
 *
 *     | struct head | topic \0 | type \0 | id \0 | data \0 | bytes \0 | struct head | ...
 *
 * The head is copied in and out: nothing is aligned here. Room for all of it is reserved first,
 * so that what fails has written nothing. The data is never longer than the bytes it is in.
 */
#include "local/message.h"

#include "base/mem.h"
#include "event/render.h"
#include <assert.h>
#include <string.h>

struct head {
    struct crier_id id;
    uint64_t time_ms;
    size_t topic_len, type_len, id_len, data_len, bytes_len;
    uint32_t retry_ms;
    unsigned flags;
};

void crier_messages_init(struct crier_messages *messages, const struct crier_mem *mem)
{
    crier_buf_init(&messages->buf, mem);
    messages->at = 0;
}

void crier_messages_deinit(struct crier_messages *messages)
{
    crier_buf_deinit(&messages->buf);
    messages->at = 0;
}

static void put_text(struct crier_buf *buf, struct crier_slice text)
{
    crier_buf_append(buf, text);
    crier_buf_byte(buf, '\0');
}

int crier_messages_add(struct crier_messages *messages,
                       const struct crier_record *record,
                       struct crier_slice topic)
{
    struct crier_buf *buf = &messages->buf;
    struct crier_slice type = record->type.len ? record->type : CRIER_SLICE("message");
    struct head head = {.id = record->id,
                        .time_ms = record->wall_ms,
                        .topic_len = topic.len,
                        .type_len = type.len,
                        .bytes_len = record->sse.len,
                        .flags = CRIER_DATA | CRIER_ID};
    char id[CRIER_ID_TEXT];
    size_t start = buf->len;

    if (crier_buf_reserve(buf, sizeof(head) + topic.len + type.len + sizeof(id) +
                                   2 * record->sse.len + 5) < 0) {
        buf->failed = false;
        return -ENOMEM;
    }
    head.id_len = crier_id_format(record->id, id);
    if (crier_render_retry(record->sse, &head.retry_ms))
        head.flags |= CRIER_RETRY;
    buf->len += sizeof(head);
    put_text(buf, topic);
    put_text(buf, type);
    put_text(buf, (struct crier_slice){id, head.id_len});
    head.data_len = buf->len;
    crier_render_data(buf, record->sse);
    head.data_len = buf->len - head.data_len;
    crier_buf_byte(buf, '\0');
    put_text(buf, record->sse);
    memcpy(buf->data + start, &head, sizeof(head));
    assert(crier_buf_error(buf) == 0);
    return 0;
}

static struct crier_slice take_text(struct crier_messages *messages, size_t len)
{
    struct crier_slice text = {messages->buf.data + messages->at, len};

    messages->at += len + 1;
    return text;
}

bool crier_messages_take(struct crier_messages *messages, struct crier_message *ret_message)
{
    struct head head;

    if (crier_messages_empty(messages))
        return false;
    memcpy(&head, messages->buf.data + messages->at, sizeof(head));
    messages->at += sizeof(head);

    struct crier_message message = {.id = head.id, .time_ms = head.time_ms};
    message.topic = take_text(messages, head.topic_len);
    message.event.type = take_text(messages, head.type_len);
    message.event.id = take_text(messages, head.id_len);
    message.event.data = take_text(messages, head.data_len);
    message.bytes = take_text(messages, head.bytes_len);
    message.event.retry_ms = head.retry_ms;
    message.event.flags = head.flags;
    *ret_message = message;
    return true;
}

bool crier_messages_empty(const struct crier_messages *messages)
{
    return messages->at == messages->buf.len;
}

void crier_messages_clear(struct crier_messages *messages, size_t keep)
{
    crier_buf_clear(&messages->buf);
    messages->at = 0;
    if (messages->buf.cap > keep)
        crier_buf_deinit(&messages->buf);
}
