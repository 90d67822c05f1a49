/* SPDX-License-Identifier: MIT */
/* crier journal info, verify and compact: what is in the folder, whether it is sound, and the
 * file written anew. */
#include "cli/journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include <string.h>

typedef unsigned long long ull; /* for printf */

/* ---- info -------------------------------------------------------------------------------- */

struct about {
    const struct crier_journal_flags *flags;
    struct crier_store *store;
    const struct crier_store_totals *totals;
    struct crier_id first, last;
    uint64_t writer; /* the process that has it open for writing; 0: none */
    struct crier_buf out;
};

/* ---- for people ---- */

static void add_name(struct about *a, const char *name)
{
    crier_buf_printf(&a->out, "%-12s", name);
}

static void add_size(struct about *a, const char *before, uint64_t bytes, const char *behind)
{
    crier_buf_append(&a->out, crier_slice_of(before));
    crier_journal_size(&a->out, bytes);
    crier_buf_append(&a->out, crier_slice_of(behind));
}

/* Ids begin with the milliseconds they were given in. */
static void add_end(struct about *a, const char *name, struct crier_id id)
{
    add_name(a, name);
    crier_id_append(&a->out, id);
    crier_buf_append(&a->out, CRIER_SLICE("  "));
    crier_time_format(&a->out, id.ms);
    crier_buf_byte(&a->out, '\n');
}

static void add_limits(struct crier_buf *out, const struct crier_rule *limits)
{
    const char *comma = "";

    if (limits->max_events > 0) {
        crier_buf_printf(out, "%llu", (ull)limits->max_events);
        comma = ",";
    }
    if (limits->max_bytes > 0) {
        crier_buf_append(out, crier_slice_of(comma));
        crier_buf_printf(out, "%lluB", (ull)limits->max_bytes);
        comma = ",";
    }
    if (limits->max_age_ms > 0)
        crier_buf_printf(out, "%s%llums", comma, (ull)limits->max_age_ms);
}

static void add_share(struct about *a, const struct crier_store_share *share, bool first)
{
    add_name(a, first ? "shares" : "");
    crier_buf_printf(&a->out, "%s: %llu events, ",
                     share->rule ? share->rule->selector : "what no rule takes",
                     (ull)share->events);
    crier_journal_size(&a->out, share->bytes);
    if (share->kept_events > 0) {
        crier_buf_printf(&a->out, ", and %llu kept aside, ", (ull)share->kept_events);
        crier_journal_size(&a->out, share->kept_bytes);
    }
    if (share->rule) {
        crier_buf_append(&a->out, CRIER_SLICE(" (at most "));
        add_limits(&a->out, share->rule);
        crier_buf_byte(&a->out, ')');
    }
    crier_buf_byte(&a->out, '\n');
}

static void add_history(struct about *a)
{
    const struct crier_store_totals *t = a->totals;
    struct crier_store_share share;

    add_name(a, "events");
    crier_buf_printf(&a->out, "%llu in %llu topics", (ull)t->events, (ull)t->topics);
    add_size(a, ", ", t->bytes, " encoded\n");
    if (t->events > 0) {
        add_end(a, "oldest", a->first);
        add_end(a, "newest", a->last);
    }
    add_name(a, "kept aside");
    crier_buf_printf(&a->out, "%llu of these events", (ull)t->kept_events);
    add_size(a, ", ", t->kept_bytes, ": the newest of topics gone quiet\n");
    if (!crier_store_share(a->store, 1, &share)) /* without rules there is but one */
        return;
    for (size_t i = 0; crier_store_share(a->store, i, &share); i++)
        add_share(a, &share, i == 0);
}

static void show(struct about *a)
{
    add_name(a, "folder");
    crier_buf_printf(&a->out, "%s\n", a->flags->data);
    add_name(a, "format");
    crier_buf_printf(&a->out, "%u, ids of epoch %u\n", CRIER_STORE_FORMAT, a->totals->epoch);
    add_name(a, "open");
    if (a->writer > 0)
        crier_buf_printf(&a->out, "by process %llu\n", (ull)a->writer);
    else
        crier_buf_append(&a->out, CRIER_SLICE("no\n"));
    add_name(a, "file");
    add_size(a, "", a->totals->file_bytes, ", ");
    add_size(a, "", a->totals->free_bytes, " of it free, to be used again\n");
    add_history(a);
}

/* ---- for programs ---- */

static void add_json_id(struct about *a, const char *name, struct crier_id id)
{
    crier_buf_printf(&a->out, ",\"%s\":", name);
    if (a->totals->events == 0) {
        crier_buf_append(&a->out, CRIER_SLICE("null"));
        return;
    }
    crier_buf_byte(&a->out, '"');
    crier_id_append(&a->out, id);
    crier_buf_byte(&a->out, '"');
}

static void add_json_time(struct about *a, const char *name, struct crier_id id)
{
    if (a->totals->events == 0)
        return;
    crier_buf_printf(&a->out, ",\"%s\":\"", name);
    crier_time_format(&a->out, id.ms);
    crier_buf_byte(&a->out, '"');
}

/* Its limits that are there. */
static void add_json_rule(struct about *a, const struct crier_rule *rule)
{
    crier_buf_append(&a->out, CRIER_SLICE(",\"selector\":"));
    crier_buf_json_string(&a->out, crier_slice_of(rule->selector));
    if (rule->max_events > 0)
        crier_buf_printf(&a->out, ",\"max_events\":%llu", (ull)rule->max_events);
    if (rule->max_bytes > 0)
        crier_buf_printf(&a->out, ",\"max_bytes\":%llu", (ull)rule->max_bytes);
    if (rule->max_age_ms > 0)
        crier_buf_printf(&a->out, ",\"max_age_ms\":%llu", (ull)rule->max_age_ms);
}

static void add_json_shares(struct about *a)
{
    struct crier_store_share share;

    crier_buf_append(&a->out, CRIER_SLICE(",\"shares\":["));
    for (size_t i = 0; crier_store_share(a->store, i, &share); i++) {
        crier_buf_printf(&a->out,
                         "%s{\"events\":%llu,\"bytes\":%llu,\"kept_events\":%llu,"
                         "\"kept_bytes\":%llu",
                         i > 0 ? "," : "", (ull)share.events, (ull)share.bytes,
                         (ull)share.kept_events, (ull)share.kept_bytes);
        if (share.rule)
            add_json_rule(a, share.rule);
        crier_buf_byte(&a->out, '}');
    }
    crier_buf_byte(&a->out, ']');
}

static void show_json(struct about *a)
{
    const struct crier_store_totals *t = a->totals;

    crier_buf_append(&a->out, CRIER_SLICE("{\"folder\":"));
    crier_buf_json_string(&a->out, crier_slice_of(a->flags->data));
    crier_buf_printf(&a->out, ",\"format\":%u,\"epoch\":%u", CRIER_STORE_FORMAT, t->epoch);
    if (a->writer > 0)
        crier_buf_printf(&a->out, ",\"writer\":%llu", (ull)a->writer);
    else
        crier_buf_append(&a->out, CRIER_SLICE(",\"writer\":null"));
    crier_buf_printf(&a->out,
                     ",\"file_bytes\":%llu,\"free_bytes\":%llu,\"events\":%llu,\"bytes\":%llu,"
                     "\"topics\":%llu,\"kept_events\":%llu,\"kept_bytes\":%llu",
                     (ull)t->file_bytes, (ull)t->free_bytes, (ull)t->events, (ull)t->bytes,
                     (ull)t->topics, (ull)t->kept_events, (ull)t->kept_bytes);
    add_json_id(a, "first", a->first);
    add_json_id(a, "last", a->last);
    add_json_time(a, "first_time", a->first);
    add_json_time(a, "last_time", a->last);
    add_json_shares(a);
    crier_buf_append(&a->out, CRIER_SLICE("}\n"));
}

static int show_about(struct about *a)
{
    int r = crier_store_ends(a->store, &a->first, &a->last);
    int status;

    if (r == 0)
        r = crier_store_holder(a->flags->data, &a->writer);
    if (r < 0)
        return crier_journal_failed("cannot read the journal", r);
    a->totals = crier_store_totals(a->store);
    crier_buf_init(&a->out, &crier_mem_libc);
    if (a->flags->json)
        show_json(a);
    else
        show(a);
    status = crier_journal_print(&a->out);
    crier_buf_deinit(&a->out);
    return status < 0 ? CRIER_EXIT_DONE : status;
}

int crier_journal_info(const struct crier_journal_flags *flags)
{
    struct about a = {.flags = flags};
    int status = crier_journal_open(flags, CRIER_JOURNAL_LOOK, &a.store);

    if (status < 0)
        status = show_about(&a);
    a.store = crier_store_close(a.store);
    return status;
}

/* ---- verify ------------------------------------------------------------------------------ */

struct verdict {
    uint64_t faults;
    bool unheard; /* nobody reads what is written */
};

static void add_fault(void *ctx, const char *fault)
{
    struct verdict *verdict = ctx;
    struct crier_buf line;

    verdict->faults++;
    if (verdict->unheard)
        return;
    crier_buf_init(&line, &crier_mem_libc);
    crier_buf_printf(&line, "%s\n", fault);
    verdict->unheard = crier_journal_print(&line) >= 0;
    crier_buf_deinit(&line);
}

static int show_sound(const struct crier_store *store)
{
    const struct crier_store_totals *totals = crier_store_totals(store);
    struct crier_buf line;
    int status;

    crier_buf_init(&line, &crier_mem_libc);
    crier_buf_printf(&line, "sound: %llu events in %llu topics\n", (ull)totals->events,
                     (ull)totals->topics);
    status = crier_journal_print(&line);
    crier_buf_deinit(&line);
    return status < 0 ? CRIER_EXIT_DONE : status;
}

int crier_journal_verify(const struct crier_journal_flags *flags)
{
    struct verdict verdict = {.faults = 0};
    struct crier_store *store = NULL;
    int status = crier_journal_open(flags, CRIER_JOURNAL_LOOK, &store), r;

    if (status >= 0)
        return status;
    r = crier_store_verify(store, add_fault, &verdict);
    if (r == 0) {
        status = show_sound(store);
    } else if (r == -EUCLEAN) {
        crier_command_say(
            &crier_journal_command,
            "%s is damaged: %llu faults. Save what can be read with crier journal "
            "export, and import it, or a backup, into a new folder",
            flags->data, (ull)verdict.faults);
        status = CRIER_EXIT_FAILED;
    } else {
        status = crier_journal_failed("cannot read the journal", r);
    }
    store = crier_store_close(store);
    return status;
}

/* ---- compact ----------------------------------------------------------------------------- */

static int
show_compacted(const struct crier_journal_flags *flags, uint64_t before, uint64_t after)
{
    struct crier_buf line;
    int status;

    crier_buf_init(&line, &crier_mem_libc);
    crier_buf_printf(&line, "%s: from ", flags->data);
    crier_journal_size(&line, before);
    crier_buf_append(&line, CRIER_SLICE(" to "));
    crier_journal_size(&line, after);
    crier_buf_byte(&line, '\n');
    status = crier_journal_print(&line);
    crier_buf_deinit(&line);
    return status < 0 ? CRIER_EXIT_DONE : status;
}

/* -1: nobody has it. Otherwise it has been said who, and why that is no loss. */
static int check_free(const struct crier_journal_flags *flags)
{
    uint64_t writer = 0;

    if (crier_store_holder(flags->data, &writer) < 0 || writer == 0)
        return -1;
    crier_command_say(&crier_journal_command,
                      "%s: process %llu has it open, and the file cannot be replaced under it. "
                      "Stop it first; or leave it, for free pages in the file are used again "
                      "before it grows",
                      flags->data, (ull)writer);
    return CRIER_EXIT_FAILED;
}

int crier_journal_compact(const struct crier_journal_flags *flags)
{
    struct crier_store *store = NULL;
    struct crier_buf fault;
    uint64_t before, after;
    int status = check_free(flags), r;

    if (status < 0)
        status = crier_journal_open(flags, CRIER_JOURNAL_CHANGE, &store);
    if (status >= 0)
        return status;
    crier_buf_init(&fault, &crier_mem_libc);
    r = crier_store_compact(store, &before, &after, &fault);
    if (r == 0)
        status = show_compacted(flags, before, after);
    else if (fault.len > 0)
        crier_command_say(&crier_journal_command, "%.*s",
                          CRIER_SLICE_ARG(crier_buf_slice(&fault)));
    else
        (void)crier_journal_failed("cannot compact", r);
    crier_buf_deinit(&fault);
    return r < 0 ? CRIER_EXIT_FAILED : status;
}
