/* SPDX-License-Identifier: MIT */
/*
 * What unit tests of all layers share; header only.
 *   test_mem    an allocator that counts what is alive and can fail the nth allocation
 *   test_guard  bytes that end right before a page nobody may touch
 *   test_seed   the seed of a random test: fixed, or from CRIER_TEST_SEED; always printed
 */
#ifndef CRIER_TESTS_UNIT_SUPPORT_H
#define CRIER_TESTS_UNIT_SUPPORT_H

/* cmocka.h wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/slice.h"
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TEST_MEM_MAX = 1 << 30 }; /* larger allocations fail, in sanitizer builds too */

struct test_mem {
    struct crier_mem mem;
    size_t alive;   /* allocations not yet freed */
    size_t bytes;   /* theirs, as malloc rounds them */
    size_t calls;   /* allocations and resizes asked for */
    size_t fail_at; /* this call (from 1) and, with `stay`, all later ones fail; 0: none */
    bool stay, failed;
};

static inline void *test_mem_resize(void *ctx, void *ptr, size_t size)
{
    struct test_mem *t = ctx;
    size_t before = malloc_usable_size(ptr);
    void *moved;

    if (size == 0) {
        t->alive -= ptr != NULL;
        t->bytes -= before;
        free(ptr);
        return NULL;
    }
    t->calls++;
    if ((t->fail_at && (t->calls == t->fail_at || (t->stay && t->calls > t->fail_at))) ||
        size > TEST_MEM_MAX) {
        t->failed = true;
        return NULL;
    }
    moved = realloc(ptr, size);
    assert_non_null(moved);
    t->alive += ptr == NULL;
    t->bytes += malloc_usable_size(moved) - before;
    return moved;
}

static inline void test_mem_init(struct test_mem *t, size_t fail_at)
{
    *t = (struct test_mem){.mem = {test_mem_resize, t}, .fail_at = fail_at};
}

/* Runs `run` again and again, failing its 1st, 2nd, 3rd, ... allocation until none is left to
 * fail: `run` must notice each time (return -ENOMEM), succeed when nothing failed (return 0),
 * and have freed everything. Returns how many allocations there are to fail. */
static inline size_t test_mem_torture(int (*run)(const struct crier_mem *mem, void *ctx),
                                      void *ctx)
{
    for (size_t nth = 1;; nth++) {
        struct test_mem t;
        int r;

        test_mem_init(&t, nth);
        r = run(&t.mem, ctx);
        assert_int_equal(t.alive, 0);
        assert_int_equal(r, t.failed ? -12 /* ENOMEM */ : 0);
        if (!t.failed)
            return nth - 1;
    }
}

/* Pages whose last `size` bytes can be used; the next byte after them is out of bounds, in
 * every build. */
struct test_guard {
    char *pages;
    size_t total, page;
};

static inline void test_guard_init(struct test_guard *g, size_t max)
{
    void *pages;

    g->page = (size_t)sysconf(_SC_PAGESIZE);
    g->total = (max + g->page - 1) / g->page * g->page + g->page;
    pages = mmap(NULL, g->total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    g->pages = pages;
    assert_int_equal(mprotect(g->pages + g->total - g->page, g->page, PROT_NONE), 0);
}

/* Copies bytes right before the guard page. */
static inline struct crier_slice test_guard_put(struct test_guard *g, struct crier_slice bytes)
{
    char *at = g->pages + (g->total - g->page) - bytes.len;

    assert_true(bytes.len <= g->total - g->page);
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    return (struct crier_slice){at, bytes.len};
}

static inline void test_guard_deinit(struct test_guard *g)
{
    munmap(g->pages, g->total);
}

static inline uint64_t test_seed(const char *what)
{
    const char *given = getenv("CRIER_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261121;

    print_message("%s: CRIER_TEST_SEED=%llu\n", what, (unsigned long long)seed);
    return seed;
}

static inline void
test_slice_equal_at(struct crier_slice a, struct crier_slice b, const char *file, int line)
{
    if (a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0))
        return;
    print_error("[%.*s] (%zu bytes)\nis not\n[%.*s] (%zu bytes)\n", CRIER_SLICE_ARG(a), a.len,
                CRIER_SLICE_ARG(b), b.len);
    _fail(file, line);
}

/* Two slices; a slice and a string literal (which may hold NULs). */
#define assert_slice_equal(a, b) test_slice_equal_at(a, b, __FILE__, __LINE__)
#define assert_slice_is(a, literal)                                                            \
    test_slice_equal_at(a, CRIER_SLICE(literal), __FILE__, __LINE__)

#endif
