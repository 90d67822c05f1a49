/* SPDX-License-Identifier: MIT */
#include "net/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

/* How many events one wait brings at most: 3 KiB of stack. What is left over comes with the
 * next wait; epoll hands out ready descriptors in turn, so none is starved. */
enum { POLLER_BATCH = 256 };

int crier_poller_init(struct crier_poller *poller)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0)
        return -errno;
    poller->fd = fd;
    return 0;
}

void crier_poller_deinit(struct crier_poller *poller)
{
    if (poller->fd >= 0)
        close(poller->fd);
    poller->fd = -1;
}

static int
poller_ctl(struct crier_poller *poller, int operation, int fd, struct epoll_event event)
{
    return epoll_ctl(poller->fd, operation, fd, &event) < 0 ? -errno : 0;
}

static int poller_ctl_add(struct crier_poller *poller, int fd, void *owner, uint32_t events)
{
    return poller_ctl(poller, EPOLL_CTL_ADD, fd,
                      (struct epoll_event){.events = events, .data.ptr = owner});
}

int crier_poller_add(struct crier_poller *poller, int fd, void *owner)
{
    return poller_ctl_add(poller, fd, owner,
                          EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET);
}

int crier_poller_add_level(struct crier_poller *poller, int fd, void *owner, bool exclusive)
{
    return poller_ctl_add(poller, fd, owner,
                          EPOLLIN | (exclusive ? (uint32_t)EPOLLEXCLUSIVE : 0));
}

int crier_poller_watch(struct crier_poller *poller, int fd, void *owner, unsigned ready)
{
    const struct epoll_event event = {.events = (ready & CRIER_READY_IN ? EPOLLIN : 0u) |
                                                (ready & CRIER_READY_OUT ? EPOLLOUT : 0u),
                                      .data.ptr = owner};
    int r = poller_ctl(poller, EPOLL_CTL_MOD, fd, event);

    return r == -ENOENT ? poller_ctl(poller, EPOLL_CTL_ADD, fd, event) : r;
}

void crier_poller_remove(struct crier_poller *poller, int fd)
{
    /* Fails only when it was not added: what the caller wants is then already so. */
    (void)epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
}

static unsigned poller_ready(uint32_t events)
{
    return (events & EPOLLIN ? (unsigned)CRIER_READY_IN : 0) |
           (events & EPOLLOUT ? (unsigned)CRIER_READY_OUT : 0) |
           (events & (EPOLLHUP | EPOLLERR) ? (unsigned)CRIER_READY_HUP : 0) |
           (events & EPOLLRDHUP ? (unsigned)CRIER_READY_RDHUP : 0);
}

int crier_poller_wait(struct crier_poller *poller,
                      struct crier_ready_event *events,
                      size_t max,
                      int timeout_ms)
{
    struct epoll_event raw[POLLER_BATCH];
    int n;

    n = epoll_wait(poller->fd, raw, max < POLLER_BATCH ? (int)max : POLLER_BATCH, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++)
        events[i] = (struct crier_ready_event){
            .owner = raw[i].data.ptr,
            .ready = poller_ready(raw[i].events),
        };
    return n;
}
