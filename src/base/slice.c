/* SPDX-License-Identifier: MIT */
/*
 * Slices: pointer and length. Nothing here allocates or fails, but for the number.
 *
 * An empty slice may have a NULL pointer, and the C library's mem functions must not be given
 * one even for no bytes: each call of them is behind a look at the length.
 */
#include "base/slice.h"

#include "base/ascii.h"
#include "base/err.h"
#include <string.h>

static bool same_bytes(const char *a, const char *b, size_t len)
{
    return len == 0 || memcmp(a, b, len) == 0;
}

struct crier_slice crier_slice_of(const char *text)
{
    return (struct crier_slice){text, text ? strlen(text) : 0};
}

bool crier_slice_eq(struct crier_slice a, struct crier_slice b)
{
    return a.len == b.len && same_bytes(a.data, b.data, a.len);
}

bool crier_slice_eq_nocase(struct crier_slice a, struct crier_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (crier_lower(a.data[i]) != crier_lower(b.data[i]))
            return false;
    }
    return true;
}

int crier_slice_cmp(struct crier_slice a, struct crier_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool crier_slice_starts(struct crier_slice s, struct crier_slice prefix)
{
    return s.len >= prefix.len && same_bytes(s.data, prefix.data, prefix.len);
}

bool crier_slice_ends(struct crier_slice s, struct crier_slice suffix)
{
    if (suffix.len == 0)
        return true;
    return s.len >= suffix.len &&
           same_bytes(s.data + (s.len - suffix.len), suffix.data, suffix.len);
}

struct crier_slice crier_slice_trim(struct crier_slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = crier_slice_sub(s, 1, s.len);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Nonzero if a byte of word is zero (the classic test; exact as a yes or no). */
static uint64_t zero_byte(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

size_t crier_slice_find_eol(struct crier_slice s)
{
    size_t i = 0;

    /* Two memchr() would be faster on long lines, but quadratic on a text of many CRs and no
     * LF (or the other way round): each line would search the whole rest for the other one. */
    for (; s.len - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, s.data + i, sizeof(word));
        if (zero_byte(word ^ UINT64_C(0x0a0a0a0a0a0a0a0a)) |
            zero_byte(word ^ UINT64_C(0x0d0d0d0d0d0d0d0d)))
            break;
    }
    while (i < s.len && s.data[i] != '\n' && s.data[i] != '\r')
        i++;
    return i;
}

struct crier_slice crier_slice_cut(struct crier_slice *s, char sep)
{
    size_t at = crier_slice_find(*s, sep);
    struct crier_slice head = crier_slice_sub(*s, 0, at);

    if (at == s->len)
        *s = (struct crier_slice){NULL, 0};
    else
        *s = crier_slice_sub(*s, at + 1, s->len);
    return head;
}

int crier_slice_to_u64(struct crier_slice s, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool overflow = false;

    if (s.len == 0)
        return -EINVAL;
    for (size_t i = 0; i < s.len; i++) {
        if (!crier_is_digit(s.data[i]))
            return -EINVAL;

        uint64_t digit = (uint64_t)(s.data[i] - '0');

        /* Look at the rest all the same: "9999...9x" is no number, not too large a one. */
        if (value > (UINT64_MAX - digit) / 10)
            overflow = true;
        else
            value = value * 10 + digit;
    }
    if (overflow)
        return -ERANGE;
    *ret_value = value;
    return 0;
}
