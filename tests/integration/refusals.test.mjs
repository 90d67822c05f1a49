// SPDX-License-Identifier: MIT
// Every refusal of docs/http-api.md over a raw socket: status, problem document, what becomes of the connection,
// and that nothing was delivered or kept.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { held, publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';

let crier;
let witness; // follows everything from the start: what it sees was delivered
const scope = scopeOf(after);
before(async () => {
  crier = await startCrier(scope);
  witness = await follow(crier, '/events/**');
  await witness.opened();
});
after(() => witness?.close());

let marks = 0;

// Nothing but the marker has come since the last marker, and history holds nothing but markers.
async function nothingHappened() {
  const mark = `mark ${marks++}`;
  await publish(crier, 'mark', mark);
  await witness.when((s) => s.events.some((event) => event.data === mark), 'the marker');
  assert.deepEqual(witness.events.map((event) => event.data), Array.from({ length: marks }, (_, i) => `mark ${i}`));
  const kept = await held(crier, '**');
  assert.deepEqual(kept.filter((event) => event.topic !== 'mark'), []);
}

function checkProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.ok(answer.text.endsWith('}\n') && answer.text.indexOf('\n') === answer.text.length - 1, 'one line with an LF');
  const problem = answer.json();
  assert.equal(problem.status, status);
  if (code) assert.equal(problem.code, code);
  assert.equal(problem.type, `/-/problems/${problem.code}`);
  assert.ok(problem.title.length > 2);
  assert.ok(problem.detail.length > 10, 'the detail says what to do');
}

const line = (...lines) => Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
const get = (...headers) => line('GET /events/r HTTP/1.1', 'Host: localhost', ...headers);
const post = (headers, body = 'x', path = '/events/r', method = 'POST') => requestBytes(method, path, headers, body);
const utf8 = (bytes) => Buffer.from(bytes, 'latin1');

// name, bytes, status (several: any of them; null: none is promised), code (null: any), does the connection end
const table = [
  // malformed HTTP
  ['both Content-Length and Transfer-Encoding', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 1', 'Transfer-Encoding: chunked'), utf8('1\r\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['Transfer-Encoding first, then Content-Length', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked', 'Content-Length: 1'), utf8('1\r\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['two differing Content-Lengths', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 1', 'Content-Length: 2'), utf8('xy')]), 400, 'bad-request', true],
  ['Content-Length +1', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: +1'), utf8('x')]), 400, 'bad-request', true],
  ['Content-Length -1', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: -1'), utf8('x')]), 400, 'bad-request', true],
  ['Content-Length 1,1', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 1, 2'), utf8('x')]), 400, 'bad-request', true],
  ['Content-Length that overflows', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 18446744073709551617'), utf8('x')]), 400, 'bad-request', true],
  ['Content-Length in hex', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 0x1'), utf8('x')]), 400, 'bad-request', true],
  ['chunked twice', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked, chunked'), utf8('1\r\nx\r\n0\r\n\r\n')]), 400, null, true],
  ['chunked not last', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked, gzip'), utf8('1\r\nx\r\n0\r\n\r\n')]), [400, 501], null, true],
  ['Transfer-Encoding with HTTP/1.0', Buffer.concat([line('POST /events/r HTTP/1.0', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('1\r\nx\r\n0\r\n\r\n')]), 400, null, true],
  ['a bare CR in a header', utf8('GET /events/r HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n'), 400, 'bad-request', true],
  ['a bare CR in the request line', utf8('GET /events/r\r HTTP/1.1\r\nHost: localhost\r\n\r\n'), 400, 'bad-request', true],
  ['a bare LF after the request line', utf8('GET /events/r HTTP/1.1\nHost: localhost\n\n'), 400, 'bad-request', true],
  ['obs-fold', utf8('GET /events/r HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n'), 400, 'bad-request', true],
  ['white space before the first header', utf8('GET /events/r HTTP/1.1\r\n Host: localhost\r\n\r\n'), 400, null, true],
  ['white space before a colon', get('X : a'), 400, 'bad-request', true],
  ['a header without a name', get(': a'), 400, 'bad-request', true],
  ['a header that is no token', get('X[]: a'), 400, 'bad-request', true],
  ['a header without a colon', get('nonsense'), 400, 'bad-request', true],
  ['NUL in a header', get('X: a\0b'), 400, 'bad-request', true],
  ['NUL in the target', line('GET /events/r\0 HTTP/1.1', 'Host: localhost'), 400, 'bad-request', true],
  ['a control character in the target', line('GET /events/r\x01 HTTP/1.1', 'Host: localhost'), 400, 'bad-request', true],
  ['a version Crier does not speak', line('GET /events/r HTTP/9.9', 'Host: localhost'), [400, 505], null, true],
  ['no version (HTTP/0.9)', utf8('GET /events/r\r\n\r\n'), [400, 505], null, true],
  ['the HTTP/2 preface', utf8('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), null, null, true],
  ['no Host', line('GET /events/r HTTP/1.1'), 400, 'bad-host', true],
  ['two Hosts', get('Host: localhost'), 400, 'bad-host', true],
  ['a Host that is none', line('GET /events/r HTTP/1.1', 'Host: a b'), 400, 'bad-host', true],
  ['a Host with user information', line('GET /events/r HTTP/1.1', 'Host: user@localhost'), 400, 'bad-host', true],
  ['an empty Host', line('GET /events/r HTTP/1.1', 'Host:'), [400, 421], null],
  ['two Authorizations', get('Authorization: Bearer a', 'Authorization: Bearer b'), 400, 'bad-credentials', true],
  ['a chunk size that is none', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('x\r\n')]), 400, 'bad-request', true],
  ['a chunk size with 0x', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('0x1\r\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['a chunk size with a sign', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('+1\r\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['a chunk size that overflows', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('10000000000000001\r\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['a chunk without CRLF', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('1\r\nxy\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['a bare LF after a chunk size', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8('1\nx\r\n0\r\n\r\n')]), 400, 'bad-request', true],
  ['endless chunk extensions', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8(`1;${'e'.repeat(5000)}\r\nx\r\n0\r\n\r\n`)]), 400, null, true],
  ['endless trailers', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked'), utf8(`1\r\nx\r\n0\r\nT: ${'e'.repeat(40_000)}\r\n\r\n`)]), [400, 431], null, true],
  ['white space between the target and nothing', line('GET  HTTP/1.1', 'Host: localhost'), 400, null, true],

  // topics and selectors
  ['an empty segment', requestBytes('GET', '/events/a//b', {}), 400, 'bad-selector'],
  ['a trailing slash', requestBytes('GET', '/events/a/', {}), 400, 'bad-selector'],
  ['dot', requestBytes('GET', '/events/a/.', {}), 400, 'bad-selector'],
  ['dot dot', requestBytes('GET', '/events/../a', {}), 400, 'bad-selector'],
  ['dot dot, encoded', requestBytes('GET', '/events/%2e%2E/a', {}), 400, 'bad-selector'],
  ['17 segments', requestBytes('GET', `/events/${'a/'.repeat(16)}a`, {}), 400, 'bad-selector'],
  ['257 bytes', requestBytes('GET', `/events/${'a'.repeat(257)}`, {}), 400, 'bad-selector'],
  ['a star inside a segment', requestBytes('GET', '/events/a*', {}), 400, 'bad-selector'],
  ['** not at the end', requestBytes('GET', '/events/**/a', {}), 400, 'bad-selector'],
  ['three stars', requestBytes('GET', '/events/***', {}), 400, 'bad-selector'],
  ['a bad percent', requestBytes('GET', '/events/a%2', {}), 400, null],
  ['a percent that is none', requestBytes('GET', '/events/a%zz', {}), 400, null],
  ['no selector', requestBytes('GET', '/events', {}), 400, 'no-topic'],
  ['an empty selector', requestBytes('GET', '/events/', {}), 400, null],
  ['an empty topic parameter', requestBytes('GET', '/events?topic=', {}), 400, null],
  ['publishing to an empty segment', post({}, 'x', '/events/a//b'), 400, 'bad-topic'],
  ['publishing to a pattern', post({}, 'x', '/events/a/*'), 400, 'bad-topic'],
  ['publishing to **', post({}, 'x', '/events/**'), 400, 'bad-topic'],
  ['deleting a pattern', requestBytes('DELETE', '/events/a/*', {}), 400, 'bad-topic'],
  ['publishing nowhere', post({}, 'x', '/events'), 400, 'no-topic'],
  ['a topic of 10 kB', post({}, 'x', `/events/${'t'.repeat(10_000)}`), [400, 414], null],
  ['a topic of 8 kB', post({}, 'x', `/events/${'t'.repeat(8000)}`), 400, 'bad-topic'],

  // parameters
  ['an unknown parameter of a publish', post({}, 'x', '/events/r?colour=red'), 400, 'bad-parameter'],
  ['the reserved parameter id', post({}, 'x', '/events/r?id=1-1'), 400, 'bad-parameter'],
  ['the reserved parameter type', post({}, 'x', '/events/r?type=a'), 400, 'bad-parameter'],
  ['a crier: type', post({}, 'x', '/events/r?event=crier:gap'), 400, 'bad-parameter'],
  ['a crier: type by header', post({ 'Crier-Event': 'crier:x' }), 400, 'bad-parameter'],
  ['retry below 500', post({}, 'x', '/events/r?retry=499'), 400, 'bad-parameter'],
  ['retry over an hour', post({}, 'x', '/events/r?retry=3600001'), 400, 'bad-parameter'],
  ['retry that is no number', post({}, 'x', '/events/r?retry=1s'), 400, 'bad-parameter'],
  ['retry that overflows', post({}, 'x', '/events/r?retry=18446744073709552116'), 400, 'bad-parameter'],
  ['ttl of nothing', post({}, 'x', '/events/r?ttl=0'), 400, 'bad-parameter'],
  ['ttl under a second', post({}, 'x', '/events/r?ttl=0.5s'), 400, 'bad-parameter'],
  ['ttl that is none', post({}, 'x', '/events/r?ttl=soon'), 400, 'bad-parameter'],
  ['an empty key', post({}, 'x', '/events/r?key='), 400, 'bad-parameter'],
  ['a key of 129', post({}, 'x', `/events/r?key=${'k'.repeat(129)}`), 400, 'bad-parameter'],
  ['a key beyond ASCII', post({}, 'x', '/events/r?key=%C3%A4'), 400, 'bad-parameter'],
  ['type with CR', post({}, 'x', '/events/r?event=a%0Db'), 400, 'bad-parameter'],
  ['type with LF', post({}, 'x', '/events/r?event=a%0Ab'), 400, 'bad-parameter'],
  ['type with NUL', post({}, 'x', '/events/r?event=a%00b'), 400, 'bad-parameter'],
  ['key with CRLF', post({}, 'x', '/events/r?key=a%0d%0ab'), 400, 'bad-parameter'],
  ['topic with CRLF', post({}, 'x', '/events/a%0d%0aid:%20b'), 400, 'bad-topic'],
  ['topic with NUL', post({}, 'x', '/events/a%00b'), 400, 'bad-topic'],
  ['topic with DEL', post({}, 'x', '/events/a%7fb'), 400, 'bad-topic'],
  ['topic with C1', post({}, 'x', '/events/a%C2%85b'), 400, 'bad-topic'],
  ['selector with CRLF', requestBytes('GET', '/events/a%0d%0ab', {}), 400, 'bad-selector'],

  // not UTF-8
  ['a body that is not UTF-8', post({}, utf8('ab\xff')), 400, 'bad-body'],
  ['a body cut inside a character', post({}, utf8('ab\xc3')), 400, 'bad-body'],
  ['a body with a surrogate', post({}, utf8('\xed\xa0\x80')), 400, 'bad-body'],
  ['an overlong body', post({}, utf8('\xc0\x80')), 400, 'bad-body'],
  ['a topic that is not UTF-8', post({}, 'x', '/events/%FF'), 400, 'bad-topic'],
  ['a raw topic that is not UTF-8', Buffer.concat([utf8('POST /events/\xff HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx')]), 400, null],
  ['a selector that is not UTF-8', requestBytes('GET', '/events/%C3', {}), 400, 'bad-selector'],
  ['a type that is not UTF-8', post({}, 'x', '/events/r?event=%FF'), 400, 'bad-parameter'],
  ['a type header that is not UTF-8', post({ 'Crier-Event': '\xff' }), 400, 'bad-parameter'],
  ['a key that is not UTF-8', post({}, 'x', '/events/r?key=%FF'), 400, 'bad-parameter'],
  ['an event-stream that is not UTF-8', post({ 'Content-Type': 'text/event-stream' }, utf8('data: \xff\n\n')), 400, 'bad-body'],

  // the others
  ['POST that wants an event-stream answered', post({ Accept: 'text/event-stream' }), 406, 'not-acceptable'],
  ['an event that is too large', post({}, 'x'.repeat(1024 * 1024 + 1)), 413, 'too-large'],
  ['an announced body that is too large', line('POST /events/r HTTP/1.1', 'Host: localhost', 'Content-Length: 9000000000'), 413, 'too-large', true],
  ['a line of a batch that is too large', post({ 'Content-Type': 'application/x-ndjson' }, `{"data":"${'x'.repeat(1024 * 1024 + 1)}"}\n`), 413, 'too-large'],
  ['a block that is too large', post({ 'Content-Type': 'text/event-stream' }, `data: ${'x'.repeat(1024 * 1024 + 1)}\n\n`), 413, 'too-large'],
  ['a target over 8 KiB', requestBytes('GET', `/events/r?x=${'y'.repeat(8200)}`, {}), 414, 'target-too-long', true],
  ['a head over 32 KiB', get(`X: ${'y'.repeat(33_000)}`), 431, 'head-too-large', true],
  ['too many headers', get(...Array.from({ length: 200 }, (_, i) => `X-${i}: y`)), 431, 'head-too-large', true],
  ['an unknown transfer coding', Buffer.concat([line('POST /events/r HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: gzip, chunked'), utf8('1\r\nx\r\n0\r\n\r\n')]), 501, 'not-implemented', true],
  ['an unknown method', requestBytes('BREW', '/events/r', {}), 501, 'not-implemented'],
  ['CONNECT', utf8('CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'), [400, 501], null],
  ['PATCH', requestBytes('PATCH', '/events/r', {}, 'x'), 405, 'method-not-allowed'],
  ['POST to /', post({}, 'x', '/'), 405, 'method-not-allowed'],
  ['DELETE of everything', requestBytes('DELETE', '/events', {}), null],
  ['POST to health', post({}, 'x', '/-/health'), 405, 'method-not-allowed'],
  ['an unknown path', requestBytes('GET', '/nowhere', {}), 404, 'not-found'],
  ['an unknown path below /-/', requestBytes('GET', '/-/nowhere', {}), 404, 'not-found'],
  ['an unknown problem', requestBytes('GET', '/-/problems/none', {}), 404, 'not-found'],
  ['POST to an unknown path', post({}, 'x', '/nowhere'), 404, 'not-found'],
  ['an unknown topic of /-/topics', requestBytes('GET', '/-/topics/none', {}), 404, 'unknown-topic'],
  ['an expectation other than 100-continue', post({ Expect: 'miracles' }), 417, 'expectation-failed'],
  ['Content-Encoding on a publish', post({ 'Content-Encoding': 'gzip' }), 415, 'unsupported-type'],
  ['a Host that is not this machine', line('GET /events/r HTTP/1.1', 'Host: attacker.example'), 421, 'unknown-host'],
  ['Accept of nothing there is', requestBytes('GET', '/events/r', { Accept: 'image/png' }), 406, 'not-acceptable'],
];

for (const [name, bytes, status, code, closes] of table) {
  test(name, async () => {
    const raw = await Raw.connect(crier);
    try {
      raw.send(bytes);
      if (status === null) {
        // No status is promised: an answer that refuses, or the end.
        const answer = await raw.response();
        if (answer) assert.ok(answer.status >= 400, answer.head);
      } else {
        const answer = await raw.response();
        assert.ok(answer, 'an answer came');
        const wanted = Array.isArray(status) ? status.find((one) => one === answer.status) : status;
        checkProblem(answer, wanted ?? status[0], code);
        if (answer.status === 405) assert.match(answer.headers.allow, /GET/);
      }
      if (closes) await raw.when((r) => r.over, 'the close');
    } finally {
      raw.destroy();
    }
    await nothingHappened();
  });
}

test('405 names what is allowed', async () => {
  const events = await exchange(crier, requestBytes('PATCH', '/events/r', {}));
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS']) assert.ok(events.headers.allow.split(/, */).includes(method), method);
  const health = await exchange(crier, requestBytes('DELETE', '/-/health', {}));
  assert.ok(!health.headers.allow.includes('POST'));
});

test('a refusal before the body was read closes, lingering, so that the answer arrives', async () => {
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('POST', '/events/a//b', { 'Content-Length': 4_000_000 }));
  raw.send(Buffer.alloc(500_000, 'x'));
  const answer = await raw.response();
  checkProblem(answer, 400, 'bad-topic');
  raw.send(Buffer.alloc(100_000, 'x'));
  await raw.when((r) => r.over, 'the close');
  assert.equal(raw.error, null, 'no reset');
  raw.destroy();
  await nothingHappened();
});

test('every problem has its page, and the code of a refusal leads there', async () => {
  const slugs = ['bad-request', 'bad-host', 'bad-topic', 'bad-selector', 'bad-parameter', 'no-topic', 'bad-body', 'bad-credentials',
    'token-missing', 'token-wrong', 'not-local', 'cross-origin', 'not-found', 'unknown-topic', 'method-not-allowed', 'not-acceptable',
    'timeout', 'too-large', 'target-too-long', 'unsupported-type', 'expectation-failed', 'unknown-host', 'too-many-connections',
    'head-too-large', 'internal', 'not-implemented', 'busy', 'draining', 'journal-full', 'journal-failed',
    'outcome-unknown', 'http-version'];
  for (const slug of slugs) {
    const page = await request(crier, `/-/problems/${slug}`, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 200, slug);
    assert.match(page.headers['content-type'], /^text\/html/);
    assert.match(page.headers['content-security-policy'], /default-src 'none'/);
    assert.ok(page.text.length > 300, 'it explains');
  }
});

test('what a refusal quotes of the request cannot break the document', async () => {
  for (const path of ['/events/%22%5C%0a%00%ff%E2%80%A8*', '/events/r?since=%22%0d%0a%ff%00', '/-/topics/%22%0a%ff']) {
    const answer = await exchange(crier, requestBytes('GET', path, {}));
    assert.ok(answer.status >= 400);
    assert.doesNotThrow(() => answer.json(), path);
    assert.ok(!answer.head.includes('%0a') && Buffer.from(answer.text).equals(answer.body), 'valid UTF-8');
  }
});

test('nothing an outsider sends forges a log line', async () => {
  const evil = 'x" level=error event=forged address="1.2.3.4';
  await exchange(crier, requestBytes('GET', '/events/r', { Origin: evil, 'User-Agent': evil }));
  await exchange(crier, Buffer.from(`GET /events/r HTTP/1.1\r\nHost: evil\r\nUser-Agent: a\tb\r\n\r\n`));
  await exchange(crier, requestBytes('GET', '/events/a%0Atime=x%20level=error%20event=forged', {}));
  for (const text of crier.lines) {
    assert.match(text, /^time=\S+ level=(error|warning|info|debug) event=[a-z-]+( |$)/, text);
    assert.ok(!/ event=forged/.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')), text);
  }
});
