/* SPDX-License-Identifier: MIT */
/*
 * A hashed timer wheel: 512 slots of 128 ms. A timer is an intrusive node: no allocation, no
 * system call, O(1) to set and clear. Far timers go round until due. Pure: time is given. One
 * thread.
 */
#ifndef CRIER_NET_WHEEL_H
#define CRIER_NET_WHEEL_H

#include "base/list.h"
#include <stdint.h>

enum { CRIER_WHEEL_SLOTS = 512, CRIER_WHEEL_MS = 128 };

struct crier_timer {
    struct crier_list node;
    uint64_t due_ms; /* boot clock; 0: not set */
};

struct crier_wheel {
    struct crier_list slots[CRIER_WHEEL_SLOTS];
    struct crier_list due; /* taken out of their slots, not yet given back by expire */
    uint64_t tick;         /* the slot number that was done last */
    uint64_t count;
};

void crier_wheel_init(struct crier_wheel *, uint64_t now_ms);
void crier_timer_init(struct crier_timer *);
/* Sets or moves. Never fires early; up to one slot late. */
void crier_wheel_set(struct crier_wheel *, struct crier_timer *, uint64_t due_ms);
void crier_wheel_clear(struct crier_wheel *, struct crier_timer *); /* not set: fine */
/* Takes out one timer that is due, or NULL: call until NULL. Timers may be set and cleared in
 * between. */
struct crier_timer *crier_wheel_expire(struct crier_wheel *, uint64_t now_ms);
/* Milliseconds until something may be due (an early guess is fine, never late by more than a
 * slot); -1: nothing is set. */
int crier_wheel_timeout(const struct crier_wheel *, uint64_t now_ms);

#endif
