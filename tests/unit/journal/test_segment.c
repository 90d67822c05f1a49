/* SPDX-License-Identifier: MIT */
#include "journal_support.h"

enum { SIZE = 4096 };

/* Appends one event of `len` data bytes through the segment calls alone. */
static void
append(struct crier_segments *segments, uint64_t number, size_t len, unsigned topics)
{
    static const char bytes[SIZE * 2];
    struct crier_draft draft = {.topic_count = topics, .sse = {bytes, len}};
    uint64_t hashes[8] = {11, 12, 13, 14, 15, 16, 17, 18};
    struct crier_id id = {1000 + number, TEST_SEQ};

    for (unsigned i = 0; i < topics; i++)
        draft.topics[i] = CRIER_SLICE("some/topic");
    size_t size = crier_stored_size(&draft, id);
    assert_int_equal(crier_segments_reserve(segments, size, number,
                                            (struct crier_id){999 + number, TEST_SEQ}),
                     0);
    struct crier_stored *stored = crier_segments_room(segments);
    crier_stored_write(stored, &draft, hashes, id, (struct crier_now){1, 2});
    assert_int_equal(stored->size, size);
    crier_segments_publish(segments, 0);
}

/* The frame is one HTTP/1.1 chunk; the id line stands where the draft wants it; the type
 * "message" is none. */
static void layout(void **state)
{
    _Alignas(16) char memory[512];
    struct crier_stored *stored = (struct crier_stored *)(void *)memory;
    struct crier_draft draft = {.topics = {CRIER_SLICE("a/b"), CRIER_SLICE("c")},
                                .topic_count = 2,
                                .type = CRIER_SLICE("alpha"),
                                .sse = CRIER_SLICE("event: alpha\ndata: x\n\n"),
                                .id_at = 13};
    uint64_t hashes[2] = {5, 6};
    struct crier_record record;

    assert_true(crier_stored_size(&draft, (struct crier_id){12, 70003}) <= sizeof(memory));
    crier_stored_write(stored, &draft, hashes, (struct crier_id){12, 70003},
                       (struct crier_now){34, 56});
    crier_stored_view(stored, 9, 3, &record);
    assert_slice_is(record.sse, "event: alpha\nid: 12-70003\ndata: x\n\n");
    assert_slice_is(record.frame, "00000023\r\nevent: alpha\nid: 12-70003\ndata: x\n\n\r\n");
    assert_int_equal(record.sse.len, 0x23);
    assert_slice_is(record.type, "alpha");
    assert_int_equal(record.topic_count, 2);
    assert_slice_is(record.topics[0], "a/b");
    assert_slice_is(record.topics[1], "c");
    assert_int_equal(record.topic_hashes[1], 6);
    assert_int_equal(record.number, 9);
    assert_int_equal(record.wall_ms, 34);
    assert_int_equal(record.boot_ms, 56);

    crier_stored_view(stored, 9, 2, &record); /* of one topic only */
    assert_int_equal(record.topic_count, 1);
    assert_slice_is(record.topics[0], "c");

    draft.type = CRIER_SLICE("message");
    crier_stored_write(stored, &draft, hashes, (struct crier_id){12, 70003},
                       (struct crier_now){34, 56});
    crier_stored_view(stored, 9, 3, &record);
    assert_slice_is(record.type, "");
    assert_int_equal(crier_type_hash(&test_key, CRIER_SLICE("message")),
                     crier_type_hash(&test_key, CRIER_SLICE("")));
}

/* Numbers are dense over segments; every one is found, and none beyond. An event larger than a
 * segment has one of its own. */
static void found_by_number(void **state)
{
    struct test_mem mem;
    struct crier_segments segments;
    struct crier_rng rng = {test_seed("found_by_number")};

    test_mem_init(&mem, 0);
    crier_segments_init(&segments, &mem.mem, SIZE);
    for (uint64_t n = 1; n <= 300; n++) {
        append(&segments, n, n % 50 == 0 ? SIZE + 100 : crier_rng_between(&rng, 0, 200),
               1 + (unsigned)n % 3);
        crier_segments_check(&segments, n);
    }
    assert_true(segments.count > 10);
    for (uint64_t n = 1; n <= 300; n++)
        assert_int_equal(crier_segments_at(&segments, n)->id.ms, 1000 + n);
    assert_null(crier_segments_at(&segments, 0));
    assert_null(crier_segments_at(&segments, 301));
    const struct crier_segment *large = crier_segments_find(&segments, 50);
    assert_int_equal(large->base, 50);
    assert_int_equal(crier_segment_last(large), 50);
    assert_true(crier_segment_entry(large, 0)->topic == CRIER_ENTRY_MANY);
    crier_segments_deinit(&segments);
    assert_int_equal(mem.alive, 0);
}

/* A segment that left the list lives for as long as somebody holds it. */
static void outlives_the_list(void **state)
{
    struct test_mem mem;
    struct crier_segments segments;

    test_mem_init(&mem, 0);
    crier_segments_init(&segments, &mem.mem, SIZE);
    for (uint64_t n = 1; n <= 100; n++)
        append(&segments, n, 100, 1);
    struct crier_segment *held = crier_segments_get(&segments, 0);
    uint64_t last = crier_segment_last(held);
    crier_segment_ref(held);
    crier_segments_age(&segments, last);
    assert_int_equal(segments.stale, 0);
    crier_segments_age(&segments, last + 1);
    assert_int_equal(segments.stale, 1);
    assert_int_equal(segments.stale_bytes, SIZE);
    uint64_t before = segments.held_bytes;
    crier_segments_drop(&segments);
    assert_int_equal(segments.held_bytes, before);
    assert_null(crier_segments_at(&segments, last));
    assert_int_equal(crier_segment_at(held, 0)->id.ms, 1001);
    crier_segment_unref(&segments, held);
    assert_true(segments.held_bytes < before);
    crier_segments_check(&segments, 100);
    crier_segments_deinit(&segments);
    assert_int_equal(mem.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(found_by_number),
        cmocka_unit_test(outlives_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
