/* SPDX-License-Identifier: MIT */
/*
 * Content negotiation (RFC 9110 12.5.1).
 *
 * For each media type on offer, the most specific range that matches it decides its weight: an
 * exact name before "type/" + "*", that before "*" + "/" + "*"; of several equally specific
 * ones the heaviest counts. Then the heaviest type wins, among equals the one that was named,
 * then the order of enum crier_media. So "text/html;q=0.5, *" + "/" + "*" weighs HTML 0.5 and
 * all others 1.
 *
 * Parameters of a range other than q do not narrow it ("text/event-stream;charset=utf-8" is
 * text/event-stream). An element that is malformed is passed over, and a list of nothing else
 * counts as no list: who cannot ask still gets the default.
 */
#include "http/negotiate.h"

#include "base/ascii.h"
#include "http/field.h"

enum { WEIGHT_ONE = 1000 };

enum match { MATCH_NONE = 0, MATCH_ANY, MATCH_TYPE, MATCH_NAME };

struct range {
    struct crier_slice type, subtype;
    unsigned weight; /* q times 1,000 */
};

/* How a media type stands against all Accept headers. */
struct standing {
    enum match match;
    unsigned weight;
};

static struct range media_name(enum crier_media media)
{
    switch (media) {
    case CRIER_MEDIA_NONE:
        break;
    case CRIER_MEDIA_EVENT_STREAM:
        return (struct range){CRIER_SLICE("text"), CRIER_SLICE("event-stream"), 0};
    case CRIER_MEDIA_NDJSON:
        return (struct range){CRIER_SLICE("application"), CRIER_SLICE("x-ndjson"), 0};
    case CRIER_MEDIA_JSON:
        return (struct range){CRIER_SLICE("application"), CRIER_SLICE("json"), 0};
    case CRIER_MEDIA_HTML:
        return (struct range){CRIER_SLICE("text"), CRIER_SLICE("html"), 0};
    }
    return (struct range){.weight = 0};
}

/* qvalue = "0" [ "." 0*3DIGIT ] / "1" [ "." 0*3("0") ] */
static bool parse_weight(struct crier_slice text, unsigned *ret_weight)
{
    unsigned weight, scale = 100;

    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1'))
        return false;
    if (text.len > 1 && text.data[1] != '.')
        return false;
    weight = text.data[0] == '1' ? WEIGHT_ONE : 0;
    for (size_t i = 2; i < text.len; i++, scale /= 10) {
        if (!crier_is_digit(text.data[i]))
            return false;
        weight += (unsigned)(text.data[i] - '0') * scale;
    }
    if (weight > WEIGHT_ONE)
        return false;
    *ret_weight = weight;
    return true;
}

/* "text/html;level=1;q=0.5". false: malformed. */
static bool parse_range(struct crier_slice element, struct range *ret_range)
{
    struct crier_slice parameter, name;
    struct range range = {.weight = WEIGHT_ONE};

    if (!crier_list_next(&element, ';', &range.subtype))
        return false;
    range.type = crier_slice_cut(&range.subtype, '/');
    if (!crier_token_valid(range.type) || !crier_token_valid(range.subtype))
        return false;
    while (crier_list_next(&element, ';', &parameter)) {
        name = crier_slice_trim(crier_slice_cut(&parameter, '='));
        if (crier_slice_eq_nocase(name, CRIER_SLICE("q")) &&
            !parse_weight(crier_slice_trim(parameter), &range.weight))
            return false;
    }
    *ret_range = range;
    return true;
}

static enum match match(const struct range *range, const struct range *media)
{
    bool any_type = crier_slice_eq(range->type, CRIER_SLICE("*"));
    bool any_subtype = crier_slice_eq(range->subtype, CRIER_SLICE("*"));

    if (any_type)
        return any_subtype ? MATCH_ANY : MATCH_NONE;
    if (!crier_slice_eq_nocase(range->type, media->type))
        return MATCH_NONE;
    if (any_subtype)
        return MATCH_TYPE;
    return crier_slice_eq_nocase(range->subtype, media->subtype) ? MATCH_NAME : MATCH_NONE;
}

static void improve(struct standing *standing, enum match found, unsigned weight)
{
    if (found == MATCH_NONE || found < standing->match)
        return;
    if (found > standing->match || weight > standing->weight)
        *standing = (struct standing){found, weight};
}

/* false: there is no Accept with a well-formed element at all. */
static bool stand(const struct crier_http_request *request,
                  enum crier_media media,
                  struct standing *ret_standing)
{
    struct range name = media_name(media);
    struct standing standing = {MATCH_NONE, 0};
    bool any = false;

    for (size_t i = 0; i < request->header_count; i++) {
        struct crier_slice list = request->headers[i].value;
        struct crier_slice element;
        struct range range;

        if (!crier_slice_eq_nocase(request->headers[i].name, CRIER_SLICE("Accept")))
            continue;
        while (crier_list_next(&list, ',', &element)) {
            if (!parse_range(element, &range))
                continue;
            any = true;
            improve(&standing, match(&range, &name), range.weight);
        }
    }
    *ret_standing = standing;
    return any;
}

enum crier_media crier_negotiate(const struct crier_http_request *request, unsigned offered)
{
    enum crier_media best = CRIER_MEDIA_NONE;
    struct standing best_standing = {MATCH_NONE, 0};

    for (unsigned m = CRIER_MEDIA_EVENT_STREAM; m <= CRIER_MEDIA_HTML; m++) {
        struct standing standing;
        bool named;

        if (!(offered & (1u << m)))
            continue;
        if (!stand(request, (enum crier_media)m, &standing))
            return (enum crier_media)m; /* the first on offer */
        named = standing.match == MATCH_NAME && best_standing.match != MATCH_NAME;
        if (standing.weight > best_standing.weight ||
            (standing.weight == best_standing.weight && standing.weight > 0 && named)) {
            best = (enum crier_media)m;
            best_standing = standing;
        }
    }
    return best;
}

bool crier_accept_names(const struct crier_http_request *request, enum crier_media media)
{
    struct standing standing;

    return stand(request, media, &standing) && standing.match == MATCH_NAME &&
           standing.weight > 0;
}

bool crier_accept_covers(const struct crier_http_request *request, enum crier_media media)
{
    struct standing standing;

    return !stand(request, media, &standing) || standing.weight > 0;
}

struct crier_slice crier_content_type_essence(struct crier_slice value)
{
    return crier_slice_trim(crier_slice_sub(value, 0, crier_slice_find(value, ';')));
}
