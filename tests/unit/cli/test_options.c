/* SPDX-License-Identifier: MIT */
#include "cli/options.h"
#include "support.h"

struct target {
    bool flag, other;
    uint32_t narrow;
    uint64_t wide, bytes, age;
    const char *text, *secret;
    char list[64];
};

static const char *add(void *ctx, struct crier_slice value)
{
    struct target *t = ctx;
    size_t len = strlen(t->list);

    if (crier_slice_eq(value, CRIER_SLICE("bad")))
        return "not this one";
    (void)snprintf(t->list + len, sizeof(t->list) - len, "%.*s;", CRIER_SLICE_ARG(value));
    return NULL;
}

static const struct crier_option options[] = {
    {.kind = CRIER_OPTION_HEADING, .help = "First things"},
    {.name = "flag",
     .letter = 'f',
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct target, flag),
     .env = "T_FLAG",
     .help = "a flag"},
    {.name = "other",
     .letter = 'o',
     .kind = CRIER_OPTION_FLAG,
     CRIER_MEMBER(struct target, other),
     .help = "another"},
    {.name = "narrow",
     .letter = 'n',
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     CRIER_MEMBER(struct target, narrow),
     .min = 2,
     .env = "T_NARROW",
     .fallback = "7",
     .help = "a small number"},
    {.name = "wide",
     .kind = CRIER_OPTION_NUMBER,
     .argument = "N",
     CRIER_MEMBER(struct target, wide),
     .max = 100,
     .help = "a number"},
    {.name = "bytes",
     .kind = CRIER_OPTION_BYTES,
     .argument = "N",
     CRIER_MEMBER(struct target, bytes),
     .help = "a size"},
    {.name = "history-age",
     .kind = CRIER_OPTION_DURATION,
     .argument = "T",
     CRIER_MEMBER(struct target, age),
     .min = 1000,
     .max = 60000,
     .env = "T_AGE",
     .help = "a duration"},
    {.name = "text",
     .letter = 't',
     .kind = CRIER_OPTION_TEXT,
     .argument = "TEXT",
     CRIER_MEMBER(struct target, text),
     .env = "T_TEXT",
     .help = "a text"},
    {.name = "list",
     .letter = 'l',
     .kind = CRIER_OPTION_CALL,
     .argument = "X",
     .call = add,
     .repeat = true,
     .env = "T_LIST",
     .help = "a list"},
    {.name = "rule",
     .kind = CRIER_OPTION_CALL,
     .argument = "X",
     .call = add,
     .repeat = true,
     .has_commas = true,
     .env = "T_RULE",
     .help = "a list of lists"},
    {.kind = CRIER_OPTION_TEXT,
     .argument = "X",
     CRIER_MEMBER(struct target, secret),
     .env = "T_SECRET",
     .help = "only here"},
};

static const struct crier_command command = {
    .name = "test",
    .synopsis = "test [options] A [B]",
    .about = "Tests.",
    .options = options,
    .option_count = sizeof(options) / sizeof(*options),
    .min_operands = 0,
    .max_operands = 2,
    .operands = "at most two operands",
};

enum { MAX_WORDS = 16, MAX_ENVIRONMENT = 4 };

/* One run of the parser. */
struct parsed {
    struct target target;
    struct crier_buf fault;
    char *words[MAX_WORDS];
    char text[512];
    size_t operands;
    int result;
    const char *environment[MAX_ENVIRONMENT][2];
};

static const char *get(void *ctx, const char *name)
{
    struct parsed *p = ctx;

    for (size_t i = 0; i < MAX_ENVIRONMENT && p->environment[i][0]; i++)
        if (strcmp(p->environment[i][0], name) == 0)
            return p->environment[i][1];
    return NULL;
}

/* Words are separated by single spaces; "''" is an empty one. */
static void parse(struct parsed *p, const char *line)
{
    struct crier_slice rest;
    int count = 0;

    crier_buf_init(&p->fault, &crier_mem_libc);
    p->target = (struct target){.narrow = 7};
    (void)snprintf(p->text, sizeof(p->text), "%s", line);
    rest = crier_slice_of(p->text);
    while (rest.len > 0) {
        struct crier_slice word = crier_slice_cut(&rest, ' ');

        p->words[count] = p->text + (word.data - p->text);
        p->words[count][word.len] = '\0';
        if (strcmp(p->words[count], "''") == 0)
            p->words[count][0] = '\0';
        count++;
    }
    p->result = crier_options_parse(&command, count, p->words, get, p, &p->target, &p->fault,
                                    &p->operands);
}

#define PARSE(p, line)                                                                         \
    struct parsed p = {.result = 1};                                                           \
    parse(&p, line)

/* Every way of writing an option comes to the same. */
static void test_spellings(void **state)
{
    static const char *const lines[] = {
        "--flag --narrow 5 --text hello one two",
        "-f -n5 -thello one two",
        "one -fn 5 --text=hello two",
        "-fn5 one two -t hello",
        "--narrow=5 -f -t hello one two",
        "-f -n 5 -t hello -- one two",
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        PARSE(p, lines[i]);

        assert_int_equal(p.result, 0);
        assert_true(p.target.flag);
        assert_false(p.target.other);
        assert_int_equal(p.target.narrow, 5);
        assert_string_equal(p.target.text, "hello");
        assert_int_equal(p.operands, 2);
        assert_string_equal(p.words[0], "one");
        assert_string_equal(p.words[1], "two");
        crier_buf_deinit(&p.fault);
    }
}

/* Values keep what is in them; what stands after -- is never an option; - alone is an operand.
 */
static void test_values(void **state)
{
    PARSE(p, "--text=a=b --bytes 3M --wide 100 --history-age 30s -l x -l y - -- --flag");

    assert_int_equal(p.result, 0);
    assert_string_equal(p.target.text, "a=b");
    assert_int_equal(p.target.bytes, 3 << 20);
    assert_int_equal(p.target.wide, 100);
    assert_int_equal(p.target.age, 30000);
    assert_string_equal(p.target.list, "x;y;");
    assert_false(p.target.flag);
    assert_int_equal(p.operands, 2);
    assert_string_equal(p.words[0], "-");
    assert_string_equal(p.words[1], "--flag");
    crier_buf_deinit(&p.fault);
}

/* The last of several wins; an empty value is a value. */
static void test_last_wins(void **state)
{
    PARSE(p, "-t first -n 3 -n 4 --text=");

    assert_int_equal(p.result, 0);
    assert_string_equal(p.target.text, "");
    assert_int_equal(p.target.narrow, 4);
    crier_buf_deinit(&p.fault);
}

/* Each fault is one line that names what was written and says how to write it. */
static void test_faults(void **state)
{
    static const struct {
        const char *line, *fault;
    } rows[] = {
        {"--falg", "unknown option --falg, did you mean --flag?"},
        {"--history", "unknown option --history, did you mean --history-age?"},
        {"--hlep", "unknown option --hlep, did you mean --help?"},
        {"--something", "unknown option --something"},
        {"-x", "unknown option -x; what is no option goes after --"},
        {"-fx", "unknown option -fx; what is no option goes after --"},
        {"--flag=1", "--flag takes no value"},
        {"--text", "--text needs a value: --text TEXT"},
        {"-ft", "-t needs a value: -t TEXT"},
        {"--narrow x", "--narrow x: write a number"},
        {"--narrow=", "--narrow (empty): write a number"},
        {"-n -1", "-n -1: write a number"},
        {"-n 1", "-n 1: it must be 2 to 4294967295"},
        {"-n 4294967296", "-n 4294967296: it must be 2 to 4294967295"},
        {"-n 99999999999999999999999", "-n 99999999999999999999999: write a number"},
        {"--wide 101", "--wide 101: it must be 0 to 100"},
        {"--bytes 3T", "--bytes 3T: write a number of bytes, or 64K, 16M, 1G"},
        {"--history-age 5",
         "--history-age 5: write a number and its unit: ms, s, m, h or d, as in 30s"},
        {"--history-age 1h", "--history-age 1h: it must be 1000ms to 60000ms"},
        {"-l bad", "-l bad: not this one"},
        {"a b c", "at most two operands"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PARSE(p, rows[i].line);

        assert_int_equal(p.result, -EINVAL);
        assert_slice_equal(crier_buf_slice(&p.fault), crier_slice_of(rows[i].fault));
        crier_buf_deinit(&p.fault);
    }
}

/* --help wins over whatever comes after it, not over what was wrong before. */
static void test_help_asked(void **state)
{
    static const struct {
        const char *line;
        int result;
    } rows[] = {{"--help", CRIER_OPTIONS_HELP},
                {"-h", CRIER_OPTIONS_HELP},
                {"-f -h --nonsense", CRIER_OPTIONS_HELP},
                {"--nonsense --help", -EINVAL},
                {"-- --help", 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        PARSE(p, rows[i].line);

        assert_int_equal(p.result, rows[i].result);
        crier_buf_deinit(&p.fault);
    }
}

/* The environment stands in for what the command line leaves out, and only for that: lists are
 * not joined. */
static void test_environment(void **state)
{
    struct parsed p = {
        .environment = {
            {"T_FLAG", "Yes"}, {"T_NARROW", "9"}, {"T_LIST", "a, b\tc,"}, {"T_SECRET", "s"}}};

    parse(&p, "");
    assert_int_equal(p.result, 0);
    assert_true(p.target.flag);
    assert_int_equal(p.target.narrow, 9);
    assert_string_equal(p.target.list, "a;b;c;");
    assert_string_equal(p.target.secret, "s");
    parse(&p, "-n 3 -l x");
    assert_int_equal(p.target.narrow, 3);
    assert_string_equal(p.target.list, "x;");
    p.environment[2][0] = "T_RULE"; /* its values have commas */
    p.environment[2][1] = "a,b\tc,d ";
    parse(&p, "");
    assert_string_equal(p.target.list, "a,b;c,d;");
    p.environment[0][1] = "off";
    p.environment[1][1] = "";
    parse(&p, "");
    assert_int_equal(p.result, 0);
    assert_false(p.target.flag);
    assert_int_equal(p.target.narrow, 7);
    parse(&p, "--flag");
    assert_true(p.target.flag);
}

/* A fault in the environment names the variable, also one value of a list. */
static void test_environment_faults(void **state)
{
    static const struct {
        const char *name, *value, *fault;
    } rows[] = {
        {"T_FLAG", "perhaps", "T_FLAG perhaps: write 1 or 0"},
        {"T_NARROW", "x", "T_NARROW x: write a number"},
        {"T_AGE", "5", "T_AGE 5: write a number and its unit: ms, s, m, h or d, as in 30s"},
        {"T_LIST", "a,bad,c", "T_LIST bad: not this one"},
        {"T_RULE", "a,b bad c", "T_RULE bad: not this one"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct parsed p = {.environment = {{rows[i].name, rows[i].value}}};

        parse(&p, "");
        assert_int_equal(p.result, -EINVAL);
        assert_slice_equal(crier_buf_slice(&p.fault), crier_slice_of(rows[i].fault));
        crier_buf_deinit(&p.fault);
    }
}

/* Every option stands in the help with its letter, value, default and variable, in lines of
 * bounded width. */
static void test_help(void **state)
{
    static const char *const parts[] = {"usage: test [options] A [B]\n\nTests.\n",
                                        "\nFirst things\n",
                                        "  -f, --flag ",
                                        "  -n, --narrow N ",
                                        "a small number [default: 7] [T_NARROW]",
                                        "a list (repeatable) [T_LIST]",
                                        "      T_SECRET ",
                                        "  -h, --help "};
    struct crier_buf buf;
    struct crier_slice rest;

    crier_buf_init(&buf, &crier_mem_libc);
    crier_options_help(&buf, &command);
    rest = crier_buf_slice(&buf);
    while (rest.len > 0)
        assert_true(crier_slice_cut(&rest, '\n').len <= 100);
    crier_buf_byte(&buf, '\0');
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        assert_non_null(strstr(buf.data, parts[i]));
    crier_buf_deinit(&buf);
}

static void test_bytes(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t bytes;
    } rows[] = {{"0", 0, 0},
                {"1", 0, 1},
                {"1K", 0, 1024},
                {"2m", 0, 2 << 20},
                {"1G", 0, 1 << 30},
                {"K", -EINVAL, 0},
                {"", -EINVAL, 0},
                {"1KB", 0, 1024},
                {"16MiB", 0, 16 << 20},
                {"2gib", 0, 2ull << 30},
                {"1iB", -EINVAL, 0},
                {"iB", -EINVAL, 0},
                {"B", -EINVAL, 0},
                {"-1", -EINVAL, 0},
                {"17179869184G", -ERANGE, 0},
                {"17179869183G", 0, 17179869183ull << 30}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t bytes = 0;

        assert_int_equal(crier_bytes_parse(crier_slice_of(rows[i].text), &bytes),
                         rows[i].result);
        assert_true(bytes == rows[i].bytes);
    }
}

static void test_ranges(void **state)
{
    uint64_t min = 7, max = 7;

    assert_null(crier_duration_range_parse(CRIER_SLICE("250ms..30s"), &min, &max));
    assert_int_equal(min, 250);
    assert_int_equal(max, 30000);
    assert_null(crier_duration_range_parse(CRIER_SLICE("2s"), &min, &max));
    assert_int_equal(min, 2000);
    assert_int_equal(max, 2000);
    assert_non_null(crier_duration_range_parse(CRIER_SLICE("3s..2s"), &min, &max));
    assert_non_null(crier_duration_range_parse(CRIER_SLICE("3s..2"), &min, &max));
    assert_non_null(crier_duration_range_parse(CRIER_SLICE("..2s"), &min, &max));
    assert_non_null(crier_duration_range_parse(CRIER_SLICE(""), &min, &max));
    assert_int_equal(min, 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_last_wins),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_help_asked),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_faults),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
