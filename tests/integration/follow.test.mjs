// SPDX-License-Identifier: MIT
// Following (docs/http-api.md, "Following"): every parameter, the head to the letter, the order of the body.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { held, publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

const ID = /^\d+-\d+$/;
const JSON_TYPE = { accept: 'application/json' };
const NDJSON_TYPE = { accept: 'application/x-ndjson' };
const names = (events) => events.map((event) => event.data);

let crier;
const scope = scopeOf(after);
before(async () => { crier = await startCrier(scope); });

async function publishAll(topic, ...values) {
  const ids = [];
  for (const value of values) ids.push((await publish(crier, topic, value)).id);
  return ids;
}

let markers = 0;

// The data a stream with this query starts with, up to a marker published after it was opened.
async function replay(selector, query, marker = selector) {
  const text = `marker ${markers++}`;
  const stream = await follow(crier, `/events/${selector}${query}`);
  try {
    await stream.opened();
    await publish(crier, marker, text);
    await stream.when((s) => s.events.at(-1)?.data === text, 'the marker');
    return { data: names(stream.events).slice(0, -1), stream };
  } finally {
    stream.close();
  }
}

test('the head of a stream, to the letter', async (t) => {
  const stream = await follow(crier, 'head', { t });
  const { headers } = stream;
  assert.equal(stream.head.lines[0], 'HTTP/1.1 200 OK');
  assert.equal(headers['content-type'], 'text/event-stream');
  assert.equal(headers['cache-control'], 'no-cache, no-store, no-transform');
  assert.equal(headers['x-accel-buffering'], 'no');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['transfer-encoding'], 'chunked');
  assert.equal(headers.connection, 'keep-alive');
  assert.match(headers.vary, /\baccept\b/i);
  assert.match(headers.vary, /\borigin\b/i);
  assert.match(headers['crier-last-event-id'], ID);
  assert.equal(headers['crier-resumed'], 'none');
  assert.ok(!('content-length' in headers));
  assert.ok(!('access-control-allow-origin' in headers));
});

test('HTTP/1.0: no chunks, no connection header, the close is the end', async (t) => {
  const stream = await follow(crier, 'one-zero', { t, version: '1.0', keep: true });
  assert.ok(!('transfer-encoding' in stream.headers));
  assert.ok(!/keep-alive/i.test(stream.headers.connection ?? ''));
  const { id } = await publish(crier, 'one-zero', 'x');
  await stream.next();
  assert.match(stream.body, /^retry: \d+\nevent: crier:connected\nid: \d+-\d+\ndata: \{"status":"ok","resumed":"none"\}\n\n/);
  assert.ok(stream.body.endsWith(`id: ${id}\ndata: x\n\n`));
});

test('the body: retry without a blank line, connected, then events with their fields in order', async (t) => {
  const stream = await follow(crier, 'order', { t, keep: true });
  const first = await publish(crier, 'order', 'a\nb\r\nc\rd', '?event=tick&retry=1500');
  const second = await publish(crier, 'order', '');
  const third = await publish(crier, 'order', ' two spaces', '?event=message');
  await stream.until(3);
  const opening = /^retry: (\d+)\nevent: crier:connected\nid: (\d+-\d+)\ndata: \{"status":"ok","resumed":"none"\}\n\n/.exec(stream.body);
  assert.ok(opening, stream.body);
  assert.ok(Number(opening[1]) >= 2000 && Number(opening[1]) <= 4000, opening[1]);
  assert.equal(opening[2], stream.headers['crier-last-event-id']);
  assert.equal(stream.body.slice(opening[0].length),
    `retry: 1500\nevent: tick\nid: ${first.id}\ndata: a\ndata: b\ndata: c\ndata: d\n\n` +
    `id: ${second.id}\ndata: \n\n` +
    `id: ${third.id}\ndata:  two spaces\n\n`);
});

test('the retry of the opening is jittered from connection to connection', async () => {
  const seen = new Set();
  for (let i = 0; i < 8; i++) {
    const stream = await follow(crier, 'jitter');
    await stream.when((s) => s.retries.length, 'retry');
    assert.ok(stream.retries[0] >= 2000 && stream.retries[0] <= 4000);
    seen.add(stream.retries[0]);
    stream.close();
  }
  assert.ok(seen.size > 1, 'eight equal retries in a row');
});

test('the head and the opening leave in one write: the first body byte does not wait for an event', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('GET', '/events/quiet', { Accept: 'text/event-stream' }));
  await raw.readHead();
  assert.match((await raw.chunk()).toString(), /^retry: \d+\nevent: crier:connected\n/);
});

test('connected=0 leaves out the opening event, not the retry', async (t) => {
  const stream = await follow(crier, '/events/unconnected?connected=0', { t, keep: true });
  await publish(crier, 'unconnected', 'x');
  await stream.next();
  assert.equal(stream.connected, null);
  assert.match(stream.body, /^retry: \d+\nid: /);
});

test('since=now is the default and replays nothing', async () => {
  await publishAll('now', 'old');
  assert.deepEqual((await replay('now', '')).data, []);
  const { data, stream } = await replay('now', '?since=now');
  assert.deepEqual(data, []);
  assert.equal(stream.headers['crier-resumed'], 'none');
});

test('since=earliest replays all that is held, and tells no gap', async () => {
  await publishAll('earliest', 'a', 'b', 'c');
  const { data, stream } = await replay('earliest', '?since=earliest');
  assert.deepEqual(data, ['a', 'b', 'c']);
  assert.deepEqual(stream.gaps, []);
});

test('since=last:N is the newest N of the whole subscription', async () => {
  await publishAll('last/a', 'a1', 'a2');
  await publishAll('last/b', 'b1');
  await publishAll('last/a', 'a3');
  assert.deepEqual((await replay('last/a', '?since=last:2')).data, ['a2', 'a3']);
  const { data } = await replay('last/*', '?since=last:3', 'last/b');
  assert.deepEqual(data.slice(0, 2), ['b1', 'a3']);
  assert.equal(data.length, 3, 'and the marker of the replay before');
});

test('since=latest is the newest of each matching topic', async () => {
  await publishAll('latest/a', 'a1', 'a2');
  await publishAll('latest/b', 'b1');
  const list = await request(crier, '/events/latest/*?since=latest', { headers: JSON_TYPE });
  assert.deepEqual(names(list.json()), ['a2', 'b1']);
});

test('since= a duration, a time, an id', async () => {
  const ids = await publishAll('span', 'a', 'b', 'c');
  for (const span of ['30s', '10m', '2h', '7d']) {
    const answer = await request(crier, `/events/span?since=${span}`, { headers: JSON_TYPE });
    assert.deepEqual(names(answer.json()), ['a', 'b', 'c'], span);
  }
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
  const hourOn = new Date(Date.now() + 3_600_000).toISOString();
  const past = await request(crier, `/events/span?since=${hourAgo}`, { headers: JSON_TYPE });
  assert.deepEqual(names(past.json()), ['a', 'b', 'c']);
  const offset = encodeURIComponent(hourAgo.replace('Z', '+00:00'));
  const other = await request(crier, `/events/span?since=${offset}`, { headers: JSON_TYPE });
  assert.deepEqual(names(other.json()), ['a', 'b', 'c']);
  const future = await request(crier, `/events/span?since=${hourOn}`, { headers: JSON_TYPE });
  assert.deepEqual(names(future.json()), []);
  const exact = await follow(crier, `/events/span?since=${ids[0]}`);
  await exact.until(2);
  exact.close();
  assert.deepEqual(names(exact.events), ['b', 'c']);
  assert.equal(exact.headers['crier-resumed'], 'exact');
  assert.equal(exact.headers['crier-last-event-id'], ids[0]);
  assert.deepEqual(JSON.parse(exact.connected.data), { status: 'ok', resumed: 'exact' });
  assert.equal(exact.connected.id, ids[0]);
});

for (const bad of ['5', '0', 'last:0', 'last:1001', 'last:x', 'last:', 'yesterday', '10', '10x', '-1s', '1.5h', '2024-13-01T00:00:00Z', '99999999999999999999d']) {
  test(`since=${bad} is 400 bad-parameter`, async () => {
    const answer = await request(crier, `/events/bad-since?since=${bad}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, 'bad-parameter');
  });
}

test('the last id: header, then lastEventId and its spellings, then since; empty counts as absent', async () => {
  const ids = await publishAll('resume', 'a', 'b', 'c');
  const cases = [
    ['', { 'Last-Event-ID': ids[1] }, ['c']],
    [`?lastEventId=${ids[1]}`, {}, ['c']],
    [`?last-event-id=${ids[1]}`, {}, ['c']],
    [`?last_event_id=${ids[1]}`, {}, ['c']],
    [`?lastEventId=${ids[0]}`, { 'Last-Event-ID': ids[1] }, ['c']],
    [`?lastEventId=${ids[1]}&since=earliest`, {}, ['c']],
    ['?since=earliest', { 'Last-Event-ID': '' }, ['a', 'b', 'c']],
    ['?since=earliest&lastEventId=', {}, ['a', 'b', 'c']],
  ];
  for (const [query, headers, expected] of cases) {
    const stream = await follow(crier, `/events/resume${query}`, { headers });
    await stream.until(expected.length);
    assert.deepEqual(names(stream.events), expected, query);
    stream.close();
  }
});

test('a client cut off before its first event resumes from crier:connected', async () => {
  const before = await follow(crier, 'cursor');
  await before.opened();
  before.close();
  await publishAll('cursor', 'missed');
  const again = await follow(crier, 'cursor', { headers: { 'Last-Event-ID': before.lastId } });
  assert.equal((await again.next()).data, 'missed');
  assert.deepEqual(again.gaps, []);
  assert.equal(again.headers['crier-resumed'], 'exact');
  again.close();
});

test('a last id that is no id, of another life, or from the future is told as a gap, never an error', async () => {
  const ids = await publishAll('gap', 'a', 'b');
  const [ms, seq] = ids[1].split('-');
  const cases = ['rubbish', '\xfcml\xe4ut', '-', `${ms}`, '18446744073709551616-0', `${BigInt(ms) + 10_000_000n}-${seq}`,
    `${ms}-${(BigInt(seq) + 777_777n)}`, 'x'.repeat(3000), '1-1 OR 1=1'];
  for (const last of cases) {
    const stream = await follow(crier, '/events/gap', { headers: { 'Last-Event-ID': last } });
    await stream.until(2);
    assert.equal(stream.headers['crier-resumed'], 'gap', last);
    assert.equal(stream.gaps.length, 1, last);
    assert.equal(stream.connected, null, 'a gap stands in for connected');
    assert.equal(stream.all[0].type, 'crier:gap');
    const told = JSON.parse(stream.gaps[0].data);
    assert.equal(told.reason, 'unknown');
    assert.equal(told.oldest, ids[0]);
    assert.ok(told.requested === null || told.requested === last);
    assert.equal(stream.gaps[0].id, stream.headers['crier-last-event-id']);
    assert.deepEqual(names(stream.events), ['a', 'b']);
    stream.close();

    // Told once: whoever resumes from the gap's own id is told none.
    const again = await follow(crier, '/events/gap', { headers: { 'Last-Event-ID': stream.gaps[0].id } });
    await again.until(2);
    assert.deepEqual(again.gaps, [], 'the gap is told once');
    again.close();
  }
});

test('0-0 never tells a gap', async () => {
  await publishAll('zero', 'a');
  const stream = await follow(crier, '/events/zero', { headers: { 'Last-Event-ID': '0-0' } });
  await stream.until(1);
  assert.deepEqual(stream.gaps, []);
  stream.close();
});

test('an event that was evicted by DELETE is told as a gap', async () => {
  const ids = await publishAll('evicted', 'a', 'b', 'c');
  assert.equal((await request(crier, '/events/evicted', { method: 'DELETE' })).status, 204);
  const stream = await follow(crier, '/events/evicted', { headers: { 'Last-Event-ID': ids[0] } });
  await stream.opened();
  await stream.when((s) => s.gaps.length, 'the gap');
  const told = JSON.parse(stream.gaps[0].data);
  assert.equal(told.reason, 'evicted');
  assert.equal(told.requested, ids[0]);
  assert.equal(told.oldest, null);
  await publish(crier, 'evicted', 'd');
  assert.equal((await stream.next()).data, 'd');
  stream.close();

  // The newest deleted id itself missed nothing.
  const current = await follow(crier, '/events/evicted', { headers: { 'Last-Event-ID': ids[2] } });
  assert.equal((await current.next()).data, 'd');
  assert.deepEqual(current.gaps, []);
  current.close();
});

test('event= filters by type, may be repeated, and message stands for untyped', async (t) => {
  const typed = await follow(crier, '/events/types?event=a&event=b', { t });
  const untyped = await follow(crier, '/events/types?event=message', { t });
  await typed.opened();
  await untyped.opened();
  assert.ok(typed.connected, "Crier's own events always come");
  await publish(crier, 'types', '1', '?event=a');
  await publish(crier, 'types', '2');
  await publish(crier, 'types', '3', '?event=c');
  await publish(crier, 'types', '4', '?event=b');
  await publish(crier, 'types', '5');
  assert.deepEqual(names(await typed.until(2)), ['1', '4']);
  assert.deepEqual(names(await untyped.until(2)), ['2', '5']);
  const list = await request(crier, '/events/types?event=c', { headers: JSON_TYPE });
  assert.deepEqual(names(list.json()), ['3']);
});

test('envelope=1: one JSON object a line, id kept, event left out', async (t) => {
  const stream = await follow(crier, '/events/en/*?envelope=1', { t, keep: true });
  await stream.opened();
  const { id } = await publish(crier, 'en/x', 'two\nlines "quoted" \u2028 \u00e4', '?event=tick&retry=1500');
  const event = await stream.next();
  assert.equal(event.type, 'message');
  assert.equal(event.id, id);
  const object = JSON.parse(event.data);
  assert.deepEqual(Object.keys(object), ['id', 'topic', 'event', 'data', 'time']);
  assert.equal(object.id, id);
  assert.equal(object.topic, 'en/x');
  assert.equal(object.event, 'tick');
  assert.equal(object.data, 'two\nlines "quoted" \u2028 \u00e4');
  assert.ok(!Number.isNaN(Date.parse(object.time)), object.time);
  assert.ok(!stream.body.includes('event: tick'));
});

test('NDJSON: the same stream as one JSON object a line', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('GET', '/events/nd?since=earliest&heartbeat=1', { Accept: 'application/x-ndjson' }));
  const head = await raw.readHead();
  assert.equal(head.headers['content-type'], 'application/x-ndjson');
  const { id } = await publish(crier, 'nd', 'x\ny', '?event=tick');
  let text = '';
  while (!(text.endsWith('\n\n') && text.includes('tick'))) text += (await raw.chunk()).toString();
  const objects = text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.equal(objects[0].event, 'crier:connected');
  assert.equal(objects[0].topic, null);
  assert.deepEqual({ ...objects[1], time: '' }, { id, topic: 'nd', event: 'tick', data: 'x\ny', time: '' });
  assert.ok(!text.includes('retry'));
});

test('heartbeat: a comment line without a blank line, only when idle, at the asked pace', async (t) => {
  const stream = await follow(crier, '/events/beat?heartbeat=1', { t, keep: true });
  await stream.when((s) => s.comments >= 2, 'two heartbeats');
  assert.ok(stream.body.endsWith('}\n\n:\n:\n'), JSON.stringify(stream.body));
  await publish(crier, 'beat', 'x');
  await stream.next();
});

for (const bad of ['0', '301', '-1', '1.5', 'x', '99999999999999999999']) {
  test(`heartbeat=${bad} is 400`, async () => {
    const answer = await request(crier, `/events/beat?heartbeat=${bad}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, 'bad-parameter');
  });
}

test('unknown parameters of a GET are ignored', async (t) => {
  const stream = await follow(crier, '/events/unknown?_=17&utm=x&flag', { t });
  await stream.opened();
  assert.ok(stream.connected);
});

test('several topics and patterns over one stream, in publish order, each event once', async (t) => {
  const stream = await follow(crier, '/events?topic=multi/a&topic=multi/*&topic=multi/**&topic=multi/a', { t });
  await stream.opened();
  const ids = [];
  for (const topic of ['multi/a', 'multi/b', 'multi/c/d', 'multi/a']) ids.push((await publish(crier, topic, topic)).id);
  await stream.until(4);
  await publish(crier, 'multi/end', 'end');
  await stream.until(5);
  assert.deepEqual(stream.events.slice(0, 4).map((event) => event.id), ids);
});

test('a pattern: * is one whole segment, ** one or more', async (t) => {
  const one = await follow(crier, '/events/pat/*/c', { t });
  const rest = await follow(crier, '/events/pat/**', { t });
  await one.opened();
  await rest.opened();
  for (const topic of ['pat', 'pat/b', 'pat/b/c', 'pat/b/c/d', 'pat/x/c']) await publish(crier, topic, topic);
  assert.deepEqual(names(await one.until(2)), ['pat/b/c', 'pat/x/c']);
  assert.deepEqual(names(await rest.until(4)), ['pat/b', 'pat/b/c', 'pat/b/c/d', 'pat/x/c']);
});

test('at most 100 selectors and 10 patterns', async () => {
  const query = (count, name) => Array.from({ length: count }, (_, i) => `topic=${name(i)}`).join('&');
  const ok = await follow(crier, `/events?${query(100, (i) => `s${i}`)}`);
  ok.close();
  const okPatterns = await follow(crier, `/events?${query(10, (i) => `p${i}/*`)}`);
  okPatterns.close();
  for (const many of [query(101, (i) => `s${i}`), query(11, (i) => `p${i}/*`)]) {
    const answer = await request(crier, `/events?${many}`);
    assert.equal(answer.status, 400);
    assert.match(answer.json().code, /^bad-(selector|parameter)$/);
  }
});

test('as many topic parameters as a target can hold: 400, and no stream', async (t) => {
  const own = await startCrier(t, { workers: 1 });
  const query = Array(1000).fill('topic=a').join('&');
  for (const accept of ['text/event-stream', 'application/json']) {
    const answer = await request(own, `/events?${query}`, { headers: { accept } });
    assert.equal(answer.status, 400);
    assert.equal(answer.json().code, 'bad-selector');
  }
  const stats = await own.stats();
  assert.equal(stats.streams_opened, 0);
  assert.equal(stats.refused['bad-selector'], 2);
});

test('topics are percent-decoded once, then split', async (t) => {
  const stream = await follow(crier, '/events/caf%C3%A9/%2525', { t });
  await stream.opened();
  const answer = await publish(crier, 'caf%C3%A9/%2525', 'x');
  assert.equal(answer.topic, 'café/%25');
  assert.equal((await stream.next()).data, 'x');
  const slash = await publish(crier, 'caf%C3%A9%2F%2525', 'y');
  assert.equal(slash.topic, 'café/%25', 'an encoded slash is a slash');
});

test('following an unknown topic is a stream; its JSON history is []', async (t) => {
  const stream = await follow(crier, 'never-heard-of', { t });
  await stream.opened();
  const list = await request(crier, '/events/never-heard-of', { headers: JSON_TYPE });
  assert.equal(list.status, 200);
  assert.deepEqual(list.json(), []);
});

test('JSON history: oldest first, default the last 100, limit and Link next', async () => {
  const values = Array.from({ length: 250 }, (_, i) => `v${i}`);
  const lines = values.map((data) => JSON.stringify({ data })).join('\n');
  const batch = await request(crier, '/events/hist', { method: 'POST', body: lines, headers: { 'content-type': 'application/x-ndjson' } });
  assert.equal(batch.json().published, 250);

  const plain = await request(crier, '/events/hist', { headers: JSON_TYPE });
  assert.equal(plain.headers['content-type'], 'application/json');
  assert.deepEqual(names(plain.json()), values.slice(150));
  assert.deepEqual(Object.keys(plain.json()[0]), ['id', 'topic', 'event', 'data', 'time']);
  assert.equal(plain.json()[0].event, 'message');

  // By Link from page to page: everything once.
  let path = '/events/hist?since=earliest&limit=99';
  const seen = [];
  let pages = 0;
  while (path) {
    const page = await request(crier, path, { headers: JSON_TYPE });
    assert.equal(page.status, 200);
    seen.push(...names(page.json()));
    pages += 1;
    const link = /<([^>]*)>; *rel="next"/.exec(page.headers.link ?? '');
    path = link ? link[1].replace(/^https?:\/\/[^/]*/, '') : null;
  }
  assert.equal(pages, 3);
  assert.deepEqual(seen, values);
  const all = await request(crier, '/events/hist?since=earliest', { headers: JSON_TYPE });
  assert.equal(all.json().length, 250);
  assert.ok(!all.headers.link);
  for (const bad of ['0', '10001', 'x', '-1']) {
    assert.equal((await request(crier, `/events/hist?limit=${bad}`, { headers: JSON_TYPE })).status, 400, bad);
  }
});

test('the Link to the next page is well-formed whatever the topic is called', async () => {
  const values = ['1', '2', '3'];
  await publishAll('a%3Eb%22%3Cc', ...values);
  for (const start of ['/events/a%3Eb%22%3Cc', '/events/a>b"<c', '/events?topic=a>b"<c&event=message', '/events?topic=a%3Eb%22%3Cc']) {
    let path = `${start}${start.includes('?') ? '&' : '?'}since=earliest&limit=1`;
    const seen = [];
    while (path && seen.length <= values.length) {
      const page = await exchange(crier, requestBytes('GET', path, JSON_TYPE));
      assert.equal(page.status, 200, `${path}: ${page.text}`);
      seen.push(...names(page.json()));
      const { link } = page.headers;
      if (link !== undefined) assert.match(link, /^<[^<>"\s]+>; rel="next"$/);
      path = link && link.slice(1, link.indexOf('>'));
    }
    assert.deepEqual(seen, values, start);
  }
});

test('since=latest has no next page', async () => {
  for (const topic of ['newest/a', 'newest/b', 'newest/a']) await publish(crier, topic, 'x');
  const page = await request(crier, '/events/newest/*?since=latest&limit=1', { headers: JSON_TYPE });
  assert.equal(page.json().length, 1);
  assert.ok(!('link' in page.headers), page.headers.link);
});

test('content negotiation: highest q, then a named type, then the order of the table', async (t) => {
  const cases = [
    [null, 'text/event-stream'],
    ['*/*', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['text/event-stream', 'text/event-stream'],
    ['TEXT/Event-Stream', 'text/event-stream'],
    ['text/event-stream;charset=utf-8', 'text/event-stream'],
    ['application/json', 'application/json'],
    ['application/x-ndjson', 'application/x-ndjson'],
    ['application/*', 'application/x-ndjson'],
    ['application/json, */*', 'application/json'],
    ['application/json;q=0.5, text/event-stream;q=0.4', 'application/json'],
    ['application/json, text/event-stream', 'text/event-stream'],
    ['text/event-stream;q=0, */*', 'application/x-ndjson'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', 'text/html'],
    ['text/html;level=1', 'text/html'],
    ['application/json;q=0.999, text/html;q=1.000', 'text/html'],
  ];
  for (const [accept, type] of cases) {
    const raw = await Raw.connect(crier);
    t.after(() => raw.destroy());
    raw.send(requestBytes('GET', '/events/neg', accept === null ? {} : { Accept: accept }));
    const head = await raw.readHead();
    assert.equal(head.status, 200, accept);
    assert.equal(head.headers['content-type'].replace(/;.*/, ''), type, accept);
    raw.destroy();
  }
  for (const accept of ['image/png', 'text/event-stream;q=0', 'text/plain, image/*;q=0.3', '*/*;q=0']) {
    const answer = await exchange(crier, requestBytes('GET', '/events/neg', { Accept: accept }));
    assert.equal(answer.status, 406, accept);
    assert.equal(answer.json().code, 'not-acceptable');
    for (const type of ['text/event-stream', 'application/x-ndjson', 'application/json', 'text/html']) {
      assert.ok(answer.text.includes(type), `${type} is in the list`);
    }
  }
  const two = await Raw.connect(crier);
  two.send(requestBytes('GET', '/events/neg', ['Accept: image/png', 'Accept: application/json']));
  assert.equal((await two.readHead()).headers['content-type'], 'application/json', 'two Accept headers are one list');
  two.destroy();
});

test('HEAD negotiates like GET, answers at once, registers nothing, keeps the connection', async () => {
  const raw = await Raw.connect(crier);
  const paths = [['/events/h', 'text/event-stream', 200], ['/events/h', 'application/json', 200], ['/events/h', 'text/html', 200],
    ['/', 'text/html', 200], ['/-/health', '*/*', 200], ['/-/topics', '*/*', 200], ['/-/stats', '*/*', 200],
    ['/events/a//b', 'text/event-stream', 400], ['/events/h', 'image/png', 406], ['/nowhere', '*/*', 404]];
  for (const [path, accept, status] of paths) {
    raw.send(requestBytes('HEAD', path, { Accept: accept }));
    const answer = await raw.response('HEAD');
    assert.equal(answer.status, status, path);
    if (status === 200 && accept !== '*/*') assert.equal(answer.headers['content-type'].replace(/;.*/, ''), accept);
  }
  raw.send(requestBytes('GET', '/-/health'));
  assert.equal((await raw.response()).status, 200, 'nothing stood behind the heads');
  raw.destroy();
  const topics = await request(crier, '/-/topics/h');
  assert.equal(topics.status, 404, 'a HEAD makes no topic');
});

test('text/html on a topic is the live page; so is /', async () => {
  for (const path of ['/', '/events/news', '/events?topic=a&topic=b/*']) {
    const answer = await request(crier, path, { headers: { accept: 'text/html' } });
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/html; *charset=utf-8$/i);
    assert.match(answer.text, /^<!doctype html>/i);
  }
});

test('an event past its own ttl leaves history without a gap', async () => {
  const first = await publish(crier, 'ttl', 'stays');
  const second = await publish(crier, 'ttl', 'goes', '?ttl=1s');
  assert.notEqual(second.id, first.id);
  let left = [];
  await until(async () => { left = names(await held(crier, 'ttl')); return !left.includes('goes'); }, 'the ttl was over');
  assert.deepEqual(left, ['stays']);
  const stream = await follow(crier, '/events/ttl', { headers: { 'Last-Event-ID': first.id } });
  await stream.opened();
  assert.deepEqual(stream.gaps, []);
  stream.close();
});

test('NDJSON of history carries gaps as objects', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  await publishAll('ndgap', 'a');
  raw.send(requestBytes('GET', '/events/ndgap', { Accept: NDJSON_TYPE.accept, 'Last-Event-ID': 'rubbish' }));
  await raw.readHead();
  let text = '';
  while (text.split('\n').length < 3) text += (await raw.chunk()).toString();
  const [gap, event] = text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  assert.equal(gap.event, 'crier:gap');
  assert.equal(event.data, 'a');
});
