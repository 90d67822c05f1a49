/* SPDX-License-Identifier: MIT */
#include "client/settings.h"
#include "support.h"

/* Options of a program that was built with another release: what lies past its size is not
 * looked at, what this release does not know is passed over, no size is this release's. */
static void test_size(void **state)
{
    struct crier_client_options o = {.url = "http://a/", .repeat = true};
    struct {
        struct crier_client_options known;
        char unknown[16];
    } later = {.known = {.size = sizeof(later), .url = "http://b/", .ctx = &o}};

    o.size = offsetof(struct crier_client_options, method);
    o.method = "POST";
    assert_string_equal(crier_settings_read(&o).url, "http://a/");
    assert_null(crier_settings_read(&o).method);
    assert_false(crier_settings_read(&o).repeat);
    o.size = 0;
    assert_string_equal(crier_settings_read(&o).method, "POST");
    assert_true(crier_settings_read(&o).repeat);
    assert_ptr_equal(crier_settings_read(&later.known).ctx, &o);
    assert_null(crier_settings_read(NULL).url);
}

/* Defaults, and what stands for no limit. */
static void test_numbers(void **state)
{
    struct crier_client_options o = {.url = "http://a/"};
    struct crier_settings s;

    assert_int_equal(crier_settings_init(&s, &crier_mem_libc, &o), 0);
    assert_string_equal(s.fault, "");
    assert_int_equal(s.connect_ms, 10000);
    assert_int_equal(s.idle_ms, 45000);
    assert_int_equal(s.max_event_bytes, 32 * 1024 * 1024);
    assert_slice_is(s.method, "GET");
    assert_true(s.may_repeat);
    crier_settings_deinit(&s);
    o.connect_timeout_ms = o.idle_timeout_ms = o.max_event_bytes = CRIER_OFF;
    o.first_delay_ms = 7;
    assert_int_equal(crier_settings_init(&s, &crier_mem_libc, &o), 0);
    assert_true(s.connect_ms == CRIER_SETTINGS_NO_LIMIT);
    assert_true(s.idle_ms == CRIER_SETTINGS_NO_LIMIT);
    assert_true(s.max_event_bytes == CRIER_SETTINGS_NO_LIMIT);
    assert_int_equal(s.backoff.first_ms, 7);
    crier_settings_deinit(&s);
}

/* Text is copied, each piece followed by a NUL; what is absent stays so. */
static void test_copies(void **state)
{
    char name[] = "X-Name", value[] = " v ", url[] = "http://a/", method[] = "PUT";
    const struct crier_client_header headers[] = {
        {name, value, false}, {"cookie", "c", false}, {"X-Secret", "", true}};
    struct crier_settings s;

    assert_int_equal(crier_settings_init(&s, &crier_mem_libc,
                                         &(struct crier_client_options){.url = url,
                                                                        .method = method,
                                                                        .headers = headers,
                                                                        .header_count = 3,
                                                                        .body = {"a\0b", 3}}),
                     0);
    memset(name, '?', 6);
    memset(value, '?', 3);
    memset(url, '?', 9);
    memset(method, '?', 3);
    assert_string_equal(s.fault, "");
    assert_string_equal(s.url.data, "http://a/");
    assert_string_equal(s.method.data, "PUT");
    assert_false(s.may_repeat);
    assert_slice_is(s.body, "a\0b");
    assert_null(s.bearer.data);
    assert_null(s.content_type.data);
    assert_null(s.options.url);
    assert_string_equal(s.headers[0].name.data, "X-Name");
    assert_slice_is(s.headers[0].value, "v");
    assert_false(s.headers[0].secret);
    assert_true(s.headers[1].secret);
    assert_true(s.headers[2].secret);
    assert_true(crier_settings_have(&s, CRIER_SLICE("x-NAME")));
    assert_false(crier_settings_have(&s, CRIER_SLICE("x-nam")));
    crier_settings_deinit(&s);
    crier_settings_deinit(&s);
}

/* What is not valid is told, and only the first of it. */
static void test_faults(void **state)
{
    const struct crier_client_header own = {"HOST", "a", false}, nameless = {NULL, "a", false},
                                     valueless = {"A", NULL, false},
                                     forged = {"A", "b\r\nC: d", false};
    const struct {
        struct crier_client_options options;
        const char *words;
    } rows[] = {
        {{.url = NULL}, "no URL"},
        {{.url = "a"}, "must begin with"},
        {{.url = "a", .method = " "}, "must begin with"},
        {{.url = "http://a/", .method = ""}, "method"},
        {{.url = "http://a/", .method = "HEAD"}, "HEAD has no stream"},
        {{.url = "http://a/", .headers = &own, .header_count = 1}, "HOST"},
        {{.url = "http://a/", .headers = &nameless, .header_count = 1}, "name of a header"},
        {{.url = "http://a/", .headers = &valueless, .header_count = 1}, "value"},
        {{.url = "http://a/", .headers = &forged, .header_count = 1}, "value"},
        {{.url = "http://a/", .header_count = 1}, "counted"},
        {{.url = "http://a/", .body = {NULL, 1}}, "the body"},
        {{.url = "http://a/", .bearer = "a\x01"}, "bearer"},
        {{.url = "http://a/", .healthy_ms = CRIER_OFF}, "healthy_ms"},
        {{.url = "http://a/", .max_delay_ms = INT64_MIN}, "max_delay_ms must not be negative"},
        {{.url = "http://a/", .idle_timeout_ms = -2},
         "idle_timeout_ms must not be negative, unless it is CRIER_OFF"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_settings s;

        assert_int_equal(crier_settings_init(&s, &crier_mem_libc, &rows[i].options), 0);
        assert_non_null(strstr(s.fault, rows[i].words));
        crier_settings_deinit(&s);
    }
}

static int run_init(const struct crier_mem *mem, void *ctx)
{
    const struct crier_client_header header = {"A", "b", false};
    struct crier_settings s;
    int r = crier_settings_init(&s, mem,
                                &(struct crier_client_options){
                                    .url = "http://a/", .headers = &header, .header_count = 1});

    crier_settings_deinit(&s);
    return r;
}

static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(run_init, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_copies), cmocka_unit_test(test_faults),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
