/* SPDX-License-Identifier: MIT */
/*
 * A request head's raw bytes, looked at one by one before anything else reads them: line ends,
 * the shape of the request line, names, bounds. Internal to src/http.
 */
#ifndef CRIER_HTTP_SCAN_H
#define CRIER_HTTP_SCAN_H

#include "http/request.h"

/* Why a request is refused. */
struct crier_refusal {
    enum crier_problem problem;
    const char *detail; /* a sentence, static text */
};

/* Stores the refusal and returns -EPROTO. */
int crier_refuse(struct crier_refusal *refusal, enum crier_problem problem, const char *detail);

/* A field section: header lines, or trailer lines, up to and with the blank line. */
struct crier_field_scan {
    uint8_t state;
    size_t count; /* lines begun */
};

enum { CRIER_FIELDS_END = 1 };

/* 0: go on; CRIER_FIELDS_END: c was the last byte of the blank line; -EPROTO. */
int crier_field_scan_byte(struct crier_field_scan *scan, char c, struct crier_refusal *refusal);

struct crier_scan {
    uint8_t state;
    uint8_t lead;       /* bytes of blank lines before the request */
    uint8_t version_at; /* bytes of "HTTP/1.1" seen */
    char major, minor;  /* their digits */
    size_t bytes;       /* of the head so far, blank lines before it not counted */
    size_t target_at;   /* where the target begins in the head */
    size_t target_len;
    struct crier_field_scan fields;
};

void crier_scan_start(struct crier_scan *scan);
/* Takes blank lines off the front. 0: a request begins at *input; CRIER_HTTP_MORE; -EPROTO. */
int crier_scan_lead(struct crier_scan *scan,
                    struct crier_slice *input,
                    struct crier_refusal *refusal);
/* Looks at the head's next bytes; *ret_used of them belong to it. 0: it is complete;
 * CRIER_HTTP_MORE; -EPROTO. */
int crier_scan_head(struct crier_scan *scan,
                    const struct crier_http_limits *limits,
                    struct crier_slice bytes,
                    struct crier_refusal *refusal,
                    size_t *ret_used);

#endif
