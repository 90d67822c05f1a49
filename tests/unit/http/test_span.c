/* SPDX-License-Identifier: MIT */
/* Where the values of an object's members stand in its text. */
#include "support.h"

#include "base/buf.h"
#include "base/rng.h"
#include "http/span.h"
#include <jansson.h>

enum { ROOM = 8 };

/* One by one. `values` are separated by |. */
static void test_table(void **state)
{
    static const struct {
        const char *object, *values;
        size_t count;
    } rows[] = {
        {"{}", "", 0},
        {" { } ", "", 0},
        {"{\"a\":1}", "1|", 1},
        {" {\"a\" : 1 } ", "1|", 1},
        {"{\"a\"\t:\r-1.50E+3\n,\"b\":null}", "-1.50E+3|null|", 2},
        {"{\"a\":\"\",\"b\":\" \"}", "\"\"|\" \"|", 2},
        {"{\"a\":\"}\",\"b\":\",\\\"\",\"c\":\"\\\\\"}", "\"}\"|\",\\\"\"|\"\\\\\"|", 3},
        {"{\"\":0}", "0|", 1},
        {"{\":\":0,\"{,\":1,\"\\\":\":2,\"\\\\\":3}", "0|1|2|3|", 4},
        {"{\"a\":[],\"b\":{},\"c\":[{ } ]}", "[]|{}|[{ } ]|", 3},
        {"{\"a\":{\"b\":{\"c\":[1,{\"d\":2}]},\"e\":3},\"f\":4}",
         "{\"b\":{\"c\":[1,{\"d\":2}]},\"e\":3}|4|", 2},
        {"{\"a\":[\"]\",\"[\",{\"}\":\"{\"}] }", "[\"]\",\"[\",{\"}\":\"{\"}]|", 1},
        {"{\"a\":1,\"a\":2,\"\\u0061\":3}", "1|2|3|", 3},
        {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":[9,9]}",
         "1|2|3|4|5|6|7|8|", 9},
    };
    struct test_guard guard;

    test_guard_init(&guard, 100);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct crier_slice object = test_guard_put(&guard, crier_slice_of(rows[i].object));
        struct crier_slice values[ROOM];
        size_t count = crier_span_members(object, values, ROOM);
        struct crier_buf text;

        crier_buf_init(&text, &crier_mem_libc);
        for (size_t k = 0; k < count && k < ROOM; k++) {
            crier_buf_append(&text, values[k]);
            crier_buf_byte(&text, '|');
        }
        assert_slice_equal(crier_buf_slice(&text), crier_slice_of(rows[i].values));
        assert_int_equal(count, rows[i].count);
        crier_buf_deinit(&text);
    }
    test_guard_deinit(&guard);
}

static void add_space(struct crier_rng *rng, struct crier_buf *buf)
{
    while (crier_rng_between(rng, 0, 3) == 0)
        crier_buf_byte(buf, " \t\r\n"[crier_rng_between(rng, 0, 3)]);
}

static void add_string(struct crier_rng *rng, struct crier_buf *buf)
{
    static const char *const parts[] = {"\\\"", "\\\\", "{", "}", "[",       "]",
                                        ",",    ":",    "x", " ", "\\u0022", "\xc3\xa4"};

    crier_buf_byte(buf, '"');
    while (crier_rng_between(rng, 0, 3) != 0)
        crier_buf_append(
            buf, crier_slice_of(
                     parts[crier_rng_between(rng, 0, sizeof(parts) / sizeof(parts[0]) - 1)]));
    crier_buf_byte(buf, '"');
}

static void add_value(struct crier_rng *rng, struct crier_buf *buf, unsigned depth);

static void
add_item(struct crier_rng *rng, struct crier_buf *buf, unsigned depth, bool object, bool first)
{
    if (!first)
        crier_buf_byte(buf, ',');
    add_space(rng, buf);
    if (object) {
        add_string(rng, buf);
        add_space(rng, buf);
        crier_buf_byte(buf, ':');
        add_space(rng, buf);
    }
    add_value(rng, buf, depth);
    add_space(rng, buf);
}

static void add_value(struct crier_rng *rng, struct crier_buf *buf, unsigned depth)
{
    static const char *const scalars[] = {"0", "-1.5e3", "true", "null",
                                          "123456789012345678901"};
    uint64_t kind = crier_rng_between(rng, 0, depth < 4 ? 3 : 1);
    uint64_t items = crier_rng_between(rng, 0, 3);

    if (kind == 0) {
        add_string(rng, buf);
    } else if (kind == 1) {
        crier_buf_append(buf, crier_slice_of(scalars[crier_rng_between(rng, 0, 4)]));
    } else {
        crier_buf_byte(buf, kind == 2 ? '{' : '[');
        add_space(rng, buf);
        for (uint64_t i = 0; i < items; i++)
            add_item(rng, buf, depth + 1, kind == 2, i == 0);
        crier_buf_byte(buf, kind == 2 ? '}' : ']');
    }
}

/* One object of `count` members, its name and value apart: `ends` are where each value begins
 * and ends. */
static void
add_object(struct crier_rng *rng, struct crier_buf *buf, size_t count, size_t (*ret_ends)[2])
{
    add_space(rng, buf);
    crier_buf_byte(buf, '{');
    add_space(rng, buf);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            crier_buf_byte(buf, ',');
        add_space(rng, buf);
        add_string(rng, buf);
        add_space(rng, buf);
        crier_buf_byte(buf, ':');
        add_space(rng, buf);
        ret_ends[i][0] = buf->len;
        add_value(rng, buf, 0);
        ret_ends[i][1] = buf->len;
        add_space(rng, buf);
    }
    crier_buf_byte(buf, '}');
    add_space(rng, buf);
}

/* Random objects that jansson takes: each value is where it was put. */
static void test_random(void **state)
{
    struct crier_rng rng = {test_seed("span")};

    for (int i = 0; i < 5000; i++) {
        struct crier_slice values[ROOM];
        size_t ends[ROOM][2], count = crier_rng_between(&rng, 0, ROOM);
        struct crier_buf buf;
        json_t *json;

        crier_buf_init(&buf, &crier_mem_libc);
        add_object(&rng, &buf, count, ends);
        assert_int_equal(crier_buf_error(&buf), 0);
        json = json_loadb(buf.data, buf.len, JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(json);
        json_decref(json);
        assert_int_equal(crier_span_members(crier_buf_slice(&buf), values, ROOM), count);
        for (size_t k = 0; k < count; k++) {
            assert_ptr_equal(values[k].data, buf.data + ends[k][0]);
            assert_int_equal(values[k].len, ends[k][1] - ends[k][0]);
        }
        crier_buf_deinit(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
