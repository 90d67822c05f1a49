/* SPDX-License-Identifier: MIT */
/* Rows: what is written is read again; damaged bytes are refused and never read beyond. */
#include "support.h"

#include "base/rng.h"
#include "durable/row.h"

static char text[4096];

static struct crier_slice some(struct crier_rng *rng, size_t least, size_t most)
{
    size_t len = (size_t)crier_rng_between(rng, least, most);
    size_t at = (size_t)crier_rng_between(rng, 0, sizeof(text) - len);

    return (struct crier_slice){text + at, len};
}

/* Small, or anything. */
static uint64_t number(struct crier_rng *rng)
{
    return crier_rng_next(rng) >> crier_rng_between(rng, 0, 63);
}

static struct crier_row any_row(struct crier_rng *rng)
{
    struct crier_row row = {.id = {number(rng), number(rng)},
                            .wall_ms = number(rng),
                            .clock_ms = number(rng) >> 1,
                            .class_id = (uint32_t)crier_rng_between(rng, 0, UINT32_MAX),
                            .topic_count =
                                (size_t)crier_rng_between(rng, 1, CRIER_TOPICS_PER_EVENT)};

    if (crier_rng_between(rng, 0, 1))
        row.topic_count = 1;
    row.alive = row.topic_count == 1
                    ? 1
                    : (unsigned)crier_rng_between(rng, 1, (1u << row.topic_count) - 1);
    if (crier_rng_between(rng, 0, 1))
        row.expires_ms = row.clock_ms + 1 + (number(rng) >> 2);
    if (crier_rng_between(rng, 0, 1))
        row.key = some(rng, 1, 200);
    if (crier_rng_between(rng, 0, 1))
        row.type = some(rng, 1, 200);
    for (size_t i = 0; i < row.topic_count; i++)
        row.topics[i] = some(rng, 1, 256);
    row.sse = some(rng, 1, 900);
    row.id_at = (size_t)crier_rng_between(rng, 0, row.sse.len);
    return row;
}

static void assert_same(const struct crier_row *a, const struct crier_row *b)
{
    assert_true(a->id.ms == b->id.ms && a->id.seq == b->id.seq);
    assert_true(a->wall_ms == b->wall_ms && a->clock_ms == b->clock_ms);
    assert_true(a->expires_ms == b->expires_ms && a->class_id == b->class_id);
    assert_true(a->alive == b->alive && a->topic_count == b->topic_count);
    for (size_t i = 0; i < a->topic_count; i++)
        assert_slice_equal(a->topics[i], b->topics[i]);
    assert_slice_equal(a->key, b->key);
    assert_slice_equal(a->type, b->type);
    assert_slice_equal(a->sse, b->sse);
    assert_true(a->id_at == b->id_at);
}

static void round_trip(void **state)
{
    struct crier_rng rng = {test_seed("rows")};
    struct crier_row row, read;
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (int i = 0; i < 5000; i++) {
        row = any_row(&rng);
        crier_buf_clear(&buf);
        crier_row_write(&buf, &row);
        assert_int_equal(crier_buf_error(&buf), 0);
        assert_int_equal(crier_row_read(crier_buf_slice(&buf), &read), 0);
        assert_same(&row, &read);
    }
    crier_buf_deinit(&buf);
}

/* A clock may be any distance from an id, and every length is there once. */
static void far_times(void **state)
{
    static const uint64_t times[] = {0, 1, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX};
    struct crier_row row = {
        .topics = {CRIER_SLICE("a")}, .topic_count = 1, .alive = 1, .sse = CRIER_SLICE("\n")};
    struct crier_row read;
    struct crier_buf buf;

    crier_buf_init(&buf, &crier_mem_libc);
    for (size_t i = 0; i < 125; i++) {
        row.id.ms = times[i % 5];
        row.wall_ms = times[i / 5 % 5];
        row.clock_ms = times[i / 25];
        crier_buf_clear(&buf);
        crier_row_write(&buf, &row);
        assert_int_equal(crier_row_read(crier_buf_slice(&buf), &read), 0);
        assert_same(&row, &read);
    }
    crier_buf_deinit(&buf);
}

/* Whatever is answered is within the bytes. */
static void look(struct crier_slice bytes, const struct crier_row *row)
{
    struct crier_buf buf;

    assert_true(row->topic_count >= 1 && row->topic_count <= CRIER_TOPICS_PER_EVENT);
    assert_true(row->alive && !(row->alive >> row->topic_count));
    for (size_t i = 0; i < row->topic_count; i++)
        assert_true(row->topics[i].data >= bytes.data &&
                    row->topics[i].data + row->topics[i].len <= bytes.data + bytes.len);
    assert_true(row->sse.len && row->sse.data + row->sse.len == bytes.data + bytes.len);
    crier_buf_init(&buf, &crier_mem_libc);
    crier_row_frame(&buf, row);
    assert_int_equal(buf.len, crier_row_bytes(row) + CRIER_FRAME_HEAD + CRIER_FRAME_TAIL);
    crier_buf_deinit(&buf);
}

static void damaged(void **state)
{
    struct crier_rng rng = {test_seed("damaged rows")};
    struct crier_row row, read;
    struct test_guard guard;
    struct crier_buf buf;

    test_guard_init(&guard, 8192);
    crier_buf_init(&buf, &crier_mem_libc);
    for (int i = 0; i < 60; i++) {
        row = any_row(&rng);
        crier_buf_clear(&buf);
        crier_row_write(&buf, &row);
        for (size_t len = 0; len < buf.len; len++) {
            struct crier_slice part =
                test_guard_put(&guard, (struct crier_slice){buf.data, len});
            int r = crier_row_read(part, &read);
            if (len <= buf.len - row.sse.len) /* nothing is left of its lines */
                assert_int_equal(r, -EUCLEAN);
            if (r == 0)
                look(part, &read);
        }
        for (int flip = 0; flip < 200; flip++) {
            struct crier_slice all = test_guard_put(&guard, crier_buf_slice(&buf));
            for (uint64_t n = crier_rng_between(&rng, 1, 3); n > 0; n--)
                guard.pages[guard.total - guard.page - all.len +
                            crier_rng_between(&rng, 0, all.len - 1)] ^=
                    (char)crier_rng_between(&rng, 1, 255);
            if (crier_row_read(all, &read) == 0)
                look(all, &read);
        }
    }
    crier_buf_deinit(&buf);
    test_guard_deinit(&guard);
}

static int write_one(const struct crier_mem *mem, void *ctx)
{
    struct crier_buf buf;

    crier_buf_init(&buf, mem);
    crier_row_write(&buf, ctx);
    int r = crier_buf_error(&buf);
    crier_buf_deinit(&buf);
    return r;
}

static void memory_fails(void **state)
{
    struct crier_rng rng = {1};
    struct crier_row row = any_row(&rng);

    assert_true(test_mem_torture(write_one, &row) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(far_times),
        cmocka_unit_test(damaged),
        cmocka_unit_test(memory_fails),
    };

    memset(text, 'x', sizeof(text));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
