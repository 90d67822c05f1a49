/* SPDX-License-Identifier: MIT */
/*
 * One line of an NDJSON batch, read as the publish it asks for.
 *
 *     {"topic":"a/b","data":{"any":"json"},"event":"type","retry":3000,"ttl":"10m","key":"k"}
 *
 *     line --jansson--> document: is it JSON, which members, of which types, strings unescaped
 *       |                   |
 *       +--span.c--> values, in the same order: the own characters of what is no string
 *
 * jansson's choices here:
 *
 *     JSON_DECODE_INT_AS_REAL     an integer that no 64 bits hold is no error: nobody reads
 *                                 the value, numbers are taken as their own characters
 *     JSON_ALLOW_NUL              a string may have \u0000; names of members may not
 *     not JSON_REJECT_DUPLICATES  it looks into `data` too, which is none of our business; a
 *                                 member twice shows by there being more of them in the line
 *                                 than in the document
 *
 * Ownership: strings in the publication are views on the batch's document, which lives until
 * the next line; everything else is a view on the line. jansson takes its memory from the C
 * library, not from the batch's allocator. While a line is read its tree can be many times as
 * large as the line; what is kept of it afterwards is the strings.
 *
 * What can fail: the line (-EINVAL, the batch's fault says what and on which line) and memory.
 * jansson 2.14 does not notice when the buffer it gathers a token in cannot grow; it fails at
 * the next allocation then. Should just that one allocation fail, the token lacks a character.
 */
#include "http/batch_parts.h"
#include "hub/publication.h"

#include "http/span.h"
#include <assert.h>
#include <jansson.h>

enum member {
    MEMBER_UNKNOWN = 0,
    MEMBER_TOPIC = 1,
    MEMBER_DATA = 2,
    MEMBER_EVENT = 3,
    MEMBER_RETRY = 4,
    MEMBER_TTL = 5,
    MEMBER_KEY = 6,
};
enum { MEMBERS = 6 };

static enum member member_of(struct crier_slice name)
{
    static const struct {
        struct crier_slice name;
        enum member member;
    } members[] = {
        {{"topic", 5}, MEMBER_TOPIC}, {{"data", 4}, MEMBER_DATA}, {{"event", 5}, MEMBER_EVENT},
        {{"retry", 5}, MEMBER_RETRY}, {{"ttl", 3}, MEMBER_TTL},   {{"key", 3}, MEMBER_KEY},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (crier_slice_eq(name, members[i].name))
            return members[i].member;
    }
    return MEMBER_UNKNOWN;
}

static struct crier_slice view(const json_t *string)
{
    return (struct crier_slice){json_string_value(string), json_string_length(string)};
}

static int
read_topic(struct crier_batch *batch, const json_t *value, struct crier_batch_item *p)
{
    if (!json_is_string(value))
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_TOPIC, "topic must be a string.");
    p->topic = view(value);
    if (p->topic.len == 0)
        return crier_batch_fail(
            batch, CRIER_PROBLEM_BAD_TOPIC,
            "topic is empty. Name one, or leave it out where the path names it.");
    p->has_topic = true;
    return 0;
}

static int read_type(struct crier_batch *batch, const json_t *value, struct crier_batch_item *p)
{
    const char *fault;

    if (!json_is_string(value))
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, "event must be a string.");
    p->type = view(value);
    fault = crier_publish_type_fault(p->type);
    return fault ? crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, fault) : 0;
}

static int read_key(struct crier_batch *batch, const json_t *value, struct crier_batch_item *p)
{
    const char *fault;

    if (!json_is_string(value))
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, "key must be a string.");
    p->key = view(value);
    fault = crier_publish_key_fault(p->key);
    return fault ? crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, fault) : 0;
}

/* span: its own characters, which must be the digits that a query would have. */
static int
read_retry(struct crier_batch *batch, struct crier_slice span, struct crier_batch_item *p)
{
    const char *fault = crier_publish_retry_fault(span, &p->retry_ms);

    p->has_retry = true;
    return fault ? crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, fault) : 0;
}

static int read_ttl(struct crier_batch *batch,
                    const json_t *value,
                    struct crier_slice span,
                    struct crier_batch_item *p)
{
    const char *fault;

    if (!json_is_string(value) && !json_is_number(value))
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER,
                                "ttl must be a number or a string.");
    fault = crier_publish_ttl_fault(json_is_string(value) ? view(value) : span, &p->ttl_ms);
    return fault ? crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, fault) : 0;
}

static int read_value(struct crier_batch *batch,
                      enum member member,
                      const json_t *value,
                      struct crier_slice span,
                      struct crier_batch_item *p)
{
    switch (member) {
    case MEMBER_TOPIC:
        return read_topic(batch, value, p);
    case MEMBER_DATA:
        p->data = json_is_string(value) ? view(value) : span;
        return 0;
    case MEMBER_EVENT:
        return read_type(batch, value, p);
    case MEMBER_RETRY:
        return read_retry(batch, span, p);
    case MEMBER_TTL:
        return read_ttl(batch, value, span, p);
    case MEMBER_KEY:
        return read_key(batch, value, p);
    case MEMBER_UNKNOWN:
        break;
    }
    return crier_batch_fail(batch, CRIER_PROBLEM_BAD_BODY,
                            "This line has a member that is not known. Known are: topic, data, "
                            "event, retry, ttl and key.");
}

static int bad_json(struct crier_batch *batch)
{
    return crier_batch_fail(batch, CRIER_PROBLEM_BAD_BODY,
                            "This line is not one JSON object. Send one object on each line, "
                            "such as {\"data\":\"hello\"}.");
}

/* Why there is no document. Running out of memory often looks like bad syntax to jansson, or
 * leaves no text at all; what malloc left in errno tells. */
static int load_fault(struct crier_batch *batch, const json_error_t *error, int error_number)
{
    static const struct {
        enum json_error_code code;
        const char *detail;
    } faults[] = {
        {json_error_invalid_utf8, "This line is not UTF-8. Send UTF-8."},
        {json_error_numeric_overflow,
         "This line has a number that is too large: no 64-bit float holds more than about "
         "1.8e308. Send it as a string."},
        {json_error_null_byte_in_key,
         "This line has a NUL in a member's name. Leave it out, or send the data as a string."},
        {json_error_stack_overflow,
         "This line is nested too deeply. Send the data as a string."},
    };
    enum json_error_code code = json_error_code(error);

    if (error_number == ENOMEM || code == json_error_out_of_memory || error->text[0] == '\0')
        return crier_batch_no_memory(batch);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (code == faults[i].code)
            return crier_batch_fail(batch, CRIER_PROBLEM_BAD_BODY, faults[i].detail);
    }
    return bad_json(batch);
}

static int load(struct crier_batch *batch, struct crier_slice line)
{
    json_error_t error = {.line = 0}; /* zeroed: jansson sets no code where it has no text */

    errno = 0;
    batch->document =
        json_loadb(line.data, line.len, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
    if (!batch->document)
        return load_fault(batch, &error, errno);
    return json_is_object(batch->document) ? 0 : bad_json(batch);
}

/* jansson keeps the order of members, so that document and values go side by side. */
static int
read_members(struct crier_batch *batch, struct crier_slice line, struct crier_batch_item *p)
{
    struct crier_slice values[MEMBERS];
    json_t *document = batch->document;
    size_t i = 0;

    if (crier_span_members(line, values, MEMBERS) > json_object_size(document))
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_BODY,
                                "This line has a member twice. Each may be there once: topic, "
                                "data, event, retry, ttl and key.");
    for (void *at = json_object_iter(document); at; at = json_object_iter_next(document, at)) {
        enum member member = member_of(crier_slice_of(json_object_iter_key(at)));
        const json_t *value = json_object_iter_value(at);
        struct crier_slice span = i < MEMBERS ? values[i++] : CRIER_SLICE("");
        int r;

        assert(span.len == 0 || json_is_string(value) == (span.data[0] == '"'));
        r = read_value(batch, member, value, span, p);
        if (r < 0)
            return r;
    }
    return 0;
}

static int
read_document(struct crier_batch *batch, struct crier_slice line, struct crier_batch_item *p)
{
    const json_t *data;
    int r = read_members(batch, line, p);

    if (r < 0)
        return r;
    data = json_object_get(batch->document, "data");
    if (!data)
        return crier_batch_fail(
            batch, CRIER_PROBLEM_BAD_BODY,
            "This line has no data member. Send at least {\"data\":\"hello\"}.");
    if (!p->has_topic && !batch->path_has_topic)
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_TOPIC,
                                "This line names no topic, and neither does the path. Add a "
                                "topic member, or publish to /events/<topic>.");
    /* Its span is all that is needed; a large tree must not wait with the batch. */
    if (!json_is_string(data))
        json_object_del(batch->document, "data");
    return 0;
}

void crier_ndjson_forget(struct crier_batch *batch)
{
    json_decref(batch->document);
    batch->document = NULL;
}

int crier_ndjson_line(struct crier_batch *batch,
                      struct crier_slice line,
                      struct crier_batch_item *ret)
{
    struct crier_batch_item p = {.line = batch->line_number};
    int r;

    batch->fault_line = batch->line_number;
    if (line.len > batch->max_event)
        return crier_batch_fail(batch, CRIER_PROBLEM_TOO_LARGE,
                                "This line is longer than an event may be. Send smaller "
                                "events, or start the hub with a larger --max-event-size.");
    r = load(batch, line);
    if (r == 0)
        r = read_document(batch, line, &p);
    if (r < 0)
        crier_ndjson_forget(batch);
    else
        *ret = p;
    return r;
}
