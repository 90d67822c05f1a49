/* SPDX-License-Identifier: MIT */
#include "base/rng.h"
#include "base/utf8.h"
#include "client/verdict.h"
#include "support.h"

#define STREAM CRIER_SLICE("text/event-stream")

/* Every status has one fate: only 200 with an event stream is followed; a redirect needs a
 * Location. */
static void test_every_status(void **state)
{
    const struct crier_slice none = {NULL, 0};

    for (unsigned status = 200; status <= 999; status++) {
        bool redirect =
            status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
        bool retry =
            status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
        enum crier_verdict expected = CRIER_VERDICT_STOP;

        if (status == 200)
            expected = CRIER_VERDICT_FOLLOW;
        if (redirect)
            expected = CRIER_VERDICT_REDIRECT;
        if (retry)
            expected = CRIER_VERDICT_RETRY;
        assert_int_equal(crier_verdict_of(status, STREAM, CRIER_SLICE("/x")), expected);
        if (redirect) {
            assert_int_equal(crier_verdict_of(status, STREAM, none), CRIER_VERDICT_STOP);
            assert_int_equal(crier_verdict_of(status, STREAM, CRIER_SLICE("")),
                             CRIER_VERDICT_STOP);
        }
    }
}

/* The essence of the content type decides, in any letters and with any parameters. */
static void test_content_type(void **state)
{
    static const struct {
        const char *type;
        bool stream;
    } rows[] = {
        {"text/event-stream", true},
        {"Text/Event-Stream", true},
        {"text/event-stream;", true},
        {"text/event-stream ; charset=utf-8", true},
        {"text/event-stream; charset=iso-8859-1", true},
        {"text/event-streams", false},
        {"text/event-stream x", false},
        {"text/html", false},
        {"", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(
            crier_verdict_of(200, crier_slice_of(rows[i].type), (struct crier_slice){NULL, 0}),
            rows[i].stream ? CRIER_VERDICT_FOLLOW : CRIER_VERDICT_STOP);
    assert_int_equal(
        crier_verdict_of(200, (struct crier_slice){NULL, 0}, (struct crier_slice){NULL, 0}),
        CRIER_VERDICT_STOP);
}

/* Seconds or a date; nonsense and the past are no wait. */
static void test_retry_after(void **state)
{
    const uint64_t now =
        784111777000 - 10000; /* ten seconds before Sun, 06 Nov 1994 08:49:37 GMT */
    static const struct {
        const char *value;
        uint64_t ms;
    } rows[] = {
        {"0", 0},
        {"1", 1000},
        {"120", 120000},
        {"99999999999999999999999", UINT64_MAX},
        {"18446744073709551615", UINT64_MAX},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 10000},
        {"Sun, 06 Nov 1994 08:49:27 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:00 GMT", 0},
        {"Sun, 06 Nox 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:37 CET", 0},
        {"Sun, 06 Nov 1994 ab:49:37 GMT", 0},
        {"-1", 0},
        {"1.5", 0},
        {"soon", 0},
        {"", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(crier_retry_after(crier_slice_of(rows[i].value), now) == rows[i].ms);
    assert_true(crier_retry_after((struct crier_slice){NULL, 0}, now) == 0);
}

static void
assert_described(unsigned status, const char *type, const char *body, const char *text)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_refusal_describe(&buf, status, crier_slice_of(type), crier_slice_of(body));
    assert_slice_equal(crier_buf_slice(&buf), crier_slice_of(text));
    crier_buf_deinit(&buf);
}

/* A problem document is put into words; any other body says nothing. */
static void test_describe(void **state)
{
    const char *const json = "application/problem+json";

    assert_described(403, json, "{\"title\":\"T\",\"detail\":\"D\"}", "403 Forbidden: T: D");
    assert_described(403, json, "{\"title\":7,\"detail\":\"D\"}", "403 Forbidden: D");
    assert_described(403, json, "{\"title\":\"\"}", "403 Forbidden");
    assert_described(404, "text/html", "<p>not here", "404 Not Found");
    assert_described(404, json, "[1]", "404 Not Found");
    assert_described(404, json, "{\"title\":\"cut o", "404 Not Found");
    assert_described(404, json, "", "404 Not Found");
    assert_described(499, json, "", "499");
    assert_described(
        200, "text/html", "",
        "the answer is text/html instead of text/event-stream: is this the right URL?");
}

/* Whatever bytes a server sends, what is shown is one line of UTF-8 without control characters,
 * and bounded. */
static void test_plain_text(void **state)
{
    struct crier_rng rng = {test_seed("plain text")};

    for (size_t round = 0; round < 2000; round++) {
        char bytes[64];
        struct crier_buf buf;
        size_t len = (size_t)crier_rng_between(&rng, 0, sizeof(bytes));

        for (size_t i = 0; i < len; i++) /* many that begin a C1 control character */
            bytes[i] = (char)(crier_rng_between(&rng, 0, 3) == 0 ? 0xC2 : crier_rng_next(&rng));
        crier_buf_init(&buf, &crier_mem_libc);
        crier_plain_text(&buf, (struct crier_slice){bytes, len});
        assert_true(crier_utf8_valid(crier_buf_slice(&buf)));
        for (size_t i = 0; i < buf.len; i++) {
            unsigned char c = (unsigned char)buf.data[i];
            unsigned char next = i + 1 < buf.len ? (unsigned char)buf.data[i + 1] : 0;

            assert_true(c >= 0x20 && c != 0x7f);
            assert_false(c == 0xC2 && next < 0xA0);
        }
        crier_buf_deinit(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_status), cmocka_unit_test(test_content_type),
        cmocka_unit_test(test_retry_after),  cmocka_unit_test(test_describe),
        cmocka_unit_test(test_plain_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
