/* SPDX-License-Identifier: MIT */
/*
 * Three topics of three kinds, so that the live page has a list, a chart and a bar to draw:
 *
 *     each second          demo/clock     2026-11-21T09:03:34Z
 *     each 500 ms          demo/price     price-update: {"symbol":"CRIER","price":101.23,...}
 *     each 400 to 1,000 ms demo/progress  progress: {"job":7,"percent":40,"status":"running"}
 *
 * The price is a random walk that is drawn back to 100: the further away, the stronger, so it
 * never leaves LOW to HIGH, and is rarely far from the mean. A job runs to 100 percent,
 * says "done", and the next one follows.
 *
 * Each topic has a time at which it is due. One that is late (a suspended machine, a stopped
 * process) is published once and is then due anew from now on. The clock ticks right after the
 * full second of the wall clock.
 */
#include "cli/demo.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
    MEAN = 10000, /* in cents */
    STEP = 40,    /* the most that chance moves the price */
    PULL = 50,    /* the price is drawn back by this part of its distance to the mean */
    LOW = MEAN - STEP * PULL, /* here the pull is as strong as chance: the price turns */
    HIGH = MEAN + STEP * PULL,
    PRICE_MS = 500,
    PROGRESS_MIN_MS = 400,
    PROGRESS_MAX_MS = 1000,
    TEXT = 128, /* longer than any event of the demonstration */
};

typedef int (*publish_fn)(void *ctx,
                          struct crier_slice topic,
                          struct crier_slice type,
                          struct crier_slice data);

static struct crier_slice text_of(const char *text, int len)
{
    return (struct crier_slice){text, len > 0 && len < TEXT ? (size_t)len : 0};
}

static uint64_t until_next_second(struct crier_now now)
{
    return 1000 - now.wall_ms % 1000;
}

void crier_demo_init(struct crier_demo *demo, uint64_t seed, struct crier_now now)
{
    *demo = (struct crier_demo){
        .rng = {seed},
        .clock_due = now.boot_ms,
        .price_due = now.boot_ms,
        .progress_due = now.boot_ms,
        .cents = MEAN,
        .job = 1,
    };
}

static void publish_clock(struct crier_now now, publish_fn publish, void *ctx)
{
    char text[TEXT];
    time_t seconds = (time_t)(now.wall_ms / 1000);
    struct tm utc;

    if (!gmtime_r(&seconds, &utc))
        return;
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)publish(ctx, CRIER_SLICE("demo/clock"), CRIER_SLICE(""), text_of(text, (int)len));
}

/* Cents as units, without the rounding of floating point. */
static void publish_price(struct crier_demo *demo, publish_fn publish, void *ctx)
{
    int64_t change = (int64_t)crier_rng_between(&demo->rng, 0, 2 * STEP) - STEP;
    int64_t size;
    char text[TEXT];
    int len;

    change += (MEAN - demo->cents) / PULL;
    demo->cents += change;
    assert(demo->cents >= LOW && demo->cents <= HIGH);

    size = change < 0 ? -change : change;
    len = snprintf(text, sizeof(text),
                   "{\"symbol\":\"CRIER\",\"price\":%" PRId64 ".%02d,\"change\":%s%" PRId64
                   ".%02d}",
                   demo->cents / 100, (int)(demo->cents % 100), change < 0 ? "-" : "",
                   size / 100, (int)(size % 100));
    (void)publish(ctx, CRIER_SLICE("demo/price"), CRIER_SLICE("price-update"),
                  text_of(text, len));
}

static void publish_progress(struct crier_demo *demo, publish_fn publish, void *ctx)
{
    char text[TEXT];
    int len =
        snprintf(text, sizeof(text), "{\"job\":%" PRIu64 ",\"percent\":%u,\"status\":\"%s\"}",
                 demo->job, demo->percent, demo->percent < 100 ? "running" : "done");

    (void)publish(ctx, CRIER_SLICE("demo/progress"), CRIER_SLICE("progress"),
                  text_of(text, len));

    if (demo->percent == 100) {
        demo->percent = 0;
        demo->job++;
        return;
    }
    demo->percent += (unsigned)crier_rng_between(&demo->rng, 2, 9);
    if (demo->percent > 100)
        demo->percent = 100;
}

uint64_t
crier_demo_step(struct crier_demo *demo, struct crier_now now, publish_fn publish, void *ctx)
{
    uint64_t next;

    if (now.boot_ms >= demo->clock_due) {
        publish_clock(now, publish, ctx);
        demo->clock_due = now.boot_ms + until_next_second(now);
    }
    if (now.boot_ms >= demo->price_due) {
        publish_price(demo, publish, ctx);
        demo->price_due = now.boot_ms + PRICE_MS;
    }
    if (now.boot_ms >= demo->progress_due) {
        publish_progress(demo, publish, ctx);
        demo->progress_due =
            now.boot_ms + crier_rng_between(&demo->rng, PROGRESS_MIN_MS, PROGRESS_MAX_MS);
    }

    next = demo->clock_due < demo->price_due ? demo->clock_due : demo->price_due;
    if (demo->progress_due < next)
        next = demo->progress_due;
    return next - now.boot_ms;
}
