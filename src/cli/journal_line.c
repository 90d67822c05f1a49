/* SPDX-License-Identifier: MIT */
/*
 * Lines of an exported journal. Reading is strict: a member that is not known, is there twice
 * or has a value that no hub would have taken is a fault, for a history that is wrong would be
 * told to every client that resumes.
 */
#include "cli/journal_line.h"

#include "base/clock.h"
#include "event/render.h"
#include "hub/publication.h"
#include "hub/topic.h"
#include <jansson.h>

/* The last millisecond of the year 9999: what is later has no place in a time stamp. */
#define LATEST_MS UINT64_C(253402300799999)

/* ---- writing ----------------------------------------------------------------------------- */

static void member(struct crier_buf *buf, const char *name, struct crier_slice text)
{
    crier_buf_printf(buf, ",\"%s\":", name);
    crier_buf_json_string(buf, text);
}

static void write_topics(struct crier_buf *buf, const struct crier_record *record)
{
    if (record->topic_count == 1) {
        member(buf, "topic", record->topics[0]);
        return;
    }
    crier_buf_append(buf, CRIER_SLICE(",\"topics\":["));
    for (size_t i = 0; i < record->topic_count; i++) {
        if (i > 0)
            crier_buf_byte(buf, ',');
        crier_buf_json_string(buf, record->topics[i]);
    }
    crier_buf_byte(buf, ']');
}

/* In whole seconds where it is. */
static void write_ttl(struct crier_buf *buf, uint64_t ms)
{
    bool whole = ms % 1000 == 0;

    crier_buf_printf(buf, ",\"ttl\":\"%llu%s\"", (unsigned long long)(whole ? ms / 1000 : ms),
                     whole ? "s" : "ms");
}

void crier_journal_line_write(struct crier_buf *buf,
                              const struct crier_record *record,
                              struct crier_slice key,
                              uint64_t ttl_ms)
{
    uint32_t retry_ms;

    crier_buf_append(buf, CRIER_SLICE("{\"id\":\""));
    crier_id_append(buf, record->id);
    crier_buf_byte(buf, '"');
    write_topics(buf, record);
    if (record->type.len > 0)
        member(buf, "event", record->type);
    if (crier_render_retry(record->sse, &retry_ms))
        crier_buf_printf(buf, ",\"retry\":%u", (unsigned)retry_ms);
    if (ttl_ms > 0)
        write_ttl(buf, ttl_ms);
    if (key.len > 0)
        member(buf, "key", key);
    crier_buf_append(buf, CRIER_SLICE(",\"time\":\""));
    crier_time_format(buf, record->wall_ms);
    crier_buf_append(buf, CRIER_SLICE("\",\"data\":\""));
    {
        struct crier_buf data;

        crier_buf_init(&data, buf->mem);
        crier_render_data(&data, record->sse);
        if (crier_buf_error(&data) < 0)
            buf->failed = true;
        else
            crier_buf_json_escape(buf, crier_buf_slice(&data));
        crier_buf_deinit(&data);
    }
    crier_buf_append(buf, CRIER_SLICE("\"}\n"));
}

/* ---- reading ----------------------------------------------------------------------------- */

static struct crier_slice text_of(const json_t *value)
{
    return (struct crier_slice){json_string_value(value), json_string_length(value)};
}

static const char *read_id(const json_t *value, struct crier_journal_line *line)
{
    if (!json_is_string(value) || crier_id_parse(text_of(value), &line->id) < 0)
        return "id is \"<milliseconds>-<sequence>\", as export writes it";
    if (line->id.ms == 0 || line->id.ms > LATEST_MS)
        return "its id lies before 1970 or after the year 9999";
    return NULL;
}

static const char *add_topic(const json_t *value, struct crier_journal_line *line)
{
    const char *fault;

    if (!json_is_string(value))
        return "a topic is a string";
    if (line->topic_count == CRIER_TOPICS_PER_EVENT)
        return "an event has at most 8 topics";
    fault = crier_topic_fault(text_of(value));
    for (size_t i = 0; !fault && i < line->topic_count; i++)
        if (crier_slice_eq(line->topics[i], text_of(value)))
            fault = "a topic is there twice";
    if (!fault)
        line->topics[line->topic_count++] = text_of(value);
    return fault;
}

static const char *read_topics(const json_t *value, struct crier_journal_line *line)
{
    const char *fault = json_is_array(value) ? NULL : "topics is an array of strings";

    for (size_t i = 0; !fault && i < json_array_size(value); i++)
        fault = add_topic(json_array_get(value, i), line);
    return fault;
}

static const char *read_type(const json_t *value, struct crier_journal_line *line)
{
    if (!json_is_string(value))
        return "event is a string";
    line->type = text_of(value);
    if (crier_slice_eq(line->type, CRIER_SLICE("message")))
        line->type.len = 0;
    return crier_publish_type_fault(text_of(value));
}

static const char *read_retry(const json_t *value, struct crier_journal_line *line)
{
    json_int_t ms = json_is_integer(value) ? json_integer_value(value) : -1;
    const char *fault = ms < 0 ? "retry is a number of milliseconds"
                               : crier_publish_retry_ms_fault((uint64_t)ms);

    line->has_retry = true;
    line->retry_ms = (uint32_t)ms;
    return fault;
}

static const char *read_ttl(const json_t *value, struct crier_journal_line *line)
{
    if (!json_is_string(value) || crier_duration_parse(text_of(value), &line->ttl_ms) < 0 ||
        line->ttl_ms < 1000)
        return "ttl is a duration of at least a second, as in \"60s\" or \"1500ms\"";
    return NULL;
}

static const char *read_key(const json_t *value, struct crier_journal_line *line)
{
    if (!json_is_string(value))
        return "key is a string";
    line->key = text_of(value);
    return crier_publish_key_fault(line->key);
}

static const char *read_time(const json_t *value, struct crier_journal_line *line)
{
    if (!json_is_string(value) || crier_time_parse(text_of(value), &line->wall_ms) < 0)
        return "time is an RFC 3339 time, as in \"2026-01-31T12:00:00.000Z\"";
    return NULL;
}

static const char *read_data(const json_t *value, struct crier_journal_line *line)
{
    line->data = text_of(value);
    return json_is_string(value) ? NULL : "data is a string";
}

static const char *
read_member(const char *name, const json_t *value, struct crier_journal_line *line)
{
    static const struct {
        const char *name;
        const char *(*read)(const json_t *value, struct crier_journal_line *line);
    } members[] = {
        {"id", read_id},      {"topic", add_topic},  {"topics", read_topics},
        {"event", read_type}, {"retry", read_retry}, {"ttl", read_ttl},
        {"key", read_key},    {"time", read_time},   {"data", read_data},
    };

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (strcmp(name, members[i].name) == 0)
            return members[i].read(value, line);
    return "it has a member that is not known. Known are id, topic, topics, event, retry, ttl, "
           "key, time and data";
}

static const char *read_members(struct crier_journal_line *line)
{
    json_t *document = line->document;
    const char *fault = NULL;

    for (void *at = json_object_iter(document); at && !fault;
         at = json_object_iter_next(document, at))
        fault = read_member(json_object_iter_key(at), json_object_iter_value(at), line);
    if (fault)
        return fault;
    if (line->id.ms == 0 || line->topic_count == 0 || !json_object_get(document, "time") ||
        !json_object_get(document, "data"))
        return "id, topic, time and data must be there";
    return NULL;
}

static const char *load_fault(const json_error_t *error)
{
    if (json_error_code(error) == json_error_duplicate_key)
        return "it has a member twice";
    if (json_error_code(error) == json_error_invalid_utf8)
        return "it is not UTF-8";
    if (json_error_code(error) == json_error_out_of_memory)
        return "out of memory";
    return "it is not one JSON object, as export writes them";
}

const char *crier_journal_line_read(struct crier_slice text, struct crier_journal_line *ret)
{
    json_error_t error = {.line = 0};
    struct crier_journal_line line = {
        .document =
            json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error)};
    const char *fault;

    if (!line.document)
        return load_fault(&error);
    fault = json_is_object(line.document) ? read_members(&line)
                                          : "it is not one JSON object, as export writes them";
    if (fault)
        json_decref(line.document);
    else
        *ret = line;
    return fault;
}

void crier_journal_line_release(struct crier_journal_line *line)
{
    json_decref(line->document);
    line->document = NULL;
}
