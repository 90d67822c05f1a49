/* SPDX-License-Identifier: MIT */
/**
 * @file
 * What all of libcrier's headers share: text, memory, time, and the macros they are declared
 * with. The conventions themselves are told in crier/crier.h.
 */
#ifndef CRIER_TYPES_H
#define CRIER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What the shared library shows: nothing else is visible in it. */
#define CRIER_API __attribute__((visibility("default")))
/** The result says whether it worked: it must be looked at. */
#define CRIER_MUST_CHECK __attribute__((warn_unused_result))
/** A printf format and where its arguments begin; the compiler checks them. */
#define CRIER_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/** The release these headers belong to; crier_version() tells that of the library. */
#define CRIER_VERSION_MAJOR 0
#define CRIER_VERSION_MINOR 2
#define CRIER_VERSION_PATCH 0

/**
 * The version of the library that runs, "0.2.0". Static text. Any thread.
 */
CRIER_API const char *crier_version(void);

/**
 * An option that is 0 has its default; one that is CRIER_OFF is switched off, or without a
 * limit, as it says.
 */
#define CRIER_OFF (-1)

/**
 * Text or bytes: a pointer and a length. It owns nothing and need not end in NUL; those the
 * library hands out are followed by a NUL that is not counted. Data NULL: there is none, which
 * is not the same as empty.
 */
struct crier_slice {
    const char *data;
    size_t len;
};

/** A string literal as a slice, without its NUL. */
#ifdef __cplusplus
#define CRIER_SLICE(literal) (crier_slice{(literal), sizeof(literal) - 1})
#else
#define CRIER_SLICE(literal) ((struct crier_slice){(literal), sizeof(literal) - 1})
#endif
/** For printf("%.*s", CRIER_SLICE_ARG(slice)). */
#define CRIER_SLICE_ARG(s) (int)(s).len, (s).data ? (s).data : ""

/**
 * A C string as a slice; NULL: none. *Borrows* text. Any thread.
 */
CRIER_API struct crier_slice crier_slice_of(const char *text);

/**
 * The allocator that everything is given when it is made, and keeps (*borrows* it for its
 * life). Memory may be out at any time: whoever allocates can answer CRIER_ENOMEM. With several
 * workers, or a hub used by several threads, it is called from any of them.
 */
struct crier_mem {
    /** size 0 frees and returns NULL; ptr NULL allocates; NULL otherwise: out of memory. */
    void *(*resize)(void *ctx, void *ptr, size_t size);
    void *ctx;
};

/** The C library's: the default. */
CRIER_API extern const struct crier_mem crier_mem_libc;

/**
 * A moment, on two clocks.
 */
struct crier_now {
    uint64_t wall_ms; /**< since 1970 (CLOCK_REALTIME): may jump; for ids and for people */
    uint64_t boot_ms; /**< since boot (CLOCK_BOOTTIME): never goes back; for ages, timeouts */
};

/**
 * Where time comes from: the system, unless a hub, a server or a client is given another when
 * it is made (*borrows* it for its life). crier/testing.h has one that is moved by hand.
 */
struct crier_clock {
    /** *Never* goes back on the boot clock. Called from every thread that uses the object. */
    struct crier_now (*read)(void *ctx);
    void *ctx;
};

#ifdef __cplusplus
}
#endif

#endif
