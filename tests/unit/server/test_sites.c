/* SPDX-License-Identifier: MIT */
/*
 * The table of sites: which patterns there are, which of them a path finds, what their names
 * stand for; in the end all of it against a model that is nothing but slow.
 */
#include "base/rng.h"
#include "server/sites.h"
#include "support.h"

#define S(literal) CRIER_SLICE(literal)

static void nothing(struct crier_request *request, void *ctx)
{
}

static int add_kind(struct crier_sites *sites,
                    enum crier_site_kind kind,
                    const char *method,
                    const char *pattern)
{
    return crier_sites_add(sites, &(struct crier_site){.kind = kind,
                                                       .method = crier_slice_of(method),
                                                       .pattern = crier_slice_of(pattern),
                                                       .handler = nothing});
}

static int add(struct crier_sites *sites, const char *method, const char *pattern)
{
    return add_kind(sites, CRIER_SITE_HANDLER, method, pattern);
}

/* The pattern that is found; "405", "404". */
static const char *find(const struct crier_sites *sites, const char *method, const char *path)
{
    bool known = false;
    const struct crier_site *site =
        crier_sites_find(sites, crier_slice_of(method), crier_slice_of(path), &known);

    assert_true(!site || known);
    return site ? site->pattern.data : known ? "405" : "404";
}

static void assert_methods(const struct crier_sites *sites, const char *path, const char *list)
{
    struct crier_buf methods;

    crier_buf_init(&methods, &crier_mem_libc);
    crier_sites_methods(sites, crier_slice_of(path), &methods);
    assert_slice_equal(crier_buf_slice(&methods), crier_slice_of(list));
    crier_buf_deinit(&methods);
}

/* The raw text a name stands for where a path is matched by the one site there is. */
static void assert_param(const struct crier_sites *sites,
                         const char *path,
                         const char *name,
                         const char *value)
{
    bool known;
    const struct crier_site *site =
        crier_sites_find(sites, S("GET"), crier_slice_of(path), &known);
    struct crier_slice found;

    assert_non_null(site);
    found = crier_site_param(site, crier_slice_of(path), crier_slice_of(name));
    assert_int_equal(found.data != NULL, value != NULL);
    assert_slice_equal(found, crier_slice_of(value));
}

/* What is no pattern and no method is refused, and nothing is kept of it. */
static void syntax(void **state)
{
    static const char *const good[] = {
        "/",           "/a",    "/a/",     "/a//b",        "/{x}",         "/{x}/{y}/z",
        "/{rest...}",  "/{a.}", "/a/{x}/", "/a/{rest...}", "/caf\xc3\xa9", "/.well-known/{x}",
        "/{a b}/{c-d}"};
    static const char *const bad[] = {
        NULL,         "",         "a",     "a/b",   "*",      "/{}",      "/{...}",
        "/{x",        "/x}",      "/a{x}", "/{x}b", "/{{x}}", "/{x}{y}",  "/{x{y}",
        "/{x...}/b",  "/{x...}/", "/a?b",  "/a#b",  "/{a?}",  "/{x}/{x}", "/{x}/{x...}",
        "/a\r\nb: c", "/a\x7f",   "/%zz",  "/a%2"};
    static const char *const methods[] = {"GET", "*", "REPORT", "get", "M-SEARCH", "x!#$%&'"};
    static const char *const no_methods[] = {NULL,         "",  "GET POST", "GET,",
                                             "G\xc3\xa9T", "(", "\n"};
    struct crier_sites sites;

    crier_sites_init(&sites, &crier_mem_libc);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (add(&sites, "GET", bad[i]) != CRIER_EINVAL)
            fail_msg("%s is a pattern", bad[i]);
    }
    for (size_t i = 0; i < sizeof(no_methods) / sizeof(no_methods[0]); i++)
        assert_int_equal(add(&sites, no_methods[i], "/a"), CRIER_EINVAL);
    assert_true(crier_list_empty(&sites.list));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (add(&sites, "GET", good[i]) != 0)
            fail_msg("%s is no pattern", good[i]);
        assert_int_equal(add(&sites, "GET", good[i]), CRIER_EEXIST);
    }
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        assert_int_equal(add(&sites, methods[i], "/methods"), 0);
    crier_sites_deinit(&sites);
}

/* A mount has all below it already; the slash at its end is none of its own. */
static void mounts(void **state)
{
    struct crier_sites sites;

    crier_sites_init(&sites, &crier_mem_libc);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", "/a/{rest...}"), CRIER_EINVAL);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", "events"), CRIER_EINVAL);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", ""), CRIER_EINVAL);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", NULL), CRIER_EINVAL);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", "/a/b/"), 0);
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", "/a/b"), CRIER_EEXIST);
    assert_string_equal(find(&sites, "GET", "/a/b"), "/a/b");
    assert_string_equal(find(&sites, "PURGE", "/a/b/"), "/a/b");
    assert_string_equal(find(&sites, "POST", "/a/b/c/d"), "/a/b");
    assert_string_equal(find(&sites, "GET", "/a/bc"), "404");
    assert_string_equal(find(&sites, "GET", "/a"), "404");
    assert_string_equal(find(&sites, "GET", "/a%2Fb"), "404");
    assert_string_equal(find(&sites, "GET", "/"), "404");
    assert_int_equal(add_kind(&sites, CRIER_SITE_EVENTS, "*", "/"), 0);
    assert_string_equal(find(&sites, "GET", "/"), "");
    assert_string_equal(find(&sites, "GET", "/x/y"), "");
    assert_string_equal(find(&sites, "GET", "/a/b/c"), "/a/b");
    assert_int_equal(add(&sites, "GET", "/{x}"), 0);
    assert_string_equal(find(&sites, "GET", "/x"), "/{x}");
    assert_string_equal(find(&sites, "POST", "/x"), "");
    crier_sites_deinit(&sites);
}

/* More literals, then no rest, then just this method, then the first. */
static void precedence(void **state)
{
    struct crier_sites sites;

    crier_sites_init(&sites, &crier_mem_libc);
    assert_int_equal(add(&sites, "GET", "/{all...}"), 0);
    assert_int_equal(add(&sites, "GET", "/{x}/{y}"), 0);
    assert_int_equal(add(&sites, "GET", "/a/{y}"), 0);
    assert_int_equal(add(&sites, "GET", "/{x}/b"), 0);
    assert_int_equal(add(&sites, "GET", "/a/b"), 0);
    assert_int_equal(add(&sites, "GET", "/a/{rest...}"), 0);
    assert_int_equal(add(&sites, "GET", "/c/{rest...}"), 0);
    assert_int_equal(add(&sites, "GET", "/c/{p}/{q}"), 0);
    assert_string_equal(find(&sites, "GET", "/x"), "/{all...}");
    assert_string_equal(find(&sites, "GET", "/x/y"), "/{x}/{y}");
    assert_string_equal(find(&sites, "GET", "/a/y"), "/a/{y}");
    assert_string_equal(find(&sites, "GET", "/x/b"), "/{x}/b");
    assert_string_equal(find(&sites, "GET", "/a/b"), "/a/b");
    assert_string_equal(find(&sites, "GET", "/a/b/c"), "/a/{rest...}");
    assert_string_equal(find(&sites, "GET", "/c/d"), "/c/{rest...}");
    assert_string_equal(find(&sites, "GET", "/c/d/e"), "/c/{p}/{q}");
    assert_string_equal(find(&sites, "GET", "/c/d/e/f"), "/c/{rest...}");
    assert_int_equal(add(&sites, "*", "/m/{any}"), 0);
    assert_int_equal(add(&sites, "GET", "/m/{get}"), 0);
    assert_int_equal(add(&sites, "HEAD", "/m/{head}"), 0);
    assert_string_equal(find(&sites, "POST", "/m/x"), "/m/{any}");
    assert_string_equal(find(&sites, "GET", "/m/x"), "/m/{get}");
    assert_string_equal(find(&sites, "HEAD", "/m/x"), "/m/{head}");
    crier_sites_deinit(&sites);
}

/* Segments are compared decoded, one by one; none is empty where a name stands. */
static void encoded(void **state)
{
    struct crier_sites sites;

    crier_sites_init(&sites, &crier_mem_libc);
    assert_int_equal(add(&sites, "GET", "/caf\xc3\xa9/a b/{x}"), 0);
    assert_int_equal(add(&sites, "GET", "/rest/{rest...}"), 0);
    assert_int_equal(add(&sites, "GET", "/slash/"), 0);
    assert_int_equal(add(&sites, "GET", "/one"), 0);
    assert_int_equal(add(&sites, "GET", "/tw%6F/%25"), 0); /* a pattern may be encoded too */
    assert_string_equal(find(&sites, "GET", "/two/%25"), "/tw%6F/%25");
    assert_string_equal(find(&sites, "GET", "/%74wo/%25"), "/tw%6F/%25");
    assert_string_equal(find(&sites, "GET", "/tw%256F/%25"), "404");
    assert_string_equal(find(&sites, "GET", "/caf%C3%a9/a%20b/c"), "/caf\xc3\xa9/a b/{x}");
    assert_string_equal(find(&sites, "GET", "/caf\xc3\xa9/%61%20%62/c"),
                        "/caf\xc3\xa9/a b/{x}");
    assert_param(&sites, "/caf%C3%A9/a%20b/1%2F2", "x", "1%2F2");
    assert_string_equal(find(&sites, "GET", "/caf%C3%A9%2Fa%20b/c"), "404");
    assert_string_equal(find(&sites, "GET", "/caf%C3%A9/a%20b/"), "404");
    assert_string_equal(find(&sites, "GET", "/caf%C3%A9/a%20b"), "404");
    assert_param(&sites, "/rest/a/%2f/b/", "rest", "a/%2f/b/");
    assert_param(&sites, "/rest/a", "rest", "a");
    assert_param(&sites, "/rest/a", "res", NULL);
    assert_param(&sites, "/rest/a", "", NULL);
    assert_string_equal(find(&sites, "GET", "/rest/"), "404");
    assert_string_equal(find(&sites, "GET", "/rest"), "404");
    assert_string_equal(find(&sites, "GET", "/slash/"), "/slash/");
    assert_string_equal(find(&sites, "GET", "/slash"), "404");
    assert_string_equal(find(&sites, "GET", "/one/"), "404");
    assert_string_equal(find(&sites, "GET", "/one%"), "404");
    assert_string_equal(find(&sites, "GET", "/one%00"), "404");
    assert_string_equal(find(&sites, "GET", "/one"), "/one");
    assert_string_equal(find(&sites, "GET", "//one"), "404");
    crier_sites_deinit(&sites);
}

/* Allow lists each method once, HEAD where there is GET, OPTIONS always. */
static void methods(void **state)
{
    struct crier_sites sites;

    crier_sites_init(&sites, &crier_mem_libc);
    assert_int_equal(add(&sites, "POST", "/a"), 0);
    assert_int_equal(add(&sites, "GET", "/a"), 0);
    assert_int_equal(add(&sites, "POST", "/{x}"), 0);
    assert_int_equal(add(&sites, "REPORT", "/{x}"), 0);
    assert_int_equal(add(&sites, "HEAD", "/b"), 0);
    assert_int_equal(add(&sites, "GET", "/b"), 0);
    assert_int_equal(add(&sites, "OPTIONS", "/c/d"), 0);
    assert_methods(&sites, "/a", "POST, GET, HEAD, REPORT, OPTIONS");
    assert_methods(&sites, "/x", "POST, REPORT, OPTIONS");
    assert_methods(&sites, "/b", "POST, REPORT, HEAD, GET, OPTIONS");
    assert_methods(&sites, "/c/d", "OPTIONS");
    assert_string_equal(find(&sites, "PUT", "/a"), "405");
    assert_string_equal(find(&sites, "get", "/a"), "405");
    assert_string_equal(find(&sites, "HEAD", "/a"), "/a");
    assert_string_equal(find(&sites, "HEAD", "/x"), "405");
    assert_string_equal(find(&sites, "REPORT", "/a"), "/{x}");
    assert_string_equal(find(&sites, "GET", "/x/y"), "404");
    crier_sites_deinit(&sites);
}

static int torture(const struct crier_mem *mem, void *ctx)
{
    struct crier_sites sites;
    int r;

    crier_sites_init(&sites, mem);
    r = add(&sites, "GET", "/a");
    if (r == 0)
        r = add(&sites, "GET", "/{b...}");
    crier_sites_deinit(&sites);
    return r;
}

static void without_memory(void **state)
{
    assert_int_equal(test_mem_torture(torture, NULL), 2);
}

/* ---- the model -------------------------------------------------------------------------- */

enum { SEGMENTS = 4, SITES = 8 };

static const struct {
    const char *raw, *decoded;
} path_segments[] = {
    {"a", "a"},       {"b", "b"},         {"%61", "a"}, {"a%2fb", "a/b"}, {"", ""},
    {"a%2Fb", "a/b"}, {"%7Bx%7D", "{x}"}, {"c", "c"},   {"%6", "%6"},     {"b%20", "b "},
};
static const char *const pattern_segments[] = {"a", "b", "", "{x}", "{y}", "{r...}", "b "};
static const char *const model_methods[] = {"GET", "POST", "*", "HEAD"};

struct model_path {
    size_t count;
    size_t segment[SEGMENTS]; /* of path_segments */
    char text[64];
};

struct model_site {
    const char *method;
    size_t count;
    const char *segment[SEGMENTS];
    char text[64];
};

static size_t pick(struct crier_rng *rng, size_t count)
{
    return (size_t)crier_rng_between(rng, 0, count - 1);
}

static bool is_rest(const char *segment)
{
    return strcmp(segment, "{r...}") == 0;
}

static bool is_name(const char *segment)
{
    return segment[0] == '{';
}

static void draw_site(struct crier_rng *rng, struct model_site *site)
{
    bool used[7] = {false};

    *site = (struct model_site){.method = model_methods[pick(rng, 4)],
                                .count = 1 + pick(rng, SEGMENTS)};
    for (size_t i = 0; i < site->count; i++) {
        size_t s = pick(rng, 7);

        if (s >= 3 && s <= 5 && used[s])
            s = 0; /* a name stands once */
        used[s] = true;
        site->segment[i] = pattern_segments[s];
        strncat(site->text, "/", 2);
        strncat(site->text, site->segment[i], 10);
        if (is_rest(site->segment[i]))
            site->count = i + 1;
    }
}

static void draw_path(struct crier_rng *rng, struct model_path *path)
{
    *path = (struct model_path){.count = 1 + pick(rng, SEGMENTS)};
    for (size_t i = 0; i < path->count; i++) {
        path->segment[i] = pick(rng, sizeof(path_segments) / sizeof(path_segments[0]));
        strncat(path->text, "/", 2);
        strncat(path->text, path_segments[path->segment[i]].raw, 10);
    }
}

static bool model_fits(const struct model_site *site, const struct model_path *path)
{
    for (size_t i = 0; i < site->count; i++) {
        if (i == path->count)
            return false;
        if (is_rest(site->segment[i])) /* one empty segment alone is nothing */
            return i + 1 < path->count || path_segments[path->segment[i]].raw[0];
        if (is_name(site->segment[i])
                ? !path_segments[path->segment[i]].raw[0]
                : strcmp(site->segment[i], path_segments[path->segment[i]].decoded) != 0)
            return false;
    }
    return site->count == path->count;
}

static int model_rank(const struct model_site *site, const char *method)
{
    int rank = 0;

    for (size_t i = 0; i < site->count; i++)
        rank += 4 * !is_name(site->segment[i]);
    return rank + 2 * !is_rest(site->segment[site->count - 1]) +
           (strcmp(site->method, method) == 0);
}

static const char *model_find(const struct model_site *sites,
                              size_t count,
                              const char *method,
                              const struct model_path *path)
{
    const struct model_site *best = NULL;
    bool known = false;

    for (size_t i = 0; i < count; i++) {
        const char *has = sites[i].method;
        bool takes = strcmp(has, "*") == 0 || strcmp(has, method) == 0 ||
                     (strcmp(method, "HEAD") == 0 && strcmp(has, "GET") == 0);

        if (!model_fits(&sites[i], path))
            continue;
        known = true;
        if (takes && (!best || model_rank(&sites[i], method) > model_rank(best, method)))
            best = &sites[i];
    }
    return best ? best->text : known ? "405" : "404";
}

static void model(void **state)
{
    struct crier_rng rng = {test_seed("sites")};

    for (int round = 0; round < 3000; round++) {
        struct model_site drawn[SITES];
        struct crier_sites sites;
        size_t count = 0;

        crier_sites_init(&sites, &crier_mem_libc);
        for (int i = 0; i < SITES; i++) {
            draw_site(&rng, &drawn[count]);
            count += add(&sites, drawn[count].method, drawn[count].text) == 0;
        }
        for (int i = 0; i < 40; i++) {
            const char *method = i % 3 == 0 ? "HEAD" : i % 3 == 1 ? "GET" : "POST";
            struct model_path path;

            draw_path(&rng, &path);
            assert_string_equal(find(&sites, method, path.text),
                                model_find(drawn, count, method, &path));
        }
        crier_sites_deinit(&sites);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax),  cmocka_unit_test(mounts),  cmocka_unit_test(precedence),
        cmocka_unit_test(encoded), cmocka_unit_test(methods), cmocka_unit_test(without_memory),
        cmocka_unit_test(model),
    };
    return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
