/* SPDX-License-Identifier: MIT */
/*
 * The chunked transfer coding, to the letter and bounded.
 *
 *     SIZE --CR--> SIZE_LF --LF--> DATA --left == 0--> DATA_CR --> DATA_LF --> SIZE
 *       | ';'        ^   |
 *       v            |   +--LF after size 0--> TRAILER (header lines, then a blank one) --> END
 *     EXTENSION --CR-+
 *
 * llhttp is not used here: version 8.1 as Debian builds it takes any two bytes for the line end
 * after a chunk's data, which is how a request is smuggled, and what the versions make of
 * extensions differs. A size is 1 to 16 hexadecimal digits, so it cannot overflow; no sign, no
 * "0x", no space; lines end in CR LF only (RFC 9112 erratum 7633). Extensions and trailers are
 * dropped; their bytes are counted over the whole body, so that one-byte chunks with long
 * extensions cannot make a small body cost much.
 *
 * Nothing is allocated and the data are views, so the only failure is a refusal.
 */
#include "http/chunked.h"

#include "base/ascii.h"

enum { SIZE_DIGITS = 16 };

enum state {
    STATE_SIZE = 0,
    STATE_EXTENSION,
    STATE_SIZE_LF,
    STATE_DATA,
    STATE_DATA_CR,
    STATE_DATA_LF,
    STATE_TRAILER,
    STATE_END,
};

static int bad(struct crier_refusal *refusal, const char *detail)
{
    return crier_refuse(refusal, CRIER_PROBLEM_BAD_REQUEST, detail);
}

static int size_byte(struct crier_chunked *body, char c, struct crier_refusal *refusal)
{
    unsigned digit = crier_hex_value(c);

    if (digit != CRIER_NO_HEX) {
        if (++body->digits > SIZE_DIGITS)
            return bad(refusal, "A chunk's size has more than 16 digits.");
        /* An exbibyte is announced only by mistake, or to make a sum overflow. */
        if (body->left >> (60 - 4))
            return bad(refusal, "A chunk's size is larger than anything that can be sent.");
        body->left = body->left << 4 | digit;
        return 0;
    }
    if (body->digits > 0 && c == '\r') {
        body->state = STATE_SIZE_LF;
        return 0;
    }
    if (body->digits > 0 && c == ';') {
        body->state = STATE_EXTENSION;
        return 0;
    }
    return bad(refusal, "A chunk's size is not a plain hexadecimal number followed by CR LF.");
}

static int extension_byte(struct crier_chunked *body,
                          char c,
                          const struct crier_http_limits *limits,
                          struct crier_refusal *refusal)
{
    if (c == '\r') {
        body->state = STATE_SIZE_LF;
        return 0;
    }
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
        return bad(refusal, "A chunk extension has a control character.");
    if (++body->extension_bytes > limits->chunk_extension_bytes)
        return bad(refusal,
                   "The body's chunk extensions are too long. Send chunks without them.");
    return 0;
}

static int trailer_byte(struct crier_chunked *body,
                        char c,
                        const struct crier_http_limits *limits,
                        struct crier_refusal *refusal)
{
    int r = crier_field_scan_byte(&body->trailer, c, refusal);

    if (r == CRIER_FIELDS_END) {
        body->state = STATE_END;
        return 0;
    }
    if (r == 0 && ++body->trailer_bytes > limits->trailer_bytes)
        return crier_refuse(refusal, CRIER_PROBLEM_HEAD_TOO_LARGE,
                            "The body's trailers are too large. Send the body without them.");
    return r;
}

/* Takes one byte that is not data. */
static int framing_byte(struct crier_chunked *body,
                        char c,
                        const struct crier_http_limits *limits,
                        struct crier_refusal *refusal)
{
    switch ((enum state)body->state) {
    case STATE_SIZE:
        return size_byte(body, c, refusal);
    case STATE_EXTENSION:
        return extension_byte(body, c, limits, refusal);
    case STATE_SIZE_LF:
        body->state = body->left > 0 ? STATE_DATA : STATE_TRAILER;
        return c == '\n' ? 0 : bad(refusal, "A chunk's size line does not end in CR LF.");
    case STATE_DATA_CR:
        body->state = STATE_DATA_LF;
        return c == '\r' ? 0
                         : bad(refusal,
                               "A chunk's data are not followed by CR LF: its size is wrong.");
    case STATE_DATA_LF:
        body->state = STATE_SIZE;
        body->digits = 0;
        return c == '\n' ? 0
                         : bad(refusal,
                               "A chunk's data are not followed by CR LF: its size is wrong.");
    case STATE_TRAILER:
        return trailer_byte(body, c, limits, refusal);
    case STATE_DATA:
    case STATE_END:
        break;
    }
    return 0;
}

static struct crier_slice take_data(struct crier_chunked *body, struct crier_slice *input)
{
    size_t len = body->left < input->len ? (size_t)body->left : input->len;
    struct crier_slice data = crier_slice_sub(*input, 0, len);

    *input = crier_slice_sub(*input, len, input->len);
    body->left -= len;
    if (body->left == 0)
        body->state = STATE_DATA_CR;
    return data;
}

int crier_chunked_next(struct crier_chunked *body,
                       const struct crier_http_limits *limits,
                       struct crier_slice *input,
                       struct crier_refusal *refusal,
                       struct crier_slice *ret_data)
{
    while (body->state != STATE_END && input->len > 0) {
        int r;

        if (body->state == STATE_DATA) {
            *ret_data = take_data(body, input);
            return 0;
        }
        r = framing_byte(body, input->data[0], limits, refusal);
        if (r < 0)
            return r;
        *input = crier_slice_sub(*input, 1, input->len);
    }
    return body->state == STATE_END ? CRIER_CHUNKED_END : CRIER_HTTP_MORE;
}
