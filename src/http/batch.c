/* SPDX-License-Identifier: MIT */
/*
 * Publish bodies that hold many events.
 *
 *     NDJSON         input --whole line--> crier_ndjson_line --> publication
 *                      |
 *                      +--part of a line--> `line`, until its LF or the end of the body comes
 *
 *     event stream   crier_parser --event item--> read_block --> publication
 *
 * A line that lies whole in the input is read where it is; only one that is cut by a split is
 * copied, and no more of it than shows that it is too long.
 *
 * Between calls memory is bounded by about twice max_event, whatever a line or block holds (for
 * what it takes to read a line see ndjson.c). Every error stays: a batch ends at its first bad
 * line, with `fault`, a sentence and the physical line; -EINVAL or -ENOMEM is what the caller
 * gets.
 */
#include "http/batch.h"

#include "http/batch_parts.h"
#include "hub/publication.h"

int crier_batch_fail(struct crier_batch *batch, enum crier_problem fault, const char *detail)
{
    batch->fault = fault;
    batch->fault_detail = detail;
    return -EINVAL;
}

int crier_batch_no_memory(struct crier_batch *batch)
{
    batch->fault = CRIER_PROBLEM_INTERNAL;
    batch->fault_detail = "There is not enough memory to read this line. Try again later.";
    return -ENOMEM;
}

/* Without its CR, and at the very start without a byte order mark. */
static struct crier_slice trim_line(const struct crier_batch *batch, struct crier_slice line)
{
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    if (batch->line_number == 1 && crier_slice_starts(line, CRIER_SLICE("\xef\xbb\xbf")))
        line = crier_slice_sub(line, 3, line.len);
    return line;
}

/* Keeps the start of a line whose end is still to come. What is over the bound is not kept, but
 * one byte of it is, so that the line is known to be too long (a CR may still be taken off). */
static int keep(struct crier_batch *batch, struct crier_slice part)
{
    size_t room =
        batch->max_event + 5 - batch->line.len; /* byte order mark, CR, and one too many */

    crier_buf_append(&batch->line, crier_slice_sub(part, 0, room));
    return crier_buf_error(&batch->line) < 0 ? crier_batch_no_memory(batch) : 0;
}

/* The next line's end is found: *ret_line borrows from `line` or the input. CRIER_BATCH_MORE:
 * there is none. */
static int next_line(struct crier_batch *batch, struct crier_slice *ret_line)
{
    size_t at = crier_slice_find(batch->input, '\n');
    struct crier_slice part = crier_slice_sub(batch->input, 0, at);
    bool found = at < batch->input.len;
    int r;

    batch->input = crier_slice_sub(batch->input, at + 1, batch->input.len);
    if (!found || batch->line.len > 0) {
        r = keep(batch, part);
        if (r < 0)
            return r;
        part = crier_buf_slice(&batch->line);
    }
    if (!found && part.len > batch->max_event + 4) {
        batch->line_number++;
        *ret_line = part; /* refused before its end is known */
        return 0;
    }
    if (!found && (!batch->ended || part.len == 0))
        return CRIER_BATCH_MORE;
    batch->line_number++;
    *ret_line = trim_line(batch, part);
    batch->line_taken = true;
    return 0;
}

static int next_ndjson(struct crier_batch *batch, struct crier_batch_item *ret)
{
    struct crier_slice line;
    int r;

    crier_ndjson_forget(batch);
    do {
        if (batch->line_taken)
            crier_buf_clear(&batch->line);
        batch->line_taken = false;
        r = next_line(batch, &line);
        if (r != 0)
            return r;
    } while (line.len == 0);
    return crier_ndjson_line(batch, line, ret);
}

/* Event streams */

static int stream_fault(struct crier_batch *batch, int error)
{
    const struct crier_parser *parser = &batch->parser;

    batch->fault_line = parser->line_number;
    switch (error) {
    case -ENOMEM:
        return crier_batch_no_memory(batch);
    case -EMSGSIZE:
        /* The block's first line; it is the one being read when there is none yet. */
        batch->fault_line = parser->block_line ? parser->block_line : parser->line_number + 1;
        return crier_batch_fail(batch, CRIER_PROBLEM_TOO_LARGE,
                                "This block is longer than an event may be. Send smaller "
                                "events, or start the hub with a larger --max-event-size.");
    default:
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_BODY,
                                "This line is not UTF-8. Send UTF-8.");
    }
}

static int read_block(struct crier_batch *batch,
                      const struct crier_item *item,
                      struct crier_batch_item *ret)
{
    struct crier_batch_item p = {.type = item->type, .data = item->data, .line = item->line};
    const char *fault = crier_type_text_fault(item->type);

    batch->fault_line = item->line;
    if (!batch->path_has_topic)
        return crier_batch_fail(
            batch, CRIER_PROBLEM_BAD_TOPIC,
            "An event stream cannot name topics. Publish it to /events/<topic>.");
    if (item->own_id && item->id.len > 0) {
        p.key = item->id;
        if (!fault)
            fault = crier_publish_key_fault(p.key)
                        ? "A block's id is its key: 1 to 128 printable ASCII characters."
                        : NULL;
    }
    if (fault)
        return crier_batch_fail(batch, CRIER_PROBLEM_BAD_PARAMETER, fault);
    *ret = p;
    return 0;
}

/* Another hub's own events are about its streams, not about the topic; but a gap is a gap here
 * too. */
static bool is_dropped(const struct crier_item *item)
{
    return item->kind != CRIER_ITEM_EVENT ||
           (crier_type_is_reserved(item->type) &&
            !crier_slice_eq(item->type, CRIER_SLICE("crier:gap")));
}

static int next_stream(struct crier_batch *batch, struct crier_batch_item *ret)
{
    struct crier_item item;
    int r;

    do {
        r = crier_parser_next(&batch->parser, &item);
        if (r < 0)
            return stream_fault(batch, r);
        if (r > 0) {
            if (batch->ended && !batch->finished)
                batch->incomplete = crier_parser_end(&batch->parser) == CRIER_PARTIAL;
            batch->finished = batch->ended;
            return CRIER_BATCH_MORE;
        }
    } while (is_dropped(&item));
    return read_block(batch, &item, ret);
}

int crier_batch_init(struct crier_batch *batch,
                     const struct crier_mem *mem,
                     enum crier_batch_kind kind,
                     size_t max_event,
                     bool path_has_topic)
{
    struct crier_batch init = {
        .mem = mem,
        .kind = kind,
        .max_event = max_event,
        .path_has_topic = path_has_topic,
    };

    if (kind == CRIER_BATCH_EVENT_STREAM) {
        int r = crier_parser_init(&init.parser, mem, max_event, CRIER_PARSER_STRICT,
                                  (struct crier_slice){NULL, 0});

        if (r < 0)
            return r;
    }
    crier_buf_init(&init.line, mem);
    *batch = init;
    return 0;
}

void crier_batch_deinit(struct crier_batch *batch)
{
    if (batch->kind == CRIER_BATCH_EVENT_STREAM)
        crier_parser_deinit(&batch->parser);
    crier_buf_deinit(&batch->line);
    crier_ndjson_forget(batch);
}

void crier_batch_feed(struct crier_batch *batch, struct crier_slice bytes)
{
    if (batch->kind == CRIER_BATCH_EVENT_STREAM)
        crier_parser_feed(&batch->parser, bytes);
    else
        batch->input = bytes;
}

void crier_batch_end(struct crier_batch *batch)
{
    batch->ended = true;
}

int crier_batch_next(struct crier_batch *batch, struct crier_batch_item *ret)
{
    int r;

    if (batch->failed)
        return batch->failed;
    if (batch->kind == CRIER_BATCH_EVENT_STREAM)
        r = next_stream(batch, ret);
    else
        r = next_ndjson(batch, ret);
    if (r < 0)
        batch->failed = r;
    return r;
}
