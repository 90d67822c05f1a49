/* SPDX-License-Identifier: MIT */
#include "net/sys.h"

#include <sys/random.h>
#include <time.h>

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t = {0};

    /* Cannot fail with a clock that exists, and both have since Linux 2.6.39. */
    (void)clock_gettime(clock, &t);
    return t.tv_sec < 0 ? 0 : (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct crier_now crier_sys_now(void)
{
    return (struct crier_now){
        .wall_ms = clock_ms(CLOCK_REALTIME),
        .boot_ms = clock_ms(CLOCK_BOOTTIME),
    };
}

static struct crier_now read_clock(void *ctx)
{
    return crier_sys_now();
}

const struct crier_clock crier_sys_clock = {.read = read_clock};

int crier_sys_random(void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}
