/* SPDX-License-Identifier: MIT */
/*
 * Topics and selectors. Input: a selector, LF, a topic.
 *
 * What must hold: a topic is a selector and no pattern, and matches itself; matching is what a
 * naive walk over the segments says; a pattern's prefix begins every topic that it matches.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "hub/topic.h"

/* The segments one by one; both are valid. */
static bool naive_match(struct crier_slice selector, struct crier_slice topic)
{
    while (selector.data && topic.data) {
        struct crier_slice want = crier_slice_cut(&selector, '/');
        struct crier_slice have = crier_slice_cut(&topic, '/');

        if (crier_slice_eq(want, CRIER_SLICE("**")))
            return true; /* one or more: have is one */
        if (!crier_slice_eq(want, CRIER_SLICE("*")) && !crier_slice_eq(want, have))
            return false;
    }
    return !selector.data && !topic.data;
}

static void check_text(struct crier_slice text, size_t max)
{
    FUZZ_CHECK(text.len >= 1 && text.len <= max && crier_utf8_valid(text));
    FUZZ_CHECK(text.data[0] != '/' && text.data[text.len - 1] != '/');
    for (size_t i = 0; i < text.len; i++)
        FUZZ_CHECK((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
}

static void check_topic(struct crier_slice topic)
{
    const char *fault = crier_topic_fault(topic);

    FUZZ_CHECK(!fault || fault[0] != '\0');
    if (fault)
        return;
    check_text(topic, CRIER_TOPIC_BYTES);
    FUZZ_CHECK(crier_slice_find(topic, '*') == topic.len);
    FUZZ_CHECK(!crier_selector_fault(topic));
    FUZZ_CHECK(!crier_selector_is_pattern(topic));
    FUZZ_CHECK(crier_selector_match(topic, topic));
}

static void check_selector(struct crier_slice selector)
{
    const char *fault = crier_selector_fault(selector);
    struct crier_slice prefix;

    FUZZ_CHECK(!fault || fault[0] != '\0');
    if (fault)
        return;
    check_text(selector, CRIER_TOPIC_BYTES);
    FUZZ_CHECK(crier_selector_is_pattern(selector) ==
               (crier_slice_find(selector, '*') < selector.len));
    FUZZ_CHECK(crier_selector_is_pattern(selector) == (crier_topic_fault(selector) != NULL));
    prefix = crier_selector_prefix(selector);
    FUZZ_CHECK(crier_slice_starts(selector, prefix));
    FUZZ_CHECK(crier_slice_find(prefix, '*') == prefix.len);
    FUZZ_CHECK(prefix.len == 0 || !crier_topic_fault(prefix));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice topic = {(const char *)data, size};
    struct crier_slice selector = crier_slice_cut(&topic, '\n');

    check_topic(topic);
    check_topic(selector);
    check_selector(selector);
    if (!crier_selector_fault(selector) && !crier_topic_fault(topic)) {
        bool matches = crier_selector_match(selector, topic);

        FUZZ_CHECK(matches == naive_match(selector, topic));
        FUZZ_CHECK(!matches || crier_slice_starts(topic, crier_selector_prefix(selector)));
    }
    return 0;
}
