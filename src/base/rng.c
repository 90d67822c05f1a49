/* SPDX-License-Identifier: MIT */
#include "base/rng.h"

#include <assert.h>

/* splitmix64 (Steele, Lea, Flood 2014): a counter, scrambled. Any seed will do, 0 too. */
uint64_t crier_rng_next(struct crier_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t crier_rng_between(struct crier_rng *rng, uint64_t low, uint64_t high)
{
    uint64_t count = high - low + 1; /* 0 stands for 2^64 */
    uint64_t value;

    assert(low <= high);
    if (count == 0)
        return crier_rng_next(rng);

    /* 2^64 is no multiple of count: the odd values at the bottom would come up once too often,
     * so they are drawn again. */
    uint64_t odd = (UINT64_MAX - count + 1) % count;

    do
        value = crier_rng_next(rng);
    while (value < odd);
    return low + value % count;
}
