/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "http/problem.h"
#include "http/response.h"
#include <jansson.h>

static bool contains(struct crier_slice text, struct crier_slice part)
{
    return memmem(text.data, text.len, part.data, part.len) != NULL;
}

/* Each problem has its texts, a slug of its own by which it is found, and a known status. */
static void test_table(void **state)
{
    for (unsigned i = CRIER_PROBLEM_NONE + 1; i < CRIER_PROBLEM_COUNT; i++) {
        struct crier_slice slug = crier_problem_slug(i);

        assert_int_equal(crier_problem_find(slug), i);
        assert_true(crier_problem_title(i).len > 0);
        assert_true(crier_slice_ends(crier_problem_detail(i), CRIER_SLICE(".")));
        assert_true(crier_status_reason(crier_problem_status(i))[0] != '\0');
        assert_true(crier_problem_status(i) >= 400);
    }
    assert_int_equal(crier_problem_find(CRIER_SLICE("")), CRIER_PROBLEM_NONE);
    assert_int_equal(crier_problem_find(CRIER_SLICE("no-such")), CRIER_PROBLEM_NONE);
    assert_int_equal(crier_problem_status(CRIER_PROBLEM_UNKNOWN_HOST), 421);
}

/* How often part stands in text. */
static size_t count_of(struct crier_slice text, struct crier_slice part)
{
    size_t count = 0;

    for (size_t i = 0; i + part.len <= text.len; i++)
        count += memcmp(text.data + i, part.data, part.len) == 0;
    return count;
}

/* Each page is whole: its texts, one style, and nothing from outside; its policy allows that
 * style by a hash (which one: tests/integration/status.test.mjs) and nothing else. */
static void test_pages(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (unsigned i = CRIER_PROBLEM_NONE + 1; i < CRIER_PROBLEM_COUNT; i++) {
        struct crier_slice page;

        crier_buf_clear(&buf);
        crier_problem_page(&buf, i);
        page = crier_buf_slice(&buf);
        assert_true(crier_slice_starts(page, CRIER_SLICE("<!doctype html>")));
        assert_true(crier_slice_ends(page, CRIER_SLICE("</html>\n")));
        assert_true(contains(page, crier_problem_slug(i)));
        assert_int_equal(count_of(page, CRIER_SLICE("<style>")), 1);
        assert_int_equal(count_of(page, CRIER_SLICE("style")), 2);
        assert_true(contains(page, CRIER_SLICE("What to do</h2>\n<p>")));
        assert_false(contains(page, CRIER_SLICE("<p></p>")));
        assert_false(contains(page, CRIER_SLICE("<script")));
        assert_false(contains(page, CRIER_SLICE("src=")));
        assert_true(crier_utf8_valid(page));
        assert_int_equal(crier_buf_error(&buf), 0);
    }
    assert_true(crier_slice_starts(crier_slice_of(crier_problem_page_csp()),
                                   CRIER_SLICE("default-src 'none'; style-src 'sha256-")));
    assert_false(contains(crier_slice_of(crier_problem_page_csp()), CRIER_SLICE("unsafe")));
    crier_buf_clear(&buf);
    crier_problem_page(&buf, CRIER_PROBLEM_TOKEN_MISSING);
    assert_true(contains(crier_buf_slice(&buf), CRIER_SLICE("Bearer &lt;token&gt;")));
    crier_buf_deinit(&buf);
}

/* The answer is one line of JSON with the members of RFC 9457. */
static void test_json(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_problem_json(&buf, CRIER_PROBLEM_NOT_FOUND, CRIER_SLICE("No \"x\"\n<\x01>"),
                       CRIER_SLICE("\"line\":3"));
    assert_slice_is(
        crier_buf_slice(&buf),
        "{\"type\":\"/-/problems/not-found\",\"code\":\"not-found\",\"title\":\"Not found\","
        "\"status\":404,\"detail\":\"No \\\"x\\\"\\n<\\u0001>\",\"line\":3}\n");
    crier_buf_deinit(&buf);
}

/* Reads a problem's JSON back; the caller frees the result. */
static char *read_detail(struct crier_slice detail, size_t *ret_len)
{
    struct crier_buf buf;
    json_t *json;
    char *text;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_problem_json(&buf, CRIER_PROBLEM_BUSY, detail, (struct crier_slice){NULL, 0});
    assert_int_equal(crier_slice_find_eol(crier_buf_slice(&buf)), buf.len - 1);
    json = json_loadb(buf.data, buf.len, JSON_ALLOW_NUL, NULL);
    assert_non_null(json);
    *ret_len = json_string_length(json_object_get(json, "detail"));
    text = malloc(*ret_len + 1);
    assert_non_null(text);
    memcpy(text, json_string_value(json_object_get(json, "detail")), *ret_len + 1);
    json_decref(json);
    crier_buf_deinit(&buf);
    return text;
}

/* A detail may hold any bytes: it comes out as UTF-8, at most 1,000 bytes, cut between code
 * points. */
static void test_detail(void **state)
{
    char bytes[1100];
    size_t len;
    char *text;

    text = read_detail((struct crier_slice){NULL, 0}, &len);
    assert_slice_equal(((struct crier_slice){text, len}),
                       crier_problem_detail(CRIER_PROBLEM_BUSY));
    free(text);
    text = read_detail(CRIER_SLICE("a\0b\xff\xc3"), &len);
    assert_slice_is(((struct crier_slice){text, len}), "a\0b\xef\xbf\xbd\xef\xbf\xbd");
    free(text);
    for (size_t shift = 0; shift < 4; shift++) {
        memset(bytes, 'x', shift);
        for (size_t i = shift; i + 4 <= sizeof(bytes); i += 4)
            memcpy(bytes + i, "\xf0\x9f\x98\x80", 4);
        text = read_detail((struct crier_slice){bytes, 1040 + shift}, &len);
        assert_int_equal(len, shift ? 996 + shift : 1000);
        assert_memory_equal(text, bytes, len);
        free(text);
    }
    memset(bytes, 0xff, sizeof(bytes));
    text = read_detail((struct crier_slice){bytes, sizeof(bytes)}, &len);
    assert_int_equal(len, 999);
    free(text);
}

static int write_problem(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    crier_problem_json(&buf, CRIER_PROBLEM_BUSY, CRIER_SLICE("\xff"),
                       (struct crier_slice){NULL, 0});
    crier_problem_page(&buf, CRIER_PROBLEM_BUSY);
    r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

/* Out of memory is told by the buffer, in the repair as well. */
static void test_no_memory(void **state)
{
    assert_true(test_mem_torture(write_problem, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),     cmocka_unit_test(test_pages),
        cmocka_unit_test(test_json),      cmocka_unit_test(test_detail),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
