// SPDX-License-Identifier: MIT
// Publishing (docs/http-api.md, "Publishing"): every form, batches, keys, ttl, DELETE.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { held, publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { chunked, exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const STREAM = { 'content-type': 'text/event-stream' };

let crier;
const scope = scopeOf(after);
before(async () => { crier = await startCrier(scope); });

const post = (path, body, headers = {}, method = 'POST') => request(crier, path, { method, body, headers });
const shape = (events) => events.map(({ topic, event, data }) => ({ topic, event, data }));

test('201 with id and topic; ids grow; the event is there, byte for byte', async (t) => {
  const stream = await follow(crier, 'single', { t });
  await stream.opened();
  const first = await post('/events/single', 'hello');
  assert.equal(first.status, 201);
  assert.equal(first.headers['content-type'], 'application/json');
  assert.deepEqual(Object.keys(first.json()), ['id', 'topic']);
  assert.match(first.json().id, /^\d+-\d+$/);
  assert.equal(first.json().topic, 'single');
  const second = await post('/events/single', 'again', {}, 'PUT');
  assert.equal(second.status, 201);
  const [a, b] = [first.json().id, second.json().id].map((id) => id.split('-').map(BigInt));
  assert.ok(b[0] > a[0] || (b[0] === a[0] && b[1] > a[1]));
  assert.deepEqual((await stream.until(2)).map((event) => [event.id, event.data]),
    [[first.json().id, 'hello'], [second.json().id, 'again']]);
});

test('any body that is no batch is the data: forms, JSON, nothing at all, any type', async () => {
  const bodies = [
    ['a=b&c=%20', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['{"a": 1}', { 'content-type': 'application/json' }],
    ['', {}],
    ['  leading and trailing  ', { 'content-type': 'text/plain' }],
    ['\0 NUL and \u{1F600}', { 'content-type': 'application/octet-stream' }],
    ['\uFEFFBOM', {}],
  ];
  for (const [body, headers] of bodies) assert.equal((await post('/events/any', body, headers)).status, 201);
  assert.deepEqual((await held(crier, 'any')).map((event) => event.data), bodies.map(([body]) => body));
});

test('event, retry, ttl, key as parameters and as headers', async (t) => {
  const stream = await follow(crier, 'meta', { t, keep: true });
  await stream.opened();
  await publish(crier, 'meta', 'x', '?event=tick&retry=500&ttl=1h&key=k1');
  await publish(crier, 'meta', 'y', '', { 'Crier-Event': 'tock', 'Crier-Retry': '3600000', 'Idempotency-Key': 'k2' });
  await stream.until(2);
  assert.deepEqual(stream.events.map((event) => event.type), ['tick', 'tock']);
  assert.deepEqual(stream.retries.slice(1), [500, 3_600_000]);
  const unicode = await publish(crier, 'meta', 'z', `?event=${encodeURIComponent('größe/1')}`);
  assert.ok(unicode.id);
  assert.equal((await stream.until(3))[2].type, 'größe/1');
});

test('chunked bodies, with extensions and trailers', async () => {
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('POST', '/events/chunks', { 'Transfer-Encoding': 'chunked' }));
  raw.send('3;name=value\r\nabc\r\n');
  raw.send('A\r\n0123456789\r\n');
  raw.send('0\r\nX-Trailer: yes\r\n\r\n');
  assert.equal((await raw.response()).status, 201);
  raw.send(requestBytes('POST', '/events/chunks', { 'Transfer-Encoding': 'Chunked' }));
  raw.send(chunked('one', ' ', 'two'));
  assert.equal((await raw.response()).status, 201);
  raw.destroy();
  assert.deepEqual((await held(crier, 'chunks')).map((event) => event.data), ['abc0123456789', 'one two']);
});

test('UTF-8 may be cut anywhere between chunks', async () => {
  const bytes = Buffer.from('ä€\u{1F600}');
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('POST', '/events/cut', { 'Transfer-Encoding': 'chunked' }));
  for (const byte of bytes) raw.send(Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]));
  raw.send('0\r\n\r\n');
  assert.equal((await raw.response()).status, 201);
  raw.destroy();
  assert.equal((await held(crier, 'cut'))[0].data, 'ä€\u{1F600}');
});

test('the same key again publishes nothing and answers as the first time', async () => {
  const first = await publish(crier, 'keys', 'one', '?key=abc');
  const again = await post('/events/keys?key=abc', 'other');
  assert.equal(again.status, 201);
  assert.deepEqual(again.json(), { id: first.id, topic: 'keys', duplicate: true });
  const header = await post('/events/keys', 'other', { 'Idempotency-Key': 'abc' });
  assert.equal(header.json().duplicate, true);
  assert.ok(!('duplicate' in first));
  const elsewhere = await publish(crier, 'keys/other', 'mine', '?key=abc');
  assert.notEqual(elsewhere.id, first.id, 'keys belong to a topic');
  assert.deepEqual((await held(crier, 'keys')).map((event) => event.data), ['one']);
});

test('many at once with one key: one event', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => post('/events/race?key=same', `v${i}`)));
  for (const answer of answers) assert.equal(answer.status, 201);
  assert.equal(new Set(answers.map((answer) => answer.json().id)).size, 1);
  assert.equal(answers.filter((answer) => !answer.json().duplicate).length, 1);
  assert.equal((await held(crier, 'race')).length, 1);
});

test('a key lives with its event; a refused publish leaves none', async () => {
  const refused = await post('/events/keys-two?key=k&event=crier:x', 'no');
  assert.equal(refused.status, 400);
  assert.ok(!('duplicate' in await publish(crier, 'keys-two', 'yes', '?key=k')));
  assert.equal((await request(crier, '/events/keys-two', { method: 'DELETE' })).status, 204);
  assert.ok(!('duplicate' in await publish(crier, 'keys-two', 'new', '?key=k')));
});

test('concurrent publishers: every id once, and every stream sees id order', async (t) => {
  const streams = [await follow(crier, 'many/**', { t }), await follow(crier, 'many/**', { t })];
  for (const stream of streams) await stream.opened();
  const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => publish(crier, `many/${i % 7}`, `${i}`)));
  const key = (id) => id.split('-').map((part) => part.padStart(20, '0')).join();
  const sorted = ids.map(({ id }) => id).sort((a, b) => (key(a) < key(b) ? -1 : 1));
  assert.equal(new Set(sorted).size, 200);
  for (const stream of streams) {
    await stream.until(200);
    assert.deepEqual(stream.events.map((event) => event.id), sorted);
  }
});

test('DELETE forgets, answers 204 for an unknown topic too, and followers stay', async (t) => {
  const stream = await follow(crier, 'del', { t });
  await stream.opened();
  await publish(crier, 'del', 'a');
  await stream.next();
  for (const topic of ['del', 'del', 'never-known']) {
    const answer = await exchange(crier, requestBytes('DELETE', `/events/${topic}`));
    assert.equal(answer.status, 204);
    assert.ok(!('content-length' in answer.headers) || answer.headers['content-length'] === '0');
    assert.ok(!('transfer-encoding' in answer.headers));
  }
  assert.deepEqual(await held(crier, 'del'), []);
  await publish(crier, 'del', 'b');
  assert.equal((await stream.next()).data, 'b');
});

// ---- batches ---------------------------------------------------------------------------------------

test('NDJSON: each line a publish, topics by line or by path', async () => {
  const lines = [
    { topic: 'nd/a', data: 'text', event: 'tick', retry: 1500, ttl: 60, key: 'k' },
    { data: { any: ['value', 1.50] } }, { data: 12 }, { data: null }, { data: true }, { data: '' },
  ];
  const body = `${lines.map((line) => JSON.stringify(line)).join('\n')}\r\n\n`;
  const answer = await post('/events/nd/b', body, NDJSON);
  assert.equal(answer.status, 201);
  const told = answer.json();
  assert.deepEqual(Object.keys(told), ['published', 'duplicates', 'first', 'last']);
  assert.equal(told.published, 6);
  assert.equal(told.duplicates, 0);
  const events = await held(crier, 'nd/**');
  assert.deepEqual(shape(events), [
    { topic: 'nd/a', event: 'tick', data: 'text' },
    ...['{"any":["value",1.5]}', '12', 'null', 'true', ''].map((data) => ({ topic: 'nd/b', event: 'message', data }))]);
  assert.equal(events[0].id, told.first);
  assert.equal(events.at(-1).id, told.last);
  const again = (await post('/events/nd/b', `${JSON.stringify(lines[0])}\n{"data":"new"}`, NDJSON)).json();
  assert.equal(again.published, 1);
  assert.equal(again.duplicates, 1);
});

test("NDJSON: data that is no string is published as its own characters", async () => {
  await post('/events/own', '{"data": {"b" : 1.0e3,  "a":"\\u00e4"} }\n', NDJSON);
  assert.equal((await held(crier, 'own'))[0].data, '{"b" : 1.0e3,  "a":"\\u00e4"}');
});

test('NDJSON to /events names its topics; a line without one is a bad line', async () => {
  const body = '{"topic":"m/1","data":"a"}\n{"topic":"m/2","data":"b"}\n{"data":"c"}\n{"topic":"m/3","data":"d"}\n';
  const answer = await post('/events', body, NDJSON);
  assert.equal(answer.status, 400);
  const problem = answer.json();
  assert.equal(problem.published, 2);
  assert.equal(problem.line, 3);
  assert.equal(problem.duplicates, 0);
  const events = await held(crier, 'm/**');
  assert.deepEqual(events.map((event) => event.data), ['a', 'b'], 'before it published, after it not');
  assert.equal(problem.first, events[0].id);
  assert.equal(problem.last, events[1].id);
});

const badLines = [
  ['not JSON', 'hello', 'bad-body'],
  ['cut off', '{"data":"x"', 'bad-body'],
  ['an array', '["data"]', 'bad-body'],
  ['no data', '{"topic":"bad/x"}', 'bad-body'],
  ['unknown member', '{"data":"x","colour":1}', 'bad-body'],
  ['a member twice', '{"data":"x","data":"y"}', 'bad-body'],
  ['an id', '{"data":"x","id":"1-1"}', 'bad-body'],
  ['bad topic', '{"topic":"a//b","data":"x"}', 'bad-topic'],
  ['a pattern', '{"topic":"a/*","data":"x"}', 'bad-topic'],
  ['topic of the wrong kind', '{"topic":1,"data":"x"}', null],
  ['type with a line feed', '{"data":"x","event":"a\\nid: 1"}', null],
  ['type with NUL', '{"data":"x","event":"a\\u0000"}', null],
  ['crier: type', '{"data":"x","event":"crier:gap"}', null],
  ['retry too small', '{"data":"x","retry":499}', null],
  ['ttl zero', '{"data":"x","ttl":0}', null],
  ['key empty', '{"data":"x","key":""}', null],
  ['key too long', `{"data":"x","key":"${'k'.repeat(129)}"}`, null],
  ['key with a line feed', '{"data":"x","key":"a\\nb"}', null],
  ['a lone surrogate', '{"data":"\\ud800"}', null],
  ['two objects', '{"data":"x"}{"data":"y"}', 'bad-body'],
];
for (const [name, line, code] of badLines) {
  test(`NDJSON, a bad line: ${name}`, async () => {
    const topic = `badline/${name.replaceAll(/[^a-z]/g, '')}`;
    const answer = await post(`/events/${topic}`, `{"data":"before"}\n\n${line}\n{"data":"after"}\n`, NDJSON);
    assert.equal(answer.status, 400, answer.text);
    const problem = answer.json();
    if (code) assert.equal(problem.code, code);
    assert.equal(problem.line, 3, 'the physical line');
    assert.equal(problem.published, 1);
    assert.deepEqual((await held(crier, topic)).map((event) => event.data), ['before']);
  });
}

test('NDJSON: invalid UTF-8 in a line', async () => {
  const answer = await post('/events/badutf', Buffer.from('{"data":"a"}\n{"data":"\xff"}\n', 'latin1'), NDJSON);
  assert.equal(answer.status, 400);
  assert.equal(answer.json().line, 2);
  assert.equal((await held(crier, 'badutf')).length, 1);
});

test('event-stream: blocks as publishes, id is the key, retry and comments dropped', async () => {
  const body = '\ufeff: hi\nretry: 5\n\nid: a\nevent: tick\ndata: one\ndata: two\n\ndata:three\r\n\r\ndata\n\nevent: nothing\n\n';
  const answer = await post('/events/es', body, STREAM);
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.json().published, 3);
  assert.ok(!answer.json().incomplete);
  assert.deepEqual(shape(await held(crier, 'es')), [
    { topic: 'es', event: 'tick', data: 'one\ntwo' }, { topic: 'es', event: 'message', data: 'three' },
    { topic: 'es', event: 'message', data: '' }]);
  const again = await post('/events/es', body, STREAM);
  assert.equal(again.json().duplicates, 1, 'the block with an id is known');
});

test('event-stream: an id stays for later blocks only as the rules of SSE say; a block without its own id has no key', async () => {
  const body = 'id: a\ndata: 1\n\ndata: 2\n\ndata: 3\n\n';
  assert.equal((await post('/events/own-id', body, STREAM)).json().published, 3);
});

test('event-stream: crier:gap passes, other crier: events are dropped', async () => {
  const body = 'event: crier:connected\nid: 1-1\ndata: {}\n\nevent: crier:gap\nid: 1-2\ndata: {"reason":"lagged"}\n\ndata: x\n\n';
  const answer = await post('/events/relay', body, STREAM);
  assert.equal(answer.json().published, 2);
  assert.deepEqual((await held(crier, 'relay')).map((event) => event.event), ['crier:gap', 'message']);
});

test('event-stream: an unfinished last block is dropped and told', async () => {
  const answer = await post('/events/unfinished', 'data: whole\n\ndata: half\n', STREAM);
  assert.equal(answer.status, 201);
  assert.equal(answer.json().incomplete, true);
  assert.equal(answer.json().published, 1);
  assert.deepEqual((await held(crier, 'unfinished')).map((event) => event.data), ['whole']);
});

test('event-stream to /events has no topic: 400, nothing published', async () => {
  const answer = await post('/events', 'data: x\n\n', STREAM);
  assert.equal(answer.status, 400);
  assert.equal(answer.json().code, 'no-topic');
});

test('an event-stream is published as it is parsed, while the request is still open', async (t) => {
  const reader = await follow(crier, 'live-pipe', { t });
  await reader.opened();
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('POST', '/events/live-pipe', { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/event-stream' }));
  for (let i = 0; i < 5; i++) {
    const text = `data: ${i}\n\n`;
    raw.send(`${text.length.toString(16)}\r\n${text}\r\n`);
    assert.equal((await reader.next()).data, `${i}`, 'seen before the next one is sent');
  }
  raw.send('0\r\n\r\n');
  assert.equal((await raw.response()).json().published, 5);
});

test('NDJSON too is published as it arrives', async (t) => {
  const reader = await follow(crier, 'live-nd', { t });
  await reader.opened();
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('POST', '/events/live-nd', { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/x-ndjson' }));
  const text = '{"data":"1"}\n{"da';
  raw.send(`${text.length.toString(16)}\r\n${text}\r\n`);
  assert.equal((await reader.next()).data, '1');
  raw.send('9\r\nta":"2"}\n\r\n0\r\n\r\n');
  assert.equal((await reader.next()).data, '2');
  assert.equal((await raw.response()).json().published, 2);
});

test('a batch that breaks off keeps what was published', async () => {
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('POST', '/events/broken', { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/event-stream' }));
  raw.send('9\r\ndata: a\n\n\r\n');
  await until(async () => (await held(crier, 'broken')).length === 1, 'the first was published');
  raw.reset();
  assert.deepEqual((await held(crier, 'broken')).map((event) => event.data), ['a']);
});

test('a batch refuses what only a single publish has in its head: nothing is published', async () => {
  for (const [type, body] of [['application/x-ndjson', '{"data":"x"}\n'], ['text/event-stream', 'data: x\n\n']]) {
    for (const name of ['Idempotency-Key', 'Crier-Event', 'Crier-Retry']) {
      const answer = await post('/events/headed', body, { 'content-type': type, [name]: '1000' });
      assert.equal(answer.status, 400, `${type}, ${name}`);
      assert.equal(answer.json().code, 'bad-parameter');
      assert.ok(answer.json().detail.includes(name), answer.text);
    }
  }
  assert.deepEqual(await held(crier, 'headed'), []);
});

test('a batch whose framing breaks off: the 400 says what was published before', async () => {
  const line = '{"data":"good"}\n';
  const answer = await exchange(crier, Buffer.concat([
    requestBytes('POST', '/events/framing', { 'Transfer-Encoding': 'chunked', ...NDJSON }),
    Buffer.from(`${line.length.toString(16)}\r\n${line}\r\nzz\r\n`)]));
  assert.equal(answer.status, 400);
  const [event, ...more] = await held(crier, 'framing');
  assert.deepEqual(more, []);
  const { published, duplicates, first, last } = answer.json();
  assert.deepEqual({ published, duplicates, first, last }, { published: 1, duplicates: 0, first: event.id, last: event.id });
});

test('a batch that comes to a standstill: the 408 says what was published before', async (t) => {
  const own = await startCrier(t, { args: ['--body-timeout', '1s'] });
  const raw = await Raw.connect(own);
  t.after(() => raw.destroy());
  raw.send(requestBytes('POST', '/events/still', { 'Content-Length': 1000, ...NDJSON }));
  raw.send('{"data":"good"}\n{"da');
  const answer = await raw.response();
  assert.equal(answer.status, 408);
  const [event] = await held(own, 'still');
  const { code, published, first, last } = answer.json();
  assert.deepEqual({ code, published, first, last }, { code: 'timeout', published: 1, first: event.id, last: event.id });
  raw.destroy();
});

test('a pipe from one hub to another doubles nothing when it is repeated', async () => {
  for (let i = 0; i < 20; i++) await publish(crier, 'pipe-source', `v${i}`);
  const source = await follow(crier, '/events/pipe-source?since=earliest', { keep: true });
  await source.until(20);
  source.close();
  const first = await post('/events/pipe-target', source.body, STREAM);
  assert.equal(first.json().published, 20, 'crier:connected is dropped');
  const second = await post('/events/pipe-target', source.body, STREAM);
  assert.equal(second.json().published, 0);
  assert.equal(second.json().duplicates, 20);
  assert.deepEqual((await held(crier, 'pipe-target')).map((event) => event.data), Array.from({ length: 20 }, (_, i) => `v${i}`));
});

test('a large batch in one request', async () => {
  const count = 5000;
  const body = Array.from({ length: count }, (_, i) => `{"data":"${i}"}`).join('\n');
  assert.equal((await post('/events/large', body, NDJSON)).json().published, count);
  const events = await held(crier, 'large');
  assert.deepEqual(events.map((event) => Number(event.data)), Array.from({ length: count }, (_, i) => i));
});

test('an event of nearly 1 MiB passes, one of 1 MiB of data is 413', async () => {
  const size = 1024 * 1024;
  const ok = await post('/events/border', 'x'.repeat(size - 100));
  assert.equal(ok.status, 201);
  const over = await post('/events/border', 'x'.repeat(size));
  assert.equal(over.status, 413);
  assert.equal((await held(crier, 'border')).length, 1);
});

test('large bodies of many sizes, one after the other: none is left waiting for bytes that have all come', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  const data = Buffer.alloc(700_000, 'x');
  for (let i = 0; i < 300; i++) {
    // Sizes around what one connection may publish in a tick, and multiples of it.
    const size = 200_000 + ((i * 7919) % 500_000);
    raw.send(requestBytes('POST', `/events/sizes/${i % 3}`, {}, data.subarray(0, size)));
    assert.equal((await raw.response())?.status, 201, `${size} bytes`);
  }
});

test('line feeds count encoded: 200,000 of them are 1.4 MB', async () => {
  const answer = await post('/events/feeds', '\n'.repeat(200_000));
  assert.equal(answer.status, 413);
  assert.deepEqual(await held(crier, 'feeds'), []);
});
