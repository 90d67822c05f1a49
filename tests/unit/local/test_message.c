/* SPDX-License-Identifier: MIT */
#include "local_support.h"

#include "local/message.h"

static struct crier_record record_of(const char *sse, const char *type)
{
    return (struct crier_record){.id = {17, 4},
                                 .wall_ms = 1234,
                                 .type = crier_slice_of(type),
                                 .sse = crier_slice_of(sse)};
}

/* What went in comes out in order, each text with a NUL behind it. */
static void in_order(void **state)
{
    struct crier_messages messages;
    struct crier_message m;
    struct crier_record a =
        record_of("retry: 900\nevent: t\nid: 17-4\ndata: x\ndata: \n\n", "t");
    struct crier_record b = record_of("id: 17-4\ndata: \n\n", NULL);

    crier_messages_init(&messages, &crier_mem_libc);
    assert_false(crier_messages_take(&messages, &m));
    assert_int_equal(crier_messages_add(&messages, &a, CRIER_SLICE("a/b")), 0);
    assert_int_equal(crier_messages_add(&messages, &b, CRIER_SLICE("c")), 0);
    assert_true(crier_messages_take(&messages, &m));
    assert_slice_is(m.topic, "a/b");
    assert_slice_is(m.event.type, "t");
    assert_slice_is(m.event.id, "17-4");
    assert_slice_is(m.event.data, "x\n");
    assert_slice_equal(m.bytes, a.sse);
    assert_int_equal(m.event.retry_ms, 900);
    assert_int_equal(m.event.flags, CRIER_DATA | CRIER_ID | CRIER_RETRY);
    assert_int_equal(m.time_ms, 1234);
    assert_null(m.gap.reason);
    assert_terminated(m.topic);
    assert_terminated(m.event.type);
    assert_terminated(m.event.id);
    assert_terminated(m.event.data);
    assert_terminated(m.bytes);
    assert_true(crier_messages_take(&messages, &m));
    assert_slice_is(m.event.type, "message");
    assert_slice_is(m.event.data, "");
    assert_int_equal(m.event.flags, CRIER_DATA | CRIER_ID);
    assert_terminated(m.event.data);
    assert_true(crier_messages_empty(&messages));
    assert_false(crier_messages_take(&messages, &m));
    crier_messages_deinit(&messages);
}

/* Out of memory: those before stay, and it can go on. */
static void out_of_memory(void **state)
{
    struct crier_record record =
        record_of("id: 17-4\ndata: 0123456789012345678901234567\n\n", "");
    struct crier_messages messages;
    struct crier_message m;
    struct test_mem t;

    test_mem_init(&t, 2);
    crier_messages_init(&messages, &t.mem);
    int added = 0;
    while (crier_messages_add(&messages, &record, CRIER_SLICE("t")) == 0)
        added++;
    assert_true(added >= 1 && t.failed);
    assert_int_equal(crier_messages_add(&messages, &record, CRIER_SLICE("t")), 0);
    for (int i = 0; i <= added; i++) {
        assert_true(crier_messages_take(&messages, &m));
        assert_slice_is(m.event.data, "0123456789012345678901234567");
    }
    crier_messages_clear(&messages, 1 << 20);
    assert_int_equal(t.alive, 1);
    crier_messages_clear(&messages, 16);
    assert_int_equal(t.alive, 0);
    crier_messages_deinit(&messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
