/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "http/negotiate.h"

enum {
    ALL = 1u << CRIER_MEDIA_EVENT_STREAM | 1u << CRIER_MEDIA_NDJSON | 1u << CRIER_MEDIA_JSON |
          1u << CRIER_MEDIA_HTML
};

enum {
    NONE = CRIER_MEDIA_NONE,
    STREAM = CRIER_MEDIA_EVENT_STREAM,
    NDJSON = CRIER_MEDIA_NDJSON,
    JSON = CRIER_MEDIA_JSON,
    HTML = CRIER_MEDIA_HTML
};

/* A request with up to three Accept headers among others, each at a guard page. */
struct fixture {
    struct crier_http_request request;
    struct crier_header headers[5];
    struct test_guard guards[3];
    size_t count;
};

static void fixture_init(struct fixture *f, const char *const accepts[3])
{
    *f = (struct fixture){.count = 0};
    f->headers[0] =
        (struct crier_header){CRIER_SLICE("Accept-Encoding"), CRIER_SLICE("text/html")};
    for (; f->count < 3 && accepts[f->count]; f->count++) {
        test_guard_init(&f->guards[f->count], 200);
        f->headers[f->count + 1] = (struct crier_header){
            .name = f->count % 2 ? CRIER_SLICE("ACCEPT") : CRIER_SLICE("Accept"),
            .value = test_guard_put(&f->guards[f->count], crier_slice_of(accepts[f->count])),
        };
    }
    f->request.headers = f->headers;
    f->request.header_count = f->count + 1;
}

static void fixture_deinit(struct fixture *f)
{
    for (size_t i = 0; i < f->count; i++)
        test_guard_deinit(&f->guards[i]);
}

/* What each Accept gets when all is on offer. */
static void test_table(void **state)
{
    static const struct {
        const char *accepts[3];
        int expected;
    } rows[] = {
        /* none, and what counts as none */
        {{NULL}, STREAM},
        {{""}, STREAM},
        {{" , ,"}, STREAM},
        {{"garbage"}, STREAM},
        {{"text/"}, STREAM},
        {{"text/event-stream;q=2"}, STREAM},
        /* one name */
        {{"text/event-stream"}, STREAM},
        {{"TEXT/Event-Stream"}, STREAM},
        {{"application/x-ndjson"}, NDJSON},
        {{"application/json"}, JSON},
        {{"text/html"}, HTML},
        {{"image/png"}, NONE},
        {{"text/event-streams"}, NONE},
        {{"application/ndjson"}, NONE},
        {{"*/html"}, NONE},
        /* wildcards, in our order */
        {{"*/*"}, STREAM},
        {{"text/*"}, STREAM},
        {{"application/*"}, NDJSON},
        {{"image/*"}, NONE},
        /* the heaviest wins */
        {{"text/html;q=0.8, application/json;q=0.9"}, JSON},
        {{"text/html;q=0.899, application/json;q=0.9"}, JSON},
        {{"text/event-stream;q=0.1, text/html;q=0.2"}, HTML},
        {{"application/json;q=0.5,*/*"}, STREAM},
        {{"text/event-stream;q=0.5,*/*"}, NDJSON},
        {{"text/event-stream;q=0.5,application/*;q=0.5,*/*;q=0.1"}, STREAM},
        /* among equals a name beats a wildcard, then our order */
        {{"*/*, application/json"}, JSON},
        {{"application/json, */*"}, JSON},
        {{"text/*, application/json"}, JSON},
        {{"text/html, application/json"}, JSON},
        {{"text/html, application/json, text/event-stream"}, STREAM},
        {{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, HTML},
        {{"application/json, text/event-stream"}, STREAM},
        /* q=0 excludes, the most specific range decides */
        {{"text/event-stream;q=0"}, NONE},
        {{"text/event-stream;q=0, */*"}, NDJSON},
        {{"*/*, text/event-stream;q=0, application/*;q=0"}, HTML},
        {{"text/*;q=0, */*;q=0.1"}, NDJSON},
        {{"text/html;q=0.000"}, NONE},
        {{"text/html;q=1.000"}, HTML},
        {{"text/html;q=0.001"}, HTML},
        {{"text/html;q=0., application/json;q=0.001"}, JSON},
        /* bad weights: the element is passed over */
        {{"text/html;q=1.001, application/json;q=0.1"}, JSON},
        {{"text/html;q=0.0001, application/json;q=0.1"}, JSON},
        {{"text/html;q=.5, application/json;q=0.1"}, JSON},
        {{"text/html;q=-1, application/json;q=0.1"}, JSON},
        {{"text/html;q=, application/json;q=0.1"}, JSON},
        {{"text/html;q, application/json;q=0.1"}, JSON},
        {{"text/html;q=a, application/json;q=0.1"}, JSON},
        {{"text/html;q=0x1, application/json;q=0.1"}, JSON},
        /* parameters and quotes */
        {{"text/event-stream;charset=utf-8"}, STREAM},
        {{"text/html;x=\"a,b;q=0\";q=0.5, application/json;q=0.4"}, HTML},
        {{"text/html;x=\"\\\",*/*\", application/json;q=0.4"}, HTML},
        {{"text/html;level=1;q=0.1, text/html;q=0.7, application/json;q=0.6"}, HTML},
        {{"text/html ; Q=0.3 , application/json ; q=0.4"}, JSON},
        {{"text/html;;q=0.3, application/json;q=0.4"}, JSON},
        {{"text/html;x=\"unfinished, application/json"}, HTML},
        {{"text /html, application/json;q=0.1"}, JSON},
        {{"text/html/x, application/json;q=0.1"}, JSON},
        {{"\xff/html, application/json;q=0.1"}, JSON},
        /* several headers are one list */
        {{"text/html;q=0.5", "application/json;q=0.6"}, JSON},
        {{"image/png", "", "text/html"}, HTML},
        {{"*/*", "text/event-stream;q=0"}, NDJSON},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        int found;

        fixture_init(&f, rows[i].accepts);
        found = (int)crier_negotiate(&f.request, ALL);
        if (found != rows[i].expected)
            print_error("Accept: %s\n", rows[i].accepts[0]);
        assert_int_equal(found, rows[i].expected);
        fixture_deinit(&f);
    }
}

static int negotiate(const char *accept, unsigned offered)
{
    struct fixture f;
    int found;

    fixture_init(&f, (const char *const[3]){accept, NULL, NULL});
    found = (int)crier_negotiate(&f.request, offered);
    fixture_deinit(&f);
    return found;
}

/* What is not on offer is not chosen. */
static void test_offered(void **state)
{
    assert_int_equal(negotiate("*/*", 1u << JSON | 1u << HTML), JSON);
    assert_int_equal(negotiate(NULL, 1u << JSON | 1u << HTML), JSON);
    assert_int_equal(negotiate("text/html,*/*;q=0.8", 1u << JSON | 1u << HTML), HTML);
    assert_int_equal(negotiate("text/event-stream", 1u << JSON), NONE);
    assert_int_equal(negotiate("*/*", 0), NONE);
    assert_int_equal(negotiate(NULL, 0), NONE);
}

static bool names(const char *accept, int media)
{
    struct fixture f;
    bool found;

    fixture_init(&f, (const char *const[3]){accept, NULL, NULL});
    found = crier_accept_names(&f.request, (enum crier_media)media);
    fixture_deinit(&f);
    return found;
}

static bool covers(const char *accept, int media)
{
    struct fixture f;
    bool found;

    fixture_init(&f, (const char *const[3]){accept, NULL, NULL});
    found = crier_accept_covers(&f.request, (enum crier_media)media);
    fixture_deinit(&f);
    return found;
}

/* A media type is named only by its name, and covered by anything that does not exclude it. */
static void test_names_and_covers(void **state)
{
    assert_true(names("text/event-stream", STREAM));
    assert_true(names("x/y, text/event-stream;q=0.1", STREAM));
    assert_false(names("text/event-stream;q=0", STREAM));
    assert_false(names("text/*, */*", STREAM));
    assert_false(names(NULL, STREAM));
    assert_true(covers("text/event-stream, application/json", JSON));
    assert_true(covers("text/event-stream, */*;q=0.1", JSON));
    assert_true(covers("application/*", JSON));
    assert_true(covers(NULL, JSON));
    assert_true(covers("", JSON));
    assert_false(covers("text/event-stream", JSON));
    assert_false(covers("application/json;q=0, */*", JSON));
}

/* The essence is what stands before the parameters. */
static void test_essence(void **state)
{
    assert_slice_is(crier_content_type_essence(CRIER_SLICE("text/event-stream")),
                    "text/event-stream");
    assert_slice_is(crier_content_type_essence(CRIER_SLICE(" a/b ;charset=x; y")), "a/b");
    assert_slice_is(crier_content_type_essence(CRIER_SLICE("a/b;")), "a/b");
    assert_int_equal(crier_content_type_essence(CRIER_SLICE(";x")).len, 0);
    assert_int_equal(crier_content_type_essence((struct crier_slice){NULL, 0}).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_names_and_covers),
        cmocka_unit_test(test_essence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
