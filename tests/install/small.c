/* SPDX-License-Identifier: MIT */
/* The least a program can do with an installed library: it compiles, links, and is the release its headers
 * say. As C and as C++. */
#include <crier/crier.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    char expected[32];

    (void)snprintf(expected, sizeof(expected), "%d.%d.%d", CRIER_VERSION_MAJOR,
                   CRIER_VERSION_MINOR, CRIER_VERSION_PATCH);
    if (strcmp(crier_version(), expected) != 0)
        return 1;
    if (strcmp(crier_strerror(CRIER_EADDRINUSE), "address in use") != 0)
        return 2;
    return puts("ok") < 0;
}
