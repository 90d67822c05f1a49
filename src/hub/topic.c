/* SPDX-License-Identifier: MIT */
/*
 * The rules of topic.h, segment by segment. Faults are found in the order a person would look
 * for them: length, encoding, characters, segments. Matching walks both paths once; since "**"
 * is only ever the last segment there is nothing to come back to.
 */
#include "hub/topic.h"
#include "base/utf8.h"

static bool is_star(struct crier_slice segment)
{
    return segment.len == 1 && segment.data[0] == '*';
}

static bool is_rest(struct crier_slice segment)
{
    return segment.len == 2 && segment.data[0] == '*' && segment.data[1] == '*';
}

static bool is_wildcard(struct crier_slice segment)
{
    return is_star(segment) || is_rest(segment);
}

static bool has_control(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        /* C1, U+0080 to U+009F, is C2 80 to C2 9F; text is valid UTF-8, so a byte follows. */
        if (c == 0xc2 && (unsigned char)text.data[i + 1] < 0xa0)
            return true;
    }
    return false;
}

static const char *text_fault(struct crier_slice text)
{
    if (text.len == 0)
        return "The topic is empty: name one, such as \"news\".";
    if (text.len > CRIER_TOPIC_BYTES)
        return "The topic is too long: use at most 256 bytes.";
    if (!crier_utf8_valid(text))
        return "The topic is not valid UTF-8: percent-encode the bytes of its UTF-8 form.";
    if (has_control(text))
        return "The topic has a control character: leave it out.";
    return NULL;
}

static const char *segment_fault(struct crier_slice segment)
{
    if (segment.len == 0)
        return "The topic has an empty segment: remove the slash at its start or end, or the "
               "double "
               "slash.";
    if (crier_slice_eq(segment, CRIER_SLICE(".")) || crier_slice_eq(segment, CRIER_SLICE("..")))
        return "The topic has a segment \".\" or \"..\": name the segment otherwise.";
    return NULL;
}

static const char *star_fault(struct crier_slice segment, bool selector, bool last)
{
    if (crier_slice_find(segment, '*') == segment.len)
        return NULL;
    if (!selector)
        return "A topic cannot contain '*': that is for following; publish to one topic by "
               "name.";
    if (is_star(segment) || (is_rest(segment) && last))
        return NULL;
    if (is_rest(segment))
        return "\"**\" can only be the last segment: use \"*\" for a segment in the middle.";
    return "'*' must be a whole segment: \"*\" stands for one segment, a final \"**\" for the "
           "rest.";
}

static const char *path_fault(struct crier_slice path, bool selector)
{
    const char *fault = text_fault(path);
    size_t segments = 0;

    while (!fault && path.data) {
        struct crier_slice segment = crier_slice_cut(&path, '/');
        if (++segments > CRIER_TOPIC_SEGMENTS)
            return "The topic has too many segments: use at most 16.";
        fault = segment_fault(segment);
        if (!fault)
            fault = star_fault(segment, selector, path.data == NULL);
    }
    return fault;
}

const char *crier_topic_fault(struct crier_slice topic)
{
    return path_fault(topic, false);
}

const char *crier_selector_fault(struct crier_slice selector)
{
    return path_fault(selector, true);
}

bool crier_selector_is_pattern(struct crier_slice selector)
{
    return crier_slice_find(selector, '*') < selector.len;
}

bool crier_selector_match(struct crier_slice selector, struct crier_slice topic)
{
    while (selector.data && topic.data) {
        struct crier_slice want = crier_slice_cut(&selector, '/');
        if (is_rest(want))
            return true;

        struct crier_slice got = crier_slice_cut(&topic, '/');
        if (!is_star(want) && !crier_slice_eq(want, got))
            return false;
    }
    return !selector.data && !topic.data;
}

struct crier_slice crier_selector_prefix(struct crier_slice selector)
{
    struct crier_slice rest = selector;

    while (rest.data) {
        size_t at = (size_t)(rest.data - selector.data);
        if (is_wildcard(crier_slice_cut(&rest, '/')))
            return crier_slice_sub(selector, 0, at == 0 ? 0 : at - 1);
    }
    return selector;
}
