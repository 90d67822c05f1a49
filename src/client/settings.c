/* SPDX-License-Identifier: MIT */
/*
 * Options.
 *
 * All text lies in one buffer that is made large enough first, so that slices into it stay.
 *
 * A value that makes no sense is no reason not to make a client: it is told by the first step,
 * where the program looks anyway. What goes into a request is checked here once, so that
 * nothing a program passes on can end a line and begin another (RFC 9110 5.5), nor contradict
 * what the client itself writes about the message (RFC 9112 6).
 */
#include "client/settings.h"

#include "base/mem.h"
#include "client/url.h"
#include "http/field.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_MS = 10 * 1000, IDLE_MS = 45 * 1000, MAX_EVENT_BYTES = 32 * 1024 * 1024 };

struct crier_client_options crier_settings_read(const struct crier_client_options *options)
{
    struct crier_client_options read = {.size = sizeof(read)};

    /* 0: written without the macro, with this release's struct. */
    if (options)
        memcpy(&read, options,
               options->size && options->size < sizeof(read) ? options->size : sizeof(read));
    return read;
}

/* ---- checks ---- */

/* The first fault is the one that is told. */
static void CRIER_PRINTF(2, 3) blame(struct crier_settings *settings, const char *fmt, ...)
{
    va_list args;

    if (settings->fault[0])
        return;
    va_start(args, fmt);
    (void)vsnprintf(settings->fault, sizeof(settings->fault), fmt, args);
    va_end(args);
}

/* No control characters but the tabulator. */
static bool is_value(struct crier_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_one_of(struct crier_slice name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (crier_slice_eq_nocase(name, crier_slice_of(names[i])))
            return true;
    return false;
}

/* Those that describe the message and the connection are the client's to write, and two have
 * options of their own. */
static bool is_own_header(struct crier_slice name)
{
    static const char *const own[] = {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
        "proxy-connection",
        "last-event-id",
        "proxy-authorization",
    };

    return is_one_of(name, own, sizeof(own) / sizeof(*own));
}

static void check_header(struct crier_settings *settings,
                         const struct crier_client_header *header)
{
    struct crier_slice name = crier_slice_of(header->name);

    if (!crier_token_valid(name))
        blame(settings, "the name of a header is not valid");
    else if (!header->value || !is_value(crier_slice_of(header->value)))
        blame(settings, "the value of the header %.64s is not valid", header->name);
    else if (is_own_header(name))
        blame(settings, "the header %.64s is not for a program to set", header->name);
}

static void check_text(struct crier_settings *settings, const struct crier_client_options *o)
{
    static const char *const unfit[] = {"CONNECT", "TRACE", "HEAD"};
    struct crier_slice method = crier_slice_of(o->method);
    struct crier_url url;
    const char *fault =
        o->url ? crier_url_parse(crier_slice_of(o->url), &url) : "there is no URL to follow";

    if (fault)
        blame(settings, "%s", fault);
    if (o->method && !crier_token_valid(method))
        blame(settings, "the method is not valid");
    if (is_one_of(method, unfit, sizeof(unfit) / sizeof(*unfit)))
        blame(settings, "%s has no stream as its answer", o->method);
    if (o->content_type && !is_value(crier_slice_of(o->content_type)))
        blame(settings, "the content type is not valid");
    if (o->bearer && !is_value(crier_slice_of(o->bearer)))
        blame(settings, "the bearer token is not valid");
    if (o->last_event_id &&
        crier_slice_find_eol(crier_slice_of(o->last_event_id)) < strlen(o->last_event_id))
        blame(settings, "the last event id holds a line end");
    if (o->body.len > 0 && !o->body.data)
        blame(settings, "the body has a length, but there is none");
    if (o->header_count > 0 && !o->headers)
        blame(settings, "headers are counted, but there are none");
    for (size_t i = 0; o->headers && i < o->header_count; i++)
        check_header(settings, &o->headers[i]);
}

/* 0: the default. */
static uint64_t
number(struct crier_settings *settings, const char *name, int64_t value, uint64_t otherwise)
{
    if (value < 0)
        blame(settings, "%s must not be negative", name);
    return value > 0 ? (uint64_t)value : otherwise;
}

/* The same, or CRIER_OFF. */
static uint64_t
limit(struct crier_settings *settings, const char *name, int64_t value, uint64_t otherwise)
{
    if (value == CRIER_OFF)
        return CRIER_SETTINGS_NO_LIMIT;
    if (value < 0)
        blame(settings, "%s must not be negative, unless it is CRIER_OFF", name);
    return number(settings, name, value, otherwise);
}

static void read_numbers(struct crier_settings *settings, const struct crier_client_options *o)
{
    settings->connect_ms =
        limit(settings, "connect_timeout_ms", o->connect_timeout_ms, CONNECT_MS);
    settings->idle_ms = limit(settings, "idle_timeout_ms", o->idle_timeout_ms, IDLE_MS);
    settings->max_event_bytes =
        limit(settings, "max_event_bytes", o->max_event_bytes, MAX_EVENT_BYTES);
    settings->backoff = (struct crier_backoff_options){
        .first_ms = number(settings, "first_delay_ms", o->first_delay_ms, 0),
        .max_ms = number(settings, "max_delay_ms", o->max_delay_ms, 0),
        .healthy_ms = number(settings, "healthy_ms", o->healthy_ms, 0),
    };
}

/* ---- copies ---- */

static size_t text_size(const struct crier_client_options *o)
{
    size_t size = crier_slice_of(o->url).len + crier_slice_of(o->method).len + o->body.len +
                  crier_slice_of(o->content_type).len + crier_slice_of(o->bearer).len + 8;

    for (size_t i = 0; i < o->header_count; i++)
        size += crier_slice_of(o->headers[i].name).len +
                crier_slice_of(o->headers[i].value).len + 2;
    return size;
}

/* There is room. What is absent stays so. */
static struct crier_slice keep(struct crier_settings *settings, struct crier_slice text)
{
    struct crier_slice kept = {NULL, text.len};

    if (!text.data)
        return text;
    kept.data = settings->text.data + settings->text.len;
    crier_buf_append(&settings->text, text);
    crier_buf_byte(&settings->text, '\0');
    return kept;
}

static void keep_headers(struct crier_settings *settings, const struct crier_client_options *o)
{
    for (size_t i = 0; i < o->header_count; i++) {
        struct crier_settings_header *header = &settings->headers[i];

        header->name = keep(settings, crier_slice_of(o->headers[i].name));
        header->value = crier_slice_trim(keep(settings, crier_slice_of(o->headers[i].value)));
        header->secret = o->headers[i].secret ||
                         crier_slice_eq_nocase(header->name, CRIER_SLICE("authorization")) ||
                         crier_slice_eq_nocase(header->name, CRIER_SLICE("cookie"));
    }
    settings->header_count = o->header_count;
}

static int keep_all(struct crier_settings *settings, const struct crier_client_options *o)
{
    if (crier_buf_reserve(&settings->text, text_size(o)) < 0)
        return -ENOMEM;
    if (o->header_count > 0) {
        settings->headers =
            crier_mem_alloc(settings->mem, o->header_count * sizeof(*settings->headers));
        if (!settings->headers)
            return -ENOMEM;
        keep_headers(settings, o);
    }
    settings->url = keep(settings, crier_slice_of(o->url));
    settings->method =
        keep(settings, o->method ? crier_slice_of(o->method) : CRIER_SLICE("GET"));
    settings->body = keep(settings, o->body);
    settings->content_type = keep(settings, crier_slice_of(o->content_type));
    settings->bearer = keep(settings, crier_slice_of(o->bearer));
    settings->may_repeat = o->repeat || crier_slice_eq(settings->method, CRIER_SLICE("GET"));
    return 0;
}

/* The program may free what these point to. */
static void forget_text(struct crier_client_options *o)
{
    o->url = o->method = o->content_type = o->bearer = o->last_event_id = NULL;
    o->proxy = o->ca_file = NULL;
    o->headers = NULL;
    o->body = (struct crier_slice){NULL, 0};
}

int crier_settings_init(struct crier_settings *settings,
                        const struct crier_mem *mem,
                        const struct crier_client_options *options)
{
    int r = 0;

    *settings = (struct crier_settings){.mem = mem, .options = *options};
    crier_buf_init(&settings->text, mem);
    check_text(settings, options);
    read_numbers(settings, options);
    /* What is not valid is not copied: there may be no end to it. */
    if (!settings->fault[0])
        r = keep_all(settings, options);
    forget_text(&settings->options);
    return r;
}

void crier_settings_deinit(struct crier_settings *settings)
{
    if (!settings->mem)
        return;
    crier_buf_deinit(&settings->text);
    settings->headers = crier_mem_free(settings->mem, settings->headers);
}

bool crier_settings_have(const struct crier_settings *settings, struct crier_slice name)
{
    for (size_t i = 0; i < settings->header_count; i++)
        if (crier_slice_eq_nocase(settings->headers[i].name, name))
            return true;
    return false;
}
