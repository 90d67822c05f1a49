/* SPDX-License-Identifier: MIT */
#include "client/access.h"
#include "support.h"

static const char *const variables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    return 0;
}

/* Without a proxy that is given, the environment's is taken, as it was when access was made. */
static void test_environment(void **state)
{
    struct crier_access_options options = {.connect_ms = 7};
    struct crier_access access;
    struct crier_url url;

    assert_null(crier_url_parse(CRIER_SLICE("http://a/"), &url));
    assert_int_equal(setenv("http_proxy", "p:1", 1), 0);
    assert_int_equal(crier_access_init(&access, &crier_mem_libc, &options), 0);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_slice_is(crier_proxies_for(&access.proxies, &url)->url.host, "p");
    assert_int_equal(access.connect_ms, 7);
    crier_access_deinit(&access);
    options.proxy = "";
    assert_int_equal(setenv("http_proxy", "p:1", 1), 0);
    assert_int_equal(crier_access_init(&access, &crier_mem_libc, &options), 0);
    assert_null(crier_proxies_for(&access.proxies, &url));
    crier_access_deinit(&access);
    crier_access_deinit(&access);
}

/* Whom to trust is read when it is first needed, from a file whose name was copied. */
static void test_tls(void **state)
{
    char file[] = "/nowhere";
    const struct crier_access_options options = {.ca_file = file, .proxy = ""};
    char fault[CRIER_TLS_FAULT] = "";
    struct crier_access access;
    struct crier_tls *tls = NULL;

    assert_int_equal(crier_access_init(&access, &crier_mem_libc, &options), 0);
    memset(file, '?', sizeof(file) - 1);
    assert_true(crier_access_tls(&access, fault, &tls) < 0);
    assert_null(tls);
    assert_true(fault[0]);
    assert_null(strchr(fault, '?'));
    crier_access_deinit(&access);
}

static int run_init(const struct crier_mem *mem, void *ctx)
{
    const struct crier_access_options options = {.ca_file = "f", .proxy = "u@p"};
    struct crier_access access;
    int r = crier_access_init(&access, mem, &options);

    if (r == 0)
        crier_access_deinit(&access);
    return r;
}

static void test_memory(void **state)
{
    assert_true(test_mem_torture(run_init, NULL) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
