/* SPDX-License-Identifier: MIT */
/* TLS over a pair of sockets, with OpenSSL as the server and a certificate made on the spot. */
#include "client/tls.h"
#include "client/transport.h"
#include "support.h"
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { ROUNDS = 100, NEW_KEYS = 20 };

static SSL_CTX *server_context, *nameless_context;
static char ca_path[] = "/tmp/crier-test-tls-XXXXXX";

/* One that vouches for itself, for localhost and 127.0.0.1; or that has a subject only. */
static X509 *make_certificate(EVP_PKEY *key, const char *subject, bool named)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");

    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)subject, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    if (named)
        assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(names);
    return certificate;
}

static SSL_CTX *make_context(FILE *trusted, const char *subject, bool named)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, subject, named);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    assert_int_equal(PEM_write_X509(trusted, certificate), 1);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

static int setup(void **state)
{
    FILE *file = fdopen(mkstemp(ca_path), "w");

    assert_non_null(file);
    server_context = make_context(file, "test", true);
    nameless_context = make_context(file, "localhost", false);
    return fclose(file);
}

static int teardown(void **state)
{
    SSL_CTX_free(server_context);
    SSL_CTX_free(nameless_context);
    return unlink(ca_path);
}

struct world {
    struct crier_tls *tls;
    struct crier_transport client;
    int fd; /* the server's */
    SSL *server;
};

static void world_init(struct world *w, const char *host, const char *ca_file, bool insecure)
{
    const struct crier_tls_options options = {.ca_file = ca_file, .insecure = insecure};
    char fault[CRIER_TLS_FAULT];
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    crier_transport_init(&w->client);
    w->client.fd = pair[0];
    w->fd = pair[1];
    w->server = SSL_new(server_context);
    assert_int_equal(SSL_set_fd(w->server, w->fd), 1);
    SSL_set_accept_state(w->server);
    assert_int_equal(crier_tls_new(&crier_mem_libc, &options, fault, &w->tls), 0);
    assert_int_equal(crier_transport_secure(&w->client, w->tls, crier_slice_of(host)), 0);
}

static void world_deinit(struct world *w)
{
    crier_transport_close(&w->client);
    crier_transport_close(&w->client);
    w->tls = crier_tls_free(w->tls);
    SSL_free(w->server);
    if (w->fd >= 0)
        (void)close(w->fd);
}

/* As crier_transport_handshake, both sides in turn. */
static int shake(struct world *w)
{
    int r = CRIER_TRANSPORT_WAIT;

    for (int i = 0; r == CRIER_TRANSPORT_WAIT && i < ROUNDS; i++) {
        r = crier_transport_handshake(&w->client);
        (void)SSL_do_handshake(w->server);
    }
    return r;
}

/* As crier_transport_recv, past what is TLS's own. */
static ssize_t receive(struct world *w, char *bytes, size_t len)
{
    ssize_t n = -EAGAIN;

    for (int i = 0; n == -EAGAIN && i < ROUNDS; i++)
        n = crier_transport_recv(&w->client, bytes, len);
    return n;
}

static size_t unread(const struct world *w)
{
    int n = 0;

    assert_int_equal(ioctl(w->client.fd, FIONREAD, &n), 0);
    return (size_t)n;
}

/* Bytes go both ways; where there are none, nothing is waited for; a goodbye is the end. */
static void test_exchange(void **state)
{
    struct world w;
    char bytes[16];
    size_t n;

    world_init(&w, "localhost", ca_path, false);
    assert_int_equal(shake(&w), 0);
    assert_string_equal(SSL_get_servername(w.server, TLSEXT_NAMETYPE_host_name), "localhost");
    assert_int_equal(crier_transport_recv(&w.client, bytes, sizeof(bytes)), -EAGAIN);
    assert_int_equal(crier_transport_send(&w.client, "hello", 5), 5);
    assert_int_equal(SSL_read_ex(w.server, bytes, sizeof(bytes), &n), 1);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(SSL_write_ex(w.server, "0123456789", 10, &n), 1);
    assert_int_equal(receive(&w, bytes, 4), 4);
    assert_true(crier_transport_pending(&w.client));
    assert_int_equal(crier_transport_recv(&w.client, bytes, sizeof(bytes)), 6);
    assert_false(crier_transport_pending(&w.client));
    (void)SSL_shutdown(w.server);
    assert_int_equal(crier_transport_recv(&w.client, bytes, sizeof(bytes)), 0);
    world_deinit(&w);
}

/* A server that sends new keys without end does not hold a step up: each takes one record. */
static void test_new_keys(void **state)
{
    struct world w;
    size_t before, after, n;
    unsigned steps = 0;
    ssize_t r;
    char byte;

    world_init(&w, "localhost", ca_path, false);
    assert_int_equal(shake(&w), 0);
    for (int i = 0; i < NEW_KEYS; i++) {
        assert_int_equal(SSL_key_update(w.server, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(w.server), 1);
    }
    assert_int_equal(SSL_write_ex(w.server, "x", 1, &n), 1);
    do {
        before = unread(&w);
        r = crier_transport_recv(&w.client, &byte, 1);
        after = unread(&w);
        assert_true(after < before);
        steps++;
    } while (r == -EAGAIN);
    assert_int_equal(r, 1);
    assert_int_equal(byte, 'x');
    assert_true(steps > NEW_KEYS);
    world_deinit(&w);
}

/* Nor does one that never gets to the point of the handshake (RFC 5246 7.4.1.1). */
static void test_endless_handshake(void **state)
{
    static const char hello_request[9] = {0x16, 3, 3, 0, 4, 0, 0, 0, 0};
    char many[1000 * sizeof(hello_request)];
    struct world w;
    size_t before = 0;

    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = hello_request[i % sizeof(hello_request)];
    world_init(&w, "localhost", ca_path, false);
    assert_int_equal(crier_transport_handshake(&w.client), CRIER_TRANSPORT_WAIT);
    while (send(w.fd, many, sizeof(many), 0) == (ssize_t)sizeof(many))
        before += sizeof(many);
    assert_true(before > 64 * 1024);
    before = unread(&w);
    assert_int_equal(crier_transport_handshake(&w.client), CRIER_TRANSPORT_WAIT);
    assert_in_range(before - unread(&w), 1, 32 * 1024);
    world_deinit(&w);
}

/* Closing says goodbye. */
static void test_goodbye(void **state)
{
    struct world w;
    char byte;
    size_t n;

    world_init(&w, "localhost.", ca_path, false);
    assert_int_equal(shake(&w), 0);
    crier_transport_close(&w.client);
    assert_int_equal(SSL_read_ex(w.server, &byte, 1, &n), 0);
    assert_int_equal(SSL_get_error(w.server, 0), SSL_ERROR_ZERO_RETURN);
    world_deinit(&w);
}

/* An end without goodbye, and sending to who is gone, are failures in words, and no signal. */
static void test_cut(void **state)
{
    struct world w;
    char byte;

    world_init(&w, "localhost", ca_path, false);
    assert_int_equal(shake(&w), 0);
    (void)close(w.fd);
    w.fd = -1;
    assert_int_equal(receive(&w, &byte, 1), -ECONNRESET);
    assert_non_null(strstr(crier_transport_fault(&w.client), "the connection was cut"));
    assert_true(crier_transport_send(&w.client, "x", 1) < 0);
    assert_true(crier_transport_send(&w.client, "x", 1) < 0);
    world_deinit(&w);
}

/* Whom it trusts: by name, by address, and nobody else. */
static void test_trust(void **state)
{
    static const struct {
        const char *host;
        bool trusted;
        int r;
        const char *words;
    } rows[] = {
        {"localhost", true, 0, ""},
        {"LOCALHOST", true, 0, ""},
        {"127.0.0.1", true, 0, ""},
        {"127.0.0.2", true, -EKEYREJECTED, "IP address mismatch"},
        {"other", true, -EKEYREJECTED, "hostname mismatch"},
        {"localhost", false, -EKEYREJECTED, "self-signed certificate"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct world w;

        world_init(&w, rows[i].host, rows[i].trusted ? ca_path : NULL, false);
        assert_int_equal(shake(&w), rows[i].r);
        assert_non_null(strstr(crier_transport_fault(&w.client), rows[i].words));
        world_deinit(&w);
        world_init(&w, rows[i].host, NULL, true);
        assert_int_equal(shake(&w), 0);
        world_deinit(&w);
    }
}

/* A certificate is for the names it lists, not for what its subject is called (RFC 9525 2). */
static void test_subject(void **state)
{
    struct world w;

    world_init(&w, "localhost", ca_path, false);
    assert_ptr_equal(SSL_set_SSL_CTX(w.server, nameless_context), nameless_context);
    assert_int_equal(shake(&w), -EKEYREJECTED);
    assert_non_null(strstr(crier_transport_fault(&w.client), "hostname mismatch"));
    world_deinit(&w);
}

/* A name that no server can have is not out of memory. */
static void test_long_name(void **state)
{
    struct crier_tls_session *session = NULL;
    char name[300], fault[CRIER_TLS_FAULT];
    struct crier_tls *tls;

    memset(name, 'a', sizeof(name));
    assert_int_equal(crier_tls_new(&crier_mem_libc,
                                   &(struct crier_tls_options){.insecure = true}, fault, &tls),
                     0);
    assert_int_equal(
        crier_tls_session_new(tls, -1, (struct crier_slice){name, sizeof(name)}, &session),
        -EINVAL);
    assert_null(session);
    (void)crier_tls_free(tls);
}

/* What is no TLS is told as such. */
static void test_nonsense(void **state)
{
    struct world w;

    world_init(&w, "localhost", ca_path, false);
    assert_int_equal(send(w.fd, "HTTP/1.1 400 X\r\n\r\n", 18, 0), 18);
    assert_int_equal(crier_transport_handshake(&w.client), -EPROTO);
    assert_non_null(strstr(crier_transport_fault(&w.client), "the TLS handshake failed: "));
    world_deinit(&w);
}

static void test_files(void **state)
{
    const struct crier_tls_options options = {.ca_file = "/nowhere"};
    char fault[CRIER_TLS_FAULT];
    struct crier_tls *tls = NULL;

    assert_int_equal(crier_tls_new(&crier_mem_libc, &options, fault, &tls), -EINVAL);
    assert_null(tls);
    assert_non_null(strstr(fault, "cannot read certificates from /nowhere: "));
}

static int run_session(const struct crier_mem *mem, void *ctx)
{
    const struct crier_tls_options options = {.ca_file = ca_path};
    struct crier_tls_session *session = NULL;
    char fault[CRIER_TLS_FAULT];
    struct crier_tls *tls = NULL;
    int r = crier_tls_new(mem, &options, fault, &tls);

    if (r == 0)
        r = crier_tls_session_new(tls, -1, CRIER_SLICE("a"), &session);
    (void)crier_tls_session_free(session);
    (void)crier_tls_free(tls);
    return r;
}

static void test_memory(void **state)
{
    assert_int_equal(test_mem_torture(run_session, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_endless_handshake),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_subject),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
