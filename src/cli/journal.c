/* SPDX-License-Identifier: MIT */
/*
 * crier journal: a hub's history on disk, for its operator. Thin over the store
 * (durable/store.h):
 *
 *     info, verify, dump, export    look: also while a hub has the folder
 *     compact, import               change: only while nobody has
 *
 * journal_about.c: info, verify, compact. journal_read.c: dump, export. journal_import.c:
 * import; journal_line.c: an event as a line of text, both ways.
 *
 * Results go to standard output, everything else to standard error as one line.
 */
#include "cli/journal.h"

#include "base/mem.h"
#include "hub/topic.h"
#include "net/sys.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the command line -------------------------------------------------------------------- */

static const char *add_selector(void *target, struct crier_slice value)
{
    struct crier_journal_flags *flags = target;
    const char *fault = crier_selector_fault(value);

    if (fault)
        return fault;
    if (flags->selector_count == CRIER_JOURNAL_SELECTORS)
        return "at most 100 topics and patterns can be given";
    flags->selectors[flags->selector_count++] = value;
    return NULL;
}

static const struct crier_option journal_options[] = {
    {.name = "data",
     .letter = 'd',
     .kind = CRIER_OPTION_TEXT,
     .argument = "DIR",
     CRIER_MEMBER(struct crier_journal_flags, data),
     .env = "CRIER_DATA",
     .help = "the folder, as crier serve has it"},
    {.name = "json",
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct crier_journal_flags, json),
     .help = "info: print one JSON object"},
    {.name = "topic",
     .kind = CRIER_OPTION_CALL,
     .argument = "SELECTOR",
     .call = add_selector,
     .repeat = true,
     .fallback = "all",
     .help = "dump, export: only these topics or patterns"},
    {.name = "since",
     .kind = CRIER_OPTION_TEXT,
     .argument = "WHEN",
     CRIER_MEMBER(struct crier_journal_flags, since),
     .fallback = "earliest",
     .help =
         "dump, export: where to start: earliest, last:N (the newest N events), latest (the "
         "newest of each topic), a duration back (30s, 10m, 2h, 7d), an RFC 3339 time, or "
         "the id of the event before"},
    {.name = "limit",
     .letter = 'n',
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     CRIER_MEMBER(struct crier_journal_flags, limit),
     .min = 1,
     .help = "dump, export: end after N events"},
    {.name = "data-bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct crier_journal_flags, data_bytes),
     .min = 1024 * 1024,
     .env = "CRIER_DATA_BYTES",
     .fallback = "64G",
     .help = "import, compact: largest file"},
};

const struct crier_command crier_journal_command = {
    .name = "journal",
    .synopsis = "crier journal VERB --data DIR [options]",
    .summary = "look into, check, save and restore a hub's history on disk",
    .about = "Works on the folder of crier serve --data DIR. VERB is one of\n\n"
             "  info      what is in it, how large it is, and who has it open\n"
             "  verify    reads all of it and compares; exit status 1 if anything is wrong\n"
             "  dump      prints the events, one a line, for people\n"
             "  export    writes the events to standard output, one JSON object a line, oldest "
             "first\n"
             "  import    takes what export wrote from standard input; ids and times stay\n"
             "  compact   writes the file anew, without the free pages in it\n\n"
             "The first four can be used while a hub runs on the folder, the last two cannot.",
    .options = journal_options,
    .option_count = sizeof(journal_options) / sizeof(journal_options[0]),
    .min_operands = 1,
    .max_operands = 1,
    .operands = "name one of info, verify, dump, export, import and compact, as in crier "
                "journal info --data DIR",
    .epilogue = "Exit status: 0 it worked (verify: and all is sound), 1 it failed, 2 the "
                "command line was wrong.",
};

/* What a verb takes besides --data and --data-bytes. */
enum { TAKES_JSON = 1, TAKES_EVENTS = 2 };

#ifdef CRIER_WITH_LMDB
#define RUN(verb) crier_journal_##verb
#else
#define RUN(verb) refuse

static int refuse(const struct crier_journal_flags *flags)
{
    crier_command_say(&crier_journal_command,
                      "%s: this crier was built without journals on disk (-Ddurable=disabled)",
                      flags->data);
    return CRIER_EXIT_FAILED;
}
#endif

static const struct {
    const char *name;
    int (*run)(const struct crier_journal_flags *flags);
    int takes;
} verbs[] = {
    {"info", RUN(info), TAKES_JSON},   {"verify", RUN(verify), 0},
    {"dump", RUN(dump), TAKES_EVENTS}, {"export", RUN(export), TAKES_EVENTS},
    {"import", RUN(import), 0},        {"compact", RUN(compact), 0},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static int unknown_verb(const char *name)
{
    const char *names[VERBS], *near;

    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    near = crier_options_near(crier_slice_of(name), names, VERBS);
    if (near)
        return crier_command_usage(&crier_journal_command, "%s: did you mean %s?", name, near);
    return crier_command_usage(&crier_journal_command, "%s: %s", name,
                               crier_journal_command.operands);
}

/* NULL, or the name of an option that the verb has no use for. */
static const char *misplaced(const struct crier_journal_flags *flags, int takes)
{
    if (flags->json && !(takes & TAKES_JSON))
        return "--json";
    if (takes & TAKES_EVENTS)
        return NULL;
    if (flags->selector_count > 0)
        return "--topic";
    if (flags->since)
        return "--since";
    return flags->limit > 0 ? "--limit" : NULL;
}

static int run_verb(size_t i, const struct crier_journal_flags *flags)
{
    const char *option = misplaced(flags, verbs[i].takes);

    if (option)
        return crier_command_usage(&crier_journal_command, "%s is not for %s", option,
                                   verbs[i].name);
    if (!flags->data || !*flags->data)
        return crier_command_usage(&crier_journal_command,
                                   "name the folder: crier journal %s --data DIR",
                                   verbs[i].name);
    return verbs[i].run(flags);
}

int crier_journal_main(int argc, char **argv)
{
    struct crier_journal_flags flags = {.data = NULL};
    size_t operands;
    int r = crier_command_options(&crier_journal_command, argc, argv, &flags, &operands);

    if (r >= 0)
        return r;
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            return run_verb(i, &flags);
    return unknown_verb(argv[0]);
}

/* ---- shared ------------------------------------------------------------------------------ */

#ifdef CRIER_WITH_LMDB

int crier_journal_failed(const char *what, int error)
{
    crier_command_say(&crier_journal_command, "%s: %s", what, strerror(-error));
    return CRIER_EXIT_FAILED;
}

int crier_journal_print(const struct crier_buf *text)
{
    int r = crier_buf_error(text);

    if (r == 0)
        r = crier_write_all(STDOUT_FILENO, crier_buf_slice(text));
    if (r == 0)
        return -1;
    return r == -EPIPE ? CRIER_EXIT_DONE
                       : crier_journal_failed("cannot write to standard output", r);
}

void crier_journal_size(struct crier_buf *buf, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    uint64_t tenths = bytes * 10 / 1024;
    size_t unit = 0;

    if (bytes < 1024) {
        crier_buf_printf(buf, "%u B", (unsigned)bytes);
        return;
    }
    for (; tenths >= 10240 && unit < 3; unit++)
        tenths /= 1024;
    crier_buf_printf(buf, "%llu.%llu %s", (unsigned long long)(tenths / 10),
                     (unsigned long long)(tenths % 10), units[unit]);
}

bool crier_journal_exists(const struct crier_journal_flags *flags)
{
    struct crier_buf path;
    struct stat st;
    bool exists;

    crier_buf_init(&path, &crier_mem_libc);
    crier_buf_printf(&path, "%s/data.mdb", flags->data);
    crier_buf_byte(&path, '\0');
    /* An empty file is what a crash leaves of one that was being made. */
    if (crier_buf_error(&path) < 0)
        exists = false;
    else if (stat(path.data, &st) == 0)
        exists = st.st_size > 0;
    else
        exists = errno != ENOENT && errno != ENOTDIR; /* who opens it is told why not */
    crier_buf_deinit(&path);
    return exists;
}

static int open_store(const struct crier_store_options *options,
                      struct crier_now now,
                      struct crier_store **ret_store)
{
    struct crier_buf fault;
    int r;

    crier_buf_init(&fault, &crier_mem_libc);
    r = crier_store_open(&crier_mem_libc, options, now, ret_store, &fault);
    if (r < 0 && fault.len > 0)
        crier_command_say(&crier_journal_command, "%.*s",
                          CRIER_SLICE_ARG(crier_buf_slice(&fault)));
    else if (r < 0)
        (void)crier_journal_failed(options->dir, r);
    crier_buf_deinit(&fault);
    return r < 0 ? CRIER_EXIT_FAILED : -1;
}

int crier_journal_open(const struct crier_journal_flags *flags,
                       enum crier_journal_for what,
                       struct crier_store **ret_store)
{
    const struct crier_journal_limits limits = crier_journal_limits_filled(NULL);
    const struct crier_store_options options = {
        .dir = flags->data,
        .read_only = what == CRIER_JOURNAL_LOOK,
        .max_file_bytes = flags->data_bytes,
        .limits = &limits,
    };

    /* To change one that is not there would make it. */
    if (what == CRIER_JOURNAL_CHANGE && !crier_journal_exists(flags)) {
        crier_command_say(&crier_journal_command, "There is no journal in '%s'.", flags->data);
        return CRIER_EXIT_FAILED;
    }
    return open_store(&options, crier_sys_now(), ret_store);
}

int crier_journal_open_new(const struct crier_journal_flags *flags,
                           unsigned epoch,
                           struct crier_now now,
                           struct crier_store **ret_store)
{
    const struct crier_journal_limits limits = crier_journal_limits_filled(NULL);
    struct crier_store_options options = {
        .dir = flags->data,
        .max_file_bytes = flags->data_bytes,
        .limits = &limits,
        .epoch = epoch,
    };
    int r = crier_sys_random(&options.hash_key, sizeof(options.hash_key));

    if (r < 0)
        return crier_journal_failed("no random numbers", r);
    return open_store(&options, now, ret_store);
}

#endif
