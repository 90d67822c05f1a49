/* SPDX-License-Identifier: MIT */
/* The client, linked with tls_off.c in the place of tls.c. */
#include "client/tls.h"
#include "crier/client.h"
#include "support.h"

static int note_down(struct crier_client *client, const struct crier_down *down, void *ctx)
{
    *(struct crier_down *)ctx = *down;
    return CRIER_DECIDE_DEFAULT;
}

/* An https URL is refused in words, for good; nothing can be made. */
static void test_refused(void **state)
{
    const struct crier_tls_options options = {.insecure = true};
    struct crier_down down = {.status = 0};
    struct crier_client *client;
    char fault[CRIER_TLS_FAULT] = "";
    struct crier_tls *tls = NULL;

    assert_int_equal(crier_tls_new(&crier_mem_libc, &options, fault, &tls), CRIER_ENOTSUP);
    assert_null(tls);
    client = crier_client_new(.url = "https://localhost/", .on_down = note_down, .ctx = &down,
                              .proxy = "");
    assert_non_null(client);
    assert_int_equal(crier_client_run(client), CRIER_OVER);
    assert_string_equal(crier_client_reason(client), "https is not built into this library");
    assert_int_equal(down.kind, CRIER_DOWN_INVALID);
    assert_null(crier_client_free(client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
