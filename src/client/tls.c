/* SPDX-License-Identifier: MIT */
/*
 * TLS on OpenSSL.
 *
 *     send, recv ─▶ SSL ─▶ BIO ─▶ crier_socket_send, crier_socket_recv ─▶ fd
 *
 * The BIO is our own because OpenSSL's writes with write(2), which raises SIGPIPE when the peer
 * is gone: a library must not end the program for that.
 *
 * The end. A peer that means it says goodbye (close_notify); an end without that may have been
 * cut off by anyone, and is -ECONNRESET. What that means the layer above knows: a stream comes
 * back, a body of known length is whole or is not.
 *
 * Renegotiation (TLS 1.2) is refused, so that sending never waits for the peer's bytes; TLS 1.3
 * may answer a new key of the peer's while we receive, hence wants_out.
 *
 * Bounds. What is TLS's own (new keys, tickets) can come without end, and OpenSSL would go on
 * until the program's bytes come. So a recv takes one record, and a handshake STEP_BYTES: then
 * it is -EAGAIN or a wait, and the socket, which is looked at level-triggered, is still
 * readable.
 *
 * Ownership. A session borrows the trust and the descriptor. OpenSSL allocates by itself, from
 * the C library. OpenSSL's queue of errors belongs to the thread: it is emptied before each
 * call, so that what is found in it afterwards is ours.
 */
#include "client/tls.h"

#include "base/mem.h"
#include "net/address.h"
#include "net/socket.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { HOST_BYTES = 256, STEP_BYTES = 32 * 1024 };

struct crier_tls {
    const struct crier_mem *mem;
    SSL_CTX *context;
    BIO_METHOD *method;
};

struct crier_tls_session {
    const struct crier_mem *mem;
    SSL *ssl;
    int fd;
    size_t budget;  /* bytes that this call may still receive */
    int error;      /* of the socket, negative */
    bool eof;       /* the socket's end was reached */
    bool shaken;    /* the handshake is done, and nothing has gone wrong since */
    bool wants_out; /* OpenSSL has bytes that the socket did not take */
    char fault[CRIER_TLS_FAULT];
};

/* ---- the socket, as OpenSSL sees it ---- */

static int bio_result(BIO *bio, ssize_t n, int retry)
{
    struct crier_tls_session *session = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (n == -EAGAIN)
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    else if (n < 0)
        session->error = (int)n;
    return n < 0 ? -1 : (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    const struct crier_tls_session *session = BIO_get_data(bio);

    return bio_result(bio, crier_socket_send(session->fd, bytes, (size_t)len), BIO_FLAGS_WRITE);
}

static int bio_read(BIO *bio, char *bytes, int len)
{
    struct crier_tls_session *session = BIO_get_data(bio);
    size_t max = (size_t)len < session->budget ? (size_t)len : session->budget;
    ssize_t n = max > 0 ? crier_socket_recv(session->fd, bytes, max) : -EAGAIN;

    session->budget -= n > 0 ? (size_t)n : 0;
    session->eof = session->eof || n == 0;
    return bio_result(bio, n, BIO_FLAGS_READ);
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    const struct crier_tls_session *session = BIO_get_data(bio);

    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return session->eof;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "crier socket");

    if (!method)
        return NULL;
    (void)BIO_meth_set_write(method, bio_write);
    (void)BIO_meth_set_read(method, bio_read);
    (void)BIO_meth_set_ctrl(method, bio_control);
    (void)BIO_meth_set_create(method, bio_create);
    return method;
}

/* ---- whom to trust ---- */

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "no reason given";
}

static bool set_trust(SSL_CTX *context, const struct crier_tls_options *options)
{
    SSL_CTX_set_verify(context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->insecure)
        return true;
    if (options->ca_file)
        return SSL_CTX_load_verify_locations(context, options->ca_file, NULL) == 1;
    return SSL_CTX_set_default_verify_paths(context) == 1;
}

int crier_tls_new(const struct crier_mem *mem,
                  const struct crier_tls_options *options,
                  char fault[CRIER_TLS_FAULT],
                  struct crier_tls **ret_tls)
{
    struct crier_tls *tls = crier_mem_zalloc(mem, sizeof(*tls));

    (void)snprintf(fault, CRIER_TLS_FAULT, "out of memory");
    if (!tls)
        return -ENOMEM;
    ERR_clear_error();
    tls->mem = mem;
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = make_method();
    if (!tls->context || !tls->method ||
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1) {
        (void)crier_tls_free(tls);
        return -ENOMEM;
    }
    (void)SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                             SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_clear_mode(tls->context, SSL_MODE_AUTO_RETRY);
    if (!set_trust(tls->context, options)) {
        (void)snprintf(fault, CRIER_TLS_FAULT, "cannot read certificates from %s: %s",
                       options->ca_file ? options->ca_file : "the system's store",
                       last_reason());
        (void)crier_tls_free(tls);
        return -EINVAL;
    }
    *ret_tls = tls;
    return 0;
}

struct crier_tls *crier_tls_free(struct crier_tls *tls)
{
    if (!tls)
        return NULL;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    return crier_mem_free(tls->mem, tls);
}

/* ---- sessions ---- */

/* The name goes to the server (RFC 6066 3: no addresses), and both are what its certificate
 * must be for. */
static bool set_host(SSL *ssl, struct crier_slice host)
{
    char name[HOST_BYTES];
    struct crier_ip ip;

    if (crier_slice_ends(host, CRIER_SLICE(".")))
        host.len--;
    if (host.len == 0 || host.len >= sizeof(name))
        return false;
    (void)snprintf(name, sizeof(name), "%.*s", CRIER_SLICE_ARG(host));
    if (crier_ip_parse(host, &ip) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static int
session_init(struct crier_tls_session *session, struct crier_tls *tls, struct crier_slice host)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    BIO *bio;

    session->ssl = SSL_new(tls->context);
    bio = session->ssl ? BIO_new(tls->method) : NULL;
    if (!bio)
        return -ENOMEM;
    BIO_set_data(bio, session);
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_connect_state(session->ssl);
    if (!set_host(session->ssl, host))
        return -EINVAL;
    /* 0 is success here. */
    return SSL_set_alpn_protos(session->ssl, protocols, sizeof(protocols) - 1) == 0 ? 0
                                                                                    : -ENOMEM;
}

int crier_tls_session_new(struct crier_tls *tls,
                          int fd,
                          struct crier_slice host,
                          struct crier_tls_session **ret_session)
{
    struct crier_tls_session *session = crier_mem_zalloc(tls->mem, sizeof(*session));
    int r;

    if (!session)
        return -ENOMEM;
    session->mem = tls->mem;
    session->fd = fd;
    ERR_clear_error();
    r = session_init(session, tls, host);
    if (r < 0) {
        (void)crier_tls_session_free(session);
        return r;
    }
    *ret_session = session;
    return 0;
}

struct crier_tls_session *crier_tls_session_free(struct crier_tls_session *session)
{
    if (!session)
        return NULL;
    if (session->shaken) {
        ERR_clear_error();
        (void)SSL_shutdown(session->ssl);
    }
    SSL_free(session->ssl);
    ERR_clear_error();
    return crier_mem_free(session->mem, session);
}

/* ---- moving bytes ---- */

static int fail(struct crier_tls_session *session, int error, const char *what)
{
    long verdict = SSL_get_verify_result(session->ssl);

    session->shaken = false;
    if (verdict != X509_V_OK && SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE) {
        (void)snprintf(session->fault, sizeof(session->fault), "certificate verify failed: %s",
                       X509_verify_cert_error_string(verdict));
        return -EKEYREJECTED;
    }
    /* First: OpenSSL has then tried to send an alert, which fails too. */
    if (session->eof)
        error = -ECONNRESET;
    else if (session->error < 0)
        error = session->error;
    (void)snprintf(session->fault, sizeof(session->fault), "%s: %s", what,
                   session->eof         ? "the connection was cut"
                   : session->error < 0 ? strerror(-session->error)
                                        : last_reason());
    return error;
}

/* Before each call that may receive. */
static void begin(struct crier_tls_session *session)
{
    ERR_clear_error();
    session->budget = STEP_BYTES;
}

/* After a call that returned `result` <= 0. -EAGAIN, 0: the peer said goodbye, < 0. */
static int judge(struct crier_tls_session *session, int result, const char *what)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        session->wants_out = false;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        session->wants_out = true;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return fail(session, -EPROTO, what);
    }
}

int crier_tls_handshake(struct crier_tls_session *session)
{
    int result, r;

    begin(session);
    result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        session->shaken = true;
        session->wants_out = false;
        return 0;
    }
    r = judge(session, result, "the TLS handshake failed");
    if (r == -EAGAIN)
        return CRIER_TLS_WAIT;
    return r < 0 ? r : fail(session, -EPROTO, "the TLS handshake failed");
}

ssize_t crier_tls_send(struct crier_tls_session *session, const char *bytes, size_t len)
{
    size_t written;
    int r;

    begin(session);
    r = SSL_write_ex(session->ssl, bytes, len, &written);
    if (r == 1) {
        session->wants_out = false;
        return (ssize_t)written;
    }
    r = judge(session, r, "sending over TLS failed");
    return r == 0 ? -EPIPE : r;
}

ssize_t crier_tls_recv(struct crier_tls_session *session, char *bytes, size_t len)
{
    size_t got;
    int r;

    begin(session);
    r = SSL_read_ex(session->ssl, bytes, len, &got);
    if (r == 1)
        return (ssize_t)got;
    return judge(session, r, "the TLS connection broke");
}

bool crier_tls_wants_out(const struct crier_tls_session *session)
{
    return session->wants_out;
}

bool crier_tls_pending(const struct crier_tls_session *session)
{
    return SSL_pending(session->ssl) > 0;
}

const char *crier_tls_fault(const struct crier_tls_session *session)
{
    return session->fault;
}
