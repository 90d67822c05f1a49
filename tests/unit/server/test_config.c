/* SPDX-License-Identifier: MIT */
#include "server/config.h"
#include "support.h"

/* What http-api.md promises as defaults; nothing that counts is 0. */
static void test_defaults(void **state)
{
    struct crier_config c;
    char text[CRIER_ADDRESS_TEXT];

    memset(&c, 0xaa, sizeof(c));
    crier_config_defaults(&c);
    assert_int_equal(c.listen_count, 2);
    crier_address_format(&c.listens[0], text);
    assert_string_equal(text, "127.0.0.1:8080");
    crier_address_format(&c.listens[1], text);
    assert_string_equal(text, "[::1]:8080");
    assert_false(crier_config_is_public(&c));
    assert_int_equal(c.host_count + c.origin_count + c.proxy_count, 0);
    assert_false(c.anonymous_publish || c.public_topics || c.library);
    assert_true(!c.token_file && !c.token_text && !c.congestion);
    assert_int_equal(c.log_level, CRIER_LOG_INFO);
    assert_true(c.workers >= 1);
    assert_int_equal(c.journal.max_events, 100000);
    assert_int_equal(c.journal.max_bytes, 256 * 1024 * 1024);
    assert_int_equal(c.journal.max_age_ms, 24 * 60 * 60 * 1000);
    assert_int_equal(c.journal.kept_bytes, 32 * 1024 * 1024);
    assert_int_equal(c.journal.unread_bytes, 64 * 1024 * 1024);
    assert_int_equal(c.journal.max_event_bytes, 1024 * 1024);
    assert_int_equal(c.journal.max_keys, 100000);
    assert_int_equal(c.journal.key_age_ms, 10 * 60 * 1000);
    assert_int_equal(c.journal.lap_ms, 2000);
    assert_int_equal(c.journal.max_floors, 100000);
    assert_int_equal(c.fanout.window_bytes, 1024 * 1024);
    assert_int_equal(c.fanout.windows_bytes, 32 * 1024 * 1024);
    assert_int_equal(c.fanout.pin_bytes, 2 * 1024 * 1024);
    assert_true(c.fanout.window_from && c.fanout.pass_slice && c.fanout.lag_bytes);
    assert_true(c.fanout.lag_looks && c.fanout.tick_lag_bytes && c.fanout.read_bytes);
    assert_int_equal(c.http.target_bytes, 8192);
    assert_int_equal(c.http.head_bytes, 32768);
    assert_int_equal(c.http.headers, 128);
    assert_int_equal(c.http.chunk_extension_bytes, 4096);
    assert_int_equal(c.http.trailer_bytes, 8192);
    assert_int_equal(c.socket.user_timeout_ms, 30000);
    assert_true(c.socket.keepalive_s && c.socket.notsent_lowat);
    assert_int_equal(c.heartbeat_ms, 15000);
    assert_int_equal(c.head_timeout_ms, 10000);
    assert_int_equal(c.body_timeout_ms, 30000);
    assert_int_equal(c.stream_body_timeout_ms, 300000);
    assert_int_equal(c.idle_timeout_ms, 75000);
    assert_int_equal(c.stall_timeout_ms, 30000);
    assert_int_equal(c.linger_ms, 2000);
    assert_int_equal(c.drain_ms, 5000);
    assert_int_equal(c.retry_min_ms, 2000);
    assert_int_equal(c.retry_max_ms, 4000);
    assert_true(c.max_connections >= 1);
    assert_int_equal(c.max_per_address, 1000);
    assert_int_equal(c.max_page_bytes, 2 * 1024 * 1024);
    assert_int_equal(c.max_pages_bytes, 32 * 1024 * 1024);
}

/* Public: any listen address that is not loopback, or any --host. */
static void test_is_public(void **state)
{
    static const struct {
        const char *listen;
        bool is_public;
    } rows[] = {
        {"127.0.0.1:80", false},          {"[::1]:80", false},
        {"localhost:80", false},          {"127.9.9.9:80", false},
        {"[::ffff:127.0.0.1]:80", false}, {":80", true},
        {"192.168.0.1:80", true},         {"[::]:80", true},
        {"[fe80::1]:80", true},
    };
    struct crier_config c;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        crier_config_defaults(&c);
        assert_null(
            crier_address_parse(crier_slice_of(rows[i].listen), c.listens, &c.listen_count));
        assert_int_equal(crier_config_is_public(&c), rows[i].is_public);
    }
    /* One of several is enough, wherever it stands. */
    crier_config_defaults(&c);
    c.listens[1].ip = (struct crier_ip){.family = 4, .bytes = {10, 0, 0, 1}};
    assert_true(crier_config_is_public(&c));
    crier_config_defaults(&c);
    c.hosts[c.host_count++] = CRIER_SLICE("example.org");
    assert_true(crier_config_is_public(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_is_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
