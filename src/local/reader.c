/* SPDX-License-Identifier: MIT */
/*
 * A reader: a position in the journal, and a little that was read ahead.
 *
 *     id             position                        the journal's end
 *     v              v                               v
 *     . . . . . . . .|. . . . . . . . . . . . . . . .|
 *      `-- ahead ---'  not looked at
 *
 * next() hands out what is ahead, and reads on when that is used up: a slice of at most
 * READ_AHEAD bytes, copied, so that nothing of history is held. What was read ahead is handed
 * out whatever becomes of it in history meanwhile. Gaps are told where they are: those at the
 * start by the first next(), later ones by the scan that comes upon them, before what is behind
 * them.
 *
 * The descriptor, once it was asked for:
 *
 *     awake, readable --next() at the end: crier_journal_watch, drain--> asleep, not readable
 *           ^                                                               |
 *           '------------- an append, in any thread: wake() ----------------'
 *
 * Invariants
 *   (1) with a descriptor: it is readable, or the watch is asleep, or an appender is about to
 *       signal it
 *   (2) asleep: position is the end but for events that are not for it, nothing is ahead
 *   (3) nothing after `id` and matching is lost in silence
 *
 * Threads: one at a time, but for wake(). What can fail: memory (the position stays, the next
 * call tries again), and the making of the descriptor.
 */
#include "base/mem.h"
#include "base/options.h"
#include "hub/since.h"
#include "hub/subscription.h"
#include "hub/topic.h"
#include "local/hub.h"
#include "local/message.h"
#include "net/wake.h"

enum {
    READ_AHEAD = 64 << 10, /* bytes of messages; one event at least */
    KEEP_BUSY = 256 << 10, /* memory kept while there is more to read … */
    KEEP_IDLE = 4 << 10,   /* … and when there is not */
    RACES = 3,             /* looks at the end before a descriptor stays readable in vain */
};

struct crier_reader {
    struct crier_hub *hub;
    struct crier_subscription *subscription; /* NULL: the options are not valid */
    int error;                               /* then */
    const char *fault;                       /* "": they are */
    struct crier_id id;                      /* of what was handed out last, or of the start */
    uint64_t position;                       /* read so far */
    uint64_t losses;                         /* the journal's, at the start or the last gap */
    uint64_t *picks; /* the newest of each topic, first of all; then … */
    size_t pick_count;
    uint64_t until;         /* … it goes on here */
    struct crier_start gap; /* to be told, unless CRIER_GAP_NONE */
    struct crier_messages ahead;
    struct crier_wake wake; /* fd < 0: nobody has asked for it */
    struct crier_watch watch;
};

/* ---- options ----------------------------------------------------------------------------- */

struct reading {
    struct crier_slice selectors[CRIER_SUBSCRIPTION_SELECTORS];
    struct crier_slice types[CRIER_SUBSCRIPTION_TYPES];
    struct crier_wish wish;
    struct crier_since since;
};

static int invalid(struct crier_reader *reader, int error, const char *fault)
{
    reader->error = error;
    reader->fault = fault;
    return error;
}

static int add_selector(struct crier_reader *reader, struct reading *reading, const char *text)
{
    const char *fault = crier_selector_fault(crier_slice_of(text));

    if (fault)
        return invalid(reader, CRIER_EINVAL, fault);
    if (reading->wish.selector_count == CRIER_SUBSCRIPTION_SELECTORS)
        return invalid(reader, CRIER_E2BIG,
                       "A reader has at most 100 selectors: use a pattern.");
    reading->selectors[reading->wish.selector_count++] = crier_slice_of(text);
    return 0;
}

static int read_selectors(struct crier_reader *reader,
                          struct reading *reading,
                          const struct crier_reader_options *options)
{
    int r = 0;

    if (options->selector)
        r = add_selector(reader, reading, options->selector);
    for (size_t i = 0; i < options->selector_count && r == 0; i++)
        r = add_selector(reader, reading, options->selectors[i]);
    if (r == 0 && !reading->wish.selector_count)
        return invalid(reader, CRIER_EINVAL,
                       "A reader needs a selector: a topic or a pattern.");
    return r;
}

static int read_types(struct crier_reader *reader,
                      struct reading *reading,
                      const struct crier_reader_options *options)
{
    if (options->type_count > CRIER_SUBSCRIPTION_TYPES)
        return invalid(reader, CRIER_E2BIG, "A reader can name at most 100 event types.");
    for (size_t i = 0; i < options->type_count; i++) {
        struct crier_slice type = crier_slice_of(options->types[i]);

        if (crier_slice_find_eol(type) < type.len)
            return invalid(reader, CRIER_EINVAL,
                           "An event type cannot have CR or LF in it, so no event will ever "
                           "have this one.");
        reading->types[i] = type;
    }
    reading->wish.type_count = options->type_count;
    return 0;
}

/* What is empty is absent. */
static int read_start(struct crier_reader *reader,
                      struct reading *reading,
                      const struct crier_reader_options *options,
                      struct crier_now now)
{
    struct crier_slice last_id = crier_slice_of(options->last_id);
    struct crier_slice since = crier_slice_of(options->since);
    const char *fault = NULL;

    reading->since = (struct crier_since){.kind = CRIER_SINCE_NOW};
    if (since.len)
        fault = crier_since_fault(since, now, &reading->since);
    if (fault)
        return invalid(reader, CRIER_EINVAL, fault);
    if (last_id.len)
        reading->since = crier_since_last_id(last_id);
    return 0;
}

static int read_options(struct crier_reader *reader,
                        struct reading *reading,
                        const struct crier_reader_options *options,
                        struct crier_now now)
{
    int r;

    reading->wish =
        (struct crier_wish){.selectors = reading->selectors, .types = reading->types};
    r = read_selectors(reader, reading, options);
    if (r == 0)
        r = read_types(reader, reading, options);
    if (r == 0)
        r = read_start(reader, reading, options, now);
    if (r < 0)
        return r;
    r = crier_subscription_new(reader->hub->mem, reader->hub->journal, &reading->wish,
                               &reader->subscription);
    if (r == CRIER_E2BIG)
        return invalid(reader, r, "A reader has at most 10 patterns: use wider ones.");
    return r;
}

/* ---- life -------------------------------------------------------------------------------- */

static int
locate(struct crier_reader *reader, const struct crier_since *since, struct crier_now now)
{
    struct crier_start start;
    int r = crier_journal_locate(reader->hub->journal, &reader->subscription->filter, since,
                                 now, NULL, &start);

    if (r < 0)
        return r;
    reader->position = start.position;
    reader->losses = start.losses;
    reader->picks = start.picks;
    reader->pick_count = start.pick_count;
    reader->until = start.until;
    reader->gap = start;
    /* Until a gap is told it would be told again. */
    reader->id = start.gap && since->kind == CRIER_SINCE_ID ? since->id : start.id;
    return 0;
}

static void wake(void *ctx)
{
    struct crier_reader *reader = ctx;

    crier_wake_signal(&reader->wake);
}

static void set_interest(struct crier_reader *reader)
{
    const struct crier_filter *filter = &reader->subscription->filter;
    struct crier_watch *watch = &reader->watch;

    watch->wake = wake;
    watch->wake_ctx = reader;
    if (filter->match)
        crier_interest_all(&watch->interest);
    else if (filter->topic_count == 1)
        watch->only = filter->topic_hashes[0];
    for (size_t i = 0; i < filter->topic_count; i++)
        crier_interest_add(&watch->interest, filter->topic_hashes[i]);
}

struct crier_reader *crier_reader_new_with(struct crier_hub *hub,
                                           const struct crier_reader_options *options)
{
    struct crier_reader_options o;
    struct crier_reader *reader;
    struct reading reading;
    int r;

    if (!hub)
        return NULL;
    crier_options_read(&o, sizeof(o), options);
    reader = crier_mem_zalloc(hub->mem, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->hub = crier_hub_ref(hub);
    reader->fault = "";
    reader->wake.fd = -1;
    crier_messages_init(&reader->ahead, hub->mem);

    struct crier_now now = crier_hub_now(hub);
    r = read_options(reader, &reading, &o, now);
    if (r == 0)
        r = locate(reader, &reading.since, now);
    if (r < 0 && !reader->error)
        return crier_reader_free(reader);
    if (reader->subscription)
        set_interest(reader);
    return reader;
}

struct crier_reader *crier_reader_free(struct crier_reader *reader)
{
    if (!reader)
        return NULL;

    struct crier_hub *hub = reader->hub;
    if (reader->wake.fd >= 0) {
        crier_journal_unwatch(hub->journal, &reader->watch);
        crier_wake_deinit(&reader->wake);
    }
    crier_messages_deinit(&reader->ahead);
    crier_mem_free(hub->mem, reader->picks);
    crier_subscription_free(reader->subscription);
    crier_mem_free(hub->mem, reader);
    crier_hub_unref(hub);
    return NULL;
}

/* ---- reading on -------------------------------------------------------------------------- */

struct gather {
    struct crier_reader *reader;
    bool starved;
};

/* Under which of its topics is the event followed? */
static struct crier_slice followed_topic(const struct crier_filter *filter,
                                         const struct crier_record *record)
{
    for (size_t i = 0; i < record->topic_count; i++) {
        if (crier_filter_topic(filter, record->topics[i], record->topic_hashes[i]))
            return record->topics[i];
    }
    return record->topics[0];
}

static int gather_event(void *ctx, const struct crier_record *record)
{
    struct gather *gather = ctx;
    struct crier_messages *ahead = &gather->reader->ahead;
    const struct crier_filter *filter = &gather->reader->subscription->filter;

    if (crier_messages_add(ahead, record, followed_topic(filter, record)) < 0) {
        gather->starved = true;
        return CRIER_SCAN_STOP;
    }
    return ahead->buf.len >= READ_AHEAD ? CRIER_SCAN_TAKEN : 0;
}

static void move_to(struct crier_reader *reader, uint64_t position)
{
    reader->position = position;
    if (reader->picks && position >= reader->picks[reader->pick_count - 1]) {
        reader->picks = crier_mem_free(reader->hub->mem, reader->picks);
        reader->position = reader->until;
    }
}

/* Reads a slice. 0: something is ahead, or a gap is to be told, or there may be more;
 * CRIER_EMPTY: it stands at the end; -ENOMEM. */
static int read_on(struct crier_reader *reader, struct crier_now now)
{
    struct gather gather = {.reader = reader};
    struct crier_start gap;
    struct crier_scan scan = {
        .filter = &reader->subscription->filter,
        .position = reader->position,
        .until = reader->picks ? reader->until : UINT64_MAX,
        .now_boot_ms = now.boot_ms,
        .picks = reader->picks,
        .pick_count = reader->pick_count,
        .losses = reader->losses,
    };

    crier_messages_clear(&reader->ahead, KEEP_BUSY);
    int r = crier_journal_scan(reader->hub->journal, &scan, gather_event, &gather, &gap);
    if (r < 0)
        return r;
    if (r == CRIER_SCAN_GAP) {
        reader->gap = gap;
        reader->position = gap.position;
        reader->losses = gap.losses;
        return 0;
    }
    bool moved = scan.position != reader->position;
    move_to(reader, scan.position);
    if (gather.starved && crier_messages_empty(&reader->ahead))
        return -ENOMEM;
    /* A look without a move is one at what left history this moment: a gap comes next. */
    return moved || scan.looks ? 0 : CRIER_EMPTY;
}

static bool is_asleep(const struct crier_reader *reader)
{
    return atomic_load_explicit(&reader->watch.asleep, memory_order_acquire);
}

/* At the end. false: something has come meanwhile. The descriptor is drained once it sleeps: by
 * then no signal of the last sleep is on its way any more, and one of this sleep that went with
 * them is given back. */
static bool fall_asleep(struct crier_reader *reader)
{
    reader->watch.position = reader->position;
    if (crier_journal_watch(reader->hub->journal, &reader->watch)) {
        crier_wake_drain(&reader->wake);
        if (is_asleep(reader))
            return true;
    }
    crier_wake_signal(&reader->wake);
    return false;
}

/* ---- public ------------------------------------------------------------------------------ */

static const char *reason_of(enum crier_gap gap)
{
    return gap == CRIER_GAP_LAGGED    ? "lagged"
           : gap == CRIER_GAP_EVICTED ? "evicted"
                                      : "unknown";
}

static int tell_gap(struct crier_reader *reader, struct crier_message *ret_message)
{
    struct crier_message message = {.id = reader->gap.id};

    message.gap.reason = reason_of(reader->gap.gap);
    message.gap.has_oldest = reader->gap.has_oldest;
    message.gap.oldest = reader->gap.oldest;
    reader->id = reader->gap.id;
    reader->gap.gap = CRIER_GAP_NONE;
    *ret_message = message;
    return CRIER_GAP;
}

static int take(struct crier_reader *reader, struct crier_message *ret_message)
{
    if (reader->gap.gap)
        return tell_gap(reader, ret_message);
    if (!crier_messages_take(&reader->ahead, ret_message))
        return CRIER_EMPTY;
    reader->id = ret_message->id;
    return 0;
}

int crier_reader_next(struct crier_reader *reader, struct crier_message *ret_message)
{
    int r, races = 0;

    if (!reader)
        return CRIER_ENOMEM;
    if (reader->error)
        return reader->error;

    struct crier_now now = crier_hub_now(reader->hub);
    crier_hub_age(reader->hub, now);
    if (is_asleep(reader))
        return CRIER_EMPTY;
    /* So far there was nothing for it while it slept. */
    if (reader->watch.position > reader->position)
        reader->position = reader->watch.position;
    while ((r = take(reader, ret_message)) == CRIER_EMPTY) {
        r = read_on(reader, now);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        crier_messages_clear(&reader->ahead, KEEP_IDLE);
        if (reader->wake.fd < 0 || fall_asleep(reader) || ++races == RACES)
            return CRIER_EMPTY;
    }
    return r;
}

int crier_reader_fd(struct crier_reader *reader)
{
    if (!reader)
        return CRIER_ENOMEM;
    if (reader->wake.fd >= 0)
        return reader->wake.fd;

    int r = crier_wake_init(&reader->wake);
    if (r < 0)
        return r == -ENFILE ? CRIER_EMFILE : r;
    if (reader->error || reader->gap.gap || reader->picks ||
        !crier_messages_empty(&reader->ahead))
        crier_wake_signal(&reader->wake);
    else
        (void)fall_asleep(reader);
    return reader->wake.fd;
}

struct crier_id crier_reader_position(const struct crier_reader *reader)
{
    return reader ? reader->id : (struct crier_id){0, 0};
}

const char *crier_reader_error(const struct crier_reader *reader)
{
    return reader ? reader->fault : crier_strerror(CRIER_ENOMEM);
}
