/* SPDX-License-Identifier: MIT */
/*
 * A program's options made into the configuration everybody reads. Zero is the default of each,
 * CRIER_OFF none or off where that means something; what cannot be meant is refused with a
 * sentence that names the option.
 */
#include "server/config.h"

#include "base/mem.h"
#include "http/target.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct limit {
    const char *fault;
    int64_t given;
    uint64_t *target; /* holds the default */
    bool may_be_off;  /* CRIER_OFF: 0 */
};

static const char *apply(const struct limit *limits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct limit *l = &limits[i];

        if (l->given == CRIER_OFF && l->may_be_off)
            *l->target = 0;
        else if (l->given < 0)
            return l->fault;
        else if (l->given > 0)
            *l->target = (uint64_t)l->given;
    }
    return NULL;
}

#define LIMIT(name, target, off)                                                               \
    {                                                                                          \
        "the option ." #name " is not valid", o->name, &c->target, off                         \
    }

static const char *set_limits(const struct crier_server_options *o, struct crier_config *c)
{
    const struct limit limits[] = {
        LIMIT(heartbeat_ms, heartbeat_ms, true),
        LIMIT(grace_ms, drain_ms, false),
        LIMIT(max_body, max_body, false),
        LIMIT(queue_bytes, queue_bytes, false),
        LIMIT(max_age_ms, max_age_ms, true),
        LIMIT(head_timeout_ms, head_timeout_ms, false),
        LIMIT(body_timeout_ms, body_timeout_ms, false),
        LIMIT(idle_timeout_ms, idle_timeout_ms, false),
        LIMIT(stall_timeout_ms, stall_timeout_ms, false),
        LIMIT(max_connections, max_connections, false),
        LIMIT(max_per_address, max_per_address, false),
    };

    const char *fault = apply(limits, sizeof(limits) / sizeof(limits[0]));

    if (c->heartbeat_ms > UINT32_MAX)
        c->heartbeat_ms = UINT32_MAX; /* what a stream has room for: 49 days */
    return fault;
}

static const char *set_retry(const struct crier_server_options *o, struct crier_config *c)
{
    if (o->retry_ms == 0)
        return NULL;
    if (o->retry_ms != CRIER_OFF && (o->retry_ms < 0 || o->retry_ms > 3600000))
        return "the option .retry_ms is not valid";
    c->retry_min_ms = c->retry_max_ms = o->retry_ms > 0 ? (uint32_t)o->retry_ms : 0;
    return NULL;
}

/* ---- addresses and names ---------------------------------------------------------------- */

#define NO_ADDRESS                                                                             \
    "the option .host is no address: write one such as 127.0.0.1, ::1, localhost or *"

static const char *set_address(const struct crier_server_options *o, struct crier_config *c)
{
    const char *host = o->host ? o->host : "127.0.0.1";
    bool bare = host[0] != '[' && strchr(host, ':');
    char text[300];
    int len;

    if (o->port < 0 || o->port > 65535)
        return "the option .port is not a port";
    /* Nothing is every address for crier_address_parse(), and may be an oversight here. */
    if (strcmp(host, "*") == 0)
        host = "";
    else if (!host[0])
        return NO_ADDRESS;
    len = snprintf(text, sizeof(text), bare ? "[%s]:%d" : "%s:%d", host, o->port);
    if (len < 0 || (size_t)len >= sizeof(text))
        return "the option .host is too long";
    if (crier_address_parse((struct crier_slice){text, (size_t)len}, c->listens,
                            &c->listen_count))
        return NO_ADDRESS;
    return NULL;
}

/* The next word of a list; NULL data: there is none. */
static struct crier_slice next_word(struct crier_slice *list)
{
    struct crier_slice word = {NULL, 0};

    while (list->data && !word.len)
        word = crier_slice_cut(list, ' ');
    return word.len ? word : (struct crier_slice){NULL, 0};
}

static bool is_host(struct crier_slice word)
{
    struct crier_authority authority;

    return crier_authority_parse(word, &authority) == 0 && authority.host.len > 0 &&
           !authority.has_port && crier_slice_find(word, ',') == word.len;
}

static bool is_origin(struct crier_slice word)
{
    struct crier_origin origin;

    return crier_slice_eq(word, CRIER_SLICE("*")) || crier_origin_parse(word, &origin) == 0;
}

static const char *
set_names(struct crier_slice hosts, struct crier_slice cors, struct crier_config *c)
{
    struct crier_slice word;

    while ((word = next_word(&hosts)).data) {
        if (crier_slice_eq(word, CRIER_SLICE("*")))
            c->any_host = true;
        else if (!is_host(word))
            return "the option .hosts is a list of names without scheme and port, separated "
                   "by spaces";
        else if (c->host_count == CRIER_CONFIG_HOSTS)
            return "the option .hosts has more than 32 names";
        else
            c->hosts[c->host_count++] = word;
    }
    while ((word = next_word(&cors)).data) {
        if (!is_origin(word))
            return "the option .cors is a list of origins such as https://app.example, "
                   "separated by spaces";
        if (c->origin_count == CRIER_CONFIG_ORIGINS)
            return "the option .cors has more than 64 origins";
        c->origins[c->origin_count++] = word;
    }
    return NULL;
}

/* The lists are looked at for as long as the server lives. */
static int copy_names(const struct crier_server_options *o,
                      const struct crier_mem *mem,
                      struct crier_config *c,
                      const char **ret_fault)
{
    struct crier_slice hosts = crier_slice_of(o->hosts), cors = crier_slice_of(o->cors);

    if (!hosts.len && !cors.len)
        return 0;
    c->texts = crier_mem_alloc(mem, hosts.len + cors.len);
    if (!c->texts)
        return -ENOMEM;
    if (hosts.len)
        memcpy(c->texts, hosts.data, hosts.len);
    if (cors.len)
        memcpy(c->texts + hosts.len, cors.data, cors.len);
    *ret_fault = set_names((struct crier_slice){c->texts, hosts.len},
                           (struct crier_slice){c->texts + hosts.len, cors.len}, c);
    return *ret_fault ? -EINVAL : 0;
}

/* ---- all of them ------------------------------------------------------------------------ */

static const char *set_options(const struct crier_server_options *o, struct crier_config *c)
{
    const char *fault;

    /* Before anything can be wrong: that is logged too. */
    c->on_log = o->on_log;
    c->log_ctx = o->log_ctx;
    if (o->log_level > CRIER_LOG_DEBUG)
        return "the option .log_level is none of enum crier_log_level";
    c->log_level = o->log_level;
    if (o->workers < 0 || o->workers > 256)
        return "the option .workers is a number from 1 to 256";
    c->workers = o->workers ? (unsigned)o->workers : 1;
    c->stop_on_signals = o->stop_on_signals;
    fault = set_address(o, c);
    if (!fault)
        fault = set_limits(o, c);
    return fault ? fault : set_retry(o, c);
}

int crier_config_from_options(const struct crier_server_options *o,
                              const struct crier_mem *mem,
                              struct crier_config *ret,
                              const char **ret_fault)
{
    int r;

    crier_config_defaults(ret);
    ret->library = true;
    *ret_fault = set_options(o, ret);
    if (*ret_fault)
        return -EINVAL;
    r = copy_names(o, mem, ret, ret_fault);
    if (r == 0 && o->bye)
        r = crier_encoded_new(o->bye, mem, &ret->bye);
    if (r == -EINVAL && !*ret_fault)
        *ret_fault = "the option .bye has a type or an id with a line end or a NUL in it";
    return r;
}

void crier_config_release(const struct crier_mem *mem, struct crier_config *config)
{
    config->bye = crier_encoded_unref(config->bye);
    config->texts = crier_mem_free(mem, config->texts);
}
