/* SPDX-License-Identifier: MIT */
/* The row in docs/journal-format.md is what the code writes. */
#include "durable/row.h"
#include "support.h"
#include <stdio.h>
#include <stdlib.h>

#ifndef DOCUMENT
#error DOCUMENT is the path of docs/journal-format.md
#endif

static char *read_document(void)
{
    enum { MOST = 64 * 1024 };
    FILE *file = fopen(DOCUMENT, "r");
    char *text = malloc(MOST + 1);

    assert_non_null(file);
    assert_non_null(text);
    text[fread(text, 1, MOST, file)] = '\0';
    (void)fclose(file);
    return text;
}

/* The hexadecimal numbers of the first block behind the mark, as bytes. In each of its lines they
 * end at two blanks. */
static void read_hex(struct crier_buf *buf, const char *text)
{
    const char *at = strstr(text, "<!-- row -->"), *end;

    assert_non_null(at);
    at = strstr(at, "```\n");
    assert_non_null(at);
    at += 4;
    end = strstr(at, "```");
    assert_non_null(end);
    while (at < end) {
        const char *line_end = strchr(at, '\n');

        while (at < line_end && *at != ' ' && *at != '\n') {
            crier_buf_byte(buf, (char)strtoul(at, NULL, 16));
            at += 2;
            if (*at == ' ')
                at++;
        }
        at = line_end + 1;
    }
}

static void test_row(void **state)
{
    const struct crier_row example = {
        .id = {1763700000123, 40000},
        .wall_ms = 1763700000123,
        .clock_ms = 1763700000120,
        .expires_ms = 1763700000120 + 60000,
        .class_id = 2,
        .alive = 1,
        .topics = {CRIER_SLICE("orders/42")},
        .topic_count = 1,
        .key = CRIER_SLICE("k7"),
        .type = CRIER_SLICE("paid"),
        .sse = CRIER_SLICE("event: paid\ndata: 12.50\n\n"),
        .id_at = 12,
    };
    struct crier_buf told, made;
    struct crier_row row;
    char *text = read_document();

    crier_buf_init(&told, &crier_mem_libc);
    crier_buf_init(&made, &crier_mem_libc);
    read_hex(&told, text);
    crier_row_write(&made, &example);
    if (!crier_slice_eq(crier_buf_slice(&told), crier_buf_slice(&made))) {
        for (size_t i = 0; i < made.len; i++)
            print_message("%02x ", (unsigned char)made.data[i]);
        print_message("is what the code writes\n");
    }
    assert_slice_equal(crier_buf_slice(&told), crier_buf_slice(&made));
    assert_int_equal(crier_row_read(crier_buf_slice(&told), &row), 0);
    assert_slice_equal(row.sse, example.sse);
    assert_int_equal(row.expires_ms, example.expires_ms);
    crier_buf_deinit(&told);
    crier_buf_deinit(&made);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_row)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
