/* SPDX-License-Identifier: MIT */
/*
 * A hub on disk: from the options to the journal, or to a hub that only knows why it cannot be
 * used. People name folders, rules and intervals, and other processes are in their way: so what
 * is wrong has to be told in words, where a bad number in a program's options need not be.
 */
#include "base/mem.h"
#include "durable/durable.h"
#include "durable/sync.h"
#include "local/hub.h"
#include <stdarg.h>

bool crier_hub_asks_for_disk(const struct crier_hub_options *options)
{
    return options->dir || options->sync || options->retain_count || options->file_bytes ||
           options->window_bytes || options->replay_bytes || options->pending_bytes;
}

static int fault_end(struct crier_hub *hub, int error)
{
    crier_buf_byte(&hub->fault, '\0');
    hub->error = error;
    return crier_buf_error(&hub->fault);
}

int crier_hub_refuse(struct crier_hub *hub, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    crier_buf_vprintf(&hub->fault, format, args);
    va_end(args);
    return fault_end(hub, error);
}

/* ---- options ----------------------------------------------------------------------------- */

/* NULL: they are read. */
static const char *read_sync(const struct crier_hub_options *options,
                             struct crier_durable_options *durable)
{
    return options->sync ? crier_sync_parse(crier_slice_of(options->sync), &durable->sync,
                                            &durable->sync_ms)
                         : NULL;
}

static const char *read_rules(const struct crier_hub_options *options,
                              struct crier_rules *rules,
                              const char **ret_rule)
{
    const char *fault = NULL;

    for (size_t i = 0; i < options->retain_count && !fault; i++) {
        *ret_rule = options->retain[i] ? options->retain[i] : "";
        fault = crier_rules_add(rules, crier_slice_of(*ret_rule));
    }
    return fault;
}

/* 0: they are read, or hub->error is set. */
static int read_options(struct crier_hub *hub,
                        const struct crier_hub_options *options,
                        struct crier_durable_options *durable,
                        struct crier_rules *rules)
{
    const char *fault, *rule = "";

    if (!options->dir || !options->dir[0])
        return crier_hub_refuse(hub, CRIER_EINVAL,
                                options->dir
                                    ? "the option .dir is empty: name a folder"
                                    : "an option for hubs on disk is set (.sync, .retain, "
                                      ".file_bytes, …): name the folder with .dir");
    if (options->file_bytes < 0)
        return crier_hub_refuse(hub, CRIER_EINVAL, "the option .file_bytes is negative");
    fault = read_sync(options, durable);
    if (fault)
        return crier_hub_refuse(hub, CRIER_EINVAL, "the option .sync is \"%s\": %s",
                                options->sync, fault);
    fault = read_rules(options, rules, &rule);
    if (fault)
        return crier_hub_refuse(hub, CRIER_EINVAL, "the option .retain has \"%s\": %s", rule,
                                fault);
    durable->dir = options->dir;
    durable->max_file_bytes = (uint64_t)options->file_bytes;
    return 0;
}

/* ---- opening ----------------------------------------------------------------------------- */

/* As public errors tell it: that a file is no journal is none of UTF-8's. */
static int public_error(int error)
{
    return error == -EILSEQ ? CRIER_EPROTO : error;
}

static int
open_journal(struct crier_hub *hub, unsigned epoch, const struct crier_durable_options *durable)
{
    int r = crier_durable_open(hub->mem, &hub->hash_key, epoch, durable, crier_hub_now(hub),
                               &hub->journal, &hub->fault);

    if (r == -ENOMEM)
        return r;
    if (r == 0) {
        hub->hash_key = hub->journal->hash_key;
        return 0;
    }
    r = public_error(r);
    if (!hub->fault.len)
        return crier_hub_refuse(hub, r, "cannot keep history in %s: %s", durable->dir,
                                crier_strerror(r));
    return fault_end(hub, r);
}

int crier_hub_open_disk(struct crier_hub *hub,
                        unsigned epoch,
                        const struct crier_hub_options *options)
{
    struct crier_durable_options durable = {.limits = &hub->limits};
    struct crier_rules *rules = crier_mem_zalloc(hub->mem, sizeof(*rules));
    int r;

    if (!rules)
        return -ENOMEM;
    durable.rules = rules;
    r = read_options(hub, options, &durable, rules);
    if (r == 0 && !hub->error)
        r = open_journal(hub, epoch, &durable);
    crier_mem_free(hub->mem, rules);
    return r;
}
