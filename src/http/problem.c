/* SPDX-License-Identifier: MIT */
/*
 * Every refusal there is, with its texts.
 *
 * `detail` goes into the answer when there is nothing more exact to say; it tells the reader
 * what to do. `meaning`, `causes` and `remedy` make the page at /-/problems/<slug>
 * (problem_page.c). The texts are plain text, escaped where they are written out.
 *
 * The slug, not the title, is what programs compare: titles and details may be reworded.
 */
#include "http/problem.h"

#include "base/utf8.h"
#include <assert.h>

enum { DETAIL_BYTES = 1000 };

struct text {
    const char *title, *detail, *meaning, *causes, *remedy;
};

static const struct text texts[CRIER_PROBLEM_COUNT] = {
    [CRIER_PROBLEM_BAD_REQUEST] =
        {
            "Malformed request",
            "The request is not well-formed HTTP/1.1. Send it with an HTTP client, not by "
            "hand.",
            "The bytes that arrived do not follow the rules of HTTP/1.1, so that it is not "
            "certain where the request ends. The connection was closed.",
            "A request put together by hand, a proxy that changes requests, https:// used on a "
            "port that speaks plain HTTP, or a port scanner.",
            "Use an HTTP client library. If the address begins with https://, use http:// or "
            "put a TLS proxy in front of the hub.",
        },
    [CRIER_PROBLEM_BAD_HOST] =
        {
            "Missing or malformed Host",
            "Send exactly one Host header with a host name or address, such as Host: "
            "example.org:8080.",
            "An HTTP/1.1 request must say in one Host header which server it is meant for.",
            "The header is missing, is there twice, is empty, or is no host name. Some proxies "
            "pass on names with characters that host names cannot have.",
            "Send one Host header. Behind a proxy, let it set the header (nginx: "
            "proxy_set_header Host $host).",
        },
    [CRIER_PROBLEM_BAD_TOPIC] =
        {
            "Invalid topic",
            "A topic is 1 to 256 bytes of UTF-8, at most 16 segments between slashes, none "
            "empty, '.' or '..', without control characters and without '*'.",
            "Events are published to a topic, and what was given cannot be one.",
            "A slash at the end or two in a row, a pattern where a topic is needed, a name "
            "that is too long, or text that is not UTF-8.",
            "Choose a topic such as news or orders/42/status, and percent-encode it in the "
            "path.",
        },
    [CRIER_PROBLEM_BAD_SELECTOR] =
        {
            "Invalid selector",
            "A selector is a topic, or a pattern in which '*' stands for one whole segment and "
            "a final '**' for the rest.",
            "What to follow is given by selectors, and this one is neither a topic nor a "
            "pattern.",
            "A '*' inside a segment (as in news-*), a '**' that is not at the end, a slash at "
            "the end, or too many selectors in one request (100, of which 10 may be patterns).",
            "Write orders/*/status or orders/**, and quote the URL in a shell.",
        },
    [CRIER_PROBLEM_BAD_PARAMETER] =
        {
            "Invalid parameter",
            "A query parameter or header has a value that cannot be used. Correct it or leave "
            "it out.",
            "One of the request's parameters is not known here or has a value out of its "
            "range.",
            "A misspelt parameter on a publish, a type with line ends in it, since=5 (a number "
            "without a unit), or a retry outside 500 to 3600000.",
            "The detail of the answer names the parameter and what it may be.",
        },
    [CRIER_PROBLEM_NO_TOPIC] =
        {
            "No topic named",
            "Name a topic: in the path, as in /events/news, or when following as "
            "/events?topic=news.",
            "The request went to /events, which does not say which topic is meant.",
            "The topic was left out, or a variable that should hold it was empty.",
            "Follow with GET /events/news or GET /events?topic=news&topic=sport; publish with "
            "POST /events/news, or send a batch whose lines name their topics.",
        },
    [CRIER_PROBLEM_BAD_BODY] =
        {
            "Invalid body",
            "The body must be UTF-8 text; in a batch each line must be as its Content-Type "
            "says.",
            "The request's body cannot be published as it is.",
            "Text in another encoding than UTF-8, binary data, or a line of a batch that is "
            "not a JSON object or has an unknown member.",
            "Convert text to UTF-8 and encode binary data (as Base64, say). If the answer "
            "names a line, everything before that line has been published.",
        },
    [CRIER_PROBLEM_BAD_CREDENTIALS] =
        {
            "Ambiguous credentials",
            "Send one Authorization header only.",
            "The request has more than one Authorization header, so that it is not certain who "
            "is asking.",
            "A client and a proxy that each add one.",
            "Let only one of them send it.",
        },
    [CRIER_PROBLEM_TOKEN_MISSING] =
        {
            "Token needed",
            "Send the publish token as Authorization: Bearer <token>.",
            "This hub asks for its token before it does this.",
            "The Authorization header was left out, or a proxy removed it.",
            "Send Authorization: Bearer <token>. With crier pub, use --token-file or "
            "CRIER_TOKEN. The hub's operator has the token.",
        },
    [CRIER_PROBLEM_TOKEN_WRONG] =
        {
            "Wrong token",
            "The token is not one of the hub's. Check it, and that it is sent as "
            "Authorization: Bearer <token>.",
            "A token was sent, but it is none that this hub knows.",
            "A token that was changed since, a line end or quotes in it, or another scheme "
            "than Bearer.",
            "Compare it with the hub's token file. After a change of that file, send the hub a "
            "SIGHUP.",
        },
    [CRIER_PROBLEM_NOT_LOCAL] =
        {
            "Publishing is local only",
            "This hub has no publish token, so only local requests may publish. Start it with "
            "--publish-token-file, or publish from the same machine.",
            "Without a token, a hub takes events only from the machine it runs on.",
            "The request came from another machine, through a proxy (it carries "
            "X-Forwarded-For or the like), as HTTP/1.0, or with a Host other than localhost.",
            "Start the hub with --publish-token-file and send the token; or, if really anyone "
            "may publish, with --anonymous-publish.",
        },
    [CRIER_PROBLEM_CROSS_ORIGIN] =
        {
            "Origin not allowed",
            "Pages of this origin may not use the hub. Start the hub with --cors-origin and "
            "the page's origin.",
            "A browser sent this request for a web page of another origin than the hub's, and "
            "that origin is not allowed. This keeps any page on the web from using the hub "
            "behind its user's back.",
            "The page is served from another host or port than the hub.",
            "Start the hub with --cors-origin https://the-page.example, or serve page and hub "
            "from the same origin.",
        },
    [CRIER_PROBLEM_NOT_ALLOWED] =
        {
            "Not allowed",
            "The program that serves this does not allow it.",
            "The server is part of a program, which decides itself who may follow and who may "
            "publish; it said no.",
            "Publishing over HTTP is not open here, or not to you; or the topic is not for "
            "you.",
            "Ask whoever runs the program. In the program, it is decided by .may_publish and "
            ".may_subscribe of the mount.",
        },
    [CRIER_PROBLEM_NOT_FOUND] =
        {
            "Not found",
            "There is nothing at this path. Topics are at /events/<topic>.",
            "The path is none that this hub has.",
            "A misspelt path, a slash at the end, or a proxy that adds or removes a prefix.",
            "Follow and publish at /events/<topic>; the live page is at /, the state at "
            "/-/topics, /-/stats and /-/health.",
        },
    [CRIER_PROBLEM_UNKNOWN_TOPIC] =
        {
            "Unknown topic",
            "Nothing has been published to this topic yet, and nobody follows it.",
            "The hub knows nothing to tell about this topic.",
            "A misspelt topic, or one whose last event has left history.",
            "Look at /-/topics for those there are. Following a topic needs no event to be "
            "there.",
        },
    [CRIER_PROBLEM_METHOD_NOT_ALLOWED] =
        {
            "Method not allowed",
            "This path does not take this method. The Allow header lists those it takes.",
            "The path exists, but not for this method.",
            "A POST to a path that is only read, or a method such as PATCH, which is not used "
            "here.",
            "Follow with GET, publish with POST or PUT, clear a topic's history with DELETE.",
        },
    [CRIER_PROBLEM_NOT_ACCEPTABLE] =
        {
            "Nothing acceptable",
            "Accept names none of text/event-stream, application/x-ndjson, application/json "
            "and text/html where they are on offer.",
            "The request's Accept header rules out everything that could be answered here.",
            "A client that accepts only a media type of its own, or a publish whose Accept "
            "asks for an event stream in answer.",
            "Send Accept: text/event-stream to follow, application/json for history, or leave "
            "the header out.",
        },
    [CRIER_PROBLEM_TIMEOUT] =
        {
            "Request timed out",
            "The request did not arrive in time. Send it again, in one go.",
            "A request's head must be complete after 10 seconds, and a body must not pause for "
            "more than 30.",
            "A slow or broken network, or a client that opens connections and sends nothing.",
            "Send the request again. Of a publish that was cut off, nothing has been "
            "published.",
        },
    [CRIER_PROBLEM_TOO_LARGE] =
        {
            "Event too large",
            "The event is over the hub's limit. Send less data, or start the hub with a larger "
            "--max-event-size.",
            "An event may take 1 MiB, or what --max-event-size says, counted as it is sent to "
            "followers.",
            "A large document as one event, or many line ends: each line of data is sent with "
            "a prefix of 6 bytes.",
            "Publish where the data can be fetched instead of the data, or send several "
            "events.",
        },
    [CRIER_PROBLEM_TARGET_TOO_LONG] =
        {
            "URL too long",
            "The request's path and query are over 8 KiB. Name fewer topics in one request.",
            "A request's path and query may take 8 KiB together.",
            "Very many topics in one subscription, or data put into the URL.",
            "Follow a pattern instead of single topics, or open several streams. Data belong "
            "in the body of a POST.",
        },
    [CRIER_PROBLEM_UNSUPPORTED_TYPE] =
        {
            "Unsupported encoding",
            "Send the body as it is, without Content-Encoding.",
            "The body of a publish is taken as it is; a compressed one is not unpacked.",
            "A client that compresses what it sends.",
            "Switch off compression of requests and leave Content-Encoding out.",
        },
    [CRIER_PROBLEM_EXPECTATION_FAILED] =
        {
            "Unknown expectation",
            "Leave the Expect header out; the only expectation known here is 100-continue.",
            "The request asks in its Expect header for something that this hub cannot do.",
            "A client library with settings of its own.",
            "Leave the header out.",
        },
    [CRIER_PROBLEM_UNKNOWN_HOST] =
        {
            "Unknown host name",
            "This hub is not known by that name. Use localhost, or start it with --host and "
            "the name.",
            "A hub that listens on this machine only answers to local names only. This keeps "
            "foreign web pages from reaching it under a name of theirs (DNS rebinding).",
            "The hub is reached through a proxy or under a name from a hosts file.",
            "Start the hub with --host NAME for each name it is reached by.",
        },
    [CRIER_PROBLEM_TOO_MANY_CONNECTIONS] =
        {
            "Too many connections",
            "There are too many connections from this address. Close some, then try again "
            "after the time in Retry-After.",
            "One address may have 1,000 connections (for IPv6, one /64 network).",
            "Streams that are opened and never closed, or many users behind one address or "
            "proxy.",
            "Share one stream between the tabs of a browser. Behind a proxy, tell the hub with "
            "--trust-proxy, so that it sees the real addresses.",
        },
    [CRIER_PROBLEM_HEAD_TOO_LARGE] =
        {
            "Headers too large",
            "The request's headers are over 32 KiB or more than 128. Send fewer or smaller "
            "ones, cookies above all.",
            "The head of a request may take 32 KiB and have 128 headers.",
            "Many or large cookies for the hub's domain, or a long token.",
            "Remove cookies, or serve the hub under a domain that has none.",
        },
    [CRIER_PROBLEM_INTERNAL] =
        {
            "Internal error",
            "Something went wrong in the hub. Try again; if it stays, look at the hub's log.",
            "The hub could not do what it was asked, and not because of the request.",
            "Most likely it has run out of memory.",
            "Try again later. The hub's log says more.",
        },
    [CRIER_PROBLEM_NOT_IMPLEMENTED] =
        {
            "Not implemented",
            "This method or transfer coding is not known here. Use GET, POST, PUT or DELETE, "
            "and no Transfer-Encoding but chunked.",
            "The request uses a part of HTTP that this hub does not have.",
            "A WebDAV client, the use of the hub as a proxy, or a compressed transfer coding.",
            "Follow with GET and publish with POST or PUT.",
        },
    [CRIER_PROBLEM_BUSY] =
        {
            "Hub is full",
            "The hub has as many connections as it may have. Try again after the time in "
            "Retry-After.",
            "The hub's limit on connections in all is reached.",
            "More followers than it was set up for, or a limit on open files that is too low.",
            "Try again later. The operator can raise the limits or add a machine.",
        },
    [CRIER_PROBLEM_DRAINING] =
        {
            "Hub is stopping",
            "The hub is about to stop or restart. Try again after the time in Retry-After.",
            "The hub ends its streams in order and takes no new requests.",
            "It is being restarted or upgraded.",
            "Try again in a few seconds. An EventSource comes back by itself.",
        },
    [CRIER_PROBLEM_JOURNAL_FULL] =
        {
            "Journal is full",
            "The event was not published: the journal cannot take it now. Try again after the "
            "time in Retry-After.",
            "Events are written to the journal before anyone sees them, and at the moment "
            "there "
            "is no room for them. What was refused was not published; of a batch, the answer "
            "says how many events were.",
            "A full disk, want of memory, or followers that are far behind.",
            "Try again later, with the same key: publishing goes on by itself as soon as there "
            "is room. If the disk is full, the operator should make room on it.",
        },
    [CRIER_PROBLEM_JOURNAL_FAILED] =
        {
            "Journal has failed",
            "The event was not published: the journal's disk has failed, and nothing is "
            "published until the hub is started again. The operator should look at the disk.",
            "The hub could not write its journal or make sure that it is on the disk. From "
            "then "
            "on it takes no events, so that none is lost. What is in the journal can still be "
            "read. What was refused was not published; of a batch, the answer says how many "
            "events were.",
            "A disk or a file system that fails, or a network disk that was cut off.",
            "The operator should look at the disk and at the hub's log, and start the hub "
            "again "
            "when the disk is well. Then send the event again, with the same key.",
        },
    [CRIER_PROBLEM_OUTCOME_UNKNOWN] =
        {
            "Outcome unknown",
            "It is not known whether the event was published. Send it again with the same key.",
            "The hub was about to write the event to the journal when that failed: it may or "
            "may not be there. Of a batch, the answer counts the events that certainly are.",
            "A disk error at this moment.",
            "Repeat the request with the same key (Idempotency-Key): should the event be "
            "there, it is not published twice.",
        },
    [CRIER_PROBLEM_VERSION] =
        {
            "HTTP version not supported",
            "Send the request as HTTP/1.1.",
            "The request names a version of HTTP that this port does not speak.",
            "A client that speaks HTTP/2 without having asked (prior knowledge).",
            "Use HTTP/1.1, or put a proxy that speaks HTTP/2 in front.",
        },
};

struct row {
    const char *slug;
    unsigned status;
};

static const struct row rows[CRIER_PROBLEM_COUNT] = {
#define CRIER_PROBLEM_ROW(name, slug, status) [CRIER_PROBLEM_##name] = {slug, status},
    CRIER_PROBLEMS(CRIER_PROBLEM_ROW)
#undef CRIER_PROBLEM_ROW
};

static const struct row *row_of(enum crier_problem problem)
{
    assert(problem > CRIER_PROBLEM_NONE && problem < CRIER_PROBLEM_COUNT);
    return &rows[problem];
}

static const struct text *text_of(enum crier_problem problem)
{
    assert(problem > CRIER_PROBLEM_NONE && problem < CRIER_PROBLEM_COUNT);
    return &texts[problem];
}

unsigned crier_problem_status(enum crier_problem problem)
{
    return row_of(problem)->status;
}

struct crier_slice crier_problem_slug(enum crier_problem problem)
{
    return crier_slice_of(row_of(problem)->slug);
}

struct crier_slice crier_problem_title(enum crier_problem problem)
{
    return crier_slice_of(text_of(problem)->title);
}

struct crier_slice crier_problem_detail(enum crier_problem problem)
{
    return crier_slice_of(text_of(problem)->detail);
}

struct crier_slice crier_problem_meaning(enum crier_problem problem)
{
    return crier_slice_of(text_of(problem)->meaning);
}

struct crier_slice crier_problem_causes(enum crier_problem problem)
{
    return crier_slice_of(text_of(problem)->causes);
}

struct crier_slice crier_problem_remedy(enum crier_problem problem)
{
    return crier_slice_of(text_of(problem)->remedy);
}

enum crier_problem crier_problem_find(struct crier_slice slug)
{
    for (unsigned i = CRIER_PROBLEM_NONE + 1; i < CRIER_PROBLEM_COUNT; i++) {
        if (crier_slice_eq(slug, crier_slice_of(rows[i].slug)))
            return (enum crier_problem)i;
    }
    return CRIER_PROBLEM_NONE;
}

/* At most DETAIL_BYTES of it, not cut inside a code point. */
static struct crier_slice cut_detail(struct crier_slice text)
{
    size_t len = text.len < DETAIL_BYTES ? text.len : DETAIL_BYTES;

    /* Valid text has at most three continuation bytes in a row; of other text a little is lost.
     */
    for (int i = 0; i < 3 && len > 0 && len < text.len && (text.data[len] & 0xc0) == 0x80; i++)
        len--;
    return crier_slice_sub(text, 0, len);
}

/* A string member of JSON whose text may be any bytes. */
static void append_text(struct crier_buf *buf, struct crier_slice text)
{
    struct crier_buf repaired;

    if (crier_utf8_valid(text)) {
        crier_buf_json_string(buf, cut_detail(text));
        return;
    }
    crier_buf_init(&repaired, buf->mem);
    crier_utf8_repair(&repaired, cut_detail(text));
    if (crier_buf_error(&repaired) < 0)
        buf->failed = true;
    else
        crier_buf_json_string(buf, cut_detail(crier_buf_slice(&repaired)));
    crier_buf_deinit(&repaired);
}

void crier_problem_json(struct crier_buf *buf,
                        enum crier_problem problem,
                        struct crier_slice detail,
                        struct crier_slice extra)
{
    struct crier_slice slug = crier_problem_slug(problem);

    crier_buf_append(buf, CRIER_SLICE("{\"type\":\"/-/problems/"));
    crier_buf_append(buf, slug);
    crier_buf_append(buf, CRIER_SLICE("\",\"code\":"));
    crier_buf_json_string(buf, slug);
    crier_buf_append(buf, CRIER_SLICE(",\"title\":"));
    crier_buf_json_string(buf, crier_problem_title(problem));
    crier_buf_append(buf, CRIER_SLICE(",\"status\":"));
    crier_buf_u64(buf, crier_problem_status(problem));
    crier_buf_append(buf, CRIER_SLICE(",\"detail\":"));
    append_text(buf, detail.len > 0 ? detail : crier_problem_detail(problem));
    if (extra.len > 0) {
        crier_buf_byte(buf, ',');
        crier_buf_append(buf, extra);
    }
    crier_buf_append(buf, CRIER_SLICE("}\n"));
}
