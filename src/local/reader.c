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
 * Sleep has two kinds: for news, at the end, once there is a descriptor to announce them; and
 * for the disk, where what is asked (the start, or a slice) has to be read first. Then next()
 * asks the same again when it is woken, and has nothing to say until then.
 *
 *     awake, readable --next() at the end: crier_journal_watch, drain--> asleep, not readable
 *       |   ^   ^                                                           |
 *       |   |   '--------- an append, in any thread: news() ----------------'
 *       |   '------------- it can be answered, in any thread: answer() -----.
 *       '--next(): CRIER_WAIT, drain--> waiting, not readable --------------'
 *
 * What cannot be read from disk is answered, and asked again by the next next(): the position
 * stays, and the descriptor readable.
 *
 * Invariants
 *   (1) with a descriptor: it is readable, or the watch is asleep, or it waits, or somebody is
 *       about to signal it
 *   (2) asleep: position is the end but for events that are not for it, nothing is ahead
 *   (3) nothing after `id` and matching is lost in silence
 *
 * Threads: one at a time, but for news() and answer(). The latter may come before there is a
 * descriptor: it says so in `waiting` first and looks for one (`announced`) then; who makes one
 * does it the other way round, so that one of them sees the other.
 * What can fail: memory and the disk (the position stays, the next call tries again), and the
 * making of the descriptor.
 */
#include "base/mem.h"
#include "base/options.h"
#include "local/message.h"
#include "local/wish.h"
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
    struct crier_wait wait;
    bool asking;              /* it has to ask the same again */
    _Atomic bool waiting;     /* for the disk */
    _Atomic bool announced;   /* wake is made */
    bool located;             /* it has a position; until then it asks, … */
    struct crier_since since; /* … this … */
    struct crier_now asked;   /* … as it was meant when it was made */
};

/* ---- the start, and who wakes it --------------------------------------------------------- */

static bool is_waiting(const struct crier_reader *reader)
{
    return atomic_load(&reader->waiting);
}

/* Before each question: from then on it may be woken. */
static struct crier_wait *begin_question(struct crier_reader *reader)
{
    atomic_store(&reader->waiting, true);
    return &reader->wait;
}

/* `result`: what it was answered. It waits: what made the descriptor readable is used up, but
 * not a signal that came for this question meanwhile. */
static void end_question(struct crier_reader *reader, int result)
{
    reader->asking = result == CRIER_WAIT;
    if (result != CRIER_WAIT) {
        atomic_store(&reader->waiting, false);
    } else if (reader->wake.fd >= 0) {
        crier_wake_drain(&reader->wake);
        if (!is_waiting(reader))
            crier_wake_signal(&reader->wake);
    }
}

static void answer(struct crier_wait *wait)
{
    struct crier_reader *reader = CRIER_CONTAINER(wait, struct crier_reader, wait);

    atomic_store(&reader->waiting, false);
    if (atomic_load(&reader->announced))
        crier_wake_signal(&reader->wake);
}

/* 0, CRIER_WAIT, -ENOMEM, -EIO. */
static int locate(struct crier_reader *reader)
{
    struct crier_start start;
    int r = crier_journal_locate(reader->hub->journal, &reader->subscription->filter,
                                 &reader->since, reader->asked, begin_question(reader), &start);

    end_question(reader, r);
    if (r != 0)
        return r;
    reader->located = true;
    reader->position = start.position;
    reader->losses = start.losses;
    reader->picks = start.picks;
    reader->pick_count = start.pick_count;
    reader->until = start.until;
    reader->gap = start;
    /* Until a gap is told it would be told again. */
    reader->id =
        start.gap && reader->since.kind == CRIER_SINCE_ID ? reader->since.id : start.id;
    return 0;
}

static void news(void *ctx)
{
    struct crier_reader *reader = ctx;

    crier_wake_signal(&reader->wake);
}

static void set_interest(struct crier_reader *reader)
{
    const struct crier_filter *filter = &reader->subscription->filter;
    struct crier_watch *watch = &reader->watch;

    watch->wake = news;
    watch->wake_ctx = reader;
    if (filter->match)
        crier_interest_all(&watch->interest);
    else if (filter->topic_count == 1)
        watch->only = filter->topic_hashes[0];
    for (size_t i = 0; i < filter->topic_count; i++)
        crier_interest_add(&watch->interest, filter->topic_hashes[i]);
}

/* ---- life -------------------------------------------------------------------------------- */

/* 0: it can be asked, and will say what is wrong if something is; -ENOMEM. */
static int set_up(struct crier_reader *reader, const struct crier_reader_options *options)
{
    struct crier_hub *hub = reader->hub;
    int r = hub->error;

    reader->asked = crier_hub_now(hub);
    reader->fault = crier_hub_error(hub);
    if (r == 0)
        r = crier_wish_read(hub, options, reader->asked, &reader->subscription, &reader->since,
                            &reader->fault);
    if (r < 0 && !reader->fault[0])
        return r;
    reader->error = r;
    if (r < 0)
        return 0;
    set_interest(reader);
    /* Has the disk to be waited for, or cannot be read, next() asks again. */
    r = locate(reader);
    return r == -ENOMEM ? r : 0;
}

struct crier_reader *crier_reader_new_with(struct crier_hub *hub,
                                           const struct crier_reader_options *options)
{
    struct crier_reader_options o;
    struct crier_reader *reader;

    if (!hub || crier_hub_check(hub) == CRIER_ECANCELED)
        return NULL;
    crier_options_read(&o, sizeof(o), options);
    reader = crier_mem_zalloc(hub->mem, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->hub = crier_hub_ref(hub);
    reader->wake.fd = -1;
    reader->wait.wake = answer;
    crier_messages_init(&reader->ahead, hub->mem);
    return set_up(reader, &o) < 0 ? crier_reader_free(reader) : reader;
}

struct crier_reader *crier_reader_free(struct crier_reader *reader)
{
    if (!reader)
        return NULL;

    struct crier_hub *hub = reader->hub;
    if (hub->journal)
        crier_journal_unwait(hub->journal, &reader->wait);
    if (reader->wake.fd >= 0) {
        if (hub->journal)
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
 * CRIER_EMPTY: it stands at the end; CRIER_WAIT; -ENOMEM, -EIO. */
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
        .wait = begin_question(reader),
    };

    crier_messages_clear(&reader->ahead, KEEP_BUSY);
    int r = crier_journal_scan(reader->hub->journal, &scan, gather_event, &gather, &gap);
    end_question(reader, r);
    if (r < 0 || r == CRIER_WAIT)
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

/* The next one that is ahead, or is read now. CRIER_EMPTY: there is none; it sleeps, if it has
 * a descriptor (or that is readable in vain). */
static int
next(struct crier_reader *reader, struct crier_now now, struct crier_message *ret_message)
{
    int r = reader->located ? 0 : locate(reader), races = 0;

    if (r != 0)
        return r == CRIER_WAIT ? CRIER_EMPTY : r;
    while ((r = take(reader, ret_message)) == CRIER_EMPTY) {
        r = read_on(reader, now);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        crier_messages_clear(&reader->ahead, KEEP_IDLE);
        if (r == CRIER_WAIT || reader->wake.fd < 0 || fall_asleep(reader) || ++races == RACES)
            return CRIER_EMPTY;
    }
    return r;
}

int crier_reader_next(struct crier_reader *reader, struct crier_message *ret_message)
{
    if (!reader)
        return CRIER_ENOMEM;
    if (reader->error)
        return reader->error;

    struct crier_now now = crier_hub_now(reader->hub);
    crier_hub_age(reader->hub, now);
    if (is_asleep(reader) || is_waiting(reader))
        return CRIER_EMPTY;
    /* So far there was nothing for it while it slept. */
    if (reader->watch.position > reader->position)
        reader->position = reader->watch.position;
    return next(reader, now, ret_message);
}

/* false: next() has something to say, or to ask. */
static bool is_at_end(const struct crier_reader *reader)
{
    return !reader->error && reader->located && !reader->asking && !reader->gap.gap &&
           !reader->picks && crier_messages_empty(&reader->ahead);
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
    atomic_store(&reader->announced, true);
    if (is_waiting(reader))
        return reader->wake.fd;
    if (!is_at_end(reader))
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
