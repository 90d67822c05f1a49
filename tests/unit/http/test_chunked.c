/* SPDX-License-Identifier: MIT */
/* The chunked coding on its own, against a writer; refusals are in test_request.c. */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "http/chunked.h"

static const struct crier_http_limits limits = {
    .chunk_extension_bytes = 1 << 20,
    .trailer_bytes = 100,
};

/* Writes text in chunks of random sizes, some with extensions, in either case, with zeros
 * before. */
static void write_chunks(struct crier_buf *raw, struct crier_slice text, struct crier_rng *rng)
{
    while (text.len > 0) {
        size_t n = crier_rng_between(rng, 1, 40);

        n = n < text.len ? n : text.len;
        crier_buf_printf(raw, crier_rng_between(rng, 0, 1) ? "%zx" : "%04zX", n);
        if (crier_rng_between(rng, 0, 3) == 0)
            crier_buf_append(raw, CRIER_SLICE(";a=\"0\\\"\";b"));
        crier_buf_append(raw, CRIER_SLICE("\r\n"));
        crier_buf_append(raw, crier_slice_sub(text, 0, n));
        crier_buf_append(raw, CRIER_SLICE("\r\n"));
        text = crier_slice_sub(text, n, text.len);
    }
    crier_buf_append(raw, CRIER_SLICE("0\r\nT: r\r\n\r\n"));
}

static void read_chunks(struct crier_buf *text, struct crier_slice raw, size_t step)
{
    struct crier_chunked body = {.state = 0};
    struct crier_refusal refusal;
    int r = CRIER_HTTP_MORE;

    for (size_t at = 0; at < raw.len; at += step) {
        struct crier_slice input = crier_slice_sub(raw, at, step);
        struct crier_slice data;

        assert_int_equal(r, CRIER_HTTP_MORE);
        while ((r = crier_chunked_next(&body, &limits, &input, &refusal, &data)) == 0)
            crier_buf_append(text, data);
        assert_int_equal(input.len, 0);
    }
    assert_int_equal(r, CRIER_CHUNKED_END);
}

/* What was written is what is read, whatever the pieces. */
static void test_round_trip(void **state)
{
    struct crier_rng rng = {test_seed("chunked")};
    struct crier_buf plain, raw, text;

    crier_buf_init(&plain, &crier_mem_libc);
    crier_buf_init(&raw, &crier_mem_libc);
    crier_buf_init(&text, &crier_mem_libc);
    for (int i = 0; i < 500; i++)
        crier_buf_byte(&plain, (char)crier_rng_between(&rng, 0, 255));
    for (size_t step = 1; step < 100; step++) {
        crier_buf_clear(&raw);
        crier_buf_clear(&text);
        write_chunks(&raw, crier_buf_slice(&plain), &rng);
        read_chunks(&text, crier_buf_slice(&raw), step);
        assert_slice_equal(crier_buf_slice(&text), crier_buf_slice(&plain));
    }
    crier_buf_deinit(&plain);
    crier_buf_deinit(&raw);
    crier_buf_deinit(&text);
}

/* The end is told again and again, and takes nothing of what follows. */
static void test_end_stays(void **state)
{
    struct crier_chunked body = {.state = 0};
    struct crier_slice input = CRIER_SLICE("0\r\n\r\nnext"), data;
    struct crier_refusal refusal;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(crier_chunked_next(&body, &limits, &input, &refusal, &data),
                         CRIER_CHUNKED_END);
        assert_slice_is(input, "next");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_end_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
