/* SPDX-License-Identifier: MIT */
/*
 * A rule is a selector, "=", and up to three limits, told by their form: a bare number is
 * events, one with B, KiB, MiB, GiB or TiB is bytes, a duration is an age.
 */
#include "durable/rules.h"
#include "base/buf.h"
#include "base/clock.h"
#include "hub/topic.h"
#include <string.h>

/* 0; -EINVAL: it is no size; -ERANGE. */
static int parse_size(struct crier_slice text, uint64_t *ret_bytes)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"B", 0}};
    uint64_t number;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct crier_slice unit = crier_slice_of(units[i].name);
        if (text.len <= unit.len ||
            !crier_slice_eq(crier_slice_sub(text, text.len - unit.len, text.len), unit))
            continue;
        if (crier_slice_to_u64(crier_slice_sub(text, 0, text.len - unit.len), &number) < 0)
            return -EINVAL;
        if (number > UINT64_MAX >> units[i].shift)
            return -ERANGE;
        *ret_bytes = number << units[i].shift;
        return 0;
    }
    return -EINVAL;
}

static const char *take_limit(struct crier_rule *rule, struct crier_slice text)
{
    uint64_t value, *limit;

    if (crier_slice_to_u64(text, &value) == 0)
        limit = &rule->max_events;
    else if (parse_size(text, &value) == 0)
        limit = &rule->max_bytes;
    else if (crier_duration_parse(text, &value) == 0)
        limit = &rule->max_age_ms;
    else
        return "A limit of a retention rule is a number of events (10000), a size (64MiB, "
               "1GiB) "
               "or an age (30m, 12h, 7d).";
    if (!value)
        return "A limit of a retention rule cannot be 0: leave it out if there is none.";
    if (*limit)
        return "A retention rule has each kind of limit once: events, bytes, age.";
    *limit = value;
    return NULL;
}

static const char *take_limits(struct crier_rule *rule, struct crier_slice text)
{
    const char *fault = NULL;

    while (!fault) {
        const char *comma = text.len ? memchr(text.data, ',', text.len) : NULL;
        size_t len = comma ? (size_t)(comma - text.data) : text.len;
        fault = take_limit(rule, crier_slice_sub(text, 0, len));
        if (!comma)
            break;
        text = crier_slice_sub(text, len + 1, text.len);
    }
    return fault;
}

const char *crier_rules_add(struct crier_rules *rules, struct crier_slice text)
{
    struct crier_rule rule = {.max_events = 0};
    const char *equals = text.len ? memrchr(text.data, '=', text.len) : NULL;
    const char *fault;

    if (!equals)
        return "A retention rule is a topic or pattern, '=' and limits, such as "
               "orders/**=10000,1GiB,7d.";
    struct crier_slice selector = crier_slice_sub(text, 0, (size_t)(equals - text.data));
    fault = crier_selector_fault(selector);
    if (fault)
        return fault;
    memcpy(rule.selector, selector.data, selector.len);
    fault = take_limits(&rule, crier_slice_sub(text, selector.len + 1, text.len));
    if (fault)
        return fault;
    for (size_t i = 0; i < rules->count; i++) {
        if (strcmp(rules->list[i].selector, rule.selector) == 0)
            return "There are two retention rules for one selector: put their limits into one.";
    }
    if (rules->count == CRIER_RULES)
        return "There can be 64 retention rules: use wider patterns.";
    rules->list[rules->count++] = rule;
    return NULL;
}

static void write_limit(struct crier_buf *buf, uint64_t limit, const char *unit, bool *first)
{
    if (!limit)
        return;
    crier_buf_printf(buf, "%s%llu%s", *first ? "=" : ",", (unsigned long long)limit, unit);
    *first = false;
}

void crier_rules_write(const struct crier_rules *rules, struct crier_buf *buf)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct crier_rule *rule = &rules->list[i];
        bool first = true;
        crier_buf_printf(buf, "%s", rule->selector);
        write_limit(buf, rule->max_events, "", &first);
        write_limit(buf, rule->max_bytes, "B", &first);
        write_limit(buf, rule->max_age_ms, "ms", &first);
        crier_buf_byte(buf, '\n');
    }
}

int crier_rules_read(struct crier_slice text, struct crier_rules *ret_rules)
{
    struct crier_rules rules = {.count = 0};

    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        if (!end)
            return -EINVAL;
        size_t len = (size_t)(end - text.data);
        if (crier_rules_add(&rules, crier_slice_sub(text, 0, len)))
            return -EINVAL;
        text = crier_slice_sub(text, len + 1, text.len);
    }
    *ret_rules = rules;
    return 0;
}

bool crier_rules_same_selectors(const struct crier_rules *a, const struct crier_rules *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->list[i].selector, b->list[i].selector) != 0)
            return false;
    }
    return true;
}

bool crier_rules_same(const struct crier_rules *a, const struct crier_rules *b)
{
    if (!crier_rules_same_selectors(a, b))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct crier_rule *one = &a->list[i], *two = &b->list[i];
        if (one->max_events != two->max_events || one->max_bytes != two->max_bytes ||
            one->max_age_ms != two->max_age_ms)
            return false;
    }
    return true;
}

size_t crier_rules_find(const struct crier_rules *rules, struct crier_slice topic)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (crier_selector_match(crier_slice_of(rules->list[i].selector), topic))
            return i + 1;
    }
    return 0;
}
