/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"
#include "event/id.h"

#define S(literal) CRIER_SLICE(literal)

static struct crier_slice format(struct crier_id id, char text[CRIER_ID_TEXT])
{
    return (struct crier_slice){text, crier_id_format(id, text)};
}

static void known_ids(void **state)
{
    char text[CRIER_ID_TEXT];
    struct crier_id id;

    assert_slice_is(format((struct crier_id){0, 0}, text), "0-0");
    assert_slice_is(format((struct crier_id){1763700000123, 10}, text), "1763700000123-10");
    /* The longest fits exactly. */
    assert_slice_is(format((struct crier_id){UINT64_MAX, UINT64_MAX}, text),
                    "18446744073709551615-18446744073709551615");
    assert_int_equal(crier_id_parse(S("18446744073709551615-18446744073709551615"), &id), 0);
    assert_true(id.ms == UINT64_MAX && id.seq == UINT64_MAX);
}

/* Invariant: append writes what format does, behind what is there. */
static void appended(void **state)
{
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_byte(&buf, '[');
    crier_id_append(&buf, (struct crier_id){UINT64_MAX, UINT64_MAX});
    crier_id_append(&buf, (struct crier_id){7, 0});
    assert_slice_is(crier_buf_slice(&buf), "[18446744073709551615-184467440737095516157-0");
    crier_buf_deinit(&buf);
}

/* Invariant: parse takes what format writes and nothing else (one spelling for each id), and
 * leaves the out-parameter alone otherwise. */
static void refused(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "01-2",
        "1-02",
        "00-0",
        "1-00",
        " 1-2",
        "1-2 ",
        "1 -2",
        "+1-2",
        "1-+2",
        "1--2",
        "a-1",
        "1-b",
        "1_2",
        "1-2\n",
        "0x1-2",
        "18446744073709551616-0",
        "0-18446744073709551616",
    };
    struct crier_id id = {7, 8};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(crier_id_parse(crier_slice_of(bad[i]), &id), -EINVAL);
    assert_int_equal(crier_id_parse(S("1-2\0"), &id), -EINVAL);
    assert_int_equal(crier_id_parse((struct crier_slice){NULL, 0}, &id), -EINVAL);
    assert_true(id.ms == 7 && id.seq == 8);
}

/* Invariant: parse(format(id)) == id, and ids are ordered by ms, then seq. */
static void random_ids(void **state)
{
    struct crier_rng rng = {test_seed("random_ids")};
    struct crier_id last = {0, 0};

    for (int round = 0; round < 20000; round++) {
        unsigned shift = (unsigned)crier_rng_between(&rng, 0, 63);
        struct crier_id id = {crier_rng_next(&rng) >> shift,
                              crier_rng_next(&rng) >> (63 - shift)};
        struct crier_id back = {0, 0};
        char text[CRIER_ID_TEXT];

        if (round % 3 == 0)
            id.ms = last.ms;
        assert_int_equal(crier_id_parse(format(id, text), &back), 0);
        assert_int_equal(crier_id_cmp(id, back), 0);
        assert_int_equal(crier_id_cmp(id, last) < 0,
                         id.ms < last.ms || (id.ms == last.ms && id.seq < last.seq));
        assert_int_equal(crier_id_cmp(id, last) < 0, crier_id_cmp(last, id) > 0);
        last = id;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ids),
        cmocka_unit_test(appended),
        cmocka_unit_test(refused),
        cmocka_unit_test(random_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
