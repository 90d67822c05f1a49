/* SPDX-License-Identifier: MIT */
/*
 * Every sentence of http-api.md, "Who may do what", is one or more rows here. A row is a
 * request, written in a small text form, the flags the server was started with, and what must
 * come of it.
 */
#include "base/mem.h"
#include "server/admission.h"
#include "support.h"

#define RIGHT "right-token-0123456789"
#define BEARER "Authorization: Bearer " RIGHT "\n"
#define WRONG "Authorization: Bearer wrong-token-0123456789\n"

enum {
    HEADERS = 16,
    /* the server's flags */
    TOKENS = 1 << 0,    /* --publish-token-file with RIGHT */
    ANONYMOUS = 1 << 1, /* --anonymous-publish */
    TOPICS = 1 << 2,    /* --public-topics */
    STAR = 1 << 3,      /* --cors-origin '*' */
    NAMED = 1 << 4,     /* --cors-origin https://app.example --cors-origin null */
    HOSTS = 1 << 5,     /* --host hub.example --host Other.Example:99 --host fd00::1 */
    /* how the request came */
    REMOTE = 1 << 6, /* over another address than loopback */
    HTTP10 = 1 << 7, /* HTTP/1.0 */
    ROUTED = 1 << 8, /* to a loopback address, from a foreign one (route_localnet) */
};

struct row {
    enum crier_act act;
    unsigned flags;
    const char *host;    /* NULL: localhost:8080 */
    const char *headers; /* "Name: value\n..." or NULL */
    enum crier_problem problem;
};

static struct crier_tokens *tokens, *no_tokens;

static int setup(void **state)
{
    struct crier_buf fault;

    crier_buf_init(&fault, &crier_mem_libc);
    assert_int_equal(crier_tokens_new(&crier_mem_libc, NULL, RIGHT, &fault, &tokens), 0);
    assert_int_equal(crier_tokens_new(&crier_mem_libc, NULL, NULL, &fault, &no_tokens), 0);
    crier_buf_deinit(&fault);
    return 0;
}

static int teardown(void **state)
{
    crier_tokens_free(tokens);
    crier_tokens_free(no_tokens);
    return 0;
}

static size_t headers_of(const char *text, struct crier_header headers[HEADERS])
{
    struct crier_slice rest = crier_slice_of(text);
    size_t count = 0;

    while (rest.len > 0) {
        struct crier_slice value = crier_slice_cut(&rest, '\n'),
                           name = crier_slice_cut(&value, ':');

        assert_true(count < HEADERS);
        headers[count++] = (struct crier_header){name, crier_slice_trim(value)};
    }
    return count;
}

static void decide(const struct row *row, struct crier_admission *ret)
{
    struct crier_visitor visitor = {.peer = {.family = 4, .bytes = {127, 0, 0, 1}},
                                    .loopback = true};
    struct crier_header headers[HEADERS];
    struct crier_http_request request = {
        .minor = row->flags & HTTP10 ? 0 : 1,
        .host = crier_slice_of(row->host ? row->host : "localhost:8080"),
        .headers = headers,
        .header_count = headers_of(row->headers, headers),
    };
    static struct crier_config config;

    crier_config_defaults(&config);
    config.anonymous_publish = row->flags & ANONYMOUS;
    config.public_topics = row->flags & TOPICS;
    if (row->flags & STAR)
        config.origins[config.origin_count++] = CRIER_SLICE("*");
    if (row->flags & NAMED) {
        config.origins[config.origin_count++] = CRIER_SLICE("https://app.example");
        config.origins[config.origin_count++] = CRIER_SLICE("null");
    }
    if (row->flags & HOSTS) {
        config.hosts[config.host_count++] = CRIER_SLICE("hub.example");
        config.hosts[config.host_count++] = CRIER_SLICE("Other.Example:99");
        config.hosts[config.host_count++] = CRIER_SLICE("fd00::1");
    }
    if (row->flags & (REMOTE | ROUTED))
        visitor.peer = (struct crier_ip){.family = 4, .bytes = {192, 0, 2, 1}};
    visitor.loopback = !(row->flags & REMOTE);
    crier_admission_decide(&config, row->flags & TOKENS ? tokens : no_tokens, &request,
                           &visitor, row->act, ret);
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct crier_admission a;

        decide(&rows[i], &a);
        if (a.problem != rows[i].problem)
            fail_msg("row %zu: act %d, flags %#x, host %s, headers %s: got problem %d, not %d",
                     i, (int)rows[i].act, rows[i].flags,
                     rows[i].host ? rows[i].host : "(localhost)",
                     rows[i].headers ? rows[i].headers : "(none)", (int)a.problem,
                     (int)rows[i].problem);
        /* A refusal says what to do; what is let in has nothing to say. */
        assert_int_equal(a.detail != NULL, a.problem != CRIER_PROBLEM_NONE);
        if (a.detail)
            assert_true(strstr(a.detail, "--") != NULL);
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof(*rows))

#define NONE CRIER_PROBLEM_NONE
#define NOT_LOCAL CRIER_PROBLEM_NOT_LOCAL
#define CROSS CRIER_PROBLEM_CROSS_ORIGIN
#define UNKNOWN_HOST CRIER_PROBLEM_UNKNOWN_HOST
#define MISSING CRIER_PROBLEM_TOKEN_MISSING
#define WRONG_TOKEN CRIER_PROBLEM_TOKEN_WRONG
#define HEALTH CRIER_ACT_HEALTH
#define READ CRIER_ACT_READ
#define MANY CRIER_ACT_READ_MANY
#define PUBLISH CRIER_ACT_PUBLISH
#define PREFLIGHT CRIER_ACT_PREFLIGHT

/* "A request is local when ..." */
static void test_local(void **state)
{
    static const struct {
        unsigned flags;
        const char *host, *headers;
        bool local;
    } rows[] = {
        {0, NULL, NULL, true},
        /* came over a loopback address, at both its ends */
        {REMOTE, NULL, NULL, false},
        {ROUTED, NULL, NULL, false},
        /* Host is localhost, *.localhost, 127.0.0.0/8 or [::1] (any port) */
        {0, "localhost", NULL, true},
        {0, "LOCALHOST:1", NULL, true},
        {0, "a.b.localhost:8080", NULL, true},
        {0, "127.0.0.1", NULL, true},
        {0, "127.200.3.4:80", NULL, true},
        {0, "[::1]", NULL, true},
        {0, "[::1]:8080", NULL, true},
        {0, "", NULL, false},
        {0, "localhost.example", NULL, false},
        {0, "notlocalhost", NULL, false},
        {0, "128.0.0.1", NULL, false},
        {0, "127.0.0.1.nip.io", NULL, false},
        {0, "0.0.0.0", NULL, false},
        {0, "[::2]", NULL, false},
        {0, "localhost:8080@evil.example", NULL, false},
        {HOSTS, "hub.example", NULL, false}, /* named, but not local */
        /* HTTP/1.1 or later */
        {HTTP10, NULL, NULL, false},
        /* carries no Forwarded, X-Forwarded-*, X-Real-IP or Via */
        {0, NULL, "Forwarded: for=192.0.2.1\n", false},
        {0, NULL, "forwarded: \n", false},
        {0, NULL, "X-Forwarded-For: 127.0.0.1\n", false},
        {0, NULL, "x-forwarded-proto: https\n", false},
        {0, NULL, "X-Forwarded-Host: localhost\n", false},
        {0, NULL, "X-FORWARDED-Anything: x\n", false},
        {0, NULL, "X-Real-IP: 127.0.0.1\n", false},
        {0, NULL, "Via: 1.1 proxy\n", false},
        {0, NULL, "Accept: */*\nvia: 1.1 proxy\n", false},
        {0, NULL, "X-Forwarded: x\nX-Real: y\nViability: z\nX-Forwardedly: q\n", true},
        /* what a browser or curl sends changes nothing */
        {0, NULL, "User-Agent: curl\nAccept: */*\nOrigin: https://evil.example\n", true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct row row = {PREFLIGHT, rows[i].flags,
                          rows[i].host ? rows[i].host : "localhost:8080", rows[i].headers,
                          NONE};
        struct crier_admission a;

        decide(&row, &a);
        if (a.local != rows[i].local)
            fail_msg("row %zu: host %s headers %s", i, row.host,
                     row.headers ? row.headers : "-");
    }
}

/* "On loopback listeners any other Host that no --host NAME names is 421 (except /-/health)."
 */
static void test_hosts(void **state)
{
    static const struct row rows[] = {
        {READ, 0, "evil.example", NULL, UNKNOWN_HOST},
        {READ, 0, "evil.example:8080", NULL, UNKNOWN_HOST},
        {MANY, 0, "evil.example", NULL, UNKNOWN_HOST},
        {PUBLISH, 0, "evil.example", NULL, UNKNOWN_HOST},
        {PREFLIGHT, 0, "evil.example", NULL, UNKNOWN_HOST},
        {HEALTH, 0, "evil.example", NULL, NONE},
        {HEALTH, 0, "", NULL, NONE},
        {READ, 0, "192.168.0.7", NULL, UNKNOWN_HOST},
        {READ, 0, "127.0.0.1.evil.example", NULL, UNKNOWN_HOST},
        {READ, 0, "bad host", NULL, UNKNOWN_HOST},
        /* a token, or flags for other things, change nothing */
        {PUBLISH, TOKENS, "evil.example", BEARER, UNKNOWN_HOST},
        {PUBLISH, ANONYMOUS, "evil.example", NULL, UNKNOWN_HOST},
        {MANY, TOPICS, "evil.example", NULL, UNKNOWN_HOST},
        {READ, STAR, "evil.example", "Origin: http://evil.example\n", UNKNOWN_HOST},
        {READ, HOSTS, "evil.example", NULL, UNKNOWN_HOST},
        {READ, ROUTED, "evil.example", NULL, UNKNOWN_HOST},
        /* --host: any port, without case */
        {READ, HOSTS, "hub.example", NULL, NONE},
        {READ, HOSTS, "HUB.Example:1234", NULL, NONE},
        {READ, HOSTS, "hub.example.", NULL, NONE},
        {READ, HOSTS, "other.example:1", NULL, NONE},
        {READ, HOSTS, "[fd00::1]:8080", NULL, NONE},
        {READ, HOSTS, "sub.hub.example", NULL, UNKNOWN_HOST},
        {READ, HOSTS, "hub.example.evil.example", NULL, UNKNOWN_HOST},
        {READ, HOSTS, "localhost", NULL, NONE},
        /* HTTP/1.0 without a Host: nobody's name was made to point here */
        {READ, HTTP10, "", NULL, NONE},
        {PUBLISH, HTTP10, "", NULL, NOT_LOCAL},
        /* other listeners answer to any name */
        {READ, REMOTE, "anything.example", NULL, NONE},
    };

    CHECK(rows);
}

/* "Publishing: with a token configured, the token, local or not; without one, local requests
 * only, unless
 * --anonymous-publish." */
static void test_publishing(void **state)
{
    static const struct row rows[] = {
        {PUBLISH, 0, NULL, NULL, NONE},
        {PUBLISH, REMOTE, "hub.example", NULL, NOT_LOCAL},
        {PUBLISH, ROUTED, NULL, NULL, NOT_LOCAL},
        {PUBLISH, HTTP10, NULL, NULL, NOT_LOCAL},
        {PUBLISH, 0, NULL, "X-Forwarded-For: 127.0.0.1\n", NOT_LOCAL},
        {PUBLISH, HOSTS, "hub.example", NULL, NOT_LOCAL},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", NULL, NONE},
        {PUBLISH, ANONYMOUS | HTTP10, NULL, NULL, NONE},
        {PUBLISH, ANONYMOUS | HOSTS, "hub.example", "Via: 1.1 x\n", NONE},
        {PUBLISH, TOKENS, NULL, NULL, MISSING},
        {PUBLISH, TOKENS | REMOTE, "hub.example", NULL, MISSING},
        {PUBLISH, TOKENS | ANONYMOUS, NULL, NULL, MISSING},
        {PUBLISH, TOKENS | ANONYMOUS | REMOTE, "hub.example", NULL, MISSING},
        {PUBLISH, TOKENS, NULL, BEARER, NONE},
        {PUBLISH, TOKENS | REMOTE, "hub.example", BEARER, NONE},
        {PUBLISH, TOKENS | HTTP10 | REMOTE, "hub.example", BEARER "Via: 1.0 x\n", NONE},
        /* the header: the scheme without case, the token exactly */
        {PUBLISH, TOKENS, NULL, "authorization: bearer " RIGHT "\n", NONE},
        {PUBLISH, TOKENS, NULL, "Authorization: BEARER   " RIGHT "\n", NONE},
        {PUBLISH, TOKENS, NULL, WRONG, WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization: Bearer " RIGHT "x\n", WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization: Bearer RIGHT-token-0123456789\n", WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization: Bearer " RIGHT " x\n", WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization: Bearer\n", WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization:\n", WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "Authorization: Basic dTpw\n", MISSING},
        {PUBLISH, TOKENS, NULL, "Authorization: " RIGHT "\n", MISSING},
        {PUBLISH, TOKENS, NULL, BEARER BEARER, WRONG_TOKEN},
        {PUBLISH, TOKENS, NULL, "X-Authorization: Bearer " RIGHT "\n", MISSING},
        /* a wrong token on a request that needs none is ignored */
        {PUBLISH, 0, NULL, WRONG, NONE},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", WRONG, NONE},
        {READ, TOKENS | REMOTE, "hub.example", WRONG, NONE},
        {MANY, TOKENS, NULL, WRONG, NONE},
        {PREFLIGHT, TOKENS, NULL, WRONG, NONE},
        /* without a configured one no token is right */
        {PUBLISH, REMOTE, "hub.example", BEARER, NOT_LOCAL},
    };

    CHECK(rows);
}

#define EVIL "Origin: https://evil.example\n"
#define APP "Origin: https://app.example\n"
#define SITE(value) "Sec-Fetch-Site: " value "\n"

/* "Web pages must not publish behind the user's back. Without a token: ..." in exactly this
 * order. */
static void test_pages_publish(void **state)
{
    static const struct row rows[] = {
        /* an allowed origin passes, whatever Sec-Fetch-Site says */
        {PUBLISH, NAMED, NULL, APP, NONE},
        {PUBLISH, NAMED, NULL, APP SITE("cross-site"), NONE},
        {PUBLISH, NAMED, NULL, "Origin: null\n", NONE},
        {PUBLISH, STAR, NULL, EVIL SITE("cross-site"), NONE},
        {PUBLISH, 0, NULL, "Origin: http://localhost:3000\n" SITE("same-site"), NONE},
        {PUBLISH, 0, NULL, "Origin: http://127.0.0.1:5173\n" SITE("cross-site"), NONE},
        {PUBLISH, 0, NULL, "Origin: https://x.localhost\n", NONE},
        {PUBLISH, 0, NULL, "Origin: http://[::1]:1\n", NONE},
        /* exact match of the serialised origin */
        {PUBLISH, NAMED, NULL, "Origin: https://app.example:444\n", CROSS},
        {PUBLISH, NAMED, NULL, "Origin: http://app.example\n", CROSS},
        {PUBLISH, NAMED, NULL, "Origin: https://app.example.evil.example\n", CROSS},
        {PUBLISH, NAMED, NULL, "Origin: https://app.example/\n", CROSS},
        /* else Sec-Fetch-Site: same-origin or none passes */
        {PUBLISH, 0, NULL, SITE("same-origin"), NONE},
        {PUBLISH, 0, NULL, SITE("none"), NONE},
        {PUBLISH, 0, NULL, EVIL SITE("same-origin"), NONE},
        /* and any other value is 403 */
        {PUBLISH, 0, NULL, SITE("cross-site"), CROSS},
        {PUBLISH, 0, NULL, SITE("same-site"), CROSS},
        {PUBLISH, 0, NULL, SITE("same-origin, none"), CROSS},
        {PUBLISH, 0, NULL, SITE("SAME-ORIGIN"), CROSS},
        {PUBLISH, 0, NULL, SITE(""), CROSS},
        {PUBLISH, 0, NULL, SITE("same-origin") SITE("cross-site"), CROSS},
        {PUBLISH, 0, NULL, EVIL SITE("cross-site"), CROSS},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example",
         "Origin: http://hub.example\n" SITE("same-site"), CROSS},
        /* else no Origin passes */
        {PUBLISH, 0, NULL, "Referer: https://evil.example/\n", NONE},
        /* else Origin's host and port must equal Host */
        {PUBLISH, 0, NULL, EVIL, CROSS},
        {PUBLISH, 0, NULL, "Origin: null\n", CROSS},
        {PUBLISH, STAR, NULL, "Origin: null\n", CROSS}, /* null only if named */
        {PUBLISH, 0, NULL, "Origin:\n", CROSS},
        {PUBLISH, 0, NULL, "Origin: http://localhost:8080\n" EVIL, CROSS},
        {PUBLISH, 0, NULL, "Origin: localhost:8080\n", CROSS},
        {PUBLISH, 0, NULL, "Origin: http://localhost.evil.example\n", CROSS},
        {PUBLISH, 0, NULL, "Origin: ftp://localhost:3000\n", CROSS},
        {PUBLISH, 0, NULL, "Origin: chrome-extension://abcdef\n", CROSS},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", "Origin: http://hub.example\n", NONE},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example:8080", "Origin: http://HUB.example:8080\n",
         NONE},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", "Origin: http://hub.example:80\n", NONE},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", "Origin: http://hub.example:8080\n",
         CROSS},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example:8080", "Origin: http://hub.example\n",
         CROSS},
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", EVIL, CROSS},
        /* a remote page on the visitor's own machine is nobody special to a remote hub */
        {PUBLISH, ANONYMOUS | REMOTE, "hub.example", "Origin: http://localhost:3000\n", CROSS},
        {PUBLISH, ANONYMOUS | HTTP10, "", "Origin: http://localhost:3000\n", CROSS},
        /* with the token its page does not matter */
        {PUBLISH, TOKENS, NULL, BEARER EVIL SITE("cross-site"), NONE},
        {PUBLISH, TOKENS, NULL, EVIL SITE("cross-site"), MISSING},
        /* a token that is not asked for does not open the door to pages */
        {PUBLISH, 0, NULL, BEARER EVIL SITE("cross-site"), CROSS},
    };

    CHECK(rows);
}

#define MODE(value) "Sec-Fetch-Mode: " value "\n"

/* "A GET with a disallowed Origin, or cross-site in no-cors mode, is 403." */
static void test_pages_read(void **state)
{
    static const struct row rows[] = {
        {READ, 0, NULL, EVIL, CROSS},
        {MANY, 0, NULL, EVIL, CROSS},
        {MANY, TOPICS, NULL, EVIL, CROSS},
        {HEALTH, 0, NULL, EVIL, CROSS},
        {READ, REMOTE, "hub.example", EVIL, CROSS},
        {READ, 0, NULL, "Origin: null\n", CROSS},
        {READ, STAR, NULL, "Origin: null\n", CROSS},
        {READ, 0, NULL, EVIL EVIL, CROSS},
        {READ, STAR, NULL, EVIL EVIL, CROSS},
        {READ, NAMED, NULL, EVIL, CROSS},
        {READ, NAMED, NULL, APP SITE("cross-site") MODE("cors"), NONE},
        {READ, NAMED, NULL, "Origin: null\n", NONE},
        {READ, STAR, NULL, EVIL SITE("cross-site") MODE("cors"), NONE},
        {READ, 0, NULL, "Origin: http://localhost:3000\n" SITE("same-site") MODE("cors"), NONE},
        {READ, 0, NULL, "Origin: http://127.0.0.1:3000\n" SITE("cross-site") MODE("cors"),
         NONE},
        /* the same origin is not a disallowed one */
        /* (a Host without a port has that of the scheme of the page: TLS may end at a proxy) */
        {READ, REMOTE, "hub.example", "Origin: https://hub.example\n", NONE},
        {READ, REMOTE, "hub.example", "Origin: http://hub.example\n", NONE},
        {READ, REMOTE, "hub.example:8080", "Origin: http://hub.example:8080\n", NONE},
        {READ, REMOTE, "hub.example:8080", "Origin: http://hub.example:8081\n", CROSS},
        {READ, REMOTE, "hub.example", "Origin: http://localhost:3000\n", CROSS},
        /* <img src>, <script src> */
        {READ, 0, NULL, SITE("cross-site") MODE("no-cors"), CROSS},
        {MANY, TOPICS, NULL, SITE("cross-site") MODE("no-cors"), CROSS},
        {READ, STAR, NULL, SITE("cross-site") MODE("no-cors"), CROSS},
        {READ, 0, NULL, SITE("same-origin") MODE("no-cors"), NONE},
        {READ, 0, NULL, SITE("same-site") MODE("no-cors"), NONE},
        {READ, 0, NULL, SITE("none") MODE("no-cors"), NONE},
        /* a link someone clicks on */
        {READ, 0, NULL, SITE("cross-site") MODE("navigate"), NONE},
        {MANY, 0, NULL, SITE("cross-site") MODE("navigate"), NONE},
        {READ, 0, NULL, SITE("cross-site"), NONE},
        {READ, 0, NULL, MODE("no-cors"), NONE},
        /* the preflight's answer says what is allowed; it is never refused for its origin */
        {PREFLIGHT, 0, NULL, EVIL SITE("cross-site") MODE("cors"), NONE},
        {PREFLIGHT, TOKENS | REMOTE, "hub.example", EVIL, NONE},
    };

    CHECK(rows);
}

/* "/-/topics, /-/stats and selectors that begin with a wildcard: local or token, else 401,
 * unless
 * --public-topics. Following a topic by name is public." */
static void test_reading(void **state)
{
    static const struct row rows[] = {
        {READ, 0, NULL, NULL, NONE},
        {READ, REMOTE, "hub.example", NULL, NONE},
        {READ, TOKENS | REMOTE, "hub.example", NULL, NONE},
        {READ, HTTP10, NULL, "Via: 1.0 x\n", NONE},
        {HEALTH, REMOTE, "hub.example", NULL, NONE},
        {MANY, 0, NULL, NULL, NONE},
        {MANY, TOKENS, NULL, NULL, NONE},
        {MANY, REMOTE, "hub.example", NULL, MISSING},
        {MANY, HTTP10, NULL, NULL, MISSING},
        {MANY, 0, NULL, "X-Forwarded-For: 127.0.0.1\n", MISSING},
        {MANY, ANONYMOUS | REMOTE, "hub.example", NULL, MISSING},
        {MANY, TOKENS | REMOTE, "hub.example", NULL, MISSING},
        {MANY, TOKENS | REMOTE, "hub.example", WRONG, WRONG_TOKEN},
        {MANY, TOKENS | REMOTE, "hub.example", BEARER, NONE},
        {MANY, REMOTE, "hub.example", BEARER, WRONG_TOKEN},
        {MANY, TOPICS | REMOTE, "hub.example", NULL, NONE},
        {MANY, TOPICS | TOKENS | REMOTE, "hub.example", WRONG, NONE},
    };

    CHECK(rows);
}

/* "CORS: an allowed origin always gets itself back, with credentials; `*` without; `null` only
 * if named." On refusals too, so that the page can read them. */
static void test_cors_origin(void **state)
{
    static const struct {
        struct row row;
        const char *allow; /* "": none */
        bool credentials;
    } rows[] = {
        {{READ, 0, NULL, NULL, NONE}, "", false},
        {{READ, NAMED, NULL, NULL, NONE}, "", false},
        {{READ, NAMED | STAR, NULL, NULL, NONE}, "", false},
        {{READ, NAMED, NULL, APP, NONE}, "https://app.example", true},
        {{READ, NAMED | STAR, NULL, APP, NONE}, "https://app.example", true},
        {{READ, NAMED | REMOTE, "hub.example", APP, NONE}, "https://app.example", true},
        {{READ, NAMED, NULL, "Origin: null\n", NONE}, "null", true},
        {{READ, NAMED | STAR, NULL, EVIL, NONE}, "*", false},
        {{READ, STAR, NULL, EVIL, NONE}, "*", false},
        {{READ, STAR, NULL, "Origin: null\n", CROSS}, "", false},
        {{READ, STAR, NULL, "Origin: not an origin\n", CROSS}, "", false},
        {{READ, STAR, NULL, "Origin: *\n", CROSS}, "", false},
        {{READ, NAMED, NULL, EVIL, CROSS}, "", false},
        {{READ, 0, NULL, "Origin: http://localhost:3000\n", NONE},
         "http://localhost:3000",
         true},
        {{READ, STAR, NULL, "Origin: http://localhost:3000\n", NONE},
         "http://localhost:3000",
         true},
        {{READ, 0, NULL, "Origin: https://a.localhost\n", NONE}, "https://a.localhost", true},
        {{READ, 0, NULL, "Origin: http://127.9.9.9:1\n", NONE}, "http://127.9.9.9:1", true},
        {{READ, 0, NULL, "Origin: http://[::1]:8080\n", NONE}, "http://[::1]:8080", true},
        {{READ, 0, NULL, "Origin: http://localhost.evil.example\n", CROSS}, "", false},
        {{READ, 0, NULL, "Origin: capacitor://localhost\n", CROSS}, "", false},
        {{READ, REMOTE, "hub.example", "Origin: http://localhost:3000\n", CROSS}, "", false},
        {{READ, 0, NULL, "Via: x\nOrigin: http://localhost:3000\n", CROSS}, "", false},
        {{READ, REMOTE, "hub.example", "Origin: http://hub.example\n", NONE}, "", false},
        /* refusals */
        {{PUBLISH, TOKENS | NAMED, NULL, APP, MISSING}, "https://app.example", true},
        {{PUBLISH, TOKENS | STAR | REMOTE, "h", EVIL WRONG, WRONG_TOKEN}, "*", false},
        {{PUBLISH, REMOTE | NAMED, "h", APP, NOT_LOCAL}, "https://app.example", true},
        {{MANY, REMOTE | NAMED, "h", APP, MISSING}, "https://app.example", true},
        {{READ, NAMED, "evil.example", APP, UNKNOWN_HOST}, "https://app.example", true},
        /* preflights, without a token */
        {{PREFLIGHT, TOKENS | NAMED | REMOTE, "h", APP, NONE}, "https://app.example", true},
        {{PREFLIGHT, TOKENS | STAR | REMOTE, "h", EVIL, NONE}, "*", false},
        {{PREFLIGHT, 0, NULL, EVIL, NONE}, "", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_admission a;

        decide(&rows[i].row, &a);
        assert_int_equal(a.problem, rows[i].row.problem);
        assert_slice_equal(a.allow_origin, crier_slice_of(rows[i].allow));
        assert_int_equal(a.allow_credentials, rows[i].credentials);
    }
}

/* A right token is told to the caller, needed or not. */
static void test_token_is_told(void **state)
{
    static const struct row right = {READ, TOKENS, NULL, BEARER, NONE},
                            wrong = {READ, TOKENS, NULL, WRONG, NONE},
                            none = {READ, 0, NULL, BEARER, NONE};
    struct crier_admission a;

    decide(&right, &a);
    assert_true(a.token);
    decide(&wrong, &a);
    assert_false(a.token);
    decide(&none, &a);
    assert_false(a.token);
}

/* The header lines, with and without a preflight, with and without credentials; none for no
 * origin. */
static void test_cors_headers(void **state)
{
    struct crier_admission a = {.allow_origin = CRIER_SLICE("https://app.example"),
                                .allow_credentials = true};
    const struct crier_header asked = {CRIER_SLICE("Access-Control-Request-Headers"),
                                       CRIER_SLICE("x-one, x-two")};
    const struct crier_http_request request = {.headers = &asked, .header_count = 1};
    struct crier_buf buf;

#define EXPOSE                                                                                 \
    "Access-Control-Expose-Headers: Crier-Last-Event-ID, Crier-Resumed, Retry-After, Link\r\n"
    crier_buf_init(&buf, &crier_mem_libc);
    crier_admission_cors(&buf, &a);
    assert_slice_is(crier_buf_slice(&buf),
                    "Access-Control-Allow-Origin: https://app.example\r\n"
                    "Access-Control-Allow-Credentials: true\r\n" EXPOSE);
    crier_buf_clear(&buf);
    a = (struct crier_admission){.allow_origin = CRIER_SLICE("*")};
    crier_admission_preflight(&buf, &a, &request, (struct crier_slice){NULL, 0});
    assert_slice_is(crier_buf_slice(&buf),
                    "Access-Control-Allow-Origin: *\r\n" EXPOSE
                    "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
                    "Access-Control-Allow-Headers: Authorization, Cache-Control, Content-Type, "
                    "Idempotency-Key, "
                    "Last-Event-ID, Crier-Event, Crier-Retry\r\n"
                    "Access-Control-Max-Age: 7200\r\n");
    /* A program's handler: its methods, and whatever headers are asked for. */
    crier_buf_clear(&buf);
    crier_admission_preflight(&buf, &a, &request, CRIER_SLICE("POST, OPTIONS"));
    assert_slice_is(crier_buf_slice(&buf), "Access-Control-Allow-Origin: *\r\n" EXPOSE
                                           "Access-Control-Allow-Methods: POST, OPTIONS\r\n"
                                           "Access-Control-Allow-Headers: x-one, x-two\r\n"
                                           "Access-Control-Max-Age: 7200\r\n");
    crier_buf_clear(&buf);
    a = (struct crier_admission){0};
    crier_admission_cors(&buf, &a);
    crier_admission_preflight(&buf, &a, &request, CRIER_SLICE("POST, OPTIONS"));
    assert_int_equal(buf.len, 0);
    crier_buf_deinit(&buf);
}

/* "--trust-proxy CIDR: only then is X-Forwarded-For believed, from the right, the first
 * untrusted address counts." */
static void test_client(void **state)
{
    static const struct {
        const char *peer, *headers, *client;
    } rows[] = {
        {"10.0.0.1", NULL, "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\n", "192.0.2.1"},
        {"10.0.0.1", "x-forwarded-for: 192.0.2.1\n", "192.0.2.1"},
        /* not from a proxy: not believed */
        {"192.0.2.9", "X-Forwarded-For: 192.0.2.1\n", "192.0.2.9"},
        /* from the right; what the client made up stands further left */
        {"10.0.0.1", "X-Forwarded-For: 203.0.113.7, 192.0.2.1\n", "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 203.0.113.7, 192.0.2.1, 10.0.0.2,10.9.9.9\n",
         "192.0.2.1"},
        /* over several headers, which are one list */
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nA: b\nX-Forwarded-For: 10.0.0.2\n",
         "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 203.0.113.7\nX-Forwarded-For: 192.0.2.1\n", "192.0.2.1"},
        /* all trusted: the leftmost */
        {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\n", "10.0.0.3"},
        /* what cannot be read ends it: the last one that is known */
        {"10.0.0.1", "X-Forwarded-For: unknown\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\n", "10.0.0.2"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1,, 10.0.0.2\n", "10.0.0.2"},
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1,\n", "10.0.0.1"},
        {"10.0.0.1", "X-Forwarded-For:\n", "10.0.0.1"},
        /* spellings */
        {"10.0.0.1", "X-Forwarded-For: 192.0.2.1:4711\n", "192.0.2.1"},
        {"10.0.0.1", "X-Forwarded-For: 2001:db8::1\n", "2001:db8::1"},
        {"10.0.0.1", "X-Forwarded-For: [2001:db8::1]\n", "2001:db8::1"},
        {"10.0.0.1", "X-Forwarded-For: [2001:db8::1]:4711\n", "2001:db8::1"},
        {"fd00::5", "X-Forwarded-For: ::ffff:192.0.2.1\n", "192.0.2.1"},
        /* other headers are nothing to it */
        {"10.0.0.1", "X-Real-IP: 192.0.2.1\nForwarded: for=192.0.2.1\n", "10.0.0.1"},
    };
    static struct crier_config config;

    crier_config_defaults(&config);
    assert_null(crier_cidr_parse(CRIER_SLICE("10.0.0.0/8"), &config.proxies[0]));
    assert_null(crier_cidr_parse(CRIER_SLICE("fd00::/8"), &config.proxies[1]));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_header headers[HEADERS];
        struct crier_http_request request = {
            .headers = headers, .header_count = headers_of(rows[i].headers, headers)};
        struct crier_visitor visitor = {.loopback = false};
        char text[CRIER_ADDRESS_TEXT];
        struct crier_ip ip;

        assert_int_equal(crier_ip_parse(crier_slice_of(rows[i].peer), &visitor.peer), 0);
        config.proxy_count = 2;
        ip = crier_admission_client(&config, &request, &visitor);
        crier_ip_format(&ip, text);
        assert_string_equal(text, rows[i].client);
        /* none by default */
        config.proxy_count = 0;
        ip = crier_admission_client(&config, &request, &visitor);
        assert_true(crier_ip_eq(&ip, &visitor.peer));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local),        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_publishing),   cmocka_unit_test(test_pages_publish),
        cmocka_unit_test(test_pages_read),   cmocka_unit_test(test_reading),
        cmocka_unit_test(test_cors_origin),  cmocka_unit_test(test_token_is_told),
        cmocka_unit_test(test_cors_headers), cmocka_unit_test(test_client),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
