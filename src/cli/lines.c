/* SPDX-License-Identifier: MIT */
#include "cli/lines.h"

#include "base/utf8.h"

void crier_lines_init(struct crier_lines *lines, const struct crier_mem *mem)
{
    *lines = (struct crier_lines){.count = 0};
    crier_buf_init(&lines->members, mem);
    crier_buf_init(&lines->part, mem);
}

void crier_lines_deinit(struct crier_lines *lines)
{
    crier_buf_deinit(&lines->members);
    crier_buf_deinit(&lines->part);
}

void crier_lines_member(struct crier_lines *lines,
                        const char *name,
                        struct crier_slice value,
                        bool text)
{
    crier_buf_printf(&lines->members, "\"%s\":", name);
    if (text)
        crier_buf_json_string(&lines->members, value);
    else
        crier_buf_append(&lines->members, value);
    crier_buf_byte(&lines->members, ',');
}

static int add_line(struct crier_lines *lines, struct crier_slice line, struct crier_buf *out)
{
    if (crier_slice_ends(line, CRIER_SLICE("\r")))
        line.len--;
    if (!crier_utf8_valid(line)) {
        lines->fault = "it is not UTF-8 text";
        return -EINVAL;
    }
    crier_buf_byte(out, '{');
    crier_buf_append(out, crier_buf_slice(&lines->members));
    crier_buf_append(out, CRIER_SLICE("\"data\":"));
    crier_buf_json_string(out, line);
    crier_buf_append(out, CRIER_SLICE("}\n"));
    lines->count++;
    return crier_buf_error(out);
}

/* Keeps the start of a line for later. */
static int keep_part(struct crier_lines *lines, struct crier_slice bytes)
{
    if (bytes.len > CRIER_LINE_BYTES - lines->part.len) {
        lines->fault = "it is longer than 16 MiB";
        return -EINVAL;
    }
    crier_buf_append(&lines->part, bytes);
    return crier_buf_error(&lines->part);
}

int crier_lines_feed(struct crier_lines *lines, struct crier_slice bytes, struct crier_buf *out)
{
    for (;;) {
        size_t end = crier_slice_find(bytes, '\n');
        struct crier_slice line = crier_slice_sub(bytes, 0, end);
        int r;

        if (end == bytes.len)
            return keep_part(lines, bytes);
        bytes = crier_slice_sub(bytes, end + 1, bytes.len);
        r = 0;
        if (lines->part.len > 0) {
            r = keep_part(lines, line);
            line = crier_buf_slice(&lines->part);
        }
        if (r == 0)
            r = add_line(lines, line, out);
        if (r < 0)
            return r;
        crier_buf_clear(&lines->part);
    }
}

int crier_lines_end(struct crier_lines *lines, struct crier_buf *out)
{
    int r;

    if (lines->part.len == 0)
        return 0;
    r = add_line(lines, crier_buf_slice(&lines->part), out);
    if (r == 0)
        crier_buf_clear(&lines->part);
    return r;
}
