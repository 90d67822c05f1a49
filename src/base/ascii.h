/* SPDX-License-Identifier: MIT */
/* What kind of character an ASCII byte is; the locale has no say. */
#ifndef CRIER_BASE_ASCII_H
#define CRIER_BASE_ASCII_H

#include <stdbool.h>

static inline bool crier_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool crier_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline char crier_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

enum { CRIER_NO_HEX = 16 };

/* 0 to 15, or CRIER_NO_HEX for what is no hexadecimal digit. */
static inline unsigned crier_hex_value(char c)
{
    char low = crier_lower(c);

    if (crier_is_digit(c))
        return (unsigned)(c - '0');
    return low >= 'a' && low <= 'f' ? (unsigned)(low - 'a') + 10 : CRIER_NO_HEX;
}

#endif
