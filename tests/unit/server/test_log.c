/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "server/log.h"
#include "support.h"
#include <fcntl.h>
#include <pthread.h>

#define AT "time=2026-11-21T09:03:34.123Z "
static const uint64_t wall = 1795251814123u;

static struct crier_log *log_;
static int pipes[2];
static char text[70000];

static int setup(void **state)
{
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    return crier_log_new(&crier_mem_libc, CRIER_LOG_DEBUG, pipes[1], &log_);
}

static int teardown(void **state)
{
    log_ = crier_log_free(log_);
    close(pipes[0]);
    if (pipes[1] >= 0)
        close(pipes[1]);
    return 0;
}

/* What has been written since the last call. One read takes one write at most what is there. */
static const char *written(void)
{
    ssize_t n = read(pipes[0], text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = 0;
    return text;
}

static struct crier_now at(uint64_t boot_ms)
{
    return (struct crier_now){.wall_ms = wall, .boot_ms = boot_ms};
}

static size_t lines(const char *s)
{
    size_t n = 0;

    for (; *s; s++)
        n += *s == '\n';
    return n;
}

/* A line: time, level, event, the fields in order; one LF, at the end. */
static void test_line(void **state)
{
    crier_log(log_, CRIER_LOG_WARNING, CRIER_LOG_KIND_REFUSED, at(5), "refused",
              CRIER_LOG_TEXT("reason", CRIER_SLICE("unknown-host")),
              CRIER_LOG_TEXT("peer", CRIER_SLICE("192.0.2.1")), CRIER_LOG_NUMBER("status", 421),
              CRIER_LOG_NUMBER("big", UINT64_MAX));
    assert_string_equal(written(),
                        AT "level=warning event=refused reason=unknown-host peer=192.0.2.1 "
                           "status=421 big=18446744073709551615\n");
    crier_log_write(log_, CRIER_LOG_INFO, CRIER_LOG_KIND_SERVER, at(5), "start", NULL, 0);
    assert_string_equal(written(), AT "level=info event=start\n");
    crier_log_write(log_, CRIER_LOG_ERROR, CRIER_LOG_KIND_ACCEPT, at(5), "x", NULL, 0);
    assert_string_equal(written(), AT "level=error event=x\n");
    crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "connect", NULL, 0);
    assert_string_equal(written(), AT "level=debug event=connect\n");
}

/* Values: plain ones as they are, all others quoted and escaped, so that a line cannot be
 * forged. */
static void test_values(void **state)
{
    const struct {
        struct crier_slice value;
        const char *shown;
    } rows[] = {
        {CRIER_SLICE("plain-1.2:/[x]"), "plain-1.2:/[x]"},
        {CRIER_SLICE(""), "\"\""},
        {{NULL, 0}, "\"\""},
        {CRIER_SLICE("a b"), "\"a b\""},
        {CRIER_SLICE("a=b"), "\"a=b\""},
        {CRIER_SLICE("say \"x\""), "\"say \\\"x\\\"\""},
        {CRIER_SLICE("\""), "\"\\\"\""},
        {CRIER_SLICE("a\\b"), "\"a\\\\b\""},
        {CRIER_SLICE("\\"), "\"\\\\\""},
        {CRIER_SLICE("a\nb\rc\td"), "\"a\\nb\\rc\\td\""},
        {CRIER_SLICE("\0\x01\x1b[31m\x7f"), "\"\\x00\\x01\\x1b[31m\\x7f\""},
        {CRIER_SLICE("\xc3\xa9\xff"), "\"\\xc3\\xa9\\xff\""},
        {CRIER_SLICE("x\n" AT "level=error event=hacked"),
         "\"x\\n" AT "level=error event=hacked\""},
        {CRIER_SLICE("x level=error"), "\"x level=error\""},
        {CRIER_SLICE("x\" level=error y=\""), "\"x\\\" level=error y=\\\"\""},
        {CRIER_SLICE("\xe2\x80\xa8"),
         "\"\\xe2\\x80\\xa8\""}, /* U+2028 ends lines in some viewers */
    };
    char expected[500];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        crier_log(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "e",
                  CRIER_LOG_TEXT("v", rows[i].value), CRIER_LOG_NUMBER("end", 1));
        snprintf(expected, sizeof(expected), AT "level=debug event=e v=%s end=1\n",
                 rows[i].shown);
        assert_string_equal(written(), expected);
    }
}

/* Every single byte: what comes out is one line of printable ASCII. */
static void test_every_byte(void **state)
{
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        size_t len;

        crier_log(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "e",
                  CRIER_LOG_TEXT("v", ((struct crier_slice){&byte, 1})));
        len = strlen(written());
        assert_int_equal(lines(text), 1);
        for (size_t i = 0; i + 1 < len; i++)
            assert_in_range(text[i], ' ', '~');
    }
}

/* A value is cut at 200 of its bytes, and that is shown. */
static void test_cut(void **state)
{
    static char value[100000];
    char expected[500];

    memset(value, 'x', sizeof(value));
    crier_log(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "e",
              CRIER_LOG_TEXT("v", ((struct crier_slice){value, 200})),
              CRIER_LOG_TEXT("w", ((struct crier_slice){value, sizeof(value)})));
    snprintf(expected, sizeof(expected), AT "level=debug event=e v=%.200s w=%.200s...\n", value,
             value);
    assert_string_equal(written(), expected);
}

/* However many long fields: at most 4,096 bytes, one line, and it tells what was left out. */
static void test_long_line(void **state)
{
    static char value[200];
    struct crier_log_field fields[30];

    memset(value, 0xff, sizeof(value));
    for (size_t i = 0; i < 30; i++)
        fields[i] = CRIER_LOG_TEXT("key", ((struct crier_slice){value, sizeof(value)}));
    crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "e", fields, 30);
    assert_true(strlen(written()) <= 4096);
    assert_int_equal(lines(text), 1);
    assert_non_null(strstr(text, " left_out=26\n"));
}

static void refuse_at(uint64_t boot_ms)
{
    crier_log_write(log_, CRIER_LOG_WARNING, CRIER_LOG_KIND_REFUSED, at(boot_ms), "refused",
                    NULL, 0);
}

/* A flood of one kind: ten lines, then one a second, which tells how many were held back. */
static void test_flood(void **state)
{
    for (int i = 0; i < 1000; i++)
        refuse_at(5000);
    assert_int_equal(lines(written()), 10);
    refuse_at(5999);
    assert_int_equal(lines(written()), 0);
    refuse_at(6000);
    assert_string_equal(written(), AT "level=warning event=refused suppressed=991\n");
    refuse_at(6000);
    refuse_at(7000);
    assert_string_equal(written(), AT "level=warning event=refused suppressed=1\n");
    refuse_at(8000);
    assert_string_equal(written(), AT "level=warning event=refused\n");
    /* A quiet hour fills the bucket, and no further. */
    for (int i = 0; i < 100; i++)
        refuse_at(3600000);
    assert_int_equal(lines(written()), 10);
    /* A thread whose `now` is a little older does no harm. */
    refuse_at(3599000);
    assert_int_equal(lines(written()), 0);
    refuse_at(3601000);
    assert_int_equal(lines(written()), 1);
}

/* Kinds are limited each for itself; server lines and debug lines never. */
static void test_what_is_not_limited(void **state)
{
    for (int i = 0; i < 100; i++)
        refuse_at(5000);
    (void)written();
    crier_log_write(log_, CRIER_LOG_WARNING, CRIER_LOG_KIND_LIMIT, at(5000), "limit", NULL, 0);
    assert_string_equal(written(), AT "level=warning event=limit\n");
    for (int i = 0; i < 100; i++) {
        crier_log_write(log_, CRIER_LOG_INFO, CRIER_LOG_KIND_SERVER, at(5000), "drain", NULL,
                        0);
        crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5000), "connect",
                        NULL, 0);
    }
    assert_int_equal(lines(written()), 200);
}

/* What is above the level is not written, and takes nothing from the bucket. */
static void test_levels(void **state)
{
    crier_log_free(log_);
    assert_int_equal(crier_log_new(&crier_mem_libc, CRIER_LOG_WARNING, pipes[1], &log_), 0);
    assert_true(crier_log_enabled(log_, CRIER_LOG_ERROR) &&
                crier_log_enabled(log_, CRIER_LOG_WARNING));
    assert_false(crier_log_enabled(log_, CRIER_LOG_INFO) ||
                 crier_log_enabled(log_, CRIER_LOG_DEBUG));
    for (int i = 0; i < 100; i++)
        crier_log_write(log_, CRIER_LOG_INFO, CRIER_LOG_KIND_REFUSED, at(5000), "no", NULL, 0);
    assert_string_equal(written(), "");
    refuse_at(5000);
    assert_string_equal(written(), AT "level=warning event=refused\n");
}

/* A reader that stands still does not stop the server: lines are dropped, and told when there
 * is room again. */
static void test_blocked_reader(void **state)
{
    uint64_t sent = 0, seen = 0, dropped = 0;
    char *at_dropped;

    /* As standard error usually is. */
    assert_int_equal(fcntl(pipes[1], F_SETFL, 0), 0);
    for (; sent < 10000; sent++)
        crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "connect", NULL,
                        0);
    while (*written())
        seen += lines(text);
    assert_true(seen > 0 && seen < sent);
    crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "connect", NULL, 0);
    at_dropped = strstr(written(), " dropped=");
    assert_non_null(at_dropped);
    dropped = strtoull(at_dropped + 9, NULL, 10);
    assert_int_equal(seen + dropped, sent);
    crier_log_write(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "connect", NULL, 0);
    assert_string_equal(written(), AT "level=debug event=connect\n");
}

/* A descriptor that is closed is no reason to fail. */
static void test_closed(void **state)
{
    close(pipes[1]);
    pipes[1] = -1;
    refuse_at(5000);
    assert_string_equal(written(), "");
}

static void *write_many(void *ctx)
{
    for (int i = 0; i < 200; i++)
        crier_log(log_, CRIER_LOG_DEBUG, CRIER_LOG_KIND_CONNECT, at(5), "e",
                  CRIER_LOG_TEXT("v", CRIER_SLICE("0123456789")));
    return NULL;
}

/* Lines of four threads come out whole. */
static void test_threads(void **state)
{
    static const char line[] = AT "level=debug event=e v=0123456789\n";
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(strlen(written()), 800 * (sizeof(line) - 1));
    for (size_t i = 0; i < 800; i++)
        assert_memory_equal(text + i * (sizeof(line) - 1), line, sizeof(line) - 1);
}

static int make(const struct crier_mem *mem, void *ctx)
{
    struct crier_log *log;
    int r = crier_log_new(mem, CRIER_LOG_INFO, pipes[1], &log);

    if (r == 0)
        crier_log_free(log);
    return r;
}

static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(make, NULL), 2);
    assert_null(crier_log_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blocked_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
