/* SPDX-License-Identifier: MIT */
/*
 * What a program asks to be served, before the server runs: checked, and put into the table of
 * sites. What is wrong is answered by the call and reported by run as well.
 */
#include "server/outlet.h"
#include "server/server.h"
#include "server/worker.h"

#include "base/hash.h"
#include "base/options.h"
#include "http/field.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 16 << 20 };

/* Then nothing can be added, and what is wrong with it is no fault of the server that runs. */
static bool runs(struct crier_server *server)
{
    return atomic_load(&server->busy) || server->started;
}

static const char *site_fault(const struct crier_site *site)
{
    if (!crier_slice_starts(site->pattern, CRIER_SLICE("/")))
        return "this is no pattern of a path: it begins with a slash";
    if (site->kind != CRIER_SITE_HANDLER)
        return "this is no path";
    return "the method is none, or the pattern is: a name stands alone between slashes, once, "
           "{name...} at the end";
}

static int add(struct crier_server *server, const struct crier_site *site)
{
    int r;

    if (runs(server))
        return CRIER_EBUSY;
    r = crier_sites_add(&server->sites, site);
    if (r < 0)
        (void)crier_server_fail(server, r, "cannot serve %.*s %.*s: %s",
                                CRIER_SLICE_ARG(site->method), CRIER_SLICE_ARG(site->pattern),
                                r == -EINVAL ? site_fault(site) : crier_strerror(r));
    return r;
}

int crier_server_route(struct crier_server *server,
                       const char *method,
                       const char *pattern,
                       crier_handler *handler,
                       void *ctx)
{
    if (!server)
        return CRIER_ENOMEM;
    if (!handler && !runs(server))
        return crier_server_fail(server, CRIER_EINVAL,
                                 "cannot serve %s %s: there is no handler",
                                 method ? method : "", pattern ? pattern : "");
    return add(server, &(struct crier_site){.kind = CRIER_SITE_HANDLER,
                                            .method = crier_slice_of(method),
                                            .pattern = crier_slice_of(pattern),
                                            .handler = handler,
                                            .ctx = ctx});
}

/* ---- constant bytes --------------------------------------------------------------------- */

int crier_server_static(struct crier_server *server,
                        const char *path,
                        const char *content_type,
                        struct crier_slice body)
{
    /* No secret: only to tell one content from another. */
    const struct crier_hash_key key = {0};
    struct crier_slice type = crier_slice_of(content_type);
    char etag[24];
    int len;

    if (!server)
        return CRIER_ENOMEM;
    if (runs(server))
        return CRIER_EBUSY;
    if (!type.len || !crier_field_value_valid(type))
        return crier_server_fail(server, CRIER_EINVAL, "%s has no content type",
                                 path ? path : "");
    len =
        snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)crier_hash(&key, body));
    return add(server, &(struct crier_site){.kind = CRIER_SITE_STATIC,
                                            .method = CRIER_SLICE("GET"),
                                            .pattern = crier_slice_of(path),
                                            .type = type,
                                            .body = body,
                                            .etag = {etag, (size_t)len}});
}

static const char *type_of(struct crier_slice file)
{
    static const struct {
        struct crier_slice ending;
        const char *type;
    } types[] = {
        {{".html", 5}, "text/html; charset=utf-8"},
        {{".css", 4}, "text/css; charset=utf-8"},
        {{".js", 3}, "text/javascript"},
        {{".mjs", 4}, "text/javascript"},
        {{".json", 5}, "application/json"},
        {{".svg", 4}, "image/svg+xml"},
        {{".png", 4}, "image/png"},
        {{".jpg", 4}, "image/jpeg"},
        {{".webp", 5}, "image/webp"},
        {{".ico", 4}, "image/x-icon"},
        {{".woff2", 6}, "font/woff2"},
        {{".wasm", 5}, "application/wasm"},
        {{".txt", 4}, "text/plain; charset=utf-8"},
        {{".md", 3}, "text/markdown; charset=utf-8"},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct crier_slice ending = types[i].ending;

        if (file.len >= ending.len &&
            crier_slice_eq_nocase(crier_slice_sub(file, file.len - ending.len, ending.len),
                                  ending))
            return types[i].type;
    }
    return "application/octet-stream";
}

/* 0, or what failed. */
static int read_all(int fd, struct crier_buf *buf)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode))
        return -EINVAL;
    if (info.st_size > FILE_MOST)
        return -EMSGSIZE;
    if (crier_buf_reserve(buf, (size_t)info.st_size + 1) < 0)
        return -ENOMEM;
    while (buf->len < buf->cap) {
        ssize_t n = read(fd, buf->data + buf->len, buf->cap - buf->len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        buf->len += (size_t)n;
    }
    return -EMSGSIZE; /* it has grown meanwhile */
}

int crier_server_file(struct crier_server *server, const char *path, const char *file)
{
    struct crier_buf buf;
    int fd, r;

    if (!server)
        return CRIER_ENOMEM;
    if (runs(server))
        return CRIER_EBUSY;
    /* A pipe that nobody writes to is not waited for. */
    fd = open(file ? file : "", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    r = fd < 0 ? -errno : 0;
    crier_buf_init(&buf, server->mem);
    if (r == 0)
        r = read_all(fd, &buf);
    if (fd >= 0)
        close(fd);
    if (r < 0)
        (void)crier_server_fail(server, r, "cannot read %s: %s", file ? file : "",
                                r == -EINVAL ? "this is no file" : crier_strerror(r));
    else
        r = crier_server_static(server, path, type_of(crier_slice_of(file)),
                                crier_buf_slice(&buf));
    crier_buf_deinit(&buf);
    return r;
}

/* ---- mounts ----------------------------------------------------------------------------- */

static int mount(struct crier_server *server,
                 const char *path,
                 struct crier_hub *hub,
                 const struct crier_site *wish)
{
    struct crier_site site = *wish;
    int r;

    if (!server)
        return CRIER_ENOMEM;
    if (runs(server))
        return CRIER_EBUSY;
    if (!hub)
        return crier_server_fail(
            server, CRIER_ENOMEM,
            "cannot mount a hub at %s: it is NULL (out of memory, or one of "
            "its options is not valid)",
            path ? path : "");
    r = crier_hub_check(hub);
    if (r < 0)
        return crier_server_fail(server, r, "cannot mount a hub at %s: %s", path ? path : "",
                                 crier_hub_error(hub));
    r = crier_channel_of(server, hub, &site.channel);
    if (r < 0)
        return crier_server_fail(server, r, "out of memory");
    site.method = CRIER_SLICE("*");
    site.pattern = crier_slice_of(path);
    return add(server, &site);
}

static struct crier_site site_of(enum crier_site_kind kind,
                                 const struct crier_mount_options *options)
{
    struct crier_mount_options o;

    crier_options_read(&o, sizeof(o), options);
    return (struct crier_site){.kind = kind,
                               .may_subscribe = o.may_subscribe,
                               .may_publish = o.may_publish,
                               .ctx = o.ctx};
}

int crier_server_mount_with(struct crier_server *server,
                            const char *path,
                            struct crier_hub *hub,
                            const struct crier_mount_options *options)
{
    const struct crier_site site = site_of(CRIER_SITE_EVENTS, options);

    return mount(server, path, hub, &site);
}

int crier_server_mount_admin_with(struct crier_server *server,
                                  const char *path,
                                  struct crier_hub *hub,
                                  const struct crier_mount_options *options)
{
    const struct crier_site site = site_of(CRIER_SITE_ADMIN, options);

    return mount(server, path, hub, &site);
}

int crier_server_mount_by_config(struct crier_server *server,
                                 const char *path,
                                 struct crier_hub *hub,
                                 enum crier_site_kind kind)
{
    return mount(server, path, hub, &(struct crier_site){.kind = kind, .by_config = true});
}

int crier_server_live_page(struct crier_server *server, const char *path)
{
    if (!server)
        return CRIER_ENOMEM;
    return add(server, &(struct crier_site){.kind = CRIER_SITE_PAGE,
                                            .method = CRIER_SLICE("GET"),
                                            .pattern = crier_slice_of(path),
                                            .by_config = true});
}
