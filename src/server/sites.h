/* SPDX-License-Identifier: MIT */
/*
 * What a server serves where: handlers, constant bytes, mounted hubs. A table that is filled
 * before the server runs and only read afterwards, by all workers.
 *
 * A site has a pattern, which a path is matched against segment by segment: "{name}" is any one
 * segment, "{name...}" at the end one or more, any other segment itself. Of several that fit,
 * the one with more literal segments wins, then one without "...", then the first. Mounts fit
 * their path and all below it.
 */
#ifndef CRIER_SERVER_SITES_H
#define CRIER_SERVER_SITES_H

#include "base/buf.h"
#include "base/list.h"
#include "crier/server.h"

struct crier_channel;
struct crier_http_request;

enum crier_site_kind {
    CRIER_SITE_HANDLER = 1,
    CRIER_SITE_STATIC = 2,
    CRIER_SITE_EVENTS = 3, /* a hub's interface */
    CRIER_SITE_ADMIN = 4,  /* its health, topics, stats, problems */
    CRIER_SITE_PAGE = 5,   /* the live page */
};

struct crier_site {
    struct crier_list node;
    enum crier_site_kind kind;
    struct crier_slice method;  /* "*": every one; mounts: by what lies below them */
    struct crier_slice pattern; /* mounts: without a slash at the end */
    unsigned literals;          /* segments of the pattern that stand for themselves */
    bool open;                  /* it ends in "...", or is a mount */
    crier_handler *handler;     /* HANDLER */
    void *ctx;
    struct crier_slice type, body, etag; /* STATIC */
    struct crier_channel *channel;       /* EVENTS, ADMIN */
    crier_permission *may_subscribe, *may_publish;
    bool by_config; /* who may do what is told by the configuration, not by permissions */
};

struct crier_sites {
    const struct crier_mem *mem;
    struct crier_list list;
};

void crier_sites_init(struct crier_sites *, const struct crier_mem *);
void crier_sites_deinit(struct crier_sites *);

/* What site says, but its texts, is copied; then texts. 0; -EINVAL: a bad method or pattern;
 * -EEXIST; -ENOMEM. */
int crier_sites_add(struct crier_sites *, const struct crier_site *site) CRIER_MUST_CHECK;

/* The site for a raw path (percent-encoded). NULL and *ret_known: the path is known for other
 * methods; NULL and not: it is unknown. */
const struct crier_site *crier_sites_find(const struct crier_sites *,
                                          struct crier_slice method,
                                          struct crier_slice path,
                                          bool *ret_known);
/* Appends the methods that a path is known for: "GET, HEAD, POST, OPTIONS". */
void crier_sites_methods(const struct crier_sites *,
                         struct crier_slice path,
                         struct crier_buf *methods);
/* Has any handler this method? */
bool crier_sites_take(const struct crier_sites *, struct crier_slice method);
/* The raw text that "{name}" or "{name...}" of the site's pattern stands for in path; NULL
 * data: there is no such name. */
struct crier_slice
crier_site_param(const struct crier_site *, struct crier_slice path, struct crier_slice name);

#endif
