/* SPDX-License-Identifier: MIT */
/*
 * The rules for the single fields of a publish.
 *
 * A type or id with a line end in it would let its sender write lines of its own into other
 * people's streams: that is what the refusal of CR, LF and NUL is for.
 */
#include "hub/publication.h"

#include "base/ascii.h"
#include "base/utf8.h"
#include <errno.h>

/* A retry below 500 ms makes browsers hammer the hub; one over an hour looks like no retry. */
enum { KEY_BYTES = 128, RETRY_MIN = 500, RETRY_MAX = 3600000, TTL_MIN = 1000 };

bool crier_type_is_reserved(struct crier_slice type)
{
    return crier_slice_starts(type, CRIER_SLICE("crier:"));
}

const char *crier_type_text_fault(struct crier_slice type)
{
    if (crier_slice_find_eol(type) < type.len || crier_slice_find(type, '\0') < type.len)
        return "An event type cannot have CR, LF or NUL in it.";
    if (!crier_utf8_valid(type))
        return "An event type must be UTF-8.";
    return NULL;
}

const char *crier_publish_type_fault(struct crier_slice type)
{
    if (crier_type_is_reserved(type))
        return "Event types that begin with \"crier:\" are the hub's own. Choose another one.";
    return crier_type_text_fault(type);
}

const char *crier_publish_key_fault(struct crier_slice key)
{
    static const char fault[] = "A key is 1 to 128 printable ASCII characters.";

    if (key.len == 0 || key.len > KEY_BYTES)
        return fault;
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] < 0x20 || key.data[i] > 0x7e)
            return fault;
    }
    return NULL;
}

const char *crier_publish_retry_ms_fault(uint64_t ms)
{
    if (ms < RETRY_MIN || ms > RETRY_MAX)
        return "retry is a whole number of milliseconds from 500 to 3600000.";
    return NULL;
}

const char *crier_publish_retry_fault(struct crier_slice text, uint32_t *ret_ms)
{
    uint64_t ms;

    if (crier_slice_to_u64(text, &ms) < 0)
        ms = 0;

    const char *fault = crier_publish_retry_ms_fault(ms);
    if (!fault)
        *ret_ms = (uint32_t)ms;
    return fault;
}

const char *crier_publish_ttl_ms_fault(int64_t ms)
{
    return ms != 0 && ms < TTL_MIN ? "ttl is at least 1000 milliseconds." : NULL;
}

/* Takes the unit off; how many milliseconds it has. 0: it is none. */
static uint64_t take_unit(struct crier_slice *text)
{
    char c = text->len ? text->data[text->len - 1] : '\0';

    if (crier_is_digit(c))
        return 1000;
    text->len -= text->len > 0;
    switch (c) {
    case 's':
        return 1000;
    case 'm':
        return 60 * 1000;
    case 'h':
        return 3600 * 1000;
    case 'd':
        return 86400 * 1000;
    default:
        return 0;
    }
}

const char *crier_publish_ttl_fault(struct crier_slice text, uint64_t *ret_ms)
{
    uint64_t unit = take_unit(&text);
    uint64_t count = 0;
    int r = crier_slice_to_u64(text, &count);

    if (unit == 0 || r == -EINVAL || (r == 0 && count == 0))
        return "ttl is a whole number of seconds, at least 1, or a duration such as 30s, 10m, "
               "2h or 7d.";
    /* What is too long to count is for ever; history's age caps it. */
    *ret_ms = r < 0 || count > UINT64_MAX / unit ? UINT64_MAX : count * unit;
    return NULL;
}
