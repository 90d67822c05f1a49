/* SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "server/tokens.h"
#include "support.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define TOKEN_A "aaaaaaaaaaaaaaaa"
#define TOKEN_B "bbbbbbbbbbbbbbbbbbbbbbbb"

static const struct crier_mem *const mem = &crier_mem_libc;
static char path[64];
static struct crier_buf fault;

static int setup(void **state)
{
    int fd;

    snprintf(path, sizeof(path), "/tmp/crier-test-tokens-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    crier_buf_init(&fault, mem);
    return 0;
}

static int teardown(void **state)
{
    unlink(path);
    crier_buf_deinit(&fault);
    return 0;
}

static void write_file(struct crier_slice text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static bool check(const struct crier_tokens *tokens, const char *token)
{
    return crier_tokens_check(tokens, crier_slice_of(token));
}

static bool fault_says(const char *what)
{
    crier_buf_byte(&fault, '\0');
    return strstr(fault.data, what) != NULL;
}

/* What a file may look like: every row holds the tokens A and B and no other. */
static void test_files(void **state)
{
    const struct crier_slice rows[] = {
        CRIER_SLICE(TOKEN_A "\n" TOKEN_B "\n"),
        CRIER_SLICE(TOKEN_A "\n" TOKEN_B),                  /* no last line end */
        CRIER_SLICE(TOKEN_A "\r\n" TOKEN_B "\r\n"),         /* from another system */
        CRIER_SLICE("\xef\xbb\xbf" TOKEN_A "\r\n" TOKEN_B), /* and its byte order mark */
        CRIER_SLICE("# ours\n\n" TOKEN_A "\n \t\n  # b\n" TOKEN_B), /* comments, blank lines */
        CRIER_SLICE("  " TOKEN_A "\t\n" TOKEN_B "  \n"),            /* outer space */
        CRIER_SLICE(TOKEN_A "\n" TOKEN_A "\n" TOKEN_B "\n"),        /* one twice */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_tokens *tokens = NULL;

        write_file(rows[i]);
        assert_int_equal(crier_tokens_new(mem, path, NULL, &fault, &tokens), 0);
        assert_int_equal(fault.len, 0);
        assert_true(crier_tokens_configured(tokens));
        assert_true(check(tokens, TOKEN_A) && check(tokens, TOKEN_B));
        assert_false(check(tokens, "# ours") || check(tokens, "") ||
                     check(tokens, TOKEN_A "\r"));
        assert_false(check(tokens, TOKEN_A "\n" TOKEN_B));
        assert_null(crier_tokens_free(tokens));
    }
}

/* A right token is exactly that: no prefix, no longer one, no other case, no NUL behind. */
static void test_check(void **state)
{
    const char *const wrong[] = {"",
                                 "a",
                                 "aaaaaaaaaaaaaaa",
                                 TOKEN_A "a",
                                 TOKEN_A " ",
                                 " " TOKEN_A,
                                 "AAAAAAAAAAAAAAAA",
                                 "aaaaaaaaaaaaaaab",
                                 "baaaaaaaaaaaaaaa",
                                 TOKEN_A TOKEN_A};
    char longest[513], longer[514];
    struct crier_tokens *tokens;

    memset(longest, 'x', 512);
    longest[512] = 0;
    memset(longer, 'x', 513);
    longer[513] = 0;
    write_file(crier_slice_of(longest));
    assert_int_equal(crier_tokens_new(mem, path, TOKEN_A, &fault, &tokens), 0);
    assert_true(check(tokens, TOKEN_A)); /* the environment's, beside the file's */
    assert_true(check(tokens, longest));
    assert_false(check(tokens, longer));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(check(tokens, wrong[i]));
    assert_false(crier_tokens_check(tokens, CRIER_SLICE(TOKEN_A "\0")));
    assert_false(crier_tokens_check(tokens, (struct crier_slice){NULL, 0}));
    crier_tokens_free(tokens);
}

/* What is refused, with which words; never with the token itself. */
static void test_faults(void **state)
{
    static char many[300 * 20], large[(1 << 20) + 1];
    size_t len = 0;

    for (int i = 0; i < 257; i++)
        len += (size_t)snprintf(many + len, sizeof(many) - len, "token-number-%05d\n", i);
    memset(large, '\n', sizeof(large));
    const struct {
        struct crier_slice text;
        int error;
        const char *says;
    } rows[] = {
        {CRIER_SLICE(""), -EINVAL, "holds no token"},
        {CRIER_SLICE("# only this\n\n"), -EINVAL, "holds no token"},
        {CRIER_SLICE(TOKEN_A "\n\n5ecretTooShor\n"), -EINVAL,
         "line 3: the token is shorter than 16"},
        {CRIER_SLICE("5ecret5ecret 5ecret5ecret\n"), -EINVAL, "line 1: a token is printable"},
        {CRIER_SLICE("5ecret5ecret\xc3\xa4"
                     "5ecret\n"),
         -EINVAL, "line 1: a token is printable"},
        {CRIER_SLICE("5ecret5ecret\0"
                     "5ecret\n"),
         -EINVAL, "line 1: a token is printable"},
        {CRIER_SLICE("5ecret5ecret\r5ecret5ecret"), -EINVAL, "line 1: a token is printable"},
        {{many, len}, -EINVAL, "line 257: there are more than 256"},
        {{large, sizeof(large)}, -EFBIG, "cannot be read"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct crier_tokens *tokens = (void *)&rows;

        crier_buf_clear(&fault);
        write_file(rows[i].text);
        assert_int_equal(crier_tokens_new(mem, path, NULL, &fault, &tokens), rows[i].error);
        assert_ptr_equal(tokens, &rows);
        assert_true(fault_says(rows[i].says));
        assert_true(fault_says(path));
        assert_false(fault_says("5ecret"));
    }
}

static void expect_fault(const char *file, int error, const char *says)
{
    struct crier_tokens *tokens;

    crier_buf_clear(&fault);
    assert_int_equal(crier_tokens_new(mem, file, NULL, &fault, &tokens), error);
    assert_true(fault_says(says) && fault_says(file));
}

/* A file that is not there, may not be read, or is no file. A pipe with nobody at its other end
 * does not block. */
static void test_unreadable(void **state)
{
    expect_fault("/tmp/crier-no-such-dir/tokens", -ENOENT, "No such file");
    expect_fault("/tmp", -EISDIR, "directory");
    expect_fault("/dev/null", -EINVAL, "not a regular file");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_fault(path, -EINVAL, "not a regular file");
}

/* The environment's token follows the same rules; an empty one is a fault, not "no token". */
static void test_environment(void **state)
{
    struct crier_tokens *tokens;

    assert_int_equal(crier_tokens_new(mem, NULL, TOKEN_A "\n", &fault, &tokens), 0);
    assert_true(crier_tokens_configured(tokens) && check(tokens, TOKEN_A));
    assert_int_equal(crier_tokens_reload(tokens, &fault), 0);
    assert_true(check(tokens, TOKEN_A));
    crier_tokens_free(tokens);
    assert_int_equal(crier_tokens_new(mem, NULL, "", &fault, &tokens), -EINVAL);
    assert_true(fault_says("CRIER_PUBLISH_TOKEN holds no token"));
    crier_buf_clear(&fault);
    assert_int_equal(crier_tokens_new(mem, NULL, "5ecret", &fault, &tokens), -EINVAL);
    assert_true(fault_says("CRIER_PUBLISH_TOKEN") && !fault_says("5ecret"));
}

/* Neither a file nor a text: not configured, nothing is right, a reload is fine. */
static void test_none(void **state)
{
    struct crier_tokens *tokens;

    assert_int_equal(crier_tokens_new(mem, NULL, NULL, &fault, &tokens), 0);
    assert_false(crier_tokens_configured(tokens));
    assert_false(check(tokens, "") || check(tokens, "0000000000000000"));
    assert_int_equal(crier_tokens_reload(tokens, &fault), 0);
    crier_tokens_free(tokens);
    assert_null(crier_tokens_free(NULL));
}

/* A reload takes the new tokens and forgets the old; one that fails, whyever, keeps the old. */
static void test_reload(void **state)
{
    struct crier_tokens *tokens;

    write_file(CRIER_SLICE(TOKEN_A "\n"));
    assert_int_equal(crier_tokens_new(mem, path, NULL, &fault, &tokens), 0);
    write_file(CRIER_SLICE(TOKEN_B "\n"));
    assert_true(check(tokens, TOKEN_A) &&
                !check(tokens, TOKEN_B)); /* not before it is asked for */
    assert_int_equal(crier_tokens_reload(tokens, &fault), 0);
    assert_true(!check(tokens, TOKEN_A) && check(tokens, TOKEN_B));
    assert_int_equal(fault.len, 0);

    write_file(CRIER_SLICE(TOKEN_A "\nshort\n"));
    assert_int_equal(crier_tokens_reload(tokens, &fault), -EINVAL);
    assert_true(fault_says("line 2"));
    assert_true(!check(tokens, TOKEN_A) && check(tokens, TOKEN_B));
    write_file(CRIER_SLICE(""));
    assert_int_equal(crier_tokens_reload(tokens, &fault), -EINVAL);
    assert_true(crier_tokens_configured(tokens) && check(tokens, TOKEN_B));
    unlink(path);
    assert_int_equal(crier_tokens_reload(tokens, &fault), -ENOENT);
    assert_true(crier_tokens_configured(tokens) && check(tokens, TOKEN_B));
    crier_tokens_free(tokens);
}

static int new_and_reload(const struct crier_mem *m, void *ctx)
{
    struct crier_tokens *tokens;
    struct crier_buf words;
    int r;

    crier_buf_init(&words, m);
    r = crier_tokens_new(m, path, TOKEN_A, &words, &tokens);
    if (r == 0) {
        r = crier_tokens_reload(tokens, &words);
        assert_true(check(tokens, TOKEN_A) && check(tokens, TOKEN_B));
        crier_tokens_free(tokens);
    }
    crier_buf_deinit(&words);
    return r;
}

/* Out of memory is an error, and a reload without memory keeps the old. */
static void test_memory(void **state)
{
    write_file(CRIER_SLICE(TOKEN_B "\n"));
    assert_true(test_mem_torture(new_and_reload, NULL) > 5);
}

struct checker {
    const struct crier_tokens *tokens;
    atomic_bool *stop;
    uint64_t missed, wrong;
};

static void *check_on(void *ctx)
{
    struct checker *c = ctx;

    while (!atomic_load(c->stop)) {
        c->missed += !check(c->tokens, TOKEN_A);
        c->wrong += check(c->tokens, "cccccccccccccccc");
    }
    return NULL;
}

/* While one thread rereads, a token that is in both files is right at every moment. */
static void test_threads(void **state)
{
    atomic_bool stop = false;
    struct checker checkers[3];
    struct crier_tokens *tokens;
    pthread_t threads[3];

    write_file(CRIER_SLICE(TOKEN_A "\n"));
    assert_int_equal(crier_tokens_new(mem, path, NULL, &fault, &tokens), 0);
    for (int i = 0; i < 3; i++) {
        checkers[i] = (struct checker){.tokens = tokens, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, check_on, &checkers[i]), 0);
    }
    for (int i = 0; i < 300; i++)
        assert_int_equal(crier_tokens_reload(tokens, &fault), 0);
    assert_true(check(tokens, TOKEN_A));
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(checkers[i].missed, 0);
        assert_int_equal(checkers[i].wrong, 0);
    }
    crier_tokens_free(tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
