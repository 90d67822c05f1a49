/* SPDX-License-Identifier: MIT */
#include "journal/picks.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST = 64 };

int crier_picks_add(struct crier_picks *picks, uint64_t number)
{
    if (picks->count == picks->cap) {
        size_t cap = picks->cap ? picks->cap * 2 : FIRST;
        uint64_t *numbers =
            crier_mem_resize(picks->mem, picks->numbers, cap * sizeof(numbers[0]));
        if (!numbers)
            return -ENOMEM;
        picks->numbers = numbers;
        picks->cap = cap;
    }
    picks->numbers[picks->count++] = number;
    return 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *one = a, *two = b;
    return (*one > *two) - (*one < *two);
}

void crier_picks_sort(struct crier_picks *picks, uint64_t max)
{
    size_t n = 0;

    if (!picks->count)
        return;
    qsort(picks->numbers, picks->count, sizeof(picks->numbers[0]), compare_numbers);
    for (size_t i = 0; i < picks->count; i++) {
        if (n == 0 || picks->numbers[n - 1] != picks->numbers[i])
            picks->numbers[n++] = picks->numbers[i];
    }
    size_t skip = n > max ? n - (size_t)max : 0;
    memmove(picks->numbers, picks->numbers + skip, (n - skip) * sizeof(picks->numbers[0]));
    picks->count = n - skip;
}
