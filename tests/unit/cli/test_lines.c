/* SPDX-License-Identifier: MIT */
#include "cli/lines.h"
#include "support.h"

/* Feeds text cut at `cut`, and the end. Returns the result of the last call. */
static int
make(struct crier_lines *lines, struct crier_slice text, size_t cut, struct crier_buf *out)
{
    int r = crier_lines_feed(lines, crier_slice_sub(text, 0, cut), out);

    if (r == 0)
        r = crier_lines_feed(lines, crier_slice_sub(text, cut, text.len), out);
    return r == 0 ? crier_lines_end(lines, out) : r;
}

/* However the input is split, it makes the same objects; LF and CRLF end lines, a CR elsewhere
 * is data. */
static void test_every_split(void **state)
{
    struct crier_slice text = CRIER_SLICE("one\n\"two\"\\\r\n\n\r\na\rb\nz\xc3\xbc\x01\nlast");
    const char *const expected =
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"one\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"\\\"two\\\"\\\\\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"a\\rb\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"z\xc3\xbc\\u0001\"}\n"
        "{\"event\":\"e\\\"\",\"retry\":500,\"data\":\"last\"}\n";

    for (size_t cut = 0; cut <= text.len; cut++) {
        struct crier_lines lines;
        struct crier_buf out;

        crier_lines_init(&lines, &crier_mem_libc);
        crier_buf_init(&out, &crier_mem_libc);
        crier_lines_member(&lines, "event", CRIER_SLICE("e\""), true);
        crier_lines_member(&lines, "retry", CRIER_SLICE("500"), false);
        assert_int_equal(make(&lines, text, cut, &out), 0);
        assert_slice_equal(crier_buf_slice(&out), crier_slice_of(expected));
        assert_int_equal(lines.count, 7);
        crier_buf_deinit(&out);
        crier_lines_deinit(&lines);
    }
}

/* A bad line is told by its number; those before it are there, nothing of it or after it is. */
static void test_not_text(void **state)
{
    struct crier_lines lines;
    struct crier_buf out;

    crier_lines_init(&lines, &crier_mem_libc);
    crier_buf_init(&out, &crier_mem_libc);
    assert_int_equal(crier_lines_feed(&lines, CRIER_SLICE("good\nb\xff\nnever\n"), &out),
                     -EINVAL);
    assert_int_equal(lines.count + 1, 2);
    assert_non_null(strstr(lines.fault, "UTF-8"));
    assert_slice_is(crier_buf_slice(&out), "{\"data\":\"good\"}\n");
    crier_buf_deinit(&out);
    crier_lines_deinit(&lines);
}

/* A line without end does not take all memory. */
static void test_too_long(void **state)
{
    enum { PIECE = 1 << 20 };
    struct crier_lines lines;
    struct crier_buf out;
    char *piece = malloc(PIECE);
    size_t fed = 0;
    int r;

    assert_non_null(piece);
    memset(piece, 'x', PIECE);
    crier_lines_init(&lines, &crier_mem_libc);
    crier_buf_init(&out, &crier_mem_libc);
    while ((r = crier_lines_feed(&lines, (struct crier_slice){piece, PIECE}, &out)) == 0 &&
           fed < 2 * CRIER_LINE_BYTES)
        fed += PIECE;
    assert_int_equal(r, -EINVAL);
    assert_int_equal(fed, CRIER_LINE_BYTES);
    crier_buf_deinit(&out);
    crier_lines_deinit(&lines);
    free(piece);
}

static int run_feed(const struct crier_mem *mem, void *ctx)
{
    struct crier_lines lines;
    struct crier_buf out;
    int r;

    crier_lines_init(&lines, mem);
    crier_buf_init(&out, mem);
    r = make(&lines, CRIER_SLICE("one\ntwo\nthree"), 5, &out);
    crier_buf_deinit(&out);
    crier_lines_deinit(&lines);
    return r;
}

static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_feed, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_not_text),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
