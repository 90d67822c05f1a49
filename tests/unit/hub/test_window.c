/* SPDX-License-Identifier: MIT */
/* Windows, against a plain list of events. */
#include "base/rng.h"
#include "hub/window.h"
#include "support.h"

enum { EVENTS = 200, STEPS = 20000 };

static const struct crier_dress plain = {CRIER_FORM_SSE, false};

struct naive {
    uint64_t number[EVENTS], begin[EVENTS], end[EVENTS];
    size_t first, count; /* in the window: first..count-1 */
    uint64_t begin_number;
};

/* Event k of `number` is filled with a byte that depends on it. */
static struct crier_record make_record(uint64_t number, size_t len, char *text)
{
    memset(text, (int)('a' + number % 26), len);
    return (struct crier_record){.number = number, .sse = {text, len}, .frame = {text, len}};
}

/* place, count, find and bytes, at a random offset and position. */
static void compare(const struct crier_window *w, const struct naive *n, struct crier_rng *rng)
{
    uint64_t begin = w->begin, end = crier_window_end(w);
    uint64_t a = crier_rng_between(rng, begin, end), b = crier_rng_between(rng, a, end);
    struct crier_place place = crier_window_place(w, a);
    size_t at = n->first, whole = 0;

    while (at < n->count && n->end[at] <= a)
        at++;
    assert_int_equal(place.mark, at - n->first);
    if (at < n->count) {
        assert_int_equal(place.position, n->number[at] - 1);
        assert_int_equal(place.into, a - n->begin[at]);
        if (a < end)
            assert_int_equal(crier_window_from(w, a).data[0], 'a' + n->number[at] % 26);
    } else {
        assert_int_equal(place.into, 0);
    }
    for (size_t i = n->first; i < n->count; i++)
        whole += n->end[i] > a && n->end[i] <= b;
    assert_int_equal(crier_window_count(w, a, b), whole);

    uint64_t position = crier_rng_between(rng, 0, n->count ? n->number[n->count - 1] + 2 : 10);
    uint64_t offset = 0;
    bool found = crier_window_find(w, position, &offset);
    assert_int_equal(found, position >= n->begin_number);
    if (found) {
        at = n->first;
        while (at < n->count && n->number[at] <= position)
            at++;
        assert_int_equal(offset, at < n->count ? n->begin[at] : end);
    }
}

static void test_random(void **state)
{
    struct crier_rng rng = {test_seed("window")};
    struct naive n = {0};
    struct crier_window_pool pool;
    char text[40];

    crier_window_pool_init(&pool, &crier_mem_libc);
    struct crier_window *w = crier_window_take(&pool, 1000, 7);
    n.begin_number = 7;
    for (int step = 0; step < STEPS; step++) {
        uint64_t dice = crier_rng_between(&rng, 0, 9);
        if (dice < 5 && n.count < EVENTS) {
            uint64_t number = (n.count ? n.number[n.count - 1] : n.begin_number) +
                              crier_rng_between(&rng, 1, 3);
            size_t len = (size_t)crier_rng_between(&rng, 1, sizeof(text));
            struct crier_record record = make_record(number, len, text);
            n.number[n.count] = number;
            n.begin[n.count] = crier_window_end(w);
            assert_int_equal(crier_window_append(w, plain, &record), 0);
            n.end[n.count++] = crier_window_end(w);
        } else if (dice == 5) {
            size_t drop = (size_t)crier_rng_between(&rng, 0, n.count - n.first);
            crier_window_drop(w, drop);
            n.first += drop;
            if (drop > 0)
                n.begin_number = n.number[n.first - 1];
        } else if (n.count == EVENTS) {
            crier_window_give(&pool, w);
            w = crier_window_take(&pool, 50, 3);
            n = (struct naive){.begin_number = 3};
        }
        crier_window_check(w);
        compare(w, &n, &rng);
    }
    crier_window_give(&pool, w);
    crier_window_pool_deinit(&pool);
}

static int run_oom(const struct crier_mem *mem, void *ctx)
{
    struct crier_window_pool pool;
    char text[600];
    int r = 0;

    crier_window_pool_init(&pool, mem);
    struct crier_window *w = crier_window_take(&pool, 0, 0);
    if (!w)
        return -ENOMEM;
    for (uint64_t number = 1; number <= 20 && r == 0; number++) {
        struct crier_record record = make_record(number, sizeof(text), text);
        uint64_t end = crier_window_end(w);
        r = crier_window_append(w, plain, &record);
        assert_true(crier_window_end(w) == (r == 0 ? end + sizeof(text) : end));
        crier_window_check(w);
    }
    crier_window_give(&pool, w);
    crier_window_pool_deinit(&pool);
    return r;
}

/* A failed append changes nothing. */
static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_oom, NULL) > 3);
}

/* The pool keeps what is ordinary and frees what is large. */
static void test_pool(void **state)
{
    struct crier_window_pool pool;
    struct crier_window *windows[100];
    struct test_mem t;
    static char text[300 * 1024];
    struct crier_record record = make_record(1, sizeof(text), text);

    test_mem_init(&t, 0);
    crier_window_pool_init(&pool, &t.mem);
    for (size_t i = 0; i < 100; i++) {
        windows[i] = crier_window_take(&pool, 0, 0);
        record.sse.len = i == 0 ? sizeof(text) : 40 * 1024;
        assert_int_equal(crier_window_append(windows[i], plain, &record), 0);
    }
    for (size_t i = 0; i < 100; i++)
        crier_window_give(&pool, windows[i]);
    assert_in_range(t.alive, 3 * 5, 3 * 30);
    assert_in_range(pool.spare_bytes, 1, 1024 * 1024);
    crier_window_pool_deinit(&pool);
    assert_int_equal(t.alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
