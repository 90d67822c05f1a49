/* SPDX-License-Identifier: MIT */
/*
 * Batch bodies. Input:
 *
 *     byte 0       bit 0: event stream instead of NDJSON; bit 1: the path names no topic;
 *                  bit 2: events of at most 40 bytes
 *     byte 1       seed of the random splits
 *     the rest     the body
 *
 * What must hold: the account of the body is the same whole, byte by byte and in random splits;
 * what is published keeps the rules for its fields and is valid UTF-8; lines only grow.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "http/batch.h"
#include "hub/publication.h"

struct setup {
    enum crier_batch_kind kind;
    size_t max_event;
    bool path_has_topic;
};

static void tell(struct crier_buf *out, struct crier_slice text)
{
    FUZZ_CHECK(crier_utf8_valid(text));
    crier_buf_u64(out, text.len);
    crier_buf_byte(out, ':');
    crier_buf_append(out, text);
}

static void
take(struct crier_buf *out, const struct setup *setup, const struct crier_batch_item *p)
{
    FUZZ_CHECK(p->has_topic == (p->topic.len > 0));
    FUZZ_CHECK(p->has_topic || setup->path_has_topic);
    FUZZ_CHECK(!crier_publish_type_fault(p->type) ||
               crier_slice_eq(p->type, CRIER_SLICE("crier:gap")));
    FUZZ_CHECK(p->key.len == 0 || !crier_publish_key_fault(p->key));
    FUZZ_CHECK(!p->has_retry || (p->retry_ms >= 500 && p->retry_ms <= 3600000));
    FUZZ_CHECK(p->ttl_ms == 0 || p->ttl_ms >= 1000);
    FUZZ_CHECK(p->data.len <= setup->max_event);
    crier_buf_printf(out, "\n%llu %u %llu ", (unsigned long long)p->line, p->retry_ms,
                     (unsigned long long)p->ttl_ms);
    tell(out, p->topic);
    tell(out, p->type);
    tell(out, p->key);
    tell(out, p->data);
}

static int take_all(struct crier_batch *batch,
                    struct crier_buf *out,
                    const struct setup *setup,
                    uint64_t *last_line)
{
    struct crier_batch_item p;
    int r;

    while ((r = crier_batch_next(batch, &p)) == 0) {
        FUZZ_CHECK(p.line > *last_line);
        *last_line = p.line;
        take(out, setup, &p);
    }
    FUZZ_CHECK(r == CRIER_BATCH_MORE || r == -EINVAL);
    return r;
}

/* The account of the body, in pieces of 1 to max_step bytes. */
static void account(struct crier_buf *out,
                    const struct setup *setup,
                    struct crier_slice body,
                    struct crier_rng rng,
                    size_t max_step)
{
    struct crier_batch batch;
    uint64_t last_line = 0;
    int r = CRIER_BATCH_MORE;

    FUZZ_CHECK(crier_batch_init(&batch, &crier_mem_libc, setup->kind, setup->max_event,
                                setup->path_has_topic) == 0);
    while (body.len > 0 && r == CRIER_BATCH_MORE) {
        size_t n = max_step < body.len ? crier_rng_between(&rng, 1, max_step) : body.len;

        crier_batch_feed(&batch, crier_slice_sub(body, 0, n));
        r = take_all(&batch, out, setup, &last_line);
        body = crier_slice_sub(body, n, body.len);
    }
    if (r == CRIER_BATCH_MORE) {
        crier_batch_end(&batch);
        r = take_all(&batch, out, setup, &last_line);
    }
    FUZZ_CHECK(r != -EINVAL || (batch.fault_detail && batch.fault_line >= last_line));
    crier_buf_printf(out, "\n%d %d %d %llu %s", r, batch.incomplete, (int)batch.fault,
                     r < 0 ? (unsigned long long)batch.fault_line : 0ULL,
                     batch.fault_detail ? batch.fault_detail : "");
    crier_batch_deinit(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice body = {(const char *)data, size};
    struct crier_buf whole, split;
    struct setup setup;
    struct crier_rng rng;

    if (size < 2)
        return 0;
    setup = (struct setup){
        .kind = data[0] & 1 ? CRIER_BATCH_EVENT_STREAM : CRIER_BATCH_NDJSON,
        .max_event = data[0] & 4 ? 40 : 100000,
        .path_has_topic = !(data[0] & 2),
    };
    rng = (struct crier_rng){data[1]};
    body = crier_slice_sub(body, 2, SIZE_MAX);
    crier_buf_init(&whole, &crier_mem_libc);
    crier_buf_init(&split, &crier_mem_libc);
    account(&whole, &setup, body, rng, SIZE_MAX);
    account(&split, &setup, body, rng, 1);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_clear(&split);
    account(&split, &setup, body, rng, 7);
    FUZZ_CHECK(crier_slice_eq(crier_buf_slice(&whole), crier_buf_slice(&split)));
    crier_buf_deinit(&whole);
    crier_buf_deinit(&split);
    return 0;
}
