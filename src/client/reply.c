/* SPDX-License-Identifier: MIT */
/*
 * The response reader. llhttp pushes, we pull: each callback that finishes something stops
 * llhttp (HPE_PAUSED), what was found is handed out by take(), and the next call resumes.
 *
 *     on_headers_complete ─▶ head is due, pause
 *     on_body             ─▶ body is set (at most one span between two pauses)
 *     on_chunk_complete   ─▶ pause, so that the next chunk's span cannot overwrite this one
 *     on_message_complete ─▶ end is due, pause
 *
 * After a pause llhttp is run once more even when the input is used up: the end of the message
 * may follow the end of its last chunk without another byte.
 *
 * Header names and values are copied end to end into `text` and remembered as offsets until the
 * head is complete, because text moves while it grows; body bytes are never copied.
 *
 * Each value is followed by a NUL, for the users of the library.
 *
 * Bounds: HEAD_BYTES of names and values and HEADERS headers, so that a server cannot fill our
 * memory with a head; and twice that of bytes before the answer's head is complete, so that an
 * endless reason phrase or interim answers without end do not hold us for ever. What can fail:
 * memory, the bounds, and what llhttp calls malformed.
 */
#include "client/reply.h"

#include "base/mem.h"
#include <assert.h>
#include <llhttp.h>

enum {
    HEAD_BYTES = 64 * 1024,
    BEFORE_HEAD_BYTES = 2 * HEAD_BYTES,
    HEADERS = 128,
    STATUS_INTERIM = 100,
    STATUS_SWITCHING = 101,
    STATUS_FINAL = 200,
    NO_BODY =
        1, /* for llhttp: an interim answer has none, whatever its head says (9112, 6.3) */
};

struct span {
    size_t at, len;
};

struct crier_reply_reader {
    const struct crier_mem *mem;
    llhttp_settings_t settings;
    llhttp_t parser;
    struct crier_buf text;
    struct span names[HEADERS], values[HEADERS];
    size_t count;
    struct crier_header headers[HEADERS];
    struct crier_reply reply;
    struct crier_slice body;
    bool head_due, end_due, over;
    bool head_done;
    size_t before_head; /* bytes used so far */
    bool paused;        /* llhttp may go on without another byte */
    int failed;
    const char *fault;
};

static int fail(struct crier_reply_reader *reader, int error, const char *fault)
{
    reader->failed = error;
    reader->fault = fault;
    return -1; /* llhttp's word for "a callback refused" */
}

/* ---- llhttp's callbacks ---- */

static int on_begin(llhttp_t *parser)
{
    struct crier_reply_reader *reader = parser->data;

    crier_buf_clear(&reader->text);
    reader->names[0] = reader->values[0] = (struct span){0, 0};
    reader->count = 0;
    return 0;
}

static int
add_text(struct crier_reply_reader *reader, struct span *span, const char *at, size_t len)
{
    if (reader->text.len + len > HEAD_BYTES)
        return fail(reader, -EPROTO, "the head of the answer is larger than 64 KiB");
    if (span->len == 0)
        span->at = reader->text.len;
    crier_buf_add(&reader->text, at, len);
    if (crier_buf_error(&reader->text) < 0)
        return fail(reader, -ENOMEM, "out of memory");
    span->len += len;
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct crier_reply_reader *reader = parser->data;

    if (reader->count == HEADERS)
        return fail(reader, -EPROTO, "the answer has more than 128 headers");
    return add_text(reader, &reader->names[reader->count], at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct crier_reply_reader *reader = parser->data;

    if (reader->count == HEADERS)
        return fail(reader, -EPROTO, "the answer has more than 128 headers");
    return add_text(reader, &reader->values[reader->count], at, len);
}

static int on_value_complete(llhttp_t *parser)
{
    struct crier_reply_reader *reader = parser->data;

    /* Trimmed later, it may end before this one. */
    crier_buf_byte(&reader->text, '\0');
    if (crier_buf_error(&reader->text) < 0)
        return fail(reader, -ENOMEM, "out of memory");
    if (reader->count < HEADERS)
        reader->count++;
    if (reader->count < HEADERS)
        reader->names[reader->count] = reader->values[reader->count] = (struct span){0, 0};
    return 0;
}

static struct crier_slice view(const struct crier_reply_reader *reader, struct span span)
{
    return crier_slice_sub(crier_buf_slice(&reader->text), span.at, span.len);
}

static int on_headers(llhttp_t *parser)
{
    struct crier_reply_reader *reader = parser->data;

    /* Below 100 there are none (RFC 9110, 15); llhttp takes such an answer for a final one. */
    if (parser->status_code < STATUS_INTERIM)
        return fail(reader, -EPROTO, "the status of the answer is none of HTTP's");
    if (parser->status_code == STATUS_SWITCHING)
        return fail(reader, -EPROTO, "the server wants to switch to another protocol");
    if (parser->status_code < STATUS_FINAL)
        return NO_BODY;
    for (size_t i = 0; i < reader->count; i++) {
        struct crier_slice value = crier_slice_trim(view(reader, reader->values[i]));

        reader->headers[i].name = view(reader, reader->names[i]);
        reader->headers[i].value = value.data ? value : CRIER_SLICE("");
        if (value.data)
            reader->text.data[value.data + value.len - reader->text.data] = '\0';
    }
    reader->reply = (struct crier_reply){
        .status = parser->status_code,
        .headers = reader->headers,
        .header_count = reader->count,
    };
    reader->head_due = reader->head_done = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct crier_reply_reader *reader = parser->data;

    assert(reader->body.len == 0);
    reader->body = (struct crier_slice){at, len};
    return 0;
}

static int on_chunk(llhttp_t *parser)
{
    return HPE_PAUSED;
}

static int on_complete(llhttp_t *parser)
{
    struct crier_reply_reader *reader = parser->data;

    if (parser->status_code < STATUS_FINAL)
        return 0;
    reader->end_due = true;
    return HPE_PAUSED;
}

/* ---- life ---- */

void crier_reply_reset(struct crier_reply_reader *reader)
{
    llhttp_init(&reader->parser, HTTP_RESPONSE, &reader->settings);
    reader->parser.data = reader;
    crier_buf_clear(&reader->text);
    reader->names[0] = reader->values[0] = (struct span){0, 0};
    reader->count = 0;
    reader->body = (struct crier_slice){NULL, 0};
    reader->head_due = reader->end_due = reader->over = reader->paused = false;
    reader->head_done = false;
    reader->before_head = 0;
    reader->failed = 0;
    reader->fault = NULL;
}

int crier_reply_reader_new(const struct crier_mem *mem, struct crier_reply_reader **ret)
{
    struct crier_reply_reader *reader = crier_mem_zalloc(mem, sizeof(*reader));

    if (!reader)
        return -ENOMEM;
    reader->mem = mem;
    crier_buf_init(&reader->text, mem);
    llhttp_settings_init(&reader->settings);
    reader->settings.on_message_begin = on_begin;
    reader->settings.on_header_field = on_field;
    reader->settings.on_header_value = on_value;
    reader->settings.on_header_value_complete = on_value_complete;
    reader->settings.on_headers_complete = on_headers;
    reader->settings.on_body = on_body;
    reader->settings.on_chunk_complete = on_chunk;
    reader->settings.on_message_complete = on_complete;
    crier_reply_reset(reader);
    *ret = reader;
    return 0;
}

struct crier_reply_reader *crier_reply_reader_free(struct crier_reply_reader *reader)
{
    if (!reader)
        return NULL;
    crier_buf_deinit(&reader->text);
    return crier_mem_free(reader->mem, reader);
}

/* ---- reading ---- */

/* Hands out what the callbacks left, in the order it came. */
static bool take(struct crier_reply_reader *reader, struct crier_reply_item *ret_item)
{
    if (reader->head_due) {
        reader->head_due = false;
        *ret_item =
            (struct crier_reply_item){.kind = CRIER_REPLY_HEAD, .reply = &reader->reply};
    } else if (reader->body.len > 0) {
        *ret_item = (struct crier_reply_item){.kind = CRIER_REPLY_BODY, .body = reader->body};
        reader->body = (struct crier_slice){NULL, 0};
    } else if (reader->end_due) {
        reader->end_due = false;
        reader->over = true;
        *ret_item = (struct crier_reply_item){.kind = CRIER_REPLY_END};
    } else {
        return false;
    }
    return true;
}

static int execute(struct crier_reply_reader *reader, struct crier_slice *input)
{
    const char *bytes = input->len > 0 ? input->data : "";
    llhttp_errno_t error = llhttp_execute(&reader->parser, bytes, input->len);
    size_t used = input->len;

    if (reader->failed)
        return reader->failed;
    reader->paused = error == HPE_PAUSED;
    if (reader->paused) {
        used = (size_t)(llhttp_get_error_pos(&reader->parser) - bytes);
        llhttp_resume(&reader->parser);
    } else if (error != HPE_OK) {
        fail(reader, -EPROTO, "the answer is not well-formed HTTP");
        return reader->failed;
    }
    *input = crier_slice_sub(*input, used, input->len);
    reader->before_head += reader->head_done ? 0 : used;
    if (reader->before_head > BEFORE_HEAD_BYTES)
        fail(reader, -EPROTO, "the head of the answer does not end");
    return reader->failed;
}

int crier_reply_next(struct crier_reply_reader *reader,
                     struct crier_slice *input,
                     struct crier_reply_item *ret_item)
{
    int r;

    for (;;) {
        if (reader->failed)
            return reader->failed;
        if (take(reader, ret_item))
            return 0;
        if (reader->over)
            *input = (struct crier_slice){NULL, 0};
        if (input->len == 0 && (!reader->paused || reader->over))
            return CRIER_REPLY_MORE;
        r = execute(reader, input);
        if (r < 0)
            return r;
    }
}

int crier_reply_finish(struct crier_reply_reader *reader)
{
    if (reader->over)
        return 0;
    if (reader->failed)
        return CRIER_REPLY_CUT;
    /* Only a body that is delimited by the end calls on_message_complete here. */
    (void)llhttp_finish(&reader->parser);
    reader->over = true;
    return reader->end_due ? 0 : CRIER_REPLY_CUT;
}

const char *crier_reply_fault(const struct crier_reply_reader *reader)
{
    return reader->fault ? reader->fault : "";
}

struct crier_slice crier_reply_header(const struct crier_reply *answer, struct crier_slice name)
{
    for (size_t i = 0; i < answer->header_count; i++)
        if (crier_slice_eq_nocase(answer->headers[i].name, name))
            return answer->headers[i].value;
    return (struct crier_slice){NULL, 0};
}
