/* SPDX-License-Identifier: MIT */
/* What the tests of the in-process hub share: a clock moved by hand, calls that must work. */
#ifndef CRIER_TESTS_UNIT_LOCAL_SUPPORT_H
#define CRIER_TESTS_UNIT_LOCAL_SUPPORT_H

#include "support.h"

#include "journal/memory.h"
#include "local/hub.h"
#include <poll.h>

struct test_clock {
    struct crier_clock clock;
    struct crier_now now;
};

static inline struct crier_now test_clock_read(void *ctx)
{
    struct test_clock *clock = ctx;
    return clock->now;
}

static inline void test_clock_init(struct test_clock *clock)
{
    *clock = (struct test_clock){.now = {UINT64_C(1769860800000), 3600000}};
    clock->clock = (struct crier_clock){test_clock_read, clock};
}

static inline void test_clock_advance(struct test_clock *clock, uint64_t ms)
{
    clock->now.wall_ms += ms;
    clock->now.boot_ms += ms;
}

static inline struct crier_event test_event(const char *data)
{
    return (struct crier_event){.data = crier_slice_of(data)};
}

static inline struct crier_id
test_publish(struct crier_hub *hub, const char *topic, const char *type, const char *data)
{
    struct crier_event event = test_event(data);
    struct crier_receipt receipt = {.duplicate = true};

    event.type = crier_slice_of(type);
    assert_int_equal(crier_hub_publish(hub, topic, &event, &receipt), 0);
    assert_false(receipt.duplicate);
    return receipt.id;
}

static inline void assert_ids_equal(struct crier_id a, struct crier_id b)
{
    assert_int_equal(crier_id_cmp(a, b), 0);
}

static inline void assert_terminated(struct crier_slice s)
{
    assert_non_null(s.data);
    assert_int_equal(s.data[s.len], '\0');
}

static inline bool test_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_true(fd >= 0);
    return poll(&p, 1, 0) == 1;
}

/* The next message, an event with that data. */
static inline struct crier_message test_next(struct crier_reader *reader, const char *data)
{
    struct crier_message message;

    assert_int_equal(crier_reader_next(reader, &message), 0);
    assert_slice_equal(message.event.data, crier_slice_of(data));
    return message;
}

static inline void assert_empty(struct crier_reader *reader)
{
    struct crier_message message = {.time_ms = 77};

    assert_int_equal(crier_reader_next(reader, &message), CRIER_EMPTY);
    assert_int_equal(message.time_ms, 77);
}

#endif
