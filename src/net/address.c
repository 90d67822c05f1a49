/* SPDX-License-Identifier: MIT */
/*
 * Addresses as values.
 *
 * An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is the IPv4 address it stands for, from
 * whichever side it comes: a socket, a header, a flag. Otherwise one client would have two
 * keys, and a loopback address a spelling that is not recognised.
 *
 * Text is read with inet_pton, which takes exactly the standard spellings ("127.1" and
 * "0177.0.0.1" are no addresses here). Everything is by value; nothing allocates.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESS_V4 = 4, ADDRESS_V6 = 6 };

static const uint8_t address_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct crier_ip address_v4(const void *bytes)
{
    struct crier_ip ip = {.family = ADDRESS_V4};

    memcpy(ip.bytes, bytes, 4);
    return ip;
}

static struct crier_ip address_v6(const void *bytes)
{
    struct crier_ip ip = {.family = ADDRESS_V6};

    memcpy(ip.bytes, bytes, 16);
    if (memcmp(ip.bytes, address_mapped, sizeof(address_mapped)) == 0)
        return address_v4(ip.bytes + 12);
    return ip;
}

int crier_ip_parse(struct crier_slice text, struct crier_ip *ret)
{
    char copy[INET6_ADDRSTRLEN] = {0};
    uint8_t bytes[16];

    /* A NUL inside would end the copy early, and "::1\0..." would be an address. */
    if (text.len == 0 || text.len >= sizeof(copy) || crier_slice_find(text, '\0') != text.len)
        return -EINVAL;
    memcpy(copy, text.data, text.len);
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *ret = address_v4(bytes);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *ret = address_v6(bytes);
    else
        return -EINVAL;
    return 0;
}

/* ---- host and port ------------------------------------------------------------------- */

static const char *address_parse_port(struct crier_slice text, uint16_t *ret)
{
    uint64_t value;

    if (crier_slice_to_u64(text, &value) < 0 || value > 65535)
        return "the port must be a number from 0 to 65535, as in 127.0.0.1:8080 (0: any free "
               "one)";
    *ret = (uint16_t)value;
    return NULL;
}

/* Cuts "[::1]:8080", "127.0.0.1:8080", "name:8080" or ":8080" at the colon before the port. */
static const char *address_split(struct crier_slice text,
                                 struct crier_slice *ret_host,
                                 bool *ret_bracketed,
                                 struct crier_slice *ret_port)
{
    size_t colon = text.len;

    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return "an address is written with its port, as in 127.0.0.1:8080, [::1]:8080, "
               "localhost:8080 or :8080 (all addresses)";
    colon--;
    *ret_port = crier_slice_sub(text, colon + 1, text.len);
    *ret_host = crier_slice_sub(text, 0, colon);
    *ret_bracketed = ret_host->len >= 2 && ret_host->data[0] == '[' &&
                     ret_host->data[ret_host->len - 1] == ']';
    if (*ret_bracketed)
        *ret_host = crier_slice_sub(*ret_host, 1, ret_host->len - 2);
    else if (crier_slice_find(*ret_host, ':') != ret_host->len)
        return "an IPv6 address is written in brackets and with its port, as in [::1]:8080";
    return NULL;
}

static void address_pair(struct crier_ip v4,
                         struct crier_ip v6,
                         uint16_t port,
                         struct crier_address ret[2],
                         size_t *ret_count)
{
    ret[0] = (struct crier_address){.ip = v4, .port = port};
    ret[1] = (struct crier_address){.ip = v6, .port = port};
    *ret_count = 2;
}

const char *
crier_address_parse(struct crier_slice text, struct crier_address ret[2], size_t *ret_count)
{
    static const uint8_t any[16] = {0}, loopback4[4] = {127, 0, 0, 1},
                         loopback6[16] = {[15] = 1};
    struct crier_slice host, port_text;
    const char *fault;
    struct crier_ip ip;
    uint16_t port;
    bool bracketed;

    fault = address_split(text, &host, &bracketed, &port_text);
    if (!fault)
        fault = address_parse_port(port_text, &port);
    if (fault)
        return fault;
    if (host.len == 0 && !bracketed) {
        address_pair(address_v4(any), address_v6(any), port, ret, ret_count);
        return NULL;
    }
    if (!bracketed && crier_slice_eq_nocase(host, CRIER_SLICE("localhost"))) {
        address_pair(address_v4(loopback4), address_v6(loopback6), port, ret, ret_count);
        return NULL;
    }
    if (crier_ip_parse(host, &ip) < 0)
        return "an address to listen on is an IP address, localhost or nothing, and a port: "
               "127.0.0.1:8080, [::1]:8080, localhost:8080 or :8080; other names are not "
               "looked up";
    ret[0] = (struct crier_address){.ip = ip, .port = port};
    *ret_count = 1;
    return NULL;
}

/* ---- printing ------------------------------------------------------------------------ */

size_t crier_ip_format(const struct crier_ip *ip, char text[CRIER_ADDRESS_TEXT])
{
    static_assert(CRIER_ADDRESS_TEXT >= INET6_ADDRSTRLEN + sizeof("[]:65535"),
                  "an address fits");
    const char *done = NULL;

    if (ip->family == ADDRESS_V4)
        done = inet_ntop(AF_INET, ip->bytes, text, CRIER_ADDRESS_TEXT);
    else if (ip->family == ADDRESS_V6)
        done = inet_ntop(AF_INET6, ip->bytes, text, CRIER_ADDRESS_TEXT);
    if (!done)
        memcpy(text, "unknown", sizeof("unknown"));
    return strlen(text);
}

size_t crier_address_format(const struct crier_address *address, char text[CRIER_ADDRESS_TEXT])
{
    char ip[CRIER_ADDRESS_TEXT];
    int len;

    crier_ip_format(&address->ip, ip);
    if (address->ip.family == 0)
        len = snprintf(text, CRIER_ADDRESS_TEXT, "%s", ip);
    else if (address->ip.family == ADDRESS_V6)
        len = snprintf(text, CRIER_ADDRESS_TEXT, "[%s]:%u", ip, address->port);
    else
        len = snprintf(text, CRIER_ADDRESS_TEXT, "%s:%u", ip, address->port);
    assert(len > 0 && len < CRIER_ADDRESS_TEXT);
    return (size_t)len;
}

/* ---- questions ----------------------------------------------------------------------- */

bool crier_ip_is_loopback(const struct crier_ip *ip)
{
    static const uint8_t loopback6[16] = {[15] = 1};

    if (ip->family == ADDRESS_V4)
        return ip->bytes[0] == 127;
    return ip->family == ADDRESS_V6 && memcmp(ip->bytes, loopback6, 16) == 0;
}

bool crier_ip_eq(const struct crier_ip *a, const struct crier_ip *b)
{
    /* The bytes an IPv4 address does not use are always 0. */
    return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

struct crier_ip crier_ip_limit_key(const struct crier_ip *ip)
{
    struct crier_ip key = *ip;

    /* One household or server is given a whole /64: counting single addresses would limit
     * nobody. */
    if (key.family == ADDRESS_V6)
        memset(key.bytes + 8, 0, 8);
    return key;
}

/* ---- sockets ------------------------------------------------------------------------- */

void crier_address_from_sockaddr(const struct sockaddr_storage *storage,
                                 struct crier_address *ret)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *ret = (struct crier_address){0};
    if (storage->ss_family == AF_INET) {
        memcpy(&v4, storage, sizeof(v4));
        ret->ip = address_v4(&v4.sin_addr);
        ret->port = ntohs(v4.sin_port);
    } else if (storage->ss_family == AF_INET6) {
        memcpy(&v6, storage, sizeof(v6));
        ret->ip = address_v6(&v6.sin6_addr);
        ret->port = ntohs(v6.sin6_port);
    }
}

socklen_t crier_address_to_sockaddr(const struct crier_address *address,
                                    struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};

    memset(ret, 0, sizeof(*ret));
    if (address->ip.family == ADDRESS_V4) {
        memcpy(&v4.sin_addr, address->ip.bytes, 4);
        memcpy(ret, &v4, sizeof(v4));
        return sizeof(v4);
    }
    if (address->ip.family == ADDRESS_V6) {
        memcpy(&v6.sin6_addr, address->ip.bytes, 16);
        memcpy(ret, &v6, sizeof(v6));
        return sizeof(v6);
    }
    return 0;
}

/* ---- ranges -------------------------------------------------------------------------- */

static bool address_bit(const struct crier_ip *ip, unsigned i)
{
    return ip->bytes[i / 8] >> (7 - i % 8) & 1;
}

const char *crier_cidr_parse(struct crier_slice text, struct crier_cidr *ret)
{
    static const char fault[] =
        "a range is an IP address and, after a slash, how many of its bits count: "
        "10.0.0.0/8, fd00::/8, or a single address without a slash";
    size_t slash = crier_slice_find(text, '/');
    struct crier_slice host = crier_slice_sub(text, 0, slash);
    unsigned width, skipped = 0;
    struct crier_cidr cidr;
    uint64_t bits;

    if (crier_ip_parse(host, &cidr.ip) < 0)
        return fault;
    width = cidr.ip.family == ADDRESS_V4 ? 32 : 128;
    /* A mapped address was written in 128 bits and is kept in its last 32. */
    if (width == 32 && crier_slice_find(host, ':') != host.len)
        skipped = 96;
    bits = width + skipped;
    if (slash < text.len &&
        crier_slice_to_u64(crier_slice_sub(text, slash + 1, text.len), &bits) < 0)
        return fault;
    if (bits > width + skipped || bits < skipped)
        return "the number after the slash must be from 0 to 32 for IPv4, 0 to 128 for IPv6";
    cidr.bits = (unsigned)bits - skipped;
    for (unsigned i = cidr.bits; i < width; i++) {
        if (address_bit(&cidr.ip, i))
            return "the range's address has bits beyond the number after the slash; write "
                   "10.0.0.0/8 for "
                   "all that begin with 10, or 10.1.2.3/32 for one address";
    }
    *ret = cidr;
    return NULL;
}

bool crier_cidr_contains(const struct crier_cidr *cidr, const struct crier_ip *ip)
{
    if (cidr->ip.family != ip->family || ip->family == 0)
        return false;
    for (unsigned i = 0; i < cidr->bits; i++) {
        if (address_bit(&cidr->ip, i) != address_bit(ip, i))
            return false;
    }
    return true;
}
