/* SPDX-License-Identifier: MIT */
#include "event/render.h"

#include "base/buf.h"
#include "base/clock.h"

static const struct crier_slice data_prefix = {"data: ", 6};
static const struct crier_slice retry_prefix = {"retry: ", 7};

/* The next line of data, or false. */
static bool next_data(struct crier_slice *sse, struct crier_slice *ret_line)
{
    while (sse->len > 0) {
        struct crier_slice line = crier_slice_cut(sse, '\n');

        if (crier_slice_starts(line, data_prefix)) {
            *ret_line = crier_slice_sub(line, data_prefix.len, line.len);
            return true;
        }
    }
    return false;
}

/* The data as one JSON string, straight out of its lines: they are joined by \n. */
static void put_json_data(struct crier_buf *buf, struct crier_slice sse)
{
    struct crier_slice line, separator = CRIER_SLICE("");

    crier_buf_byte(buf, '"');
    while (next_data(&sse, &line)) {
        crier_buf_append(buf, separator);
        crier_buf_json_escape(buf, line);
        separator = CRIER_SLICE("\\n");
    }
    crier_buf_byte(buf, '"');
}

void crier_render_data(struct crier_buf *buf, struct crier_slice sse)
{
    struct crier_slice line, separator = CRIER_SLICE("");

    while (next_data(&sse, &line)) {
        crier_buf_append(buf, separator);
        crier_buf_append(buf, line);
        separator = CRIER_SLICE("\n");
    }
}

void crier_render_json(struct crier_buf *buf, const struct crier_render_fields *fields)
{
    crier_buf_append(buf, CRIER_SLICE("{\"id\":\""));
    crier_id_append(buf, fields->id);
    crier_buf_append(buf, CRIER_SLICE("\",\"topic\":"));
    crier_buf_json_string(buf, fields->topic);
    crier_buf_append(buf, CRIER_SLICE(",\"event\":"));
    crier_buf_json_string(buf, fields->type.len ? fields->type : CRIER_SLICE("message"));
    crier_buf_append(buf, CRIER_SLICE(",\"data\":"));
    put_json_data(buf, fields->sse);
    crier_buf_append(buf, CRIER_SLICE(",\"time\":\""));
    crier_time_format(buf, fields->wall_ms);
    crier_buf_append(buf, CRIER_SLICE("\"}"));
}

/* The retry line of an encoded event, without its end; NULL: there is none. It stands before
 * the data (crier/event.h). */
static struct crier_slice retry_line(struct crier_slice sse)
{
    while (sse.len > 0) {
        struct crier_slice line = crier_slice_cut(&sse, '\n');

        if (crier_slice_starts(line, data_prefix))
            break;
        if (crier_slice_starts(line, retry_prefix))
            return line;
    }
    return (struct crier_slice){NULL, 0};
}

bool crier_render_retry(struct crier_slice sse, uint32_t *ret_ms)
{
    struct crier_slice line = retry_line(sse);
    uint64_t ms;

    if (crier_slice_to_u64(crier_slice_sub(line, retry_prefix.len, line.len), &ms) < 0)
        return false;
    *ret_ms = (uint32_t)ms;
    return true;
}

void crier_render_envelope(struct crier_buf *buf, const struct crier_render_fields *fields)
{
    struct crier_slice retry = retry_line(fields->sse);

    if (retry.len) {
        crier_buf_append(buf, retry);
        crier_buf_byte(buf, '\n');
    }
    crier_buf_append(buf, CRIER_SLICE("id: "));
    crier_id_append(buf, fields->id);
    crier_buf_append(buf, CRIER_SLICE("\ndata: "));
    crier_render_json(buf, fields);
    crier_buf_append(buf, CRIER_SLICE("\n\n"));
}
