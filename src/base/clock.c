/* SPDX-License-Identifier: MIT */
/*
 * Times and durations as text. The calendar is the proleptic Gregorian one, computed, not asked
 * for: the C library's would read the time zone and keep global state.
 *
 * Days are counted in years that begin in March, so that the leap day is the last of its year,
 * and in eras of 400 years, which all have 146,097 days.
 */
#include "base/clock.h"

#include "base/ascii.h"
#include "base/buf.h"

#define DAY_MS UINT64_C(86400000)

enum {
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
};

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

static bool leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01; negative before. */
static int64_t days_from_date(struct date date)
{
    int64_t year = date.month > 2 ? date.year : date.year - 1;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month = (date.month + 9) % 12; /* March is 0 */
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;

    return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - EPOCH_DAYS;
}

static struct date date_from_days(uint64_t days_since_1970)
{
    int64_t days = (int64_t)days_since_1970 + EPOCH_DAYS;
    int64_t era = days / ERA_DAYS;
    int64_t day = days % ERA_DAYS;
    int64_t year_of_era = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int64_t day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */

    return (struct date){
        .year = era * 400 + year_of_era + (month >= 10 ? 1 : 0),
        .month = (int)(month >= 10 ? month - 9 : month + 3),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
}

/* Takes exactly count digits off the front of *s. */
static bool take_digits(struct crier_slice *s, size_t count, int *ret_value)
{
    int value = 0;

    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!crier_is_digit(s->data[i]))
            return false;
        value = value * 10 + (s->data[i] - '0');
    }
    *s = crier_slice_sub(*s, count, s->len);
    *ret_value = value;
    return true;
}

/* Takes one byte off the front of *s if it is one of set. */
static bool take_one(struct crier_slice *s, const char *set)
{
    struct crier_slice choices = crier_slice_of(set);

    if (s->len == 0 || crier_slice_find(choices, s->data[0]) == choices.len)
        return false;
    *s = crier_slice_sub(*s, 1, s->len);
    return true;
}

static bool take_date(struct crier_slice *s, struct date *ret_date)
{
    struct date date;
    int year;

    if (!take_digits(s, 4, &year) || !take_one(s, "-") || !take_digits(s, 2, &date.month) ||
        !take_one(s, "-") || !take_digits(s, 2, &date.day))
        return false;
    date.year = year;
    if (date.month < 1 || date.month > 12)
        return false;
    if (date.day < 1 || date.day > days_in_month(date.year, date.month))
        return false;
    *ret_date = date;
    return true;
}

/* "09:03:34.123": the fraction may be missing, and is cut after the third digit. */
static bool take_time_of_day(struct crier_slice *s, int *ret_ms)
{
    int hour, minute, second, digit;
    int ms = 0;

    if (!take_digits(s, 2, &hour) || !take_one(s, ":") || !take_digits(s, 2, &minute) ||
        !take_one(s, ":") || !take_digits(s, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second, counted as the next */
        return false;
    if (take_one(s, ".")) {
        int unit = 100;

        if (!take_digits(s, 1, &digit))
            return false;
        do {
            ms += digit * unit;
            unit /= 10;
        } while (take_digits(s, 1, &digit));
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* "Z" or "+hh:mm": how far local time is ahead. */
static bool take_offset(struct crier_slice *s, int *ret_ms)
{
    int hour, minute;
    int sign = s->len > 0 && s->data[0] == '-' ? -1 : 1;

    if (take_one(s, "Zz")) {
        *ret_ms = 0;
        return true;
    }
    if (!take_one(s, "+-") || !take_digits(s, 2, &hour) || !take_one(s, ":") ||
        !take_digits(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *ret_ms = sign * (hour * 60 + minute) * 60000;
    return true;
}

int crier_time_parse(struct crier_slice text, uint64_t *ret_wall_ms)
{
    struct date date;
    int time_ms, offset_ms;
    int64_t wall_ms;

    /* RFC 3339 5.6: t and z may be lower case, and a space may stand for the T. */
    if (!take_date(&text, &date) || !take_one(&text, "Tt ") ||
        !take_time_of_day(&text, &time_ms) || !take_offset(&text, &offset_ms) || text.len > 0)
        return -EINVAL;
    wall_ms = days_from_date(date) * (int64_t)DAY_MS + time_ms - offset_ms;
    if (wall_ms < 0)
        return -ERANGE;
    *ret_wall_ms = (uint64_t)wall_ms;
    return 0;
}

static void put_digits(struct crier_buf *buf, uint64_t value, int count, char after)
{
    char text[5];

    for (int i = count; i-- > 0; value /= 10)
        text[i] = (char)('0' + value % 10);
    text[count] = after;
    crier_buf_add(buf, text, (size_t)count + 1);
}

void crier_time_format(struct crier_buf *buf, uint64_t wall_ms)
{
    const uint64_t last_ms = UINT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
    uint64_t ms;
    struct date date;

    if (wall_ms > last_ms)
        wall_ms = last_ms;
    ms = wall_ms % DAY_MS;
    date = date_from_days(wall_ms / DAY_MS);
    put_digits(buf, (uint64_t)date.year, 4, '-');
    put_digits(buf, (uint64_t)date.month, 2, '-');
    put_digits(buf, (uint64_t)date.day, 2, 'T');
    put_digits(buf, ms / 3600000, 2, ':');
    put_digits(buf, ms / 60000 % 60, 2, ':');
    put_digits(buf, ms / 1000 % 60, 2, '.');
    put_digits(buf, ms % 1000, 3, 'Z');
}

int crier_duration_parse(struct crier_slice text, uint64_t *ret_ms)
{
    static const struct {
        struct crier_slice name;
        uint64_t ms;
    } units[] = {
        {{"ms", 2}, 1},      {{"s", 1}, 1000},   {{"m", 1}, 60000},
        {{"h", 1}, 3600000}, {{"d", 1}, DAY_MS},
    };
    size_t digits = 0;
    uint64_t count;
    int r;

    while (digits < text.len && crier_is_digit(text.data[digits]))
        digits++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!crier_slice_eq(crier_slice_sub(text, digits, text.len), units[i].name))
            continue;
        r = crier_slice_to_u64(crier_slice_sub(text, 0, digits), &count);
        if (r < 0)
            return r;
        if (count > UINT64_MAX / units[i].ms)
            return -ERANGE;
        *ret_ms = count * units[i].ms;
        return 0;
    }
    return -EINVAL;
}
