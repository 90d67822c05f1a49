/* SPDX-License-Identifier: MIT */
#include "net/wake.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int crier_wake_init(struct crier_wake *wake)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    wake->fd = fd;
    return 0;
}

void crier_wake_deinit(struct crier_wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
}

void crier_wake_signal(struct crier_wake *wake)
{
    const uint64_t one = 1;
    int saved = errno; /* a signal handler may call this in the middle of anything */
    ssize_t n;

    /* EAGAIN: the counter is full, so the owner is woken anyway. */
    do
        n = write(wake->fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
    errno = saved;
}

void crier_wake_drain(struct crier_wake *wake)
{
    uint64_t count;
    ssize_t n;

    /* One read takes the whole counter. */
    do
        n = read(wake->fd, &count, sizeof(count));
    while (n < 0 && errno == EINTR);
}
