/* SPDX-License-Identifier: MIT */
/*
 * The parser for tests in other languages. On standard input chunks of streams, each behind its
 * length (four bytes, least significant first); a length of FFFFFFFF ends the stream. On
 * standard output what came out of them, one JSON value a line:
 *
 *     {"kind":"event","type":"message","data":"x","id":"1","own":true,"line":1}
 *     {"kind":"id","id":"1"}   {"kind":"retry","ms":10}   {"kind":"comment","text":"x"}
 *     "end" or "partial"       at the end of each stream
 */
#include "base/buf.h"
#include "base/mem.h"
#include "crier/event.h"
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_MAX = 1 << 24 };
#define END UINT32_MAX

static void die(const char *what)
{
    fprintf(stderr, "parse: %s\n", what);
    exit(1);
}

/* false: there is nothing more. */
static bool read_all(void *to, size_t len)
{
    size_t got = fread(to, 1, len, stdin);

    if (got > 0 && got < len)
        die("the input ends in the middle");
    return got == len;
}

static void put_member(struct crier_buf *out, const char *name, struct crier_slice value)
{
    crier_buf_printf(out, ",\"%s\":", name);
    crier_buf_json_string(out, value);
}

static void put_item(struct crier_buf *out, const struct crier_item *item)
{
    static const char *const kinds[] = {"", "event", "id", "retry", "comment"};

    crier_buf_printf(out, "{\"kind\":\"%s\"", kinds[item->kind]);
    switch (item->kind) {
    case CRIER_ITEM_EVENT:
        put_member(out, "type", item->type);
        put_member(out, "data", item->data);
        put_member(out, "id", item->id);
        crier_buf_printf(out, ",\"own\":%s,\"line\":%llu", item->own_id ? "true" : "false",
                         (unsigned long long)item->line);
        break;
    case CRIER_ITEM_ID:
        put_member(out, "id", item->id);
        break;
    case CRIER_ITEM_RETRY:
        crier_buf_printf(out, ",\"ms\":%u", item->retry_ms);
        break;
    case CRIER_ITEM_COMMENT:
        put_member(out, "text", item->comment);
        break;
    }
    crier_buf_append(out, CRIER_SLICE("}\n"));
}

static void print(struct crier_buf *out)
{
    if (crier_buf_error(out) < 0 || fwrite(out->data, 1, out->len, stdout) < out->len)
        die("cannot write");
    crier_buf_clear(out);
}

static void parse(struct crier_parser *parser, struct crier_slice chunk, struct crier_buf *out)
{
    struct crier_item item;
    int r;

    if (crier_parser_feed(parser, chunk) < 0)
        die("the parser takes nothing");
    while ((r = crier_parser_next(parser, &item)) == 0)
        put_item(out, &item);
    if (r < 0)
        die(crier_strerror(r));
    if (out->len > 0)
        print(out);
}

int main(void)
{
    struct crier_parser *parser = crier_parser_new(.flags = CRIER_PARSER_COMMENTS);
    char *chunk = malloc(CHUNK_MAX);
    unsigned char head[4];
    struct crier_buf out;

    crier_buf_init(&out, &crier_mem_libc);
    if (!parser || !chunk)
        die("out of memory");
    while (read_all(head, sizeof(head))) {
        uint32_t len = (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
                       (uint32_t)head[3] << 24;

        if (len == END) {
            /* The last event id outlives the stream; here each begins without one. */
            bool partial = crier_parser_end(parser) == CRIER_PARTIAL;
            crier_parser_free(parser);
            parser = crier_parser_new(.flags = CRIER_PARSER_COMMENTS);
            crier_buf_printf(&out, "\"%s\"\n", partial ? "partial" : "end");
            print(&out);
            continue;
        }
        if (len > CHUNK_MAX || (len > 0 && !read_all(chunk, len)))
            die("a bad chunk");
        parse(parser, (struct crier_slice){chunk, len}, &out);
    }
    crier_parser_free(parser);
    crier_buf_deinit(&out);
    free(chunk);
    return 0;
}
