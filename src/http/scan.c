/* SPDX-License-Identifier: MIT */
/*
 * The strict look at a request head's raw bytes.
 *
 * llhttp splits the head into its parts, but what it lets pass differs between its versions
 * (8.1: a bare CR anywhere, LF as a line end, several spaces, no version at all). Request
 * smuggling lives in such differences, so every byte goes through this state machine first, and
 * what reaches llhttp is one unambiguous text:
 *
 *     METHOD --SP--> TARGET --SP--> VERSION --CR--> VERSION_LF --LF--> FIELDS --> END
 *
 *     fields:  LINE --token--> NAME --':'--> VALUE --CR--> VALUE_LF --LF--> LINE
 *              LINE --CR--> BLANK_LF --LF--> end of the section
 *
 * It works a byte at a time and keeps nothing of the bytes but counts, so a head may arrive in
 * any split. Bounds are enforced on the byte that passes them: a target that never ends is
 * refused after 8 KiB, not after the head's 32. A refusal is final.
 *
 * RFC 9112 2.2 allows a bare LF as a line end; it is refused here, as the rules for chunks do.
 */
#include "http/scan.h"

#include "base/ascii.h"
#include "http/field.h"
#include "http/request.h"

/* Clients have sent one or two blank lines between requests; more is no client. */
enum { LEAD_BYTES = 16 };

enum field_state { FIELD_LINE = 0, FIELD_NAME, FIELD_VALUE, FIELD_VALUE_LF, FIELD_BLANK_LF };

enum scan_state {
    SCAN_METHOD = 0,
    SCAN_TARGET,
    SCAN_VERSION,
    SCAN_VERSION_LF,
    SCAN_FIELDS,
};

static const char bare_cr[] = "A CR is not followed by LF: lines end in CR LF, and neither may "
                              "stand alone. Send well-formed HTTP/1.1.";
static const char bare_lf[] = "An LF is not preceded by CR: lines end in CR LF, and neither "
                              "may stand alone. Send well-formed HTTP/1.1.";

int crier_refuse(struct crier_refusal *refusal, enum crier_problem problem, const char *detail)
{
    *refusal = (struct crier_refusal){problem, detail};
    return -EPROTO;
}

static int bad(struct crier_refusal *refusal, const char *detail)
{
    return crier_refuse(refusal, CRIER_PROBLEM_BAD_REQUEST, detail);
}

static int
field_line_start(struct crier_field_scan *scan, char c, struct crier_refusal *refusal)
{
    if (c == '\r') {
        scan->state = FIELD_BLANK_LF;
        return 0;
    }
    if (c == '\n')
        return bad(refusal, bare_lf);
    if ((c == ' ' || c == '\t') && scan->count == 0)
        return bad(refusal, "There is white space before the first header. Remove it.");
    if (c == ' ' || c == '\t')
        return bad(refusal,
                   "A header goes on over a second line. Send each header on one line.");
    if (!crier_token_char(c))
        return bad(refusal, "A header's name has a character that names cannot have.");
    scan->count++;
    scan->state = FIELD_NAME;
    return 0;
}

static int field_name(struct crier_field_scan *scan, char c, struct crier_refusal *refusal)
{
    if (c == ':') {
        scan->state = FIELD_VALUE;
        return 0;
    }
    if (c == ' ' || c == '\t')
        return bad(refusal, "There is white space between a header's name and its colon.");
    if (c == '\r' || c == '\n')
        return bad(refusal, "A header line has no colon.");
    if (!crier_token_char(c))
        return bad(refusal, "A header's name has a character that names cannot have.");
    return 0;
}

static int field_value(struct crier_field_scan *scan, char c, struct crier_refusal *refusal)
{
    if (c == '\n')
        return bad(refusal, bare_lf);
    if (c == '\0')
        return bad(refusal, "A header's value has a NUL character.");
    if (c == '\r')
        scan->state = FIELD_VALUE_LF;
    return 0;
}

int crier_field_scan_byte(struct crier_field_scan *scan, char c, struct crier_refusal *refusal)
{
    switch ((enum field_state)scan->state) {
    case FIELD_LINE:
        return field_line_start(scan, c, refusal);
    case FIELD_NAME:
        return field_name(scan, c, refusal);
    case FIELD_VALUE:
        return field_value(scan, c, refusal);
    case FIELD_VALUE_LF:
        scan->state = FIELD_LINE;
        return c == '\n' ? 0 : bad(refusal, bare_cr);
    case FIELD_BLANK_LF:
        return c == '\n' ? CRIER_FIELDS_END : bad(refusal, bare_cr);
    }
    return 0;
}

void crier_scan_start(struct crier_scan *scan)
{
    *scan = (struct crier_scan){.state = SCAN_METHOD};
}

int crier_scan_lead(struct crier_scan *scan,
                    struct crier_slice *input,
                    struct crier_refusal *refusal)
{
    for (; input->len > 0; *input = crier_slice_sub(*input, 1, input->len)) {
        char c = input->data[0];
        bool lf_due = scan->lead % 2 == 1;

        if (!lf_due && c != '\r' && c != '\n')
            return 0;
        if (lf_due && c != '\n')
            return bad(refusal, bare_cr);
        if (!lf_due && c == '\n')
            return bad(refusal, bare_lf);
        if (++scan->lead > LEAD_BYTES)
            return bad(refusal, "There are too many blank lines before the request.");
    }
    return CRIER_HTTP_MORE;
}

static int scan_method(struct crier_scan *scan, char c, struct crier_refusal *refusal)
{
    if (c == ' ' && scan->bytes > 1) {
        scan->state = SCAN_TARGET;
        scan->target_at = scan->bytes;
        return 0;
    }
    /* The first byte of a TLS record that holds a handshake. */
    if (c == 0x16 && scan->bytes == 1)
        return bad(refusal, "This looks like TLS, but this port speaks plain HTTP: use http:// "
                            "instead of https://, or put a TLS proxy in front.");
    if (!crier_token_char(c))
        return bad(refusal,
                   "The request does not begin with a method, as in GET /path HTTP/1.1.");
    if (scan->bytes > CRIER_METHOD_BYTES)
        return crier_refuse(refusal, CRIER_PROBLEM_NOT_IMPLEMENTED,
                            "This method is not known here.");
    return 0;
}

static int scan_target(struct crier_scan *scan,
                       char c,
                       const struct crier_http_limits *limits,
                       struct crier_refusal *refusal)
{
    if (c == ' ' && scan->target_len > 0) {
        scan->state = SCAN_VERSION;
        return 0;
    }
    if (c == ' ')
        return bad(refusal, "There is more than one space in the request line.");
    if (c == '\r' || c == '\n')
        return bad(refusal, "The request line names no HTTP version. Send HTTP/1.1.");
    /* Bytes from 0x80 on should have been percent-encoded; curl sends them as they are typed.
     */
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return bad(refusal, "The request's target has a control character. Percent-encode it.");
    if (c == '#')
        return bad(refusal, "The request's target has a '#'. Fragments are never sent; write "
                            "%23 for the character itself.");
    if (++scan->target_len > limits->target_bytes)
        return crier_refuse(refusal, CRIER_PROBLEM_TARGET_TOO_LONG,
                            "The request's target is over 8 KiB. Ask for less in one request.");
    return 0;
}

static int version_byte(struct crier_scan *scan, char c, struct crier_refusal *refusal)
{
    static const char shape[8] = "HTTP/0.0";
    uint8_t at = scan->version_at++;

    if (at < sizeof(shape) && shape[at] != '0' && shape[at] == c)
        return 0;
    if (at < sizeof(shape) && shape[at] == '0' && crier_is_digit(c)) {
        *(at == 5 ? &scan->major : &scan->minor) = c;
        return 0;
    }
    if (c == '\n')
        return bad(refusal, bare_lf);
    return bad(refusal, "The request line does not end in HTTP/1.1. Send: a method, one space, "
                        "the target, one space, HTTP/1.1.");
}

static int scan_version(struct crier_scan *scan, char c, struct crier_refusal *refusal)
{
    if (c != '\r' || scan->version_at != 8)
        return version_byte(scan, c, refusal);
    scan->state = SCAN_VERSION_LF;
    if (scan->major == '1' && (scan->minor == '0' || scan->minor == '1'))
        return 0;
    if (scan->major == '0')
        return bad(refusal, "There is no such HTTP version. Send HTTP/1.1.");
    return crier_refuse(
        refusal, CRIER_PROBLEM_VERSION,
        "This port speaks HTTP/1.1 and HTTP/1.0 only. Send the request as HTTP/1.1.");
}

static int scan_fields(struct crier_scan *scan,
                       char c,
                       const struct crier_http_limits *limits,
                       struct crier_refusal *refusal)
{
    int r = crier_field_scan_byte(&scan->fields, c, refusal);

    if (r == 0 && scan->fields.count > limits->headers)
        return crier_refuse(refusal, CRIER_PROBLEM_HEAD_TOO_LARGE,
                            "The request has too many headers. Send fewer of them.");
    return r;
}

static int scan_byte(struct crier_scan *scan,
                     char c,
                     const struct crier_http_limits *limits,
                     struct crier_refusal *refusal)
{
    if (++scan->bytes > limits->head_bytes)
        return crier_refuse(refusal, CRIER_PROBLEM_HEAD_TOO_LARGE,
                            "The request's headers are too large. Send fewer or smaller ones, "
                            "cookies above all.");
    switch ((enum scan_state)scan->state) {
    case SCAN_METHOD:
        return scan_method(scan, c, refusal);
    case SCAN_TARGET:
        return scan_target(scan, c, limits, refusal);
    case SCAN_VERSION:
        return scan_version(scan, c, refusal);
    case SCAN_VERSION_LF:
        scan->state = SCAN_FIELDS;
        return c == '\n' ? 0 : bad(refusal, bare_cr);
    case SCAN_FIELDS:
        return scan_fields(scan, c, limits, refusal);
    }
    return 0;
}

int crier_scan_head(struct crier_scan *scan,
                    const struct crier_http_limits *limits,
                    struct crier_slice bytes,
                    struct crier_refusal *refusal,
                    size_t *ret_used)
{
    for (size_t i = 0; i < bytes.len; i++) {
        int r = scan_byte(scan, bytes.data[i], limits, refusal);

        if (r < 0)
            return r;
        if (r == CRIER_FIELDS_END) {
            *ret_used = i + 1;
            return 0;
        }
    }
    *ret_used = bytes.len;
    return CRIER_HTTP_MORE;
}
