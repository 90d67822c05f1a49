/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "event/event.h"
#include <pthread.h>

#define S(literal) CRIER_SLICE(literal)

/* The bytes are those of crier_event_encode(), with a NUL behind them; the last reference
 * frees. */
static void references(void **state)
{
    struct crier_event e = {.data = S("a\nb"), .type = S("t"), .id = S("1")};
    struct crier_encoded *encoded = NULL;
    struct test_mem t;

    test_mem_init(&t, 0);
    assert_int_equal(crier_encoded_new(&e, &t.mem, &encoded), 0);
    e = (struct crier_event){.data = S("gone")};
    assert_slice_is(crier_encoded_bytes(encoded), "event: t\nid: 1\ndata: a\ndata: b\n\n");
    assert_int_equal(crier_encoded_bytes(encoded).data[crier_encoded_bytes(encoded).len], 0);
    assert_int_equal(t.alive, 1);
    assert_ptr_equal(crier_encoded_ref(encoded), encoded);
    assert_null(crier_encoded_unref(encoded));
    assert_int_equal(t.alive, 1);
    assert_slice_equal(crier_slice_sub(crier_encoded_bytes(encoded), 0, 8), S("event: t"));
    assert_null(crier_encoded_unref(encoded));
    assert_int_equal(t.alive, 0);

    /* NULL: the C library's memory. What has no data is encoded too. */
    e = (struct crier_event){.comment = S("c")};
    assert_int_equal(crier_encoded_new(&e, NULL, &encoded), 0);
    assert_slice_is(crier_encoded_bytes(encoded), ": c\n");
    crier_encoded_unref(encoded);
    e = (struct crier_event){.flags = 0};
    assert_int_equal(crier_encoded_new(&e, NULL, &encoded), 0);
    assert_slice_is(crier_encoded_bytes(encoded), "");
    crier_encoded_unref(encoded);
}

static void refusals(void **state)
{
    struct crier_event bad = {.data = S("x"), .id = S("a\nb")};
    struct crier_encoded *encoded = (struct crier_encoded *)(void *)&bad;
    struct test_mem t;

    test_mem_init(&t, 0);
    assert_int_equal(crier_encoded_new(&bad, &t.mem, &encoded), CRIER_EINVAL);
    assert_ptr_equal(encoded, &bad);
    assert_int_equal(t.alive, 0);
    assert_null(crier_encoded_ref(NULL));
    assert_null(crier_encoded_unref(NULL));
    assert_null(crier_encoded_bytes(NULL).data);
}

static void *take_and_return(void *ctx)
{
    for (int i = 0; i < 20000; i++)
        crier_encoded_unref(crier_encoded_ref(ctx));
    return NULL;
}

/* References are taken and returned by any thread. */
static void threads(void **state)
{
    struct crier_event e = {.data = S("x")};
    struct crier_encoded *encoded = NULL;
    pthread_t thread[3];
    struct test_mem t;

    test_mem_init(&t, 0);
    assert_int_equal(crier_encoded_new(&e, &t.mem, &encoded), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, take_and_return, encoded), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(t.alive, 1);
    crier_encoded_unref(encoded);
    assert_int_equal(t.alive, 0);
}

static int make(const struct crier_mem *mem, void *ctx)
{
    struct crier_event e = {.data = S("x")};
    struct crier_encoded *encoded = NULL;
    int r = crier_encoded_new(&e, mem, &encoded);

    crier_encoded_unref(encoded);
    return r;
}

static void out_of_memory(void **state)
{
    assert_int_equal(test_mem_torture(make, NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references),
        cmocka_unit_test(refusals),
        cmocka_unit_test(threads),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
