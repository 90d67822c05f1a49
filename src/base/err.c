/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <string.h>

/* A build that was told another version than the headers say would mislead its users. */
#define TEXT_OF(x) #x
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)
_Static_assert(sizeof(CRIER_VERSION) == sizeof(VERSION_TEXT(CRIER_VERSION_MAJOR,
                                                            CRIER_VERSION_MINOR,
                                                            CRIER_VERSION_PATCH)),
               "meson.build and crier/types.h name different versions");

const char *crier_version(void)
{
    return VERSION_TEXT(CRIER_VERSION_MAJOR, CRIER_VERSION_MINOR, CRIER_VERSION_PATCH);
}

const char *crier_strerror(int result)
{
    const char *text = NULL;

    switch (result) {
    case 0:
        return "success";
#define CRIER_X(name, number, text)                                                            \
    case name:                                                                                 \
        return text;
        CRIER_ERRORS(CRIER_X)
        CRIER_OUTCOMES(CRIER_X)
#undef CRIER_X
    default:
        break;
    }
    /* Not strerror(): it may use a buffer that all threads share. */
    if (result < 0 && result > -4096)
        text = strerrordesc_np(-result);
    return text ? text : "unknown";
}

const char *crier_errname(int result)
{
    switch (result) {
    case 0:
        return "0";
#define CRIER_X(name, number, text)                                                            \
    case name:                                                                                 \
        return #name;
        CRIER_ERRORS(CRIER_X)
        CRIER_OUTCOMES(CRIER_X)
#undef CRIER_X
    default:
        return NULL;
    }
}
