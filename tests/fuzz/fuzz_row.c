/* SPDX-License-Identifier: MIT */
/*
 * Rows of the durable journal, as a damaged file may have them, and its retention rules as text.
 *
 * What must hold: what is read lies within the bytes; written again it is read as the same; a
 * frame is the row's lines and an id. Rules that are taken are what they are written as.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "durable/row.h"
#include "durable/rules.h"

static void check_inside(struct crier_slice bytes, struct crier_slice part)
{
    FUZZ_CHECK(!part.len ||
               (part.data >= bytes.data && part.data + part.len <= bytes.data + bytes.len));
}

static void check_row(struct crier_slice bytes)
{
    struct crier_row row, again;
    struct crier_buf buf;

    if (crier_row_read(bytes, &row) < 0)
        return;
    FUZZ_CHECK(row.topic_count >= 1 && row.topic_count <= CRIER_TOPICS_PER_EVENT);
    FUZZ_CHECK(row.alive && !(row.alive >> row.topic_count) && row.id_at <= row.sse.len);
    for (size_t i = 0; i < row.topic_count; i++)
        check_inside(bytes, row.topics[i]);
    check_inside(bytes, row.key);
    check_inside(bytes, row.type);
    check_inside(bytes, row.sse);
    crier_buf_init(&buf, &crier_mem_libc);
    crier_row_write(&buf, &row);
    FUZZ_CHECK(crier_row_read(crier_buf_slice(&buf), &again) == 0);
    FUZZ_CHECK(crier_id_cmp(row.id, again.id) == 0 && row.wall_ms == again.wall_ms);
    FUZZ_CHECK(row.clock_ms == again.clock_ms && row.class_id == again.class_id);
    FUZZ_CHECK(crier_slice_eq(row.sse, again.sse) && crier_slice_eq(row.key, again.key));
    crier_buf_clear(&buf);
    FUZZ_CHECK(crier_row_frame(&buf, &row).len == crier_row_bytes(&row));
    crier_buf_deinit(&buf);
}

static void check_rule(struct crier_slice text)
{
    static struct crier_rules rules, again;
    struct crier_buf buf;

    rules.count = 0;
    if (crier_rules_add(&rules, text))
        return;
    FUZZ_CHECK(rules.count == 1);
    crier_buf_init(&buf, &crier_mem_libc);
    crier_rules_write(&rules, &buf);
    FUZZ_CHECK(crier_rules_read(crier_buf_slice(&buf), &again) == 0);
    FUZZ_CHECK(crier_rules_same(&rules, &again));
    crier_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crier_slice bytes = {(const char *)data, size};

    check_row(bytes);
    check_rule(bytes);
    return 0;
}
