/* SPDX-License-Identifier: MIT */
/*
 * Answers judged, and put into words.
 *
 *     200 + text/event-stream ─▶ FOLLOW        408, 425, 429, 5xx ─▶ RETRY, after Retry-After
 *     30x + Location          ─▶ REDIRECT      anything else      ─▶ STOP
 *
 * The words are for people at a terminal and hold bytes of the server's: they pass
 * crier_plain_text, so that an answer cannot move the cursor or forge a second line.
 */
#include "client/verdict.h"

#include "base/utf8.h"
#include "http/negotiate.h"
#include "http/response.h"
#include <jansson.h>

enum { PLAIN_BYTES = 1000 };

enum crier_verdict
crier_verdict_of(unsigned status, struct crier_slice content_type, struct crier_slice location)
{
    struct crier_slice essence = crier_content_type_essence(content_type);

    switch (status) {
    case 200:
        return crier_slice_eq_nocase(essence, CRIER_SLICE("text/event-stream"))
                   ? CRIER_VERDICT_FOLLOW
                   : CRIER_VERDICT_STOP;
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return location.len > 0 ? CRIER_VERDICT_REDIRECT : CRIER_VERDICT_STOP;
    case 408:
    case 425:
    case 429:
        return CRIER_VERDICT_RETRY;
    default:
        return status >= 500 && status <= 599 ? CRIER_VERDICT_RETRY : CRIER_VERDICT_STOP;
    }
}

/* ---- Retry-After ---- */

static unsigned month_number(struct crier_slice name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (unsigned i = 0; i < 12; i++)
        if (crier_slice_eq(name, (struct crier_slice){names + 3 * i, 3}))
            return i + 1;
    return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (IMF-fixdate, the only form to be sent): rewritten as RFC
 * 3339. */
static int parse_date(struct crier_slice value, uint64_t *ret_wall_ms)
{
    char text[] = "yyyy-mm-ddThh:mm:ssZ";
    unsigned month;

    if (value.len != 29 || !crier_slice_ends(value, CRIER_SLICE(" GMT")))
        return -EINVAL;
    month = month_number(crier_slice_sub(value, 8, 3));
    if (month == 0)
        return -EINVAL;
    for (size_t i = 0; i < 4; i++)
        text[i] = value.data[12 + i];
    text[5] = (char)('0' + month / 10);
    text[6] = (char)('0' + month % 10);
    text[8] = value.data[5];
    text[9] = value.data[6];
    for (size_t i = 0; i < 8; i++)
        text[11 + i] = value.data[17 + i];
    return crier_time_parse(crier_slice_of(text), ret_wall_ms);
}

uint64_t crier_retry_after(struct crier_slice value, uint64_t wall_ms)
{
    uint64_t number;
    int r = crier_slice_to_u64(value, &number);

    if (r == 0)
        return number <= UINT64_MAX / 1000 ? number * 1000 : UINT64_MAX;
    if (r == -ERANGE)
        return UINT64_MAX;
    if (parse_date(value, &number) < 0 || number <= wall_ms)
        return 0;
    return number - wall_ms;
}

/* ---- words ---- */

/* Is there a C1 control character (C2 80..9F) at i? Terminals obey those too. */
static bool is_c1(const struct crier_buf *buf, size_t i)
{
    return (unsigned char)buf->data[i] == 0xC2 && i + 1 < buf->len &&
           (unsigned char)buf->data[i + 1] >= 0x80 && (unsigned char)buf->data[i + 1] <= 0x9F;
}

void crier_plain_text(struct crier_buf *buf, struct crier_slice text)
{
    size_t start = buf->len;

    crier_utf8_repair(buf, crier_slice_sub(text, 0, PLAIN_BYTES));
    for (size_t i = start; i < buf->len; i++) {
        if ((unsigned char)buf->data[i] < 0x20 || buf->data[i] == 0x7f)
            buf->data[i] = ' ';
        if (is_c1(buf, i))
            buf->data[i] = buf->data[i + 1] = ' ';
    }
}

static void append_member(struct crier_buf *buf, const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);

    if (!json_is_string(member) || json_string_length(member) == 0)
        return;
    crier_buf_append(buf, CRIER_SLICE(": "));
    crier_plain_text(
        buf, (struct crier_slice){json_string_value(member), json_string_length(member)});
}

static void append_problem(struct crier_buf *buf, struct crier_slice body)
{
    json_t *problem = body.len > 0 ? json_loadb(body.data, body.len, 0, NULL) : NULL;

    append_member(buf, problem, "title");
    append_member(buf, problem, "detail");
    json_decref(problem);
}

void crier_refusal_describe(struct crier_buf *buf,
                            unsigned status,
                            struct crier_slice content_type,
                            struct crier_slice body)
{
    const char *reason = crier_status_reason(status);

    if (status == 200) {
        crier_buf_append(buf, CRIER_SLICE("the answer is "));
        crier_plain_text(buf, content_type.len > 0 ? content_type
                                                   : CRIER_SLICE("of no content type"));
        crier_buf_append(buf,
                         CRIER_SLICE(" instead of text/event-stream: is this the right URL?"));
        return;
    }
    crier_buf_u64(buf, status);
    if (reason && *reason) {
        crier_buf_byte(buf, ' ');
        crier_buf_append(buf, crier_slice_of(reason));
    }
    if (status == 204)
        crier_buf_append(buf,
                         CRIER_SLICE(": the server says that there is nothing more to follow"));
    append_problem(buf, body);
}
