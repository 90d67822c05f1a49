/* SPDX-License-Identifier: MIT */
/*
 * The event-stream parser. Input:
 *
 *     byte 0       '0' to '7': bit 0 reports comments, bit 1 is strict, bit 2 bounds at 64 bytes
 *     byte 1       seed of the random splits
 *     the rest     the stream
 *
 * What must hold: the account of the stream is the same whole, byte by byte and in random
 * splits; all texts are well-formed and end before a NUL; an event written again reads as the same event.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "event/event.h"
#include "event/parse.h"

enum { BOUND = 64 };

struct setup {
    unsigned flags;
    size_t max_bytes;
};

/* Length first, so that different texts cannot add up to the same account. */
static void tell(struct crier_buf *out, struct crier_slice text)
{
    FUZZ_CHECK(crier_utf8_valid(text));
    FUZZ_CHECK(!text.data || text.data[text.len] == '\0');
    crier_buf_u64(out, text.len);
    crier_buf_byte(out, ':');
    crier_buf_append(out, text);
}

static void tell_item(struct crier_buf *out, const struct crier_item *item)
{
    FUZZ_CHECK(item->line > 0);
    crier_buf_printf(out, "%d %d %u %llu ", item->kind, item->own_id, item->retry_ms,
                     (unsigned long long)item->line);
    tell(out, item->data);
    tell(out, item->type);
    tell(out, item->id);
    tell(out, item->comment);
}

static void check_written_again(const struct crier_item *item)
{
    struct crier_event event = {
        .data = item->data,
        .type = item->type,
        .id = item->own_id ? item->id : (struct crier_slice){NULL, 0},
        .flags = CRIER_DATA | (item->own_id ? (unsigned)CRIER_ID : 0),
    };
    struct crier_buf sse;
    struct crier_parser p;
    struct crier_item again;
    int r;

    crier_buf_init(&sse, &crier_mem_libc);
    r = crier_event_append(&sse, &event, NULL);
    if (crier_slice_find(event.type, '\0') < event.type.len) {
        /* A reader takes a NUL in a type; we do not write it. */
        FUZZ_CHECK(r == -EINVAL && sse.len == 0);
    } else {
        FUZZ_CHECK(r == 0 && sse.len == crier_event_size(&event));
        FUZZ_CHECK(crier_parser_init(&p, &crier_mem_libc, SIZE_MAX / 2, 0, item->id) == 0);
        crier_parser_feed(&p, crier_buf_slice(&sse));
        FUZZ_CHECK(crier_parser_next(&p, &again) == 0);
        FUZZ_CHECK(again.kind == CRIER_ITEM_EVENT && again.own_id == item->own_id);
        FUZZ_CHECK(crier_slice_eq(again.data, item->data));
        FUZZ_CHECK(crier_slice_eq(again.type, item->type));
        FUZZ_CHECK(crier_slice_eq(again.id, item->id));
        FUZZ_CHECK(crier_parser_next(&p, &again) == CRIER_MORE);
        FUZZ_CHECK(crier_parser_end(&p) == 0);
        crier_parser_deinit(&p);
    }
    crier_buf_deinit(&sse);
}

/* The account of the stream, in chunks of 1 to max_step bytes. */
static void account(struct crier_buf *out,
                    const struct setup *setup,
                    struct crier_slice stream,
                    struct crier_rng rng,
                    size_t max_step)
{
    struct crier_parser p;
    struct crier_item item;
    int r = CRIER_MORE;

    FUZZ_CHECK(crier_parser_init(&p, &crier_mem_libc, setup->max_bytes, setup->flags,
                                 CRIER_SLICE("seed")) == 0);
    while (stream.len > 0 && r >= 0) {
        size_t n = max_step < stream.len ? crier_rng_between(&rng, 1, max_step) : stream.len;

        crier_parser_feed(&p, crier_slice_sub(stream, 0, n));
        while ((r = crier_parser_next(&p, &item)) == 0) {
            tell_item(out, &item);
            if (item.kind == CRIER_ITEM_EVENT && max_step == SIZE_MAX)
                check_written_again(&item);
        }
        FUZZ_CHECK(r == CRIER_MORE || r == -EMSGSIZE || r == -EILSEQ);
        FUZZ_CHECK(r < 0 || setup->max_bytes != BOUND ||
                   p.line.len + p.data.len + p.type.len + p.id_buffer.len <= BOUND);
        stream = crier_slice_sub(stream, n, SIZE_MAX);
    }
    crier_buf_printf(out, "%d %d ", r, crier_parser_end(&p));
    tell(out, crier_parser_last_id(&p));
    crier_parser_deinit(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice stream = {(const char *)data, size};
    struct crier_buf whole, split;
    struct setup setup;
    struct crier_rng rng;

    if (size < 2)
        return 0;
    setup = (struct setup){data[0] & 3u, (data[0] & 4u) ? BOUND : 0};
    rng = (struct crier_rng){data[1]};
    stream = crier_slice_sub(stream, 2, SIZE_MAX);
    crier_buf_init(&whole, &crier_mem_libc);
    crier_buf_init(&split, &crier_mem_libc);
    account(&whole, &setup, stream, rng, SIZE_MAX);
    account(&split, &setup, stream, rng, 1);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_clear(&split);
    account(&split, &setup, stream, rng, 7);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_deinit(&whole);
    crier_buf_deinit(&split);
    return 0;
}
