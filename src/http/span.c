/* SPDX-License-Identifier: MIT */
/*
 * A tree of JSON values keeps no characters: 1.50 has become 1.5 in it, and a number of thirty
 * digits its first seventeen. This finds the characters again, in text that jansson has found
 * valid, so that strings and the depth of brackets are all there is to know:
 *
 *     { "a" : [1, {"b":"}"}] , "c":2 }
 *           ^depth 1: a value begins ^ and ends here
 */
#include "http/span.h"

/* at: the opening quote. The closing one's place. */
static size_t closing_quote(struct crier_slice text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct crier_slice trim(struct crier_slice text)
{
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

size_t
crier_span_members(struct crier_slice object, struct crier_slice *ret_values, size_t room)
{
    size_t count = 0, depth = 0, from = 0;

    for (size_t at = 0; at < object.len; at++) {
        char c = object.data[at];

        if (c == '"')
            at = closing_quote(object, at);
        else if (c == ':' && depth == 1)
            from = at + 1;
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        /* from is 0 in an object without members */
        if (from > 0 && ((c == ',' && depth == 1) || (c == '}' && depth == 0))) {
            if (count < room)
                ret_values[count] = trim(crier_slice_sub(object, from, at - from));
            count++;
        }
    }
    return count;
}
