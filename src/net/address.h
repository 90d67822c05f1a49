/* SPDX-License-Identifier: MIT */
/* Socket addresses as values: parsing, printing, the key limits count by, CIDR ranges. */
#ifndef CRIER_NET_ADDRESS_H
#define CRIER_NET_ADDRESS_H

#include "base/err.h"
#include "base/slice.h"
#include <netinet/in.h>

/* An IP address; IPv4-mapped IPv6 addresses are kept as IPv4. */
struct crier_ip {
    uint8_t family; /* 4 or 6; 0: none (a unix socket or unknown) */
    uint8_t bytes[16];
};

struct crier_address {
    struct crier_ip ip;
    uint16_t port;
};

enum { CRIER_ADDRESS_TEXT = 56 };

/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses, IPv6 and IPv4), "8080"? no: a clear
 * fault. "localhost:8080" is both loopback addresses: at most 2 are returned. NULL, or a
 * sentence that says how to write one. */
const char *
crier_address_parse(struct crier_slice text, struct crier_address ret[2], size_t *ret_count);
size_t crier_address_format(const struct crier_address *,
                            char text[CRIER_ADDRESS_TEXT]); /* NUL-terminated; its length */
size_t crier_ip_format(const struct crier_ip *, char text[CRIER_ADDRESS_TEXT]);
int crier_ip_parse(struct crier_slice text,
                   struct crier_ip *ret) CRIER_MUST_CHECK; /* no port, no brackets */
bool crier_ip_is_loopback(const struct crier_ip *);
bool crier_ip_eq(const struct crier_ip *, const struct crier_ip *);
void crier_address_from_sockaddr(const struct sockaddr_storage *, struct crier_address *ret);
socklen_t crier_address_to_sockaddr(const struct crier_address *, struct sockaddr_storage *ret);
/* What limits per address count by: IPv4 whole, IPv6 its /64. */
struct crier_ip crier_ip_limit_key(const struct crier_ip *);

struct crier_cidr {
    struct crier_ip ip;
    unsigned bits;
};
const char *crier_cidr_parse(struct crier_slice text,
                             struct crier_cidr *ret); /* NULL, or a sentence */
bool crier_cidr_contains(const struct crier_cidr *, const struct crier_ip *);

#endif
