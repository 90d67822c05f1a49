/* SPDX-License-Identifier: MIT */
/*
 * The client's reader of answers: what a hostile server sends. Input:
 *
 *     byte 0       seed of the random splits; bit 0: the server ends its side
 *     the rest     an answer's bytes
 *
 * What must hold: the account of the answer is the same whole, byte by byte and in random
 * splits; a head's values have no line ends or NULs; HEAD, BODY and END come in this order.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rng.h"
#include "client/reply.h"

static void tell(struct crier_buf *out, struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        FUZZ_CHECK(text.data[i] != '\0' && text.data[i] != '\r' && text.data[i] != '\n');
    crier_buf_u64(out, text.len);
    crier_buf_byte(out, ':');
    crier_buf_append(out, text);
}

static void take_item(struct crier_buf *out, int *stage, const struct crier_reply_item *item)
{
    FUZZ_CHECK((int)item->kind >= *stage);
    switch (item->kind) {
    case CRIER_REPLY_HEAD:
        FUZZ_CHECK(*stage == 0 && item->reply->status >= 200);
        crier_buf_printf(out, "H%u ", item->reply->status);
        for (size_t i = 0; i < item->reply->header_count; i++) {
            tell(out, item->reply->headers[i].name);
            tell(out, item->reply->headers[i].value);
        }
        crier_buf_byte(out, 'B');
        break;
    case CRIER_REPLY_BODY:
        FUZZ_CHECK(*stage >= CRIER_REPLY_HEAD && item->body.len > 0);
        crier_buf_append(out, item->body);
        break;
    case CRIER_REPLY_END:
        FUZZ_CHECK(*stage >= CRIER_REPLY_HEAD);
        crier_buf_byte(out, 'E');
        break;
    }
    *stage = item->kind == CRIER_REPLY_HEAD ? CRIER_REPLY_BODY : (int)item->kind;
}

/* The account of the answer, in pieces of 1 to max_step bytes. */
static void account(struct crier_buf *out,
                    struct crier_slice bytes,
                    struct crier_rng rng,
                    bool ends,
                    size_t max_step)
{
    struct crier_reply_reader *reader;
    struct crier_reply_item item;
    int stage = 0, r = CRIER_REPLY_MORE;

    FUZZ_CHECK(crier_reply_reader_new(&crier_mem_libc, &reader) == 0);
    while (bytes.len > 0 && r == CRIER_REPLY_MORE) {
        size_t n = max_step < bytes.len ? crier_rng_between(&rng, 1, max_step) : bytes.len;
        struct crier_slice input = crier_slice_sub(bytes, 0, n);

        while ((r = crier_reply_next(reader, &input, &item)) == 0)
            take_item(out, &stage, &item);
        FUZZ_CHECK(r == -EPROTO || (r == CRIER_REPLY_MORE && input.len == 0));
        bytes = crier_slice_sub(bytes, n, bytes.len);
    }
    if (r < 0) {
        FUZZ_CHECK(crier_reply_fault(reader)[0] != '\0');
        crier_buf_byte(out, '!');
    } else if (ends) {
        r = crier_reply_finish(reader);
        FUZZ_CHECK(r == 0 || r == CRIER_REPLY_CUT);
        crier_buf_byte(out, r == 0 ? '.' : '/');
    }
    crier_reply_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7};
    struct crier_slice bytes = {(const char *)data, size};
    struct crier_buf whole, split;
    struct crier_rng rng;

    if (size < 1)
        return 0;
    rng = (struct crier_rng){data[0]};
    bytes = crier_slice_sub(bytes, 1, SIZE_MAX);
    crier_buf_init(&whole, &crier_mem_libc);
    crier_buf_init(&split, &crier_mem_libc);
    account(&whole, bytes, rng, data[0] & 1, SIZE_MAX);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        crier_buf_clear(&split);
        account(&split, bytes, rng, data[0] & 1, steps[i]);
        FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    }
    crier_buf_deinit(&whole);
    crier_buf_deinit(&split);
    return 0;
}
