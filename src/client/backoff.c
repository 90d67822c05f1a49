/* SPDX-License-Identifier: MIT */
#include "client/backoff.h"

enum {
    FIRST_MS = 1000,
    MAX_MS = 30 * 1000,
    HEALTHY_MS = 60 * 1000,
    MAX_DOUBLINGS = 20, /* by then every bound is reached, and nothing can overflow */
};

void crier_backoff_init(struct crier_backoff *backoff,
                        const struct crier_backoff_options *options,
                        uint64_t seed)
{
    *backoff = (struct crier_backoff){.options = *options, .rng = {seed}};
    if (backoff->options.first_ms == 0)
        backoff->options.first_ms = FIRST_MS;
    if (backoff->options.max_ms == 0)
        backoff->options.max_ms = MAX_MS;
    if (backoff->options.healthy_ms == 0)
        backoff->options.healthy_ms = HEALTHY_MS;
}

void crier_backoff_up(struct crier_backoff *backoff, uint64_t now_ms)
{
    backoff->up = true;
    backoff->up_since_ms = now_ms;
}

static uint64_t bounded(uint64_t asked_ms)
{
    return asked_ms < CRIER_BACKOFF_ASKED_MAX_MS ? asked_ms : CRIER_BACKOFF_ASKED_MAX_MS;
}

void crier_backoff_retry(struct crier_backoff *backoff, uint64_t retry_ms)
{
    backoff->options.first_ms = bounded(retry_ms);
}

void crier_backoff_after(struct crier_backoff *backoff, uint64_t after_ms)
{
    backoff->after_ms = bounded(after_ms);
}

/* A server that asks for more than our longest delay gets it. One that asks for none gets that
 * at first: it would be asked without end if 0 doubled were 0. */
static uint64_t bound(const struct crier_backoff *backoff)
{
    uint64_t first = backoff->options.first_ms > 0 ? backoff->options.first_ms : 1;
    uint64_t max = backoff->options.max_ms > first ? backoff->options.max_ms : first;
    unsigned doublings = backoff->failures < MAX_DOUBLINGS ? backoff->failures : MAX_DOUBLINGS;

    return first > (max >> doublings) ? max : first << doublings;
}

uint64_t crier_backoff_down(struct crier_backoff *backoff, uint64_t now_ms)
{
    uint64_t delay;

    if (backoff->up && now_ms - backoff->up_since_ms >= backoff->options.healthy_ms)
        backoff->failures = 0;
    backoff->up = false;
    delay = backoff->after_ms + crier_rng_between(&backoff->rng, 0, bound(backoff));
    backoff->after_ms = 0;
    backoff->failures++;
    return delay;
}
