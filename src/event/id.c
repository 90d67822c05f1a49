/* SPDX-License-Identifier: MIT */
#include "event/id.h"

#include "base/buf.h"
#include "base/err.h"

int crier_id_cmp(struct crier_id a, struct crier_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return (a.seq > b.seq) - (a.seq < b.seq);
}

static size_t put_number(uint64_t value, char *text)
{
    size_t len = 1;

    for (uint64_t rest = value / 10; rest > 0; rest /= 10)
        len++;
    for (size_t i = len; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    return len;
}

size_t crier_id_format(struct crier_id id, char text[CRIER_ID_TEXT])
{
    size_t len = put_number(id.ms, text);

    text[len++] = '-';
    return len + put_number(id.seq, text + len);
}

void crier_id_append(struct crier_buf *buf, struct crier_id id)
{
    char text[CRIER_ID_TEXT];

    crier_buf_add(buf, text, crier_id_format(id, text));
}

/* A number as put_number writes it: one spelling each, so that ids can be compared as text. */
static int parse_number(struct crier_slice text, uint64_t *ret_value)
{
    if (text.len > 1 && text.data[0] == '0')
        return -EINVAL;
    return crier_slice_to_u64(text, ret_value) < 0 ? -EINVAL : 0;
}

int crier_id_parse(struct crier_slice text, struct crier_id *ret_id)
{
    struct crier_slice ms = crier_slice_cut(&text, '-');
    struct crier_id id;

    if (parse_number(ms, &id.ms) < 0 || parse_number(text, &id.seq) < 0)
        return -EINVAL;
    *ret_id = id;
    return 0;
}
