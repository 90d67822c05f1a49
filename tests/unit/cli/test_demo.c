/* SPDX-License-Identifier: MIT */
#include "cli/demo.h"
#include "support.h"
#include <jansson.h>

struct seen {
    unsigned clocks, prices, jobs_done;
    double low, high, last;
    json_int_t job, percent;
    unsigned refuse; /* the callback fails */
    char clock[32];
};

static json_t *object_of(struct crier_slice data)
{
    json_t *object = json_loadb(data.data, data.len, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(object);
    return object;
}

static void see_price(struct seen *seen, struct crier_slice data)
{
    json_t *object = object_of(data);
    double price = json_number_value(json_object_get(object, "price"));
    double change = json_real_value(json_object_get(object, "change"));

    assert_string_equal(json_string_value(json_object_get(object, "symbol")), "CRIER");
    if (seen->prices++)
        assert_true(change - (price - seen->last) < 0.001 &&
                    change - (price - seen->last) > -0.001);
    seen->low = seen->prices == 1 || price < seen->low ? price : seen->low;
    seen->high = seen->prices == 1 || price > seen->high ? price : seen->high;
    seen->last = price;
    json_decref(object);
}

static void see_progress(struct seen *seen, struct crier_slice data)
{
    json_t *object = object_of(data);
    json_int_t job = json_integer_value(json_object_get(object, "job"));
    json_int_t percent = json_integer_value(json_object_get(object, "percent"));
    const char *status = json_string_value(json_object_get(object, "status"));

    if (job == seen->job) {
        assert_true(percent > seen->percent && percent <= 100);
    } else {
        assert_int_equal(job, seen->job + 1);
        assert_int_equal(percent, 0);
        assert_true(seen->job == 0 || seen->percent == 100);
    }
    assert_string_equal(status, percent == 100 ? "done" : "running");
    seen->jobs_done += percent == 100;
    seen->job = job;
    seen->percent = percent;
    json_decref(object);
}

static int
see(void *ctx, struct crier_slice topic, struct crier_slice type, struct crier_slice data)
{
    struct seen *seen = ctx;

    if (crier_slice_eq(topic, CRIER_SLICE("demo/clock"))) {
        assert_int_equal(type.len, 0);
        assert_true(data.len < sizeof(seen->clock));
        memcpy(seen->clock, data.data, data.len);
        seen->clock[data.len] = '\0';
        seen->clocks++;
    } else if (crier_slice_eq(topic, CRIER_SLICE("demo/price"))) {
        assert_true(crier_slice_eq(type, CRIER_SLICE("price-update")));
        see_price(seen, data);
    } else {
        assert_true(crier_slice_eq(topic, CRIER_SLICE("demo/progress")));
        assert_true(crier_slice_eq(type, CRIER_SLICE("progress")));
        see_progress(seen, data);
    }
    return seen->refuse ? -ENOSPC : 0;
}

/* A fresh hub is alive at once: all three topics with the first step, and the clock says the
 * time. */
static void starts_at_once(void **state)
{
    struct crier_now now = {.wall_ms = 1795253614123, .boot_ms = 5000};
    struct crier_demo demo;
    struct seen seen = {0};

    crier_demo_init(&demo, 1, now);
    uint64_t wait = crier_demo_step(&demo, now, see, &seen);
    assert_int_equal(seen.clocks, 1);
    assert_int_equal(seen.prices, 1);
    assert_int_equal(seen.job, 1);
    assert_string_equal(seen.clock, "2026-11-21T09:33:34Z");
    assert_true(wait >= 1 && wait <= 500);
}

/* Whoever sleeps as long as told sees a clock each second, two prices a second and whole jobs,
 * for a day; the price stays plausible and does move; every change is the difference it claims
 * to be. */
static void runs_for_a_day(void **state)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct crier_now now = {.wall_ms = 1795253614999, .boot_ms = 0};
    struct crier_demo demo;
    struct seen seen = {0};

    crier_demo_init(&demo, 42, now);
    while (now.boot_ms < DAY_MS) {
        uint64_t wait = crier_demo_step(&demo, now, see, &seen);

        assert_true(wait >= 1 && wait <= 1000);
        now.boot_ms += wait;
        now.wall_ms += wait;
    }
    assert_in_range(seen.clocks, DAY_MS / 1000, DAY_MS / 1000 + 1);
    assert_int_equal(seen.prices, DAY_MS / 500);
    assert_true(seen.jobs_done > 1000);
    assert_true(seen.low >= 80 && seen.low < 98);
    assert_true(seen.high <= 120 && seen.high > 102);
}

/* Asked before anything is due, it publishes nothing and still says when to come back. */
static void early_is_quiet(void **state)
{
    struct crier_now now = {.wall_ms = 1795253614000, .boot_ms = 7};
    struct crier_demo demo;
    struct seen seen = {0};

    crier_demo_init(&demo, 3, now);
    uint64_t wait = crier_demo_step(&demo, now, see, &seen);
    now.boot_ms += wait - 1;
    now.wall_ms += wait - 1;
    assert_int_equal(crier_demo_step(&demo, now, see, &seen), 1);
    assert_int_equal(seen.clocks + seen.prices, 2);
}

/* What was due during a long sleep comes once, not in a burst; a wall clock set back changes no
 * rhythm; a refusing journal stops nothing. */
static void late_is_once(void **state)
{
    struct crier_now now = {.wall_ms = 1795253614000, .boot_ms = 7};
    struct crier_demo demo;
    struct seen seen = {.refuse = 1};

    crier_demo_init(&demo, 3, now);
    (void)crier_demo_step(&demo, now, see, &seen);
    now.boot_ms += 3600 * 1000;
    now.wall_ms -= 3600 * 1000 - 250;
    uint64_t wait = crier_demo_step(&demo, now, see, &seen);
    assert_int_equal(seen.clocks, 2);
    assert_int_equal(seen.prices, 2);
    assert_string_equal(seen.clock, "2026-11-21T08:33:34Z");
    assert_true(wait >= 1 && wait <= 500);
}

/* The same seed gives the same prices, another seed others. */
static void seed_decides(void **state)
{
    double last[3];

    for (unsigned i = 0; i < 3; i++) {
        struct crier_now now = {.wall_ms = 1795253614000, .boot_ms = 0};
        struct crier_demo demo;
        struct seen seen = {0};

        crier_demo_init(&demo, i < 2 ? 11 : 12, now);
        for (; now.boot_ms < 20000; now.boot_ms += 100)
            (void)crier_demo_step(&demo, now, see, &seen);
        last[i] = seen.last;
    }
    assert_true(last[0] == last[1]);
    assert_true(last[0] != last[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_at_once), cmocka_unit_test(runs_for_a_day),
        cmocka_unit_test(early_is_quiet), cmocka_unit_test(late_is_once),
        cmocka_unit_test(seed_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
