/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 (RFC 3629, Unicode 3.9 table 3-7). What may follow what:
 *
 *     first    second   third    fourth
 *     00..7F
 *     C2..DF   80..BF
 *     E0       A0..BF   80..BF             no overlong form
 *     E1..EC   80..BF   80..BF
 *     ED       80..9F   80..BF             no surrogate
 *     EE..EF   80..BF   80..BF
 *     F0       90..BF   80..BF   80..BF    no overlong form
 *     F1..F3   80..BF   80..BF   80..BF
 *     F4       80..8F   80..BF   80..BF    nothing above U+10FFFF
 *
 * struct crier_utf8 is the place in that table: `need` bytes to come, the next within
 * low..high. A broken state has low > high, which no byte can satisfy.
 *
 * A maximal ill-formed subpart is as much of a row as was matched before the byte that did not
 * fit; that byte is then looked at afresh. The repair makes one U+FFFD of each.
 */
#include "base/utf8.h"

#include "base/buf.h"
#include <string.h>

static const struct crier_slice replacement = {"\xEF\xBF\xBD", 3};

static void expect(struct crier_utf8 *state, int need, int low, int high)
{
    state->need = (uint8_t)need;
    state->low = (uint8_t)low;
    state->high = (uint8_t)high;
}

static bool first_byte(struct crier_utf8 *state, unsigned char byte)
{
    if (byte < 0x80)
        return true;
    if (byte < 0xC2 || byte > 0xF4) {
        expect(state, 1, 1, 0);
        return false;
    }
    if (byte < 0xE0)
        expect(state, 1, 0x80, 0xBF);
    else if (byte < 0xF0)
        expect(state, 2, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF);
    else
        expect(state, 3, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF);
    return true;
}

/* Takes one byte; false if it does not fit, and then state is broken. */
static bool step(struct crier_utf8 *state, unsigned char byte)
{
    if (state->need == 0)
        return first_byte(state, byte);
    if (byte < state->low || byte > state->high) {
        expect(state, 1, 1, 0);
        return false;
    }
    expect(state, state->need - 1, 0x80, 0xBF);
    return true;
}

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t word_at(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* How many bytes from `at` on are surely ASCII: whole words of it, most text is nothing else;
 * at the end of the text the bytes that are left, too. */
static size_t skip_ascii(struct crier_slice text, size_t at)
{
    const char *from = text.data + at, *end = text.data + text.len, *to = from;

    for (; end - to >= 32; to += 32) {
        if ((word_at(to) | word_at(to + 8) | word_at(to + 16) | word_at(to + 24)) & HIGH_BITS)
            break;
    }
    for (; end - to >= 8; to += 8) {
        if (word_at(to) & HIGH_BITS)
            return (size_t)(to - from);
    }
    while (to < end && !((unsigned char)*to & 0x80))
        to++;
    return (size_t)(to - from);
}

/* The index of the first byte that does not fit, or the length. */
static size_t well_formed(struct crier_utf8 *state, struct crier_slice bytes)
{
    size_t i = 0;

    while (i < bytes.len) {
        if (state->need == 0)
            i += skip_ascii(bytes, i);
        /* Then a word's worth byte by byte, so that mixed text does not look twice. */
        for (size_t end = bytes.len - i < 8 ? bytes.len : i + 8; i < end; i++) {
            if (!step(state, (unsigned char)bytes.data[i]))
                return i;
        }
    }
    return i;
}

bool crier_utf8_valid(struct crier_slice text)
{
    struct crier_utf8 state = {0};

    return crier_utf8_feed(&state, text) && crier_utf8_done(&state);
}

bool crier_utf8_feed(struct crier_utf8 *state, struct crier_slice bytes)
{
    return well_formed(state, bytes) == bytes.len && state->low <= state->high;
}

bool crier_utf8_done(const struct crier_utf8 *state)
{
    return state->need == 0;
}

void crier_utf8_repair(struct crier_buf *buf, struct crier_slice text)
{
    struct crier_utf8 state = {0};
    size_t from = 0; /* up to here the text is in buf */
    size_t head = 0; /* the first byte of the sequence in progress */

    for (size_t i = 0; i < text.len;) {
        if (state.need == 0) {
            i += skip_ascii(text, i);
            head = i;
            if (i == text.len)
                break;
        }
        if (step(&state, (unsigned char)text.data[i])) {
            i++;
            continue;
        }
        crier_buf_append(buf, crier_slice_sub(text, from, head - from));
        crier_buf_append(buf, replacement);
        /* A byte that broke a sequence off may begin the next; one that begins none is gone. */
        if (i == head)
            i++;
        from = head = i;
        state = (struct crier_utf8){0};
    }
    if (state.need == 0)
        head = text.len;
    crier_buf_append(buf, crier_slice_sub(text, from, head - from));
    if (state.need != 0)
        crier_buf_append(buf, replacement);
}
