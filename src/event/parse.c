/* SPDX-License-Identifier: MIT */
/*
 * The event-stream parser (WHATWG HTML 9.2.5 and 9.2.6).
 *
 *    input --> pass_start --> take_line --> use_line --> use_comment ----> item (comment)
 *             (drops a BOM)       |             |------> use_field ------> item (retry)
 *                                 |             |           '-> set_field: data, type, id
 *                                 v             '------> dispatch -------> item (event, id)
 *                       MORE: `line` keeps               (blank line)
 *                       what has no end yet
 *
 * A line that lies whole in the input is used where it lies; only one that is cut by the end of
 * the input is gathered in `line`. Each byte is looked at once for either line end
 * (base/eol.h), and copied at most twice: the cost is linear however the input is split.
 *
 * Line ends are CR, LF and CRLF. A CR ends its line at once: to wait for an LF would hold the
 * event back until the next one. Instead skip_lf swallows an LF should it come next, in
 * whichever chunk.
 *
 * Buffers of the standard: `data` and `type` of the block; `id_buffer`, which is taken over as
 * last_id when the block ends. The standard's id buffer outlives the block; here it is empty
 * between blocks and own_id says whether it counts, which comes to the same, makes the drop of
 * an unfinished block trivial (its id goes with it), and gives "seeded with the known last id"
 * for nothing.
 *
 * UTF-8: line ends, the colon and the field names are ASCII, so no code point spans two fields,
 * and repairing each value by itself is the same as decoding the stream. In strict mode each
 * whole line must be well-formed, comments and unknown fields too.
 *
 * Invariants
 *   (1) line + data + type + id_buffer <= max_bytes whenever next() answers MORE
 *   (2) whether and where that bound is hit does not depend on how the input was split
 *   (3) failed is 0 or the error that every next() answers until end()
 *
 * Items borrow from the buffers, which are emptied at the start of the next call. What is
 * handed out has a NUL behind it, which no length counts: type, ids and comments get one when
 * they are stored, the data in place of its last LF.
 *
 * What can fail: memory, the bound, and in strict mode the encoding.
 */
#include "event/parse.h"

#include "base/mem.h"
#include "base/options.h"
#include "base/utf8.h"
#include <assert.h>
#include <string.h>

enum {
    DEFAULT_MAX_BYTES = 1024 * 1024,
    BOM_PAST = 4,
    NAME_MOST = 5, /* "event", "retry" */
};

static const char bom[3] = "\xEF\xBB\xBF";

/* ---- texts ---- */

/* Puts the NUL behind it. 0, -ENOMEM. */
static int terminate(struct crier_buf *buf)
{
    crier_buf_byte(buf, '\0');
    if (crier_buf_error(buf) < 0)
        return -ENOMEM;
    buf->len--;
    return 0;
}

/* What has never been stored is empty, not absent. */
static struct crier_slice text_of(const struct crier_buf *buf)
{
    return buf->len > 0 ? crier_buf_slice(buf) : CRIER_SLICE("");
}

/* ---- block ---- */

static void clear_block(struct crier_parser *p)
{
    crier_buf_clear(&p->data);
    crier_buf_clear(&p->type);
    crier_buf_clear(&p->id_buffer);
    p->block_line = 0;
    p->block_open = false;
    p->own_id = false;
    p->clear_pending = false;
}

/* With `line` more bytes of line, are we within the bound? */
static int check_size(const struct crier_parser *p, size_t line)
{
    size_t block = p->data.len + p->type.len + p->id_buffer.len; /* <= max_bytes + one value */

    return block > p->max_bytes || line > p->max_bytes - block ? -EMSGSIZE : 0;
}

/* P11. 0: *ret_item is filled; CRIER_MORE: there is nothing to tell. */
static int dispatch(struct crier_parser *p, struct crier_item *ret_item)
{
    size_t len = p->data.len;

    if (p->own_id) {
        struct crier_buf old = p->last_id;

        p->last_id = p->id_buffer;
        p->id_buffer = old;
    }
    if (len == 0 && !p->own_id) {
        clear_block(p);
        return CRIER_MORE;
    }
    *ret_item = (struct crier_item){
        .kind = len > 0 ? CRIER_ITEM_EVENT : CRIER_ITEM_ID,
        .id = text_of(&p->last_id),
        .own_id = p->own_id,
        .line = p->block_line,
    };
    if (len > 0) {
        p->data.data[len - 1] = '\0'; /* the last LF is none of it */
        ret_item->data = (struct crier_slice){p->data.data, len - 1};
        ret_item->type = p->type.len > 0 ? crier_buf_slice(&p->type) : CRIER_SLICE("message");
    }
    p->clear_pending = true;
    return 0;
}

/* ---- fields ---- */

static int set_field(struct crier_parser *p, struct crier_buf *field, struct crier_slice value)
{
    p->block_open = true;
    crier_utf8_repair(field, value);
    /* A repair makes up to three bytes of one: take_line will see it. */
    if (field != &p->data)
        return terminate(field);
    crier_buf_byte(field, '\n');
    return crier_buf_error(field);
}

/* The compiler makes one comparison of it: a name is looked at in every line. */
static inline bool is(struct crier_slice name, const char *field, size_t len)
{
    return name.len == len && memcmp(name.data, field, len) == 0;
}

/* P8 to P10. */
static bool parse_retry(struct crier_slice value, uint32_t *ret_ms)
{
    uint64_t ms;
    int r = crier_slice_to_u64(value, &ms);

    if (r == -EINVAL)
        return false;
    *ret_ms = r < 0 || ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
    return true;
}

static void
item_start(struct crier_parser *p, enum crier_item_kind kind, struct crier_item *item)
{
    *item = (struct crier_item){
        .kind = kind,
        .id = text_of(&p->last_id),
        .line = p->block_line,
    };
}

/* One line with a name: P8. Returns as dispatch() does. */
static int use_field(struct crier_parser *p,
                     struct crier_slice name,
                     struct crier_slice value,
                     struct crier_item *ret_item)
{
    struct crier_buf *field = NULL;
    uint32_t retry_ms;
    int r;

    if (is(name, "data", 4)) {
        field = &p->data;
    } else if (is(name, "event", 5)) {
        field = &p->type;
        crier_buf_clear(field);
    } else if (is(name, "id", 2)) {
        /* With a NUL it is as if it were not there: an earlier id of the block stays. */
        if (crier_slice_find(value, '\0') < value.len)
            return CRIER_MORE;
        field = &p->id_buffer;
        crier_buf_clear(field);
        p->own_id = true;
    } else if (is(name, "retry", 5) && parse_retry(value, &retry_ms)) {
        item_start(p, CRIER_ITEM_RETRY, ret_item);
        ret_item->retry_ms = retry_ms;
        return 0;
    }
    if (!field)
        return CRIER_MORE;
    r = set_field(p, field, value);
    return r < 0 ? r : CRIER_MORE;
}

static int
use_comment(struct crier_parser *p, struct crier_slice text, struct crier_item *ret_item)
{
    if (!(p->flags & CRIER_PARSER_COMMENTS))
        return CRIER_MORE;
    crier_buf_clear(&p->comment);
    crier_utf8_repair(&p->comment, text);
    if (terminate(&p->comment) < 0)
        return -ENOMEM;
    item_start(p, CRIER_ITEM_COMMENT, ret_item);
    ret_item->comment = crier_buf_slice(&p->comment);
    return 0;
}

/* Where the name ends: at the colon, at the end of the line, or behind more bytes than the name
 * of any field has: what it is does not matter then. */
static size_t name_end(struct crier_slice line)
{
    size_t end = 0;

    while (end < line.len && end <= NAME_MOST && line.data[end] != ':')
        end++;
    return end;
}

/* P7. Returns as dispatch() does, or an error. */
static int
use_line(struct crier_parser *p, struct crier_slice line, struct crier_item *ret_item)
{
    size_t name = name_end(line);
    struct crier_slice value;

    if (line.len == 0)
        return dispatch(p, ret_item);
    if ((p->flags & CRIER_PARSER_STRICT) && !crier_utf8_valid(line))
        return -EILSEQ;
    if (p->block_line == 0)
        p->block_line = p->line_number;
    value = crier_slice_sub(line, name + 1, line.len);
    if (name == 0)
        return use_comment(p, value, ret_item);
    if (value.len > 0 && value.data[0] == ' ')
        value = crier_slice_sub(value, 1, value.len);
    return use_field(p, crier_slice_sub(line, 0, name), value, ret_item);
}

/* ---- lines ---- */

static void set_input(struct crier_parser *p, struct crier_slice bytes)
{
    p->input = bytes;
    crier_eol_init(&p->eol);
}

static void consume(struct crier_parser *p, size_t count)
{
    p->input = crier_slice_sub(p->input, count, p->input.len);
    crier_eol_pass(&p->eol, count);
}

/* P2: swallows a BOM at the very start, however it is split. */
static int pass_start(struct crier_parser *p)
{
    while (p->bom_seen < sizeof(bom) && p->input.len > 0) {
        if (p->input.data[0] != bom[p->bom_seen]) {
            /* Not a BOM after all: what looked like one is the start of the first line. */
            crier_buf_add(&p->line, bom, p->bom_seen);
            p->bom_seen = BOM_PAST;
            return crier_buf_error(&p->line);
        }
        consume(p, 1);
        p->bom_seen++;
    }
    if (p->bom_seen == sizeof(bom))
        p->bom_seen = BOM_PAST;
    return 0;
}

/* 0: *ret_line is a line without its end, borrowed from `line` or the input;
 * CRIER_MORE: the input has no whole line left, `line` keeps its start. */
static int take_line(struct crier_parser *p, struct crier_slice *ret_line)
{
    struct crier_slice part;
    int r;

    if (p->skip_lf && p->input.len > 0) {
        if (p->input.data[0] == '\n')
            consume(p, 1);
        p->skip_lf = false;
    }
    part = crier_slice_sub(p->input, 0, crier_eol_find(&p->eol, p->input));
    r = check_size(p, p->line.len + part.len);
    if (r < 0)
        return r;
    if (part.len == p->input.len || p->line.len > 0) {
        crier_buf_append(&p->line, part);
        if (crier_buf_error(&p->line) < 0)
            return -ENOMEM;
    }
    if (part.len == p->input.len) {
        consume(p, part.len);
        return CRIER_MORE;
    }
    p->skip_lf = p->input.data[part.len] == '\r';
    consume(p, part.len + 1);
    p->line_number++;
    *ret_line = p->line.len > 0 ? crier_buf_slice(&p->line) : part;
    p->line_taken = true;
    return 0;
}

/* ---- public ---- */

int crier_parser_init(struct crier_parser *p,
                      const struct crier_mem *mem,
                      size_t max_bytes,
                      unsigned flags,
                      struct crier_slice last_id)
{
    *p = (struct crier_parser){
        .mem = mem,
        .max_bytes = max_bytes ? max_bytes : DEFAULT_MAX_BYTES,
        .flags = flags,
    };
    set_input(p, (struct crier_slice){NULL, 0});
    crier_buf_init(&p->line, mem);
    crier_buf_init(&p->data, mem);
    crier_buf_init(&p->type, mem);
    crier_buf_init(&p->id_buffer, mem);
    crier_buf_init(&p->last_id, mem);
    crier_buf_init(&p->comment, mem);
    if (!last_id.len)
        return 0;
    crier_buf_append(&p->last_id, last_id);
    if (terminate(&p->last_id) < 0) {
        crier_buf_deinit(&p->last_id);
        return -ENOMEM;
    }
    return 0;
}

void crier_parser_deinit(struct crier_parser *p)
{
    crier_buf_deinit(&p->line);
    crier_buf_deinit(&p->data);
    crier_buf_deinit(&p->type);
    crier_buf_deinit(&p->id_buffer);
    crier_buf_deinit(&p->last_id);
    crier_buf_deinit(&p->comment);
    set_input(p, (struct crier_slice){NULL, 0});
}

/* An id that no stream can have given is none to go on after. */
static bool is_id(struct crier_slice id)
{
    return crier_slice_find_eol(id) == id.len && crier_slice_find(id, '\0') == id.len;
}

struct crier_parser *crier_parser_new_with(const struct crier_parser_options *options)
{
    const unsigned known = CRIER_PARSER_COMMENTS | CRIER_PARSER_STRICT;
    struct crier_parser_options o;

    crier_options_read(&o, sizeof(o), options);
    if (o.max_event_bytes < 0 || (o.flags & ~known) || !is_id(o.last_id))
        return NULL;

    const struct crier_mem *mem = o.mem ? o.mem : &crier_mem_libc;
    struct crier_parser *p = crier_mem_alloc(mem, sizeof(*p));
    if (p && crier_parser_init(p, mem, (size_t)o.max_event_bytes, o.flags, o.last_id) < 0)
        return crier_mem_free(mem, p);
    return p;
}

struct crier_parser *crier_parser_free(struct crier_parser *p)
{
    if (!p)
        return NULL;
    crier_parser_deinit(p);
    return crier_mem_free(p->mem, p);
}

int crier_parser_feed(struct crier_parser *p, struct crier_slice bytes)
{
    if (!p)
        return CRIER_ENOMEM;
    if (p->input.len > 0 && !p->failed)
        return CRIER_EBUSY;
    set_input(p, bytes);
    return 0;
}

static int next(struct crier_parser *p, struct crier_item *ret_item)
{
    struct crier_slice line;
    int r;

    if (p->clear_pending)
        clear_block(p);
    r = pass_start(p);
    if (r < 0)
        return r;
    for (;;) {
        if (p->line_taken) {
            crier_buf_clear(&p->line);
            p->line_taken = false;
        }
        r = take_line(p, &line);
        if (r != 0)
            return r;
        r = use_line(p, line, ret_item);
        if (r <= 0)
            return r;
    }
}

int crier_parser_next(struct crier_parser *p, struct crier_item *ret_item)
{
    int r;

    if (!p)
        return CRIER_ENOMEM;
    if (p->failed)
        return p->failed;
    r = next(p, ret_item);
    if (r < 0)
        p->failed = r;
    return r;
}

int crier_parser_end(struct crier_parser *p)
{
    bool partial;

    if (!p)
        return CRIER_ENOMEM;
    partial = p->input.len > 0 || (p->line.len > 0 && !p->line_taken) || p->failed ||
              (p->block_open && !p->clear_pending) ||
              (p->bom_seen > 0 && p->bom_seen < sizeof(bom));

    clear_block(p);
    crier_buf_clear(&p->line);
    set_input(p, (struct crier_slice){NULL, 0});
    p->line_number = 0;
    p->bom_seen = 0;
    p->skip_lf = false;
    p->line_taken = false;
    p->failed = 0;
    return partial ? CRIER_PARTIAL : 0;
}

struct crier_slice crier_parser_last_id(const struct crier_parser *p)
{
    return p ? text_of(&p->last_id) : (struct crier_slice){NULL, 0};
}
