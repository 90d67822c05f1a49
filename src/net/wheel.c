/* SPDX-License-Identifier: MIT */
/*
 * The timer wheel.
 *
 * Time is cut into ticks of CRIER_WHEEL_MS, numbered from boot. A timer's tick is the first one
 * that begins at or after its due time; it stands in slot `tick % CRIER_WHEEL_SLOTS`:
 *
 *       done                  to come
 *     ... 41 42 | 43   44   45   ...   554 | 555 ...
 *            ^     |    |    |           |    |
 *           tick  [ ]  [A]  [ ]         [B]  same slot as 43: C, one round later
 *
 * crier_wheel_expire walks the slots of the ticks that have passed, moves the timers whose tick
 * is among them to the `due` list, and takes one off it a call. A slot is walked once a tick
 * and a leap of any length is at most one walk over every slot, so neither far timers nor a
 * machine that slept for a day cost more than that.
 *
 * Invariants
 *
 * (1) a timer with due_ms != 0 is in exactly one list, a slot's or `due`; one with 0 is in none
 *
 * (2) a timer in a slot has a tick > wheel->tick, or stands in the slot of wheel->tick + 1
 * because it was set for a time already passed: so expire never gives back what was set since
 * it began, and a timer that sets itself again "now" cannot keep a loop busy
 *
 * (3) count is the number of timers in all lists
 *
 * Owns nothing; timers are the callers' and must be cleared before their memory goes. Nothing
 * fails.
 */
#include "net/wheel.h"

#include <assert.h>
#include <limits.h>

static uint64_t wheel_tick_of(uint64_t due_ms)
{
    return due_ms / CRIER_WHEEL_MS + (due_ms % CRIER_WHEEL_MS != 0);
}

static struct crier_list *wheel_slot(struct crier_wheel *wheel, uint64_t tick)
{
    return &wheel->slots[tick % CRIER_WHEEL_SLOTS];
}

void crier_wheel_init(struct crier_wheel *wheel, uint64_t now_ms)
{
    for (size_t i = 0; i < CRIER_WHEEL_SLOTS; i++)
        crier_list_init(&wheel->slots[i]);
    crier_list_init(&wheel->due);
    wheel->tick = now_ms / CRIER_WHEEL_MS;
    wheel->count = 0;
}

void crier_timer_init(struct crier_timer *timer)
{
    crier_list_init(&timer->node);
    timer->due_ms = 0;
}

void crier_wheel_set(struct crier_wheel *wheel, struct crier_timer *timer, uint64_t due_ms)
{
    uint64_t tick = wheel_tick_of(due_ms);

    crier_wheel_clear(wheel, timer);
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    timer->due_ms = due_ms ? due_ms : 1; /* 0 means "not set" */
    crier_list_push_back(wheel_slot(wheel, tick), &timer->node);
    wheel->count++;
}

void crier_wheel_clear(struct crier_wheel *wheel, struct crier_timer *timer)
{
    if (timer->due_ms == 0)
        return;
    assert(wheel->count > 0);
    crier_list_remove(&timer->node);
    timer->due_ms = 0;
    wheel->count--;
}

/* Moves the timers of one slot that are due by `tick` to the due list. */
static void wheel_collect(struct crier_wheel *wheel, struct crier_list *slot, uint64_t tick)
{
    crier_list_for_each_safe (node, slot) {
        struct crier_timer *timer = CRIER_CONTAINER(node, struct crier_timer, node);

        if (wheel_tick_of(timer->due_ms) > tick)
            continue;
        crier_list_remove(node);
        crier_list_push_back(&wheel->due, node);
    }
}

static void wheel_advance(struct crier_wheel *wheel, uint64_t tick)
{
    uint64_t passed = tick - wheel->tick;

    if (passed > CRIER_WHEEL_SLOTS)
        passed = CRIER_WHEEL_SLOTS;
    for (uint64_t i = 1; i <= passed; i++)
        wheel_collect(wheel, wheel_slot(wheel, wheel->tick + i), tick);
    wheel->tick = tick;
}

struct crier_timer *crier_wheel_expire(struct crier_wheel *wheel, uint64_t now_ms)
{
    uint64_t tick = now_ms / CRIER_WHEEL_MS;
    struct crier_timer *timer;

    if (crier_list_empty(&wheel->due) && tick > wheel->tick)
        wheel_advance(wheel, tick);
    if (crier_list_empty(&wheel->due))
        return NULL;
    timer = CRIER_CONTAINER(wheel->due.next, struct crier_timer, node);
    crier_wheel_clear(wheel, timer);
    return timer;
}

int crier_wheel_timeout(const struct crier_wheel *wheel, uint64_t now_ms)
{
    uint64_t tick = wheel->tick, at_ms;

    if (wheel->count == 0)
        return -1;
    if (!crier_list_empty(&wheel->due))
        return 0;
    /* Something is in some slot, so this ends within one round. */
    do
        tick++;
    while (crier_list_empty(&wheel->slots[tick % CRIER_WHEEL_SLOTS]));
    at_ms = tick * CRIER_WHEEL_MS;
    if (at_ms <= now_ms)
        return 0;
    return at_ms - now_ms > INT_MAX ? INT_MAX : (int)(at_ms - now_ms);
}
