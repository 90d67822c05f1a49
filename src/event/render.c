/* SPDX-License-Identifier: MIT */
#include "event/render.h"

#include "base/buf.h"
#include "base/clock.h"

static const struct crier_slice data_prefix = {"data: ", 6};
static const struct crier_slice retry_prefix = {"retry: ", 7};

/* The data as one JSON string, straight out of its lines: they are joined by \n. */
static void put_json_data(struct crier_buf *buf, struct crier_slice sse)
{
    struct crier_slice separator = CRIER_SLICE("");

    crier_buf_byte(buf, '"');
    while (sse.len > 0) {
        struct crier_slice line = crier_slice_cut(&sse, '\n');

        if (!crier_slice_starts(line, data_prefix))
            continue;
        crier_buf_append(buf, separator);
        crier_buf_json_escape(buf, crier_slice_sub(line, data_prefix.len, line.len));
        separator = CRIER_SLICE("\\n");
    }
    crier_buf_byte(buf, '"');
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

/* The retry line of an encoded event, if any: it stands before the data (event.h). */
static void put_retry(struct crier_buf *buf, struct crier_slice sse)
{
    while (sse.len > 0) {
        struct crier_slice line = crier_slice_cut(&sse, '\n');

        if (crier_slice_starts(line, data_prefix))
            return;
        if (crier_slice_starts(line, retry_prefix)) {
            crier_buf_append(buf, line);
            crier_buf_byte(buf, '\n');
            return;
        }
    }
}

void crier_render_envelope(struct crier_buf *buf, const struct crier_render_fields *fields)
{
    put_retry(buf, fields->sse);
    crier_buf_append(buf, CRIER_SLICE("id: "));
    crier_id_append(buf, fields->id);
    crier_buf_append(buf, CRIER_SLICE("\ndata: "));
    crier_render_json(buf, fields);
    crier_buf_append(buf, CRIER_SLICE("\n\n"));
}
