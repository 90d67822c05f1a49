/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "base/utf8.h"

#define S(literal) CRIER_SLICE(literal)
#define FFFD "\xEF\xBF\xBD"

/* How many bytes at the start of p are one code point; 0 if they are not. By the definition:
 * decode the bits, then refuse overlong forms, surrogates and what is too large. */
static size_t naive_one(const unsigned char *p, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = p[0] < 0x80             ? 1
                  : (p[0] & 0xE0) == 0xC0 ? 2
                  : (p[0] & 0xF0) == 0xE0 ? 3
                  : (p[0] & 0xF8) == 0xF0 ? 4
                                          : 0;
    uint32_t code;

    if (size == 1)
        return 1;
    if (size == 0 || size > len)
        return 0;
    code = p[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3F);
    }
    if (code < least[size] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    return size;
}

static bool naive_valid(struct crier_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;

    for (size_t i = 0, n; i < text.len; i += n) {
        n = naive_one(p + i, text.len - i);
        if (n == 0)
            return false;
    }
    return true;
}

/* Is p[0..len) the start of some code point? Tries all ways to go on with the lowest and the
 * highest continuation bytes and some between, which is enough for all of the bounds. */
static bool naive_prefix(const unsigned char *p, size_t len)
{
    static const unsigned char tails[] = {0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF};
    unsigned char try[4] = {0};

    memcpy(try, p, len);
    for (size_t i = 0; i < 6; i++) {
        for (size_t size = len + 1; size <= 4; size++) {
            memset(try + len, 0x80, 4 - len);
            try[len] = tails[i];
            if (naive_one(try, size) == size)
                return true;
        }
    }
    return false;
}

/* Unicode 3.9, "substitution of maximal subparts", word for word. */
static void naive_repair(struct crier_buf *buf, struct crier_slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;

    for (size_t i = 0; i < text.len;) {
        size_t n = naive_one(p + i, text.len - i);

        if (n > 0) {
            crier_buf_add(buf, p + i, n);
            i += n;
            continue;
        }
        n = 1;
        for (size_t longer = 2; longer <= 3 && i + longer <= text.len; longer++) {
            if (naive_prefix(p + i, longer))
                n = longer;
        }
        crier_buf_append(buf, S(FFFD));
        i += n;
    }
}

static void assert_same(struct crier_slice text)
{
    struct crier_buf ours, naive;
    bool valid = naive_valid(text);

    crier_buf_init(&ours, &crier_mem_libc);
    crier_buf_init(&naive, &crier_mem_libc);
    crier_utf8_repair(&ours, text);
    naive_repair(&naive, text);
    assert_slice_equal(crier_buf_slice(&ours), crier_buf_slice(&naive));
    assert_int_equal(crier_utf8_valid(text), valid);
    assert_true(crier_utf8_valid(crier_buf_slice(&ours)));
    if (valid)
        assert_slice_equal(crier_buf_slice(&ours), text);
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct crier_utf8 utf8 = {0};
        bool ok = crier_utf8_feed(&utf8, crier_slice_sub(text, 0, cut));

        ok = crier_utf8_feed(&utf8, crier_slice_sub(text, cut, text.len)) && ok;
        assert_int_equal(ok && crier_utf8_done(&utf8), valid);
    }
    crier_buf_deinit(&ours);
    crier_buf_deinit(&naive);
}

/* Invariant: all three functions agree with the definition, for all sequences of one and two
 * bytes, and those of up to four from the bytes at which the rules change. */
static void all_short_sequences(void **state)
{
    static const unsigned char edges[] = {
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
        0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF,
    };
    enum { EDGES = sizeof(edges) };
    char bytes[4];

    for (int i = 0; i < 256; i++) {
        bytes[0] = (char)i;
        assert_same((struct crier_slice){bytes, 1});
    }
    for (int i = 0; i < 65536; i++) {
        bytes[0] = (char)(i >> 8);
        bytes[1] = (char)i;
        assert_int_equal(crier_utf8_valid((struct crier_slice){bytes, 2}),
                         naive_valid((struct crier_slice){bytes, 2}));
    }
    for (int i = 0; i < EDGES * EDGES * EDGES; i++) {
        bytes[0] = (char)edges[i % EDGES];
        bytes[1] = (char)edges[i / EDGES % EDGES];
        bytes[2] = (char)edges[i / EDGES / EDGES];
        bytes[3] = (char)edges[(i * 7) % EDGES];
        assert_same((struct crier_slice){bytes, i % 2 ? 3 : 4});
    }
}

/* Invariant: the same on longer texts, where whole words of ASCII are skipped, placed right
 * before a page that must not be read. */
static void random_texts(void **state)
{
    static const char *const pieces[] = {
        "abcdefgh", "x",        "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "\xC3",     "\xE2\x82", "\xF0\x9F", "\xF0\x9F\x98", "\xED\xA0\x80",
        "\x80",     "\xFF",
    };
    struct crier_rng rng = {test_seed("random_texts")};
    struct test_guard guard;
    struct crier_buf text;

    test_guard_init(&guard, 200);
    crier_buf_init(&text, &crier_mem_libc);
    for (int round = 0; round < 2000; round++) {
        size_t count = crier_rng_between(&rng, 0, 20);
        /* Half of the texts are of well-formed pieces only. */
        size_t kinds = crier_rng_between(&rng, 0, 1) ? 4 : 11;

        crier_buf_clear(&text);
        for (size_t i = 0; i < count; i++)
            crier_buf_append(&text, crier_slice_of(pieces[crier_rng_between(&rng, 0, kinds)]));
        assert_same(test_guard_put(&guard, crier_buf_slice(&text)));
    }
    crier_buf_deinit(&text);
    test_guard_deinit(&guard);
}

/* Invariant: the examples of the Unicode standard (table 3-8 and after) come out as printed
 * there, and a sequence that the end cuts off is one U+FFFD. */
static void known_repairs(void **state)
{
    static const struct {
        struct crier_slice in, out;
    } known[] = {
        {{"a\xF1\x80\x80\xE1\x80\xC2"
          "b\x80"
          "c\x80\xBF"
          "d",
          13},
         {"a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d", 22}},
        {{"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
          "A",
          9},
         {FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A", 25}},
        {{"\xED\xA0\x80\xED\xBF\xBF\xED\xAF"
          "A",
          9},
         {FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A", 25}},
        {{"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
          "A",
          9},
         {FFFD FFFD FFFD FFFD "A", 13}},
        {{"\xFFhello\xC2", 7}, {FFFD "hello" FFFD, 11}},
        {{"x\xF0\x9F\x98", 4}, {"x" FFFD, 4}},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct crier_buf buf;

        crier_buf_init(&buf, &crier_mem_libc);
        crier_utf8_repair(&buf, known[i].in);
        assert_slice_equal(crier_buf_slice(&buf), known[i].out);
        crier_buf_deinit(&buf);
    }
}

/* Invariant: ill-formed is for good, also when nothing or something fine follows. */
static void broken_stays_broken(void **state)
{
    struct crier_utf8 utf8 = {0};

    assert_true(crier_utf8_feed(&utf8, S("\xE2")));
    assert_false(crier_utf8_done(&utf8));
    assert_false(crier_utf8_feed(&utf8, S("a")));
    assert_false(crier_utf8_feed(&utf8, S("")));
    assert_false(crier_utf8_feed(&utf8, S("\x82\xAC")));
    assert_false(crier_utf8_feed(&utf8, S("aaaaaaaaaaaaaaaaaaaaaa")));
    assert_false(crier_utf8_done(&utf8));
    assert_true(crier_utf8_valid((struct crier_slice){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_sequences),
        cmocka_unit_test(random_texts),
        cmocka_unit_test(known_repairs),
        cmocka_unit_test(broken_stays_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
