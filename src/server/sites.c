/* SPDX-License-Identifier: MIT */
/*
 * Matching walks pattern and path together, one segment each, without allocating. Segments of
 * path and pattern are compared decoded: "/caf%C3%A9" is "/café", and "%2F" never makes a
 * segment of its own.
 */
#include "server/sites.h"

#include "base/mem.h"
#include "http/field.h"
#include "http/request.h"
#include "http/target.h"
#include <string.h>

/* ---- segments --------------------------------------------------------------------------- */

/* "{name}", "{name...}": the name; rest tells which. NULL data: it stands for itself. */
static struct crier_slice segment_name(struct crier_slice segment, bool *ret_rest)
{
    static const struct crier_slice dots = {"...", 3};
    struct crier_slice name;

    *ret_rest = false;
    if (segment.len < 2 || segment.data[0] != '{' || segment.data[segment.len - 1] != '}')
        return (struct crier_slice){NULL, 0};
    name = crier_slice_sub(segment, 1, segment.len - 2);
    if (crier_slice_ends(name, dots)) {
        *ret_rest = true;
        name.len -= dots.len;
    }
    return name;
}

/* Are both, decoded, the same? */
static bool same_segment(struct crier_slice a, struct crier_slice b)
{
    while (a.len && b.len) {
        if (crier_percent_next(&a) != crier_percent_next(&b))
            return false;
    }
    return !a.len && !b.len;
}

static bool is_mount(const struct crier_site *site)
{
    return site->kind == CRIER_SITE_EVENTS || site->kind == CRIER_SITE_ADMIN;
}

/* Does the path fit? With a name: *ret_value is what it stands for. */
static bool fits(const struct crier_site *site,
                 struct crier_slice path,
                 struct crier_slice wanted,
                 struct crier_slice *ret_value)
{
    struct crier_slice pattern = site->pattern;

    /* Both begin with a slash (or are empty, or "*"): nothing stands before it. */
    (void)crier_slice_cut(&pattern, '/');
    (void)crier_slice_cut(&path, '/');
    while (pattern.data) {
        struct crier_slice literal = crier_slice_cut(&pattern, '/');
        struct crier_slice whole = path, segment, name;
        bool rest;

        if (!path.data)
            return false;
        segment = crier_slice_cut(&path, '/');
        name = segment_name(literal, &rest);
        if (!name.data) {
            if (!same_segment(segment, literal))
                return false;
            continue;
        }
        if (rest)
            segment = whole;
        if (!segment.len)
            return false;
        if (wanted.data && crier_slice_eq(name, wanted))
            *ret_value = segment;
        if (rest)
            return true;
    }
    return !path.data || is_mount(site);
}

static bool site_fits(const struct crier_site *site, struct crier_slice path)
{
    return fits(site, path, (struct crier_slice){NULL, 0}, NULL);
}

/* ---- finding ---------------------------------------------------------------------------- */

static bool method_fits(const struct crier_site *site, struct crier_slice method)
{
    if (crier_slice_eq(site->method, CRIER_SLICE("*")))
        return true;
    return crier_slice_eq(site->method, method) ||
           (crier_slice_eq(method, CRIER_SLICE("HEAD")) &&
            crier_slice_eq(site->method, CRIER_SLICE("GET")));
}

/* Is a to be preferred? */
static bool
better(const struct crier_site *a, const struct crier_site *b, struct crier_slice method)
{
    if (!b || a->literals != b->literals)
        return !b || a->literals > b->literals;
    if (a->open != b->open)
        return b->open;
    return crier_slice_eq(a->method, method) && !crier_slice_eq(b->method, method);
}

const struct crier_site *crier_sites_find(const struct crier_sites *sites,
                                          struct crier_slice method,
                                          struct crier_slice path,
                                          bool *ret_known)
{
    const struct crier_site *best = NULL;

    *ret_known = false;
    crier_list_for_each (node, &sites->list) {
        const struct crier_site *site = CRIER_CONTAINER(node, struct crier_site, node);

        if (!site_fits(site, path))
            continue;
        *ret_known = true;
        if (method_fits(site, method) && better(site, best, method))
            best = site;
    }
    return best;
}

bool crier_sites_take(const struct crier_sites *sites, struct crier_slice method)
{
    crier_list_for_each (node, &sites->list) {
        const struct crier_site *site = CRIER_CONTAINER(node, struct crier_site, node);

        if (site->kind == CRIER_SITE_HANDLER && method_fits(site, method))
            return true;
    }
    return false;
}

static bool listed(struct crier_slice methods, struct crier_slice method)
{
    while (methods.data) {
        if (crier_slice_eq(crier_slice_trim(crier_slice_cut(&methods, ',')), method))
            return true;
    }
    return false;
}

static void list(struct crier_buf *methods, size_t from, struct crier_slice method)
{
    struct crier_slice so_far = crier_slice_sub(crier_buf_slice(methods), from, SIZE_MAX);

    if (listed(so_far, method))
        return;
    if (so_far.len)
        crier_buf_append(methods, CRIER_SLICE(", "));
    crier_buf_append(methods, method);
}

void crier_sites_methods(const struct crier_sites *sites,
                         struct crier_slice path,
                         struct crier_buf *methods)
{
    size_t from = methods->len;

    crier_list_for_each (node, &sites->list) {
        const struct crier_site *site = CRIER_CONTAINER(node, struct crier_site, node);

        if (!site_fits(site, path) || crier_slice_eq(site->method, CRIER_SLICE("*")))
            continue;
        list(methods, from, site->method);
        if (crier_slice_eq(site->method, CRIER_SLICE("GET")))
            list(methods, from, CRIER_SLICE("HEAD"));
    }
    list(methods, from, CRIER_SLICE("OPTIONS"));
}

struct crier_slice crier_site_param(const struct crier_site *site,
                                    struct crier_slice path,
                                    struct crier_slice name)
{
    struct crier_slice value = {NULL, 0};

    (void)fits(site, path, name, &value);
    return value;
}

/* ---- adding ----------------------------------------------------------------------------- */

/* token (RFC 9110, 5.6.2), in capitals or not: methods are case-sensitive. */
static bool method_is_valid(struct crier_slice method)
{
    return crier_token_valid(method) && method.len <= CRIER_METHOD_BYTES;
}

/* Printable, no query, no fragment, and each '%' begins an escape. */
static bool text_is_valid(struct crier_slice pattern)
{
    while (pattern.len) {
        unsigned char c = (unsigned char)pattern.data[0];
        size_t before = pattern.len;

        if (c < ' ' || c == 0x7f || c == '?' || c == '#')
            return false;
        (void)crier_percent_next(&pattern);
        if (c == '%' && before - pattern.len == 1)
            return false;
    }
    return true;
}

static bool has_brace(struct crier_slice text)
{
    return crier_slice_find(text, '{') < text.len || crier_slice_find(text, '}') < text.len;
}

/* Does a segment of the pattern before `end` have this name? */
static bool has_name(struct crier_slice pattern, const char *end, struct crier_slice wanted)
{
    bool rest;

    while (pattern.data && pattern.data < end) {
        struct crier_slice name = segment_name(crier_slice_cut(&pattern, '/'), &rest);

        if (name.data && name.data < end && crier_slice_eq(name, wanted))
            return true;
    }
    return false;
}

/* Counts what it is made of; false: it is no pattern. */
static bool pattern_read(struct crier_site *site)
{
    struct crier_slice pattern = site->pattern;

    if (!text_is_valid(pattern))
        return false;
    (void)crier_slice_cut(&pattern, '/');
    while (pattern.data) {
        struct crier_slice segment = crier_slice_cut(&pattern, '/');
        bool rest;
        struct crier_slice name = segment_name(segment, &rest);

        if (name.data ? !name.len || has_brace(name) : has_brace(segment))
            return false;
        if (name.data && has_name(site->pattern, segment.data, name))
            return false;
        if (rest && (pattern.data || is_mount(site)))
            return false;
        site->literals += !name.data;
        site->open = site->open || rest;
    }
    return true;
}

static bool exists(const struct crier_sites *sites, const struct crier_site *site)
{
    crier_list_for_each (node, &sites->list) {
        const struct crier_site *other = CRIER_CONTAINER(node, struct crier_site, node);

        if (crier_slice_eq(other->method, site->method) &&
            crier_slice_eq(other->pattern, site->pattern))
            return true;
    }
    return false;
}

/* Copies text behind what is there already. */
static void keep(char **at, struct crier_slice *text)
{
    if (text->len)
        memcpy(*at, text->data, text->len);
    text->data = *at;
    *at += text->len;
    *(*at)++ = '\0';
}

int crier_sites_add(struct crier_sites *sites, const struct crier_site *wish)
{
    struct crier_site checked = *wish, *site;
    char *at;

    if (!wish->pattern.len || wish->pattern.data[0] != '/')
        return -EINVAL;
    checked.literals = 0;
    checked.open = is_mount(wish);
    /* A mount at "/" is at the very top. */
    if (checked.open && crier_slice_ends(checked.pattern, CRIER_SLICE("/")))
        checked.pattern.len--;
    if (!method_is_valid(checked.method) || !pattern_read(&checked))
        return -EINVAL;
    if (exists(sites, &checked))
        return -EEXIST;
    site = crier_mem_alloc(sites->mem, sizeof(*site) + checked.method.len +
                                           checked.pattern.len + checked.type.len +
                                           checked.body.len + checked.etag.len + 5);
    if (!site)
        return -ENOMEM;
    *site = checked;
    at = (char *)(site + 1);
    keep(&at, &site->method);
    keep(&at, &site->pattern);
    keep(&at, &site->type);
    keep(&at, &site->etag);
    keep(&at, &site->body);
    crier_list_push_back(&sites->list, &site->node);
    return 0;
}

void crier_sites_init(struct crier_sites *sites, const struct crier_mem *mem)
{
    sites->mem = mem;
    crier_list_init(&sites->list);
}

void crier_sites_deinit(struct crier_sites *sites)
{
    if (!sites->mem)
        return;
    crier_list_for_each_safe (node, &sites->list) {
        crier_list_remove(node);
        crier_mem_free(sites->mem, CRIER_CONTAINER(node, struct crier_site, node));
    }
}
