/* SPDX-License-Identifier: MIT */
/*
 * A program's options: what each becomes, which sentence each wrong one gets.
 */
#include "server/config.h"
#include "support.h"
#include <string.h>

#define S(literal) CRIER_SLICE(literal)

typedef struct crier_server_options options;

/* Reads them; what it holds is let go at once, the rest can be looked at. */
static int read_options(options o, struct crier_config *config, const char **ret_fault)
{
    struct test_mem mem;
    int r;

    test_mem_init(&mem, 0);
    r = crier_config_from_options(&o, &mem.mem, config, ret_fault);
    assert_int_equal(*ret_fault != NULL, r == CRIER_EINVAL);
    crier_config_release(&mem.mem, config);
    assert_int_equal(mem.alive, 0);
    return r;
}

static void assert_fault(options o, const char *text)
{
    struct crier_config config;
    const char *fault = NULL;

    assert_int_equal(read_options(o, &config, &fault), CRIER_EINVAL);
    if (!strstr(fault, text))
        fail_msg("\"%s\" does not say \"%s\"", fault, text);
}

static struct crier_config fine(options o)
{
    struct crier_config config;
    const char *fault = NULL;

    if (read_options(o, &config, &fault) != 0)
        fail_msg("%s", fault);
    return config;
}

/* Zero is the default of each. */
static void defaults(void **state)
{
    struct crier_config config = fine((options){0}), wanted;

    crier_config_defaults(&wanted);
    assert_int_equal(config.listen_count, 1);
    assert_int_equal(config.listens[0].port, 0);
    assert_true(crier_ip_is_loopback(&config.listens[0].ip));
    assert_int_equal(config.listens[0].ip.family, 4);
    assert_int_equal(config.workers, 1);
    assert_int_equal(config.heartbeat_ms, 15000);
    assert_int_equal(config.retry_min_ms, 2000);
    assert_int_equal(config.retry_max_ms, 4000);
    assert_int_equal(config.drain_ms, 5000);
    assert_int_equal(config.max_body, 1 << 20);
    assert_int_equal(config.queue_bytes, 64 << 10);
    assert_int_equal(config.max_age_ms, 0);
    assert_int_equal(config.head_timeout_ms, 10000);
    assert_int_equal(config.body_timeout_ms, 30000);
    assert_int_equal(config.idle_timeout_ms, 75000);
    assert_int_equal(config.stall_timeout_ms, 30000);
    assert_int_equal(config.max_connections, wanted.max_connections);
    assert_int_equal(config.max_per_address, 1000);
    assert_true(config.library);
    assert_false(config.stop_on_signals || config.any_host || config.inherit ||
                 config.reload_on_hup || config.anonymous_publish || config.public_topics);
    assert_null(config.on_log);
    assert_int_equal(config.log_fd, -1);
}

static void given(void **state)
{
    struct crier_config c = fine((options){.heartbeat_ms = 1,
                                           .retry_ms = 2,
                                           .grace_ms = 3,
                                           .max_body = 4,
                                           .queue_bytes = 5,
                                           .max_age_ms = 6,
                                           .head_timeout_ms = 7,
                                           .body_timeout_ms = 8,
                                           .idle_timeout_ms = 9,
                                           .stall_timeout_ms = 10,
                                           .max_connections = 11,
                                           .max_per_address = 12,
                                           .workers = 13,
                                           .stop_on_signals = true,
                                           .log_level = CRIER_LOG_DEBUG});

    assert_int_equal(c.heartbeat_ms, 1);
    assert_int_equal(c.retry_min_ms, 2);
    assert_int_equal(c.retry_max_ms, 2);
    assert_int_equal(c.drain_ms, 3);
    assert_int_equal(c.max_body, 4);
    assert_int_equal(c.queue_bytes, 5);
    assert_int_equal(c.max_age_ms, 6);
    assert_int_equal(c.head_timeout_ms, 7);
    assert_int_equal(c.body_timeout_ms, 8);
    assert_int_equal(c.idle_timeout_ms, 9);
    assert_int_equal(c.stall_timeout_ms, 10);
    assert_int_equal(c.max_connections, 11);
    assert_int_equal(c.max_per_address, 12);
    assert_int_equal(c.workers, 13);
    assert_true(c.stop_on_signals);
    assert_int_equal(c.log_level, CRIER_LOG_DEBUG);

    c = fine(
        (options){.heartbeat_ms = CRIER_OFF, .retry_ms = CRIER_OFF, .max_age_ms = CRIER_OFF});
    assert_int_equal(c.heartbeat_ms, 0);
    assert_int_equal(c.retry_min_ms, 0);
    assert_int_equal(c.retry_max_ms, 0);
    assert_int_equal(c.max_age_ms, 0);
}

static void assert_host(const char *host, const char *first, size_t count)
{
    struct crier_config c = fine((options){.host = host, .port = 81});
    char text[CRIER_ADDRESS_TEXT];

    crier_address_format(&c.listens[0], text);
    assert_string_equal(text, first);
    assert_int_equal(c.listen_count, count);
}

static void hosts_to_listen_on(void **state)
{
    assert_host(NULL, "127.0.0.1:81", 1);
    assert_host("127.0.0.1", "127.0.0.1:81", 1);
    assert_host("::1", "[::1]:81", 1);
    assert_host("[::1]", "[::1]:81", 1);
    assert_host("localhost", "127.0.0.1:81", 2);
    assert_host("*", "0.0.0.0:81", 2);
    assert_host("192.0.2.7", "192.0.2.7:81", 1);
}

/* Each wrong option has a sentence that names it. */
static void faults(void **state)
{
    static const char *const hosts[] = {"",         "example.org", "127.0.0.1:80", ":80",
                                        "[::1]:80", "[",           "[]",           "[*]",
                                        "1.2.3",    " 127.0.0.1",  "localhost:1",  "http://a"};
    static const struct crier_event bye = {.type = {"a\nb", 3}};
    char many[40 * 20] = "", origins[70 * 20] = "", longest[400];

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct crier_config config;
        const char *fault = NULL;

        if (read_options((options){.host = hosts[i]}, &config, &fault) != CRIER_EINVAL)
            fail_msg("\"%s\" is an address", hosts[i]);
        assert_non_null(strstr(fault, ".host "));
    }
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_fault((options){.host = longest}, ".host ");
    for (int i = 0; i < 33; i++)
        snprintf(many + strlen(many), 16, "h%d.example ", i);
    for (int i = 0; i < 65; i++)
        snprintf(origins + strlen(origins), 20, "http://h%d.test ", i);
    assert_fault((options){.port = -1}, ".port");
    assert_fault((options){.port = 65536}, ".port");
    assert_fault((options){.workers = -1}, ".workers");
    assert_fault((options){.workers = 257}, ".workers");
    assert_fault((options){.hosts = many}, ".hosts");
    assert_fault((options){.hosts = "http://a.example"}, ".hosts");
    assert_fault((options){.hosts = "a.example,b.example"}, ".hosts");
    assert_fault((options){.hosts = "a.example:80"}, ".hosts");
    assert_fault((options){.cors = origins}, ".cors");
    assert_fault((options){.cors = "a.example"}, ".cors");
    assert_fault((options){.cors = "http://a.example/"}, ".cors");
    assert_fault((options){.cors = "http://a.example,http://b.example"}, ".cors");
    assert_fault((options){.heartbeat_ms = -2}, ".heartbeat_ms");
    assert_fault((options){.retry_ms = -2}, ".retry_ms");
    assert_fault((options){.retry_ms = 3600001}, ".retry_ms");
    assert_fault((options){.grace_ms = CRIER_OFF}, ".grace_ms");
    assert_fault((options){.bye = &bye}, ".bye");
    assert_fault((options){.max_body = CRIER_OFF}, ".max_body");
    assert_fault((options){.queue_bytes = CRIER_OFF}, ".queue_bytes");
    assert_fault((options){.max_age_ms = -2}, ".max_age_ms");
    assert_fault((options){.head_timeout_ms = CRIER_OFF}, ".head_timeout_ms");
    assert_fault((options){.body_timeout_ms = CRIER_OFF}, ".body_timeout_ms");
    assert_fault((options){.idle_timeout_ms = CRIER_OFF}, ".idle_timeout_ms");
    assert_fault((options){.stall_timeout_ms = CRIER_OFF}, ".stall_timeout_ms");
    assert_fault((options){.max_connections = CRIER_OFF}, ".max_connections");
    assert_fault((options){.max_per_address = CRIER_OFF}, ".max_per_address");
    assert_fault((options){.log_level = (enum crier_log_level)4}, ".log_level");
}

/* Timeouts are added to the clock: none may wrap around. */
static void huge_times_never_come(void **state)
{
    struct crier_config c = fine((options){.idle_timeout_ms = INT64_MAX,
                                           .heartbeat_ms = INT64_MAX,
                                           .max_age_ms = INT64_MAX,
                                           .grace_ms = INT64_MAX});

    assert_true(c.idle_timeout_ms + (UINT64_C(1) << 62) > c.idle_timeout_ms);
    assert_true(c.max_age_ms + (UINT64_C(1) << 62) > c.max_age_ms);
    assert_true(c.drain_ms + (UINT64_C(1) << 62) > c.drain_ms);
    assert_true(c.heartbeat_ms <= UINT32_MAX); /* streams keep it in 32 bits */
    assert_true(c.heartbeat_ms > 0);
}

/* The lists are split at spaces, copied, and outlive what they were made from. */
static void lists(void **state)
{
    char hosts[] = "  a.example   B.example *  ", cors[] = "http://a.example null *";
    struct crier_config c;
    const char *fault;

    assert_int_equal(crier_config_from_options(&(options){.hosts = hosts, .cors = cors},
                                               &crier_mem_libc, &c, &fault),
                     0);
    memset(hosts, 'x', sizeof(hosts));
    memset(cors, 'x', sizeof(cors));
    assert_int_equal(c.host_count, 2);
    assert_slice_is(c.hosts[0], "a.example");
    assert_slice_is(c.hosts[1], "B.example");
    assert_true(c.any_host);
    assert_int_equal(c.origin_count, 3);
    assert_slice_is(c.origins[0], "http://a.example");
    assert_slice_is(c.origins[1], "null");
    assert_slice_is(c.origins[2], "*");
    crier_config_release(&crier_mem_libc, &c);

    c = fine((options){.hosts = "", .cors = "   "});
    assert_int_equal(c.host_count + c.origin_count, 0);
    assert_false(c.any_host);
}

/* Who logs is known even where another option is wrong: the fault is logged too. */
static void on_log(void *ctx, enum crier_log_level level, struct crier_slice line)
{
}

static void the_log_comes_first(void **state)
{
    struct crier_config c;
    const char *fault;

    assert_int_equal(read_options((options){.workers = -1, .on_log = on_log}, &c, &fault),
                     CRIER_EINVAL);
    assert_true(c.on_log == on_log);
}

static int torture(const struct crier_mem *mem, void *ctx)
{
    static const struct crier_event bye = {.data = {"bye", 3}};
    struct crier_config c;
    const char *fault;
    int r = crier_config_from_options(
        &(options){.hosts = "a.example", .cors = "*", .bye = &bye}, mem, &c, &fault);

    assert_null(fault);
    crier_config_release(mem, &c);
    return r;
}

static void without_memory(void **state)
{
    assert_true(test_mem_torture(torture, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(given),
        cmocka_unit_test(hosts_to_listen_on),
        cmocka_unit_test(faults),
        cmocka_unit_test(huge_times_never_come),
        cmocka_unit_test(lists),
        cmocka_unit_test(the_log_comes_first),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
