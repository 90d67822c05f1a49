/* SPDX-License-Identifier: MIT */
/*
 * Who may do what. The rules stand in http-api.md; the functions below follow its sentences.
 *
 *     request --> Host --> act
 *                           |-- HEALTH, READ --> browser rules for reading
 *                           |-- READ_MANY -----> the same, then local or token
 *                           |                    or --public-topics
 *                           |-- PUBLISH -------> token configured: the token
 *                           |                    else local or --anonymous-publish,
 *                           |                    then browser rules for publishing
 *                           '-- PREFLIGHT -----> comes in; the answer says what is allowed
 *
 * Three dangers are met here.
 *
 * DNS rebinding: a page's own name is made to point at 127.0.0.1, and the page is then "same
 * origin" with a local hub. Its Host still is that name: it is refused on loopback listeners.
 *
 * Requests behind the user's back: any page may send a simple POST to http://localhost. It
 * cannot keep the browser from telling where it comes from (Sec-Fetch-Site, Origin).
 *
 * A proxy on the same machine: everybody's requests come over loopback through it. Its headers,
 * its HTTP/1.0 or the public Host give it away: such a request is not local.
 *
 * What cannot be read counts as foreign: two Origins, a Host that does not parse, a header
 * twice. Pure and without allocation; what it returns borrows from the request.
 */
#include "server/admission.h"

#include "http/field.h"
#include "http/response.h"
#include "http/target.h"

#include <assert.h>

/* ---- headers ------------------------------------------------------------------------- */

static bool header_present(const struct crier_http_request *request, struct crier_slice name)
{
    return crier_http_request_header_count(request, name) > 0;
}

/* The value of a header that may come once; sent twice, it is what no rule knows: "". */
static struct crier_slice header_once(const struct crier_http_request *request,
                                      struct crier_slice name)
{
    return crier_http_request_header_count(request, name) == 1
               ? crier_http_request_header(request, name)
               : CRIER_SLICE("");
}

static bool header_prefix_present(const struct crier_http_request *request,
                                  struct crier_slice prefix)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct crier_slice name = crier_slice_sub(request->headers[i].name, 0, prefix.len);

        if (crier_slice_eq_nocase(name, prefix))
            return true;
    }
    return false;
}

/* ---- local --------------------------------------------------------------------------- */

static bool host_is_local(const struct crier_http_request *request)
{
    struct crier_authority host;

    return crier_authority_parse(request->host, &host) == 0 && crier_authority_is_local(&host);
}

/* NULL: the request is local. Otherwise what makes it not so, as the detail of a refusal to
 * publish. */
static const char *local_fault(const struct crier_http_request *request,
                               const struct crier_visitor *visitor)
{
#define ADMISSION_OTHERWISE                                                                    \
    "; to publish from elsewhere start the server with --publish-token-file and send "         \
    "Authorization: Bearer, or let everybody publish with --anonymous-publish"
    /* Some systems route 127.0.0.0/8 from outside (net.ipv4.conf.*.route_localnet): both ends
     * count. */
    if (!visitor->loopback || !crier_ip_is_loopback(&visitor->peer))
        return "Without a token only this machine may publish, over a loopback "
               "address" ADMISSION_OTHERWISE;
    if (header_present(request, CRIER_SLICE("Forwarded")) ||
        header_prefix_present(request, CRIER_SLICE("X-Forwarded-")) ||
        header_present(request, CRIER_SLICE("X-Real-IP")) ||
        header_present(request, CRIER_SLICE("Via")))
        return "The request came through a proxy (Forwarded, X-Forwarded-*, X-Real-IP or Via), "
               "so it "
               "may be anyone's" ADMISSION_OTHERWISE;
    if (request->minor < 1)
        return "An HTTP/1.0 request may come through a proxy from anyone; use "
               "HTTP/1.1" ADMISSION_OTHERWISE;
    if (!host_is_local(request))
        return "Without a token only this machine may publish, and the Host must be localhost, "
               "127.0.0.1 or [::1]" ADMISSION_OTHERWISE;
    return NULL;
#undef ADMISSION_OTHERWISE
}

/* ---- Host ---------------------------------------------------------------------------- */

static struct crier_slice host_name(struct crier_slice text)
{
    struct crier_authority authority;

    if (crier_authority_parse(text, &authority) == 0)
        text = authority.host;
    /* "example.org." is the same name, told to be absolute. */
    if (text.len > 1 && text.data[text.len - 1] == '.')
        text.len--;
    return text;
}

/* Named by --host: any port, without case. */
static bool host_is_named(const struct crier_config *config,
                          const struct crier_http_request *request)
{
    struct crier_slice name = host_name(request->host);

    for (size_t i = 0; i < config->host_count; i++) {
        if (crier_slice_eq_nocase(host_name(config->hosts[i]), name))
            return true;
    }
    return false;
}

static bool host_passes(const struct crier_config *config,
                        const struct crier_http_request *request,
                        const struct crier_visitor *visitor,
                        enum crier_act act)
{
    if (!visitor->loopback || act == CRIER_ACT_HEALTH || config->any_host)
        return true;
    /* An HTTP/1.0 request may have none. No browser sends such a one, so no name was made to
     * point here. */
    if (request->host.len == 0)
        return true;
    return host_is_local(request) || host_is_named(config, request);
}

/* ---- token --------------------------------------------------------------------------- */

enum token_state { TOKEN_MISSING = 0, TOKEN_WRONG, TOKEN_RIGHT };

static enum token_state token_state(const struct crier_tokens *tokens,
                                    const struct crier_http_request *request)
{
    static const struct crier_slice name = {"Authorization", sizeof("Authorization") - 1};
    struct crier_slice value, scheme;

    if (!header_present(request, name))
        return TOKEN_MISSING;
    value = header_once(request, name);
    scheme = crier_slice_cut(&value, ' ');
    /* Another scheme is not for us: a proxy's password, say. */
    if (scheme.len > 0 && !crier_slice_eq_nocase(scheme, CRIER_SLICE("Bearer")))
        return TOKEN_MISSING;
    if (tokens && crier_tokens_check(tokens, crier_slice_trim(value)))
        return TOKEN_RIGHT;
    return TOKEN_WRONG;
}

/* What to do about it: told to who started the command, or who wrote the program. */
static const char *hint(const struct crier_config *config, const char *flag, const char *option)
{
    return config->library ? option : flag;
}

static void refuse(struct crier_admission *a, enum crier_problem problem, const char *detail)
{
    a->problem = problem;
    a->detail = detail;
}

static void
refuse_for_token(struct crier_admission *a, enum token_state state, const char *missing_detail)
{
    if (state == TOKEN_WRONG)
        refuse(a, CRIER_PROBLEM_TOKEN_WRONG,
               "The token sent as Authorization: Bearer is none of the server's; see its "
               "--publish-token-file or CRIER_PUBLISH_TOKEN");
    else
        refuse(a, CRIER_PROBLEM_TOKEN_MISSING, missing_detail);
}

/* ---- origins ------------------------------------------------------------------------- */

struct page { /* what a browser says about the page that sends a request */
    bool has_origin;
    bool is_null;
    bool parsed;
    struct crier_slice text;
    struct crier_origin origin;
};

static struct page page_of(const struct crier_http_request *request)
{
    struct page page = {.has_origin = header_present(request, CRIER_SLICE("Origin"))};

    page.text = header_once(request, CRIER_SLICE("Origin"));
    page.parsed = page.has_origin && crier_origin_parse(page.text, &page.origin) == 0;
    page.is_null = page.parsed && page.origin.is_null;
    return page;
}

static bool origin_is_named(const struct crier_config *config, struct crier_slice text)
{
    for (size_t i = 0; i < config->origin_count; i++) {
        if (crier_slice_eq(config->origins[i], text))
            return true;
    }
    return false;
}

static bool origin_is_of_this_machine(const struct page *page)
{
    return page->parsed && !page->is_null &&
           (crier_slice_eq(page->origin.scheme, CRIER_SLICE("http")) ||
            crier_slice_eq(page->origin.scheme, CRIER_SLICE("https"))) &&
           crier_authority_is_local(&page->origin.authority);
}

/* Fills what CORS answers; allow_origin stays empty for an origin that is not allowed. */
static void origin_decide(const struct crier_config *config,
                          const struct page *page,
                          struct crier_admission *a)
{
    if (!page->parsed)
        return;
    if (origin_is_named(config, page->text) || (a->local && origin_is_of_this_machine(page))) {
        a->allow_origin = page->text;
        a->allow_credentials = true;
    } else if (!page->is_null && origin_is_named(config, CRIER_SLICE("*"))) {
        a->allow_origin = CRIER_SLICE("*");
    }
}

static bool origin_is_host(const struct crier_http_request *request, const struct page *page)
{
    struct crier_authority host;

    return page->parsed && !page->is_null && crier_authority_parse(request->host, &host) == 0 &&
           crier_origin_matches_host(&page->origin, &host);
}

/* May a page publish (without a token)? In exactly this order. */
static bool page_may_publish(const struct crier_http_request *request,
                             const struct page *page,
                             const struct crier_admission *a)
{
    struct crier_slice site = header_once(request, CRIER_SLICE("Sec-Fetch-Site"));

    if (a->allow_origin.len > 0)
        return true;
    if (header_present(request, CRIER_SLICE("Sec-Fetch-Site")))
        return crier_slice_eq(site, CRIER_SLICE("same-origin")) ||
               crier_slice_eq(site, CRIER_SLICE("none"));
    if (!page->has_origin)
        return true;
    return origin_is_host(request, page);
}

static bool page_may_read(const struct crier_http_request *request,
                          const struct page *page,
                          const struct crier_admission *a)
{
    struct crier_slice site = header_once(request, CRIER_SLICE("Sec-Fetch-Site"));
    struct crier_slice mode = header_once(request, CRIER_SLICE("Sec-Fetch-Mode"));

    if (page->has_origin && a->allow_origin.len == 0 && !origin_is_host(request, page))
        return false;
    /* <img>, <script> and the like: the page could not read the answer, but learn from its
     * coming. */
    return !(crier_slice_eq(site, CRIER_SLICE("cross-site")) &&
             crier_slice_eq(mode, CRIER_SLICE("no-cors")));
}

/* ---- decisions ----------------------------------------------------------------------- */

static void decide_publish(const struct crier_config *config,
                           const struct crier_tokens *tokens,
                           const struct crier_http_request *request,
                           const char *not_local,
                           const struct page *page,
                           enum token_state token,
                           struct crier_admission *a)
{
    if (tokens && crier_tokens_configured(tokens)) {
        /* No page knows it, and no browser adds it by itself: with it the page's origin does
         * not matter. */
        if (token != TOKEN_RIGHT)
            refuse_for_token(a, token,
                             "Publishing here needs a token: send it as Authorization: "
                             "Bearer TOKEN (crier pub: --token-file or CRIER_TOKEN)");
    } else if (not_local && !config->anonymous_publish) {
        refuse(a, CRIER_PROBLEM_NOT_LOCAL, not_local);
    } else if (!page_may_publish(request, page, a)) {
        refuse(a, CRIER_PROBLEM_CROSS_ORIGIN,
               "A web page of another origin may not publish here; start the server with "
               "--cors-origin and the page's origin to let it");
    }
}

static void decide_read_many(const struct crier_config *config,
                             const struct crier_tokens *tokens,
                             enum token_state token,
                             struct crier_admission *a)
{
    if (a->local || token == TOKEN_RIGHT || config->public_topics)
        return;
    if (tokens && crier_tokens_configured(tokens))
        refuse_for_token(
            a, token,
            "Listing topics, counters and following patterns that begin with a wildcard "
            "need a token: send it as Authorization: Bearer TOKEN, or start "
            "the server with --public-topics");
    else
        refuse_for_token(
            a, token,
            "Listing topics, counters and following patterns that begin with a wildcard "
            "are for this machine; start the server with "
            "--publish-token-file or --public-topics to open them");
}

void crier_admission_decide(const struct crier_config *config,
                            const struct crier_tokens *tokens,
                            const struct crier_http_request *request,
                            const struct crier_visitor *visitor,
                            enum crier_act act,
                            struct crier_admission *ret)
{
    const char *not_local = local_fault(request, visitor);
    enum token_state token = token_state(tokens, request);
    struct page page = page_of(request);

    *ret = (struct crier_admission){
        .problem = CRIER_PROBLEM_NONE, .local = !not_local, .token = token == TOKEN_RIGHT};
    /* A refusal carries it too, or the page could not read why. */
    origin_decide(config, &page, ret);
    if (!host_passes(config, request, visitor, act)) {
        refuse(ret, CRIER_PROBLEM_UNKNOWN_HOST,
               hint(config,
                    "On loopback this server answers for localhost, 127.0.0.1 and [::1] only; "
                    "start it with --host NAME to let it answer for this name",
                    "On loopback this server answers for localhost, 127.0.0.1 and [::1] only; "
                    "the program lets it answer for this name with the option .hosts"));
        return;
    }
    switch (act) {
    case CRIER_ACT_PREFLIGHT:
    case CRIER_ACT_PROGRAM:
        break;
    case CRIER_ACT_PUBLISH_IF_PERMITTED:
        /* What is sent as Authorization no page adds behind its user's back. */
        if (!header_present(request, CRIER_SLICE("Authorization")) &&
            !page_may_publish(request, &page, ret))
            refuse(ret, CRIER_PROBLEM_CROSS_ORIGIN,
                   hint(config,
                        "A web page of another origin may not publish here; start the "
                        "server with --cors-origin and the page's origin to let it",
                        "A web page of another origin may not do this; the program lets it "
                        "with the option .cors"));
        break;
    case CRIER_ACT_PUBLISH:
        decide_publish(config, tokens, request, not_local, &page, token, ret);
        break;
    case CRIER_ACT_HEALTH:
    case CRIER_ACT_READ:
    case CRIER_ACT_READ_MANY:
        if (!page_may_read(request, &page, ret))
            refuse(ret, CRIER_PROBLEM_CROSS_ORIGIN,
                   hint(config,
                        "A web page of another origin may not read here; start the server with "
                        "--cors-origin and the page's origin to let it",
                        "A web page of another origin may not read here; the program lets it "
                        "with the option .cors"));
        else if (act == CRIER_ACT_READ_MANY)
            decide_read_many(config, tokens, token, ret);
        break;
    }
}

/* ---- the client's address ------------------------------------------------------------ */

static bool client_is_trusted(const struct crier_config *config, const struct crier_ip *ip)
{
    for (size_t i = 0; i < config->proxy_count; i++) {
        if (crier_cidr_contains(&config->proxies[i], ip))
            return true;
    }
    return false;
}

/* "192.0.2.1", "192.0.2.1:1234", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:1234" */
static int client_parse(struct crier_slice text, struct crier_ip *ret)
{
    struct crier_authority authority;

    text = crier_slice_trim(text);
    if (crier_ip_parse(text, ret) == 0)
        return 0;
    if (crier_authority_parse(text, &authority) < 0)
        return -EINVAL;
    return crier_ip_parse(authority.host, ret);
}

/* Takes the last element off a comma-separated list. false: there is none left. */
static bool client_list_pop(struct crier_slice *list, struct crier_slice *ret)
{
    size_t at = list->len;

    if (!list->data)
        return false;
    while (at > 0 && list->data[at - 1] != ',')
        at--;
    *ret = crier_slice_sub(*list, at, list->len);
    if (at == 0)
        *list = (struct crier_slice){0};
    else
        list->len = at - 1;
    return true;
}

struct crier_ip crier_admission_client(const struct crier_config *config,
                                       const struct crier_http_request *request,
                                       const struct crier_visitor *visitor)
{
    struct crier_ip client = visitor->peer;

    /* From the right: each trusted proxy vouches for the address to the left of its own, and no
     * further. */
    for (size_t i = request->header_count; i > 0; i--) {
        struct crier_slice list = request->headers[i - 1].value, element;

        if (!crier_slice_eq_nocase(request->headers[i - 1].name,
                                   CRIER_SLICE("X-Forwarded-For")))
            continue;
        while (client_is_trusted(config, &client) && client_list_pop(&list, &element)) {
            if (client_parse(element, &client) < 0)
                return client;
        }
    }
    return client;
}

/* ---- CORS headers -------------------------------------------------------------------- */

static void cors_header(struct crier_buf *buf, const char *name, const char *value)
{
    crier_http_header(buf, crier_slice_of(name), crier_slice_of(value));
}

void crier_admission_cors(struct crier_buf *buf, const struct crier_admission *a)
{
    if (a->allow_origin.len == 0)
        return;
    crier_http_header(buf, CRIER_SLICE("Access-Control-Allow-Origin"), a->allow_origin);
    if (a->allow_credentials)
        cors_header(buf, "Access-Control-Allow-Credentials", "true");
    cors_header(buf, "Access-Control-Expose-Headers",
                "Crier-Last-Event-ID, Crier-Resumed, Retry-After, Link");
}

/* A list of header names, and nothing else. */
static bool names_only(struct crier_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c != ',' && c != ' ' && !crier_token_char(c))
            return false;
    }
    return text.len > 0;
}

void crier_admission_preflight(struct crier_buf *buf,
                               const struct crier_admission *a,
                               const struct crier_http_request *request,
                               struct crier_slice methods)
{
    struct crier_slice asked =
        header_once(request, CRIER_SLICE("Access-Control-Request-Headers"));

    if (a->allow_origin.len == 0)
        return;
    crier_admission_cors(buf, a);
    if (!methods.data) {
        methods = CRIER_SLICE("GET, HEAD, POST, PUT, DELETE, OPTIONS");
        asked = CRIER_SLICE("Authorization, Cache-Control, Content-Type, Idempotency-Key, "
                            "Last-Event-ID, Crier-Event, Crier-Retry");
    }
    crier_http_header(buf, CRIER_SLICE("Access-Control-Allow-Methods"), methods);
    if (names_only(asked))
        crier_http_header(buf, CRIER_SLICE("Access-Control-Allow-Headers"), asked);
    cors_header(buf, "Access-Control-Max-Age", "7200");
}
