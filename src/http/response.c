/* SPDX-License-Identifier: MIT */
#include "http/response.h"

#include "http/field.h"
#include <assert.h>

const char *crier_status_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

struct date {
    unsigned year, month, day; /* month from 0 */
};

/* Days since 1970-01-01 to the proleptic Gregorian calendar, counted in years that begin in
 * March, so that the leap day is a year's last. No C library call: those read time zones. */
static struct date date_of(uint64_t days)
{
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;
    uint64_t day = shifted % 146097; /* of 400 years */
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t in_year = day - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * in_year + 2) / 153; /* 0 is March */

    return (struct date){
        .year = (unsigned)(year + era * 400 + (month >= 10)),
        .month = (unsigned)((month + 2) % 12),
        .day = (unsigned)(in_year - (153 * month + 2) / 5 + 1),
    };
}

/* IMF-fixdate (RFC 9110 5.6.7). */
static void append_date(struct crier_buf *buf, uint64_t wall_ms)
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    uint64_t seconds = wall_ms / 1000;
    struct date date = date_of(seconds / 86400);
    unsigned time = (unsigned)(seconds % 86400);

    crier_buf_printf(buf, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[seconds / 86400 % 7],
                     date.day, months[date.month], date.year, time / 3600, time / 60 % 60,
                     time % 60);
}

void crier_http_start_head(struct crier_buf *buf, unsigned status, uint64_t wall_ms)
{
    assert(status >= 100 && status <= 999);
    crier_buf_printf(buf, "HTTP/1.1 %u %s\r\nDate: ", status, crier_status_reason(status));
    append_date(buf, wall_ms);
    crier_buf_append(buf, CRIER_SLICE("\r\n"));
}

void crier_http_header(struct crier_buf *buf, struct crier_slice name, struct crier_slice value)
{
    assert(crier_token_valid(name));
    assert(crier_slice_find_eol(value) == value.len &&
           crier_slice_find(value, '\0') == value.len);
    crier_buf_append(buf, name);
    crier_buf_append(buf, CRIER_SLICE(": "));
    crier_buf_append(buf, value);
    crier_buf_append(buf, CRIER_SLICE("\r\n"));
}

void crier_http_header_u64(struct crier_buf *buf, struct crier_slice name, uint64_t value)
{
    assert(crier_token_valid(name));
    crier_buf_append(buf, name);
    crier_buf_append(buf, CRIER_SLICE(": "));
    crier_buf_u64(buf, value);
    crier_buf_append(buf, CRIER_SLICE("\r\n"));
}

void crier_http_end_head(struct crier_buf *buf)
{
    crier_buf_append(buf, CRIER_SLICE("\r\n"));
}
