/* SPDX-License-Identifier: MIT */
/* Rows: what is written is read; what was cut or bent is told, or is a row within its bytes. */
#include "support.h"

#include "base/rng.h"
#include "durable/row.h"
#include "event/id.h"

enum { ROUNDS = 3000, TEXT = 300 };

struct made {
    struct crier_row row;
    char texts[CRIER_TOPICS_PER_EVENT + 3][TEXT];
};

/* Small ones mostly, now and then as large as they get. */
static uint64_t number(struct crier_rng *rng)
{
    unsigned bits = (unsigned)crier_rng_between(rng, 0, 62);

    return crier_rng_between(rng, 0, (UINT64_C(1) << bits) - 1);
}

static struct crier_slice text(struct crier_rng *rng, char *to, size_t least)
{
    size_t len = (size_t)crier_rng_between(rng, least, crier_rng_between(rng, 1, TEXT));

    for (size_t i = 0; i < len; i++)
        to[i] = (char)crier_rng_between(rng, 0, 255);
    return (struct crier_slice){to, len};
}

static void make(struct crier_rng *rng, struct made *m)
{
    struct crier_row *row = &m->row;
    size_t n = 0;

    *row = (struct crier_row){.id = {number(rng), number(rng)},
                              .wall_ms = number(rng),
                              .clock_ms = number(rng),
                              .class_id = (uint32_t)crier_rng_between(rng, 0, 0x8040)};
    if (crier_rng_between(rng, 0, 1))
        row->expires_ms = row->clock_ms + number(rng) + 1;
    row->topic_count = (size_t)crier_rng_between(rng, 1, CRIER_TOPICS_PER_EVENT);
    for (; n < row->topic_count; n++)
        row->topics[n] = text(rng, m->texts[n], 1);
    row->alive = row->topic_count == 1
                     ? 1
                     : (unsigned)crier_rng_between(rng, 1, (1u << row->topic_count) - 1);
    if (crier_rng_between(rng, 0, 1))
        row->key = text(rng, m->texts[n++], 1);
    if (crier_rng_between(rng, 0, 1))
        row->type = text(rng, m->texts[n++], 1);
    row->sse = text(rng, m->texts[n], 1);
    row->id_at = (size_t)crier_rng_between(rng, 0, row->sse.len);
}

static void assert_rows_equal(const struct crier_row *a, const struct crier_row *b)
{
    assert_int_equal(crier_id_cmp(a->id, b->id), 0);
    assert_int_equal(a->wall_ms, b->wall_ms);
    assert_int_equal(a->clock_ms, b->clock_ms);
    assert_int_equal(a->expires_ms, b->expires_ms);
    assert_int_equal(a->class_id, b->class_id);
    assert_int_equal(a->alive, b->alive);
    assert_int_equal(a->topic_count, b->topic_count);
    for (size_t i = 0; i < a->topic_count; i++)
        assert_slice_equal(a->topics[i], b->topics[i]);
    assert_slice_equal(a->key, b->key);
    assert_slice_equal(a->type, b->type);
    assert_slice_equal(a->sse, b->sse);
    assert_int_equal(a->id_at, b->id_at);
}

/* Whatever it says lies within the bytes it was read from. */
static void assert_within(const struct crier_row *row, struct crier_slice bytes)
{
    const struct crier_slice parts[] = {row->key, row->type, row->sse};

    for (size_t i = 0; i < 3; i++) {
        if (parts[i].len)
            assert_true(parts[i].data >= bytes.data &&
                        parts[i].data + parts[i].len <= bytes.data + bytes.len);
    }
    assert_in_range(row->topic_count, 1, CRIER_TOPICS_PER_EVENT);
    assert_true(row->alive && !(row->alive >> row->topic_count));
    assert_true(row->id_at <= row->sse.len);
}

static void round_trip(void **state)
{
    struct crier_rng rng = {test_seed("row")};
    struct crier_buf buf;
    struct crier_row read;
    struct made *m = malloc(sizeof(*m));

    assert_non_null(m);
    crier_buf_init(&buf, &crier_mem_libc);
    for (int i = 0; i < ROUNDS; i++) {
        make(&rng, m);
        crier_buf_clear(&buf);
        crier_row_write(&buf, &m->row);
        assert_int_equal(crier_row_read(crier_buf_slice(&buf), &read), 0);
        assert_rows_equal(&read, &m->row);
    }
    crier_buf_deinit(&buf);
    free(m);
}

static void cut_and_bent(void **state)
{
    struct crier_rng rng = {test_seed("row, bent")};
    struct test_guard guard;
    struct crier_buf buf;
    struct crier_row read;
    struct made *m = malloc(sizeof(*m));

    assert_non_null(m);
    crier_buf_init(&buf, &crier_mem_libc);
    test_guard_init(&guard, 16384);
    for (int i = 0; i < ROUNDS / 10; i++) {
        make(&rng, m);
        crier_buf_clear(&buf);
        crier_row_write(&buf, &m->row);
        size_t head = buf.len - m->row.sse.len;
        for (size_t len = 0; len <= head; len++) {
            struct crier_slice cut =
                test_guard_put(&guard, (struct crier_slice){buf.data, len});
            assert_int_equal(crier_row_read(cut, &read), -EUCLEAN);
        }
        for (int n = 0; n < 50; n++) {
            size_t at = (size_t)crier_rng_between(&rng, 0, head - 1);
            char was = buf.data[at];
            buf.data[at] = (char)crier_rng_between(&rng, 0, 255);
            struct crier_slice bent = test_guard_put(&guard, crier_buf_slice(&buf));
            int r = crier_row_read(bent, &read);
            assert_true(r == 0 || r == -EUCLEAN);
            if (r == 0)
                assert_within(&read, bent);
            buf.data[at] = was;
        }
    }
    test_guard_deinit(&guard);
    crier_buf_deinit(&buf);
    free(m);
}

static void frame(void **state)
{
    const struct crier_row row = {.id = {12, 345},
                                  .topics = {CRIER_SLICE("a")},
                                  .topic_count = 1,
                                  .alive = 1,
                                  .sse = CRIER_SLICE("event: b\ndata: c\n\n"),
                                  .id_at = 9};
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_buf_byte(&buf, '!'); /* it is appended */
    struct crier_slice sse = crier_row_frame(&buf, &row);
    assert_slice_is(sse, "event: b\nid: 12-345\ndata: c\n\n");
    assert_int_equal(sse.len, crier_row_bytes(&row));
    assert_slice_is(crier_buf_slice(&buf),
                    "!0000001d\r\nevent: b\nid: 12-345\ndata: c\n\n\r\n");
    crier_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(cut_and_bent),
        cmocka_unit_test(frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
