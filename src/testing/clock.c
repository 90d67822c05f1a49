/* SPDX-License-Identifier: MIT */
#include "crier/testing.h"

#include "base/mem.h"

struct crier_test_clock {
    struct crier_clock clock;
    struct crier_now now;
};

enum { HOUR_MS = 3600 * 1000 };
static const uint64_t start_wall_ms = 1767225600000; /* 2026-01-01T00:00:00Z */

static struct crier_now read_clock(void *ctx)
{
    const struct crier_test_clock *clock = ctx;

    return clock->now;
}

struct crier_test_clock *crier_test_clock_new(void)
{
    struct crier_test_clock *clock = crier_mem_alloc(&crier_mem_libc, sizeof(*clock));

    if (clock)
        *clock = (struct crier_test_clock){.clock = {read_clock, clock},
                                           .now = {start_wall_ms, HOUR_MS}};
    return clock;
}

struct crier_test_clock *crier_test_clock_free(struct crier_test_clock *clock)
{
    return crier_mem_free(&crier_mem_libc, clock);
}

const struct crier_clock *crier_test_clock_of(struct crier_test_clock *clock)
{
    return clock ? &clock->clock : NULL;
}

void crier_test_clock_advance(struct crier_test_clock *clock, uint64_t ms)
{
    if (!clock)
        return;
    clock->now.boot_ms += ms;
    clock->now.wall_ms += ms;
}

void crier_test_clock_jump(struct crier_test_clock *clock, int64_t ms)
{
    if (clock)
        clock->now.wall_ms += (uint64_t)ms; /* modulo 2^64: back, for a negative one */
}
