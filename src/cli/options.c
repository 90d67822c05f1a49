/* SPDX-License-Identifier: MIT */
/*
 * The option parser.
 *
 *     argv ─▶ each argument ─▶ long | letters | operand ─▶ store()
 *     environment, for every option that argv did not have ─▶ store()
 *
 * store() is the only place that converts a value; it is told whence the value came, so that a
 * fault names what the user wrote: "--history-age 5: write a unit, as in 30s" or
 * "CRIER_HISTORY_AGE ...".
 *
 * The operands are moved to the front of argv, in order. Nothing is copied: texts stay where
 * they are, in argv or in the environment, which live as long as the program.
 *
 * The help is written from the same table; see crier_options_help (help.c).
 */
#include "cli/options.h"

#include "base/clock.h"
#include <assert.h>
#include <string.h>

enum { MAX_OPTIONS = 64, NEAR_BYTES = 40 };

struct parse {
    const struct crier_command *command;
    void *target;
    struct crier_buf *fault;
    uint64_t seen; /* a bit for each option that argv had */
};

_Static_assert(MAX_OPTIONS <= 64, "a bit of `seen` for each option");

/* ---- values ---- */

int crier_bytes_parse(struct crier_slice text, uint64_t *ret_bytes)
{
    static const char units[] = "KMG";
    unsigned shift = 0;
    uint64_t number;
    int r;

    /* "16MiB" and "16MB" are what "16M" is. */
    if (text.len > 1 &&
        crier_slice_eq_nocase(crier_slice_sub(text, text.len - 1, 1), CRIER_SLICE("B")))
        text.len--;
    if (text.len > 2 && text.data[text.len - 1] == 'i' && !(text.data[text.len - 2] <= '9'))
        text.len--;
    if (text.len > 0) {
        char last = text.data[text.len - 1];
        const char *unit = memchr(units, last >= 'a' ? last - ('a' - 'A') : last, 3);

        if (unit) {
            shift = 10 * (unsigned)(unit - units + 1);
            text.len--;
        }
    }
    r = crier_slice_to_u64(text, &number);
    if (r < 0)
        return r;
    if (number > UINT64_MAX >> shift)
        return -ERANGE;
    *ret_bytes = number << shift;
    return 0;
}

const char *
crier_duration_range_parse(struct crier_slice text, uint64_t *ret_min_ms, uint64_t *ret_max_ms)
{
    struct crier_slice low = text, high = text;
    uint64_t min, max;

    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] != '.' || text.data[i + 1] != '.')
            continue;
        low = crier_slice_sub(text, 0, i);
        high = crier_slice_sub(text, i + 2, text.len);
        break;
    }
    if (crier_duration_parse(low, &min) < 0 || crier_duration_parse(high, &max) < 0)
        return "write two durations with their units, as in 1s..30s";
    if (min > max)
        return "the first duration must not be longer than the second, as in 1s..30s";
    *ret_min_ms = min;
    *ret_max_ms = max;
    return NULL;
}

static void store_number(void *target, const struct crier_option *option, uint64_t value)
{
    char *member = (char *)target + option->offset;

    if (option->size == sizeof(uint32_t)) {
        uint32_t narrow = (uint32_t)value;

        memcpy(member, &narrow, sizeof(narrow));
    } else {
        assert(option->size == sizeof(uint64_t));
        memcpy(member, &value, sizeof(value));
    }
}

static uint64_t most(const struct crier_option *option)
{
    if (option->max)
        return option->max;
    return option->size == sizeof(uint32_t) ? UINT32_MAX : UINT64_MAX;
}

static int
convert(const struct crier_option *option, struct crier_slice value, uint64_t *ret_number)
{
    if (option->kind == CRIER_OPTION_BYTES)
        return crier_bytes_parse(value, ret_number);
    if (option->kind == CRIER_OPTION_DURATION)
        return crier_duration_parse(value, ret_number);
    return crier_slice_to_u64(value, ret_number);
}

static const char *how_to_write(const struct crier_option *option)
{
    if (option->kind == CRIER_OPTION_BYTES)
        return "write a number of bytes, or 64K, 16M, 1G";
    if (option->kind == CRIER_OPTION_DURATION)
        return "write a number and its unit: ms, s, m, h or d, as in 30s";
    return "write a number";
}

static void
append_bound(struct crier_buf *fault, const struct crier_option *option, uint64_t bound)
{
    crier_buf_u64(fault, bound);
    if (option->kind == CRIER_OPTION_DURATION)
        crier_buf_append(fault, CRIER_SLICE("ms"));
}

/* What the user wrote, and then what is wrong with it. */
static void blame(struct parse *p, const char *whence, const char *value)
{
    crier_buf_printf(p->fault, "%s %s: ", whence, *value ? value : "(empty)");
}

static int store_counted(struct parse *p,
                         const struct crier_option *option,
                         const char *whence,
                         const char *value)
{
    uint64_t number;

    if (convert(option, crier_slice_of(value), &number) < 0) {
        blame(p, whence, value);
        crier_buf_append(p->fault, crier_slice_of(how_to_write(option)));
        return -EINVAL;
    }
    if (number < option->min || number > most(option)) {
        blame(p, whence, value);
        crier_buf_append(p->fault, CRIER_SLICE("it must be "));
        append_bound(p->fault, option, option->min);
        crier_buf_append(p->fault, CRIER_SLICE(" to "));
        append_bound(p->fault, option, most(option));
        return -EINVAL;
    }
    store_number(p->target, option, number);
    return 0;
}

static void store_flag(struct parse *p, const struct crier_option *option, bool value)
{
    assert(option->size == sizeof(bool));
    memcpy((char *)p->target + option->offset, &value, sizeof(value));
}

static int store_call(struct parse *p,
                      const struct crier_option *option,
                      const char *whence,
                      const char *value)
{
    const char *fault = option->call(p->target, crier_slice_of(value));

    if (!fault)
        return 0;
    blame(p, whence, value);
    crier_buf_append(p->fault, crier_slice_of(fault));
    return -EINVAL;
}

static int
store(struct parse *p, const struct crier_option *option, const char *whence, const char *value)
{
    switch (option->kind) {
    case CRIER_OPTION_HEADING:
        break;
    case CRIER_OPTION_FLAG:
        store_flag(p, option, true);
        break;
    case CRIER_OPTION_NUMBER:
    case CRIER_OPTION_BYTES:
    case CRIER_OPTION_DURATION:
        return store_counted(p, option, whence, value);
    case CRIER_OPTION_TEXT:
        memcpy((char *)p->target + option->offset, &value, sizeof(value));
        break;
    case CRIER_OPTION_CALL:
        return store_call(p, option, whence, value);
    }
    return 0;
}

/* ---- near misses ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits (insert, delete, replace) from a to b; both at most NEAR_BYTES. */
static size_t distance(struct crier_slice a, struct crier_slice b)
{
    size_t row[NEAR_BYTES + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];

            row[j] =
                smallest(above + 1, row[j - 1] + 1, corner + (a.data[i - 1] != b.data[j - 1]));
            corner = above;
        }
    }
    return row[b.len];
}

const char *crier_options_near(struct crier_slice text, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t best_distance =
        text.len < 4 ? 2 : 3; /* further than this is no slip of the finger */

    if (text.len == 0 || text.len > NEAR_BYTES)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        struct crier_slice name = crier_slice_of(names[i]);
        size_t edits;

        if (name.len > NEAR_BYTES)
            continue;
        edits = text.len >= 3 && crier_slice_starts(name, text) ? 0 : distance(text, name);
        if (edits < best_distance) {
            best = names[i];
            best_distance = edits;
        }
    }
    return best;
}

static int unknown_option(struct parse *p, struct crier_slice name)
{
    const char *names[MAX_OPTIONS + 1];
    const char *near;
    size_t count = 0;

    for (size_t i = 0; i < p->command->option_count; i++)
        if (p->command->options[i].name)
            names[count++] = p->command->options[i].name;
    names[count++] = "help";
    near = crier_options_near(name, names, count);
    crier_buf_printf(p->fault, "unknown option --%.*s", CRIER_SLICE_ARG(name));
    if (near)
        crier_buf_printf(p->fault, ", did you mean --%s?", near);
    return -EINVAL;
}

/* ---- argv ---- */

struct arguments {
    int argc, at;
    char **argv;
};

static const struct crier_option *
find(const struct parse *p, struct crier_slice name, char letter)
{
    for (size_t i = 0; i < p->command->option_count; i++) {
        const struct crier_option *option = &p->command->options[i];

        if (letter ? option->letter == letter
                   : option->name && crier_slice_eq(crier_slice_of(option->name), name))
            return option;
    }
    return NULL;
}

static int store_seen(struct parse *p,
                      const struct crier_option *option,
                      const char *whence,
                      const char *value)
{
    p->seen |= (uint64_t)1 << (option - p->command->options);
    return store(p, option, whence, value);
}

/* The value that stands in the next argument. NULL: there is none, fault is filled. */
static const char *next_value(struct parse *p,
                              const struct crier_option *option,
                              const char *whence,
                              struct arguments *a)
{
    if (a->at + 1 < a->argc)
        return a->argv[++a->at];
    crier_buf_printf(p->fault, "%s needs a value: %s %s", whence, whence, option->argument);
    return NULL;
}

/* --name, --name=value, --name value */
static int take_long(struct parse *p, struct arguments *a)
{
    char *text = a->argv[a->at];
    struct crier_slice rest = crier_slice_of(text + 2);
    struct crier_slice name = crier_slice_cut(&rest, '=');
    const struct crier_option *option;
    const char *value = rest.data;
    char whence[2 + NEAR_BYTES + 1] = "--";

    if (crier_slice_eq(name, CRIER_SLICE("help")))
        return CRIER_OPTIONS_HELP;
    option = find(p, name, 0);
    if (!option)
        return unknown_option(p, name);
    memcpy(whence + 2, name.data, name.len < NEAR_BYTES ? name.len : NEAR_BYTES);
    if (!option->argument && value) {
        crier_buf_printf(p->fault, "%s takes no value", whence);
        return -EINVAL;
    }
    if (option->argument && !value)
        value = next_value(p, option, whence, a);
    if (option->argument && !value)
        return -EINVAL;
    return store_seen(p, option, whence, value);
}

/* -v, -vj, -uvalue, -u value */
static int take_letters(struct parse *p, struct arguments *a)
{
    const char *text = a->argv[a->at] + 1;
    int r = 0;

    while (r == 0 && *text) {
        char whence[3] = {'-', *text, '\0'};
        const struct crier_option *option = find(p, (struct crier_slice){NULL, 0}, *text);
        const char *value = NULL;

        if (*text == 'h' && !option)
            return CRIER_OPTIONS_HELP;
        if (!option) {
            crier_buf_printf(p->fault, "unknown option %s; what is no option goes after --",
                             a->argv[a->at]);
            return -EINVAL;
        }
        text++;
        if (option->argument) {
            value = *text ? text : next_value(p, option, whence, a);
            if (!value)
                return -EINVAL;
            text = "";
        }
        r = store_seen(p, option, whence, value);
    }
    return r;
}

static int take_arguments(struct parse *p, int argc, char **argv, size_t *ret_operands)
{
    struct arguments a = {.argc = argc, .argv = argv};
    size_t operands = 0;
    bool options = true;
    int r;

    for (; a.at < argc; a.at++) {
        const char *text = argv[a.at];

        if (!options || text[0] != '-' || text[1] == '\0') {
            argv[operands++] = argv[a.at];
            continue;
        }
        if (strcmp(text, "--") == 0) {
            options = false;
            continue;
        }
        r = text[1] == '-' ? take_long(p, &a) : take_letters(p, &a);
        if (r != 0)
            return r;
    }
    *ret_operands = operands;
    return 0;
}

/* ---- the environment ---- */

static int store_env_flag(struct parse *p, const struct crier_option *option, const char *value)
{
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"0", "false",
                                                                                "no", "off"};

    for (size_t i = 0; i < 4; i++) {
        bool is_yes = crier_slice_eq_nocase(crier_slice_of(value), crier_slice_of(yes[i]));

        if (is_yes || crier_slice_eq_nocase(crier_slice_of(value), crier_slice_of(no[i]))) {
            store_flag(p, option, is_yes);
            return 0;
        }
    }
    blame(p, option->env, value);
    crier_buf_append(p->fault, CRIER_SLICE("write 1 or 0"));
    return -EINVAL;
}

/* One value of a list. `call` is given a slice that need not end in NUL: it keeps what it needs
 * of it. */
static int store_env_list(struct parse *p, const struct crier_option *option, const char *list)
{
    const char *separators = option->has_commas ? " \t\n" : ", \t\n";

    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        struct crier_slice value = {list, strcspn(list, separators)};
        const char *fault = option->call(p->target, value);

        if (fault) {
            crier_buf_printf(p->fault, "%s %.*s: %s", option->env, CRIER_SLICE_ARG(value),
                             fault);
            return -EINVAL;
        }
        list += value.len;
    }
    return 0;
}

static int take_environment(struct parse *p, crier_getenv_fn *get, void *get_ctx)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->command->option_count; i++) {
        const struct crier_option *option = &p->command->options[i];
        const char *value = option->env ? get(get_ctx, option->env) : NULL;

        if (!value || !*value || (p->seen >> i & 1))
            continue;
        if (option->kind == CRIER_OPTION_FLAG)
            r = store_env_flag(p, option, value);
        else if (option->repeat)
            r = store_env_list(p, option, value);
        else
            r = store(p, option, option->env, value);
    }
    return r;
}

/* ---- public ---- */

static int check_operands(struct parse *p, size_t count)
{
    if (count >= p->command->min_operands && count <= p->command->max_operands)
        return 0;
    crier_buf_append(p->fault, crier_slice_of(p->command->operands));
    return -EINVAL;
}

int crier_options_parse(const struct crier_command *command,
                        int argc,
                        char **argv,
                        crier_getenv_fn *get,
                        void *getenv_ctx,
                        void *target,
                        struct crier_buf *fault,
                        size_t *ret_operands)
{
    struct parse p = {.command = command, .target = target, .fault = fault};
    size_t operands = 0;
    int r;

    assert(command->option_count <= MAX_OPTIONS);
    r = take_arguments(&p, argc, argv, &operands);
    if (r == 0)
        r = take_environment(&p, get, getenv_ctx);
    if (r == 0)
        r = check_operands(&p, operands);
    if (r == 0)
        *ret_operands = operands;
    return r == -EINVAL && crier_buf_error(fault) < 0 ? -ENOMEM : r;
}
