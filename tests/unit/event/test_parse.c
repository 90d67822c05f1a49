/* SPDX-License-Identifier: MIT */
/*
 * The parser against the rules of WHATWG HTML 9.2.6. What it makes of a stream is written down
 * as a line of text, so that it can be compared with what is expected and with itself:
 *
 *     tick[a\nb]#7*@3     event of type tick, data "a\nb", last event id 7, its own, from line
 * 3 id#7@3              a block that only moved the id retry(3000)@1       comment(text)@1
 *     partial             at the end, if something was dropped
 *     EMSGSIZE            the error that ended it
 */
#include "support.h"

#include "base/rng.h"
#include "event/parse.h"

#define S(literal) CRIER_SLICE(literal)
#define FFFD "\xEF\xBF\xBD"

struct setup {
    size_t max_bytes;
    unsigned flags;
    struct crier_slice last_id;
};

static void
tell_text(struct crier_buf *out, const char *open, struct crier_slice text, const char *close)
{
    crier_buf_append(out, crier_slice_of(open));
    crier_buf_json_escape(out, text);
    crier_buf_append(out, crier_slice_of(close));
}

/* Each text that is there has a NUL behind it, in memory that is the parser's. */
static void check_texts(const struct crier_item *item)
{
    const struct crier_slice texts[] = {item->data, item->type, item->id, item->comment};
    bool event = item->kind == CRIER_ITEM_EVENT;

    for (size_t i = 0; i < 4; i++) {
        if (texts[i].data)
            assert_int_equal(texts[i].data[texts[i].len], '\0');
    }
    assert_non_null(item->id.data);
    assert_int_equal(item->data.data != NULL, event);
    assert_int_equal(item->type.data != NULL, event);
    assert_int_equal(item->comment.data != NULL, item->kind == CRIER_ITEM_COMMENT);
}

static void tell_item(struct crier_buf *out, const struct crier_item *item)
{
    check_texts(item);
    switch (item->kind) {
    case CRIER_ITEM_EVENT:
        crier_buf_append(out, item->type);
        tell_text(out, "[", item->data, "]");
        if (item->id.len > 0)
            tell_text(out, "#", item->id, "");
        if (item->own_id)
            crier_buf_byte(out, '*');
        break;
    case CRIER_ITEM_ID:
        tell_text(out, "id#", item->id, "");
        assert_true(item->own_id);
        break;
    case CRIER_ITEM_RETRY:
        crier_buf_printf(out, "retry(%u)", item->retry_ms);
        break;
    case CRIER_ITEM_COMMENT:
        tell_text(out, "comment(", item->comment, ")");
        break;
    }
    crier_buf_printf(out, "@%u ", (unsigned)item->line);
}

static void tell_end(struct crier_buf *out, struct crier_parser *p, int r)
{
    const char *text = "";

    if (r < 0)
        text = r == -EMSGSIZE ? "EMSGSIZE" : r == -EILSEQ ? "EILSEQ" : "ENOMEM";
    else if (crier_parser_end(p) == CRIER_PARTIAL)
        text = "partial";
    crier_buf_append(out, crier_slice_of(text));
    if (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
}

/* Feeds `bytes` and takes out everything. */
static int drain(struct crier_parser *p, struct crier_buf *out, struct crier_slice bytes)
{
    struct crier_item item;
    int r;

    crier_parser_feed(p, bytes);
    while ((r = crier_parser_next(p, &item)) == 0)
        tell_item(out, &item);
    if (r < 0)
        assert_int_equal(crier_parser_next(p, &item), r);
    return r;
}

/* The account of `stream`, cut into chunks of step bytes, the first of `first` bytes. Each
 * chunk is handed over in memory of its own, which is gone before the next: the parser must not
 * look back at it, and under the sanitizer not one byte beyond it. */
static void account(struct crier_buf *out,
                    const struct setup *setup,
                    struct crier_slice stream,
                    size_t first,
                    size_t step)
{
    struct crier_parser p;
    struct crier_slice last_id = {NULL, 0};
    int r = CRIER_MORE;

    crier_buf_clear(out);
    assert_int_equal(
        crier_parser_init(&p, &crier_mem_libc, setup->max_bytes, setup->flags, setup->last_id),
        0);
    for (size_t at = 0, n = first; at < stream.len && r >= 0; at += n, n = step) {
        char *chunk;

        if (n > stream.len - at)
            n = stream.len - at;
        chunk = malloc(n ? n : 1);
        assert_non_null(chunk);
        memcpy(chunk, stream.data + at, n);
        r = drain(&p, out, (struct crier_slice){chunk, n});
        free(chunk);
    }
    tell_end(out, &p, r);
    last_id = crier_parser_last_id(&p);
    assert_true(crier_slice_find(last_id, '\n') == last_id.len);
    crier_parser_deinit(&p);
}

static void assert_account_with(const struct setup *setup,
                                struct crier_slice stream,
                                struct crier_slice expected)
{
    struct crier_buf out;

    crier_buf_init(&out, &crier_mem_libc);
    for (size_t cut = 0; cut <= stream.len; cut++) {
        account(&out, setup, stream, cut, SIZE_MAX);
        assert_slice_equal(crier_buf_slice(&out), expected);
    }
    for (size_t step = 1; step < 4; step++) {
        account(&out, setup, stream, step, step);
        assert_slice_equal(crier_buf_slice(&out), expected);
    }
    crier_buf_deinit(&out);
}

struct rule {
    struct crier_slice stream;
    const char *expected;
};

/* clang-format off */
#define RULE(stream, expected) {{(stream), sizeof(stream) - 1}, (expected)}

/* P1, P2, P5: bytes, BOM, line ends. */
static const struct rule byte_rules[] = {
    RULE("", ""),
    RULE("\n\n\n", ""),
    RULE("data:a\n\n", "message[a]@1"),
    RULE("data\0:x\n\ndata:a\0b\n\n", "message[a\\u0000b]@3"),              /* format-null-character */
    RULE("\xEF\xBB\xBF" "data:1\n\ndata:2\n\n", "message[1]@1 message[2]@3"),  /* format-bom */
    RULE("\xEF\xBB\xBF\xEF\xBB\xBF" "data:1\n\ndata:2\n\n", "message[2]@3"),   /* format-bom-2 */
    RULE("data:1\n\n\xEF\xBB\xBF" "data:2\n\ndata:3\n\n", "message[1]@1 message[3]@5"),
    RULE("data:\xEF\xBB\xBF" "1\n\n", "message[\xEF\xBB\xBF" "1]@1"),
    RULE("\xEF\xBB\xBF", ""),
    RULE("\xEF\xBB", "partial"),
    RULE("\xEF\xBB\n\ndata:1\n\n", "message[1]@3"),
    RULE("\xEF" "data:1\ndata:2\n\n", "message[2]@1"),
    RULE("\xEF\xBB\xBF\n\ndata:1\n\n", "message[1]@3"),
    RULE("data:\xE2\x82\xAC\n\n", "message[\xE2\x82\xAC]@1"),               /* format-utf-8 */
    /* format-newlines */
    RULE("data:test\r\ndata\ndata:test\r\n\r\n", "message[test\\n\\ntest]@1"),
    RULE("data:a\r\rdata:b\n\ndata:c\r\n\r\n", "message[a]@1 message[b]@3 message[c]@5"),
    RULE("data:a\r\r\ndata:b\n\n", "message[a]@1 message[b]@3"),            /* one dispatch */
    RULE("data:a\n\rdata:b\n\n", "message[a]@1 message[b]@3"),              /* two line ends */
    RULE(":c\r\ndata:a\r\n\r\n\r\n", "message[a]@1"),
    RULE("\r\ndata:a\r\n\r\n", "message[a]@2"),
    RULE("data:a\vb\fc\x1C\x1D\x1E\xC2\x85\xE2\x80\xA8\xE2\x80\xA9\n\n",
         "message[a\\u000bb\\fc\\u001c\\u001d\\u001e\xC2\x85\xE2\x80\xA8\xE2\x80\xA9]@1"),
};

/* P3: U+FFFD for what is ill-formed, one for each maximal subpart, and none across line ends. */
static const struct rule repair_rules[] = {
    RULE("data:\xFFhello\xC2\ndata:\xA9\n\n", "message[" FFFD "hello" FFFD "\\n" FFFD "]@1"),
    RULE("data:\xF0\x9F\x98\r\ndata:\xF0\x9F\x98\x80\n\n", "message[" FFFD "\\n\xF0\x9F\x98\x80]@1"),
    RULE("data:\xED\xA0\x80\n\n", "message[" FFFD FFFD FFFD "]@1"),
    RULE("event:\xE2\x82\nid:\xC2\ndata\n\n", FFFD "[]#" FFFD "*@1"),
    RULE("data\xFF:x\ndata:y\n\n", "message[y]@1"),
};

/* P7, P8: lines and fields. */
static const struct rule field_rules[] = {
    /* format-field-parsing */
    RULE("data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n"
         " data:32\ndata:4\n\n",
         "message[\\u0000\\n 2\\n1\\n3\\n\\n4]@1"),
    RULE("data:\ttest\rdata: \ndata:test\n\n", "message[\\ttest\\n\\ntest]@1"), /* format-leading-space */
    RULE("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
         "message[test\\n\\ntest]@1"),                                       /* format-field-unknown */
    RULE("data :x\n\ndata: a: b\n\n", "message[a: b]@3"),
    RULE("data:1\r:\0\n:\r\ndata:2\n:xxx\rdata:3\n:data:fail\r:xxx\ndata:4\n\n",
         "message[1\\n2\\n3\\n4]@1"),                                        /* format-comments */
    /* format-field-data, event-data */
    RULE("data:\n\ndata\ndata\n\ndata:test\n\n", "message[]@1 message[\\n]@3 message[test]@6"),
    RULE("data:test\n\ndata: test\n\n", "message[test]@1 message[test]@3"),
    RULE("data:msg\ndata:msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
         "message[msg\\nmsg]@1 message[]@10 message[end]@12"),
    /* format-field-event, format-field-event-empty */
    RULE("event:test\ndata:x\n\ndata:x\n\n", "test[x]@1 message[x]@4"),
    RULE("event:\ndata:x\n\n", "message[x]@1"),
    RULE("event:a\nevent: b\ndata:x\n\n", "b[x]@1"),
    RULE("event:a\nevent\ndata:x\n\n", "message[x]@1"),
    RULE("event:a\n\ndata:x\n\n", "message[x]@3"),
};

/* P8, P11, P13: ids and the end. */
static const struct rule id_rules[] = {
    RULE("id:1\ndata:x\n\ndata:y\n\n", "message[x]#1*@1 message[y]#1@4"),
    RULE("id:1\ndata:x\n\nid\ndata:y\n\n", "message[x]#1*@1 message[y]*@4"), /* format-field-id */
    RULE("id:1\ndata:x\n\nid: 2\0\ndata:y\n\n", "message[x]#1*@1 message[y]#1@4"), /* format-field-id-null */
    RULE("id:1\nid:2\0\ndata:y\n\n", "message[y]#1*@1"),
    RULE("id:1\nid:2\ndata:y\n\n", "message[y]#2*@1"),
    RULE("id:1\n\ndata:x\n\n", "id#1@1 message[x]#1@3"),
    RULE("id:1\n\nid:\n\ndata:x\n\n", "id#1@1 id#@3 message[x]@5"),
    RULE("id: \xC3\xA9 \ndata\n\n", "message[]#\xC3\xA9 *@1"),
    /* format-data-before-final-empty-line: an unfinished line or block is dropped, with its id */
    RULE("retry:1000\ndata:test1\n\nid:test\ndata:test2", "retry(1000)@1 message[test1]@1 partial"),
    RULE("data:test\n", "partial"),
    RULE("data:test\r", "partial"),
    RULE("id:4\n", "partial"),
    RULE("event:x\n", "partial"),
    RULE("x", "partial"),
    RULE("data:test\n\n:", "message[test]@1 partial"),
    /* Nothing is lost with these: our own heartbeats and farewells have no blank line. */
    RULE(":\n", ""),
    RULE("retry:5\n", "retry(5)@1"),
    RULE("unknown:5\n", ""),
    RULE("id:a\0b\n", ""),
};

/* P8 to P10: retry, at once. */
static const struct rule retry_rules[] = {
    RULE("retry:03000\ndata:x\n\n", "retry(3000)@1 message[x]@1"),           /* retry */
    RULE("data:x\nretry: 5\n", "retry(5)@1 partial"),
    RULE("retry:0\n\n", "retry(0)@1"),
    RULE("retry:3000\nretry:1000x\ndata:x\n\n", "retry(3000)@1 message[x]@1"), /* retry-bogus */
    RULE("retry\nretry:\nretry: \n\n", ""),                                  /* retry-empty */
    RULE("retry:+5\nretry:-5\nretry:  12\nretry:5 \nretry:1.5\nretry:0x5\nretry:\xD9\xA3\nretry:5\0\n", ""),
    RULE("Retry:5\n", ""),
    RULE("retry:4294967295\n", "retry(4294967295)@1"),
    RULE("retry:4294967296\n", "retry(4294967295)@1"),
    RULE("retry:99999999999999999999999999999999\n", "retry(4294967295)@1"),
    RULE("retry:99999999999999999999999999999999x\n", ""),
};
/* clang-format on */

static void check_rules(const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_account_with(&(struct setup){0}, rules[i].stream,
                            crier_slice_of(rules[i].expected));
}

#define CHECK_RULES(name)                                                                      \
    static void name(void **state)                                                             \
    {                                                                                          \
        check_rules(name##_rules, sizeof(name##_rules) / sizeof(name##_rules[0]));             \
    }

/* Invariant: each stream of the table has the account beside it, cut at every byte, and in
 * chunks of one, two and three bytes. */
CHECK_RULES(byte)
CHECK_RULES(repair)
CHECK_RULES(field)
CHECK_RULES(id)
CHECK_RULES(retry)

/* P13, format-field-id-2: the known last id seeds the stream; without an id of its own an event
 * carries it, and an empty id resets it. It outlives the stream, unfinished ids do not. */
static void last_id_over_streams(void **state)
{
    struct setup setup = {.last_id = S("seed")};
    struct crier_parser p;
    struct crier_buf out;

    assert_account_with(&setup, S("data:a\n\nid\ndata:b\n\n"),
                        S("message[a]#seed@1 message[b]*@3"));

    crier_buf_init(&out, &crier_mem_libc);
    assert_int_equal(crier_parser_init(&p, &crier_mem_libc, 0, 0, S("seed")), 0);
    assert_slice_is(crier_parser_last_id(&p), "seed");
    assert_int_equal(drain(&p, &out, S("\xEF\xBB\xBFid:2\ndata:a\n\nid:3\ndata:b\r")),
                     CRIER_MORE);
    assert_slice_is(crier_parser_last_id(&p), "2");
    assert_int_equal(crier_parser_end(&p), CRIER_PARTIAL);
    assert_slice_is(crier_parser_last_id(&p), "2");
    /* A new stream: line 1 again, a BOM again, no LF is swallowed. */
    assert_int_equal(drain(&p, &out, S("\xEF\xBB\xBF\ndata:c\n\n")), CRIER_MORE);
    assert_int_equal(crier_parser_end(&p), 0);
    assert_slice_is(crier_buf_slice(&out), "message[a]#2*@1 message[c]#2@2 ");
    crier_parser_deinit(&p);
    crier_parser_deinit(&p);
    crier_buf_deinit(&out);
}

/* Invariant: P14: items come one at a time; who stops taking them gets none behind his back,
 * and end() drops what is still there. */
static void stopping_in_the_middle(void **state)
{
    struct crier_parser p;
    struct crier_item item;

    assert_int_equal(crier_parser_init(&p, &crier_mem_libc, 0, 0, S("")), 0);
    crier_parser_feed(&p, S("id:1\ndata:a\n\nid:2\ndata:b\n\n"));
    assert_int_equal(crier_parser_next(&p, &item), 0);
    assert_slice_is(item.data, "a");
    assert_slice_is(crier_parser_last_id(&p), "1");
    assert_int_equal(crier_parser_end(&p), CRIER_PARTIAL);
    assert_slice_is(crier_parser_last_id(&p), "1");
    crier_parser_feed(&p, S("data:c\n\n"));
    assert_int_equal(crier_parser_next(&p, &item), 0);
    assert_slice_is(item.data, "c");
    assert_int_equal(crier_parser_end(&p), 0);
    crier_parser_deinit(&p);
}

static void comments(void **state)
{
    struct setup setup = {.flags = CRIER_PARSER_COMMENTS};

    assert_account_with(
        &setup, S(":\n: a\r\n:b\xFF\ndata:x\n:c\n\n"),
        S("comment()@1 comment( a)@1 comment(b" FFFD ")@1 comment(c)@1 message[x]@1"));
}

/* Invariant: strict mode refuses ill-formed lines, wherever they are, and nothing else. */
static void strict(void **state)
{
    struct setup setup = {.flags = CRIER_PARSER_STRICT};

    assert_account_with(&setup, S("data:\xE2\x82\xAC\n\n"), S("message[\xE2\x82\xAC]@1"));
    assert_account_with(&setup, S("data:a\n\ndata:\xE2\x82\ndata:b\n\n"),
                        S("message[a]@1 EILSEQ"));
    assert_account_with(&setup, S(":\xFF\n"), S("EILSEQ"));
    assert_account_with(&setup, S("unknown:\xC0\x80\n"), S("EILSEQ"));
    assert_account_with(&setup, S("\xEF\xBBx\n"), S("EILSEQ"));
    assert_account_with(&setup, S("data:\xFF"), S("partial"));
}

/* Invariant: line + data + type + id of a block may be max_bytes and no more, in any split, and
 * the count starts over with each block; U+FFFD counts with its three bytes. */
static void bounds(void **state)
{
    struct setup setup = {.max_bytes = 16};

    assert_account_with(&setup, S("data:67890123456\n\n"), S("message[67890123456]@1"));
    assert_account_with(&setup, S("data:678901234567\n\n"), S("EMSGSIZE"));
    assert_account_with(&setup, S("data:678901234567"), S("EMSGSIZE"));
    assert_account_with(&setup, S(":2345678901234567\n"), S("EMSGSIZE"));
    assert_account_with(&setup, S(":234567890123456\n:234567890123456\n"), S(""));
    assert_account_with(&setup, S("data:abcdefgh\ndata:ab\n\n"), S("message[abcdefgh\\nab]@1"));
    assert_account_with(&setup, S("data:abcdefgh\ndata:abc\n\n"), S("EMSGSIZE"));
    assert_account_with(&setup, S("event:abcdefg\ndata:abcd\n\n"), S("abcdefg[abcd]@1"));
    assert_account_with(&setup, S("event:abcdefg\ndata:abcde\n\n"), S("EMSGSIZE"));
    assert_account_with(&setup, S("id:abcdefg\ndata:abcd\n\n"), S("message[abcd]#abcdefg*@1"));
    assert_account_with(&setup, S("id:abcdefg\ndata:abcde\n\n"), S("EMSGSIZE"));
    /* The last id itself, of an earlier block, takes nothing from the later ones. */
    assert_account_with(&(struct setup){.max_bytes = 16, .last_id = S("seedseed")},
                        S("id:a\n\ndata:67890123456\n\n"),
                        S("id#a@1 message[67890123456]#a@3"));
    assert_account_with(&setup, S("id:abcdefg\n\ndata:67890123456\n\n"),
                        S("id#abcdefg@1 message[67890123456]#abcdefg@3"));
    assert_account_with(&setup, S("data:a\n\ndata:67890123456\n\n"),
                        S("message[a]@1 message[67890123456]@3"));
    assert_account_with(&setup, S("data:\xFF\xFF\xFF\xFF\xFF\n\n"),
                        S("message[" FFFD FFFD FFFD FFFD FFFD "]@1"));
    assert_account_with(&setup, S("data:\xFF\xFF\xFF\xFF\xFF\xFF\n\n"), S("EMSGSIZE"));
    assert_account_with(&setup, S("data\ndata\ndata\ndata\ndata\ndata\ndata\n\n"),
                        S("message[\\n\\n\\n\\n\\n\\n]@1"));
}

/* Invariant: a stream that never ends its line or its block makes the parser no larger than a
 * small multiple of the bound. */
static void memory_is_bounded(void **state)
{
    static const struct crier_slice hostile[] = {
        {"aaaaaaaaaaaaaaaa", 16},   {"data:\n", 6},       {"event:aaaaaaaaaaaaaaaa\n", 23},
        {"id:aaaaaaaaaaa\n\n", 16}, {":aaaaaaaaa\n", 11},
    };

    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct crier_parser p;
        struct crier_item item;

        assert_int_equal(
            crier_parser_init(&p, &crier_mem_libc, 4096, CRIER_PARSER_COMMENTS, S("")), 0);
        for (int n = 0; n < 20000; n++) {
            crier_parser_feed(&p, hostile[i]);
            while (crier_parser_next(&p, &item) == 0)
                ;
        }
        assert_in_range(p.line.cap + p.data.cap + p.type.cap + p.id_buffer.cap + p.last_id.cap +
                            p.comment.cap,
                        0, 6 * 4096);
        crier_parser_deinit(&p);
    }
}

/* Invariant: after an error end() makes a new start possible. */
static void error_then_new_stream(void **state)
{
    struct crier_parser p;
    struct crier_buf out;

    crier_buf_init(&out, &crier_mem_libc);
    assert_int_equal(crier_parser_init(&p, &crier_mem_libc, 16, 0, S("")), 0);
    assert_int_equal(drain(&p, &out, S("data:678901234567\n\ndata:x\n\n")), -EMSGSIZE);
    crier_parser_feed(&p, S("data:x\n\n"));
    assert_int_equal(crier_parser_next(&p, NULL), -EMSGSIZE);
    assert_int_equal(crier_parser_end(&p), CRIER_PARTIAL);
    assert_int_equal(drain(&p, &out, S("data:y\n\n")), CRIER_MORE);
    assert_slice_is(crier_buf_slice(&out), "message[y]@1 ");
    crier_parser_deinit(&p);
    crier_buf_deinit(&out);
}

static void random_stream(struct crier_rng *rng, struct crier_buf *buf)
{
    static const char *const pieces[] = {
        "data",     ":",
        "data:",    "data: ",
        "id:",      "event:",
        "retry:",   "12",
        " ",        "\n",
        "\n",       "\n\n",
        "\r",       "\r\n",
        "\r\n\r\n", "x",
        "\xC3\xA9", "\xC3",
        "\xE2\x82", "\xEF\xBB\xBF",
        "\xFF",     "abcdefghijklmnop",
    };

    crier_buf_clear(buf);
    for (size_t n = crier_rng_between(rng, 0, 40); n > 0; n--) {
        size_t i = crier_rng_between(rng, 0, sizeof(pieces) / sizeof(pieces[0]) + 1);

        if (i < sizeof(pieces) / sizeof(pieces[0]))
            crier_buf_append(buf, crier_slice_of(pieces[i]));
        else
            crier_buf_byte(buf, (char)crier_rng_between(rng, 0, i % 2 ? 0 : 255));
    }
}

/* Invariant: the account of a stream does not depend on how it is cut. */
static void random_streams(void **state)
{
    struct crier_rng rng = {test_seed("random_streams")};
    struct crier_buf stream, whole;

    crier_buf_init(&stream, &crier_mem_libc);
    crier_buf_init(&whole, &crier_mem_libc);
    for (int round = 0; round < 2500; round++) {
        struct setup setup = {
            .max_bytes = crier_rng_between(&rng, 0, 3) ? 0 : 40,
            .flags = (unsigned)crier_rng_between(&rng, 0, 3) &
                     (round % 4 ? (unsigned)CRIER_PARSER_COMMENTS : 3u),
            .last_id = round % 2 ? S("seed") : S(""),
        };

        random_stream(&rng, &stream);
        account(&whole, &setup, crier_buf_slice(&stream), SIZE_MAX, 1);
        assert_account_with(&setup, crier_buf_slice(&stream), crier_buf_slice(&whole));
    }
    crier_buf_deinit(&stream);
    crier_buf_deinit(&whole);
}

/* Invariant: no byte after the chunk is read. */
static void guard_page(void **state)
{
    struct crier_rng rng = {test_seed("guard_page")};
    struct test_guard guard;
    struct crier_buf stream, out;

    test_guard_init(&guard, 4096);
    crier_buf_init(&stream, &crier_mem_libc);
    crier_buf_init(&out, &crier_mem_libc);
    for (int round = 0; round < 1000; round++) {
        struct crier_parser p;
        struct crier_slice s;

        random_stream(&rng, &stream);
        s = crier_buf_slice(&stream);
        assert_int_equal(
            crier_parser_init(&p, &crier_mem_libc, 0, CRIER_PARSER_COMMENTS, S("")), 0);
        for (size_t n; s.len > 0; s = crier_slice_sub(s, n, SIZE_MAX)) {
            n = crier_rng_between(&rng, 1, s.len);
            drain(&p, &out, test_guard_put(&guard, crier_slice_sub(s, 0, n)));
        }
        crier_parser_deinit(&p);
    }
    crier_buf_deinit(&stream);
    crier_buf_deinit(&out);
    test_guard_deinit(&guard);
}

static int parse_all(const struct crier_mem *mem, void *ctx)
{
    /* It begins as a BOM does, but is none. */
    static const char stream[] =
        "\xEF\xBB: x\n"
        ": comment\xFF\nid: 1\nevent: t\ndata: a\ndata: b\xFF\n\nid: 22\n"
        "retry: 5\ndata: a line of more than sixty-four bytes, so that buffers have to "
        "grow\n\n";
    struct crier_parser p;
    struct crier_item item;
    int r = crier_parser_init(&p, mem, 0, CRIER_PARSER_COMMENTS, S("seed"));

    if (r < 0)
        return r; /* there is nothing to deinit */
    for (size_t i = 0; i < sizeof(stream) - 1 && r >= 0; i++) {
        crier_parser_feed(&p, (struct crier_slice){stream + i, 1});
        while ((r = crier_parser_next(&p, &item)) == 0)
            assert_true(item.line > 0);
    }
    if (r < 0)
        assert_int_equal(crier_parser_next(&p, &item), r);
    crier_parser_deinit(&p);
    return r < 0 ? r : 0;
}

static void out_of_memory(void **state)
{
    assert_true(test_mem_torture(parse_all, NULL) > 6);
}

/* Invariant: a megabyte in single bytes is gathered with few allocations: the cost is linear.
 */
static void amortised(void **state)
{
    struct test_mem t;
    struct crier_parser p;
    struct crier_item item;

    test_mem_init(&t, 0);
    assert_int_equal(crier_parser_init(&p, &t.mem, 0, 0, S("")), 0);
    for (size_t i = 0; i < 500000; i++) {
        crier_parser_feed(&p, i < 5 ? crier_slice_sub(S("data:"), i, 1) : S("x"));
        assert_int_equal(crier_parser_next(&p, &item), CRIER_MORE);
    }
    crier_parser_feed(&p, S("\n\n"));
    assert_int_equal(crier_parser_next(&p, &item), 0);
    assert_int_equal(item.data.len, 499995);
    assert_in_range(t.calls, 1, 60);
    crier_parser_deinit(&p);
    assert_int_equal(t.alive, 0);
}

/* ---- the public handle ---- */

static void handle(void **state)
{
    struct crier_parser_options o = {.flags = CRIER_PARSER_COMMENTS | CRIER_PARSER_STRICT,
                                     .last_id = S("7"),
                                     .max_event_bytes = 40};
    struct crier_parser *p = crier_parser_new_with(&o);
    struct crier_item item;

    assert_non_null(p);
    assert_slice_is(crier_parser_last_id(p), "7");
    assert_int_equal(crier_parser_last_id(p).data[1], '\0');
    assert_int_equal(crier_parser_feed(p, S(":c\ndata:x\n\n")), 0);
    assert_int_equal(crier_parser_feed(p, S("data:y\n\n")), CRIER_EBUSY);
    assert_int_equal(crier_parser_next(p, &item), 0);
    assert_slice_is(item.comment, "c");
    assert_int_equal(crier_parser_next(p, &item), 0);
    assert_slice_is(item.data, "x");
    assert_slice_is(item.id, "7");
    assert_int_equal(crier_parser_next(p, &item), CRIER_MORE);
    assert_int_equal(crier_parser_feed(p, S("data:\xff\n")), 0);
    assert_int_equal(crier_parser_next(p, &item), CRIER_EILSEQ);
    assert_int_equal(crier_parser_end(p), CRIER_PARTIAL);
    assert_int_equal(crier_parser_feed(p, S("data:0123456789012345678901234567890123456789\n")),
                     0);
    assert_int_equal(crier_parser_next(p, &item), CRIER_EMSGSIZE);
    assert_null(crier_parser_free(p));

    /* All defaults: no comments, ill-formed UTF-8 repaired, 1 MiB. */
    p = crier_parser_new_with(NULL);
    assert_non_null(p);
    assert_slice_is(crier_parser_last_id(p), "");
    assert_non_null(crier_parser_last_id(p).data);
    assert_int_equal(crier_parser_feed(p, S(":c\ndata:\xff\n\n")), 0);
    assert_int_equal(crier_parser_next(p, &item), 0);
    assert_slice_is(item.data, FFFD);
    crier_parser_free(p);
    p = crier_parser_new(.last_id = S("8"));
    assert_slice_is(crier_parser_last_id(p), "8");
    crier_parser_free(p);
}

/* What is not valid makes no parser; of an older release's options only its part is read. */
static void handle_options(void **state)
{
    struct crier_parser_options o = {.max_event_bytes = CRIER_OFF};

    assert_null(crier_parser_new_with(&o));
    assert_null(crier_parser_new(.max_event_bytes = -2));
    assert_null(crier_parser_new(.flags = 4));
    assert_null(crier_parser_new(.last_id = S("a\nb")));
    assert_null(crier_parser_new(.last_id = S("\r")));
    assert_null(crier_parser_new(.last_id = S("a\0")));
    o = (struct crier_parser_options){.max_event_bytes = 10, .flags = 4};
    o.size = offsetof(struct crier_parser_options, flags);
    struct crier_parser *p = crier_parser_new_with(&o);
    assert_non_null(p);
    assert_int_equal(p->max_bytes, 10);
    crier_parser_free(p);
}

static void null_handle(void **state)
{
    struct crier_item item;

    assert_null(crier_parser_free(NULL));
    assert_int_equal(crier_parser_feed(NULL, S("x")), CRIER_ENOMEM);
    assert_int_equal(crier_parser_next(NULL, &item), CRIER_ENOMEM);
    assert_int_equal(crier_parser_end(NULL), CRIER_ENOMEM);
    assert_null(crier_parser_last_id(NULL).data);
}

static int make_handle(const struct crier_mem *mem, void *ctx)
{
    struct crier_parser *p =
        crier_parser_new(.mem = mem,
                         .last_id = S("0123456789012345678901"
                                      "234567890123456789012345678901234567890123"));
    int r = p ? 0 : CRIER_ENOMEM;

    crier_parser_free(p);
    return r;
}

static void handle_out_of_memory(void **state)
{
    assert_int_equal(test_mem_torture(make_handle, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte),
        cmocka_unit_test(repair),
        cmocka_unit_test(field),
        cmocka_unit_test(id),
        cmocka_unit_test(retry),
        cmocka_unit_test(last_id_over_streams),
        cmocka_unit_test(stopping_in_the_middle),
        cmocka_unit_test(comments),
        cmocka_unit_test(strict),
        cmocka_unit_test(bounds),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(error_then_new_stream),
        cmocka_unit_test(random_streams),
        cmocka_unit_test(guard_page),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(amortised),
        cmocka_unit_test(handle),
        cmocka_unit_test(handle_options),
        cmocka_unit_test(null_handle),
        cmocka_unit_test(handle_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
